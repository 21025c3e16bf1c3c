//! Logits to one id: bias and penalties, then filters, then one pick. Every random choice comes from an explicit seed.
//!
//! [`Chain`] picks, [`logprobs`] reports what the model thought, [`StopStrings`] ends an answer at a text. This module sees
//! numbers and texts; it knows no tokenizer and no model.

mod chain;
mod logprobs;
mod random;
mod stop;

pub use chain::{Chain, NotFinite, SamplingError};
pub use logprobs::{Logprobs, TokenLogprob, logprobs};
pub use stop::{StopResult, StopStrings};

/// How to pick tokens. `Default` is greedy.
///
/// Order: logit bias; repetition, frequency and presence penalties over the last `penalty_window` ids of the context (prompt
/// and answer alike); then, at temperature 0, the largest logit, and otherwise top-k, softmax at the temperature, top-p,
/// min-p and a draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 = argmax after bias and penalties, lowest id first.
    pub temperature: f32,
    /// Keep the k most likely; 0 = all. Ties at the threshold stay.
    pub top_k: u32,
    /// Keep the smallest set with this mass; 1 = all.
    pub top_p: f32,
    /// Drop ids below this fraction of the most likely one; 0 = none.
    pub min_p: f32,
    /// Divides positive, multiplies negative logits of recent ids, once for each occurrence; 1 = off.
    pub repetition_penalty: f32,
    /// Subtracted per earlier occurrence.
    pub frequency_penalty: f32,
    /// Subtracted once when the id occurred.
    pub presence_penalty: f32,
    /// How many recent ids the penalties see.
    pub penalty_window: u32,
    /// Added to the logit of an id before anything else; minus infinity bans it.
    pub logit_bias: Vec<(u32, f32)>,
    /// Seed of the random stream.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_window: 64,
            logit_bias: Vec::new(),
            seed: 0,
        }
    }
}
