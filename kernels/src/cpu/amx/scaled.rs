//! The loops of `panel::scaled`, whose sums leave the tiles after each 64 columns: 32 tokens and two groups share four tiles of sums;
//! what is left of tokens and groups takes fewer tiles. A last tile of tokens that would be short begins earlier, and only its
//! new rows are stored.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::GROUP_ROWS;
use super::super::panel::{PAD_COLS, Scaled, padded};
use super::super::simd::Simd;
use super::super::ternary::{SCALE_COLS, X_SCALE_COLS};
use super::super::tiled::TILE_TOKENS;
use super::tiles::Tiles;

/// Sums of a tile.
const TILE_SUMS: usize = TILE_TOKENS * GROUP_ROWS;
/// Bytes of codes that one tile of weights holds.
const TILE_BYTES: usize = 64 * GROUP_ROWS;

const _: () = assert!(PAD_COLS == 64 && X_SCALE_COLS == 64, "a tile of weights is 64 columns");

/// Sums of up to two tiles of tokens times two groups.
#[repr(align(64))]
struct Sums([i32; 4 * TILE_SUMS]);

/// A block of tokens and groups.
#[derive(Clone, Copy)]
struct Place {
    /// First group in the panel.
    group: usize,
    /// First token.
    token: usize,
    /// First token that is stored.
    store_from: usize,
}

/// Calls `$tile::<T, S, tiles of tokens, groups>(tiles, job, place, scratch)` until all is done.
macro_rules! blocks {
    ($tiles:ident, $job:ident, $tile:ident, $t:ident, $s:ident, $scratch:expr) => {{
        let mut token = 0;
        while token < $job.tokens {
            let left = $job.tokens - token;
            let pair_of_tiles = left >= 2 * TILE_TOKENS;
            let rows = if pair_of_tiles { 2 * TILE_TOKENS } else { TILE_TOKENS };
            let first = token.min($job.tokens - rows);
            let mut group = 0;
            while group < $job.groups {
                let place = Place { group, token: first, store_from: token };
                let pair = group + 2 <= $job.groups;
                match (pair_of_tiles, pair) {
                    (true, true) => $tile::<$t, $s, 2, 2>($tiles, $job, place, $scratch),
                    (true, false) => $tile::<$t, $s, 2, 1>($tiles, $job, place, $scratch),
                    (false, true) => $tile::<$t, $s, 1, 2>($tiles, $job, place, $scratch),
                    (false, false) => $tile::<$t, $s, 1, 1>($tiles, $job, place, $scratch),
                }
                group += if pair { 2 } else { 1 };
            }
            token = first + rows;
        }
    }};
}

/// See `panel::scaled`.
///
/// # Safety
/// At least [`TILE_TOKENS`] tokens, slices checked, tiles configured, the instruction set present.
#[inline(always)]
pub(super) unsafe fn scaled<T: Tiles, S: Simd>(tiles: &mut T, d: &Scaled<'_>) {
    let mut sums = Sums([0; 4 * TILE_SUMS]);
    // SAFETY: the caller's promises.
    unsafe { blocks!(tiles, d, scaled_block, T, S, &mut sums) }
}

#[inline(always)]
unsafe fn clear<T: Tiles, const M: usize, const G: usize>(tiles: &mut T) {
    // SAFETY: the caller promises configured tiles.
    unsafe {
        tiles.zero::<0>();
        if G == 2 {
            tiles.zero::<1>();
        }
        if M == 2 {
            tiles.zero::<2>();
            if G == 2 {
                tiles.zero::<3>();
            }
        }
    }
}

/// Adds 64 columns to all sums.
#[inline(always)]
unsafe fn step<T: Tiles, const M: usize, const G: usize>(
    tiles: &mut T,
    x: *const i8,
    stride: usize,
    panel: *const u8,
    group_bytes: usize,
) {
    // SAFETY: the caller promises 64 columns of `M` tiles of tokens and of `G` groups.
    unsafe {
        tiles.load_b::<0>(panel);
        tiles.load_a::<0>(x, stride);
        tiles.dot::<0, 0>();
        if G == 2 {
            tiles.load_b::<1>(panel.add(group_bytes));
            tiles.dot::<0, 1>();
        }
        if M == 2 {
            tiles.load_a::<1>(x.add(TILE_TOKENS * stride), stride);
            tiles.dot::<1, 0>();
            if G == 2 {
                tiles.dot::<1, 1>();
            }
        }
    }
}

#[inline(always)]
unsafe fn store<T: Tiles, const M: usize, const G: usize>(tiles: &mut T, sums: &mut Sums) {
    // SAFETY: there is room for four tiles; the caller promises configured tiles.
    unsafe {
        let to = sums.0.as_mut_ptr();
        tiles.store::<0>(to);
        if G == 2 {
            tiles.store::<1>(to.add(TILE_SUMS));
        }
        if M == 2 {
            tiles.store::<2>(to.add(2 * TILE_SUMS));
            if G == 2 {
                tiles.store::<3>(to.add(3 * TILE_SUMS));
            }
        }
    }
}

/// The sums of row `row` of a block and its group `g`.
#[inline(always)]
unsafe fn sums_of<S: Simd>(sums: &Sums, row: usize, g: usize) -> S::I {
    let at = (row / TILE_TOKENS * 2 + g) * TILE_SUMS + row % TILE_TOKENS * GROUP_ROWS;
    // SAFETY: `row` is below 32 and `g` below 2.
    unsafe { S::iload(sums.0.as_ptr().add(at)) }
}

#[inline(always)]
unsafe fn scaled_block<T: Tiles, S: Simd, const M: usize, const G: usize>(
    tiles: &mut T,
    d: &Scaled<'_>,
    at: Place,
    sums: &mut Sums,
) {
    // SAFETY: as in `scaled`; a group is padded to whole tiles, and rows of activations may be read beyond their columns.
    unsafe {
        let group_bytes = padded(d.cols) * GROUP_ROWS;
        let n_scales = d.cols.div_ceil(X_SCALE_COLS);
        let n_weight_scales = d.cols.div_ceil(SCALE_COLS);
        let panel = d.panel.as_ptr().add(at.group * group_bytes);
        let x = d.x.as_ptr().add(at.token * d.stride);
        let mut totals = [[S::fzero(); G]; 2 * TILE_TOKENS];
        for k in 0..n_scales {
            clear::<T, M, G>(tiles);
            step::<T, M, G>(tiles, x.add(k * PAD_COLS), d.stride, panel.add(k * TILE_BYTES), group_bytes);
            store::<T, M, G>(tiles, sums);
            let mut scales = [S::fsplat(1.0); G];
            if !d.block_scales.is_empty() {
                for g in 0..G {
                    let block =
                        (d.first_group + at.group + g) * n_weight_scales + k * X_SCALE_COLS / SCALE_COLS;
                    scales[g] = S::fload(d.block_scales.as_ptr().add(block * GROUP_ROWS));
                }
            }
            for row in 0..M * TILE_TOKENS {
                let scale_at = (at.token + row) * n_scales + k;
                let x_sum = S::isplat(-*d.x_sums.get_unchecked(scale_at));
                let x_scale = S::fsplat(*d.x_scales.get_unchecked(scale_at));
                for g in 0..G {
                    let sum = S::iadd(sums_of::<S>(sums, row, g), x_sum);
                    totals[row][g] = S::fma(S::itof(sum), S::fmul(x_scale, scales[g]), totals[row][g]);
                }
            }
        }
        for token in at.store_from..at.token + M * TILE_TOKENS {
            for g in 0..G {
                let group = d.first_group + at.group + g;
                let mut y = totals[token - at.token][g];
                if !d.row_scales.is_empty() {
                    y = S::fmul(y, S::fload(d.row_scales.as_ptr().add(group * GROUP_ROWS)));
                }
                d.out.store::<S>(token, group, y);
            }
        }
    }
}
