//! Activations rounded to 16 bits with one scale for each 32 columns, either as words or as two int8 planes of the same numbers:
//! `x = scale * q`, `q = 256 high + low`, all of them within +-127 and q within +-32639.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

use super::simd::Simd;
use super::{Isa, dispatch};

/// Columns that share a scale.
pub const SCALE_COLS: usize = 32;
/// Columns that share a sum.
pub const SUM_COLS: usize = 16;
/// Largest magnitude of a rounded activation.
const LARGEST: f32 = 32639.0;

/// One row to round.
#[derive(Debug)]
pub struct Row<'a> {
    /// Whole blocks of [`SCALE_COLS`].
    pub x: &'a [f32],
    /// Where the numbers go.
    pub to: To<'a>,
    /// One for each [`SCALE_COLS`] columns; NaN where the block holds a NaN or an infinity.
    pub scales: &'a mut [f32],
}

/// The two forms of the numbers, each as long as the row, with what their kernels need beside them.
#[derive(Debug)]
pub enum To<'a> {
    /// For a few tokens, see `blocks::Dots`.
    Planes {
        /// High bytes.
        high: &'a mut [i8],
        /// Low bytes.
        low: &'a mut [i8],
        /// Sums of q of each [`SUM_COLS`] columns.
        sums: &'a mut [i32],
    },
    /// For many tokens, see `blocks::panel`.
    Words {
        /// Words, the middle two of each four columns swapped.
        words: &'a mut [i16],
        /// Sum of q of each [`SCALE_COLS`] columns, times their scale.
        sums: &'a mut [f32],
    },
}

/// Rounds a row, half to even but for the numbers with `q mod 256 = 128`, which become one larger.
///
/// # Panics
/// When a slice is too short for its description.
pub fn round(isa: Isa, row: &mut Row<'_>) {
    let cols = row.x.len();
    assert!(cols.is_multiple_of(SCALE_COLS), "rows of whole blocks");
    match &row.to {
        To::Planes { high, low, sums } => {
            assert!(
                high.len() >= cols && low.len() >= cols && sums.len() >= cols / SUM_COLS,
                "room for planes"
            );
        }
        To::Words { words, sums } => {
            assert!(words.len() >= cols && sums.len() >= cols / SCALE_COLS, "room for words");
        }
    }
    assert!(row.scales.len() >= cols / SCALE_COLS, "room for scales");
    dispatch!(isa, run, row, &mut Row<'_>);
}

#[inline(always)]
unsafe fn run<S: Simd>(row: &mut Row<'_>) {
    // SAFETY: `round` checked every slice; the caller promises the instruction set.
    unsafe {
        for block in 0..row.x.len() / SCALE_COLS {
            let from = row.x.as_ptr().add(block * SCALE_COLS);
            let halves = [S::fload(from), S::fload(from.add(SUM_COLS))];
            let magnitudes = S::imax(S::magnitude_bits(halves[0]), S::magnitude_bits(halves[1]));
            let absmax = f32::from_bits(S::imax_lanes(magnitudes).cast_unsigned());
            let finite = absmax.is_finite();
            let absmax = if finite { absmax.max(1e-30) } else { f32::NAN };
            let scale = absmax / LARGEST;
            row.scales[block] = scale;
            let factor = S::fsplat(if finite { LARGEST / absmax } else { 0.0 });
            let mut block_sum = S::isplat(0);
            for (half, x) in halves.into_iter().enumerate() {
                // `fmin` and `fmax` give their second operand for NaN.
                let y = S::fmax(S::fmul(x, factor), S::fsplat(-LARGEST));
                let (highs, lows) = S::split_planes(S::round(S::fmin(y, S::fsplat(LARGEST))));
                let q = S::join_planes(highs, lows);
                block_sum = S::iadd(block_sum, q);
                let at = block * SCALE_COLS + half * SUM_COLS;
                match &mut row.to {
                    To::Planes { high, low, sums } => {
                        S::store_low_bytes(high.as_mut_ptr().add(at), highs);
                        S::store_low_bytes(low.as_mut_ptr().add(at), lows);
                        sums[at / SUM_COLS] = S::isum_lanes(q);
                    }
                    To::Words { words, .. } => S::store_words(words.as_mut_ptr().add(at), q),
                }
            }
            if let To::Words { sums, .. } = &mut row.to {
                sums[block] = scale * S::isum_lanes(block_sum) as f32;
            }
        }
    }
}
