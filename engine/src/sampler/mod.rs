//! Logits to one id: bias and penalties, then filters, then one pick. Every random choice comes from an explicit seed.

/// How to pick tokens. `Default` is greedy.
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
    /// Divides positive, multiplies negative logits of recent ids; 1 = off.
    pub repetition_penalty: f32,
    /// Subtracted per earlier occurrence.
    pub frequency_penalty: f32,
    /// Subtracted once when the id occurred.
    pub presence_penalty: f32,
    /// How many recent ids the penalties see.
    pub penalty_window: u32,
    /// Added to the logit of an id before anything else.
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

/// Log-probability of one id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLogprob {
    /// Token id.
    pub id: u32,
    /// Natural log of its probability under the model's distribution (temperature 1, before bias, penalties and filters).
    pub logprob: f32,
}

/// One sampler per generation.
pub struct Chain {}
