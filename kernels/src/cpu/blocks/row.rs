//! One token against one group. Codes are used where they lie in their bytes as far as the instruction set allows, both planes of
//! activations are joined as integers, and the float operations are those of [`super::tile`] in the same order, so the bits
//! are the same. A group is one stream, see the layout in the parent module.

#![expect(unsafe_code, reason = "raw loads in the inner loop; the caller has checked every slice")]

use super::super::GROUP_ROWS;
use super::super::simd::Simd;
use super::unpack::Unpack;
use super::{Dots, STEP_COLS};

/// How far ahead of the reading memory is asked for: farther is slower on Zen 4, whose own prefetching does the rest.
const AHEAD_BYTES: usize = 512;

/// Group `d.groups[group]`; `d.tokens` is 1.
///
/// # Safety
/// `super::dots` has checked the slices; the instruction set is present.
#[inline(always)]
pub(super) unsafe fn row<S: Simd, U: Unpack>(d: &mut Dots<'_>, group: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let format = U::FORMAT;
        let offset = if U::SIGNED { S::SIGNED_BIAS } else { U::OFFSET };
        let weights = d.weights.as_ptr().add(d.groups[group] * format.group_bytes(d.steps));
        let mut total = S::fzero();
        for step in 0..d.steps {
            let place = format.place(step);
            let from = weights.add(place.codes);
            if step % format.pack_steps() == 0 {
                for line in (place.supers..place.codes).step_by(64) {
                    S::prefetch(weights.wrapping_add(line + AHEAD_BYTES));
                }
            }
            for line in (0..format.code_bytes()).step_by(64) {
                S::prefetch(from.wrapping_add(line + AHEAD_BYTES));
            }
            let high = d.x.as_ptr().add(step * STEP_COLS);
            let low = high.add(d.steps * STEP_COLS);
            // Of columns 0..16 and 16..32.
            let (mut high_sums, mut low_sums) = ([S::isplat(0); 2], [S::isplat(0); 2]);
            for j in 0..4 {
                let codes = U::line::<S>(from, j);
                for half in 0..2 {
                    let at = 16 * half + 4 * j;
                    high_sums[half] = dot::<S, U>(high_sums[half], codes[half], S::splat4(high.add(at)));
                    low_sums[half] = dot::<S, U>(low_sums[half], codes[half], S::splat4(low.add(at)));
                }
            }
            let first = S::join_planes(high_sums[0], low_sums[0]);
            let second = U::second_half::<S>(S::join_planes(high_sums[1], low_sums[1]));
            let (first_scale, second_scale, minimum) =
                U::scales::<S>(weights.add(place.scales), weights.add(place.supers));
            let scale = *d.x_scales.get_unchecked(step);
            let x_scale = S::fsplat(scale);
            let x_sums = [*d.x_sums.get_unchecked(2 * step), *d.x_sums.get_unchecked(2 * step + 1)];
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
        }
        S::fstore(d.out.as_mut_ptr().add(group * GROUP_ROWS), total);
    }
}

#[inline(always)]
unsafe fn dot<S: Simd, U: Unpack>(sum: S::I, codes: S::B, x: S::B) -> S::I {
    // SAFETY: registers only; the caller promises the instruction set.
    unsafe { if U::SIGNED { S::dot4_signed(sum, codes, x) } else { S::dot4(sum, codes, x) } }
}
