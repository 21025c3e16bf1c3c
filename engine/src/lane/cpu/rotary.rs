//! Rotary tables: cosines and sines in f32, computed in f64, one line a position.

use crate::lane::memory::zeroed;
use crate::lane::{LaneError, RopeTable};
use crate::model::RopePairing;

/// Cosines and sines of every position and pair, the magnitude multiplied in.
pub(super) struct Rotary {
    pairing: RopePairing,
    pairs: usize,
    positions: usize,
    /// `[positions, pairs]` cosines, then the same of sines.
    values: Vec<f32>,
}

impl Rotary {
    pub(super) fn new(table: &RopeTable) -> Result<Self, LaneError> {
        let (pairs, positions) = (table.inv_freq.len(), table.positions);
        let half = pairs.saturating_mul(positions);
        let mut values = zeroed::<f32>(half.saturating_mul(2), "rotary table")?;
        let (cosines, sines) = values.split_at_mut(half);
        let magnitude = f64::from(table.magnitude);
        for position in 0..positions {
            for (pair, inv_freq) in table.inv_freq.iter().enumerate() {
                let (sin, cos) = (position as f64 * inv_freq).sin_cos();
                cosines[position * pairs + pair] = (magnitude * cos) as f32;
                sines[position * pairs + pair] = (magnitude * sin) as f32;
            }
        }
        Ok(Self { pairing: table.pairing, pairs, positions, values })
    }

    /// Rotates the heads of one row in place.
    pub(super) fn rotate(&self, position: usize, head_dim: usize, row: &mut [f32]) {
        assert!(position < self.positions, "position {position} of a rotary table of {}", self.positions);
        let half = self.pairs * self.positions;
        let cosines = &self.values[position * self.pairs..][..self.pairs];
        let sines = &self.values[half + position * self.pairs..][..self.pairs];
        for head in row.chunks_exact_mut(head_dim) {
            let turned = &mut head[..2 * self.pairs];
            match self.pairing {
                RopePairing::Interleaved => {
                    for ((pair, cos), sin) in turned.as_chunks_mut::<2>().0.iter_mut().zip(cosines).zip(sines)
                    {
                        let [x, y] = *pair;
                        *pair = [x * cos - y * sin, x * sin + y * cos];
                    }
                }
                RopePairing::SplitHalf => {
                    let (low, high) = turned.split_at_mut(self.pairs);
                    for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                        let (x, y) = (*a, *b);
                        *a = x * cos - y * sin;
                        *b = x * sin + y * cos;
                    }
                }
            }
        }
    }
}
