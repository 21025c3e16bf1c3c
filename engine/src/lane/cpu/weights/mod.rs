//! Weights in the orders that the kernels read: repacked at upload, sixteen output rows to a group. One file per kind of layout;
//! the layouts themselves are drawn in `onebit_kernels::cpu`.

mod blocks;
mod dense;
mod ternary;

use onebit_kernels::cpu::{GROUP_ROWS, Isa};

use super::bytes::Slabs;
use super::threads::Pool;
use crate::lane::LaneError;
use crate::model::{TensorType, TensorView};

pub(super) use blocks::Blocks;
pub(super) use dense::Dense;
pub(super) use ternary::{Scales, Ternary};

/// A weight as the lane keeps it.
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) layout: Layout,
}

/// How the values lie.
pub(super) enum Layout {
    /// One row of floats: norms.
    Vector(Vec<f32>),
    /// -1, 0, +1.
    Ternary(Ternary),
    /// f32, f16, bf16.
    Dense(Dense),
    /// Q formats.
    Blocks(Blocks),
}

impl Weight {
    /// Repacks a tensor with all threads.
    ///
    /// # Errors
    /// Out of memory, or a shape that the format cannot have.
    pub(super) fn new(
        tensor: &TensorView<'_>,
        isa: Isa,
        pool: &Pool,
        slabs: &mut Slabs,
    ) -> Result<Self, LaneError> {
        let layout = match tensor.ty {
            TensorType::F32 | TensorType::F16 | TensorType::Bf16 if tensor.rows == 1 => {
                let mut values = vec![0.0; tensor.cols];
                tensor.dequantize_row(0, &mut values);
                Layout::Vector(values)
            }
            TensorType::F32 | TensorType::F16 | TensorType::Bf16 => {
                Layout::Dense(Dense::new(tensor, pool, slabs)?)
            }
            ty if ty.is_ternary() => Layout::Ternary(Ternary::new(tensor, isa, pool, slabs)?),
            _ => Layout::Blocks(Blocks::new(tensor, pool, slabs)?),
        };
        Ok(Self { name: tensor.name.to_owned(), rows: tensor.rows, cols: tensor.cols, layout })
    }

    /// Bytes read by one pass.
    pub(super) fn bytes(&self) -> usize {
        match &self.layout {
            Layout::Vector(values) => values.len() * 4,
            Layout::Ternary(matrix) => matrix.bytes(),
            Layout::Dense(matrix) => matrix.weights.len(),
            Layout::Blocks(matrix) => matrix.weights.len(),
        }
    }

    /// Groups of sixteen rows.
    pub(super) fn groups(&self) -> usize {
        self.rows.div_ceil(GROUP_ROWS)
    }

    /// Writes one row as f32, the same values that [`TensorView::dequantize_row`] gives.
    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows && out.len() == self.cols, "{}: row {row} of {}", self.name, self.rows);
        match &self.layout {
            Layout::Vector(values) => out.copy_from_slice(values),
            Layout::Ternary(matrix) => matrix.read_row(row, out),
            Layout::Dense(matrix) => matrix.read_row(row, out),
            Layout::Blocks(matrix) => matrix.read_row(row, out),
        }
    }

    /// The values of a vector.
    ///
    /// # Panics
    /// When the weight is a matrix: norms are vectors, which `arch` has checked.
    pub(super) fn vector(&self) -> &[f32] {
        match &self.layout {
            Layout::Vector(values) => values,
            _ => panic!("{} is a matrix where a vector belongs", self.name),
        }
    }
}

/// Calls `pack` for every group of `tensor` with that group's part of `bytes`, on all threads.
fn pack_groups(
    tensor: &TensorView<'_>,
    pool: &Pool,
    bytes: &mut [u8],
    group_bytes: usize,
    pack: impl Fn(usize, &mut [u8]) + Sync,
) {
    let groups = tensor.rows.div_ceil(GROUP_ROWS);
    pool.run_chunks(&mut bytes[..groups * group_bytes], group_bytes, 8, |_, group, bytes| pack(group, bytes));
}

/// Rows of `tensor` in `group`, with their place in it.
fn rows_of(tensor: &TensorView<'_>, group: usize) -> impl Iterator<Item = (usize, usize)> {
    (group * GROUP_ROWS..tensor.rows.min((group + 1) * GROUP_ROWS)).enumerate()
}
