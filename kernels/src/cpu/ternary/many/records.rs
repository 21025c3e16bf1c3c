//! Which columns the tables of a pass are made of, and the codes that every row looks up in them.
//!
//! A block of sixteen columns of a row is four codes: code t is columns t, 4 + t, 8 + t and 12 + t in base 3, the lowest first, which
//! is also how two-bit weights lie. Five blocks are four passes: pass j looks up the four codes of block j, and code j of the fifth
//! block. Blocks that are left at the end of a segment have passes of four codes.
//!
//! A *record* is what a row looks up in a pass: eight bytes, of which the first five are the codes.

#![expect(unsafe_code, reason = "raw loads and stores, after every slice was checked")]

use super::super::super::simd::Simd;
use super::super::super::{GROUP_ROWS, Isa};
use super::super::packing::{Packing, SEGMENT_COLS};
use super::super::{BLOCK_BYTES, BLOCK_COLS, Panel, expand};
use super::Part;

/// Bits of a code.
pub(super) const CODE_BITS: u32 = 7;
/// Blocks that share passes of five codes.
const PASS_BLOCKS: usize = 5;
/// Passes of five such blocks: one for each code of the fifth.
const SHARED_PASSES: usize = 4;
/// Blocks of a segment.
const SEGMENT_BLOCKS: usize = SEGMENT_COLS / BLOCK_COLS;
/// Most passes of a segment.
pub(super) const MAX_PASSES: usize =
    SEGMENT_BLOCKS / PASS_BLOCKS * SHARED_PASSES + SEGMENT_BLOCKS % PASS_BLOCKS;

/// A pass over a segment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pass {
    /// Block whose four codes are looked up.
    block: usize,
    /// Whether there is a fifth code.
    pub(super) has_fifth: bool,
    /// Block of the fifth code, and which of its codes.
    fifth: usize,
    code: usize,
}

impl Pass {
    /// First of the four columns of each table, within the segment.
    pub(super) fn first_columns(&self) -> impl Iterator<Item = usize> {
        let fifth = self.has_fifth.then_some(self.fifth * BLOCK_COLS + self.code);
        let first = self.block * BLOCK_COLS;
        (first..first + 4).chain(fifth)
    }
}

/// The passes of a segment.
pub(super) struct Passes {
    passes: [Pass; MAX_PASSES],
    n: usize,
}

impl Passes {
    /// Those of `blocks` blocks.
    pub(super) fn new(blocks: usize) -> Self {
        let mut all = Self { passes: [Pass::default(); MAX_PASSES], n: 0 };
        let shared = blocks / PASS_BLOCKS * PASS_BLOCKS;
        for first in (0..shared).step_by(PASS_BLOCKS) {
            for code in 0..SHARED_PASSES {
                all.push(Pass { block: first + code, has_fifth: true, fifth: first + PASS_BLOCKS - 1, code });
            }
        }
        for block in shared..blocks {
            all.push(Pass { block, ..Pass::default() });
        }
        all
    }

    fn push(&mut self, pass: Pass) {
        self.passes[self.n] = pass;
        self.n += 1;
    }

    pub(super) fn all(&self) -> &[Pass] {
        &self.passes[..self.n]
    }
}

/// For each block of a segment the codes of sixteen rows: byte `4 r + t` is code t of row r.
type Codes = [[u8; BLOCK_BYTES]; SEGMENT_BLOCKS];

/// Writes the records of all rows of `parts` for the segment of `n` blocks from `first_block` on, `[passes, rows]`.
///
/// # Safety
/// The parts were checked, the segment lies in their matrices, `to` has room for [`MAX_PASSES`] records of each row, and the
/// instruction set is present.
#[inline(always)]
pub(super) unsafe fn write<S: Simd>(
    isa: Isa,
    parts: &[Part<'_>],
    first_block: usize,
    n: usize,
    to: *mut u64,
) {
    let rows: usize = parts.iter().map(|part| part.groups * GROUP_ROWS).sum();
    let passes = Passes::new(n);
    let mut codes: Codes = [[0; BLOCK_BYTES]; SEGMENT_BLOCKS];
    let mut row = 0;
    for part in parts {
        for group in part.first_group..part.first_group + part.groups {
            // SAFETY: the caller's promises; `codes` has a place for each block, and passes name blocks below `n`.
            unsafe {
                match part.matrix.packing {
                    Packing::TwoBits => two_bits::<S>(part, group, first_block, &mut codes[..n]),
                    Packing::Sparse | Packing::Triples => {
                        expanded(isa, part, group, first_block, &mut codes[..n]);
                    }
                }
                for (i, pass) in passes.all().iter().enumerate() {
                    let four = S::bload(codes[pass.block].as_ptr());
                    let fifth = S::bload(codes[pass.fifth].as_ptr());
                    // What lies above the fifth code is masked away where it is read.
                    let records = S::pair_lanes(four, fifth, 8 * pass.code as u32);
                    let to = to.add(i * rows + row).cast::<u8>();
                    S::bstore(to, records[0]);
                    S::bstore(to.add(BLOCK_BYTES), records[1]);
                }
            }
            row += GROUP_ROWS;
        }
    }
}

/// The codes that the next segment's records will be made of. Groups lie too far apart for the processor to see a stream, so they are
/// asked for while the current segment is looked up, a few groups a pass.
pub(super) struct Next<'a> {
    pub(super) parts: &'a [Part<'a>],
    /// Number of the next segment, which need not exist.
    pub(super) segment: usize,
    /// Which share of the groups is to be asked for, and of how many.
    pub(super) share: usize,
    pub(super) shares: usize,
}

impl Next<'_> {
    /// Asks for part `pass` of `passes` of the share.
    #[inline(always)]
    pub(super) unsafe fn prefetch<S: Simd>(&self, pass: usize, passes: usize) {
        let (at, all) = (self.share * passes + pass, self.shares * passes);
        for part in self.parts {
            let matrix = &part.matrix;
            let bundles = part.groups * GROUP_ROWS / matrix.packing.rows();
            let first = part.first_group * GROUP_ROWS / matrix.packing.rows();
            let segment_bytes = matrix.packing.bundle_bytes(SEGMENT_BLOCKS);
            for bundle in first + bundles * at / all..first + bundles * (at + 1) / all {
                let bundle = bundle * matrix.packing.bundle_bytes(matrix.k_blocks);
                let from = matrix.codes.as_ptr().wrapping_add(bundle + self.segment * segment_bytes);
                for line in (0..segment_bytes).step_by(BLOCK_BYTES) {
                    // SAFETY: the caller promises the instruction set; what is asked for need not be readable.
                    unsafe { S::prefetch_far(from.wrapping_add(line)) };
                }
            }
        }
    }
}

/// From two-bit weights, which are codes in base 4.
#[inline(always)]
unsafe fn two_bits<S: Simd>(
    part: &Part<'_>,
    group: usize,
    first_block: usize,
    codes: &mut [[u8; BLOCK_BYTES]],
) {
    // SAFETY: the caller promises that the blocks lie in the matrix.
    unsafe {
        let matrix = &part.matrix;
        let from = matrix.codes.as_ptr().add((group * matrix.k_blocks + first_block) * BLOCK_BYTES);
        for (block, codes) in codes.iter_mut().enumerate() {
            S::bstore(codes.as_mut_ptr(), S::base_three(S::bload(from.add(block * BLOCK_BYTES))));
        }
    }
}

/// From weights of any packing, by way of a panel of bytes.
#[inline(always)]
fn expanded(isa: Isa, part: &Part<'_>, group: usize, first_block: usize, codes: &mut [[u8; BLOCK_BYTES]]) {
    let mut panel = [0; SEGMENT_COLS * GROUP_ROWS];
    let columns = first_block * BLOCK_COLS..(first_block + codes.len()) * BLOCK_COLS;
    expand(isa, &mut Panel { matrix: part.matrix, group, columns, out: &mut panel });
    let (lines, _) = panel.as_chunks::<BLOCK_BYTES>();
    for (codes, lines) in codes.iter_mut().zip(lines.chunks_exact(4)) {
        for (i, code) in codes.iter_mut().enumerate() {
            *code = lines[0][i] + 3 * lines[1][i] + 9 * lines[2][i] + 27 * lines[3][i];
        }
    }
}
