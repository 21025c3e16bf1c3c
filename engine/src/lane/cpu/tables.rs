//! Tables of partial sums of the rounded input, for ternary weights in five-bit codes: made once for all matrices of a projection.

#![expect(unsafe_code, reason = "threads write disjoint tables")]

use onebit_kernels::cpu::Isa;
use onebit_kernels::cpu::panel::Memory;
use onebit_kernels::cpu::ternary::{self, BLOCK_COLS, EXPAND_COLS, Packing, Scaling};

use super::rounded::Rounded;
use super::threads::{Disjoint, Pool};

/// Segments below which making tables is not worth waking threads.
const GRAIN_SEGMENTS: usize = 32;

/// Tables of some rows for one packing.
pub(super) struct Tables {
    packing: Packing,
    scaling: Scaling,
    memory: Memory,
    /// Bytes of the tables of a row.
    stride: usize,
    rows: usize,
}

impl Tables {
    pub(super) fn new(packing: Packing, scaling: Scaling) -> Self {
        Self { packing, scaling, memory: Memory::default(), stride: 0, rows: 0 }
    }

    /// Makes the tables of `rows` rows of `x`.
    pub(super) fn fill(&mut self, isa: Isa, pool: &Pool, x: &Rounded, rows: usize) {
        let (packing, scaling) = (self.packing, self.scaling);
        let segments = x.stride.div_ceil(EXPAND_COLS);
        let segment_bytes = packing.table_bytes(EXPAND_COLS / BLOCK_COLS, scaling);
        (self.stride, self.rows) = (segments * segment_bytes, rows);
        let out = Disjoint::new(self.memory.bytes(rows * self.stride));
        pool.run(rows * segments, GRAIN_SEGMENTS, |_, range| {
            for at in range {
                let (row, first) = (at / segments, at % segments * EXPAND_COLS);
                let x = &x.q[row * x.stride + first..row * x.stride + x.stride.min(first + EXPAND_COLS)];
                // SAFETY: each segment is given out once, and tables of segments do not overlap.
                let out = unsafe { out.part(at, segment_bytes) };
                ternary::tables(isa, &mut ternary::Tables { packing, scaling, x, out });
            }
        });
    }

    /// The tables, and the bytes between those of two rows.
    pub(super) fn get(&self) -> (&[u8], usize) {
        (self.memory.written(self.rows * self.stride), self.stride)
    }
}
