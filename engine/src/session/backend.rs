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

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes uploaded.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Whether nothing is left to upload.
    pub is_whole: bool,
}

/// Owns the lane and all arithmetic. Lives on the engine thread, where it is also made.
pub trait Backend {
    /// A file between opening and loading.
    type File: Send + 'static;
    /// A file on its way into the lane.
    type Loading;
    /// A resident model.
    type Model;

    /// Name, threads, notices.
    fn info(&self) -> LaneInfo;

    /// The function that opens files.
    fn opener(&self) -> Opener<Self::File>;

    /// Begins to make a file resident. What it gives ends with [`Backend::finish_load`] or [`Backend::cancel_load`].
    ///
    /// # Errors
    /// The file does not fit its graph; nothing stays behind.
    fn begin_load(
        &mut self,
        file: Self::File,
        options: ResidentOptions,
    ) -> Result<Self::Loading, LoadFailure>;

    /// Uploads a part that takes about a millisecond, so that running generations need not wait.
    ///
    /// # Errors
    /// The load can only be cancelled.
    fn load_part(&mut self, loading: &mut Self::Loading) -> Result<LoadProgress, LoadFailure>;

    /// Makes a whole upload a model.
    ///
    /// # Errors
    /// Not enough memory; nothing stays behind.
    fn finish_load(&mut self, loading: Self::Loading) -> Result<(Self::Model, ResidentFacts), LoadFailure>;

    /// Frees what a load has uploaded.
    fn cancel_load(&mut self, loading: Self::Loading);

    /// Frees a model.
    fn unload(&mut self, model: Self::Model);

    /// Runs one batch; logits `[logit_rows.len(), vocab]`.
    ///
    /// # Errors
    /// Device loss.
    fn forward<'b>(&'b mut self, model: &mut Self::Model, batch: &Batch<'_>) -> Result<&'b [f32], LaneError>;
}
