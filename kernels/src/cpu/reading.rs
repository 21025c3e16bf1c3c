//! How fast one thread can read memory: the ceiling that decode is compared with.

#![expect(unsafe_code, reason = "raw loads in the inner loop, inside a checked slice")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::simd::{Simd, sum_lanes};
use super::{Isa, dispatch};

/// Reads all of `bytes` once as `streams` far-apart streams (1, 2, 4 or 8) and returns a number that depends on what was read,
/// so that the reads cannot be left out. A tail below `streams * 128` bytes is not read.
pub fn read(isa: Isa, bytes: &[u8], streams: usize) -> f32 {
    let mut job = (bytes, streams, 0.0);
    dispatch!(isa, run, &mut job, &mut (&[u8], usize, f32));
    job.2
}

#[inline(always)]
unsafe fn run<S: Simd>(job: &mut (&[u8], usize, f32)) {
    // SAFETY: reads stay inside the slice; the caller promises the instruction set.
    unsafe {
        job.2 = match job.1 {
            8 => streams::<S, 8>(job.0),
            4 => streams::<S, 4>(job.0),
            2 => streams::<S, 2>(job.0),
            _ => streams::<S, 1>(job.0),
        };
    }
}

#[inline(always)]
unsafe fn streams<S: Simd, const N: usize>(bytes: &[u8]) -> f32 {
    // SAFETY: `i + 128 <= length` and stream `s` starts at `s * length` with `N * length <= bytes.len()`.
    unsafe {
        let length = bytes.len() / N / 128 * 128;
        let mut seen = [S::bsplat(0); N];
        for i in (0..length).step_by(128) {
            for s in 0..N {
                let from = bytes.as_ptr().add(s * length + i);
                S::prefetch(from.wrapping_add(1024));
                S::prefetch(from.wrapping_add(1088));
                seen[s] = S::bor(seen[s], S::bor(S::bload(from), S::bload(from.add(64))));
            }
        }
        let ones = [1i8; 4];
        let mut sum = S::isplat(0);
        for s in 0..N {
            sum = S::dot4(sum, S::band(seen[s], S::bsplat(15)), S::splat4(ones.as_ptr()));
        }
        sum_lanes::<S>(S::itof(sum))
    }
}
