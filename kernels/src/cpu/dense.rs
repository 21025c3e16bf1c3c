//! Products with f32, f16 and bf16 matrices in f32.
//!
//! Layout: groups of sixteen rows; a group is `cols` columns of sixteen elements. Every output is one chain of fused
//! multiply-adds over the columns in order, whatever the batch.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]
#![expect(
    clippy::needless_range_loop,
    reason = "tiles are small arrays indexed in lockstep, unrolled by the compiler"
)]

use super::simd::Simd;
use super::{GROUP_ROWS, Isa, MAX_GROUPS, Outputs, dispatch};

/// Storage of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// bfloat16.
    Bf16,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// Some groups of a matrix against some rows of activations.
#[derive(Debug)]
pub struct Dots<'a> {
    /// Whole matrix in the layout above, little-endian.
    pub weights: &'a [u8],
    /// Storage of an element.
    pub element: Element,
    /// Columns.
    pub cols: usize,
    /// Groups to compute, at most [`MAX_GROUPS`].
    pub groups: &'a [usize],
    /// Activations `[tokens, stride]`.
    pub x: &'a [f32],
    /// Elements between rows of `x`.
    pub stride: usize,
    /// Rows of `x`.
    pub tokens: usize,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

/// Float sums in column order.
///
/// # Panics
/// When a slice is too short for its description.
pub fn dots(isa: Isa, dots: &mut Dots<'_>) {
    assert!(dots.groups.len() <= MAX_GROUPS, "at most {MAX_GROUPS} groups");
    let group_bytes = dots.cols * GROUP_ROWS * dots.element.bytes();
    for &group in dots.groups {
        assert!(dots.weights.len() >= (group + 1) * group_bytes, "group {group} lies in the matrix");
    }
    assert!(dots.stride >= dots.cols && dots.x.len() >= dots.tokens * dots.stride, "rows of activations");
    dots.out.check(dots.tokens);
    dispatch!(isa, run, dots, &mut Dots<'_>);
}

trait Load {
    const BYTES: usize;
    unsafe fn load<S: Simd>(from: *const u8) -> S::F;
}

struct Single;
struct Half;
struct Brain;

impl Load for Single {
    const BYTES: usize = 4;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u8) -> S::F {
        // SAFETY: the caller promises 16 readable elements.
        unsafe { S::fload(from.cast()) }
    }
}
impl Load for Half {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u8) -> S::F {
        // SAFETY: the caller promises 16 readable elements.
        unsafe { S::f16_load(from) }
    }
}
impl Load for Brain {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u8) -> S::F {
        // SAFETY: the caller promises 16 readable elements.
        unsafe { S::bf16_load(from) }
    }
}

#[inline(always)]
unsafe fn run<S: Simd>(d: &mut Dots<'_>) {
    // SAFETY: `dots` checked every slice; the caller promises the instruction set.
    unsafe {
        match d.element {
            Element::F32 => run_as::<S, Single>(d),
            Element::F16 => run_as::<S, Half>(d),
            Element::Bf16 => run_as::<S, Brain>(d),
        }
    }
}

#[inline(always)]
unsafe fn run_as<S: Simd, L: Load>(d: &mut Dots<'_>) {
    // SAFETY: as in `run`.
    unsafe {
        if d.tokens == 1 && d.groups.len() == 4 {
            tile::<S, L, 4, 1>(d, 0, 0);
            return;
        }
        for group in 0..d.groups.len() {
            let mut token = 0;
            while token < d.tokens {
                token += match d.tokens - token {
                    16.. if S::WIDE => tile::<S, L, 1, 16>(d, group, token),
                    4.. => tile::<S, L, 1, 4>(d, group, token),
                    _ => tile::<S, L, 1, 1>(d, group, token),
                };
            }
        }
    }
}

#[inline(always)]
unsafe fn tile<S: Simd, L: Load, const G: usize, const N: usize>(
    d: &mut Dots<'_>,
    group: usize,
    token: usize,
) -> usize {
    // SAFETY: as in `run`.
    unsafe {
        let mut sums = [[S::fzero(); G]; N];
        let mut weights = [d.weights.as_ptr(); G];
        for g in 0..G {
            weights[g] = d.weights.as_ptr().add(d.groups[group + g] * d.cols * GROUP_ROWS * L::BYTES);
        }
        let x = d.x.as_ptr().add(token * d.stride);
        for k in 0..d.cols {
            let mut w = [S::fzero(); G];
            for g in 0..G {
                let from = weights[g].add(k * GROUP_ROWS * L::BYTES);
                S::prefetch(from.wrapping_add(1024));
                w[g] = L::load::<S>(from);
            }
            for n in 0..N {
                let x = S::fsplat(*x.add(n * d.stride + k));
                for g in 0..G {
                    sums[n][g] = S::fma(w[g], x, sums[n][g]);
                }
            }
        }
        for n in 0..N {
            for g in 0..G {
                d.out.store::<S>(token + n, d.groups[group + g], sums[n][g]);
            }
        }
        N
    }
}
