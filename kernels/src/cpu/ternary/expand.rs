//! Weights of one group as a panel of bytes, whatever their packing: what products of many tokens multiply with.

#![expect(unsafe_code, reason = "raw loads and stores in the inner loop, after every slice was checked")]

use std::ops::Range;

use super::super::simd::Simd;
use super::super::{GROUP_ROWS, Isa, dispatch};
use super::{BLOCK_BYTES, BLOCK_COLS, Matrix, Packing};

/// Panels start at a multiple of these columns.
pub const EXPAND_COLS: usize = 256;

/// Some columns of a group of sixteen rows.
#[derive(Debug)]
pub struct Panel<'a> {
    /// The weights.
    pub matrix: Matrix<'a>,
    /// Group of sixteen rows.
    pub group: usize,
    /// Columns: from a multiple of [`EXPAND_COLS`] to another or to the padded end of the row.
    pub columns: Range<usize>,
    /// `[columns / 4, 16 rows, 4 columns]`: codes 0, 1, 2 for trits -1, 0, +1.
    pub out: &'a mut [u8],
}

/// Unpacks a panel.
///
/// # Panics
/// When the group or the columns do not lie in the matrix, the columns start elsewhere, or `out` is too short.
pub fn expand(isa: Isa, panel: &mut Panel<'_>) {
    panel.matrix.check(&[panel.group]);
    let Range { start, end } = panel.columns;
    let cols = panel.matrix.k_blocks * BLOCK_COLS;
    assert!(start <= end && end <= cols, "columns {start}..{end} of {cols}");
    assert!(start.is_multiple_of(EXPAND_COLS), "panel from column {start}");
    assert!(end.is_multiple_of(EXPAND_COLS) || end == cols, "panel to column {end} of {cols}");
    assert!(panel.out.len() >= (end - start) * GROUP_ROWS, "room for the panel");
    match panel.matrix.packing {
        Packing::TwoBits => dispatch!(isa, two_bits, panel, &mut Panel<'_>),
    }
}

#[inline(always)]
unsafe fn two_bits<S: Simd>(panel: &mut Panel<'_>) {
    // SAFETY: `expand` checked the slices; the caller promises the instruction set.
    unsafe {
        let mask = S::bsplat(3);
        let codes = panel.matrix.codes.as_ptr().add(panel.group * panel.matrix.k_blocks * BLOCK_BYTES);
        let mut out = panel.out.as_mut_ptr();
        for block in panel.columns.start / BLOCK_COLS..panel.columns.end / BLOCK_COLS {
            let packed = S::bload(codes.add(block * BLOCK_BYTES));
            for plane in 0..4 {
                S::bstore(out, S::band(S::bshr(packed, 2 * plane), mask));
                out = out.add(BLOCK_BYTES);
            }
        }
    }
}

#[cfg(test)]
mod tests;
