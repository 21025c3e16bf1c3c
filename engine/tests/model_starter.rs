//! The bundled model opens, and its weights are those that the `gguf` Python package reads.

use std::path::Path;

use onebit_engine::model::{self, Family, ModelFile, RopePairing, RopeScaling, TensorType};

fn starter() -> ModelFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
    model::open(&path).expect("the starter model opens")
}

#[test]
fn configuration_is_that_of_the_model_card() {
    let file = starter();
    let config = file.config();
    assert_eq!(config.family, Family::BitNetB158);
    assert_eq!((config.arch.as_str(), config.name.as_str()), ("bitnet-b1.58", "1bit Starter"));
    assert_eq!((config.n_layers, config.hidden, config.ffn), (30, 512, 1536));
    assert_eq!((config.n_heads, config.n_kv_heads, config.head_dim), (8, 4, 64));
    assert_eq!((config.vocab, config.context_length), (49152, 2048));
    assert_eq!((config.rope.theta, config.rope.dims), (100_000.0, 64));
    assert_eq!((config.rope.pairing, config.rope.scaling), (RopePairing::SplitHalf, RopeScaling::None));
    assert_eq!(config.norm_eps, 1e-5);
    assert!(config.tied_head);
    assert_eq!(file.container(), "GGUF v3");
    file.check_map().expect("the file is intact");
}

#[test]
fn tokenizer_data_is_complete() {
    let file = starter();
    let data = file.tokenizer();
    assert_eq!((data.tokens.len(), data.token_types.len(), data.merges.len()), (49152, 49152, 48900));
    assert_eq!((data.pre.as_str(), data.add_bos), ("smollm", false));
    assert_eq!((data.bos, data.eos, data.eot), (Some(1), Some(2), None));
    assert_eq!(data.tokens[1], "<|im_start|>");
    assert_eq!(data.token_types[1], 3);
    assert_eq!(data.merges[0], ("Ġ".to_owned(), "t".to_owned()));
    assert!(data.chat_template.as_ref().is_some_and(|text| text.contains("<|im_start|>")));
}

#[test]
fn rows_dequantize_to_the_values_of_the_gguf_package() {
    let file = starter();
    for (name, ty, row, sum, start) in ROWS {
        let tensor = file.tensor(name).expect("the tensor is there");
        assert_eq!(tensor.ty, ty, "{name}");
        let mut values = vec![0.0; tensor.cols];
        tensor.dequantize_row(row, &mut values);
        assert_eq!(values[..4].iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), start, "{name}");
        assert_eq!(values.iter().map(|&v| f64::from(v)).sum::<f64>(), sum, "{name}");
    }
}

#[test]
fn models_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&starter());
}

/// Tensor, type, row, f64 sum of the row and its first values: `gguf.quants.dequantize` of gguf 0.19.
const ROWS: [(&str, TensorType, usize, f64, [f64; 4]); 4] = [
    (
        "token_embd.weight",
        TensorType::Q4_0,
        16384,
        -4.509246826171875,
        [-0.381103515625, -0.76220703125, 0.1905517578125, 0.76220703125],
    ),
    (
        "blk.7.ffn_down.weight",
        TensorType::Tq1_0,
        170,
        6.064453125,
        [-0.1318359375, 0.0, 0.1318359375, 0.1318359375],
    ),
    (
        "blk.29.attn_k.weight",
        TensorType::Tq1_0,
        85,
        1.53424072265625,
        [-0.07305908203125, 0.07305908203125, -0.07305908203125, 0.0],
    ),
    (
        "output_norm.weight",
        TensorType::F32,
        0,
        375.34502059966326,
        [0.28450122475624084, 0.41311192512512207, 0.4247061610221863, 0.4058457314968109],
    ),
];
