//! Products of a few rows of activations with two-bit codes. One load of a block feeds four byte dot products with codes 0..2 as
//! the unsigned side; the sum of the activations is subtracted once. Weights are read as several far-apart streams.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::GROUP_ROWS;
use super::super::simd::Simd;
use super::{BLOCK_BYTES, BLOCK_COLS, Few, X_SCALE_COLS};

const X_SCALE_BLOCKS: usize = X_SCALE_COLS / BLOCK_COLS;

/// Calls `$tile::<S, groups, tokens>(job, at, token)` until all groups and tokens are done.
macro_rules! tiles {
    ($simd:ident, $d:ident, $tile:ident) => {{
        let mut at = 0;
        while at < $d.bundles.len() {
            let groups = $d.bundles.len() - at;
            let mut token = 0;
            let mut done = 1;
            while token < $d.tokens {
                let (n, groups) = match ($d.tokens, groups) {
                    (1, 4..) => ($tile::<$simd, 4, 1>($d, at, token), 4),
                    (1, 2..) => ($tile::<$simd, 2, 1>($d, at, token), 2),
                    (2.., 2..) if $simd::WIDE => match $d.tokens - token {
                        4.. => ($tile::<$simd, 2, 4>($d, at, token), 2),
                        3 => ($tile::<$simd, 2, 3>($d, at, token), 2),
                        2 => ($tile::<$simd, 2, 2>($d, at, token), 2),
                        _ => ($tile::<$simd, 2, 1>($d, at, token), 2),
                    },
                    _ => match $d.tokens - token {
                        2.. => ($tile::<$simd, 1, 2>($d, at, token), 1),
                        _ => ($tile::<$simd, 1, 1>($d, at, token), 1),
                    },
                };
                token += n;
                done = groups;
            }
            at += done;
        }
    }};
}

/// W1.58A8.
#[inline(always)]
pub(super) unsafe fn exact<S: Simd>(d: &mut Few<'_>) {
    // SAFETY: `super::exact` checked every slice; the caller promises the instruction set.
    unsafe { tiles!(S, d, exact_tile) }
}

/// Activation scales for each 64 columns.
#[inline(always)]
pub(super) unsafe fn scaled<S: Simd>(d: &mut Few<'_>) {
    // SAFETY: `super::scaled` checked every slice; the caller promises the instruction set.
    unsafe { tiles!(S, d, scaled_tile) }
}

/// Adds blocks of `G` groups times `N` rows of activations, without the bias of the codes.
///
/// Each group and row has two sums: planes 0 and 2 of the codes in the first, planes 1 and 3 in the second, where codes stand
/// two bits high and count four times. That saves half of the shifts. No sum overflows, see [`super::MAX_COLS`].
#[inline(always)]
unsafe fn add_blocks<S: Simd, const G: usize, const N: usize>(
    codes: [*const u8; G],
    x: *const i8,
    stride: usize,
    blocks: std::ops::Range<usize>,
) -> [[S::I; G]; N] {
    // SAFETY: the caller promises `blocks` in each group and in each row of activations.
    unsafe {
        let mut sums = [[[S::isplat(0); 2]; G]; N];
        for block in blocks {
            let x = x.add(block * BLOCK_COLS);
            for g in 0..G {
                let low = S::bload(codes[g].add(block * BLOCK_BYTES));
                let high = S::bshr(low, 4);
                let planes = [
                    S::band(low, S::bsplat(3)),
                    S::band(low, S::bsplat(12)),
                    S::band(high, S::bsplat(3)),
                    S::band(high, S::bsplat(12)),
                ];
                for n in 0..N {
                    for plane in 0..4 {
                        let x = S::splat4(x.add(n * stride + 4 * plane));
                        sums[n][g][plane % 2] = S::dot4(sums[n][g][plane % 2], planes[plane], x);
                    }
                }
            }
        }
        let mut both = [[S::isplat(0); G]; N];
        for n in 0..N {
            for g in 0..G {
                both[n][g] = S::iadd(sums[n][g][0], S::isar2(sums[n][g][1]));
            }
        }
        both
    }
}

/// As [`add_blocks`] for one row, with a sum for each plane and so no shifts.
#[inline(always)]
unsafe fn add_blocks_one<S: Simd, const G: usize>(
    codes: [*const u8; G],
    x: *const i8,
    blocks: std::ops::Range<usize>,
) -> [S::I; G] {
    // SAFETY: as in `add_blocks`.
    unsafe {
        let mut sums = [S::trits_zero(); G];
        for block in blocks {
            let x = x.add(block * BLOCK_COLS);
            let x = [S::splat4(x), S::splat4(x.add(4)), S::splat4(x.add(8)), S::splat4(x.add(12))];
            for g in 0..G {
                sums[g] = S::trits(sums[g], S::bload(codes[g].add(block * BLOCK_BYTES)), x);
            }
        }
        let mut all = [S::isplat(0); G];
        for g in 0..G {
            all[g] = S::trits_sum(sums[g]);
        }
        all
    }
}

#[inline(always)]
unsafe fn add<S: Simd, const G: usize, const N: usize>(
    codes: [*const u8; G],
    x: *const i8,
    stride: usize,
    blocks: std::ops::Range<usize>,
) -> [[S::I; G]; N] {
    // SAFETY: as in `add_blocks`.
    unsafe {
        if N == 1 {
            [add_blocks_one::<S, G>(codes, x, blocks); N]
        } else {
            add_blocks::<S, G, N>(codes, x, stride, blocks)
        }
    }
}

#[inline(always)]
unsafe fn streams<const G: usize>(d: &Few<'_>, at: usize) -> [*const u8; G] {
    let bytes = d.matrix.k_blocks * BLOCK_BYTES;
    let mut codes = [d.matrix.codes.as_ptr(); G];
    for g in 0..G {
        // SAFETY: the caller promises groups of `d`, whose codes were checked.
        codes[g] = unsafe { codes[g].add(d.bundles[at + g] * bytes) };
    }
    codes
}

#[inline(always)]
unsafe fn exact_tile<S: Simd, const G: usize, const N: usize>(d: &Few<'_>, at: usize, token: usize) -> usize {
    // SAFETY: as in `exact`.
    unsafe {
        let x = d.x.as_ptr().add(token * d.stride);
        let sums = add::<S, G, N>(streams(d, at), x, d.stride, 0..d.matrix.k_blocks);
        for n in 0..N {
            let x_sum = S::isplat(-*d.x_sums.get_unchecked(token + n));
            let x_scale = S::fsplat(*d.x_scales.get_unchecked(token + n));
            for g in 0..G {
                let group = d.bundles[at + g];
                let scale = S::fload(d.row_scales.as_ptr().add(group * GROUP_ROWS));
                let y = S::fmul(S::itof(S::iadd(sums[n][g], x_sum)), S::fmul(x_scale, scale));
                d.out.store::<S>(token + n, group, y);
            }
        }
        N
    }
}

#[inline(always)]
unsafe fn scaled_tile<S: Simd, const G: usize, const N: usize>(
    d: &Few<'_>,
    at: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `scaled`.
    unsafe {
        let n_scales = d.matrix.k_blocks.div_ceil(X_SCALE_BLOCKS);
        let x = d.x.as_ptr().add(token * d.stride);
        let codes = streams(d, at);
        let mut totals = [[S::fzero(); G]; N];
        for scale in 0..n_scales {
            let blocks = scale * X_SCALE_BLOCKS..d.matrix.k_blocks.min((scale + 1) * X_SCALE_BLOCKS);
            let sums = add::<S, G, N>(codes, x, d.stride, blocks);
            for n in 0..N {
                let x_sum = S::isplat(-*d.x_sums.get_unchecked((token + n) * n_scales + scale));
                let x_scale = S::fsplat(*d.x_scales.get_unchecked((token + n) * n_scales + scale));
                for g in 0..G {
                    let factor = d.factor::<S>(x_scale, d.bundles[at + g], scale / 4);
                    totals[n][g] = S::fma(S::itof(S::iadd(sums[n][g], x_sum)), factor, totals[n][g]);
                }
            }
        }
        for n in 0..N {
            for g in 0..G {
                d.store_scaled::<S>(token + n, d.bundles[at + g], totals[n][g]);
            }
        }
        N
    }
}
