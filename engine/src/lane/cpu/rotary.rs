//! Rotary tables: cosines and sines in f32, computed in f64, one line a position.

use onebit_kernels::cpu::{Isa, elements};

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
    pub(super) fn rotate(&self, isa: Isa, position: usize, head_dim: usize, row: &mut [f32]) {
        assert!(position < self.positions, "position {position} of a rotary table of {}", self.positions);
        let half = self.pairs * self.positions;
        let cosines = &self.values[position * self.pairs..][..self.pairs];
        let sines = &self.values[half + position * self.pairs..][..self.pairs];
        let interleaved = match self.pairing {
            RopePairing::Interleaved => true,
            RopePairing::SplitHalf => false,
        };
        elements::rotate(isa, &mut elements::Rotation { row, head_dim, cosines, sines, interleaved });
    }
}
