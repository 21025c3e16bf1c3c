//! A tensor as it lies in a file: type, shape and bytes.

use crate::quant;

/// Storage format of a tensor. Ternary ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the formats; see engine::quant for each layout")]
pub enum TensorType {
    Tq1_0,
    Tq2_0,
    I2S,
    /// .h1b v1/v2, 2 bits, one f32 scale a row.
    Halo,
    /// .h1b v4, base 3, one f32 scale a row.
    Tq1Halo,
    /// .h1b v3, 3:4 sparse 1.25 bits, one f32 scale a row.
    Sherry,
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4K,
    Q5K,
    Q6K,
}

/// A matrix `[rows, cols]` (row = output feature) or a vector (`rows == 1`) in a memory map. `data` holds whole rows,
/// except I2_S, whose codes and scale belong to the whole tensor. Bytes may be unaligned.
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'a> {
    /// GGUF name.
    pub name: &'a str,
    /// Storage format.
    pub ty: TensorType,
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// Packed bytes, length checked when the file was opened.
    pub data: &'a [u8],
    /// Row scales as little-endian f32 (`rows * 4` bytes) for the .h1b formats, else empty.
    pub scales: &'a [u8],
}

impl TensorType {
    /// Whether every weight is -1, 0 or +1 times a scale.
    pub fn is_ternary(self) -> bool {
        use TensorType::*;
        matches!(self, Tq1_0 | Tq2_0 | I2S | Halo | Tq1Halo | Sherry)
    }
}

impl TensorView<'_> {
    /// Writes row `row` as f32. `out.len() == cols`.
    pub fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        quant::dequantize_row(self, row, out);
    }

    /// Writes the trits of row `row` of a ternary tensor. `out.len() == cols`.
    pub fn unpack_trits(&self, row: usize, out: &mut [i8]) {
        quant::unpack_trits(self, row, out);
    }

    /// Columns that share one scale in a ternary tensor: `cols` for a scale per row or tensor, 256 for TQ1_0 and TQ2_0.
    pub fn scale_block(&self) -> usize {
        quant::scale_block(self)
    }

    /// Scales of row `row` of a ternary tensor, one per `scale_block` columns.
    pub fn ternary_scales(&self, row: usize, out: &mut Vec<f32>) {
        quant::ternary_scales(self, row, out);
    }
}
