//! Activations as int8, rounded once for all matrices of a projection. Buffers grow to the largest batch and stay.

#![expect(unsafe_code, reason = "threads write disjoint rows")]

use onebit_kernels::cpu::ternary::{BLOCK_COLS, X_SCALE_COLS};
use onebit_kernels::cpu::{Isa, rows};

use super::threads::{Disjoint, Pool};

/// Rows below which rounding is not worth waking threads.
const PARALLEL_ROWS: usize = 8;
/// Planes of [`Rounding::By32`].
pub(super) const PLANES: usize = 2;
/// Columns that share a scale in [`Rounding::By32`].
const PLANE_BLOCK: usize = 32;

/// How many columns share a scale, and how many a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// `lane::activation::quantize_row`: a scale and a sum for the row.
    Row,
    /// The same rounding and scale, but the scale and sums written for each 64 columns.
    RowBy64,
    /// A scale and a sum for each 64 columns: ternary weights with float activations.
    By64,
    /// A scale for each 32 columns and a sum for each 16, in two planes: int8, and int8 again of what that left. About 15 bits,
    /// so the answers are those of unrounded activations where one plane would flip near ties: the Q formats.
    By32,
}

impl Rounding {
    /// Int8 rows that stand for one row of the input; products of all of them are added.
    pub(super) fn planes(self) -> usize {
        match self {
            Rounding::Row | Rounding::RowBy64 | Rounding::By64 => 1,
            Rounding::By32 => PLANES,
        }
    }
}

/// Rows rounded to int8.
pub(super) struct Rounded {
    rounding: Rounding,
    /// `[rows, planes, stride]`, zero beyond the columns.
    pub(super) q: Vec<i8>,
    /// Columns rounded up to the kernels' blocks.
    pub(super) stride: usize,
    /// `[rows, planes, scales_per_row]`.
    pub(super) scales: Vec<f32>,
    /// Scales of one plane of a row.
    pub(super) scales_per_row: usize,
    /// `[rows, planes, sums_per_row]`.
    pub(super) sums: Vec<i32>,
    /// Sums of one plane of a row.
    pub(super) sums_per_row: usize,
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
        }
    }

    /// L2 norm of what rounding took from row `r`, which was `x`.
    pub(super) fn lost_norm(&self, r: usize, x: &[f32]) -> f64 {
        let planes = self.rounding.planes();
        let block = x.len().div_ceil(self.scales_per_row.max(1)).max(1);
        let lost = x.iter().enumerate().map(|(col, &x)| {
            (planes * r..planes * (r + 1)).fold(f64::from(x), |rest, plane| {
                let scale = self.scales[plane * self.scales_per_row + col / block];
                rest - f64::from(scale) * f64::from(self.q[plane * self.stride + col])
            })
        });
        lost.map(|lost| lost * lost).sum::<f64>().sqrt()
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
            Rounding::By32 => (cols / PLANE_BLOCK, cols / 16),
        };
        let planes = rounding.planes();
        let (row_q, n_scales, n_sums) =
            (planes * self.stride, planes * self.scales_per_row, planes * self.sums_per_row);
        grow(&mut self.q, rows * row_q);
        grow(&mut self.scales, rows * n_scales);
        grow(&mut self.sums, rows * n_sums);
        let q = Disjoint::new(&mut self.q);
        let scales = Disjoint::new(&mut self.scales);
        let sums = Disjoint::new(&mut self.sums);
        let grain = if rows < PARALLEL_ROWS { rows } else { 4 };
        pool.run(rows, grain, |_, range| {
            for r in range {
                // SAFETY: each row is given out once, and rows do not overlap.
                let (q, scales, sums) =
                    unsafe { (q.part(r, row_q), scales.part(r, n_scales), sums.part(r, n_sums)) };
                round_row(isa, rounding, row(r), q, scales, sums);
            }
        });
    }
}

fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}

/// Rounds one row in all its planes.
fn round_row(isa: Isa, rounding: Rounding, x: &[f32], q: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    // The floor of 1e-5 belongs to the definition of W1.58A8; the others only avoid dividing by zero.
    let (block, least, sum_block) = match rounding {
        Rounding::Row => (x.len(), 1e-5, x.len()),
        Rounding::RowBy64 => (x.len(), 1e-5, X_SCALE_COLS),
        Rounding::By64 => (X_SCALE_COLS, 1e-30, X_SCALE_COLS),
        Rounding::By32 => {
            round_planes(isa, x, q, scales);
            sum_blocks(x.len(), 16, q, sums);
            return;
        }
    };
    let (columns, padding) = q.split_at_mut(x.len());
    for ((x, q), scale) in x.chunks(block).zip(columns.chunks_mut(block)).zip(scales.iter_mut()) {
        *scale = round_block(isa, x, q, least);
    }
    padding.fill(0);
    if rounding == Rounding::RowBy64 {
        let scale = scales[0];
        scales.fill(scale);
    }
    sum_blocks(x.len(), sum_block, q, sums);
}

/// Both planes of [`Rounding::By32`]: `x = scale_0 q_0 + scale_1 q_1`, to half a step of the second.
fn round_planes(isa: Isa, x: &[f32], q: &mut [i8], scales: &mut [f32]) {
    let (first, second) = q.split_at_mut(q.len() / PLANES);
    let (first_scales, second_scales) = scales.split_at_mut(scales.len() / PLANES);
    let mut rest = [0.0; PLANE_BLOCK];
    let blocks = first.chunks_mut(PLANE_BLOCK).zip(second.chunks_mut(PLANE_BLOCK));
    let scales = first_scales.iter_mut().zip(second_scales);
    for ((x, (first, second)), (first_scale, second_scale)) in x.chunks(PLANE_BLOCK).zip(blocks).zip(scales) {
        *first_scale = round_block(isa, x, first, 1e-30);
        for ((rest, &x), &q) in rest.iter_mut().zip(x).zip(&*first) {
            *rest = x - *first_scale * f32::from(q);
        }
        *second_scale = round_block(isa, &rest, second, 1e-30);
    }
    first[x.len()..].fill(0);
    second[x.len()..].fill(0);
}

/// Sums of each `block` of the first `cols` columns, plane after plane.
fn sum_blocks(cols: usize, block: usize, q: &[i8], sums: &mut [i32]) {
    let per_plane = cols.div_ceil(block);
    let planes = sums.len() / per_plane.max(1);
    for (q, sums) in q.chunks(q.len() / planes.max(1)).zip(sums.chunks_mut(per_plane)) {
        for (q, sum) in q[..cols].chunks(block).zip(sums) {
            *sum = q.iter().map(|&q| i32::from(q)).sum();
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
