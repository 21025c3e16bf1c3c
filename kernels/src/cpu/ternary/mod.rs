//! Products with ternary matrices at two bits a weight.
//!
//! Layout of a matrix: groups of sixteen rows, a group is `k_blocks` blocks of 64 bytes, a block is sixteen columns:
//!
//! ```text
//! byte 4 r + t of a block:  bits 0-1  row r, column t        code = trit + 1, rows and columns of padding hold code 1
//!                           bits 2-3  row r, column 4 + t
//!                           bits 4-5  row r, column 8 + t
//!                           bits 6-7  row r, column 12 + t
//! ```
//!
//! One load of a block feeds four `vpdpbusd` with codes 0..2 as the unsigned side; the caller subtracts the sum of the
//! activations once a row. Decode reads up to four groups that lie far apart at the same time, because one core reads several
//! streams much faster than one. Prefill expands a block in registers and uses it for a tile of tokens.

#![expect(unsafe_code, reason = "raw loads in the inner loops, after every slice was checked")]

mod decode;
mod expand;
mod tile;

pub use expand::{EXPAND_COLS, Panel, expand};

use super::simd::Simd;
use super::{GROUP_ROWS, Isa, MAX_GROUPS, dispatch};
use decode::decode;
use tile::{block_tile, tile};

/// Columns in a 64-byte block.
pub const BLOCK_COLS: usize = 16;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64;
/// Columns that share an activation scale in [`block_dots`].
pub const X_SCALE_COLS: usize = 64;
/// Columns that share a weight scale in [`block_dots`].
pub const SCALE_COLS: usize = 256;
const X_SCALE_BLOCKS: usize = X_SCALE_COLS / BLOCK_COLS;

/// How the codes of a matrix lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// The layout above.
    TwoBits,
}

impl Packing {
    /// Bytes of a group of sixteen rows of `k_blocks` blocks of sixteen columns.
    pub fn group_bytes(self, k_blocks: usize) -> usize {
        match self {
            Self::TwoBits => k_blocks * BLOCK_BYTES,
        }
    }
}

/// Ternary weights as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// All groups, in the order of `packing`.
    pub codes: &'a [u8],
    /// The order.
    pub packing: Packing,
    /// Columns over sixteen, rounded up.
    pub k_blocks: usize,
}

impl Matrix<'_> {
    fn check(&self, groups: &[usize]) {
        assert!(groups.len() <= MAX_GROUPS, "at most {MAX_GROUPS} groups");
        let bytes = self.packing.group_bytes(self.k_blocks);
        for &group in groups {
            assert!(self.codes.len() >= (group + 1) * bytes, "group {group} lies in the matrix");
        }
    }
}

/// Some groups of a matrix against some rows of int8 activations.
#[derive(Debug)]
pub struct Dots<'a> {
    /// The weights.
    pub matrix: Matrix<'a>,
    /// Groups to compute, at most [`MAX_GROUPS`].
    pub groups: &'a [usize],
    /// Activations `[tokens, stride]`, zero beyond the real columns, each at least -127.
    pub x: &'a [i8],
    /// Elements between rows of `x`, at least `k_blocks * 16`.
    pub stride: usize,
    /// Rows of `x`.
    pub tokens: usize,
    /// `[tokens, groups, 16]`: sum of code times activation.
    pub out: &'a mut [i32],
}

/// As [`Dots`], with activation scales per 64 columns and perhaps weight scales per 256 columns.
#[derive(Debug)]
pub struct BlockDots<'a> {
    /// The weights.
    pub matrix: Matrix<'a>,
    /// f32 `[groups of the matrix, k_blocks / 16 rounded up, 16 rows]`, or empty for 1.
    pub scales: &'a [f32],
    /// Groups to compute, at most [`MAX_GROUPS`].
    pub groups: &'a [usize],
    /// Activations `[tokens, stride]`.
    pub x: &'a [i8],
    /// Elements between rows of `x`.
    pub stride: usize,
    /// Scale of each 64 columns, `[tokens, k_blocks / 4 rounded up]`.
    pub x_scales: &'a [f32],
    /// Sum of the int8 activations of each 64 columns, same shape.
    pub x_sums: &'a [i32],
    /// Rows of `x`.
    pub tokens: usize,
    /// `[tokens, groups, 16]`: sum of trit times activation times scales.
    pub out: &'a mut [f32],
}

/// Exact integer sums of code times activation.
///
/// # Panics
/// When a slice is too short for its description.
pub fn dots(isa: Isa, dots: &mut Dots<'_>) {
    dots.matrix.check(dots.groups);
    check_rows(dots.x, dots.stride, dots.tokens, dots.matrix.k_blocks);
    assert!(dots.out.len() >= dots.tokens * dots.groups.len() * GROUP_ROWS, "room for the sums");
    dispatch!(isa, run_dots, dots, &mut Dots<'_>);
}

/// Float sums, in an order that depends on the columns only.
///
/// # Panics
/// When a slice is too short for its description.
pub fn block_dots(isa: Isa, dots: &mut BlockDots<'_>) {
    dots.matrix.check(dots.groups);
    check_rows(dots.x, dots.stride, dots.tokens, dots.matrix.k_blocks);
    let n_scales = dots.matrix.k_blocks.div_ceil(X_SCALE_BLOCKS);
    let n_weight_scales = (dots.matrix.k_blocks * BLOCK_COLS).div_ceil(SCALE_COLS);
    assert!(dots.x_scales.len() >= dots.tokens * n_scales, "scales of the activations");
    assert!(dots.x_sums.len() >= dots.tokens * n_scales, "sums of the activations");
    for &group in dots.groups {
        assert!(
            dots.scales.is_empty() || dots.scales.len() >= (group + 1) * n_weight_scales * GROUP_ROWS,
            "weight scales"
        );
    }
    assert!(dots.out.len() >= dots.tokens * dots.groups.len() * GROUP_ROWS, "room for the sums");
    dispatch!(isa, run_block_dots, dots, &mut BlockDots<'_>);
}

fn check_rows(x: &[i8], stride: usize, tokens: usize, k_blocks: usize) {
    assert!(stride >= k_blocks * BLOCK_COLS && x.len() >= tokens * stride, "rows of activations");
}

#[inline(always)]
unsafe fn run_dots<S: Simd>(d: &mut Dots<'_>) {
    // SAFETY: `dots` checked every slice; the caller promises the instruction set.
    unsafe {
        if d.tokens == 1 {
            match d.groups.len() {
                4 => decode::<S, 4>(d),
                3 => decode::<S, 3>(d),
                2 => decode::<S, 2>(d),
                1 => decode::<S, 1>(d),
                _ => {}
            }
            return;
        }
        let mut group = 0;
        if S::WIDE {
            while group + 2 <= d.groups.len() {
                let mut token = 0;
                while token < d.tokens {
                    token += match d.tokens - token {
                        12.. => tile::<S, 2, 12>(d, group, token),
                        8.. => tile::<S, 2, 8>(d, group, token),
                        4.. => tile::<S, 2, 4>(d, group, token),
                        2.. => tile::<S, 2, 2>(d, group, token),
                        _ => tile::<S, 2, 1>(d, group, token),
                    };
                }
                group += 2;
            }
        }
        while group < d.groups.len() {
            let mut token = 0;
            while token < d.tokens {
                token += match d.tokens - token {
                    4.. => tile::<S, 1, 4>(d, group, token),
                    2.. => tile::<S, 1, 2>(d, group, token),
                    _ => tile::<S, 1, 1>(d, group, token),
                };
            }
            group += 1;
        }
    }
}

#[inline(always)]
unsafe fn run_block_dots<S: Simd>(d: &mut BlockDots<'_>) {
    // SAFETY: `block_dots` checked every slice; the caller promises the instruction set.
    unsafe {
        if d.tokens == 1 && d.groups.len() == 4 {
            block_tile::<S, 4, 1>(d, 0, 0);
            return;
        }
        for group in 0..d.groups.len() {
            let mut token = 0;
            while token < d.tokens {
                token += match d.tokens - token {
                    8.. if S::WIDE => block_tile::<S, 1, 8>(d, group, token),
                    2.. => block_tile::<S, 1, 2>(d, group, token),
                    _ => block_tile::<S, 1, 1>(d, group, token),
                };
            }
        }
    }
}
