//! Elements of queries, keys and values: rounding to halves and rotation by position.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

use super::simd::Simd;
use super::{Isa, dispatch};

/// Largest finite half.
const F16_MAX: f32 = 65504.0;

/// Rounds `x`, clamped to what a half can hold, to little-endian halves; NaN stays NaN.
///
/// # Panics
/// When `halves` is too short.
pub fn halves(isa: Isa, x: &[f32], halves: &mut [u8]) {
    assert!(halves.len() >= 2 * x.len(), "room for the halves");
    dispatch!(isa, run_halves, &mut (x, halves), &mut (&[f32], &mut [u8]));
}

#[inline(always)]
unsafe fn run_halves<S: Simd>(job: &mut (&[f32], &mut [u8])) {
    // SAFETY: vectors are loaded from chunks of sixteen and stored where `halves` checked the room.
    unsafe {
        let (x, halves) = job;
        let (chunks, tail) = x.as_chunks::<16>();
        let (chunk_halves, tail_halves) = halves.split_at_mut(32 * chunks.len());
        let round = |from: *const f32, to: *mut u8| {
            // The second operand is what NaN gives.
            let x = S::fmax(S::fsplat(-F16_MAX), S::fmin(S::fsplat(F16_MAX), S::fload(from)));
            S::f16_store(to, x);
        };
        for (x, to) in chunks.iter().zip(chunk_halves.as_chunks_mut::<32>().0) {
            round(x.as_ptr(), to.as_mut_ptr());
        }
        let (mut last, mut to) = ([0.0; 16], [0; 32]);
        last[..tail.len()].copy_from_slice(tail);
        round(last.as_ptr(), to.as_mut_ptr());
        tail_halves[..2 * tail.len()].copy_from_slice(&to[..2 * tail.len()]);
    }
}

/// Rotates the pairs of each head of a row.
#[derive(Debug)]
pub struct Rotation<'a> {
    /// Whole heads.
    pub row: &'a mut [f32],
    /// Elements of a head; those beyond the pairs stay.
    pub head_dim: usize,
    /// Of each pair.
    pub cosines: &'a [f32],
    /// Of each pair.
    pub sines: &'a [f32],
    /// Pairs are elements `2 i, 2 i + 1`; otherwise `i, i + pairs`.
    pub interleaved: bool,
}

/// `(x, y)` becomes `(x cos - y sin, x sin + y cos)`, in two products and a sum each.
///
/// # Panics
/// When the pairs do not fit a head.
pub fn rotate(isa: Isa, rotation: &mut Rotation<'_>) {
    let pairs = rotation.cosines.len();
    assert!(rotation.sines.len() == pairs && 2 * pairs <= rotation.head_dim, "pairs of a head");
    dispatch!(isa, run_rotate, rotation, &mut Rotation<'_>);
}

/// Plain loops, vectorised by the compiler for each instruction set.
#[inline(always)]
unsafe fn run_rotate<S: Simd>(rotation: &mut Rotation<'_>) {
    let Rotation { row, head_dim, cosines, sines, interleaved } = rotation;
    for head in row.chunks_exact_mut(*head_dim) {
        let turned = &mut head[..2 * cosines.len()];
        if *interleaved {
            for ((pair, cos), sin) in turned.as_chunks_mut::<2>().0.iter_mut().zip(&**cosines).zip(&**sines) {
                let [x, y] = *pair;
                *pair = [x * cos - y * sin, x * sin + y * cos];
            }
        } else {
            let (low, high) = turned.split_at_mut(cosines.len());
            for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(&**cosines).zip(&**sines) {
                let (x, y) = (*a, *b);
                *a = x * cos - y * sin;
                *b = x * sin + y * cos;
            }
        }
    }
}
