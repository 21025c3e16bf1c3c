//! Log-probabilities under the model's own distribution: softmax of the raw logits, before bias, penalties and filters.

use crate::sampler::TokenLogprob;

/// Natural log of the sum of exponentials, in f64.
pub(super) fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    max + logits.iter().map(|&x| (f64::from(x) - max).exp()).sum::<f64>().ln()
}

/// Log-probability of `chosen`, and the `n` most likely ids, lowest id first among equals.
pub(super) fn of(logits: &[f32], chosen: u32, n: usize) -> (f32, Vec<TokenLogprob>) {
    let norm = log_sum_exp(logits);
    #[expect(clippy::cast_possible_truncation, reason = "a log-probability needs no more than f32 holds")]
    let logprob = |id: u32| (f64::from(logits[id as usize]) - norm) as f32;
    let mut ids: Vec<u32> = (0..u32::try_from(logits.len()).unwrap_or(u32::MAX)).collect();
    let order = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let n = n.min(ids.len());
    if n > 0 && n < ids.len() {
        ids.select_nth_unstable_by(n - 1, order);
    }
    ids.truncate(n);
    ids.sort_unstable_by(order);
    (logprob(chosen), ids.into_iter().map(|id| TokenLogprob { id, logprob: logprob(id) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [0.5, -3.0, 1000.0, 999.0, 2.0];
        let (_, top) = of(&logits, 0, 5);
        let sum: f64 = top.iter().map(|t| f64::from(t.logprob).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn equal_logits_are_listed_by_id() {
        let (chosen, top) = of(&[1.0, 2.0, 1.0, 2.0], 2, 3);
        assert_eq!(top.iter().map(|t| t.id).collect::<Vec<_>>(), [1, 3, 0]);
        assert!((chosen - top[2].logprob).abs() < 1e-6);
    }

    #[test]
    fn no_alternatives_still_give_the_chosen_one() {
        let (chosen, top) = of(&[0.0, 0.0], 1, 0);
        assert!(top.is_empty());
        assert!((chosen - 0.5f32.ln()).abs() < 1e-6);
    }
}
