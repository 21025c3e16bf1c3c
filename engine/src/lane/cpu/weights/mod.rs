//! Weights in the orders that the kernels read: repacked at upload, sixteen output rows to a group, some rows at a time, so that
//! a running generation can take its turn in between. One file per kind of layout; the layouts themselves are drawn in
//! `onebit_kernels::cpu`.

mod blocks;
mod dense;
mod ternary;
mod two_bits;

use std::ops::Range;

use onebit_kernels::cpu::{GROUP_ROWS, Isa};

use super::bytes::Slabs;
use super::threads::Pool;
use crate::lane::memory::zeroed;
use crate::lane::{Form, LaneError};
use crate::model::{TensorType, TensorView};

pub(super) use blocks::Blocks;
pub(super) use dense::Dense;
pub(super) use ternary::{Scales, Ternary};

/// A multiple of the rows that every layout keeps together.
const TOGETHER: usize = 32;

/// A weight as the lane keeps it.
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) layout: Layout,
    /// Rows that were packed so far.
    packed_rows: usize,
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

/// Threads and memory for packing.
pub(super) struct Packer<'l> {
    pub(super) pool: &'l Pool,
    pub(super) slabs: &'l mut Slabs,
}

impl Weight {
    /// Reserves the memory of a weight; its rows follow with [`Weight::pack`].
    ///
    /// # Errors
    /// Out of memory, or a shape that the format cannot have.
    pub(super) fn begin(
        tensor: &TensorView<'_>,
        form: Form,
        isa: Isa,
        slabs: &mut Slabs,
    ) -> Result<Self, LaneError> {
        let layout = match (form, tensor.ty) {
            (Form::FourBit, _) => Layout::Blocks(Blocks::begin(tensor, TensorType::Q4_0, slabs)?),
            (_, TensorType::F32 | TensorType::F16 | TensorType::Bf16) if tensor.rows == 1 => {
                Layout::Vector(zeroed(tensor.cols, tensor.name)?)
            }
            (_, TensorType::F32 | TensorType::F16 | TensorType::Bf16) => {
                Layout::Dense(Dense::begin(tensor, slabs)?)
            }
            (_, ty) if ty.is_ternary() => Layout::Ternary(Ternary::begin(tensor, isa, slabs)?),
            (_, ty) => Layout::Blocks(Blocks::begin(tensor, ty, slabs)?),
        };
        Ok(Self {
            name: tensor.name.to_owned(),
            rows: tensor.rows,
            cols: tensor.cols,
            layout,
            packed_rows: 0,
        })
    }

    /// Packs about `rows` more rows of the tensor it was begun with, on all threads, and returns how many are left.
    ///
    /// # Errors
    /// A code that the format does not use, scales that no layout holds, out of memory.
    pub(super) fn pack(
        &mut self,
        tensor: &TensorView<'_>,
        rows: usize,
        packer: &mut Packer<'_>,
    ) -> Result<usize, LaneError> {
        let range = self.next_rows(rows);
        self.packed_rows = match &mut self.layout {
            Layout::Vector(values) => {
                tensor.dequantize_row(0, values);
                range.end
            }
            Layout::Ternary(matrix) => {
                matrix.pack(tensor, range.clone(), packer.pool)?;
                range.end
            }
            Layout::Dense(matrix) => matrix.pack(tensor, range, packer)?,
            Layout::Blocks(matrix) => {
                matrix.pack(tensor, range.clone(), packer.pool);
                range.end
            }
        };
        Ok(self.rows - self.packed_rows)
    }

    /// Reserves the memory of a Q8_0 copy of a matrix in floats; its rows follow with [`Weight::pack_coarse`].
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn begin_coarse(of: &Self, slabs: &mut Slabs) -> Result<Self, LaneError> {
        let (name, rows, cols) = (of.name.clone(), of.rows, of.cols);
        let shape = TensorView { name: &name, ty: TensorType::F32, rows, cols, data: &[], scales: &[] };
        let layout = Layout::Blocks(Blocks::begin(&shape, TensorType::Q8_0, slabs)?);
        Ok(Self { name, rows, cols, layout, packed_rows: 0 })
    }

    /// Packs about `rows` more rows, which `read` gives as Q8_0, and returns how many are left.
    pub(super) fn pack_coarse(
        &mut self,
        rows: usize,
        pool: &Pool,
        read: impl Fn(usize, &mut Vec<u8>) + Sync,
    ) -> usize {
        let range = self.next_rows(rows);
        if let Layout::Blocks(matrix) = &mut self.layout {
            matrix.pack_with(range.clone(), pool, read);
        }
        self.packed_rows = range.end;
        self.rows - self.packed_rows
    }

    /// The next rows to pack: whole groups of those that lie together.
    fn next_rows(&self, rows: usize) -> Range<usize> {
        let end = self.packed_rows.saturating_add(rows.max(1)).min(self.rows);
        self.packed_rows..end.next_multiple_of(TOGETHER).min(self.rows)
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

/// Calls `pack` for every group of sixteen rows in `rows` with that group's part of `bytes`, on all threads.
fn pack_groups(
    rows: Range<usize>,
    pool: &Pool,
    bytes: &mut [u8],
    group_bytes: usize,
    pack: impl Fn(usize, &mut [u8]) + Sync,
) {
    let groups = rows.start / GROUP_ROWS..rows.end.div_ceil(GROUP_ROWS);
    let bytes = &mut bytes[groups.start * group_bytes..groups.end * group_bytes];
    // A matrix without columns has no bytes.
    pool.run_chunks(bytes, group_bytes.max(1), 4, |_, group, bytes| pack(groups.start + group, bytes));
}

/// Rows of `tensor` in `group`, with their place in it.
fn rows_of(tensor: &TensorView<'_>, group: usize) -> impl Iterator<Item = (usize, usize)> {
    (group * GROUP_ROWS..tensor.rows.min((group + 1) * GROUP_ROWS)).enumerate()
}
