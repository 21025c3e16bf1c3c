//! The forward pass, once per family, over a [`Lane`].

use crate::lane::{KvDtype, KvShape, Lane, LaneError, Row};
use crate::model::{LoadError, ModelFile};
use crate::telemetry::Telemetry;

/// A model resident in a lane: uploaded weights, activation buffers, KV arena.
pub struct Resident {}

/// What a model is loaded with.
#[derive(Debug, Clone, Copy)]
pub struct ResidentOptions {
    /// KV storage.
    pub kv_dtype: KvDtype,
    /// KV pages over all sequences.
    pub kv_pages: usize,
    /// Most rows (tokens) in one forward call.
    pub max_rows: usize,
    /// Most rows that want logits in one forward call.
    pub max_logit_rows: usize,
}

/// One step: `tokens.len() == rows.len()`. Rows of one sequence are in ascending position.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Ids, each below the vocabulary size (checked).
    pub tokens: &'a [u32],
    /// Where each token stands.
    pub rows: &'a [Row<'a>],
    /// Indices of rows that want logits, ascending.
    pub logit_rows: &'a [usize],
}

/// Why a model could not be made resident.
#[derive(Debug, thiserror::Error)]
pub enum ResidentError {
    /// The file.
    #[error(transparent)]
    File(#[from] LoadError),
    /// The lane.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The progress callback asked for it.
    #[error("loading was cancelled")]
    Cancelled,
}

impl Resident {
    /// Uploads every weight of `file`, checks every shape against the configuration, and reserves buffers.
    /// `progress(bytes_done, bytes_total)` is called after each tensor; when it returns `false` the load ends with
    /// [`ResidentError::Cancelled`]. On error everything uploaded is freed.
    ///
    /// # Errors
    /// A missing, unused or misshapen tensor, a cut file, not enough memory, cancelled.
    pub fn load(
        file: &ModelFile,
        lane: &mut dyn Lane,
        options: ResidentOptions,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Self, ResidentError> {
        let _ = (file, lane, options, progress);
        todo!()
    }

    /// Frees everything in the lane.
    pub fn unload(self, lane: &mut dyn Lane) {
        let _ = lane;
        todo!()
    }

    /// Runs one batch and returns logits `[logit_rows.len(), vocab]`.
    ///
    /// # Errors
    /// Device loss.
    pub fn forward<'l>(
        &mut self,
        lane: &'l mut dyn Lane,
        batch: &Batch<'_>,
        telemetry: &Telemetry,
    ) -> Result<&'l [f32], LaneError> {
        let _ = (lane, batch, telemetry);
        todo!()
    }

    /// Shape of the KV arena.
    pub fn kv_shape(&self) -> KvShape {
        todo!()
    }

    /// Weight bytes read for one decoded token (linears, norms, LM head).
    pub fn bytes_per_token(&self) -> usize {
        todo!()
    }

    /// Bytes of weights held in the lane.
    pub fn weight_bytes(&self) -> usize {
        todo!()
    }

    /// L2 norm of the cached K vector of `layer` at an offset of a page.
    pub fn key_norm(&self, lane: &dyn Lane, layer: usize, page: u32, offset: usize) -> f32 {
        let _ = (lane, layer, page, offset);
        todo!()
    }
}
