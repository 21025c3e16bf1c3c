//! Attention of a few queries over a few pages of one KV head.
//!
//! Layout of a page of one head, `P` = [`PAGE_POSITIONS`]:
//!
//! ```text
//! f16    keys  [head_dim][P] f16              values  [P][head_dim] f16
//! int8   keys  [head_dim][P] i8, f16[P]       values  [P][head_dim] i8, f16[P]       (one scale a position)
//! ```
//!
//! Keys are transposed so that scores of sixteen positions share a vector and nothing is added across lanes. A page serves all
//! queries before the next is read; for many queries it is expanded to f32 once. Every score is one chain of fused multiply-adds
//! over the elements, every output one over the positions, so the result of a query depends on its own positions only,
//! whichever queries share the loads.

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
/// Queries from which a page is expanded.
const MANY_QUERIES: usize = 8;

/// Bytes of the keys (or of the values) of one head in one page.
pub fn head_bytes(head_dim: usize, int8: bool) -> usize {
    PAGE_POSITIONS * if int8 { head_dim + 2 } else { 2 * head_dim }
}

/// Elements between the rows of [`Chunk::out`].
pub fn out_stride(head_dim: usize) -> usize {
    head_dim.next_multiple_of(16)
}

/// Elements of [`Chunk::page`].
pub fn page_elements(head_dim: usize) -> usize {
    PAGE_POSITIONS * head_dim + 16
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
    /// Scratch for an expanded page, [`page_elements`].
    pub page: &'a mut [f32],
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
    assert!(c.page.len() >= page_elements(c.head_dim), "room for a page");
    assert!(c.out.len() >= queries * out_stride(c.head_dim), "room for the result");
    assert!(c.max.len() >= queries && c.sum.len() >= queries, "room for maxima and sums");
    dispatch!(isa, run, c, &mut Chunk<'_>);
}

/// How elements of a page are stored.
trait Element {
    const BYTES: usize;
    /// Whether the page comes from far caches, so that the next one is worth asking for.
    const FAR: bool = true;
    /// 16 elements.
    unsafe fn load<S: Simd>(from: *const u8) -> S::F;
}

struct Half;
struct Byte;
/// Expanded.
struct Single;

impl Element for Half {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u8) -> S::F {
        // SAFETY: the caller promises sixteen readable elements and the instruction set.
        unsafe { S::f16_load(from) }
    }
}
impl Element for Byte {
    const BYTES: usize = 1;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u8) -> S::F {
        // SAFETY: as above.
        unsafe { S::i8_load(from) }
    }
}
impl Element for Single {
    const BYTES: usize = 4;
    const FAR: bool = false;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u8) -> S::F {
        // SAFETY: as above.
        unsafe { S::fload(from.cast()) }
    }
}

#[inline(always)]
unsafe fn run<S: Simd>(c: &mut Chunk<'_>) {
    // SAFETY: `chunk` checked every slice; the caller promises the instruction set.
    unsafe {
        if c.int8 {
            run_as::<S, Byte>(c);
        } else {
            run_as::<S, Half>(c);
        }
    }
}

#[inline(always)]
unsafe fn run_as<S: Simd, E: Element>(c: &mut Chunk<'_>) {
    // SAFETY: as in `run`; a page of keys or values has `head_dim` times 64 elements.
    unsafe {
        let queries = c.positions.len();
        let many = queries >= MANY_QUERIES;
        let base = c.arena.as_ptr();
        for page in 0..c.keys.len() {
            let keys = base.add(c.keys[page]);
            if many {
                expand::<S, E>(keys, c);
                score_page::<S, Single>(c, page, c.page.as_ptr().cast(), c.page.as_ptr().cast());
            } else {
                let next = *c.keys.get(page + 1).unwrap_or(&c.values[0]);
                score_page::<S, E>(c, page, keys, base.add(next));
            }
        }
        for query in 0..queries {
            weights::<S>(c, query);
        }
        c.out[..queries * out_stride(c.head_dim)].fill(0.0);
        for page in 0..c.values.len() {
            let values = base.add(c.values[page]);
            if many {
                expand::<S, E>(values, c);
                mix_page::<S, Single>(c, page, c.page.as_ptr().cast(), c.page.as_ptr().cast());
            } else {
                let next = *c.values.get(page + 1).unwrap_or(&c.values[page]);
                mix_page::<S, E>(c, page, values, base.add(next));
            }
        }
    }
}

/// Writes a page of keys or values as f32.
#[inline(always)]
unsafe fn expand<S: Simd, E: Element>(from: *const u8, c: &mut Chunk<'_>) {
    // SAFETY: as in `run_as`; the number of elements is a multiple of 64.
    unsafe {
        for i in (0..c.head_dim * PAGE_POSITIONS).step_by(16) {
            S::fstore(c.page.as_mut_ptr().add(i), E::load::<S>(from.add(i * E::BYTES)));
        }
    }
}

/// Scores of all queries for the positions of a page that they see; asks for the page at `next` meanwhile.
#[inline(always)]
unsafe fn score_page<S: Simd, E: Element>(c: &mut Chunk<'_>, page: usize, keys: *const u8, next: *const u8) {
    // SAFETY: as in `run_as`.
    unsafe {
        let mut query = 0;
        while query < c.positions.len() {
            query += match (c.positions.len() - query, S::WIDE) {
                (6.., true) => score_queries::<S, E, 6>(c, page, keys, next, query),
                (4.., true) => score_queries::<S, E, 4>(c, page, keys, next, query),
                (2.., _) => score_queries::<S, E, 2>(c, page, keys, next, query),
                _ => score_queries::<S, E, 1>(c, page, keys, next, query),
            };
        }
    }
}

/// `Q` queries against a page; returns `Q`.
#[inline(always)]
unsafe fn score_queries<S: Simd, E: Element, const Q: usize>(
    c: &mut Chunk<'_>,
    page: usize,
    keys: *const u8,
    next: *const u8,
    query: usize,
) -> usize {
    // SAFETY: as in `run_as`.
    unsafe {
        let most = c.positions[query..query + Q].iter().copied().max().unwrap_or(0);
        let vectors = most.saturating_sub(page * PAGE_POSITIONS).min(PAGE_POSITIONS).div_ceil(16);
        let mut vector = 0;
        while vector < vectors {
            vector += match (vectors - vector, S::WIDE) {
                (4.., true) => score_tile::<S, E, Q, 4>(c, page, keys, next, query, vector),
                (3, true) => score_tile::<S, E, Q, 3>(c, page, keys, next, query, vector),
                (2.., _) => score_tile::<S, E, Q, 2>(c, page, keys, next, query, vector),
                _ => score_tile::<S, E, Q, 1>(c, page, keys, next, query, vector),
            };
        }
        Q
    }
}

#[inline(always)]
unsafe fn score_tile<S: Simd, E: Element, const Q: usize, const V: usize>(
    c: &mut Chunk<'_>,
    page: usize,
    keys: *const u8,
    next: *const u8,
    query: usize,
    vector: usize,
) -> usize {
    // SAFETY: as in `run_as`; `next` need not be readable.
    unsafe {
        let capacity = c.keys.len() * PAGE_POSITIONS;
        let q = c.q.as_ptr().add(query * c.head_dim);
        let mut sums = [[S::fzero(); V]; Q];
        for d in 0..c.head_dim {
            let at = (d * PAGE_POSITIONS + 16 * vector) * E::BYTES;
            if E::FAR {
                S::prefetch(next.wrapping_add(at));
                S::prefetch(next.wrapping_add(at + 64));
            }
            let mut k = [S::fzero(); V];
            for v in 0..V {
                k[v] = E::load::<S>(keys.add(at + 16 * v * E::BYTES));
            }
            for n in 0..Q {
                let q = S::fsplat(*q.add(n * c.head_dim + d));
                for v in 0..V {
                    sums[n][v] = S::fma(k[v], q, sums[n][v]);
                }
            }
        }
        for n in 0..Q {
            for v in 0..V {
                let at = (query + n) * capacity + page * PAGE_POSITIONS + 16 * (vector + v);
                S::fstore(c.scores.as_mut_ptr().add(at), sums[n][v]);
            }
        }
        V
    }
}

/// Turns the scores of a query into softmax numerators. With int8, keys' scales are multiplied in before and values' scales
/// afterwards.
#[inline(always)]
unsafe fn weights<S: Simd>(c: &mut Chunk<'_>, query: usize) {
    // SAFETY: as in `run`; a row of scores is a multiple of 64 long.
    unsafe {
        let capacity = c.keys.len() * PAGE_POSITIONS;
        let n = c.positions[query];
        let row = c.scores.as_mut_ptr().add(query * capacity);
        let padded = n.next_multiple_of(16);
        let base = c.arena.as_ptr();
        let scales_at = c.head_dim * PAGE_POSITIONS;
        if c.int8 {
            for i in (0..padded).step_by(16) {
                let scales = base.add(c.keys[i / PAGE_POSITIONS] + scales_at + i % PAGE_POSITIONS * 2);
                S::fstore(row.add(i), S::fmul(S::fload(row.add(i)), S::f16_load(scales)));
            }
        }
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
        if c.int8 {
            for i in (0..padded).step_by(16) {
                let scales = base.add(c.values[i / PAGE_POSITIONS] + scales_at + i % PAGE_POSITIONS * 2);
                S::fstore(row.add(i), S::fmul(S::fload(row.add(i)), S::f16_load(scales)));
            }
        }
    }
}

/// Adds the values of a page, weighted, to the results of all queries; asks for the page at `next` meanwhile.
#[inline(always)]
unsafe fn mix_page<S: Simd, E: Element>(c: &mut Chunk<'_>, page: usize, values: *const u8, next: *const u8) {
    // SAFETY: as in `run_as`.
    unsafe {
        let vectors = out_stride(c.head_dim) / 16;
        let mut vector = 0;
        while vector < vectors {
            vector += match (vectors - vector, S::WIDE) {
                (4.., true) => mix_vectors::<S, E, 4>(c, page, values, next, vector),
                (2.., false) => mix_vectors::<S, E, 2>(c, page, values, next, vector),
                _ => mix_vectors::<S, E, 1>(c, page, values, next, vector),
            };
        }
    }
}

/// `V` vectors of all results; returns `V`.
#[inline(always)]
unsafe fn mix_vectors<S: Simd, E: Element, const V: usize>(
    c: &mut Chunk<'_>,
    page: usize,
    values: *const u8,
    next: *const u8,
    vector: usize,
) -> usize {
    // SAFETY: as in `run_as`.
    unsafe {
        let mut query = 0;
        while query < c.positions.len() {
            query += match (c.positions.len() - query, S::WIDE) {
                (6.., true) => mix_queries::<S, E, 6, V>(c, page, values, next, query, vector),
                (4.., true) => mix_queries::<S, E, 4, V>(c, page, values, next, query, vector),
                (2.., _) => mix_queries::<S, E, 2, V>(c, page, values, next, query, vector),
                _ => mix_queries::<S, E, 1, V>(c, page, values, next, query, vector),
            };
        }
        V
    }
}

/// `Q` queries: together where all of them see a position, then each on its own.
#[inline(always)]
unsafe fn mix_queries<S: Simd, E: Element, const Q: usize, const V: usize>(
    c: &mut Chunk<'_>,
    page: usize,
    values: *const u8,
    next: *const u8,
    query: usize,
    vector: usize,
) -> usize {
    // SAFETY: as in `run_as`.
    unsafe {
        let seen = |n: usize| n.saturating_sub(page * PAGE_POSITIONS).min(PAGE_POSITIONS);
        let shared = seen(c.positions[query..query + Q].iter().copied().min().unwrap_or(0));
        mix_tile::<S, E, Q, V>(c, page, values, next, query, vector, 0..shared);
        for query in query..query + Q {
            let own = shared..seen(c.positions[query]);
            mix_tile::<S, E, 1, V>(c, page, values, next, query, vector, own);
        }
        Q
    }
}

/// Adds `range` of the page's positions to `V` vectors of the results of `Q` queries.
#[inline(always)]
unsafe fn mix_tile<S: Simd, E: Element, const Q: usize, const V: usize>(
    c: &mut Chunk<'_>,
    page: usize,
    values: *const u8,
    next: *const u8,
    query: usize,
    vector: usize,
    range: std::ops::Range<usize>,
) {
    // SAFETY: as in `run_as`; a load may read past its row, but not past the slack behind the page; `next` need not be readable.
    unsafe {
        if range.is_empty() {
            return;
        }
        let capacity = c.keys.len() * PAGE_POSITIONS;
        let stride = out_stride(c.head_dim);
        let out = c.out.as_mut_ptr().add(query * stride + vector * 16);
        let weights = c.scores.as_ptr().add(query * capacity + page * PAGE_POSITIONS);
        let mut sums = [[S::fzero(); V]; Q];
        for n in 0..Q {
            for v in 0..V {
                sums[n][v] = S::fload(out.add(n * stride + 16 * v));
            }
        }
        for position in range {
            let at = (position * c.head_dim + vector * 16) * E::BYTES;
            if E::FAR {
                S::prefetch(next.wrapping_add(at));
                S::prefetch(next.wrapping_add(at + 64));
            }
            let mut value = [S::fzero(); V];
            for v in 0..V {
                value[v] = E::load::<S>(values.add(at + 16 * v * E::BYTES));
            }
            for n in 0..Q {
                let weight = S::fsplat(*weights.add(n * capacity + position));
                for v in 0..V {
                    sums[n][v] = S::fma(value[v], weight, sums[n][v]);
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
