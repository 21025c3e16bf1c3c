//! Weights of one group as a panel of bytes, whatever their packing: what products of many tokens multiply with.

#![expect(unsafe_code, reason = "raw loads and stores in the inner loop, after every slice was checked")]

use std::ops::Range;

use super::super::simd::{Simd, Words};
use super::super::{GROUP_ROWS, Isa, dispatch};
use super::packing::{
    SEGMENT_COLS, SPARSE_VECTORS, STEP_SLOTS, STEP_VECTORS, TRIPLE_SLOTS, TRIPLE_VECTORS, VECTOR_BYTES,
};
use super::{BLOCK_BYTES, BLOCK_COLS, Matrix, Packing, words};

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
    panel.matrix.check(panel.group * GROUP_ROWS / panel.matrix.packing.rows() + 1);
    let Range { start, end } = panel.columns;
    let cols = panel.matrix.k_blocks * BLOCK_COLS;
    assert!(start <= end && end <= cols, "columns {start}..{end} of {cols}");
    assert!(start.is_multiple_of(EXPAND_COLS), "panel from column {start}");
    assert!(end.is_multiple_of(EXPAND_COLS) || end == cols, "panel to column {end} of {cols}");
    assert!(panel.out.len() >= (end - start) * GROUP_ROWS, "room for the panel");
    match panel.matrix.packing {
        Packing::TwoBits => dispatch!(isa, two_bits, panel, &mut Panel<'_>),
        Packing::Sparse | Packing::Triples => words!(isa, five_bits, panel, &mut Panel<'_>),
    }
}

#[inline(always)]
unsafe fn two_bits<S: Simd>(panel: &mut Panel<'_>) {
    // SAFETY: `expand` checked the slices; the caller promises the instruction set.
    unsafe {
        let first = panel.group * panel.matrix.k_blocks + panel.columns.start / BLOCK_COLS;
        let codes = panel.matrix.codes.as_ptr().add(first * BLOCK_BYTES);
        expand_two_bits::<S>(codes, panel.columns.len() / BLOCK_COLS, panel.out.as_mut_ptr());
    }
}

/// Expands `blocks` blocks of two-bit codes to the columns of a panel.
///
/// # Safety
/// The instruction set is present, the blocks are readable, and there is room for their columns.
#[inline(always)]
pub(in super::super) unsafe fn expand_two_bits<S: Simd>(codes: *const u8, blocks: usize, out: *mut u8) {
    // SAFETY: the caller's promises.
    unsafe {
        let mask = S::bsplat(3);
        for block in 0..blocks {
            let packed = S::bload(codes.add(block * BLOCK_BYTES));
            for plane in 0..4 {
                let bytes = S::band(S::bshr(packed, 2 * plane), mask);
                S::bstore(out.add((4 * block + plane as usize) * BLOCK_BYTES), bytes);
            }
        }
    }
}

/// Bytes of a panel of one segment.
const SEGMENT_BYTES: usize = SEGMENT_COLS * GROUP_ROWS;
/// Bytes of four columns of a panel.
const QUAD_BYTES: usize = 4 * GROUP_ROWS;

const _: () = assert!(EXPAND_COLS == SEGMENT_COLS, "panels begin with a segment");

#[inline(always)]
unsafe fn five_bits<S: Words>(panel: &mut Panel<'_>) {
    // SAFETY: `expand` checked the slices; the caller promises the instruction set. A segment that the panel does not end with is
    // written to a buffer first.
    unsafe {
        let packing = panel.matrix.packing;
        let segment_bytes = packing.bundle_bytes(SEGMENT_COLS / BLOCK_COLS);
        let bundle = panel.group / 2 * packing.bundle_bytes(panel.matrix.k_blocks);
        let trits = packing.trits();
        let mut table = trits.as_flattened().as_ptr();
        if packing == Packing::Triples {
            table = TRIPLE_BYTES.as_flattened().as_ptr();
        }
        let table = [S::bload(table), S::bload(table.add(64))];
        let panel_bytes = (panel.columns.end - panel.columns.start) * GROUP_ROWS;
        let first = panel.columns.start / SEGMENT_COLS;
        for (i, out) in panel.out[..panel_bytes].chunks_mut(SEGMENT_BYTES).enumerate() {
            let codes = panel.matrix.codes.as_ptr().add(bundle + (first + i) * segment_bytes);
            let mut whole = [0; SEGMENT_BYTES];
            let to = if out.len() == SEGMENT_BYTES { out.as_mut_ptr() } else { whole.as_mut_ptr() };
            let high = panel.group % 2 == 1;
            if packing == Packing::Sparse {
                sparse::<S>(codes, high, table, to);
            } else {
                triples::<S>(codes, high, table, to);
            }
            if out.len() < SEGMENT_BYTES {
                out.copy_from_slice(&whole[..out.len()]);
            }
        }
    }
}

/// Trit + 1 of each column of a triple, and nothing where the fourth column will be put.
const TRIPLE_BYTES: [[u8; 4]; 32] = {
    let mut bytes = super::packing::TRIPLE_TRITS;
    let mut code = 0;
    while code < 32 {
        bytes[code][3] = 0;
        code += 1;
    }
    bytes
};

/// The next vector of codes of one group: in the low half of each 32-bit lane.
#[inline(always)]
unsafe fn group_words<S: Words>(from: *const u8, high: bool) -> S::B {
    // SAFETY: the caller promises a vector.
    unsafe {
        let words = S::bload(from);
        if high { S::dshr(words, 16) } else { words }
    }
}

/// Shifts the top bit of each word into a carried code.
#[inline(always)]
unsafe fn carry<S: Words>(carried: S::B, words: S::B) -> S::B {
    let ones = 1u32.to_le_bytes();
    // SAFETY: four bytes are read from four bytes; the caller promises the instruction set.
    unsafe {
        let top = S::band(S::dshr(words, 15), S::splat4(ones.as_ptr().cast()));
        S::bor(S::dshl(carried, 1), top)
    }
}

#[inline(always)]
unsafe fn sparse<S: Words>(codes: *const u8, high: bool, table: [S::B; 2], out: *mut u8) {
    // SAFETY: the caller promises a segment and room for its panel.
    unsafe {
        let mut out = out;
        for step in 0..SPARSE_VECTORS / STEP_VECTORS {
            let mut carried = S::bsplat(0);
            for vector in 0..STEP_VECTORS {
                let words = group_words::<S>(codes.add((step * STEP_VECTORS + vector) * VECTOR_BYTES), high);
                carried = carry::<S>(carried, words);
                for shift in [0, 5, 10] {
                    S::bstore(out, S::bpick(table, S::dshr(words, shift)));
                    out = out.add(QUAD_BYTES);
                }
            }
            S::bstore(out, S::bpick(table, carried));
            out = out.add(QUAD_BYTES);
        }
    }
}

/// Slots are unpacked to four bytes a row, then put in the order of the columns.
#[inline(always)]
unsafe fn triples<S: Words>(codes: *const u8, high: bool, table: [S::B; 2], out: *mut u8) {
    // SAFETY: the caller promises a segment and room for its panel.
    unsafe {
        let mut slots = [0u8; (TRIPLE_SLOTS + STEP_SLOTS) * QUAD_BYTES];
        let mut carried = S::bsplat(0);
        for vector in 0..TRIPLE_VECTORS {
            let words = group_words::<S>(codes.add(vector * VECTOR_BYTES), high);
            carried = carry::<S>(carried, words);
            let slot = vector / STEP_VECTORS * STEP_SLOTS + vector % STEP_VECTORS * 3;
            for i in 0..3 {
                let to = slots.as_mut_ptr().add((slot + i) * QUAD_BYTES);
                S::bstore(to, S::bpick(table, S::dshr(words, 5 * i as u32)));
            }
            if vector % STEP_VECTORS == STEP_VECTORS - 1 {
                let to = slots.as_mut_ptr().add((slot + 3) * QUAD_BYTES);
                S::bstore(to, S::bpick(table, carried));
            }
        }
        for (quad, from) in QUADS.iter().enumerate() {
            let first = S::bload(slots.as_ptr().add(usize::from(from.first) * QUAD_BYTES));
            let fourth = S::bload(slots.as_ptr().add(usize::from(from.fourth) * QUAD_BYTES));
            // Column i of the slot is moved to the top byte, what lies below it is cut.
            let fourth = S::dshl(S::dshr(fourth, 8 * u32::from(from.column)), 24);
            S::bstore(out.add(quad * QUAD_BYTES), S::bor(first, fourth));
        }
    }
}

/// Where four columns of a segment of triples come from.
#[derive(Clone, Copy)]
struct Quad {
    /// Slot of the first three.
    first: u8,
    /// Slot of the fourth, and its column there.
    fourth: u8,
    column: u8,
}

const QUADS: [Quad; SEGMENT_COLS / 4] = quads();

const fn quads() -> [Quad; SEGMENT_COLS / 4] {
    let mut quads = [Quad { first: 0, fourth: 0, column: 0 }; SEGMENT_COLS / 4];
    let mut slot = 0;
    while slot < TRIPLE_SLOTS {
        let columns = super::packing::COLUMNS[slot];
        if columns[0].is_multiple_of(4) {
            quads[columns[0] as usize / 4].first = slot as u8;
        } else {
            let mut i = 0;
            while i < 3 {
                if (columns[i] as usize) < SEGMENT_COLS {
                    quads[columns[i] as usize / 4].fourth = slot as u8;
                    quads[columns[i] as usize / 4].column = i as u8;
                }
                i += 1;
            }
        }
        slot += 1;
    }
    quads
}

#[cfg(test)]
mod tests;
