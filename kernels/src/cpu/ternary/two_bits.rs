//! Products of a few rows of activations with two-bit codes. One load of a block feeds four byte dot products with codes 0..2 as
//! the unsigned side; the sum of the activations is subtracted once. Weights are read as several far-apart streams.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::simd::Simd;
use super::super::{GROUP_ROWS, Isa};
use super::{BLOCK_BYTES, BLOCK_COLS, Few, X_SCALE_COLS};

const X_SCALE_BLOCKS: usize = X_SCALE_COLS / BLOCK_COLS;

/// Calls `$tile::<S, groups, tokens>(job, unit, stream, token)` until all groups of the units of `$range` and all tokens are done.
macro_rules! tiles {
    ($simd:ident, $d:ident, $range:expr, $tile:ident) => {{
        for unit in $range {
            let (streams, mut at) = ($d.units.streams(unit), 0);
            while at < streams {
                let groups = streams - at;
                let mut token = 0;
                let mut done = 1;
                while token < $d.tokens {
                    let (n, groups) = match ($d.tokens, groups) {
                        (1, 4..) => ($tile::<$simd, 4, 1>($d, unit, at, token), 4),
                        (1, 2..) => ($tile::<$simd, 2, 1>($d, unit, at, token), 2),
                        (2.., 2..) if $simd::WIDE => match $d.tokens - token {
                            4.. => ($tile::<$simd, 2, 4>($d, unit, at, token), 2),
                            3 => ($tile::<$simd, 2, 3>($d, unit, at, token), 2),
                            2 => ($tile::<$simd, 2, 2>($d, unit, at, token), 2),
                            _ => ($tile::<$simd, 2, 1>($d, unit, at, token), 2),
                        },
                        _ => match $d.tokens - token {
                            2.. => ($tile::<$simd, 1, 2>($d, unit, at, token), 1),
                            _ => ($tile::<$simd, 1, 1>($d, unit, at, token), 1),
                        },
                    };
                    token += n;
                    done = groups;
                }
                at += done;
            }
        }
    }};
}

/// W1.58A8.
#[inline(always)]
pub(super) unsafe fn exact<S: Simd>(d: &mut Few<'_>) {
    // SAFETY: `super::exact` checked every slice; the caller promises the instruction set.
    unsafe {
        for range in d.units.even() {
            match d.units.streams(range.start) {
                _ if range.is_empty() => {}
                4 if d.tokens == 1 => exact_row::<S, 4>(d, range),
                2 if d.tokens == 1 => exact_row::<S, 2>(d, range),
                1 if d.tokens == 1 => exact_row::<S, 1>(d, range),
                _ => tiles!(S, d, range, exact_tile),
            }
        }
    }
}

/// Activation scales for each 64 columns.
#[inline(always)]
pub(super) unsafe fn scaled<S: Simd>(d: &mut Few<'_>) {
    // SAFETY: `super::scaled` checked every slice; the caller promises the instruction set.
    unsafe { tiles!(S, d, d.units.range.clone(), scaled_tile) }
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

/// As [`add_blocks`] for one row, with a sum for each plane and so no shifts. `ahead` as in [`super::super::Reading`].
#[inline(always)]
unsafe fn add_blocks_one<S: Simd, const G: usize>(
    codes: [*const u8; G],
    x: *const i8,
    blocks: std::ops::Range<usize>,
    ahead: usize,
) -> [S::I; G] {
    // SAFETY: as in `add_blocks`.
    unsafe {
        let mut sums = [S::trits_zero(); G];
        for block in blocks {
            if ahead > 0 {
                for g in 0..G {
                    S::prefetch(codes[g].wrapping_add(block * BLOCK_BYTES + ahead));
                }
            }
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
            [add_blocks_one::<S, G>(codes, x, blocks, 0); N]
        } else {
            add_blocks::<S, G, N>(codes, x, stride, blocks)
        }
    }
}

#[inline(always)]
unsafe fn streams<const G: usize>(d: &Few<'_>, unit: usize, at: usize) -> [*const u8; G] {
    let bytes = d.matrix.k_blocks * BLOCK_BYTES;
    let mut codes = [d.matrix.codes.as_ptr(); G];
    for g in 0..G {
        // SAFETY: the caller promises groups of `d`, whose codes were checked.
        codes[g] = unsafe { codes[g].add(d.units.part(unit, at + g) * bytes) };
    }
    codes
}

/// One row of activations against `range`, units of `G` groups. What a unit needs follows from the unit before by additions, so that
/// nothing but weights is waited for where one ends: a chain of loads there costs more than the arithmetic of a unit, since all
/// places for misses of the first-level cache are taken by weights.
#[inline(always)]
unsafe fn exact_row<S: Simd, const G: usize>(d: &Few<'_>, range: std::ops::Range<usize>) {
    // SAFETY: as in `exact`; `range` are units of `d` with `G` groups each.
    unsafe {
        let (blocks, distance) = (d.matrix.k_blocks, d.units.distance);
        let bytes = blocks * BLOCK_BYTES;
        let x = d.x.as_ptr();
        let x_sum = S::isplat(-*d.x_sums.get_unchecked(0));
        let x_scale = S::fsplat(*d.x_scales.get_unchecked(0));
        let mut codes = d.matrix.codes.as_ptr().add(range.start * bytes);
        let row_scales = d.row_scales.as_ptr();
        let (out, ahead) = (d.out, Isa::reading().ahead_bytes);
        for unit in range {
            let mut streams = [codes; G];
            for g in 1..G {
                streams[g] = codes.add(g * distance * bytes);
            }
            let sums = add_blocks_one::<S, G>(streams, x, 0..blocks, ahead);
            for g in 0..G {
                let group = unit + g * distance;
                let scale = S::fload(row_scales.add(group * GROUP_ROWS));
                let y = S::fmul(S::itof(S::iadd(sums[g], x_sum)), S::fmul(x_scale, scale));
                out.store::<S>(0, group, y);
            }
            codes = codes.add(bytes);
        }
    }
}

#[inline(always)]
unsafe fn exact_tile<S: Simd, const G: usize, const N: usize>(
    d: &Few<'_>,
    unit: usize,
    at: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `exact`.
    unsafe {
        let x = d.x.as_ptr().add(token * d.stride);
        let sums = add::<S, G, N>(streams(d, unit, at), x, d.stride, 0..d.matrix.k_blocks);
        for n in 0..N {
            let x_sum = S::isplat(-*d.x_sums.get_unchecked(token + n));
            let x_scale = S::fsplat(*d.x_scales.get_unchecked(token + n));
            for g in 0..G {
                let group = d.units.part(unit, at + g);
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
    unit: usize,
    at: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `scaled`.
    unsafe {
        let n_scales = d.matrix.k_blocks.div_ceil(X_SCALE_BLOCKS);
        let x = d.x.as_ptr().add(token * d.stride);
        let codes = streams(d, unit, at);
        let mut totals = [[S::fzero(); G]; N];
        for scale in 0..n_scales {
            let blocks = scale * X_SCALE_BLOCKS..d.matrix.k_blocks.min((scale + 1) * X_SCALE_BLOCKS);
            let sums = add::<S, G, N>(codes, x, d.stride, blocks);
            for n in 0..N {
                let x_sum = S::isplat(-*d.x_sums.get_unchecked((token + n) * n_scales + scale));
                let x_scale = S::fsplat(*d.x_scales.get_unchecked((token + n) * n_scales + scale));
                for g in 0..G {
                    let factor = d.factor::<S>(x_scale, d.units.part(unit, at + g), scale / 4);
                    totals[n][g] = S::fma(S::itof(S::iadd(sums[n][g], x_sum)), factor, totals[n][g]);
                }
            }
        }
        for n in 0..N {
            for g in 0..G {
                d.store_scaled::<S>(token + n, d.units.part(unit, at + g), totals[n][g]);
            }
        }
        N
    }
}
