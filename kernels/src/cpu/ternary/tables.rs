//! Tables of partial sums: for each slot of a row of five-bit codes the 32 possible sums of trit times activation, as 16-bit words.
//! A row of activations has one set of tables, which every row of the weights looks up.

#![expect(unsafe_code, reason = "raw stores in the inner loop, after every slice was checked")]

use super::super::Isa;
use super::super::simd::Words;
use super::packing::{COLUMNS, NONE, ODD_SLOT, SEGMENT_COLS, SPARSE_SLOTS, TRIPLE_SLOTS};
use super::{Packing, words};

/// Bytes of the table of a slot.
pub(super) const TABLE_BYTES: usize = 64;
/// Tables behind those of a segment of triples with [`Scaling::Blocks`]: the odd slot's for the second and the third block.
pub(super) const EXTRA_TABLES: usize = 2;

/// Whether sums of different blocks of 64 columns may share a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// One scale a row.
    Row,
    /// A scale for each 64 columns.
    Blocks,
}

impl Packing {
    /// Bytes of the tables for a row of `k_blocks` times sixteen columns; none for two bits.
    pub fn table_bytes(self, k_blocks: usize, scaling: Scaling) -> usize {
        let segments = (k_blocks * super::BLOCK_COLS).div_ceil(SEGMENT_COLS);
        segments * self.segment_tables(scaling) * TABLE_BYTES
    }

    pub(super) fn segment_tables(self, scaling: Scaling) -> usize {
        let extra = self == Self::Triples && scaling == Scaling::Blocks;
        self.slots() + if extra { EXTRA_TABLES } else { 0 }
    }
}

/// A row of activations to make tables of.
#[derive(Debug)]
pub struct Tables<'a> {
    /// Packing of the weights.
    pub packing: Packing,
    /// How sums are scaled.
    pub scaling: Scaling,
    /// Int8 activations, each at least -127.
    pub x: &'a [i8],
    /// [`Packing::table_bytes`] of them.
    pub out: &'a mut [u8],
}

/// Makes the tables of a row.
///
/// # Panics
/// When `out` is too short.
pub fn tables(isa: Isa, tables: &mut Tables<'_>) {
    let k_blocks = tables.x.len().div_ceil(super::BLOCK_COLS);
    assert!(tables.out.len() >= tables.packing.table_bytes(k_blocks, tables.scaling), "room for the tables");
    words!(isa, fill, tables, &mut Tables<'_>);
}

/// The 32 codes in the order of [`Words::wjoin`], 64 bytes each.
fn codes(packing: Packing) -> [[u8; 64]; 2] {
    let trits = packing.trits();
    [0, 4].map(|half| {
        std::array::from_fn(|byte| {
            let lane = byte / 4;
            trits[lane / 4 * 8 + half + lane % 4][byte % 4]
        })
    })
}

/// Where the four activations of a slot begin in a padded segment: at the first of its columns if they are consecutive (the fourth
/// of a quad counts nothing, since no code of a triple has it), else behind the columns, where they are gathered.
const OFFSETS: [u16; TRIPLE_SLOTS] = offsets();
/// Slots whose columns are gathered.
const GATHERED: usize = 22;

const fn offsets() -> [u16; TRIPLE_SLOTS] {
    let mut offsets = [0; TRIPLE_SLOTS];
    let (mut slot, mut gathered) = (0, 0);
    while slot < TRIPLE_SLOTS {
        let [first, second, ..] = COLUMNS[slot];
        offsets[slot] = if second == first.wrapping_add(1) && second != NONE {
            first
        } else {
            gathered += 1;
            (SEGMENT_COLS + 4 * (gathered - 1)) as u16
        };
        slot += 1;
    }
    assert!(gathered == GATHERED);
    offsets
}

/// A segment of activations, zero beyond the row, and behind it those of the slots that are gathered.
type Padded = [i8; SEGMENT_COLS + 4 * GATHERED];

fn pad(x: &[i8], packing: Packing) -> Padded {
    let mut padded = [0; SEGMENT_COLS + 4 * GATHERED];
    padded[..x.len()].copy_from_slice(x);
    if packing == Packing::Triples {
        for (columns, &offset) in COLUMNS.iter().zip(&OFFSETS) {
            if usize::from(offset) >= SEGMENT_COLS {
                for (i, &col) in columns.iter().enumerate().filter(|(_, col)| **col != NONE) {
                    padded[usize::from(offset) + i] = padded[usize::from(col)];
                }
            }
        }
    }
    padded
}

#[inline(always)]
unsafe fn fill<S: Words>(t: &mut Tables<'_>) {
    // SAFETY: `tables` checked the length of `out`; the caller promises the instruction set.
    unsafe {
        let [low, high] = codes(t.packing);
        let codes = [S::bload(low.as_ptr()), S::bload(high.as_ptr())];
        let mut out = t.out.as_mut_ptr();
        for x in t.x.chunks(SEGMENT_COLS) {
            let mut padded = pad(x, t.packing);
            if t.packing != Packing::Triples {
                for slot in 0..SPARSE_SLOTS {
                    table::<S>(codes, padded.as_ptr().add(4 * slot), out);
                    out = out.add(TABLE_BYTES);
                }
                continue;
            }
            let odd = usize::from(OFFSETS[ODD_SLOT]);
            let (second, third) = (padded[odd + 1], padded[odd + 2]);
            if t.scaling == Scaling::Blocks {
                padded[odd + 1..odd + 3].fill(0);
            }
            for offset in OFFSETS {
                table::<S>(codes, padded.as_ptr().add(usize::from(offset)), out);
                out = out.add(TABLE_BYTES);
            }
            if t.scaling == Scaling::Blocks {
                table::<S>(codes, [0, second, 0, 0].as_ptr(), out);
                table::<S>(codes, [0, 0, third, 0].as_ptr(), out.add(TABLE_BYTES));
                out = out.add(EXTRA_TABLES * TABLE_BYTES);
            }
        }
    }
}

/// Writes the sums of four activations under all codes.
#[inline(always)]
unsafe fn table<S: Words>(codes: [S::B; 2], x: *const i8, out: *mut u8) {
    // SAFETY: the caller promises four readable and 64 writable bytes and the instruction set.
    unsafe {
        let x = S::splat4(x);
        // Codes are trit + 1.
        let bias = S::isub(S::isplat(0), S::dot4(S::isplat(0), S::bsplat(1), x));
        S::wstore(out, S::wjoin(S::dot4(bias, codes[0], x), S::dot4(bias, codes[1], x)));
    }
}
