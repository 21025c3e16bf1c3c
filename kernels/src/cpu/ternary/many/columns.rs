//! Activations with the tokens of a block side by side, as tables are made from them.

use super::super::super::{Isa, dispatch};
use super::super::BLOCK_COLS;
use super::{BLOCK_TOKENS, WIDEN_COLS};
use crate::cpu::simd::Simd;

/// A block of tokens.
#[derive(Debug)]
pub struct Columns<'a> {
    /// Activations `[tokens, stride]`, each at least -127.
    pub x: &'a [i8],
    /// Columns of a row, a multiple of sixteen.
    pub stride: usize,
    /// At most [`BLOCK_TOKENS`].
    pub tokens: usize,
    /// `[stride, BLOCK_TOKENS]`, zero beyond the tokens.
    pub out: &'a mut [i8],
    /// For each [`WIDEN_COLS`] columns whether 16-bit sums must be widened behind them, so that those that follow fit.
    pub widen: &'a mut [bool],
}

/// Turns a block.
///
/// # Panics
/// When a slice is too short for its description.
pub fn columns(isa: Isa, columns: &mut Columns<'_>) {
    assert!(
        columns.tokens <= BLOCK_TOKENS && columns.stride.is_multiple_of(BLOCK_COLS),
        "shape of the block"
    );
    assert!(columns.x.len() >= columns.tokens * columns.stride, "rows of activations");
    assert!(columns.out.len() >= columns.stride * BLOCK_TOKENS, "room for the columns");
    assert!(columns.widen.len() >= columns.stride.div_ceil(WIDEN_COLS), "room for where sums are widened");
    dispatch!(isa, run, columns, &mut Columns<'_>);
}

#[expect(unsafe_code, reason = "the signature that `dispatch` calls")]
#[inline(always)]
unsafe fn run<S: Simd>(c: &mut Columns<'_>) {
    bounds(c);
    for first in (0..c.stride).step_by(8) {
        let (out, _) =
            c.out[first * BLOCK_TOKENS..(first + 8) * BLOCK_TOKENS].as_chunks_mut::<BLOCK_TOKENS>();
        for eight in 0..BLOCK_TOKENS / 8 {
            let mut rows = [0u64; 8];
            for (token, row) in (eight * 8..c.tokens).zip(&mut rows) {
                let at = token * c.stride + first;
                let x: &[i8; 8] =
                    c.x[at..].first_chunk().expect("invariant: rows are multiples of sixteen long");
                *row = u64::from_le_bytes(x.map(i8::cast_unsigned));
            }
            for (out, column) in out.iter_mut().zip(turn(rows)) {
                out[eight * 8..eight * 8 + 8].copy_from_slice(&column.to_le_bytes().map(u8::cast_signed));
            }
        }
    }
}

/// Byte i of word j becomes byte j of word i.
#[inline(always)]
fn turn(mut x: [u64; 8]) -> [u64; 8] {
    for (distance, mask) in
        [(4, 0x0000_0000_ffff_ffff), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ff)]
    {
        for i in 0..8 {
            if i & distance == 0 {
                let swapped = (x[i] >> (8 * distance) ^ x[i + distance]) & mask;
                x[i + distance] ^= swapped;
                x[i] ^= swapped << (8 * distance);
            }
        }
    }
    x
}

/// A sum of activations times trits is at most the sum of their magnitudes: while that of every token fits 16 bits, so do all sums.
#[inline(always)]
fn bounds(c: &mut Columns<'_>) {
    let mut since_widened = [0u32; BLOCK_TOKENS];
    for (segment, first) in (0..c.stride).step_by(WIDEN_COLS).enumerate() {
        let cols = WIDEN_COLS.min(c.stride - first);
        let mut here = [0u32; BLOCK_TOKENS];
        for (token, sum) in here.iter_mut().enumerate().take(c.tokens) {
            let x = &c.x[token * c.stride + first..][..cols];
            *sum = x.iter().map(|x| u32::from(x.unsigned_abs())).sum();
        }
        let fits = since_widened.iter().zip(&here).all(|(before, here)| before + here <= i16::MAX as u32);
        if segment > 0 {
            c.widen[segment - 1] = !fits;
        }
        for (before, here) in since_widened.iter_mut().zip(here) {
            *before = if fits { *before + here } else { here };
        }
        c.widen[segment] = false;
    }
}
