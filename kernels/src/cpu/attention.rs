//! Attention of a few queries over a few pages of one KV head.
//!
//! Layout of a page of one head, `P` = [`PAGE_POSITIONS`]:
//!
//! ```text
//! f16    keys  [head_dim][P] f16              values  [P][head_dim] f16
//! int8   keys  [head_dim][P] i8, f16[P]       values  [P][head_dim] i8, f16[P]       (one scale a position)
//! ```
//!
//! Keys are transposed so that scores of sixteen positions share a vector and nothing is added across lanes. The result of a
//! query depends on its own positions only, whichever queries share the loads.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::simd::{Simd, exp, max_lanes, sum_lanes};
use super::{Isa, dispatch};

/// Positions in a page.
pub const PAGE_POSITIONS: usize = 64;
/// Bytes that must be readable behind the last page.
pub const SLACK_BYTES: usize = 64;

/// Bytes of the keys (or of the values) of one head in one page.
pub fn head_bytes(head_dim: usize, int8: bool) -> usize {
    PAGE_POSITIONS * if int8 { head_dim + 2 } else { 2 * head_dim }
}

/// Elements between the rows of [`Chunk::out`].
pub fn out_stride(head_dim: usize) -> usize {
    head_dim.next_multiple_of(16)
}

/// Queries against consecutive pages.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// Bytes that the offsets point into.
    pub arena: &'a [u8],
    /// Where each page's keys begin.
    pub keys: &'a [usize],
    /// Where each page's values begin.
    pub values: &'a [usize],
    /// int8 with scales instead of f16.
    pub int8: bool,
    /// Elements per head.
    pub head_dim: usize,
    /// How many positions of these pages each query sees; at least 1.
    pub positions: &'a [usize],
    /// `[queries, head_dim]`, already divided by `sqrt(head_dim)`.
    pub q: &'a [f32],
    /// Scratch `[queries, pages * PAGE_POSITIONS]`.
    pub scores: &'a mut [f32],
    /// `[queries, out_stride(head_dim)]`: sum of `exp(score - max)` times value.
    pub out: &'a mut [f32],
    /// Largest score of each query.
    pub max: &'a mut [f32],
    /// Sum of `exp(score - max)` of each query.
    pub sum: &'a mut [f32],
}

/// Softmax numerators, their sums and maxima.
///
/// # Panics
/// When a slice is too short for its description.
pub fn chunk(isa: Isa, c: &mut Chunk<'_>) {
    let queries = c.positions.len();
    let bytes = head_bytes(c.head_dim, c.int8) + SLACK_BYTES;
    for &at in c.keys.iter().chain(c.values) {
        assert!(at <= c.arena.len() && c.arena.len() - at >= bytes, "a page lies in the arena");
    }
    assert_eq!(c.keys.len(), c.values.len(), "keys and values of the same pages");
    let capacity = c.keys.len() * PAGE_POSITIONS;
    assert!(c.positions.iter().all(|&n| 0 < n && n <= capacity), "positions lie in the pages");
    assert!(c.q.len() >= queries * c.head_dim, "queries");
    assert!(c.scores.len() >= queries * capacity, "room for the scores");
    assert!(c.out.len() >= queries * out_stride(c.head_dim), "room for the result");
    assert!(c.max.len() >= queries && c.sum.len() >= queries, "room for maxima and sums");
    dispatch!(isa, run, c, &mut Chunk<'_>);
}

#[inline(always)]
unsafe fn run<S: Simd>(c: &mut Chunk<'_>) {
    // SAFETY: `chunk` checked every slice; the caller promises the instruction set.
    unsafe {
        if c.int8 {
            run_as::<S, true>(c);
        } else {
            run_as::<S, false>(c);
        }
    }
}

#[inline(always)]
unsafe fn run_as<S: Simd, const INT8: bool>(c: &mut Chunk<'_>) {
    // SAFETY: as in `run`.
    unsafe {
        let queries = c.positions.len();
        let tile = if S::WIDE { 4 } else { 1 };
        let mut first = 0;
        while first < queries {
            if first + 4 <= queries && tile == 4 {
                scores::<S, INT8, 4>(c, first);
                first += 4;
            } else {
                scores::<S, INT8, 1>(c, first);
                first += 1;
            }
        }
        for query in 0..queries {
            weights::<S, INT8>(c, query);
        }
        first = 0;
        while first < queries {
            if first + 4 <= queries && tile == 4 {
                mix::<S, INT8, 4>(c, first);
                first += 4;
            } else {
                mix::<S, INT8, 1>(c, first);
                first += 1;
            }
        }
    }
}

/// Scores of `Q` queries over all positions that one of them sees.
#[inline(always)]
unsafe fn scores<S: Simd, const INT8: bool, const Q: usize>(c: &mut Chunk<'_>, first: usize) {
    // SAFETY: as in `run`; a page of keys has `head_dim` lines of 64 elements.
    unsafe {
        let capacity = c.keys.len() * PAGE_POSITIONS;
        let most = c.positions[first..first + Q].iter().copied().max().unwrap_or(0);
        let q = c.q.as_ptr().add(first * c.head_dim);
        let element = if INT8 { 1 } else { 2 };
        for page in 0..most.div_ceil(PAGE_POSITIONS) {
            let keys = c.arena.as_ptr().add(c.keys[page]);
            let mut sums = [[S::fzero(); 4]; Q];
            for d in 0..c.head_dim {
                let line = keys.add(d * PAGE_POSITIONS * element);
                let mut k = [S::fzero(); 4];
                for (v, k) in k.iter_mut().enumerate() {
                    *k = load::<S, INT8>(line.add(v * 16 * element));
                }
                for n in 0..Q {
                    let q = S::fsplat(*q.add(n * c.head_dim + d));
                    for v in 0..4 {
                        sums[n][v] = S::fma(k[v], q, sums[n][v]);
                    }
                }
            }
            for v in 0..4 {
                let at = page * PAGE_POSITIONS + 16 * v;
                for n in 0..Q {
                    let mut score = sums[n][v];
                    if INT8 {
                        let scale = keys.add(c.head_dim * PAGE_POSITIONS + 32 * v);
                        score = S::fmul(score, S::f16_load(scale));
                    }
                    S::fstore(c.scores.as_mut_ptr().add((first + n) * capacity + at), score);
                }
            }
        }
    }
}

/// Turns the scores of a query into softmax numerators; with int8 values, their scales are multiplied in afterwards.
#[inline(always)]
unsafe fn weights<S: Simd, const INT8: bool>(c: &mut Chunk<'_>, query: usize) {
    // SAFETY: as in `run`; a row of scores is a multiple of 64 long.
    unsafe {
        let capacity = c.keys.len() * PAGE_POSITIONS;
        let n = c.positions[query];
        let row = c.scores.as_mut_ptr().add(query * capacity);
        let padded = n.next_multiple_of(16);
        for i in n..padded {
            *row.add(i) = f32::NEG_INFINITY;
        }
        let mut max = S::fsplat(f32::NEG_INFINITY);
        for i in (0..padded).step_by(16) {
            max = S::fmax(S::fload(row.add(i)), max);
        }
        let max = max_lanes::<S>(max);
        let mut sum = S::fzero();
        for i in (0..padded).step_by(16) {
            let weight = exp::<S>(S::fsub(S::fload(row.add(i)), S::fsplat(max)));
            sum = S::fadd(sum, weight);
            S::fstore(row.add(i), weight);
        }
        c.max[query] = max;
        c.sum[query] = sum_lanes::<S>(sum);
        if INT8 {
            for i in (0..padded).step_by(16) {
                let page = c.arena.as_ptr().add(c.values[i / PAGE_POSITIONS]);
                let scales = page.add(c.head_dim * PAGE_POSITIONS + i % PAGE_POSITIONS * 2);
                S::fstore(row.add(i), S::fmul(S::fload(row.add(i)), S::f16_load(scales)));
            }
        }
    }
}

/// Weighted sums of values for `Q` queries: together where all of them see a position, then each on its own.
#[inline(always)]
unsafe fn mix<S: Simd, const INT8: bool, const Q: usize>(c: &mut Chunk<'_>, first: usize) {
    // SAFETY: as in `run`.
    unsafe {
        let stride = out_stride(c.head_dim);
        c.out[first * stride..(first + Q) * stride].fill(0.0);
        let shared = c.positions[first..first + Q].iter().copied().min().unwrap_or(0);
        let mut vector = 0;
        while vector < stride / 16 {
            if vector + 4 <= stride / 16 && S::WIDE {
                mix_part::<S, INT8, Q, 4>(c, first, vector, 0..shared);
                for query in first..first + Q {
                    mix_part::<S, INT8, 1, 4>(c, query, vector, shared..c.positions[query]);
                }
                vector += 4;
            } else {
                mix_part::<S, INT8, Q, 1>(c, first, vector, 0..shared);
                for query in first..first + Q {
                    mix_part::<S, INT8, 1, 1>(c, query, vector, shared..c.positions[query]);
                }
                vector += 1;
            }
        }
    }
}

/// Adds `range` of positions to `V` vectors of the result of `Q` queries.
#[inline(always)]
unsafe fn mix_part<S: Simd, const INT8: bool, const Q: usize, const V: usize>(
    c: &mut Chunk<'_>,
    first: usize,
    vector: usize,
    range: std::ops::Range<usize>,
) {
    // SAFETY: as in `run`; a load may read past its row, but not past the slack behind the last page.
    unsafe {
        if range.is_empty() {
            return;
        }
        let capacity = c.keys.len() * PAGE_POSITIONS;
        let stride = out_stride(c.head_dim);
        let element = if INT8 { 1 } else { 2 };
        let out = c.out.as_mut_ptr().add(first * stride + vector * 16);
        let weights = c.scores.as_ptr().add(first * capacity);
        let mut sums = [[S::fzero(); V]; Q];
        for n in 0..Q {
            for v in 0..V {
                sums[n][v] = S::fload(out.add(n * stride + 16 * v));
            }
        }
        for position in range {
            let page = c.arena.as_ptr().add(*c.values.get_unchecked(position / PAGE_POSITIONS));
            let from = page.add((position % PAGE_POSITIONS * c.head_dim + vector * 16) * element);
            let mut values = [S::fzero(); V];
            for (v, value) in values.iter_mut().enumerate() {
                *value = load::<S, INT8>(from.add(16 * v * element));
            }
            for n in 0..Q {
                let weight = S::fsplat(*weights.add(n * capacity + position));
                for v in 0..V {
                    sums[n][v] = S::fma(values[v], weight, sums[n][v]);
                }
            }
        }
        for n in 0..Q {
            for v in 0..V {
                S::fstore(out.add(n * stride + 16 * v), sums[n][v]);
            }
        }
    }
}

#[inline(always)]
unsafe fn load<S: Simd, const INT8: bool>(from: *const u8) -> S::F {
    // SAFETY: the caller promises sixteen readable elements and the instruction set.
    unsafe { if INT8 { S::i8_load(from) } else { S::f16_load(from) } }
}
