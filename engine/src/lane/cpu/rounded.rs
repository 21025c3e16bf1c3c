//! Activations as int8, rounded once for all matrices of a projection. Buffers grow to the largest batch and stay.

#![expect(unsafe_code, reason = "threads write disjoint rows")]

use half::f16;
use onebit_kernels::cpu::ternary::{BLOCK_COLS, X_SCALE_COLS};
use onebit_kernels::cpu::{Isa, rows};

use super::threads::{Disjoint, Pool};

/// Rows below which rounding is not worth waking threads.
const PARALLEL_ROWS: usize = 8;

/// How many columns share a scale, and how many a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// `lane::activation::quantize_row`: a scale and a sum for the row.
    Row,
    /// The same rounding and scale, but the scale and sums written for each 64 columns.
    RowBy64,
    /// A scale and a sum for each 64 columns: ternary weights with float activations.
    By64,
    /// A scale for each 32 columns and a sum for each 16: the Q formats. Scales, and scales times sums, are rounded to f16
    /// as llama.cpp stores them (Q8_0, Q8_1), so that both engines see the same activations.
    By32,
}

/// Rows rounded to int8.
pub(super) struct Rounded {
    rounding: Rounding,
    /// `[rows, stride]`, zero beyond the columns.
    pub(super) q: Vec<i8>,
    /// Columns rounded up to the kernels' blocks.
    pub(super) stride: usize,
    /// `[rows, scales_per_row]`.
    pub(super) scales: Vec<f32>,
    /// Scales of one row.
    pub(super) scales_per_row: usize,
    /// `[rows, sums_per_row]`.
    pub(super) sums: Vec<i32>,
    /// Sums of one row.
    pub(super) sums_per_row: usize,
    /// [`Rounding::By32`] only, `[rows, scales_per_row]`: the scale times the sum of its columns.
    pub(super) minima: Vec<f32>,
}

impl Rounded {
    pub(super) fn new(rounding: Rounding) -> Self {
        Self {
            rounding,
            q: Vec::new(),
            stride: 0,
            scales: Vec::new(),
            scales_per_row: 0,
            sums: Vec::new(),
            sums_per_row: 0,
            minima: Vec::new(),
        }
    }

    /// Rounds `rows` rows of `x`; row r is `row(r)`.
    pub(super) fn fill<'x>(
        &mut self,
        isa: Isa,
        pool: &Pool,
        rows: usize,
        cols: usize,
        row: impl Fn(usize) -> &'x [f32] + Sync,
    ) {
        let rounding = self.rounding;
        self.stride = cols.next_multiple_of(BLOCK_COLS);
        (self.scales_per_row, self.sums_per_row) = match rounding {
            Rounding::Row => (1, 1),
            Rounding::RowBy64 | Rounding::By64 => (cols.div_ceil(X_SCALE_COLS), cols.div_ceil(X_SCALE_COLS)),
            Rounding::By32 => (cols / 32, cols / 16),
        };
        grow(&mut self.q, rows * self.stride);
        grow(&mut self.scales, rows * self.scales_per_row);
        grow(&mut self.sums, rows * self.sums_per_row);
        let n_minima = if rounding == Rounding::By32 { self.scales_per_row } else { 0 };
        grow(&mut self.minima, rows * n_minima);
        let (stride, n_scales, n_sums) = (self.stride, self.scales_per_row, self.sums_per_row);
        let q = Disjoint::new(&mut self.q);
        let scales = Disjoint::new(&mut self.scales);
        let sums = Disjoint::new(&mut self.sums);
        let minima = Disjoint::new(&mut self.minima);
        let grain = if rows < PARALLEL_ROWS { rows } else { 4 };
        pool.run(rows, grain, |_, range| {
            for r in range {
                // SAFETY: each row is given out once, and rows do not overlap.
                let (q, scales, sums) =
                    unsafe { (q.part(r, stride), scales.part(r, n_scales), sums.part(r, n_sums)) };
                round_row(isa, rounding, row(r), q, scales, sums);
                if rounding == Rounding::By32 {
                    // SAFETY: as above.
                    store_as_f16(scales, sums, unsafe { minima.part(r, n_minima) });
                }
            }
        });
    }
}

fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}

fn round_row(isa: Isa, rounding: Rounding, x: &[f32], q: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    let (q, padding) = q.split_at_mut(x.len());
    padding.fill(0);
    // The floor of 1e-5 belongs to the definition of W1.58A8; the others only avoid dividing by zero.
    let (block, least) = match rounding {
        Rounding::Row | Rounding::RowBy64 => (x.len(), 1e-5),
        Rounding::By64 => (X_SCALE_COLS, 1e-30),
        Rounding::By32 => (32, 1e-30),
    };
    for ((x, q), scale) in x.chunks(block).zip(q.chunks_mut(block)).zip(scales.iter_mut()) {
        *scale = round_block(isa, x, q, least);
    }
    if rounding == Rounding::RowBy64 {
        let scale = scales[0];
        scales.fill(scale);
    }
    let block = match rounding {
        Rounding::Row => x.len(),
        Rounding::RowBy64 | Rounding::By64 => X_SCALE_COLS,
        Rounding::By32 => 16,
    };
    for (q, sum) in q.chunks(block).zip(sums) {
        *sum = q.iter().map(|&q| i32::from(q)).sum();
    }
}

/// Rounds scales, and scales times sums, to f16. Scales below the normal range of f16, which llama.cpp would lose, stay as
/// they are.
fn store_as_f16(scales: &mut [f32], sums: &[i32], minima: &mut [f32]) {
    for ((scale, sums), minimum) in scales.iter_mut().zip(sums.as_chunks::<2>().0).zip(minima) {
        *minimum = *scale * (sums[0] + sums[1]) as f32;
        if *scale >= f16::MIN_POSITIVE.to_f32() {
            *minimum = f16::from_f32(*minimum).to_f32();
            *scale = f16::from_f32(*scale).to_f32();
        }
    }
}

/// The same bits as `lane::activation::quantize_row` when `least` is 1e-5, by vectors.
fn round_block(isa: Isa, x: &[f32], q: &mut [i8], least: f32) -> f32 {
    let Some(absmax) = rows::finite_absmax(isa, x) else {
        q.fill(0);
        return f32::NAN;
    };
    let absmax = absmax.max(least);
    rows::round_to_i8(isa, x, 127.0 / absmax, q);
    absmax / 127.0
}
