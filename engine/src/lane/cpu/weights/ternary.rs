//! Ternary matrices at two bits a weight, with one scale a row where the file allows it, else one per 256 columns.

use onebit_kernels::cpu::GROUP_ROWS;
use onebit_kernels::cpu::ternary::{BLOCK_BYTES, BLOCK_COLS, Matrix, Packing, SCALE_COLS};

use super::super::bytes::{Bytes, Slabs};
use super::super::threads::Pool;
use super::{pack_groups, rows_of};
use crate::lane::LaneError;
use crate::lane::memory::zeroed;
use crate::model::TensorView;

/// Two bits a weight.
pub(in crate::lane::cpu) struct Ternary {
    /// Layout of `onebit_kernels::cpu::ternary`.
    codes: Bytes,
    /// Blocks of 16 columns in a group.
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
    pub(super) fn new(tensor: &TensorView<'_>, pool: &Pool, slabs: &mut Slabs) -> Result<Self, LaneError> {
        let k_blocks = tensor.cols.div_ceil(BLOCK_COLS);
        let groups = tensor.rows.div_ceil(GROUP_ROWS);
        let scales = Scales::new(tensor, groups)?;
        let group_bytes = k_blocks * BLOCK_BYTES;
        let mut codes = slabs.take(groups * group_bytes, tensor.name)?;
        pack_groups(tensor, pool, &mut codes, group_bytes, |group, bytes| {
            // Code 1 everywhere: trit 0 in the padding.
            bytes.fill(0x55);
            let mut trits = vec![0i8; k_blocks * BLOCK_COLS];
            for (r, row) in rows_of(tensor, group) {
                tensor.unpack_trits(row, &mut trits[..tensor.cols]);
                for (block, trits) in
                    bytes.chunks_exact_mut(BLOCK_BYTES).zip(trits.as_chunks::<BLOCK_COLS>().0)
                {
                    block[4 * r..4 * r + 4].copy_from_slice(&pack_sixteen(trits));
                }
            }
        });
        Ok(Self { codes, k_blocks, scales })
    }

    /// The codes as the kernels take them.
    pub(in crate::lane::cpu) fn matrix(&self) -> Matrix<'_> {
        Matrix { codes: &self.codes, packing: Packing::TwoBits, k_blocks: self.k_blocks }
    }

    pub(super) fn bytes(&self) -> usize {
        let (Scales::Rows(scales) | Scales::Blocks(scales)) = &self.scales;
        self.codes.len() + scales.len() * 4
    }

    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let (group, r) = (row / GROUP_ROWS, row % GROUP_ROWS);
        let n_scales = self.k_blocks.div_ceil(SCALE_COLS / BLOCK_COLS);
        for (col, out) in out.iter_mut().enumerate() {
            let byte = (group * self.k_blocks + col / BLOCK_COLS) * BLOCK_BYTES + 4 * r + col % 4;
            let code = self.codes[byte] >> (col % BLOCK_COLS / 4 * 2) & 3;
            let scale = match &self.scales {
                Scales::Rows(scales) => scales[row],
                Scales::Blocks(scales) => scales[(group * n_scales + col / SCALE_COLS) * GROUP_ROWS + r],
            };
            *out = scale * (f32::from(code) - 1.0);
        }
    }
}

/// Four bytes: column `4 p + t` in bits `2 p` of byte `t`. Four codes at a time: a code is at most 2, so no shift leaves its byte.
fn pack_sixteen(trits: &[i8; BLOCK_COLS]) -> [u8; 4] {
    let (quads, _) = trits.as_chunks::<4>();
    let code = |p: usize| {
        let [a, b, c, d] = quads[p];
        let four = u32::from_le_bytes([a as u8, b as u8, c as u8, d as u8]);
        // One is added to each byte; the carry out of -1 stays in its byte.
        (((four & 0x7f7f_7f7f) + 0x0101_0101) ^ (four & 0x8080_8080)) << (2 * p)
    };
    (code(0) | code(1) | code(2) | code(3)).to_le_bytes()
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
