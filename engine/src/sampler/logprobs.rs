//! What the model thought: log-probabilities of its raw logits, in f64.

use super::chain::NotFinite;

/// Log-probability of one id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLogprob {
    /// Token id.
    pub id: u32,
    /// Natural log of its probability under the model's distribution (temperature 1, before bias, penalties and filters).
    pub logprob: f32,
}

/// Log-probability of a chosen id and of the most likely ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// Of the chosen id.
    pub chosen: f32,
    /// The most likely ids, best first, lowest id first among equals.
    pub top: Vec<TokenLogprob>,
}

/// Log-probabilities of `chosen` and of the `k` most likely ids under raw `logits` (vocab): call it before
/// [`super::Chain::pick`], which changes the logits in place, or keep a copy.
///
/// # Errors
/// A logit is NaN or plus infinity, or all are minus infinity.
///
/// # Panics
/// `chosen` is outside the vocabulary, which would be a bug of the caller.
pub fn logprobs(logits: &[f32], chosen: u32, k: usize) -> Result<Logprobs, NotFinite> {
    let best = f64::from(super::chain::checked_max(logits)?);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - best).exp()).sum();
    let log_sum = sum.ln();
    let logprob = |id: u32| (f64::from(logits[id as usize]) - best - log_sum) as f32;
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let by_rank =
        |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then_with(|| a.cmp(b));
    if k < ids.len() {
        ids.select_nth_unstable_by(k, by_rank);
        ids.truncate(k);
    }
    ids.sort_unstable_by(by_rank);
    let top = ids.into_iter().map(|id| TokenLogprob { id, logprob: logprob(id) }).collect();
    Ok(Logprobs { chosen: logprob(chosen), top })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_come_best_first_with_ties_by_id() {
        let logits = [1.0f32, 3.0, -2.0, 3.0, f32::NEG_INFINITY];
        let all = logprobs(&logits, 2, 9).expect("finite logits");
        let ids: Vec<u32> = all.top.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [1, 3, 0, 2, 4]);
        let sum: f64 = all.top.iter().map(|entry| f64::from(entry.logprob).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        let total = 2.0 * 3f64.exp() + 1f64.exp() + (-2f64).exp();
        assert!((f64::from(all.chosen) - ((-2f64).exp() / total).ln()).abs() < 1e-6);
        assert_eq!(logprobs(&logits, 0, 2).expect("finite logits").top, all.top[..2]);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let found = logprobs(&[3.0e38, 3.0e38], 0, 0).expect("finite logits");
        assert!((found.chosen - 0.5f32.ln()).abs() < 1e-6);
        assert!(found.top.is_empty());
    }

    #[test]
    fn numbers_that_are_not_finite_are_an_error() {
        assert_eq!(logprobs(&[0.0, f32::NAN], 0, 1), Err(NotFinite));
        assert_eq!(logprobs(&[0.0, f32::INFINITY], 0, 1), Err(NotFinite));
        assert_eq!(logprobs(&[f32::NEG_INFINITY; 2], 0, 1), Err(NotFinite));
    }
}
