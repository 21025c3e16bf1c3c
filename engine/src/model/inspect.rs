//! What `onebit inspect` shows of a model file: numbers computed from an open [`ModelFile`], no formatting.

use serde::Serialize;

use super::error::LoadError;
use super::file::ModelFile;
use super::tensor::{TensorType, TensorView};

/// Everything about a file that needs no lane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Container and version, e.g. `GGUF v3`.
    pub container: String,
    /// Size of the file.
    pub file_bytes: u64,
    /// `general.architecture`, or `bitnet-b1.58` for .h1b.
    pub arch: String,
    /// `general.name`, or the file stem.
    pub name: String,
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
    /// Vocabulary size.
    pub vocab: usize,
    /// Longest context the file allows.
    pub context_length: usize,
    /// Weights of all tensors.
    pub n_weights: u64,
    /// Ternary weights.
    pub n_ternary_weights: u64,
    /// Packed bits per weight over all tensors, scales included.
    pub bits_per_weight: f64,
    /// The same over the ternary tensors; `None` when there are none.
    pub ternary_bits_per_weight: Option<f64>,
    /// Share of zeros among the ternary weights; `None` when there are none.
    pub zero_fraction: Option<f64>,
    /// Name of the pre-tokenizer; `None` when the file has no tokenizer.
    pub tokenizer: Option<String>,
    /// Token texts in the file.
    pub n_tokens: usize,
    /// Merge rules in the file.
    pub n_merges: usize,
    /// Chat template of the file.
    pub chat_template: Option<String>,
    /// Memory at 1024 and 4096 tokens of context.
    pub memory: Vec<MemoryEstimate>,
    /// Tensors in file order.
    pub tensors: Vec<TensorSummary>,
    /// Keys of the file, long values shortened.
    pub metadata: Vec<(String, String)>,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorSummary {
    /// GGUF name.
    pub name: String,
    /// Storage format.
    pub ty: &'static str,
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// Packed bytes, scales included.
    pub bytes: u64,
    /// Packed bits per weight, scales included.
    pub bits_per_weight: f64,
    /// Share of zeros, for ternary tensors.
    pub zero_fraction: Option<f64>,
}

/// Memory for one context length: weights as packed in the file plus one f16 KV cache; activations and repacking come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    /// Tokens of context.
    pub context: usize,
    /// Bytes of all tensors.
    pub weight_bytes: u64,
    /// Bytes of the coarse copy by which a large LM head in floats is screened.
    pub head_copy_bytes: u64,
    /// Bytes of K and V in f16 over all layers.
    pub kv_bytes: u64,
}

/// Bytes that a head must have at two bytes a weight to be worth a coarse copy.
pub const SCREENED_HEAD_BYTES: u64 = 8 << 20;

/// Bytes of the coarse copy of the LM head: Q8_0 and two norms a row for a large one in f32, f16 or bf16, else 0.
pub fn head_copy_bytes(file: &ModelFile) -> u64 {
    let own = file.tensor_if_present("output.weight");
    let Some(head) = own.or_else(|| file.tensor_if_present("token_embd.weight")) else { return 0 };
    let is_float = matches!(head.ty, TensorType::F32 | TensorType::F16 | TensorType::Bf16);
    let is_large = (head.rows as u64).saturating_mul(2 * head.cols as u64) >= SCREENED_HEAD_BYTES;
    match TensorType::Q8_0.data_bytes(head.rows, head.cols) {
        Some(bytes) if is_float && is_large => bytes as u64 + 8 * head.rows as u64,
        _ => 0,
    }
}

/// Reads every ternary tensor once to count zeros.
///
/// # Errors
/// The file was cut or changed while it was read.
pub fn inspect(file: &ModelFile) -> Result<Inspection, LoadError> {
    let mut tensors = Vec::new();
    let (mut all, mut ternary, mut zeros) = (Total::default(), Total::default(), 0u64);
    for tensor in file.tensors() {
        let bytes = (tensor.data.len() + tensor.scales.len()) as u64;
        let n_weights = tensor.rows as u64 * tensor.cols as u64;
        let n_zeros = tensor.ty.is_ternary().then(|| count_zeros(&tensor));
        all.add(n_weights, bytes);
        if let Some(n_zeros) = n_zeros {
            ternary.add(n_weights, bytes);
            zeros += n_zeros;
        }
        tensors.push(TensorSummary {
            name: tensor.name.to_owned(),
            ty: tensor.ty.name(),
            rows: tensor.rows,
            cols: tensor.cols,
            bytes,
            bits_per_weight: 8.0 * bytes as f64 / n_weights as f64,
            zero_fraction: n_zeros.map(|zeros| zeros as f64 / n_weights as f64),
        });
    }
    file.check_map()?;
    let (config, tokenizer) = (file.config(), file.tokenizer());
    Ok(Inspection {
        container: file.container(),
        file_bytes: file.file_bytes(),
        arch: config.arch.clone(),
        name: config.name.clone(),
        n_layers: config.n_layers,
        hidden: config.hidden,
        ffn: config.ffn,
        n_heads: config.n_heads,
        n_kv_heads: config.n_kv_heads,
        head_dim: config.head_dim,
        vocab: config.vocab,
        context_length: config.context_length,
        n_weights: all.n_weights,
        n_ternary_weights: ternary.n_weights,
        bits_per_weight: all.bits_per_weight().unwrap_or(0.0),
        ternary_bits_per_weight: ternary.bits_per_weight(),
        zero_fraction: (ternary.n_weights > 0).then(|| zeros as f64 / ternary.n_weights as f64),
        tokenizer: (!tokenizer.tokens.is_empty()).then(|| tokenizer.pre.clone()),
        n_tokens: tokenizer.tokens.len(),
        n_merges: tokenizer.merges.len(),
        chat_template: tokenizer.chat_template.clone(),
        memory: [1024, 4096].map(|context| memory(file, context)).to_vec(),
        tensors,
        metadata: file.metadata(),
    })
}

/// Memory estimate for `context` tokens.
pub fn memory(file: &ModelFile, context: usize) -> MemoryEstimate {
    let config = file.config();
    // K and V, two bytes an element. Counts of a hostile file may be large, so the product saturates.
    let kv_bytes = [config.n_layers, config.n_kv_heads, config.head_dim, context]
        .into_iter()
        .fold(4u64, |product, count| product.saturating_mul(count as u64));
    let weight_bytes = file.tensors().map(|t| (t.data.len() + t.scales.len()) as u64).sum();
    MemoryEstimate { context, weight_bytes, head_copy_bytes: head_copy_bytes(file), kv_bytes }
}

#[derive(Default)]
struct Total {
    n_weights: u64,
    bytes: u64,
}

impl Total {
    fn add(&mut self, n_weights: u64, bytes: u64) {
        self.n_weights += n_weights;
        self.bytes += bytes;
    }

    fn bits_per_weight(&self) -> Option<f64> {
        (self.n_weights > 0).then(|| 8.0 * self.bytes as f64 / self.n_weights as f64)
    }
}

fn count_zeros(tensor: &TensorView<'_>) -> u64 {
    let mut trits = vec![0; tensor.cols];
    let zeros = (0..tensor.rows).map(|row| {
        tensor.unpack_trits(row, &mut trits);
        // Sums of bytes over short chunks compile to vector instructions; a chunk cannot wrap.
        let count = |chunk: &[i8]| chunk.iter().fold(0u8, |n, &t| n.wrapping_add(u8::from(t == 0)));
        trits.chunks(128).map(|chunk| u64::from(count(chunk))).sum::<u64>()
    });
    zeros.sum()
}
