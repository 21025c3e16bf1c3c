//! Products of many rows of activations: a block of weights is expanded in registers and used for a tile of tokens.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use std::sync::atomic::{Ordering, compiler_fence};

use super::super::GROUP_ROWS;
use super::super::simd::Simd;
use super::{BLOCK_BYTES, BLOCK_COLS, BlockDots, Dots, SCALE_COLS, X_SCALE_BLOCKS, X_SCALE_COLS};

/// `N` rows of activations against `G` groups; returns `N`.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const G: usize, const N: usize>(
    d: &mut Dots<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_dots`.
    unsafe {
        let mut sums = [[S::isplat(0); G]; N];
        let mut codes = [d.matrix.codes.as_ptr(); G];
        for g in 0..G {
            codes[g] = d.matrix.codes.as_ptr().add(d.groups[group + g] * d.matrix.k_blocks * BLOCK_BYTES);
        }
        let x = d.x.as_ptr().add(token * d.stride);
        let mask = S::bsplat(3);
        for block in 0..d.matrix.k_blocks {
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
pub(super) unsafe fn block_tile<S: Simd, const G: usize, const N: usize>(
    d: &mut BlockDots<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_block_dots`.
    unsafe {
        let n_scales = d.matrix.k_blocks.div_ceil(X_SCALE_BLOCKS);
        let n_weight_scales = (d.matrix.k_blocks * BLOCK_COLS).div_ceil(SCALE_COLS);
        let mut totals = [[S::fzero(); G]; N];
        let x = d.x.as_ptr().add(token * d.stride);
        for scale in 0..n_scales {
            let blocks = scale * X_SCALE_BLOCKS..d.matrix.k_blocks.min((scale + 1) * X_SCALE_BLOCKS);
            let mut sums = [[S::trits_zero(); G]; N];
            for block in blocks {
                for g in 0..G {
                    let from = d
                        .matrix
                        .codes
                        .as_ptr()
                        .add((d.groups[group + g] * d.matrix.k_blocks + block) * BLOCK_BYTES);
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
