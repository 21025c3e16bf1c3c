//! A tensor as it lies in a file: type, shape and bytes.

use crate::quant::{self, halo, i2_s, k, sherry, tq1_0, tq1_halo, tq2_0};

/// Storage format of a tensor. Ternary ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the formats; see engine::quant for each layout")]
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
    /// Every type, ternary ones first.
    pub const ALL: [TensorType; 17] = {
        use TensorType::*;
        [
            Tq1_0, Tq2_0, I2S, Halo, Tq1Halo, Sherry, F32, F16, Bf16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4K, Q5K,
            Q6K,
        ]
    };

    /// Whether every weight is -1, 0 or +1 times a scale.
    pub fn is_ternary(self) -> bool {
        use TensorType::*;
        matches!(self, Tq1_0 | Tq2_0 | I2S | Halo | Tq1Halo | Sherry)
    }

    /// Name as users know it.
    pub fn name(self) -> &'static str {
        use TensorType::*;
        match self {
            Tq1_0 => "TQ1_0",
            Tq2_0 => "TQ2_0",
            I2S => "I2_S",
            Halo => "halo",
            Tq1Halo => "TQ1 halo",
            Sherry => "Sherry",
            F32 => "F32",
            F16 => "F16",
            Bf16 => "BF16",
            Q8_0 => "Q8_0",
            Q4_0 => "Q4_0",
            Q4_1 => "Q4_1",
            Q5_0 => "Q5_0",
            Q5_1 => "Q5_1",
            Q4K => "Q4_K",
            Q5K => "Q5_K",
            Q6K => "Q6_K",
        }
    }

    /// Type id in a GGUF; none for the .h1b formats.
    pub fn gguf_id(self) -> Option<u32> {
        use TensorType::*;
        Some(match self {
            F32 => 0,
            F16 => 1,
            Q4_0 => 2,
            Q4_1 => 3,
            Q5_0 => 6,
            Q5_1 => 7,
            Q8_0 => 8,
            Q4K => 12,
            Q5K => 13,
            Q6K => 14,
            Bf16 => 30,
            Tq1_0 => 34,
            Tq2_0 => 35,
            I2S => 36,
            Halo | Tq1Halo | Sherry => return None,
        })
    }

    /// Columns that a row must be a multiple of, and the bytes they take. Halo and TQ1 halo pad their rows instead.
    pub fn block(self) -> (usize, usize) {
        use TensorType::*;
        match self {
            Tq1_0 => (tq1_0::BLOCK_COLS, tq1_0::BLOCK_BYTES),
            Tq2_0 => (tq2_0::BLOCK_COLS, tq2_0::BLOCK_BYTES),
            I2S => (i2_s::BLOCK_COLS, i2_s::BLOCK_BYTES),
            Halo | Tq1Halo => (1, 1),
            Sherry => (sherry::BLOCK_COLS, sherry::BLOCK_BYTES),
            F32 => (1, 4),
            F16 | Bf16 => (1, 2),
            Q8_0 => (32, 34),
            Q4_0 => (32, 18),
            Q4_1 => (32, 20),
            Q5_0 => (32, 22),
            Q5_1 => (32, 24),
            Q4K => (k::BLOCK_COLS, k::Q4_K_BYTES),
            Q5K => (k::BLOCK_COLS, k::Q5_K_BYTES),
            Q6K => (k::BLOCK_COLS, k::Q6_K_BYTES),
        }
    }

    /// Packed bytes of a row without .h1b row scales; for I2_S its codes. `None` when `cols` is not a whole number of blocks or the
    /// count overflows.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        match self {
            TensorType::Halo => Some(halo::row_bytes(cols)),
            TensorType::Tq1Halo => Some(tq1_halo::row_bytes(cols)),
            _ => {
                let (block_cols, block_bytes) = self.block();
                cols.is_multiple_of(block_cols).then(|| (cols / block_cols).checked_mul(block_bytes))?
            }
        }
    }

    /// Bytes of [`TensorView::data`] for a matrix `[rows, cols]`; `None` as for [`TensorType::row_bytes`].
    pub fn data_bytes(self, rows: usize, cols: usize) -> Option<usize> {
        let tail = if self == TensorType::I2S { i2_s::TAIL_BYTES } else { 0 };
        self.row_bytes(cols)?.checked_mul(rows)?.checked_add(tail)
    }

    /// Bytes of [`TensorView::scales`] for `rows` rows.
    pub fn scale_bytes(self, rows: usize) -> Option<usize> {
        match self {
            TensorType::Halo | TensorType::Tq1Halo | TensorType::Sherry => rows.checked_mul(4),
            _ => Some(0),
        }
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

    /// Scales of row `row` of a ternary tensor, one per `scale_block` columns, replacing what `out` held.
    pub fn ternary_scales(&self, row: usize, out: &mut Vec<f32>) {
        quant::ternary_scales(self, row, out);
    }
}
