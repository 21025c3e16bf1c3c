//! Products with ternary matrices at two bits a weight.
//!
//! Layout of a matrix: groups of sixteen rows, a group is `k_blocks` blocks of 64 bytes, a block is sixteen columns:
//!
//! ```text
//! byte 4 r + t of a block:  bits 0-1  row r, column t        code = trit + 1, rows and columns of padding hold code 1
//!                           bits 2-3  row r, column 4 + t
//!                           bits 4-5  row r, column 8 + t
//!                           bits 6-7  row r, column 12 + t
//! ```
//!
//! One load of a block feeds four `vpdpbusd` with codes 0..2 as the unsigned side; the caller subtracts the sum of the
//! activations once a row. Decode reads up to four groups that lie far apart at the same time, because one core reads several
//! streams much faster than one. Prefill expands a block in registers and uses it for a tile of tokens.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use std::sync::atomic::{Ordering, compiler_fence};

use super::simd::Simd;
use super::{GROUP_ROWS, Isa, MAX_GROUPS, dispatch};

/// Columns in a 64-byte block.
pub const BLOCK_COLS: usize = 16;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64;
/// Columns that share an activation scale in [`block_dots`].
pub const X_SCALE_COLS: usize = 64;
/// Columns that share a weight scale in [`block_dots`].
pub const SCALE_COLS: usize = 256;
const X_SCALE_BLOCKS: usize = X_SCALE_COLS / BLOCK_COLS;

/// Some groups of a matrix against some rows of int8 activations.
#[derive(Debug)]
pub struct Dots<'a> {
    /// Whole matrix in the layout above.
    pub codes: &'a [u8],
    /// Blocks in a group.
    pub k_blocks: usize,
    /// Groups to compute, at most [`MAX_GROUPS`].
    pub groups: &'a [usize],
    /// Activations `[tokens, stride]`, zero beyond the real columns, each at least -127.
    pub x: &'a [i8],
    /// Elements between rows of `x`, at least `k_blocks * 16`.
    pub stride: usize,
    /// Rows of `x`.
    pub tokens: usize,
    /// `[tokens, groups, 16]`: sum of code times activation.
    pub out: &'a mut [i32],
}

/// As [`Dots`], with activation scales per 64 columns and perhaps weight scales per 256 columns.
#[derive(Debug)]
pub struct BlockDots<'a> {
    /// Whole matrix.
    pub codes: &'a [u8],
    /// Blocks in a group.
    pub k_blocks: usize,
    /// f32 `[groups of the matrix, k_blocks / 16 rounded up, 16 rows]`, or empty for 1.
    pub scales: &'a [f32],
    /// Groups to compute, at most [`MAX_GROUPS`].
    pub groups: &'a [usize],
    /// Activations `[tokens, stride]`.
    pub x: &'a [i8],
    /// Elements between rows of `x`.
    pub stride: usize,
    /// Scale of each 64 columns, `[tokens, k_blocks / 4 rounded up]`.
    pub x_scales: &'a [f32],
    /// Sum of the int8 activations of each 64 columns, same shape.
    pub x_sums: &'a [i32],
    /// Rows of `x`.
    pub tokens: usize,
    /// `[tokens, groups, 16]`: sum of trit times activation times scales.
    pub out: &'a mut [f32],
}

/// Exact integer sums of code times activation.
///
/// # Panics
/// When a slice is too short for its description.
pub fn dots(isa: Isa, dots: &mut Dots<'_>) {
    check_matrix(dots.codes, dots.k_blocks, dots.groups);
    check_rows(dots.x, dots.stride, dots.tokens, dots.k_blocks);
    assert!(dots.out.len() >= dots.tokens * dots.groups.len() * GROUP_ROWS, "room for the sums");
    dispatch!(isa, run_dots, dots, &mut Dots<'_>);
}

/// Float sums, in an order that depends on the columns only.
///
/// # Panics
/// When a slice is too short for its description.
pub fn block_dots(isa: Isa, dots: &mut BlockDots<'_>) {
    check_matrix(dots.codes, dots.k_blocks, dots.groups);
    check_rows(dots.x, dots.stride, dots.tokens, dots.k_blocks);
    let n_scales = dots.k_blocks.div_ceil(X_SCALE_BLOCKS);
    let n_weight_scales = (dots.k_blocks * BLOCK_COLS).div_ceil(SCALE_COLS);
    assert!(dots.x_scales.len() >= dots.tokens * n_scales, "scales of the activations");
    assert!(dots.x_sums.len() >= dots.tokens * n_scales, "sums of the activations");
    for &group in dots.groups {
        assert!(
            dots.scales.is_empty() || dots.scales.len() >= (group + 1) * n_weight_scales * GROUP_ROWS,
            "weight scales"
        );
    }
    assert!(dots.out.len() >= dots.tokens * dots.groups.len() * GROUP_ROWS, "room for the sums");
    dispatch!(isa, run_block_dots, dots, &mut BlockDots<'_>);
}

fn check_matrix(codes: &[u8], k_blocks: usize, groups: &[usize]) {
    assert!(groups.len() <= MAX_GROUPS, "at most {MAX_GROUPS} groups");
    for &group in groups {
        assert!(codes.len() / BLOCK_BYTES >= (group + 1) * k_blocks, "group {group} lies in the matrix");
    }
}

fn check_rows(x: &[i8], stride: usize, tokens: usize, k_blocks: usize) {
    assert!(stride >= k_blocks * BLOCK_COLS && x.len() >= tokens * stride, "rows of activations");
}

#[inline(always)]
unsafe fn run_dots<S: Simd>(d: &mut Dots<'_>) {
    // SAFETY: `dots` checked every slice; the caller promises the instruction set.
    unsafe {
        if d.tokens == 1 {
            match d.groups.len() {
                4 => decode::<S, 4>(d),
                3 => decode::<S, 3>(d),
                2 => decode::<S, 2>(d),
                1 => decode::<S, 1>(d),
                _ => {}
            }
            return;
        }
        let mut group = 0;
        if S::WIDE {
            while group + 2 <= d.groups.len() {
                let mut token = 0;
                while token < d.tokens {
                    token += match d.tokens - token {
                        12.. => tile::<S, 2, 12>(d, group, token),
                        8.. => tile::<S, 2, 8>(d, group, token),
                        4.. => tile::<S, 2, 4>(d, group, token),
                        2.. => tile::<S, 2, 2>(d, group, token),
                        _ => tile::<S, 2, 1>(d, group, token),
                    };
                }
                group += 2;
            }
        }
        while group < d.groups.len() {
            let mut token = 0;
            while token < d.tokens {
                token += match d.tokens - token {
                    4.. => tile::<S, 1, 4>(d, group, token),
                    2.. => tile::<S, 1, 2>(d, group, token),
                    _ => tile::<S, 1, 1>(d, group, token),
                };
            }
            group += 1;
        }
    }
}

/// One row of activations against `G` groups, which are read as `G` streams.
#[inline(always)]
unsafe fn decode<S: Simd, const G: usize>(d: &mut Dots<'_>) {
    // SAFETY: as in `run_dots`.
    unsafe {
        let mut sums = [S::trits_zero(); G];
        let mut codes = [d.codes.as_ptr(); G];
        for g in 0..G {
            codes[g] = d.codes.as_ptr().add(d.groups[g] * d.k_blocks * BLOCK_BYTES);
        }
        let x = d.x.as_ptr();
        for block in 0..d.k_blocks {
            let x = x.add(block * BLOCK_COLS);
            let x = [S::splat4(x), S::splat4(x.add(4)), S::splat4(x.add(8)), S::splat4(x.add(12))];
            for g in 0..G {
                let from = codes[g].add(block * BLOCK_BYTES);
                S::prefetch(from.wrapping_add(512));
                sums[g] = S::trits(sums[g], S::bload(from), x);
            }
        }
        for g in 0..G {
            S::istore(d.out.as_mut_ptr().add(g * GROUP_ROWS), S::trits_sum(sums[g]));
        }
    }
}

/// `N` rows of activations against `G` groups; returns `N`.
#[inline(always)]
unsafe fn tile<S: Simd, const G: usize, const N: usize>(
    d: &mut Dots<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_dots`.
    unsafe {
        let mut sums = [[S::isplat(0); G]; N];
        let mut codes = [d.codes.as_ptr(); G];
        for g in 0..G {
            codes[g] = d.codes.as_ptr().add(d.groups[group + g] * d.k_blocks * BLOCK_BYTES);
        }
        let x = d.x.as_ptr().add(token * d.stride);
        let mask = S::bsplat(3);
        for block in 0..d.k_blocks {
            let mut packed = [mask; G];
            for g in 0..G {
                packed[g] = S::bload(codes[g].add(block * BLOCK_BYTES));
            }
            for plane in 0..4 {
                let mut w = [mask; G];
                for g in 0..G {
                    w[g] = S::band(S::bshr(packed[g], 2 * plane), mask);
                }
                // Keeps the compiler from loading the activations of all planes first, which needs more registers than there are.
                compiler_fence(Ordering::SeqCst);
                let x = x.add(block * BLOCK_COLS + 4 * plane as usize);
                for n in 0..N {
                    let x = S::splat4(x.add(n * d.stride));
                    for g in 0..G {
                        sums[n][g] = S::dot4(sums[n][g], w[g], x);
                    }
                }
            }
        }
        for n in 0..N {
            for g in 0..G {
                let at = ((token + n) * d.groups.len() + group + g) * GROUP_ROWS;
                S::istore(d.out.as_mut_ptr().add(at), sums[n][g]);
            }
        }
        N
    }
}

#[inline(always)]
unsafe fn run_block_dots<S: Simd>(d: &mut BlockDots<'_>) {
    // SAFETY: `block_dots` checked every slice; the caller promises the instruction set.
    unsafe {
        if d.tokens == 1 && d.groups.len() == 4 {
            block_tile::<S, 4, 1>(d, 0, 0);
            return;
        }
        for group in 0..d.groups.len() {
            let mut token = 0;
            while token < d.tokens {
                token += match d.tokens - token {
                    8.. if S::WIDE => block_tile::<S, 1, 8>(d, group, token),
                    2.. => block_tile::<S, 1, 2>(d, group, token),
                    _ => block_tile::<S, 1, 1>(d, group, token),
                };
            }
        }
    }
}

#[inline(always)]
unsafe fn block_tile<S: Simd, const G: usize, const N: usize>(
    d: &mut BlockDots<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_block_dots`.
    unsafe {
        let n_scales = d.k_blocks.div_ceil(X_SCALE_BLOCKS);
        let n_weight_scales = (d.k_blocks * BLOCK_COLS).div_ceil(SCALE_COLS);
        let mut totals = [[S::fzero(); G]; N];
        let x = d.x.as_ptr().add(token * d.stride);
        for scale in 0..n_scales {
            let blocks = scale * X_SCALE_BLOCKS..d.k_blocks.min((scale + 1) * X_SCALE_BLOCKS);
            let mut sums = [[S::trits_zero(); G]; N];
            for block in blocks {
                for g in 0..G {
                    let from = d.codes.as_ptr().add((d.groups[group + g] * d.k_blocks + block) * BLOCK_BYTES);
                    S::prefetch(from.wrapping_add(512));
                    let codes = S::bload(from);
                    for n in 0..N {
                        let x = x.add(n * d.stride + block * BLOCK_COLS);
                        let x =
                            [S::splat4(x), S::splat4(x.add(4)), S::splat4(x.add(8)), S::splat4(x.add(12))];
                        sums[n][g] = S::trits(sums[n][g], codes, x);
                    }
                }
            }
            for n in 0..N {
                let at = (token + n) * n_scales + scale;
                let x_sum = S::isplat(-*d.x_sums.get_unchecked(at));
                let x_scale = S::fsplat(*d.x_scales.get_unchecked(at));
                for g in 0..G {
                    let dot = S::itof(S::iadd(S::trits_sum(sums[n][g]), x_sum));
                    let factor = if d.scales.is_empty() {
                        x_scale
                    } else {
                        let scale = scale * X_SCALE_COLS / SCALE_COLS;
                        let at = (d.groups[group + g] * n_weight_scales + scale) * GROUP_ROWS;
                        S::fmul(x_scale, S::fload(d.scales.as_ptr().add(at)))
                    };
                    totals[n][g] = S::fma(dot, factor, totals[n][g]);
                }
            }
        }
        for n in 0..N {
            for g in 0..G {
                let at = ((token + n) * d.groups.len() + group + g) * GROUP_ROWS;
                S::fstore(d.out.as_mut_ptr().add(at), totals[n][g]);
            }
        }
        N
    }
}
