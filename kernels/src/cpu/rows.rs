//! Operations on single rows of activations: rounding to int8, norms, gates, rotations, and the reading of one row of a
//! grouped matrix.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

use super::simd::{Simd, exp, max_lanes, sum_lanes};
use super::{Isa, dispatch};

/// `max |x|`, or `None` if an element is NaN or infinite.
pub fn finite_absmax(isa: Isa, x: &[f32]) -> Option<f32> {
    let mut job = (x, Some(0.0));
    dispatch!(isa, run_absmax, &mut job, &mut (&[f32], Option<f32>));
    job.1
}

#[inline(always)]
unsafe fn run_absmax<S: Simd>(job: &mut (&[f32], Option<f32>)) {
    // SAFETY: vectors are loaded from chunks of sixteen; the caller promises the instruction set.
    unsafe {
        let (chunks, tail) = job.0.as_chunks::<16>();
        let mut max = S::fzero();
        // Stays zero unless an element is NaN or infinite, which times zero is NaN.
        let mut poison = S::fzero();
        for chunk in chunks {
            let x = S::fload(chunk.as_ptr());
            max = S::fmax(S::fabs(x), max);
            poison = S::fma(x, S::fzero(), poison);
        }
        let max = tail.iter().fold(max_lanes::<S>(max), |max, x| max.max(x.abs()));
        let finite = sum_lanes::<S>(poison) == 0.0 && tail.iter().all(|x| x.is_finite());
        job.1 = finite.then_some(max);
    }
}

/// `q = round_half_even(x * factor)`, which the caller has arranged to lie within +-127.
///
/// # Panics
/// When the lengths differ.
pub fn round_to_i8(isa: Isa, x: &[f32], factor: f32, q: &mut [i8]) {
    assert_eq!(x.len(), q.len(), "one int8 for each element");
    dispatch!(isa, run_round, &mut (x, factor, q), &mut (&[f32], f32, &mut [i8]));
}

#[inline(always)]
unsafe fn run_round<S: Simd>(job: &mut (&[f32], f32, &mut [i8])) {
    // SAFETY: vectors are loaded and stored through chunks of sixteen; the caller promises the instruction set.
    unsafe {
        let (x, factor, q) = job;
        let (chunks, tail) = x.as_chunks::<16>();
        let (q_chunks, q_tail) = q.as_chunks_mut::<16>();
        let (low, high) = (S::fsplat(-127.0), S::fsplat(127.0));
        for (x, q) in chunks.iter().zip(q_chunks) {
            let y = S::fmul(S::fload(x.as_ptr()), S::fsplat(*factor));
            S::store_low_bytes(q.as_mut_ptr(), S::round(S::fmin(high, S::fmax(low, y))));
        }
        for (x, q) in tail.iter().zip(q_tail) {
            *q = (x * *factor).round_ties_even().clamp(-127.0, 127.0) as i8;
        }
    }
}

/// Columns of a piece of [`round_to_pieces`].
const PIECE_COLS: usize = super::tiled::TILE_COLS;

/// As [`round_to_i8`] into pieces of 64 columns, `stride` bytes apart, the last one filled up with zeros; gives their sum.
///
/// # Panics
/// When `q` is too short.
pub fn round_to_pieces(isa: Isa, x: &[f32], factor: f32, q: &mut [i8], stride: usize) -> i32 {
    let pieces = x.len().div_ceil(PIECE_COLS);
    assert!(pieces == 0 || q.len() >= (pieces - 1) * stride + PIECE_COLS, "room for the pieces");
    let mut job = Pieces { x, factor, q, stride, sum: 0 };
    dispatch!(isa, run_pieces, &mut job, &mut Pieces<'_>);
    job.sum
}

struct Pieces<'a> {
    x: &'a [f32],
    factor: f32,
    q: &'a mut [i8],
    stride: usize,
    sum: i32,
}

#[inline(always)]
unsafe fn run_pieces<S: Simd>(job: &mut Pieces<'_>) {
    // SAFETY: `round_to_pieces` checked the room for whole pieces, and short ones are loaded from a whole copy; the caller promises
    // the instruction set.
    unsafe {
        let (low, high) = (S::fsplat(-127.0), S::fsplat(127.0));
        let mut sum = S::isplat(0);
        for (piece, x) in job.x.chunks(PIECE_COLS).enumerate() {
            let mut whole = [0.0; PIECE_COLS];
            let from = if x.len() == PIECE_COLS {
                x.as_ptr()
            } else {
                whole[..x.len()].copy_from_slice(x);
                whole.as_ptr()
            };
            let to = job.q.as_mut_ptr().add(piece * job.stride);
            for i in (0..PIECE_COLS).step_by(16) {
                let y = S::fmul(S::fload(from.add(i)), S::fsplat(job.factor));
                let q = S::round(S::fmin(high, S::fmax(low, y)));
                S::store_low_bytes(to.add(i), q);
                sum = S::iadd(sum, q);
            }
        }
        job.sum = S::isum_lanes(sum);
    }
}

/// `out = x * rsqrt(mean(x^2) + eps) * weight` over one group.
#[derive(Debug)]
pub struct Norm<'a> {
    /// Input and output.
    pub x: &'a mut [f32],
    /// As long as `x`.
    pub weight: &'a [f32],
    /// Added to the mean square.
    pub eps: f32,
}

/// Normalises one group in place.
///
/// # Panics
/// When the lengths differ.
pub fn rms_norm(isa: Isa, norm: &mut Norm<'_>) {
    assert_eq!(norm.x.len(), norm.weight.len(), "one weight for each element");
    dispatch!(isa, run_norm, norm, &mut Norm<'_>);
}

#[inline(always)]
unsafe fn run_norm<S: Simd>(norm: &mut Norm<'_>) {
    // SAFETY: vectors are loaded and stored through chunks of sixteen; the caller promises the instruction set.
    unsafe {
        let n = norm.x.len();
        let (chunks, tail) = norm.x.as_chunks_mut::<16>();
        let (weights, weight_tail) = norm.weight.as_chunks::<16>();
        let mut sums = [S::fzero(); 2];
        for (i, chunk) in chunks.iter().enumerate() {
            let x = S::fload(chunk.as_ptr());
            sums[i % 2] = S::fma(x, x, sums[i % 2]);
        }
        let squares = tail.iter().fold(sum_lanes::<S>(S::fadd(sums[0], sums[1])), |sum, x| sum + x * x);
        let inverse = 1.0 / (squares / n as f32 + norm.eps).sqrt();
        for (x, w) in chunks.iter_mut().zip(weights) {
            let y = S::fmul(S::fload(x.as_ptr()), S::fsplat(inverse));
            S::fstore(x.as_mut_ptr(), S::fmul(y, S::fload(w.as_ptr())));
        }
        for (x, w) in tail.iter_mut().zip(weight_tail) {
            *x = *x * inverse * w;
        }
    }
}

/// `gate = f(gate) * up` in place.
#[derive(Debug)]
pub struct Gated<'a> {
    /// Input and output.
    pub gate: &'a mut [f32],
    /// As long as `gate`.
    pub up: &'a [f32],
    /// `silu` when true, else `max(g, 0)^2`.
    pub silu: bool,
}

/// Applies the nonlinearity.
///
/// # Panics
/// When the lengths differ.
pub fn gate_mul(isa: Isa, gated: &mut Gated<'_>) {
    assert_eq!(gated.gate.len(), gated.up.len(), "one `up` for each gate");
    dispatch!(isa, run_gate, gated, &mut Gated<'_>);
}

#[inline(always)]
unsafe fn run_gate<S: Simd>(gated: &mut Gated<'_>) {
    // SAFETY: vectors are loaded and stored through chunks of sixteen; the caller promises the instruction set.
    unsafe {
        let (gates, gate_tail) = gated.gate.as_chunks_mut::<16>();
        let (ups, up_tail) = gated.up.as_chunks::<16>();
        for (gate, up) in gates.iter_mut().zip(ups) {
            let g = S::fload(gate.as_ptr());
            S::fstore(gate.as_mut_ptr(), S::fmul(activate::<S>(g, gated.silu), S::fload(up.as_ptr())));
        }
        if !gate_tail.is_empty() {
            let mut lanes = [0.0; 16];
            lanes[..gate_tail.len()].copy_from_slice(gate_tail);
            S::fstore(lanes.as_mut_ptr(), activate::<S>(S::fload(lanes.as_ptr()), gated.silu));
            for ((gate, lane), up) in gate_tail.iter_mut().zip(lanes).zip(up_tail) {
                *gate = lane * up;
            }
        }
    }
}

#[inline(always)]
unsafe fn activate<S: Simd>(g: S::F, silu: bool) -> S::F {
    // SAFETY: registers only; the caller promises the instruction set.
    unsafe {
        if silu {
            let e = exp::<S>(S::fsub(S::fzero(), g));
            S::fdiv(g, S::fadd(S::fsplat(1.0), e))
        } else {
            // NaN must stay NaN: `fmax` gives its second operand then.
            let positive = S::fmax(S::fzero(), g);
            S::fmul(positive, positive)
        }
    }
}
