//! What the scheduler needs from below: something that opens model files, makes them resident and runs batches.
//!
//! The product has one implementation, [`super::lane_backend::LaneBackend`] over a lane and `arch`; tests of the scheduler and
//! of front ends use [`super::scripted`], whose logits are a function of the tokens.

use std::sync::Arc;

use super::{LoadFailure, LoadOptions};
use crate::arch::{Batch, ResidentOptions};
use crate::lane::{KvShape, LaneError, LaneInfo};
use crate::tokenizer::{Message, Specials};

/// Text to ids and back for one model.
pub trait Vocabulary: Send + Sync {
    /// Number of ids.
    fn size(&self) -> usize;
    /// Ids of a text; BOS in front if asked for and the model wants one.
    ///
    /// # Errors
    /// The text cannot be encoded; the error says why.
    fn encode(&self, text: &str, specials: Specials, add_bos: bool) -> Result<Vec<u32>, String>;
    /// Ids of a chat, ready for the assistant's answer.
    ///
    /// # Errors
    /// The template failed; the text says how.
    fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, String>;
    /// Ids of a chat whose last message is an answer to go on with.
    ///
    /// # Errors
    /// As [`Self::encode_chat`].
    fn encode_continuation(&self, messages: &[Message]) -> Result<Vec<u32>, String>;
    /// Bytes of a token; empty for an unknown id.
    fn token_bytes(&self, id: u32) -> &[u8];
    /// Whether generation ends at this id.
    fn ends_generation(&self, id: u32) -> bool;
    /// Whether the id is a control token, which has no visible text.
    fn is_control(&self, id: u32) -> bool;
}

/// A model file that was read and checked, not yet resident.
pub struct Opened<F> {
    /// The file, as the backend wants it back in [`Backend::load`].
    pub file: F,
    /// Its vocabulary.
    pub vocabulary: Arc<dyn Vocabulary>,
    /// `general.name`.
    pub name: String,
    /// Packing of the linears.
    pub packing: String,
    /// Longest context the file allows.
    pub context_length: usize,
    /// Bytes the weights will take, estimated from the file before anything is uploaded.
    pub weight_bytes: u64,
    /// Shape of its KV arena; `n_pages` is filled in later.
    pub kv_shape: KvShape,
    /// Memory beside weights and KV.
    pub scratch_bytes: ScratchBytes,
}

/// Memory a resident model needs beside weights and KV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScratchBytes {
    /// Whatever the batch, e.g. the rotary table.
    pub fixed: u64,
    /// Activation buffers per row of a batch.
    pub row: u64,
    /// Per row that wants logits.
    pub logit_row: u64,
}

/// What is known about a model once it is resident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResidentFacts {
    /// Bytes of weights held.
    pub weight_bytes: u64,
    /// Bytes read for one decoded token.
    pub bytes_per_token: u64,
}

/// Opens files, on a thread of its own.
pub type Opener<F> = Arc<dyn Fn(&LoadOptions) -> Result<Opened<F>, LoadFailure> + Send + Sync>;

/// Reports upload progress as `(done_bytes, total_bytes)`; `false` stops the upload.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Owns the lane and all arithmetic. Lives on the engine thread, where it is also made.
pub trait Backend {
    /// A file between opening and loading.
    type File: Send + 'static;
    /// A resident model.
    type Model;

    /// Name, threads, notices.
    fn info(&self) -> LaneInfo;

    /// The function that opens files.
    fn opener(&self) -> Opener<Self::File>;

    /// Makes a file resident.
    ///
    /// # Errors
    /// The upload failed or was stopped; nothing stays behind.
    fn load(
        &mut self,
        file: Self::File,
        options: ResidentOptions,
        progress: Progress<'_>,
    ) -> Result<(Self::Model, ResidentFacts), LoadFailure>;

    /// Frees a model.
    fn unload(&mut self, model: Self::Model);

    /// Runs one batch; logits `[logit_rows.len(), vocab]`.
    ///
    /// # Errors
    /// Device loss.
    fn forward<'b>(&'b mut self, model: &mut Self::Model, batch: &Batch<'_>) -> Result<&'b [f32], LaneError>;
}
