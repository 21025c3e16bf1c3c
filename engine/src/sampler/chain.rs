//! One generation's picks: bias, penalties, filters and the draw, without allocation after the first token.
//!
//! A vocabulary has 128 k ids and only a few of them matter, so nothing here sorts all of it: thresholds are found by
//! selection, and only what passes is ever ordered.

use super::Sampling;
use super::random::Random;

/// A logit is NaN or plus infinity, or no id is possible at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the logits are not finite")]
pub struct NotFinite;

/// A parameter that cannot be used; the text names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SamplingError(pub String);

/// One sampler per generation.
#[derive(Debug, Clone)]
pub struct Chain {
    sampling: Sampling,
    vocab: usize,
    random: Random,
    /// Occurrences in the penalty window, by id; all zero between picks.
    counts: Vec<u32>,
    candidates: Vec<Candidate>,
    ordered: Vec<f32>,
}

/// An id that is still possible, with its weight relative to the most likely one.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: u32,
    weight: f64,
}

impl Chain {
    /// A sampler for logits of `vocab` ids.
    ///
    /// # Errors
    /// Names the parameter that is not a number, out of range, or meant for an id outside the vocabulary.
    pub fn new(sampling: &Sampling, vocab: usize) -> Result<Self, SamplingError> {
        check(sampling, vocab)?;
        let is_penalised = sampling.penalty_window > 0
            && (sampling.repetition_penalty != 1.0
                || sampling.frequency_penalty != 0.0
                || sampling.presence_penalty != 0.0);
        Ok(Self {
            sampling: sampling.clone(),
            vocab,
            random: Random::new(sampling.seed),
            counts: if is_penalised { vec![0; vocab] } else { Vec::new() },
            candidates: Vec::new(),
            ordered: Vec::new(),
        })
    }

    /// How many of the largest logits a pick looks at, ties with the least of these included; `None` when it looks at all. Whatever
    /// the others are, as long as they are finite and smaller, [`Chain::pick`] picks the same id.
    pub fn largest_needed(&self) -> Option<usize> {
        if !self.counts.is_empty() || !self.sampling.logit_bias.is_empty() {
            return None;
        }
        match self.sampling.top_k as usize {
            _ if self.sampling.temperature == 0.0 => Some(1),
            0 => None,
            top_k => (top_k < self.vocab).then_some(top_k),
        }
    }

    /// Picks an id from `logits` (vocab), which it changes in place. `recent` is the context so far, oldest first: the penalties
    /// look at its last `penalty_window` ids, prompt and answer alike.
    ///
    /// Minus infinity masks an id. Each pick at a temperature above 0 uses one number of the random stream, so the same seed
    /// and logits give the same ids whatever else the engine does.
    ///
    /// # Errors
    /// A logit is NaN or plus infinity, or all ids are masked.
    ///
    /// # Panics
    /// `logits` is not as long as the vocabulary, which would be a bug of the caller.
    pub fn pick(&mut self, logits: &mut [f32], recent: &[u32]) -> Result<u32, NotFinite> {
        assert_eq!(logits.len(), self.vocab, "one logit for each id");
        for &(id, bias) in &self.sampling.logit_bias {
            logits[id as usize] += bias;
        }
        self.penalise(logits, recent);
        let best = checked_max(logits)?;
        if self.sampling.temperature == 0.0 {
            let id = logits.iter().position(|&logit| logit == best);
            return Ok(id.expect("the largest logit is one of them") as u32);
        }
        self.keep_top_k(logits, best);
        self.keep_top_p();
        self.drop_below_min_p();
        Ok(self.draw())
    }

    fn penalise(&mut self, logits: &mut [f32], recent: &[u32]) {
        if self.counts.is_empty() {
            return;
        }
        let window = (self.sampling.penalty_window as usize).min(recent.len());
        let recent = &recent[recent.len() - window..];
        for &id in recent {
            if let Some(count) = self.counts.get_mut(id as usize) {
                *count += 1;
            }
        }
        for &id in recent {
            let Some(count) = self.counts.get_mut(id as usize) else { continue };
            let times = std::mem::take(count);
            let logit = &mut logits[id as usize];
            // Masked ids stay masked, and numbers that are not finite stay what they are, to be reported.
            if times > 0 && logit.is_finite() {
                let factor = self.sampling.repetition_penalty.powi(times as i32);
                let factor = factor.clamp(f32::MIN_POSITIVE, f32::MAX);
                let scaled = if *logit > 0.0 { *logit / factor } else { *logit * factor };
                let subtracted =
                    self.sampling.frequency_penalty * times as f32 + self.sampling.presence_penalty;
                *logit = (scaled - subtracted).clamp(f32::MIN, f32::MAX);
            }
        }
    }

    /// The k largest logits, and all equal to the smallest of them, become candidates in id order, with softmax weights.
    fn keep_top_k(&mut self, logits: &[f32], best: f32) {
        let k = self.sampling.top_k as usize;
        let threshold = if k == 0 || k >= logits.len() {
            f32::NEG_INFINITY
        } else {
            self.ordered.clear();
            self.ordered.extend_from_slice(logits);
            let (_, threshold, _) = self.ordered.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            *threshold
        };
        let temperature = f64::from(self.sampling.temperature);
        let best = f64::from(best);
        self.candidates.clear();
        self.candidates.extend(
            (0u32..).zip(logits).filter(|(_, logit)| **logit >= threshold).map(|(id, &logit)| Candidate {
                id,
                weight: ((f64::from(logit) - best) / temperature).exp(),
            }),
        );
    }

    /// The smallest set of most likely candidates whose mass reaches top-p; equal weights count lowest id first.
    fn keep_top_p(&mut self) {
        if self.sampling.top_p >= 1.0 {
            return;
        }
        let total: f64 = self.candidates.iter().map(|candidate| candidate.weight).sum();
        let wanted = f64::from(self.sampling.top_p) * total;
        let (mut mass, mut kept, mut sorted) = (0.0, 0, 0);
        while kept < self.candidates.len() && (kept == 0 || mass < wanted) {
            if kept == sorted {
                // Order the next stretch only, each four times as long as the one before.
                sorted = (sorted * 4).max(64).min(self.candidates.len());
                order_first(&mut self.candidates[kept..], sorted - kept);
            }
            mass += self.candidates[kept].weight;
            kept += 1;
        }
        self.candidates.truncate(kept);
        self.candidates.sort_unstable_by_key(|candidate| candidate.id);
    }

    fn drop_below_min_p(&mut self) {
        // The most likely candidate always has weight 1.
        let least = f64::from(self.sampling.min_p);
        if least > 0.0 {
            self.candidates.retain(|candidate| candidate.weight >= least);
        }
    }

    /// One of the candidates, in proportion to their weights, walking in id order.
    fn draw(&mut self) -> u32 {
        let total: f64 = self.candidates.iter().map(|candidate| candidate.weight).sum();
        let wanted = self.random.unit() * total;
        let mut mass = 0.0;
        let mut last = None;
        for candidate in self.candidates.iter().filter(|candidate| candidate.weight > 0.0) {
            mass += candidate.weight;
            last = Some(candidate.id);
            if mass > wanted {
                break;
            }
        }
        last.expect("the most likely candidate passes every filter")
    }
}

/// Moves the `count` most likely candidates to the front, in order.
fn order_first(candidates: &mut [Candidate], count: usize) {
    let by_rank = |a: &Candidate, b: &Candidate| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id));
    let count = count.min(candidates.len());
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, by_rank);
    }
    candidates[..count].sort_unstable_by(by_rank);
}

/// The largest logit.
pub(super) fn checked_max(logits: &[f32]) -> Result<f32, NotFinite> {
    let mut best = f32::NEG_INFINITY;
    let mut has_nan = false;
    for &logit in logits {
        has_nan |= logit.is_nan();
        best = if logit > best { logit } else { best };
    }
    if has_nan || !best.is_finite() { Err(NotFinite) } else { Ok(best) }
}

fn check(sampling: &Sampling, vocab: usize) -> Result<(), SamplingError> {
    let in_range = |name: &str, value: f32, least: f32, most: f32| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(SamplingError(format!("{name} is {value}; expected {least} to {most}")))
    };
    in_range("temperature", sampling.temperature, 0.0, 1000.0)?;
    if sampling.temperature > 0.0 {
        // Below this the softmax is the argmax, and the division would lose all precision.
        in_range("temperature", sampling.temperature, 1e-4, 1000.0)?;
    }
    in_range("top_p", sampling.top_p, 0.0, 1.0)?;
    in_range("min_p", sampling.min_p, 0.0, 1.0)?;
    in_range("repetition_penalty", sampling.repetition_penalty, 0.01, 100.0)?;
    in_range("frequency_penalty", sampling.frequency_penalty, -100.0, 100.0)?;
    in_range("presence_penalty", sampling.presence_penalty, -100.0, 100.0)?;
    for &(id, bias) in &sampling.logit_bias {
        if id as usize >= vocab {
            return Err(SamplingError(format!(
                "logit_bias names id {id}, but the vocabulary has {vocab} ids"
            )));
        }
        if bias != f32::NEG_INFINITY {
            in_range("logit_bias", bias, -1e6, 1e6)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
