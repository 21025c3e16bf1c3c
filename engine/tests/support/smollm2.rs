//! SmolLM2-135M-Instruct as `packaging/fetch-test-models.sh` leaves it, and what llama.cpp says about it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Answers of llama.cpp.
#[derive(Deserialize)]
pub struct Golden {
    /// Over `moby-16384.u16`.
    pub perplexity: Perplexity,
    /// The same with the weights unpacked to f32, i.e. without llama.cpp's int8 activations.
    pub unpacked_perplexity: Perplexity,
    /// Greedy continuations.
    pub greedy: Vec<Continuation>,
}

/// Perplexity in windows that each start afresh.
#[derive(Deserialize)]
pub struct Perplexity {
    /// Window length.
    pub context: usize,
    /// Ids scored.
    pub scored: usize,
    /// exp of the mean negative log-likelihood.
    pub perplexity: f64,
}

/// One prompt and its continuation.
#[derive(Deserialize)]
pub struct Continuation {
    /// Text.
    pub prompt: String,
    /// Its ids.
    pub prompt_ids: Vec<u32>,
    /// Steps; the first id of each was fed next.
    pub steps: Vec<Step>,
    /// What llama.cpp finds best at the same steps with the weights unpacked to f32, i.e. without its int8 activations.
    pub unpacked: Vec<Step>,
}

/// The best ids of one step with their logits, best first.
#[derive(Deserialize)]
pub struct Step {
    /// Ids.
    pub ids: Vec<u32>,
    /// Their logits.
    pub logits: Vec<f32>,
}

/// The model's path; `None` when it was not fetched, which is a failure in CI.
pub fn model() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/models/smollm2-135m-instruct-q4_1.gguf");
    if path.exists() {
        return Some(path);
    }
    let message = "build/models/smollm2-135m-instruct-q4_1.gguf is missing; fetch it with packaging/fetch-test-models.sh";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
    println!("skipped: {message}");
    None
}

fn golden_file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// llama.cpp's answers.
pub fn golden() -> Golden {
    serde_json::from_slice(&golden_file("smollm2.json")).expect("golden values")
}

/// The first 16,384 ids of Moby Dick.
pub fn moby() -> Vec<u32> {
    golden_file("moby-16384.u16").as_chunks().0.iter().map(|&b| u32::from(u16::from_le_bytes(b))).collect()
}
