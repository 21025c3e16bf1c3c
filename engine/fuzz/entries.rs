//! What each fuzz target does with its bytes. Compiled into the targets and into `engine/tests/model_fuzz_replay.rs`, which runs
//! every seed and every regression in `make test`. Nothing here may panic, whatever the bytes. Each returns whether the bytes were accepted.

#![allow(dead_code, reason = "every target uses one of these functions")]

use std::path::Path;

use onebit_engine::model::{self, ModelFile, inspect};
use onebit_engine::tokenizer::Tokenizer;

/// A GGUF.
pub fn gguf(data: &[u8]) -> bool {
    // A .h1b would look for a sidecar, so it is given none.
    let Ok(file) = model::open_bytes(Path::new("fuzz.gguf"), data.to_vec(), None) else { return false };
    use_tensors(&file);
    use_tokenizer(&file);
    true
}

/// A .h1b with its .htok: u32 length of the first, then both.
pub fn h1b(data: &[u8]) -> bool {
    let Some((length, rest)) = data.split_first_chunk::<4>() else { return false };
    let Some((h1b, htok)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else { return false };
    let Ok(file) = model::open_bytes(Path::new("fuzz.h1b"), h1b.to_vec(), Some(htok)) else { return false };
    use_tensors(&file);
    true
}

/// A .htok, beside a model with as many ids as it says it has.
pub fn htok(data: &[u8]) -> bool {
    const MOST_TOKENS: u32 = 4096;
    let stated = data.get(4..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    let vocab = stated.filter(|vocab| (1..=MOST_TOKENS).contains(vocab)).unwrap_or(1);
    let opened = model::open_bytes(Path::new("fuzz.h1b"), smallest_h1b(vocab), Some(data));
    let Ok(file) = opened else { return false };
    use_tokenizer(&file);
    true
}

/// A model of width 2 with one layer, all zeros.
fn smallest_h1b(vocab: u32) -> Vec<u8> {
    let mut bytes = b"H1B\0".to_vec();
    for field in [2, 2, 2, 1, 1, 1, vocab, 16, 1, 0, 0, 0] {
        bytes.extend(u32::to_le_bytes(field));
    }
    // Embedding, final norm, 9 norms of the layer (the last as wide as the feed-forward), 7 matrices of 2 rows: a byte and a scale each.
    bytes.resize(bytes.len() + 8 * vocab as usize + 8 + 9 * 8 + 7 * 2 * 5, 0);
    bytes
}

/// What loading and inspecting a model do with its tensors.
fn use_tensors(file: &ModelFile) {
    for tensor in file.tensors() {
        let mut values = vec![0.0; tensor.cols];
        for row in [0, tensor.rows - 1] {
            tensor.dequantize_row(row, &mut values);
            if tensor.ty.is_ternary() {
                let mut trits = vec![0; tensor.cols];
                tensor.unpack_trits(row, &mut trits);
                assert!(trits.iter().all(|t| (-1..=1).contains(t)));
                let mut scales = Vec::new();
                tensor.ternary_scales(row, &mut scales);
                assert_eq!(scales.len(), tensor.cols.div_ceil(tensor.scale_block()));
            }
        }
    }
    let _checked = file.verify();
    inspect::inspect(file).expect("bytes in memory cannot be cut");
}

/// Building a tokenizer compiles large patterns, so the .h1b target, whose tokenizers those of .htok are, leaves it out.
fn use_tokenizer(file: &ModelFile) {
    if let Ok(tokenizer) = Tokenizer::new(file.tokenizer()) {
        assert!(tokenizer.vocab() <= file.config().vocab);
    }
}
