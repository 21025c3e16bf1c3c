//! Panels of ternary codes 0..=2 against int8 activations: with one scale a row of activations the sums are exact integers, with
//! a scale for each 64 columns integers within a block and floats across.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

#[cfg(target_arch = "x86_64")]
use super::super::amx;
use super::super::simd::Simd;
use super::super::ternary::{SCALE_COLS, X_SCALE_COLS};
use super::super::{GROUP_ROWS, Isa, Outputs, dispatch};
use super::{LINE_BYTES, PAD_COLS, PANEL_GROUPS, padded};

/// Columns of a line.
const LINE_COLS: usize = 4;

/// W1.58A8: `(sum of code * x - sum of x) * (x_scale * row_scale)`, the sums exact.
#[derive(Debug)]
pub struct Exact<'a> {
    /// Codes of `groups` groups, in the order of the parent module.
    pub panel: &'a [u8],
    /// Columns, a multiple of 4; the panel has `padded(cols)`.
    pub cols: usize,
    /// Number of the first group in the matrix.
    pub first_group: usize,
    /// Groups of the panel, at most [`PANEL_GROUPS`].
    pub groups: usize,
    /// Scale of each row of the matrix, padded to whole groups.
    pub row_scales: &'a [f32],
    /// Activations `[tokens, stride]`, zero beyond the real columns, each at least -127; then [`PAD_COLS`] more of any value.
    pub x: &'a [i8],
    /// Elements between rows of `x`, at least `cols`.
    pub stride: usize,
    /// Scale of each row of activations.
    pub x_scales: &'a [f32],
    /// Sum of each row of activations.
    pub x_sums: &'a [i32],
    /// Rows of `x`.
    pub tokens: usize,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

/// As [`Exact`], with activation scales for each 64 columns and weight scales for each row or each 256 columns.
#[derive(Debug)]
pub struct Scaled<'a> {
    /// Codes of `groups` groups.
    pub panel: &'a [u8],
    /// Columns, a multiple of 4; the panel has `padded(cols)`.
    pub cols: usize,
    /// Number of the first group in the matrix.
    pub first_group: usize,
    /// Groups of the panel, at most [`PANEL_GROUPS`].
    pub groups: usize,
    /// Scale of each row of the matrix, multiplied in at the end, or empty for 1.
    pub row_scales: &'a [f32],
    /// f32 `[groups of the matrix, cols / 256 rounded up, 16 rows]`, or empty for 1.
    pub block_scales: &'a [f32],
    /// Activations `[tokens, stride]`, zero beyond the real columns; then [`PAD_COLS`] more of any value.
    pub x: &'a [i8],
    /// Elements between rows of `x`, at least `cols`.
    pub stride: usize,
    /// Scale of each 64 columns, `[tokens, cols / 64 rounded up]`.
    pub x_scales: &'a [f32],
    /// Sum of each 64 columns, same shape.
    pub x_sums: &'a [i32],
    /// Rows of `x`.
    pub tokens: usize,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

/// Multiplies a panel with all rows of activations. Where there are matrix tiles, `tiled::exact` is the faster way.
///
/// # Panics
/// When a slice is too short for its description.
pub fn exact(isa: Isa, d: &mut Exact<'_>) {
    check(d.panel, d.cols, d.groups, d.x, d.stride, d.tokens);
    assert!(d.row_scales.len() >= (d.first_group + d.groups) * GROUP_ROWS, "scales of the rows");
    assert!(d.x_scales.len() >= d.tokens && d.x_sums.len() >= d.tokens, "scales and sums of the activations");
    d.out.check(d.tokens);
    dispatch!(isa, run_exact, d, &mut Exact<'_>);
}

/// Multiplies a panel with all rows of activations; float operations in the order of `ternary::block_dots`.
///
/// # Panics
/// When a slice is too short for its description.
pub fn scaled(isa: Isa, d: &mut Scaled<'_>) {
    check(d.panel, d.cols, d.groups, d.x, d.stride, d.tokens);
    let last_row = (d.first_group + d.groups) * GROUP_ROWS;
    assert!(d.row_scales.is_empty() || d.row_scales.len() >= last_row, "scales of the rows");
    let blocks = d.cols.div_ceil(SCALE_COLS);
    assert!(d.block_scales.is_empty() || d.block_scales.len() >= last_row * blocks, "scales of the blocks");
    let n = d.tokens * d.cols.div_ceil(X_SCALE_COLS);
    assert!(d.x_scales.len() >= n && d.x_sums.len() >= n, "scales and sums of the activations");
    d.out.check(d.tokens);
    #[cfg(target_arch = "x86_64")]
    if isa.has_tiles() && d.tokens >= amx::LEAST_TOKENS {
        // SAFETY: this instruction set is only made where tiles are granted; the arguments were checked above.
        unsafe { amx::scaled(d) };
        return;
    }
    dispatch!(isa, run_scaled, d, &mut Scaled<'_>);
}

fn check(panel: &[u8], cols: usize, groups: usize, x: &[i8], stride: usize, tokens: usize) {
    assert!(groups <= PANEL_GROUPS && cols.is_multiple_of(LINE_COLS), "shape of the panel");
    assert!(panel.len() >= groups * padded(cols) * GROUP_ROWS, "codes of the panel");
    assert!(stride >= cols && x.len() >= tokens * stride + PAD_COLS, "rows of activations");
}

/// Calls `$tile::<S, groups, tokens>(job, group, token)` until all groups and tokens are done, `$most` tokens at a time where
/// there are registers for them.
macro_rules! tiles {
    ($simd:ident, $job:ident, $tile:ident, $most:literal) => {{
        let mut token = 0;
        while token < $job.tokens {
            let (mut group, mut tokens) = (0, 0);
            while group < $job.groups {
                let pair = $simd::WIDE && group + 2 <= $job.groups;
                tokens = match ($job.tokens - token, $simd::WIDE, pair) {
                    ($most.., true, true) => $tile::<$simd, 2, $most>($job, group, token),
                    ($most.., true, false) => $tile::<$simd, 1, $most>($job, group, token),
                    (4.., _, true) => $tile::<$simd, 2, 4>($job, group, token),
                    (4.., _, false) => $tile::<$simd, 1, 4>($job, group, token),
                    (_, _, true) => $tile::<$simd, 2, 1>($job, group, token),
                    (_, _, false) => $tile::<$simd, 1, 1>($job, group, token),
                };
                group += if pair { 2 } else { 1 };
            }
            token += tokens;
        }
    }};
}

#[inline(always)]
unsafe fn run_exact<S: Simd>(d: &mut Exact<'_>) {
    // SAFETY: `exact` checked every slice; the caller promises the instruction set.
    unsafe { tiles!(S, d, exact_tile, 12) }
}

#[inline(always)]
unsafe fn run_scaled<S: Simd>(d: &mut Scaled<'_>) {
    // SAFETY: `scaled` checked every slice; the caller promises the instruction set.
    unsafe { tiles!(S, d, scaled_tile, 6) }
}

/// Adds lines `lines` of `G` groups times `N` rows of activations to `sums`.
#[inline(always)]
unsafe fn add_lines<S: Simd, const G: usize, const N: usize>(
    sums: &mut [[S::I; G]; N],
    panel: *const u8,
    group_bytes: usize,
    lines: std::ops::Range<usize>,
    x: *const i8,
    stride: usize,
) {
    // SAFETY: the caller promises `lines` in each group of the panel and in each row of activations.
    unsafe {
        for line in lines {
            let mut codes = [S::bsplat(0); G];
            for g in 0..G {
                codes[g] = S::bload(panel.add(g * group_bytes + line * LINE_BYTES));
            }
            for n in 0..N {
                let x = S::splat4(x.add(n * stride + line * LINE_COLS));
                for g in 0..G {
                    sums[n][g] = S::dot4(sums[n][g], codes[g], x);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn exact_tile<S: Simd, const G: usize, const N: usize>(
    d: &Exact<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_exact`.
    unsafe {
        let group_bytes = padded(d.cols) * GROUP_ROWS;
        let mut sums = [[S::isplat(0); G]; N];
        let panel = d.panel.as_ptr().add(group * group_bytes);
        let x = d.x.as_ptr().add(token * d.stride);
        add_lines::<S, G, N>(&mut sums, panel, group_bytes, 0..d.cols / LINE_COLS, x, d.stride);
        for n in 0..N {
            let x_sum = S::isplat(-*d.x_sums.get_unchecked(token + n));
            let x_scale = S::fsplat(*d.x_scales.get_unchecked(token + n));
            for g in 0..G {
                let at = d.first_group + group + g;
                let scale = S::fload(d.row_scales.as_ptr().add(at * GROUP_ROWS));
                let y = S::fmul(S::itof(S::iadd(sums[n][g], x_sum)), S::fmul(x_scale, scale));
                d.out.store::<S>(token + n, at, y);
            }
        }
        N
    }
}

#[inline(always)]
unsafe fn scaled_tile<S: Simd, const G: usize, const N: usize>(
    d: &Scaled<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_scaled`.
    unsafe {
        let group_bytes = padded(d.cols) * GROUP_ROWS;
        let n_scales = d.cols.div_ceil(X_SCALE_COLS);
        let n_weight_scales = d.cols.div_ceil(SCALE_COLS);
        let panel = d.panel.as_ptr().add(group * group_bytes);
        let x = d.x.as_ptr().add(token * d.stride);
        let mut totals = [[S::fzero(); G]; N];
        for scale in 0..n_scales {
            let mut sums = [[S::isplat(0); G]; N];
            for n in 0..N {
                sums[n] = [S::isplat(-*d.x_sums.get_unchecked((token + n) * n_scales + scale)); G];
            }
            let lines =
                scale * X_SCALE_COLS / LINE_COLS..((scale + 1) * X_SCALE_COLS).min(d.cols) / LINE_COLS;
            add_lines::<S, G, N>(&mut sums, panel, group_bytes, lines, x, d.stride);
            let mut weight_scales = [S::fsplat(1.0); G];
            if !d.block_scales.is_empty() {
                for g in 0..G {
                    let block =
                        (d.first_group + group + g) * n_weight_scales + scale * X_SCALE_COLS / SCALE_COLS;
                    weight_scales[g] = S::fload(d.block_scales.as_ptr().add(block * GROUP_ROWS));
                }
            }
            for n in 0..N {
                let x_scale = S::fsplat(*d.x_scales.get_unchecked((token + n) * n_scales + scale));
                for g in 0..G {
                    let factor = S::fmul(x_scale, weight_scales[g]);
                    totals[n][g] = S::fma(S::itof(sums[n][g]), factor, totals[n][g]);
                }
            }
        }
        for n in 0..N {
            for g in 0..G {
                let at = d.first_group + group + g;
                let mut y = totals[n][g];
                if !d.row_scales.is_empty() {
                    y = S::fmul(y, S::fload(d.row_scales.as_ptr().add(at * GROUP_ROWS)));
                }
                d.out.store::<S>(token + n, at, y);
            }
        }
        N
    }
}
