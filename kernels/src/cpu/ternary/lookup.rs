//! Products with five-bit codes: a code chooses one of 32 partial sums of three or four columns, for thirty-two rows by one
//! permutation, so a weight costs fewer instructions than with two-bit codes, and fewer bytes.
//!
//! No closures here: they would not inherit the instruction set.
//!
//! Sums of a segment fit 16 bits: 256 columns of at most 127 in magnitude are 32,512.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::GROUP_ROWS;
use super::super::simd::Words;
use super::packing::{ODD_SLOT, SPARSE_VECTORS, STEP_VECTORS, TRIPLE_VECTORS, VECTOR_BYTES};
use super::tables::{Scaling, TABLE_BYTES};
use super::{Few, Packing, X_SCALE_COLS};

/// How far ahead weights are asked for, into the second-level cache: the first is too small for them and the tables.
const AHEAD_BYTES: usize = 4096;

const _: () = assert!(ODD_SLOT == 3 * STEP_VECTORS, "the odd slot is the first carried one");

/// W1.58A8.
#[inline(always)]
pub(super) unsafe fn exact<S: Words>(d: &mut Few<'_>) {
    // SAFETY: `super::exact` checked every slice; the caller promises the instruction set.
    unsafe { by_packing::<S>(d, false) }
}

/// Activation scales for each 64 columns.
#[inline(always)]
pub(super) unsafe fn scaled<S: Words>(d: &mut Few<'_>) {
    // SAFETY: `super::scaled` checked every slice; the caller promises the instruction set.
    unsafe { by_packing::<S>(d, true) }
}

#[inline(always)]
unsafe fn by_packing<S: Words>(d: &mut Few<'_>, scaled: bool) {
    // SAFETY: as in `exact`.
    unsafe {
        match d.matrix.packing {
            Packing::Sparse => pairs::<S, SPARSE_VECTORS>(d, scaled),
            Packing::Triples => pairs::<S, TRIPLE_VECTORS>(d, scaled),
            Packing::TwoBits => unreachable!("two bits are not looked up"),
        }
    }
}

#[inline(always)]
unsafe fn pairs<S: Words, const V: usize>(d: &mut Few<'_>, scaled: bool) {
    // SAFETY: as in `exact`.
    unsafe {
        for unit in d.units.range.clone() {
            let (streams, mut at) = (d.units.streams(unit), 0);
            while at < streams {
                let left = streams - at;
                let n = if left >= 8 && d.tokens == 1 && !scaled { 8 } else { [1, 2, 2, 4][left.min(4) - 1] };
                let mut token = 0;
                while token < d.tokens {
                    let left = d.tokens - token;
                    token += match (scaled, n, left) {
                        (false, 8, _) => exact_tile::<S, V, 8, 1>(d, unit, at, token),
                        (false, 4, 3..) => exact_tile::<S, V, 4, 3>(d, unit, at, token),
                        (false, 4, 2) => exact_tile::<S, V, 4, 2>(d, unit, at, token),
                        (false, 4, _) => exact_tile::<S, V, 4, 1>(d, unit, at, token),
                        (false, 2, 4..) => exact_tile::<S, V, 2, 4>(d, unit, at, token),
                        (false, 2, 2..) => exact_tile::<S, V, 2, 2>(d, unit, at, token),
                        (false, 2, _) => exact_tile::<S, V, 2, 1>(d, unit, at, token),
                        (false, _, 4..) => exact_tile::<S, V, 1, 4>(d, unit, at, token),
                        (false, ..) => exact_tile::<S, V, 1, 1>(d, unit, at, token),
                        (true, 4, _) => scaled_tile::<S, V, 4, 1>(d, unit, at, token),
                        (true, 2, 2..) => scaled_tile::<S, V, 2, 2>(d, unit, at, token),
                        (true, 2, _) => scaled_tile::<S, V, 2, 1>(d, unit, at, token),
                        (true, _, 2..) => scaled_tile::<S, V, 1, 2>(d, unit, at, token),
                        (true, ..) => scaled_tile::<S, V, 1, 1>(d, unit, at, token),
                    };
                }
                at += n;
            }
        }
    }
}

/// `P` pairs of groups that are read as `P` streams, and the tables of `N` tokens.
struct Streams<const P: usize, const N: usize> {
    codes: [*const u8; P],
    tables: [*const u8; N],
}

impl<const P: usize, const N: usize> Streams<P, N> {
    #[inline(always)]
    unsafe fn new(d: &Few<'_>, unit: usize, at: usize, token: usize) -> Self {
        let bytes = d.matrix.packing.bundle_bytes(d.matrix.k_blocks);
        // SAFETY: the caller promises bundles and tokens of `d`, whose slices were checked.
        unsafe {
            let mut streams = Self { codes: [d.matrix.codes.as_ptr(); P], tables: [d.tables.as_ptr(); N] };
            for p in 0..P {
                streams.codes[p] = streams.codes[p].add(d.units.part(unit, at + p) * bytes);
            }
            for n in 0..N {
                streams.tables[n] = streams.tables[n].add((token + n) * d.table_stride);
            }
            streams
        }
    }

    /// Looks one code of each pair up in the next table of each token.
    #[inline(always)]
    unsafe fn add<S: Words>(&mut self, sums: &mut [[S::W; P]; N], index: [S::W; P]) {
        // SAFETY: the caller promises that a table is left.
        unsafe {
            for n in 0..N {
                let table = S::wload(self.tables[n]);
                self.tables[n] = self.tables[n].add(TABLE_BYTES);
                for p in 0..P {
                    sums[n][p] = S::wadd(sums[n][p], S::wpick(table, index[p]));
                }
            }
        }
    }

    /// The three direct codes of the next vector; its top bits go to `carried`.
    #[inline(always)]
    unsafe fn vector<S: Words>(&mut self, sums: &mut [[S::W; P]; N], carried: &mut [S::W; P]) {
        // SAFETY: the caller promises that a vector is left.
        unsafe {
            let mut words = [S::wzero(); P];
            for p in 0..P {
                S::prefetch_far(self.codes[p].wrapping_add(AHEAD_BYTES));
                words[p] = S::wload(self.codes[p]);
                self.codes[p] = self.codes[p].add(VECTOR_BYTES);
                carried[p] = S::wcarry(carried[p], words[p]);
            }
            self.add::<S>(sums, words);
            for _ in 1..3 {
                for p in 0..P {
                    words[p] = S::wshr5(words[p]);
                }
                self.add::<S>(sums, words);
            }
        }
    }
}

#[inline(always)]
unsafe fn exact_tile<S: Words, const V: usize, const P: usize, const N: usize>(
    d: &Few<'_>,
    unit: usize,
    at: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `exact`.
    unsafe {
        let mut streams = Streams::<P, N>::new(d, unit, at, token);
        let mut totals = [[[S::isplat(0); 2]; P]; N];
        for _ in 0..d.segments() {
            let mut sums = [[S::wzero(); P]; N];
            let mut carried = [S::wzero(); P];
            for _ in 0..V / STEP_VECTORS {
                for _ in 0..STEP_VECTORS {
                    streams.vector::<S>(&mut sums, &mut carried);
                }
                streams.add::<S>(&mut sums, carried);
            }
            for _ in 0..V % STEP_VECTORS {
                streams.vector::<S>(&mut sums, &mut carried);
            }
            for n in 0..N {
                for p in 0..P {
                    let halves = S::wsplit(sums[n][p]);
                    for h in 0..2 {
                        totals[n][p][h] = S::iadd(totals[n][p][h], halves[h]);
                    }
                }
            }
        }
        for n in 0..N {
            let x_scale = S::fsplat(*d.x_scales.get_unchecked(token + n));
            for p in 0..P {
                for h in 0..2 {
                    let group = 2 * d.units.part(unit, at + p) + h;
                    if group < d.groups {
                        let scale = S::fload(d.row_scales.as_ptr().add(group * GROUP_ROWS));
                        let y = S::fmul(S::itof(totals[n][p][h]), S::fmul(x_scale, scale));
                        d.out.store::<S>(token + n, group, y);
                    }
                }
            }
        }
        N
    }
}

/// Sums of a segment by blocks of 64 columns.
struct Blocks<S: Words, const P: usize, const N: usize> {
    /// Of the block that is being read.
    sums: [[S::W; P]; N],
    /// Of the fourth block of triples, some of whose codes come early.
    fourth: [[S::W; P]; N],
    carried: [S::W; P],
    /// The odd slot of triples.
    odd: [S::W; P],
}

impl<S: Words, const P: usize, const N: usize> Blocks<S, P, N> {
    /// Reads block `block` of a segment.
    #[inline(always)]
    unsafe fn read<const V: usize>(&mut self, streams: &mut Streams<P, N>, block: usize) {
        // SAFETY: the caller promises that the block is left.
        unsafe {
            let zero = [[S::wzero(); P]; N];
            let triples = V == TRIPLE_VECTORS;
            self.sums = if triples && block == 3 { self.fourth } else { zero };
            let each = if triples { 7 } else { STEP_VECTORS };
            for vector in block * each..V.min((block + 1) * each) {
                streams.vector::<S>(&mut self.sums, &mut self.carried);
                if vector % STEP_VECTORS == STEP_VECTORS - 1 {
                    if vector < STEP_VECTORS {
                        self.odd = self.carried;
                        self.fourth = zero;
                    }
                    let early = triples && vector > STEP_VECTORS && block < 3;
                    streams.add::<S>(if early { &mut self.fourth } else { &mut self.sums }, self.carried);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn scaled_tile<S: Words, const V: usize, const P: usize, const N: usize>(
    d: &Few<'_>,
    unit: usize,
    at: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `exact`.
    unsafe {
        let n_scales = (d.matrix.k_blocks * super::BLOCK_COLS).div_ceil(X_SCALE_COLS);
        let segment_bytes = d.matrix.packing.segment_tables(Scaling::Blocks) * TABLE_BYTES;
        let extra = d.matrix.packing.slots() * TABLE_BYTES;
        let mut streams = Streams::<P, N>::new(d, unit, at, token);
        let mut totals = [[[S::fzero(); 2]; P]; N];
        for segment in 0..d.segments() {
            let tables = streams.tables;
            let mut blocks = Blocks::<S, P, N> {
                sums: [[S::wzero(); P]; N],
                fourth: [[S::wzero(); P]; N],
                carried: [S::wzero(); P],
                odd: [S::wzero(); P],
            };
            for block in 0..4 {
                blocks.read::<V>(&mut streams, block);
                if V == TRIPLE_VECTORS && (block == 1 || block == 2) {
                    let mut odd = Streams { codes: streams.codes, tables };
                    for n in 0..N {
                        odd.tables[n] = odd.tables[n].add(extra + (block - 1) * TABLE_BYTES);
                    }
                    odd.add::<S>(&mut blocks.sums, blocks.odd);
                }
                let scale = 4 * segment + block;
                if scale >= n_scales {
                    continue;
                }
                for n in 0..N {
                    let x_scale = S::fsplat(*d.x_scales.get_unchecked((token + n) * n_scales + scale));
                    for p in 0..P {
                        let halves = S::wsplit(blocks.sums[n][p]);
                        for h in 0..2 {
                            let factor = d.factor::<S>(x_scale, 2 * d.units.part(unit, at + p) + h, segment);
                            totals[n][p][h] = S::fma(S::itof(halves[h]), factor, totals[n][p][h]);
                        }
                    }
                }
            }
            for n in 0..N {
                streams.tables[n] = tables[n].add(segment_bytes);
            }
        }
        for n in 0..N {
            for p in 0..P {
                for h in 0..2 {
                    d.store_scaled::<S>(token + n, 2 * d.units.part(unit, at + p) + h, totals[n][p][h]);
                }
            }
        }
        N
    }
}
