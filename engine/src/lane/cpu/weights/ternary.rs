//! Ternary matrices at 1.25, 1.69 or 2 bits a weight, with one scale a row where the file allows it, else one per 256 columns.

use onebit_kernels::cpu::ternary::{BLOCK_COLS, MAX_COLS, Matrix, Packing, SCALE_COLS};
use onebit_kernels::cpu::{GROUP_ROWS, Isa};

use super::super::bytes::{Bytes, Slabs};
use super::super::threads::Pool;
use crate::lane::LaneError;
use crate::lane::memory::zeroed;
use crate::model::{TensorType, TensorView};

/// A ternary matrix.
pub(in crate::lane::cpu) struct Ternary {
    codes: Bytes,
    packing: Packing,
    /// Blocks of 16 columns.
    k_blocks: usize,
    /// Scales.
    pub(in crate::lane::cpu) scales: Scales,
}

/// Scales of a ternary matrix.
pub(in crate::lane::cpu) enum Scales {
    /// One a row, rows padded to whole groups.
    Rows(Vec<f32>),
    /// `[groups, blocks of 256 columns, 16 rows]`.
    Blocks(Vec<f32>),
}

impl Ternary {
    pub(super) fn new(
        tensor: &TensorView<'_>,
        isa: Isa,
        pool: &Pool,
        slabs: &mut Slabs,
    ) -> Result<Self, LaneError> {
        if tensor.cols > MAX_COLS {
            return Err(LaneError::Tensor {
                tensor: tensor.name.to_owned(),
                expected: format!("at most {MAX_COLS} columns"),
                found: format!("{} columns", tensor.cols),
            });
        }
        let k_blocks = tensor.cols.div_ceil(BLOCK_COLS);
        let groups = tensor.rows.div_ceil(GROUP_ROWS);
        let scales = Scales::new(tensor, groups)?;
        let packing = packing(tensor.ty, isa, tensor.rows, k_blocks);
        let bundle_bytes = packing.bundle_bytes(k_blocks);
        let bundles = tensor.rows.div_ceil(packing.rows());
        let mut codes = slabs.take(bundles * bundle_bytes, tensor.name)?;
        pool.run_chunks(&mut codes[..], bundle_bytes.max(1), 4, |_, bundle, bytes| {
            let mut trits = vec![0i8; tensor.cols];
            for row in 0..packing.rows().min(tensor.rows - bundle * packing.rows()) {
                tensor.unpack_trits(bundle * packing.rows() + row, &mut trits);
                packing.write_row(bytes, row, &trits);
            }
        });
        Ok(Self { codes, packing, k_blocks, scales })
    }

    /// The codes as the kernels take them.
    pub(in crate::lane::cpu) fn matrix(&self) -> Matrix<'_> {
        Matrix { codes: &self.codes, packing: self.packing, k_blocks: self.k_blocks }
    }

    pub(super) fn bytes(&self) -> usize {
        let (Scales::Rows(scales) | Scales::Blocks(scales)) = &self.scales;
        self.codes.len() + scales.len() * 4
    }

    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let (group, r) = (row / GROUP_ROWS, row % GROUP_ROWS);
        let n_scales = self.k_blocks.div_ceil(SCALE_COLS / BLOCK_COLS);
        let bundle_bytes = self.packing.bundle_bytes(self.k_blocks);
        let (bundle, place) = (row / self.packing.rows(), row % self.packing.rows());
        let mut trits = vec![0i8; out.len()];
        let bytes = &self.codes[bundle * bundle_bytes..(bundle + 1) * bundle_bytes];
        self.packing.read_row(bytes, place, &mut trits);
        for (col, (out, trit)) in out.iter_mut().zip(trits).enumerate() {
            let scale = match &self.scales {
                Scales::Rows(scales) => scales[row],
                Scales::Blocks(scales) => scales[(group * n_scales + col / SCALE_COLS) * GROUP_ROWS + r],
            };
            *out = scale * f32::from(trit);
        }
    }
}

/// Formats below two bits a weight keep most of that where the instruction set has lookups, unless padding to whole segments would
/// cost more than it saves.
fn packing(ty: TensorType, isa: Isa, rows: usize, k_blocks: usize) -> Packing {
    let compact = match ty {
        TensorType::Sherry => Packing::Sparse,
        TensorType::Tq1_0 | TensorType::Tq1Halo => Packing::Triples,
        _ => return Packing::TwoBits,
    };
    let bytes = |packing: Packing| rows.div_ceil(packing.rows()) * packing.bundle_bytes(k_blocks);
    if isa.has_lookups() && bytes(compact) < bytes(Packing::TwoBits) { compact } else { Packing::TwoBits }
}

impl Scales {
    /// One a row when all blocks of every row agree, as in files converted from a scale per tensor.
    fn new(tensor: &TensorView<'_>, groups: usize) -> Result<Self, LaneError> {
        let mut row_scales = zeroed::<f32>(groups * GROUP_ROWS, tensor.name)?;
        let mut scales = Vec::new();
        for (row, row_scale) in row_scales.iter_mut().enumerate().take(tensor.rows) {
            scales.clear();
            tensor.ternary_scales(row, &mut scales);
            if scales.iter().any(|scale| scale != &scales[0]) {
                return Self::blocks(tensor, groups);
            }
            *row_scale = scales[0];
        }
        Ok(Self::Rows(row_scales))
    }

    fn blocks(tensor: &TensorView<'_>, groups: usize) -> Result<Self, LaneError> {
        if tensor.scale_block() != SCALE_COLS {
            return Err(LaneError::Tensor {
                tensor: tensor.name.to_owned(),
                expected: format!("finite scales, or one per {SCALE_COLS} columns"),
                found: format!("differing scales per {} columns", tensor.scale_block()),
            });
        }
        let n_scales = tensor.cols.div_ceil(SCALE_COLS);
        let mut all = zeroed::<f32>(groups * n_scales * GROUP_ROWS, tensor.name)?;
        let mut scales = Vec::new();
        for row in 0..tensor.rows {
            scales.clear();
            tensor.ternary_scales(row, &mut scales);
            for (block, &scale) in scales.iter().enumerate() {
                all[(row / GROUP_ROWS * n_scales + block) * GROUP_ROWS + row % GROUP_ROWS] = scale;
            }
        }
        Ok(Self::Blocks(all))
    }
}
