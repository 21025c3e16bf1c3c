//! Rounded activations with the tokens of a block side by side, for ternary products of many tokens: made once for all matrices of
//! a projection.

#![expect(unsafe_code, reason = "threads write disjoint blocks")]

use onebit_kernels::cpu::Isa;
use onebit_kernels::cpu::ternary::many::{self, BLOCK_TOKENS, WIDEN_COLS};

use super::rounded::Rounded;
use super::threads::{Disjoint, Pool};

/// All blocks of a batch. Buffers grow to the largest batch and stay.
#[derive(Default)]
pub(super) struct Columns {
    /// `[blocks, columns, BLOCK_TOKENS]`.
    turned: Vec<i8>,
    /// `[blocks, segments]`.
    widen: Vec<bool>,
    /// Bytes of a block.
    block: usize,
    /// Parts of [`WIDEN_COLS`] columns.
    segments: usize,
}

impl Columns {
    /// Turns `rows` rows of `x`.
    pub(super) fn fill(&mut self, isa: Isa, pool: &Pool, x: &Rounded, rows: usize) {
        let blocks = rows.div_ceil(BLOCK_TOKENS);
        (self.block, self.segments) = (x.stride * BLOCK_TOKENS, x.stride.div_ceil(WIDEN_COLS));
        let (block_bytes, segments) = (self.block, self.segments);
        self.turned.resize(self.turned.len().max(blocks * block_bytes), 0);
        self.widen.resize(self.widen.len().max(blocks * segments), false);
        let turned = Disjoint::new(&mut self.turned);
        let widen = Disjoint::new(&mut self.widen);
        pool.run(blocks, 1, |_, range| {
            for block in range {
                let first = block * BLOCK_TOKENS;
                let tokens = BLOCK_TOKENS.min(rows - first);
                // SAFETY: each block is given out once, and blocks do not overlap.
                let (out, widen) = unsafe { (turned.part(block, block_bytes), widen.part(block, segments)) };
                let x = &x.q[first * x.stride..];
                many::columns(
                    isa,
                    &mut many::Columns { x, stride: block_bytes / BLOCK_TOKENS, tokens, out, widen },
                );
            }
        });
    }

    /// From a block on: columns, and where sums are widened.
    pub(super) fn from(&self, block: usize) -> (&[i8], &[bool]) {
        (&self.turned[block * self.block..], &self.widen[block * self.segments..])
    }
}
