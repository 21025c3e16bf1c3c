//! One sampler per generation.

use crate::sampler::Sampling;

/// Picks ids.
pub(super) struct Picker {}

impl Picker {
    pub(super) fn new(sampling: Sampling, prompt: &[u32]) -> Self {
        let _ = (sampling, prompt);
        Self {}
    }

    pub(super) fn pick(&mut self, logits: &mut [f32]) -> u32 {
        let mut best = 0;
        for (i, &x) in logits.iter().enumerate() {
            if x > logits[best] {
                best = i;
            }
        }
        best as u32
    }
}
