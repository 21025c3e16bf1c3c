//! Models with made-up weights of a real shape, for benchmarks and tests of size and speed. Deterministic: a seed gives one
//! file. Their text is noise; their token texts are the 256 bytes and three specials.

use std::io::{self, Write};

use half::f16;

use super::{GgufWriter, H1bHeader, H1bPart, invalid_input, write_h1b, write_htok};
use crate::model::{Family, TensorType};
use crate::quant::{floats, halo, i2_s, k, legacy, sherry, tq1_0, tq1_halo, tq2_0};

/// Distinct rows made for a matrix of ternary weights; they repeat after that, so that 2 billion weights take seconds.
const ROW_POOL: usize = 61;

/// Shape and seed of a synthetic model.
#[derive(Debug, Clone, PartialEq)]
pub struct Synthetic {
    /// Graph; its GGUF architecture name follows from it.
    pub family: Family,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Residual width.
    pub hidden: usize,
    /// Feed-forward width.
    pub ffn: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Elements per head.
    pub head_dim: usize,
    /// Vocabulary size. Below 259 the file has no tokenizer.
    pub vocab: usize,
    /// Longest context.
    pub context_length: usize,
    /// Type of the linears.
    pub linear: TensorType,
    /// Type of the embedding (F32, F16, BF16, Q8_0, Q6_K or another of the Q formats that the engine packs).
    pub embedding: TensorType,
    /// Seed of all values.
    pub seed: u64,
}

/// A matrix or vector of the graph.
struct Tensor {
    name: String,
    ty: TensorType,
    rows: usize,
    cols: usize,
}

impl Synthetic {
    /// BitNet b1.58 2B-4T: 2.08 billion ternary weights.
    pub fn bitnet_2b_4t(linear: TensorType) -> Self {
        Self {
            family: Family::BitNetB158,
            n_layers: 30,
            hidden: 2560,
            ffn: 6912,
            n_heads: 20,
            n_kv_heads: 5,
            head_dim: 128,
            vocab: 128_256,
            context_length: 4096,
            linear,
            embedding: TensorType::F16,
            seed: 1,
        }
    }

    /// A model of a few hundred kilobytes that suits every format.
    pub fn tiny(family: Family, linear: TensorType) -> Self {
        Self {
            family,
            n_layers: 2,
            hidden: 256,
            ffn: 512,
            n_heads: 4,
            n_kv_heads: 2,
            head_dim: 64,
            vocab: 320,
            context_length: 256,
            linear,
            embedding: TensorType::F16,
            seed: 1,
        }
    }

    fn arch(&self) -> &'static str {
        match self.family {
            Family::Llama => "llama",
            Family::Qwen3 => "qwen3",
            Family::BitNet => "bitnet",
            Family::BitNetB158 => "bitnet-b1.58",
        }
    }

    fn has_tokens(&self) -> bool {
        self.vocab >= 259
    }

    fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        let mut add = |name: String, ty, rows, cols| tensors.push(Tensor { name, ty, rows, cols });
        let (q, kv) = (self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim);
        add("token_embd.weight".into(), self.embedding, self.vocab, self.hidden);
        add("output_norm.weight".into(), TensorType::F32, 1, self.hidden);
        for layer in 0..self.n_layers {
            let name = |tensor: &str| format!("blk.{layer}.{tensor}.weight");
            let mut norm = |tensor: &str, cols| add(name(tensor), TensorType::F32, 1, cols);
            norm("attn_norm", self.hidden);
            norm("ffn_norm", self.hidden);
            match self.family {
                Family::BitNet | Family::BitNetB158 => {
                    norm("attn_sub_norm", q);
                    norm("ffn_sub_norm", self.ffn);
                }
                Family::Qwen3 => {
                    norm("attn_q_norm", self.head_dim);
                    norm("attn_k_norm", self.head_dim);
                }
                Family::Llama => {}
            }
            add(name("attn_q"), self.linear, q, self.hidden);
            add(name("attn_k"), self.linear, kv, self.hidden);
            add(name("attn_v"), self.linear, kv, self.hidden);
            add(name("attn_output"), self.linear, self.hidden, q);
            add(name("ffn_gate"), self.linear, self.ffn, self.hidden);
            add(name("ffn_up"), self.linear, self.ffn, self.hidden);
            add(name("ffn_down"), self.linear, self.hidden, self.ffn);
        }
        tensors
    }

    fn writer(&self) -> io::Result<GgufWriter> {
        let arch = self.arch();
        let mut writer = GgufWriter::new(arch);
        writer.key("general.name", format!("Synthetic {arch}, seed {}", self.seed));
        let counts = [
            ("context_length", self.context_length),
            ("embedding_length", self.hidden),
            ("block_count", self.n_layers),
            ("feed_forward_length", self.ffn),
            ("attention.head_count", self.n_heads),
            ("attention.head_count_kv", self.n_kv_heads),
            ("attention.key_length", self.head_dim),
            ("attention.value_length", self.head_dim),
            ("rope.dimension_count", self.head_dim),
            ("vocab_size", self.vocab),
        ];
        for (key, count) in counts {
            let count = u32::try_from(count).map_err(|_| invalid_input(format!("{key} above 32 bits")))?;
            writer.key(format!("{arch}.{key}"), count);
        }
        writer.key(format!("{arch}.attention.layer_norm_rms_epsilon"), 1e-5f32);
        writer.key(format!("{arch}.rope.freq_base"), 500_000.0f32);
        if self.has_tokens() {
            let tokens = byte_tokens();
            let types: Vec<i32> = (0..tokens.len()).map(|id| if id < 256 { 1 } else { 3 }).collect();
            writer.key("tokenizer.ggml.model", "gpt2").key("tokenizer.ggml.pre", "gpt2");
            writer.key("tokenizer.ggml.tokens", tokens).key("tokenizer.ggml.token_type", types);
            writer.key("tokenizer.ggml.merges", Vec::<String>::new());
            writer.key("tokenizer.ggml.bos_token_id", 256u32).key("tokenizer.ggml.eos_token_id", 257u32);
            writer.key("tokenizer.ggml.eot_token_id", 258u32).key("tokenizer.ggml.add_bos_token", true);
        }
        for tensor in self.tensors() {
            writer.tensor(tensor.name, tensor.ty, tensor.rows, tensor.cols)?;
        }
        Ok(writer)
    }

    /// Bytes of the GGUF.
    ///
    /// # Errors
    /// A shape that does not suit the types.
    pub fn gguf_bytes(&self) -> io::Result<u64> {
        Ok(self.writer()?.file_bytes())
    }

    /// Writes the model as GGUF.
    ///
    /// # Errors
    /// Those of `out`, and a shape that does not suit the types.
    pub fn write_gguf<W: Write>(&self, out: W) -> io::Result<W> {
        let mut tensors = self.tensors().into_iter();
        self.writer()?.write(out, |_, out| {
            let tensor = tensors.next().expect("the writer asks for the tensors it was given");
            self.fill(&tensor, tensor.cols, out)
        })
    }

    /// Header of the model as .h1b; `linear` must be halo, Sherry or TQ1 halo.
    ///
    /// # Errors
    /// A graph, type or head length that .h1b cannot express.
    pub fn h1b_header(&self) -> io::Result<H1bHeader> {
        let version = match self.linear {
            TensorType::Halo => 2,
            TensorType::Sherry => 3,
            TensorType::Tq1Halo => 4,
            other => return Err(invalid_input(format!(".h1b has no type {}", other.name()))),
        };
        if self.family != Family::BitNetB158 || self.n_heads * self.head_dim != self.hidden {
            return Err(invalid_input(".h1b holds bitnet-b1.58 with heads as wide as the model".into()));
        }
        let count = |v: usize| u32::try_from(v).map_err(|_| invalid_input(format!("{v} is above 32 bits")));
        Ok(H1bHeader {
            version,
            hidden: count(self.hidden)?,
            ffn: count(self.ffn)?,
            n_layers: count(self.n_layers)?,
            n_heads: count(self.n_heads)?,
            n_kv_heads: count(self.n_kv_heads)?,
            vocab: count(self.vocab)?,
            max_seq: count(self.context_length)?,
            tie_embeddings: 1,
            flags: 0,
            rope_theta: 500_000.0,
            norm_eps: 1e-5,
        })
    }

    /// Writes the model as .h1b and its tokenizer as .htok.
    ///
    /// # Errors
    /// Those of the outputs and of [`Synthetic::h1b_header`].
    pub fn write_h1b<W: Write>(&self, out: W, htok: impl Write) -> io::Result<W> {
        let header = self.h1b_header()?;
        let (mut tokens, bos, eos) =
            if self.has_tokens() { (byte_tokens(), 256, 257) } else { (Vec::new(), 0, 0) };
        tokens.resize(self.vocab, String::new());
        write_htok(htok, &tokens, &[], bos, eos)?;
        let source = Self { embedding: TensorType::F32, ..self.clone() };
        write_h1b(out, &header, |part: &H1bPart, out| {
            let cols = match part.name.rsplit_once("ffn_sub_norm") {
                Some(_) => self.ffn.max(part.cols),
                None => part.cols,
            };
            let tensor = Tensor { name: part.name.clone(), ty: part.ty, rows: part.rows, cols };
            source.fill(&tensor, part.cols, out)
        })
    }

    /// Writes the values of a tensor, which depend on its name and the seed only; of a vector its first `cols`.
    fn fill(&self, tensor: &Tensor, cols: usize, out: &mut dyn Write) -> io::Result<()> {
        let mut random = Random::new(self.seed, &tensor.name);
        if tensor.ty.is_ternary() {
            return fill_ternary(tensor, &mut random, out);
        }
        let mut row = vec![0.0f32; tensor.cols];
        let mut packed = Vec::new();
        let (center, spread) =
            if tensor.rows == 1 { (1.0, 0.2) } else { (0.0, 1.7 / (tensor.cols as f32).sqrt()) };
        for _ in 0..tensor.rows {
            row.iter_mut().for_each(|v| *v = center + spread * random.unit());
            if tensor.rows > 1 {
                // So that an embedding is the same numbers in .h1b (always f32) and in GGUF with F16.
                row.iter_mut().for_each(|v| *v = f16::from_f32(*v).to_f32());
            }
            packed.clear();
            pack_dense(tensor.ty, &row[..cols], &mut packed)?;
            out.write_all(&packed)?;
        }
        Ok(())
    }
}

fn pack_dense(ty: TensorType, row: &[f32], out: &mut Vec<u8>) -> io::Result<()> {
    match ty {
        TensorType::F32 => floats::pack_f32(row, out),
        TensorType::F16 => floats::pack_f16(row, out),
        TensorType::Bf16 => floats::pack_bf16(row, out),
        TensorType::Q8_0 => legacy::pack_q8_0(row, out),
        TensorType::Q6K => k::pack_q6_k(row, out),
        TensorType::Q4_0 => legacy::pack_q4_0(row, out),
        TensorType::Q4_1 => legacy::pack_q4_1(row, out),
        TensorType::Q5_0 => legacy::pack_q5_0(row, out),
        TensorType::Q5_1 => legacy::pack_q5_1(row, out),
        other => return Err(invalid_input(format!("{} has no packer", other.name()))),
    }
    Ok(())
}

fn fill_ternary(tensor: &Tensor, random: &mut Random, out: &mut dyn Write) -> io::Result<()> {
    let scale = f16::from_f32(1.2 / (tensor.cols as f32).sqrt());
    let rows: Vec<Vec<u8>> = (0..ROW_POOL.min(tensor.rows))
        .map(|_| {
            let mut packed = Vec::new();
            match tensor.ty {
                TensorType::Tq1_0 => tq1_0::pack(&random.trits(tensor.cols), scale, &mut packed),
                TensorType::Tq2_0 => tq2_0::pack(&random.trits(tensor.cols), scale, &mut packed),
                TensorType::I2S => i2_s::pack(&random.trits(tensor.cols), &mut packed),
                TensorType::Halo => halo::pack(&random.trits(tensor.cols), &mut packed),
                TensorType::Tq1Halo => tq1_halo::pack(&random.trits(tensor.cols), &mut packed),
                _ => {
                    let sparse: Vec<i8> = (0..tensor.cols / 4)
                        .flat_map(|_| sherry::group_trits(random.bits() as u8 & 31))
                        .collect();
                    sherry::pack(&sparse, &mut packed).expect("every code is 3:4 sparse");
                }
            }
            packed
        })
        .collect();
    for row in 0..tensor.rows {
        out.write_all(&rows[row % rows.len()])?;
    }
    let mut tail = Vec::new();
    match tensor.ty {
        TensorType::I2S => i2_s::pack_tail(scale.to_f32(), &mut tail),
        TensorType::Halo | TensorType::Tq1Halo | TensorType::Sherry => {
            floats::pack_f32(&vec![scale.to_f32(); tensor.rows], &mut tail);
        }
        _ => {}
    }
    out.write_all(&tail)
}

/// The 256 bytes in GPT-2's mapping to characters, then three specials.
fn byte_tokens() -> Vec<String> {
    let printable = |b: u32| matches!(b, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100;
    let bytes = (0..256).map(|b| {
        let code = if printable(b) {
            b
        } else {
            next += 1;
            next - 1
        };
        String::from(char::from_u32(code).expect("all codes lie below U+0200"))
    });
    bytes.chain(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"].map(String::from)).collect()
}

/// splitmix64 over a seed and a name.
struct Random(u64);

impl Random {
    fn new(seed: u64, name: &str) -> Self {
        // FNV-1a of the name keeps tensors apart.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
        });
        Self(seed ^ hash)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in -1..1.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn trits(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| (self.bits() % 3) as i8 - 1).collect()
    }
}
