//! Every graph and tensor type, written by `model::write` and read back, from GGUF and .h1b.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use onebit_engine::model::inspect::{self, inspect};
use onebit_engine::model::write::{GgufValue, GgufWriter, Synthetic};
use onebit_engine::model::{self, Family, LoadError, ModelFile, RopePairing, RopeScaling, TensorType};
use onebit_engine::quant;

const FAMILIES: [Family; 4] = [Family::Llama, Family::Qwen3, Family::BitNet, Family::BitNetB158];
const H1B_TYPES: [TensorType; 3] = [TensorType::Halo, TensorType::Tq1Halo, TensorType::Sherry];

fn open_gguf(bytes: Vec<u8>) -> Result<ModelFile, LoadError> {
    model::open_bytes(Path::new("test.gguf"), bytes, None)
}

fn gguf(synthetic: &Synthetic) -> ModelFile {
    open_gguf(synthetic.write_gguf(Vec::new()).expect("written")).expect("opens")
}

fn h1b(synthetic: &Synthetic) -> ModelFile {
    let mut htok = Vec::new();
    let bytes = synthetic.write_h1b(Vec::new(), &mut htok).expect("written");
    model::open_bytes(Path::new("test.h1b"), bytes, Some(&htok)).expect("opens")
}

/// Everything a lane may ask of a tensor, once; dots agree with unpacked trits.
fn read_through(file: &ModelFile) {
    for t in file.tensors() {
        let mut values = vec![f32::NAN; t.cols];
        let mut trits = vec![9i8; t.cols];
        let mut scales = Vec::new();
        let x: Vec<i8> = (0..t.cols).map(|i| (i * 37 % 255) as u8 as i8).collect();
        for row in [0, t.rows / 2, t.rows - 1] {
            t.dequantize_row(row, &mut values);
            assert!(values.iter().all(|v| v.is_finite()), "{}", t.name);
            if !t.ty.is_ternary() {
                continue;
            }
            t.unpack_trits(row, &mut trits);
            t.ternary_scales(row, &mut scales);
            assert_eq!(scales.len(), t.cols / t.scale_block(), "{}", t.name);
            let sums = quant::dot_i8(&t, row, &x);
            for (b, (trits, x)) in trits.chunks(t.scale_block()).zip(x.chunks(t.scale_block())).enumerate() {
                let sum: i64 = trits.iter().zip(x).map(|(&t, &x)| i64::from(t) * i64::from(x)).sum();
                assert_eq!(sums[b], sum, "{} row {row} block {b}", t.name);
            }
            let floats: Vec<f32> = x.iter().map(|&v| f32::from(v)).collect();
            let expected: f64 = sums.iter().zip(&scales).map(|(&s, &d)| s as f64 * f64::from(d)).sum();
            let error = (quant::dot_f64(&t, row, &floats) - expected).abs();
            assert!(error < 1e-6 * f64::from(scales[0]) * 127.0 * t.cols as f64, "{} error {error}", t.name);
        }
    }
    file.verify().expect("every code and scale is valid");
}

#[test]
fn every_graph_and_ternary_type_of_gguf_reads_back() {
    for family in FAMILIES {
        for linear in [TensorType::Tq1_0, TensorType::Tq2_0, TensorType::I2S] {
            let file = gguf(&Synthetic::tiny(family, linear));
            let config = file.config();
            assert_eq!((config.family, config.n_layers, config.vocab), (family, 2, 320));
            let split_half = family != Family::Llama;
            assert_eq!(config.rope.pairing == RopePairing::SplitHalf, split_half, "{family:?}");
            assert_eq!(file.tensor("blk.1.ffn_down.weight").expect("present").ty, linear);
            assert_eq!(file.tokenizer().bos, Some(256));
            read_through(&file);
        }
    }
}

#[test]
fn every_packable_dense_type_reads_back() {
    use TensorType::*;
    for ty in [F32, F16, Bf16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1] {
        let file = gguf(&Synthetic { embedding: ty, linear: ty, ..Synthetic::tiny(Family::Llama, ty) });
        read_through(&file);
    }
}

#[test]
fn every_h1b_version_reads_back_with_its_tokenizer() {
    for linear in H1B_TYPES {
        let synthetic = Synthetic::tiny(Family::BitNetB158, linear);
        let file = h1b(&synthetic);
        assert_eq!(file.file_bytes(), synthetic.h1b_header().expect("fits").file_bytes().expect("fits"));
        let config = file.config();
        assert_eq!((config.family, config.rope.theta), (Family::BitNetB158, 500_000.0));
        assert_eq!((config.head_dim, config.tied_head), (64, true));
        let data = file.tokenizer();
        assert_eq!((data.pre.as_str(), data.tokens.len()), ("llama-bpe", 320));
        assert_eq!((data.bos, data.eos, data.eot, data.add_bos), (Some(256), Some(257), Some(258), true));
        assert_eq!((data.token_types[0], data.token_types[256], data.token_types[300]), (1, 3, 5));
        assert_eq!(file.tensors().count(), 2 + 2 * 11);
        read_through(&file);
    }
}

#[test]
fn one_synthetic_model_has_the_same_trits_in_halo_and_gguf() {
    let halo = h1b(&Synthetic::tiny(Family::BitNetB158, TensorType::Halo));
    let i2_s = gguf(&Synthetic::tiny(Family::BitNetB158, TensorType::I2S));
    let (mut a, mut b) = (vec![0; 512], vec![0; 512]);
    for row in 0..256 {
        halo.tensor("blk.1.ffn_down.weight").expect("present").unpack_trits(row, &mut a);
        i2_s.tensor("blk.1.ffn_down.weight").expect("present").unpack_trits(row, &mut b);
        assert_eq!(a, b, "row {row}");
    }
}

#[test]
fn bitnet_2b_geometry_has_its_exact_sizes() {
    for (linear, bytes) in [
        (TensorType::Halo, 1_840_384_052),
        (TensorType::Tq1Halo, 1_736_304_692),
        (TensorType::Sherry, 1_645_004_852),
    ] {
        let header = Synthetic::bitnet_2b_4t(linear).h1b_header().expect("fits");
        assert_eq!(header.file_bytes(), Some(bytes), "{}", linear.name());
    }
    // Two bits a weight; the rest of the difference to the next multiple of 32 is header and tables.
    let i2_s = Synthetic::bitnet_2b_4t(TensorType::I2S).gguf_bytes().expect("fits");
    let data = 2_084_044_800 / 4
        + 210 * 32
        + 128_256 * 2560 * 2
        + 30 * (4 * 4 * 2560 - 4 * 2560 + 4 * 6912)
        + 4 * 2560;
    assert!((data..data + 40_000).contains(&i2_s), "{i2_s} beside {data}");
}

#[test]
fn h1b_on_disk_finds_its_sidecar_and_says_when_it_is_missing() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, sidecar) = (folder.path().join("m.h1b"), folder.path().join("m.htok"));
    let synthetic = Synthetic::tiny(Family::BitNetB158, TensorType::Halo);
    let out = BufWriter::new(File::create(&path).expect("created"));
    synthetic.write_h1b(out, File::create(&sidecar).expect("created")).expect("written");
    assert_eq!(model::open(&path).expect("opens").config().name, "m");
    std::fs::remove_file(&sidecar).expect("removed");
    let message = model::open(&path).err().expect("refused").to_string();
    assert!(message.contains("m.htok") && message.contains("no such file"), "{message}");
}

#[test]
fn file_cut_while_it_is_mapped_is_an_error_and_not_a_crash() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("m.gguf");
    let synthetic = Synthetic::tiny(Family::BitNetB158, TensorType::Tq2_0);
    synthetic.write_gguf(File::create(&path).expect("created")).expect("written");
    let file = model::open(&path).expect("opens");
    file.check_map().expect("intact");
    File::options().write(true).open(&path).expect("opened").set_len(4096).expect("cut");
    let tensor = file.tensor("blk.1.ffn_down.weight").expect("present");
    let mut values = vec![1.0; tensor.cols];
    tensor.dequantize_row(tensor.rows - 1, &mut values);
    assert!(values.iter().all(|&v| v == 0.0));
    let err = file.check_map().expect_err("the cut is reported");
    assert!(matches!(err, LoadError::Cut { .. }), "{err}");
    assert!(matches!(inspect(&file), Err(LoadError::Cut { .. })));
}

#[test]
fn inspection_counts_bits_zeros_and_memory() {
    let found = inspect(&gguf(&Synthetic::tiny(Family::BitNetB158, TensorType::Tq1_0))).expect("intact");
    let linears = 2 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 512 * 256);
    assert_eq!(found.n_ternary_weights, linears);
    assert_eq!(found.ternary_bits_per_weight, Some(54.0 * 8.0 / 256.0));
    let zeros = found.zero_fraction.expect("ternary");
    assert!((zeros - 1.0 / 3.0).abs() < 0.02, "{zeros}");
    assert_eq!((found.tokenizer.as_deref(), found.n_tokens), (Some("gpt2"), 259));
    let at_1k = found.memory[0];
    assert_eq!((at_1k.context, at_1k.kv_bytes), (1024, 2 * 2 * 2 * 2 * 64 * 1024));
    let sparse = inspect(&h1b(&Synthetic::tiny(Family::BitNetB158, TensorType::Sherry))).expect("intact");
    assert_eq!(sparse.zero_fraction, Some(0.25));
    assert_eq!(
        inspect::memory(&gguf(&Synthetic::tiny(Family::Llama, TensorType::Tq1_0)), 10).kv_bytes,
        10 * 1024
    );
}

/// A tiny llama file with keys added or replaced before writing.
fn with_keys(change: impl FnOnce(&mut GgufWriter)) -> Result<ModelFile, LoadError> {
    let mut writer = GgufWriter::new("llama");
    writer.key("llama.embedding_length", 64u32);
    writer.key("llama.feed_forward_length", 128u32).key("llama.attention.head_count", 2u32);
    writer.key("llama.context_length", 512u32);
    change(&mut writer);
    if !writer.has_key("llama.block_count") {
        writer.key("llama.block_count", 1u32);
    }
    writer.tensor("token_embd.weight", TensorType::F32, 3, 64).expect("fits");
    open_gguf(writer.write(Vec::new(), |_, out| out.write_all(&[0; 3 * 64 * 4])).expect("written"))
}

const EPS: &str = "llama.attention.layer_norm_rms_epsilon";

#[test]
fn absent_keys_take_the_defaults_of_the_format() {
    let file = with_keys(|w| {
        w.key(EPS, 1e-6f32);
    })
    .expect("opens");
    let config = file.config();
    assert_eq!((config.n_kv_heads, config.head_dim, config.vocab), (2, 32, 3));
    assert_eq!((config.rope.theta, config.rope.dims, config.rope.scaling), (10_000.0, 32, RopeScaling::None));
    assert_eq!(config.name, "test");
    assert!(file.tokenizer().tokens.is_empty());
}

#[test]
fn keys_of_a_bitnet_may_carry_the_other_prefix() {
    let file = with_keys(|w| {
        w.key("bitnet.attention.layer_norm_rms_epsilon", 1e-6f32).key("bitnet.rope.freq_base", 5000.0f32);
    });
    assert_eq!(file.expect("opens").config().rope.theta, 5000.0);
}

#[test]
fn rope_scaling_is_read_and_unknown_kinds_are_refused() {
    let scaling = |kind: &str, keys: &[(&str, f32)]| {
        with_keys(|w| {
            w.key(EPS, 1e-6f32).key("llama.rope.scaling.type", kind);
            for (key, value) in keys {
                w.key(*key, *value);
            }
            w.key("llama.rope.scaling.original_context_length", 128u32);
        })
        .map(|file| file.config().rope.scaling)
    };
    let factor = [("llama.rope.scaling.factor", 4.0)];
    assert_eq!(scaling("none", &[]).expect("opens"), RopeScaling::None);
    assert_eq!(scaling("linear", &factor).expect("opens"), RopeScaling::Linear { factor: 4.0 });
    let yarn = RopeScaling::Yarn { factor: 4.0, original_context: 128 };
    assert_eq!(scaling("yarn", &factor).expect("opens"), yarn);
    assert!(matches!(scaling("yarn", &[]), Err(LoadError::Invalid { .. })));
    assert!(matches!(scaling("longrope", &factor), Err(LoadError::Unsupported { .. })));
    let attention = [factor[0], ("llama.rope.scaling.attn_factor", 1.2)];
    assert!(matches!(scaling("yarn", &attention), Err(LoadError::Unsupported { .. })));
}

#[test]
fn impossible_shapes_are_refused_by_key() {
    let cases: [(&str, GgufValue); 9] = [
        ("block_count", 3u32.into()),
        ("rope.scaling.yarn_beta_fast", 16f32.into()),
        ("attention.layer_norm_rms_epsilon", f32::NAN.into()),
        ("attention.head_count_kv", 3u32.into()),
        ("rope.dimension_count", 34u32.into()),
        ("rope.dimension_count", 7u32.into()),
        ("attention.value_length", 16u32.into()),
        ("vocab_size", 4u32.into()),
        ("expert_count", 8u32.into()),
    ];
    for (key, value) in cases {
        let refused = with_keys(|w| {
            if key != "attention.layer_norm_rms_epsilon" {
                w.key(EPS, 1e-6f32);
            }
            w.key(format!("llama.{key}"), value);
        });
        let message = refused.err().expect("refused").to_string();
        assert!(message.contains(key), "{key}: {message}");
    }
    let message = with_keys(|_| {}).err().expect("refused").to_string();
    assert!(message.contains(EPS) && message.contains("no such key"), "{message}");
}

#[test]
fn unsupported_architecture_and_tokenizer_are_named() {
    let mut writer = GgufWriter::new("mamba");
    writer.tensor("token_embd.weight", TensorType::F32, 1, 1).expect("fits");
    let bytes = writer.write(Vec::new(), |_, out| out.write_all(&[0; 4])).expect("written");
    let message = open_gguf(bytes).err().expect("refused").to_string();
    assert!(message.contains("`mamba`") && message.contains("bitnet-b1.58"), "{message}");
    let refused = with_keys(|w| {
        w.key(EPS, 1e-6f32).key("tokenizer.ggml.model", "t5");
    });
    assert!(refused.err().expect("refused").to_string().contains("`t5`"));
}

fn with_vocabulary(merges: &[&str], bos: u32) -> Result<ModelFile, LoadError> {
    with_keys(|w| {
        let text = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        w.key(EPS, 1e-6f32).key("tokenizer.ggml.model", "gpt2").key("tokenizer.ggml.pre", "llama-bpe");
        w.key("tokenizer.ggml.tokens", text(&["a b", "c", "a bc"]))
            .key("tokenizer.ggml.merges", text(merges));
        w.key("tokenizer.ggml.bos_token_id", bos);
    })
}

#[test]
fn merges_split_at_the_space_between_two_tokens() {
    let file = with_vocabulary(&["a b c", "x y"], 1).expect("opens");
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    assert_eq!(file.tokenizer().merges, [pair("a b", "c"), pair("x", "y")]);
    assert!(file.tokenizer().add_bos, "llama-bpe starts with BOS when the file says nothing");
    for merge in ["", "ab", " a", "a ", "a b d"] {
        let message = with_vocabulary(&[merge], 1).err().expect("refused").to_string();
        assert!(message.contains("merges[0]"), "{merge:?}: {message}");
    }
}

#[test]
fn special_ids_outside_the_vocabulary_are_refused() {
    let message = with_vocabulary(&[], 3).err().expect("refused").to_string();
    assert!(message.contains("bos_token_id") && message.contains("below 3"), "{message}");
}

/// 4.6 GB of temporary files: `cargo test -p onebit-engine --test model_formats -- --ignored`.
#[test]
#[ignore = "writes gigabytes"]
fn bitnet_2b_geometry_opens_from_disk_in_every_container() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, sidecar) = (folder.path().join("m"), folder.path().join("m.htok"));
    for linear in [TensorType::I2S, TensorType::Tq2_0, TensorType::Halo] {
        let synthetic = Synthetic::bitnet_2b_4t(linear);
        let out = BufWriter::with_capacity(1 << 20, File::create(&path).expect("created"));
        if linear == TensorType::Halo {
            synthetic.write_h1b(out, File::create(&sidecar).expect("created")).expect("written");
        } else {
            synthetic.write_gguf(out).expect("written");
        }
        let file = model::open(&path).expect("opens");
        file.verify().expect("valid");
        let found = inspect(&file).expect("intact");
        assert_eq!(found.n_ternary_weights, 2_084_044_800, "{}", linear.name());
        assert_eq!(found.memory[1].kv_bytes, 300 << 20);
        println!(
            "{} {} bytes, {:?} bits a weight",
            linear.name(),
            found.file_bytes,
            found.ternary_bits_per_weight
        );
    }
}
