//! Finds a graph's tensors in a model file, checks their shapes, and uploads them. The same description of a graph runs twice:
//! first to check every tensor before anything is uploaded, then to upload. Tensors that the graph would ignore are refused.

use std::collections::HashSet;

use super::ResidentError;
use crate::lane::{Lane, LaneError, WeightId};
use crate::model::{LoadError, ModelFile, TensorType, TensorView};
use crate::quant::legacy;

/// One weight in the lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) id: WeightId,
    /// Bytes of a pass over it.
    pub(super) bytes: u64,
    pub(super) ternary: bool,
}

/// Where weights go on the second run.
pub(super) struct Upload<'l> {
    pub(super) lane: &'l mut dyn Lane,
    /// Told the bytes done and the bytes in all; `false` cancels.
    pub(super) progress: &'l mut dyn FnMut(u64, u64) -> bool,
    /// Everything uploaded so far, so that the caller can free it after an error.
    pub(super) uploaded: &'l mut Vec<WeightId>,
    /// Bytes in all, counted by the first run.
    pub(super) total_bytes: u64,
}

/// One run over the tensors of a graph.
pub(super) struct Tensors<'f, 'l> {
    file: &'f ModelFile,
    upload: Option<Upload<'l>>,
    used: HashSet<String>,
    done_bytes: u64,
}

impl<'f, 'l> Tensors<'f, 'l> {
    /// The first run: checks only; the ids it gives mean nothing.
    pub(super) fn check(file: &'f ModelFile) -> Self {
        Tensors { file, upload: None, used: HashSet::new(), done_bytes: 0 }
    }

    /// The second run.
    pub(super) fn upload(file: &'f ModelFile, upload: Upload<'l>) -> Self {
        Tensors { file, upload: Some(upload), used: HashSet::new(), done_bytes: 0 }
    }

    /// Matrix `[rows, cols]`.
    pub(super) fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Weight, ResidentError> {
        let tensor = self.tensor(name, rows, cols)?;
        self.take(&tensor)
    }

    /// Matrix `[rows, cols]`, rounded to Q4_0 where the file has more than five bits a weight and rows of whole blocks.
    pub(super) fn four_bit_matrix(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Weight, ResidentError> {
        let tensor = self.tensor(name, rows, cols)?;
        let is_narrow = (tensor.data.len() + tensor.scales.len()).saturating_mul(8) <= 5 * rows * cols;
        if is_narrow || !cols.is_multiple_of(legacy::BLOCK_COLS) || self.upload.is_none() {
            return self.take(&tensor);
        }
        let data = four_bit_rows(&tensor)?;
        // Progress counts bytes of the file.
        self.done_bytes += (tensor.data.len() + tensor.scales.len() - data.len()) as u64;
        self.take(&TensorView { ty: TensorType::Q4_0, data: &data, scales: &[], ..tensor })
    }

    /// Vector of `len` elements.
    pub(super) fn vector(&mut self, name: &str, len: usize) -> Result<Weight, ResidentError> {
        self.matrix(name, 1, len)
    }

    /// Values of a vector that may be absent, each checked to be finite and positive. They stay on the host.
    pub(super) fn positive_values(
        &mut self,
        name: &str,
        len: usize,
    ) -> Result<Option<Vec<f32>>, ResidentError> {
        if self.file.tensor_if_present(name).is_none() {
            return Ok(None);
        }
        let tensor = self.tensor(name, 1, len)?;
        let mut values = vec![0.0; len];
        tensor.dequantize_row(0, &mut values);
        match values.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            Some(bad) => Err(self.invalid(name, "finite values above zero".to_owned(), bad.to_string())),
            None => Ok(Some(values)),
        }
    }

    /// Ends the first run: bytes of all tensors used.
    ///
    /// # Errors
    /// The file has a tensor that no part of the graph asked for.
    pub(super) fn finish_check(self) -> Result<u64, ResidentError> {
        match self.file.tensors().find(|tensor| !self.used.contains(tensor.name)) {
            None => Ok(self.done_bytes),
            Some(tensor) => Err(LoadError::Unsupported {
                path: self.file.path().to_owned(),
                field: tensor.name.to_owned(),
                found: format!("a tensor that the {} graph does not use", self.file.config().arch),
                next_step: "use a file without it: leaving it out would give wrong text".to_owned(),
            }
            .into()),
        }
    }

    fn tensor(&mut self, name: &str, rows: usize, cols: usize) -> Result<TensorView<'f>, ResidentError> {
        let tensor = self.file.tensor(name)?;
        if (tensor.rows, tensor.cols) != (rows, cols) {
            let found = format!("[{}, {}]", tensor.rows, tensor.cols);
            return Err(self.invalid(name, format!("shape [{rows}, {cols}]"), found));
        }
        self.used.insert(name.to_owned());
        Ok(tensor)
    }

    fn take(&mut self, tensor: &TensorView<'_>) -> Result<Weight, ResidentError> {
        self.done_bytes += (tensor.data.len() + tensor.scales.len()) as u64;
        let ternary = tensor.ty.is_ternary();
        let Some(upload) = &mut self.upload else {
            return Ok(Weight { id: WeightId(u32::MAX), bytes: 0, ternary });
        };
        self.file.verify_codes(tensor)?;
        let id = upload.lane.upload(tensor)?;
        upload.uploaded.push(id);
        if !(upload.progress)(self.done_bytes, upload.total_bytes) {
            return Err(ResidentError::Cancelled);
        }
        Ok(Weight { id, bytes: upload.lane.weight_bytes(id) as u64, ternary })
    }

    fn invalid(&self, name: &str, expected: String, found: String) -> ResidentError {
        LoadError::Invalid { path: self.file.path().to_owned(), field: name.to_owned(), expected, found }
            .into()
    }
}

/// The rows of a tensor as Q4_0.
fn four_bit_rows(tensor: &TensorView<'_>) -> Result<Vec<u8>, LaneError> {
    let bytes = TensorType::Q4_0.data_bytes(tensor.rows, tensor.cols).unwrap_or(usize::MAX);
    let mut data = Vec::new();
    data.try_reserve_exact(bytes)
        .map_err(|_| LaneError::OutOfMemory { what: format!("{} at 4 bits", tensor.name), bytes })?;
    let mut row = vec![0.0; tensor.cols];
    for index in 0..tensor.rows {
        tensor.dequantize_row(index, &mut row);
        legacy::pack_q4_0(&row, &mut data);
    }
    Ok(data)
}
