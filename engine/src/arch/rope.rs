//! Rotary frequencies, in f64. Knows no lane: the table it makes is plain data.

use std::f64::consts::TAU;

use crate::lane::RopeTable;
use crate::model::{RopeConfig, RopeScaling};

/// Rotations per original context above which YaRN leaves a frequency alone (arXiv 2309.00071, section 3.2, alpha and beta).
const YARN_BETA_FAST: f64 = 32.0;
/// Rotations per original context below which YaRN divides a frequency by the whole factor.
const YARN_BETA_SLOW: f64 = 1.0;

/// Frequencies `theta^(-2i / dims)` for pair i, divided by `divisors[i]` where the file gives them (`rope_freqs.weight`), then
/// scaled for a longer context. `positions` is how far the table must reach.
pub(super) fn table(config: &RopeConfig, divisors: Option<&[f32]>, positions: usize) -> RopeTable {
    let dims = config.dims as f64;
    let theta = f64::from(config.theta);
    let inv_freq = (0..config.dims / 2).map(|i| {
        let plain = theta.powf(-2.0 * i as f64 / dims) / divisors.map_or(1.0, |d| f64::from(d[i]));
        match config.scaling {
            RopeScaling::None => plain,
            RopeScaling::Linear { factor } => plain / f64::from(factor),
            RopeScaling::Yarn { factor, original_context } => {
                let kept = yarn_kept(i as f64, theta, dims, original_context as f64);
                plain * kept + plain / f64::from(factor) * (1.0 - kept)
            }
        }
    });
    let magnitude = match config.scaling {
        RopeScaling::Yarn { factor, .. } => (1.0 + 0.1 * f64::from(factor).ln()) as f32,
        RopeScaling::None | RopeScaling::Linear { .. } => 1.0,
    };
    RopeTable { inv_freq: inv_freq.collect(), magnitude, pairing: config.pairing, positions }
}

/// Share of pair i's frequency that YaRN keeps: 1 for fast rotations, 0 for slow ones, a ramp between.
fn yarn_kept(i: f64, theta: f64, dims: f64, original_context: f64) -> f64 {
    // The pair that makes `beta` rotations within the original context.
    let pair = |beta: f64| dims * (original_context / (beta * TAU)).ln() / (2.0 * theta.ln());
    let low = pair(YARN_BETA_FAST).floor().max(0.0);
    let high = pair(YARN_BETA_SLOW).ceil().min(dims - 1.0);
    1.0 - ((i - low) / (high - low).max(0.001)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RopePairing;

    fn config(scaling: RopeScaling) -> RopeConfig {
        RopeConfig { theta: 10000.0, dims: 8, pairing: RopePairing::SplitHalf, scaling }
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= e.abs() * 1e-12, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn plain_frequencies_are_powers_of_theta() {
        let table = table(&config(RopeScaling::None), None, 16);
        assert_close(&table.inv_freq, &[1.0, 0.1, 0.01, 0.001]);
        assert_eq!((table.magnitude, table.positions), (1.0, 16));
    }

    #[test]
    fn file_factors_divide_each_frequency() {
        let table = table(&config(RopeScaling::None), Some(&[1.0, 2.0, 4.0, 8.0]), 16);
        assert_close(&table.inv_freq, &[1.0, 0.05, 0.0025, 0.000125]);
    }

    #[test]
    fn linear_scaling_divides_every_frequency() {
        let table = table(&config(RopeScaling::Linear { factor: 4.0 }), None, 16);
        assert_close(&table.inv_freq, &[0.25, 0.025, 0.0025, 0.00025]);
    }

    #[test]
    fn yarn_keeps_fast_pairs_divides_slow_ones_and_raises_the_magnitude() {
        // Qwen3's shape: dims 128, theta 1e6, trained at 32768, factor 4. By hand, 64 * ln(32768 / (32 * 2 pi)) / ln 1e6 = 23.59 and
        // 64 * ln(32768 / (2 pi)) / ln 1e6 = 39.65: pairs up to 23 stay, pairs from 40 are divided by 4.
        let scaling = RopeScaling::Yarn { factor: 4.0, original_context: 32768 };
        let config = RopeConfig { theta: 1e6, dims: 128, pairing: RopePairing::SplitHalf, scaling };
        let yarn = table(&config, None, 131_072);
        let plain = table(&RopeConfig { scaling: RopeScaling::None, ..config }, None, 131_072);
        assert_close(&yarn.inv_freq[..24], &plain.inv_freq[..24]);
        let quarter: Vec<f64> = plain.inv_freq[40..].iter().map(|f| f / 4.0).collect();
        assert_close(&yarn.inv_freq[40..], &quarter);
        for i in 24..40 {
            assert!(
                yarn.inv_freq[i] < plain.inv_freq[i] && yarn.inv_freq[i] > plain.inv_freq[i] / 4.0,
                "pair {i}"
            );
        }
        assert!((yarn.magnitude - 1.138_629_4).abs() < 1e-6);
    }
}
