//! Finds a graph's tensors in a model file, checks their shapes, and gives them their weights in a lane. The same description of a
//! graph runs twice: first to check every tensor and to list what is to be uploaded, before anything is, then to build the graph
//! from what was. Tensors that the graph would ignore are refused.

use std::collections::HashSet;

use super::ResidentError;
use crate::lane::{Form, Lane, WeightId};
use crate::model::{LoadError, ModelFile, TensorView};
use crate::quant::legacy;

/// One weight in the lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) id: WeightId,
    /// Bytes of a pass over it.
    pub(super) bytes: u64,
    pub(super) ternary: bool,
}

/// A tensor to upload.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) form: Form,
}

/// What a run does with the tensors it meets.
enum Run<'l> {
    /// Lists them; the ids it gives mean nothing.
    Check(Vec<Wanted>),
    /// Takes the uploaded weights, which are in the order of the list.
    Build { lane: &'l dyn Lane, uploaded: std::slice::Iter<'l, WeightId> },
}

/// One run over the tensors of a graph.
pub(super) struct Tensors<'f, 'l> {
    file: &'f ModelFile,
    run: Run<'l>,
    used: HashSet<String>,
}

impl<'f, 'l> Tensors<'f, 'l> {
    /// The first run.
    pub(super) fn check(file: &'f ModelFile) -> Self {
        Tensors { file, run: Run::Check(Vec::new()), used: HashSet::new() }
    }

    /// The second run, with a weight for everything that the first has listed.
    pub(super) fn build(file: &'f ModelFile, lane: &'l dyn Lane, uploaded: &'l [WeightId]) -> Self {
        Tensors { file, run: Run::Build { lane, uploaded: uploaded.iter() }, used: HashSet::new() }
    }

    /// Matrix `[rows, cols]`.
    pub(super) fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Weight, ResidentError> {
        let tensor = self.tensor(name, rows, cols)?;
        Ok(self.take(&tensor, Form::Stored))
    }

    /// Matrix `[rows, cols]`, rounded to Q4_0 where the file has more than five bits a weight and rows of whole blocks.
    pub(super) fn four_bit_matrix(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Weight, ResidentError> {
        match self.four_bit_copy(name, rows, cols)? {
            Some(weight) => Ok(weight),
            None => self.matrix(name, rows, cols),
        }
    }

    /// The same, but nothing where the file's own form serves.
    pub(super) fn four_bit_copy(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Option<Weight>, ResidentError> {
        let tensor = self.tensor(name, rows, cols)?;
        let is_narrow = stored_bytes(&tensor).saturating_mul(8) <= 5 * (rows * cols) as u64;
        let is_whole = cols.is_multiple_of(legacy::BLOCK_COLS);
        Ok((!is_narrow && is_whole).then(|| self.take(&tensor, Form::FourBit)))
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

    /// Ends the first run: what is to be uploaded, in order.
    ///
    /// # Errors
    /// The file has a tensor that no part of the graph asked for.
    pub(super) fn finish_check(self) -> Result<Vec<Wanted>, ResidentError> {
        if let Some(tensor) = self.file.tensors().find(|tensor| !self.used.contains(tensor.name)) {
            return Err(LoadError::Unsupported {
                path: self.file.path().to_owned(),
                field: tensor.name.to_owned(),
                found: format!("a tensor that the {} graph does not use", self.file.config().arch),
                next_step: "use a file without it: leaving it out would give wrong text".to_owned(),
            }
            .into());
        }
        match self.run {
            Run::Check(wanted) => Ok(wanted),
            Run::Build { .. } => unreachable!("only the first run ends so"),
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

    fn take(&mut self, tensor: &TensorView<'_>, form: Form) -> Weight {
        let ternary = tensor.ty.is_ternary();
        match &mut self.run {
            Run::Check(wanted) => {
                wanted.push(Wanted { name: tensor.name.to_owned(), form });
                Weight { id: WeightId(u32::MAX), bytes: 0, ternary }
            }
            Run::Build { lane, uploaded } => {
                let id = *uploaded.next().expect("both runs meet the same tensors");
                Weight { id, bytes: lane.weight_bytes(id) as u64, ternary }
            }
        }
    }

    fn invalid(&self, name: &str, expected: String, found: String) -> ResidentError {
        LoadError::Invalid { path: self.file.path().to_owned(), field: name.to_owned(), expected, found }
            .into()
    }
}

/// Bytes of a tensor in its file.
pub(super) fn stored_bytes(tensor: &TensorView<'_>) -> u64 {
    tensor.data.len() as u64 + tensor.scales.len() as u64
}
