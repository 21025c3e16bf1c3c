//! One token against units of one, two or four groups. Codes are used where they lie in their bytes as far as the instruction set allows, both
//! planes of activations are joined as integers, and the float operations are those of [`super::tile`] in the same order, so the
//! bits are the same. A group is one stream, see the layout in the parent module.

#![expect(unsafe_code, reason = "raw loads in the inner loop; the caller has checked every slice")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::super::Isa;
use super::super::simd::Simd;
use super::unpack::Unpack;
use super::{Dots, Place, STEP_COLS};

/// Units of `G` groups; `d.tokens` is 1.
///
/// # Safety
/// `super::dots` has checked the slices; `range` are units of `d` with `G` groups each; the instruction set is present.
#[inline(always)]
pub(super) unsafe fn row<S: Simd, U: Unpack, const G: usize>(d: &Dots<'_>, range: std::ops::Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (steps, distance) = (d.steps, d.units.distance);
        let (x, x_scales, x_sums) = (d.x.as_ptr(), d.x_scales.as_ptr(), d.x_sums.as_ptr());
        let bytes = U::FORMAT.group_bytes(steps);
        let mut first = d.weights.as_ptr().add(range.start * bytes);
        let (out, ahead) = (d.out, Isa::reading().ahead_bytes);
        for unit in range {
            let mut weights = [first; G];
            for g in 1..G {
                weights[g] = first.add(g * distance * bytes);
            }
            let mut totals = [S::fzero(); G];
            for step in 0..steps {
                let place = U::FORMAT.place(step);
                let high = x.add(step * STEP_COLS);
                let low = high.add(steps * STEP_COLS);
                // Of the high and the low plane, columns 0..16 and 16..32 of each.
                let mut sums = [[[S::isplat(0); 2]; 2]; G];
                if ahead > 0 {
                    for g in 0..G {
                        ask::<S, U>(weights[g].wrapping_add(ahead), place, step);
                    }
                }
                for j in 0..4 {
                    for half in 0..2 {
                        let at = 16 * half + 4 * j;
                        let (high, low) = (S::splat4(high.add(at)), S::splat4(low.add(at)));
                        for g in 0..G {
                            let codes = U::line::<S>(weights[g].add(place.codes), j)[half];
                            sums[g][0][half] = dot::<S, U>(sums[g][0][half], codes, high);
                            sums[g][1][half] = dot::<S, U>(sums[g][1][half], codes, low);
                        }
                    }
                }
                let x_scale = *x_scales.add(step);
                let x_sums = [*x_sums.add(2 * step), *x_sums.add(2 * step + 1)];
                for g in 0..G {
                    let [high, low] = sums[g];
                    let halves = [S::join_planes(high[0], low[0]), S::join_planes(high[1], low[1])];
                    let scales = U::scales::<S>(weights[g].add(place.scales), weights[g].add(place.supers));
                    totals[g] = add_step::<S, U>(totals[g], halves, scales, x_scale, x_sums);
                }
            }
            for g in 0..G {
                out.store::<S>(0, unit + g * distance, totals[g]);
            }
            first = first.add(bytes);
        }
    }
}

/// Asks for the lines of `step` of the group at `weights`.
#[inline(always)]
unsafe fn ask<S: Simd, U: Unpack>(weights: *const u8, place: Place, step: usize) {
    let first = if step.is_multiple_of(U::FORMAT.pack_steps()) { place.supers } else { place.codes };
    for line in (first..place.codes + U::FORMAT.code_bytes()).step_by(64) {
        // SAFETY: a prefetch reads nothing; the caller promises the instruction set.
        unsafe { S::prefetch(weights.wrapping_add(line)) }
    }
}

/// Scales the sums of both halves of a step and adds them to `total`.
#[inline(always)]
unsafe fn add_step<S: Simd, U: Unpack>(
    mut total: S::F,
    halves: [S::I; 2],
    (first_scale, second_scale, minimum): (S::F, S::F, S::F),
    scale: f32,
    x_sums: [i32; 2],
) -> S::F {
    // SAFETY: registers only; the caller promises the instruction set.
    unsafe {
        let offset = if U::SIGNED { S::SIGNED_BIAS } else { U::OFFSET };
        let x_scale = S::fsplat(scale);
        let [first, second] = [halves[0], U::second_half::<S>(halves[1])];
        if U::HALVES {
            let first = S::iadd(first, S::isplat(-offset * x_sums[0]));
            let second = S::iadd(second, S::isplat(-offset * x_sums[1]));
            total = S::fma(S::itof(first), S::fmul(first_scale, x_scale), total);
            total = S::fma(S::itof(second), S::fmul(second_scale, x_scale), total);
        } else {
            let mut sum = S::iadd(first, second);
            if offset != 0 {
                sum = S::iadd(sum, S::isplat(-offset * (x_sums[0] + x_sums[1])));
            }
            total = S::fma(S::itof(sum), S::fmul(first_scale, x_scale), total);
        }
        if U::MINIMUM {
            total = S::fma(minimum, S::fsplat(scale * (x_sums[0] + x_sums[1]) as f32), total);
        }
        total
    }
}

#[inline(always)]
unsafe fn dot<S: Simd, U: Unpack>(sum: S::I, codes: S::B, x: S::B) -> S::I {
    // SAFETY: registers only; the caller promises the instruction set.
    unsafe { if U::SIGNED { S::dot4_signed(sum, codes, x) } else { S::dot4(sum, codes, x) } }
}
