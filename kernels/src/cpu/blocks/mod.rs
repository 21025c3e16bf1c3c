//! Products with block-quantised matrices (the Q formats of GGUF) against activations rounded to 16 bits per 32 columns: here for
//! few tokens, with the activations in two int8 planes, in [`panel`] for many, with the activations as words. Integer sums of a
//! step are exact and float sums have one order, so both give the same bits.
//!
//! Layout: groups of sixteen rows, each of `steps` steps of 32 columns. Steps stand in packs of as many as fill a cache line with
//! scales: a pack holds super-scales, then the scales of its steps, then their codes. So a group is read from front to back, one
//! stream that the memory's own prefetching follows (with all scales behind all codes a core read a third as fast).
//!
//! ```text
//! pack    1 step   Q4_1, Q5_1        2 steps   Q8_0, Q4_0, Q5_0        8 steps   Q4_K, Q5_K, Q6_K        the last may be shorter
//! codes   8 bits   8 x 64 bytes: byte 4 r + t of part j = row r, column 4 j + t; code = weight + 128
//!         4 bits   4 x 64 bytes: low nibble column 4 j + t, high nibble column 16 + 4 j + t
//!         5 bits   the same, then 64 bytes: bit j of byte 4 r + t = fifth bit of column 4 j + t
//!         6 bits   the same, then 2 x 64 bytes: bits 2 (j % 4) .. of byte 4 r + t of part j / 4 = upper bits of column 4 j + t
//! scales  f16[16], and f16[16] minima for Q4_1 and Q5_1; u8[16] scales and u8[16] minima for Q4_K and Q5_K; i8[2][16] for Q6_K
//! supers  f16[16] and 32 spare bytes (Q6_K), f16[16] scales and f16[16] minima (Q4_K, Q5_K)
//! ```

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use std::sync::atomic::{Ordering, compiler_fence};

use super::simd::Simd;
use super::{Isa, Outputs, Units, dispatch};
use unpack::{Unpack, with_format};

pub mod panel;
mod row;
mod unpack;

/// Columns in a step, which share one activation scale.
pub const STEP_COLS: usize = 32;

/// How a weight follows from its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `d (code - 128)`, 8 bits.
    Q8_0,
    /// `d (code - 8)`, 4 bits.
    Q4_0,
    /// `d code + m`, 4 bits.
    Q4_1,
    /// `d (code - 16)`, 5 bits.
    Q5_0,
    /// `d code + m`, 5 bits.
    Q5_1,
    /// `D scale code - M minimum`, 4 bits.
    Q4K,
    /// `D scale code - M minimum`, 5 bits.
    Q5K,
    /// `D scale (code - 32)`, 6 bits, a scale for each 16 columns.
    Q6K,
}

impl Format {
    /// Bytes of codes of one step of a group.
    pub const fn code_bytes(self) -> usize {
        match self {
            Self::Q8_0 => 512,
            Self::Q4_0 | Self::Q4_1 | Self::Q4K => 256,
            Self::Q5_0 | Self::Q5_1 | Self::Q5K => 320,
            Self::Q6K => 384,
        }
    }

    /// Bytes of scales of one step of a group.
    pub const fn scale_bytes(self) -> usize {
        match self {
            Self::Q8_0 | Self::Q4_0 | Self::Q5_0 | Self::Q4K | Self::Q5K | Self::Q6K => 32,
            Self::Q4_1 | Self::Q5_1 => 64,
        }
    }

    /// Steps of a pack.
    pub const fn pack_steps(self) -> usize {
        match self {
            Self::Q4_1 | Self::Q5_1 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q5_0 => 2,
            Self::Q4K | Self::Q5K | Self::Q6K => 8,
        }
    }

    /// Bytes of super-scales of a pack.
    const fn super_bytes(self) -> usize {
        match self {
            Self::Q4K | Self::Q5K | Self::Q6K => 64,
            _ => 0,
        }
    }

    /// Bytes in front of the codes of a pack, a multiple of 64.
    const fn head_bytes(self) -> usize {
        self.super_bytes() + self.pack_steps() * self.scale_bytes()
    }

    /// Bytes of a pack, a multiple of 64.
    const fn pack_bytes(self) -> usize {
        self.head_bytes() + self.pack_steps() * self.code_bytes()
    }

    /// Bytes of a group of `steps` steps, a multiple of 64.
    pub fn group_bytes(self, steps: usize) -> usize {
        let heads = steps.div_ceil(self.pack_steps()) * self.head_bytes();
        heads + steps * self.code_bytes()
    }

    /// Where a step lies in its group.
    #[inline(always)]
    pub const fn place(self, step: usize) -> Place {
        let (pack, sub) = (step / self.pack_steps() * self.pack_bytes(), step % self.pack_steps());
        Place {
            supers: pack,
            scales: pack + self.super_bytes() + sub * self.scale_bytes(),
            codes: pack + self.head_bytes() + sub * self.code_bytes(),
        }
    }
}

/// Offsets of the parts of a step from the beginning of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Super-scales of its pack; the scales where the format has none.
    pub supers: usize,
    /// Scales.
    pub scales: usize,
    /// Codes.
    pub codes: usize,
}

/// Some groups of a matrix against some rows of activations in two planes, see `rounding`.
#[derive(Debug)]
pub struct Dots<'a> {
    /// Whole matrix in the layout above.
    pub weights: &'a [u8],
    /// How weights follow from codes.
    pub format: Format,
    /// Steps in a group.
    pub steps: usize,
    /// Groups to compute; for one token the four or two of a unit are read as streams.
    pub units: Units,
    /// Activations `[tokens, 2, steps * 32]`: high, low; each at least -127.
    pub x: &'a [i8],
    /// Scale of each 32 columns, `[tokens, steps]`.
    pub x_scales: &'a [f32],
    /// Sum of each 16 activations `256 high + low`, `[tokens, steps * 2]`.
    pub x_sums: &'a [i32],
    /// Rows of activations.
    pub tokens: usize,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

/// Float sums of exact integer products of a step (half a step for Q6_K), in step order.
///
/// # Panics
/// When a slice is too short for its description.
pub fn dots(isa: Isa, dots: &mut Dots<'_>) {
    dots.units.check();
    let bytes = dots.format.group_bytes(dots.steps).checked_mul(dots.units.parts);
    assert!(bytes.is_some_and(|bytes| bytes <= dots.weights.len()), "all groups lie in the matrix");
    assert!(dots.x.len() >= dots.tokens * 2 * dots.steps * STEP_COLS, "rows of activations");
    assert!(dots.x_scales.len() >= dots.tokens * dots.steps, "scales of the activations");
    assert!(dots.x_sums.len() >= dots.tokens * dots.steps * 2, "sums of the activations");
    dots.out.check(dots.tokens);
    dispatch!(isa, run, dots, &mut Dots<'_>);
}

#[inline(always)]
unsafe fn run<S: Simd>(d: &mut Dots<'_>) {
    // SAFETY: `dots` checked every slice; the caller promises the instruction set.
    unsafe { with_format!(d.format, U => run_as::<S, U>(d)) }
}

#[inline(always)]
unsafe fn run_as<S: Simd, U: Unpack>(d: &mut Dots<'_>) {
    // SAFETY: as in `run`.
    unsafe {
        if d.tokens == 1 {
            for range in d.units.even() {
                match d.units.streams(range.start) {
                    _ if range.is_empty() => {}
                    4 if S::WIDE => row::row::<S, U, 4>(d, range),
                    2 if S::WIDE => row::row::<S, U, 2>(d, range),
                    1 => row::row::<S, U, 1>(d, range),
                    streams => {
                        for stream in 0..streams {
                            let first = d.units.part(range.start, stream);
                            row::row::<S, U, 1>(d, first..first + range.len());
                        }
                    }
                }
            }
            return;
        }
        for unit in d.units.range.clone() {
            for stream in 0..d.units.streams(unit) {
                let group = d.units.part(unit, stream);
                let mut token = 0;
                while token < d.tokens {
                    token += match d.tokens - token {
                        4.. if S::WIDE => tile::<S, U, 4>(d, group, token),
                        _ => tile::<S, U, 1>(d, group, token),
                    };
                }
            }
        }
    }
}

/// Adds four vectors of codes times sixteen columns of activations to `sum`.
#[inline(always)]
unsafe fn sixteen<S: Simd, U: Unpack>(mut sum: S::I, codes: &[S::B; 8], first: usize, x: *const i8) -> S::I {
    // SAFETY: the caller promises 16 readable activations and the instruction set.
    unsafe {
        for j in 0..4 {
            let x = S::splat4(x.add(4 * j));
            sum = if U::SIGNED {
                S::dot4_signed(sum, codes[first + j], x)
            } else {
                S::dot4(sum, codes[first + j], x)
            };
        }
        sum
    }
}

#[inline(always)]
unsafe fn tile<S: Simd, U: Unpack, const N: usize>(d: &Dots<'_>, group: usize, token: usize) -> usize {
    // SAFETY: as in `run`.
    unsafe {
        let format = U::FORMAT;
        let offset = if U::SIGNED { S::SIGNED_BIAS } else { U::OFFSET };
        let cols = d.steps * STEP_COLS;
        let mut totals = [S::fzero(); N];
        let weights = d.weights.as_ptr().add(group * format.group_bytes(d.steps));
        for step in 0..d.steps {
            let place = format.place(step);
            let from = weights.add(place.codes);
            for line in 0..format.code_bytes() / 64 {
                S::prefetch(from.wrapping_add(512 + 64 * line));
            }
            let codes = U::codes::<S>(from);
            let (first_scale, second_scale, minimum) =
                U::scales::<S>(weights.add(place.scales), weights.add(place.supers));
            for n in 0..N {
                // Keeps the compiler from loading the activations of all tokens first, which needs more registers than there are.
                compiler_fence(Ordering::SeqCst);
                let at = (token + n) * d.steps + step;
                let high = d.x.as_ptr().add((token + n) * 2 * cols + step * STEP_COLS);
                let low = high.add(cols);
                let scale = *d.x_scales.get_unchecked(at);
                let sums = [*d.x_sums.get_unchecked(2 * at), *d.x_sums.get_unchecked(2 * at + 1)];
                let first = sixteen::<S, U>(S::isplat(-offset * sums[0]), &codes, 0, low);
                let first_high = sixteen::<S, U>(S::isplat(0), &codes, 0, high);
                let second = sixteen::<S, U>(S::isplat(-offset * sums[1]), &codes, 4, low.add(16));
                let second_high = sixteen::<S, U>(S::isplat(0), &codes, 4, high.add(16));
                let first = S::join_planes(first_high, first);
                let second = S::join_planes(second_high, second);
                let x_scale = S::fsplat(scale);
                let mut total = totals[n];
                if U::HALVES {
                    total = S::fma(S::itof(first), S::fmul(first_scale, x_scale), total);
                    total = S::fma(S::itof(second), S::fmul(second_scale, x_scale), total);
                } else {
                    total = S::fma(S::itof(S::iadd(first, second)), S::fmul(first_scale, x_scale), total);
                }
                if U::MINIMUM {
                    total = S::fma(minimum, S::fsplat(scale * (sums[0] + sums[1]) as f32), total);
                }
                totals[n] = total;
            }
        }
        for n in 0..N {
            d.out.store::<S>(token + n, group, totals[n]);
        }
        N
    }
}
