//! Complete checks of tensor data, too slow for `open`: codes that mean nothing, and scales or weights that are not finite. They
//! read every byte once.

use std::ops::Range;

use super::error::{LoadError, Source};
use super::file::ModelFile;
use super::tensor::{TensorType, TensorView};
use crate::quant::{halo, has_code_three, i2_s, tq1_halo, tq2_0};

impl ModelFile {
    /// Checks the data of every tensor, and that the file did not change meanwhile.
    ///
    /// # Errors
    /// `LoadError` naming the tensor, the row or weight, and what to do.
    pub fn verify(&self) -> Result<(), LoadError> {
        for tensor in self.tensors() {
            self.verify_tensor(&tensor)?;
        }
        self.check_map()
    }

    /// Checks codes, scales and weights of one tensor of this file.
    ///
    /// # Errors
    /// As [`ModelFile::verify`].
    pub fn verify_tensor(&self, tensor: &TensorView<'_>) -> Result<(), LoadError> {
        self.verify_codes(tensor)?;
        match first_not_finite(tensor) {
            Some((row, value)) => {
                let found = format!("{value} in row {row}; the file is damaged: download it again");
                let source = Source { path: self.path() };
                Err(source.invalid(tensor.name, "finite weights", found))
            }
            None => Ok(()),
        }
    }

    /// Checks the codes of one tensor of this file only: fast enough for every load, and needed there, since an unused code would
    /// silently count as zero. Numbers that are not finite need no check at a load: lanes keep them visible.
    ///
    /// # Errors
    /// As [`ModelFile::verify`].
    pub fn verify_codes(&self, tensor: &TensorView<'_>) -> Result<(), LoadError> {
        let Some(index) = first_meaningless_code(tensor) else { return Ok(()) };
        let (row, col) = (index / tensor.cols, index % tensor.cols);
        let found = format!(
            "an unused code at row {row}, column {col}; the file is damaged or of another layout: download it again, \
             or ask for a TQ2_0 or TQ1_0 file of this model"
        );
        let source = Source { path: self.path() };
        Err(source.invalid(tensor.name, format_args!("{} codes", tensor.ty.name()), found))
    }
}

impl TensorView<'_> {
    /// Whether these rows hold a code that the format does not use. Reads each of their bytes once.
    pub fn has_unused_codes(&self, rows: Range<usize>) -> bool {
        let row_bytes = row_bytes(self);
        let packed = &self.data[rows.start * row_bytes..rows.end * row_bytes];
        match self.ty {
            TensorType::I2S | TensorType::Tq2_0 => {
                let (block_cols, block_bytes) = self.ty.block();
                packed.chunks_exact(block_bytes).any(|block| has_code_three(&block[..block_cols / 4]))
            }
            TensorType::Halo => {
                packed.chunks_exact(row_bytes).any(|row| halo::first_unused_code(row, self.cols).is_some())
            }
            TensorType::Tq1Halo => tq1_halo::first_invalid_byte(packed).is_some(),
            _ => false,
        }
    }
}

fn row_bytes(t: &TensorView<'_>) -> usize {
    t.ty.row_bytes(t.cols).expect("the row length was checked when the file was opened")
}

/// Index of the first weight whose code the format does not use.
fn first_meaningless_code(t: &TensorView<'_>) -> Option<usize> {
    let by_row = |find: fn(&[u8], usize) -> Option<usize>| {
        let mut rows = t.data.chunks_exact(row_bytes(t)).enumerate();
        rows.find_map(|(row, packed)| Some(row * t.cols + find(packed, t.cols)?))
    };
    match t.ty {
        TensorType::I2S => i2_s::first_unused_code(&t.data[..t.data.len() - i2_s::TAIL_BYTES]),
        TensorType::Tq2_0 => by_row(tq2_0::first_unused_code),
        TensorType::Halo => by_row(halo::first_unused_code),
        TensorType::Tq1Halo => {
            by_row(|packed, cols| tq1_halo::first_invalid_byte(packed).map(|col| col.min(cols - 1)))
        }
        _ => None,
    }
}

/// Row and value of the first scale (ternary) or weight (others) that is infinite or not a number.
fn first_not_finite(t: &TensorView<'_>) -> Option<(usize, f32)> {
    let mut values = vec![0.0; if t.ty.is_ternary() { 0 } else { t.cols }];
    (0..t.rows).find_map(|row| {
        if t.ty.is_ternary() {
            t.ternary_scales(row, &mut values);
        } else {
            t.dequantize_row(row, &mut values);
        }
        values.iter().find(|v| !v.is_finite()).map(|&v| (row, v))
    })
}
