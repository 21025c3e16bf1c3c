//! How fast one thread can multiply bytes: the ceiling that prefill is compared with.

#![expect(unsafe_code, reason = "calls of the instruction set's operations")]

use super::simd::{Simd, sum_lanes};
use super::{Isa, dispatch};

/// Independent sums, more than the instruction's latency needs.
const SUMS: usize = 12;
/// Products of a dot instruction over all lanes.
const PRODUCTS: usize = 64;

/// Runs `rounds` rounds of byte dot products in registers; returns how many products that were, and a number that depends on
/// them, so that the work cannot be left out.
pub fn multiply(isa: Isa, rounds: usize) -> (usize, f32) {
    let mut job = (rounds, 0.0);
    dispatch!(isa, run, &mut job, &mut (usize, f32));
    (rounds * SUMS * PRODUCTS, job.1)
}

#[inline(always)]
unsafe fn run<S: Simd>(job: &mut (usize, f32)) {
    // SAFETY: registers only; the caller promises the instruction set.
    unsafe {
        let x = [1i8, -2, 3, -1];
        let mut sums = [S::isplat(0); SUMS];
        for _ in 0..job.0 {
            let x = S::splat4(std::hint::black_box(x.as_ptr()));
            for sum in &mut sums {
                *sum = S::dot4(*sum, S::bsplat(2), x);
            }
        }
        let mut total = S::fzero();
        for sum in sums {
            total = S::fadd(total, S::itof(sum));
        }
        job.1 = sum_lanes::<S>(total);
    }
}
