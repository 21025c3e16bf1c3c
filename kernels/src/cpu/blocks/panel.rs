//! Q formats against many tokens: the weights of a panel are words `code - offset` of 16 bits, multiplied with the activations
//! as words, so that one `vpdpwssd` does the work of a `vpdpbusd` a plane and nothing is left to join or to correct.
//!
//! Order of a panel: groups; a group is `steps` steps of 16 lines, then `steps` steps of scale lines. Line 2 j of a step holds
//! columns `4 j` and `4 j + 2` of row r in bytes `4 r ..`, line `2 j + 1` columns `4 j + 1` and `4 j + 3`: words are made from
//! bytes without a shuffle that way. Scale lines are f32 for each row: scale, for Q6_K the scale of the second half, the minimum
//! where there is one.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::panel::{LINE_BYTES, Memory};
use super::super::simd::Simd;
use super::super::{GROUP_ROWS, Isa, Outputs, dispatch};
use super::unpack::{Unpack, with_format};
use super::{Format, STEP_COLS};

/// Most groups of a panel of words, which take twice the memory of bytes.
pub const PANEL_GROUPS: usize = 2;
/// Lines of words in a step.
const STEP_LINES: usize = STEP_COLS / 2;

/// Some groups of a matrix against rows of activations.
#[derive(Debug)]
pub struct Product<'a> {
    /// Whole matrix in the layout of the parent module.
    pub weights: &'a [u8],
    /// How weights follow from codes.
    pub format: Format,
    /// Steps in a group.
    pub steps: usize,
    /// Number of the first group.
    pub first_group: usize,
    /// Groups, at most [`PANEL_GROUPS`].
    pub groups: usize,
    /// Activations `[tokens, steps * 32]` as `rounding` makes them.
    pub x: &'a [i16],
    /// Scale of each 32 columns, `[tokens, steps]`.
    pub x_scales: &'a [f32],
    /// Sum of each 32 columns times their scale, `[tokens, steps]`.
    pub block_sums: &'a [f32],
    /// Rows of activations.
    pub tokens: usize,
    /// Memory for the panel.
    pub memory: &'a mut Memory,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

/// The same bits as `super::dots`.
///
/// # Panics
/// When a slice is too short for its description.
pub fn multiply(isa: Isa, d: &mut Product<'_>) {
    assert!(d.groups <= PANEL_GROUPS, "at most {PANEL_GROUPS} groups");
    let last = d.first_group + d.groups;
    assert!(d.weights.len() >= last * d.format.group_bytes(d.steps), "group {last} ends in the matrix");
    assert!(d.x.len() >= d.tokens * d.steps * STEP_COLS, "rows of activations");
    assert!(d.x_scales.len() >= d.tokens * d.steps, "scales of the activations");
    assert!(d.block_sums.len() >= d.tokens * d.steps, "sums of the activations");
    d.out.check(d.tokens);
    dispatch!(isa, run, d, &mut Product<'_>);
}

/// Scale lines of a step.
const fn scale_lines<U: Unpack>() -> usize {
    1 + U::HALVES as usize + U::MINIMUM as usize
}

/// A panel that has been expanded.
#[derive(Clone, Copy)]
struct Panel {
    words: *const u8,
    scales: *const u8,
    group_bytes: usize,
}

#[inline(always)]
unsafe fn run<S: Simd>(d: &mut Product<'_>) {
    // SAFETY: `multiply` checked every slice; the caller promises the instruction set.
    unsafe { with_format!(d.format, U => run_as::<S, U>(d)) }
}

#[inline(always)]
unsafe fn run_as<S: Simd, U: Unpack>(d: &mut Product<'_>) {
    // SAFETY: as in `run`; the memory holds `groups` groups of the panel.
    unsafe {
        let words_bytes = d.steps * STEP_LINES * LINE_BYTES;
        let group_bytes = words_bytes + d.steps * scale_lines::<U>() * LINE_BYTES;
        let memory = d.memory.bytes(d.groups * group_bytes).as_mut_ptr();
        for group in 0..d.groups {
            let to = memory.add(group * group_bytes);
            expand::<S, U>(d, d.first_group + group, to, to.add(words_bytes));
        }
        let panel = Panel { words: memory, scales: memory.add(words_bytes), group_bytes };
        let mut group = 0;
        while group < d.groups {
            let pair = S::WIDE && group + 2 <= d.groups;
            let panel = Panel {
                words: panel.words.add(group * group_bytes),
                scales: panel.scales.add(group * group_bytes),
                group_bytes,
            };
            let mut token = 0;
            while token < d.tokens {
                token += match (d.tokens - token, pair) {
                    (6.., true) => tile::<S, U, 2, 6>(d, panel, group, token),
                    (4.., true) => tile::<S, U, 2, 4>(d, panel, group, token),
                    (_, true) => tile::<S, U, 2, 1>(d, panel, group, token),
                    (2.., false) => tile::<S, U, 1, 2>(d, panel, group, token),
                    _ => tile::<S, U, 1, 1>(d, panel, group, token),
                };
            }
            group += if pair { 2 } else { 1 };
        }
    }
}

/// Writes the words and scales of one group.
#[inline(always)]
unsafe fn expand<S: Simd, U: Unpack>(d: &Product<'_>, group: usize, words: *mut u8, scales: *mut u8) {
    // SAFETY: as in `run_as`.
    unsafe {
        let format = U::FORMAT;
        let offset = if U::SIGNED { 128 } else { U::OFFSET as i16 };
        let from = d.weights.as_ptr().add(group * format.group_bytes(d.steps));
        for step in 0..d.steps {
            let place = format.place(step);
            let codes = U::codes::<S>(from.add(place.codes));
            for (j, codes) in codes.into_iter().enumerate() {
                let [even, odd] = S::widen(codes, offset);
                let to = words.add((step * STEP_LINES + 2 * j) * LINE_BYTES);
                S::bstore(to, even);
                S::bstore(to.add(LINE_BYTES), odd);
            }
            let (first, second, minimum) = U::scales::<S>(from.add(place.scales), from.add(place.supers));
            let to = scales.add(step * scale_lines::<U>() * LINE_BYTES).cast::<f32>();
            S::fstore(to, first);
            if U::HALVES {
                S::fstore(to.add(GROUP_ROWS), second);
            }
            if U::MINIMUM {
                S::fstore(to.add((scale_lines::<U>() - 1) * GROUP_ROWS), minimum);
            }
        }
    }
}

/// What `lines` lines of `G` groups times `N` rows of activations add up to.
#[inline(always)]
unsafe fn sums<S: Simd, const G: usize, const N: usize>(
    words: *const u8,
    group_bytes: usize,
    lines: usize,
    x: *const i16,
    cols: usize,
) -> [[S::I; G]; N] {
    // SAFETY: the caller promises the lines in each group and two columns a line in each row of activations.
    unsafe {
        let mut sums = [[S::isplat(0); G]; N];
        for line in 0..lines {
            let mut w = [S::bsplat(0); G];
            for g in 0..G {
                w[g] = S::bload(words.add(g * group_bytes + line * LINE_BYTES));
            }
            for n in 0..N {
                let x = S::splat4(x.add(n * cols + 2 * line).cast());
                for g in 0..G {
                    sums[n][g] = S::dot2(sums[n][g], w[g], x);
                }
            }
        }
        sums
    }
}

/// `totals + sums * (scale * x_scale)`; `scales` is a scale line, `x_scales` the step's scale of the first row of `steps`.
#[inline(always)]
unsafe fn add_scaled<S: Simd, const G: usize, const N: usize>(
    mut totals: [[S::F; G]; N],
    sums: [[S::I; G]; N],
    scales: *const u8,
    group_bytes: usize,
    x_scales: *const f32,
    steps: usize,
) -> [[S::F; G]; N] {
    // SAFETY: the caller promises a scale line in each group and a scale in each row of activations.
    unsafe {
        let mut weight_scales = [S::fzero(); G];
        for g in 0..G {
            weight_scales[g] = S::fload(scales.add(g * group_bytes).cast());
        }
        for n in 0..N {
            let x_scale = S::fsplat(*x_scales.add(n * steps));
            for g in 0..G {
                let factor = S::fmul(weight_scales[g], x_scale);
                totals[n][g] = S::fma(S::itof(sums[n][g]), factor, totals[n][g]);
            }
        }
        totals
    }
}

/// `N` rows of activations against `G` groups; returns `N`.
#[inline(always)]
unsafe fn tile<S: Simd, U: Unpack, const G: usize, const N: usize>(
    d: &Product<'_>,
    panel: Panel,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run_as`.
    unsafe {
        let (steps, cols, group_bytes) = (d.steps, d.steps * STEP_COLS, panel.group_bytes);
        let mut totals = [[S::fzero(); G]; N];
        let mut words = panel.words;
        let mut scales = panel.scales;
        let mut x = d.x.as_ptr().add(token * cols);
        let mut x_scales = d.x_scales.as_ptr().add(token * steps);
        let mut block_sums = d.block_sums.as_ptr().add(token * steps);
        for _ in 0..steps {
            if U::HALVES {
                let half = STEP_LINES / 2;
                let first = sums::<S, G, N>(words, group_bytes, half, x, cols);
                totals = add_scaled::<S, G, N>(totals, first, scales, group_bytes, x_scales, steps);
                let words = words.add(half * LINE_BYTES);
                let second = sums::<S, G, N>(words, group_bytes, half, x.add(STEP_COLS / 2), cols);
                let scales = scales.add(LINE_BYTES);
                totals = add_scaled::<S, G, N>(totals, second, scales, group_bytes, x_scales, steps);
            } else {
                let all = sums::<S, G, N>(words, group_bytes, STEP_LINES, x, cols);
                totals = add_scaled::<S, G, N>(totals, all, scales, group_bytes, x_scales, steps);
            }
            if U::MINIMUM {
                let mut minima = [S::fzero(); G];
                for g in 0..G {
                    minima[g] = S::fload(scales.add(g * group_bytes + LINE_BYTES).cast());
                }
                for n in 0..N {
                    let sum = S::fsplat(*block_sums.add(n * steps));
                    for g in 0..G {
                        totals[n][g] = S::fma(minima[g], sum, totals[n][g]);
                    }
                }
            }
            words = words.add(STEP_LINES * LINE_BYTES);
            scales = scales.add(scale_lines::<U>() * LINE_BYTES);
            x = x.add(STEP_COLS);
            x_scales = x_scales.add(1);
            block_sums = block_sums.add(1);
        }
        for n in 0..N {
            for g in 0..G {
                d.out.store::<S>(token + n, d.first_group + group + g, totals[n][g]);
            }
        }
        N
    }
}
