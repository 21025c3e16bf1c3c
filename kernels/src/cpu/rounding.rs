//! Activations rounded to 16 bits with one scale for each 32 columns, either as words or as two int8 planes of the same numbers:
//! `x = scale * q`, `q = 256 high + low`, all of them within +-127 and q within +-32639.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

use super::simd::{Simd, max_lanes, sum_lanes};
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
    /// One for each [`SCALE_COLS`] columns; NaN (and zeros) where the block holds a NaN or an infinity.
    pub scales: &'a mut [f32],
    /// Sums of q of each [`SUM_COLS`] columns.
    pub sums: &'a mut [i32],
}

/// The two forms, each as long as the row.
#[derive(Debug)]
pub enum To<'a> {
    /// High and low bytes.
    Planes(&'a mut [i8], &'a mut [i8]),
    /// Words, the middle two of each four columns swapped, as `blocks::panel` wants them.
    Words(&'a mut [i16]),
}

/// Rounds a row, half to even but for the numbers with `q mod 256 = 128`, which become one larger.
///
/// # Panics
/// When a slice is too short for its description.
pub fn round(isa: Isa, row: &mut Row<'_>) {
    let cols = row.x.len();
    assert!(cols.is_multiple_of(SCALE_COLS), "rows of whole blocks");
    match &row.to {
        To::Planes(high, low) => assert!(high.len() >= cols && low.len() >= cols, "room for the planes"),
        To::Words(words) => assert!(words.len() >= cols, "room for the words"),
    }
    assert!(row.scales.len() >= cols / SCALE_COLS && row.sums.len() >= cols / SUM_COLS, "scales and sums");
    dispatch!(isa, run, row, &mut Row<'_>);
}

#[inline(always)]
unsafe fn run<S: Simd>(row: &mut Row<'_>) {
    // SAFETY: `round` checked every slice; the caller promises the instruction set.
    unsafe {
        for block in 0..row.x.len() / SCALE_COLS {
            let from = row.x.as_ptr().add(block * SCALE_COLS);
            let halves = [S::fload(from), S::fload(from.add(SUM_COLS))];
            let largest = S::fmax(S::fabs(halves[0]), S::fmax(S::fabs(halves[1]), S::fzero()));
            let absmax = max_lanes::<S>(largest);
            // Zero unless an element is NaN or infinite, which times zero is NaN.
            let poison = S::fma(halves[0], S::fzero(), S::fmul(halves[1], S::fzero()));
            let finite = sum_lanes::<S>(poison) == 0.0;
            let absmax = if finite { absmax.max(1e-30) } else { f32::NAN };
            row.scales[block] = absmax / LARGEST;
            let factor = S::fsplat(if finite { LARGEST / absmax } else { 0.0 });
            for (half, x) in halves.into_iter().enumerate() {
                // `fmin` and `fmax` give their second operand for NaN.
                let y = S::fmax(S::fmul(x, factor), S::fsplat(-LARGEST));
                let (high, low) = S::split_planes(S::round(S::fmin(y, S::fsplat(LARGEST))));
                let q = S::join_planes(high, low);
                let at = block * SCALE_COLS + half * SUM_COLS;
                // Exact: whole numbers below 2^24.
                row.sums[at / SUM_COLS] = sum_lanes::<S>(S::itof(q)) as i32;
                match &mut row.to {
                    To::Planes(highs, lows) => {
                        S::store_low_bytes(highs.as_mut_ptr().add(at), high);
                        S::store_low_bytes(lows.as_mut_ptr().add(at), low);
                    }
                    To::Words(words) => S::store_words(words.as_mut_ptr().add(at), q),
                }
            }
        }
    }
}
