//! The only thing front ends see: requests in, events out, over channels. Plain data, nothing serialisable.
//!
//! Every generation ends with exactly one of [`Event::Done`] or [`Event::Failed`], also after cancel, a panic in a lane, or
//! shutdown. A waker given at submit is called after each delivery: deliver first, wake second.
//!
//! Threads: handles send to `intake`, which turns text into ids; `scheduler` is the engine thread, which owns the [`backend`]
//! (lane, weights, KV bytes); model files are opened on a loader thread.

use std::path::PathBuf;
use std::sync::Arc;

pub use crate::arch::Head;
use crate::lane::{KvDtype, LaneChoice};
use crate::sampler::{Sampling, TokenLogprob};
use crate::telemetry::Telemetry;
use crate::tokenizer::Message;

/// Called after an event has been delivered.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// How the engine is started.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Which lane.
    pub lane: LaneChoice,
    /// Worker threads; 0 = one per physical core.
    pub threads: usize,
    /// Budget for weights, KV and scratch of all resident models; 0 = three quarters of the machine's memory.
    pub memory_bytes: u64,
    /// Generations running at once.
    pub max_running: usize,
    /// Generations waiting; [`SubmitError::QueueFull`] when `max_running + max_queued` have not ended yet.
    pub max_queued: usize,
    /// Prompt tokens per step of one model, shared equally by the generations that still read their prompt.
    pub prefill_chunk: usize,
    /// How models keep their LM heads.
    pub head: Head,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lane: LaneChoice::Auto,
            threads: 0,
            memory_bytes: 0,
            max_running: 8,
            max_queued: 64,
            prefill_chunk: 256,
            head: Head::default(),
        }
    }
}

/// How a model is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Name requests use.
    pub id: String,
    /// File.
    pub path: PathBuf,
    /// Context per generation in tokens; 0 = what the file allows, at most 4096.
    pub context: usize,
    /// KV storage.
    pub kv_dtype: KvDtype,
}

/// What to generate from.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Text in which special tokens are parsed; BOS if the file asks for it.
    Text(String),
    /// Ids as they are.
    Tokens(Vec<u32>),
    /// A chat, rendered with the model's template; contents are taken literally.
    Chat(Vec<Message>),
    /// A chat whose last message is an unfinished answer, which the generation goes on with.
    Continue(Vec<Message>),
}

/// One generation.
#[derive(Debug, Clone)]
pub struct Request {
    /// Id of a resident model.
    pub model: String,
    /// Input.
    pub prompt: Prompt,
    /// Picking.
    pub sampling: Sampling,
    /// At most this many new tokens; 0 = until the context is full.
    pub max_new_tokens: u32,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Keeps this conversation's KV pinned under a name.
    pub session: Option<String>,
    /// Report log-probabilities with this many alternatives.
    pub logprobs: Option<u32>,
}

/// One generated token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Id.
    pub id: u32,
    /// Its log-probability, when asked for.
    pub logprob: Option<f32>,
    /// Most likely ids at this step, when asked for.
    pub top: Vec<TokenLogprob>,
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Event {
    /// Left the queue.
    Started {
        /// Prompt length.
        prompt_tokens: u32,
        /// Of these, already cached.
        cached_tokens: u32,
        /// Lane that runs it.
        lane: &'static str,
    },
    /// Prompt progress.
    Prefill {
        /// Prompt tokens done, cached ones included.
        done_tokens: u32,
    },
    /// One step: whole characters (may be empty while a character or a stop string is undecided) and the tokens behind them.
    Text {
        /// New text.
        text: String,
        /// New tokens.
        tokens: Vec<Token>,
    },
    /// Ended well.
    Done {
        /// Why.
        reason: StopReason,
        /// Counts and times.
        usage: Usage,
    },
    /// Ended badly; nothing follows.
    Failed(GenerateError),
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// `max_new_tokens` reached, or the context is full.
    Length,
    /// The model ended its turn.
    EndOfText,
    /// A stop string appeared.
    StopString,
    /// The caller cancelled.
    Cancelled,
}

/// Counts and times of one generation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Prompt length.
    pub prompt_tokens: u32,
    /// Of these, cached.
    pub cached_tokens: u32,
    /// New tokens; the one that ended the answer, which is not part of it, is not counted.
    pub new_tokens: u32,
    /// Waiting in the queue.
    pub queue_millis: f64,
    /// From start to the first token.
    pub prefill_millis: f64,
    /// From the first token to the last.
    pub decode_millis: f64,
}

/// Why a generation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// No such resident model.
    #[error("model {0} is not loaded")]
    ModelNotLoaded(String),
    /// Prompt plus one token do not fit.
    #[error(
        "the prompt has {prompt_tokens} tokens, but the context holds {context}; shorten it or load the model with a larger context"
    )]
    PromptTooLong {
        /// Prompt length.
        prompt_tokens: usize,
        /// Context.
        context: usize,
    },
    /// Nothing to generate from.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// An id or parameter out of range.
    #[error("{0}")]
    Invalid(String),
    /// The chat template failed.
    #[error("{0}")]
    Template(String),
    /// NaN or infinite logits.
    #[error(
        "the model produced numbers that are not finite at position {position}; the file may be damaged: run `onebit verify`"
    )]
    NotFinite {
        /// Position.
        position: usize,
    },
    /// The lane failed.
    #[error("{0}")]
    Lane(String),
    /// A bug: the step panicked. The engine goes on.
    #[error("internal error: {0}")]
    Panicked(String),
    /// The engine is shutting down or the model was unloaded.
    #[error("the engine stopped")]
    Stopped,
}

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Try again later.
    #[error("{queued} requests are waiting already; try again later")]
    QueueFull {
        /// Waiting now.
        queued: usize,
    },
    /// The engine stopped.
    #[error("the engine stopped")]
    Stopped,
}

/// A resident model, as front ends see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelStatus {
    /// Name requests use.
    pub id: String,
    /// File.
    pub path: PathBuf,
    /// `general.name`.
    pub name: String,
    /// Packing of the linears, e.g. `TQ1_0`.
    pub packing: String,
    /// Context per generation.
    pub context: usize,
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Bytes read for one decoded token, KV excluded.
    pub bytes_per_token: u64,
    /// KV bytes reserved: what all running generations can fill, or half of what the memory budget left if that is less, and
    /// at least one full context. Generations that find no free pages wait in the queue.
    pub kv_reserved_bytes: u64,
    /// KV bytes in pages that hold something.
    pub kv_used_bytes: u64,
    /// Layers.
    pub n_layers: usize,
}

/// A KV slot, for slot maps.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotStatus {
    /// Model.
    pub model: String,
    /// Slot.
    pub slot: usize,
    /// Cached positions.
    pub positions: usize,
    /// Exact bytes of its pages.
    pub kv_bytes: u64,
    /// Name it is pinned by.
    pub session: Option<String>,
    /// Whether a generation uses it now.
    pub busy: bool,
}

/// What the engine is doing.
#[derive(Debug, Clone)]
pub struct EngineStatus {
    /// Lane.
    pub lane: &'static str,
    /// Threads.
    pub threads: usize,
    /// Something the user should know about the lane.
    pub notice: Option<String>,
    /// Resident models.
    pub models: Vec<ModelStatus>,
    /// KV slots.
    pub slots: Vec<SlotStatus>,
    /// Running generations.
    pub running: usize,
    /// Waiting generations.
    pub queued: usize,
    /// Memory budget.
    pub memory_budget_bytes: u64,
    /// Of it, used by weights, KV and scratch.
    pub memory_used_bytes: u64,
}

/// Shared counters.
pub type SharedTelemetry = Arc<Telemetry>;

mod answer;
pub mod backend;
mod board;
mod engine;
mod intake;
mod lane_backend;
mod memory;
mod outbox;
mod scheduler;
pub mod scripted;

pub use engine::{EngineHandle, Generation, Load, LoadEvent, LoadFailure, Score, ScoreEvent, ScoreRequest};

/// What a panic said, for an error message.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}
