//! The handle front ends hold.

use super::{
    EngineOptions, EngineStatus, Event, GenerateError, LoadOptions, ModelStatus, Request, SharedTelemetry,
    SubmitError, Waker,
};
use crate::lane::LaneError;
use crate::tokenizer::Specials;

/// Clone + Send; holds channels only. The engine thread ends when the last handle is dropped or `shutdown` is called.
#[derive(Clone)]
pub struct EngineHandle {}

/// A load in progress.
pub struct Load {}

/// Progress of a load.
#[derive(Debug, Clone)]
pub enum LoadEvent {
    /// Bytes uploaded so far.
    Progress {
        /// Done.
        done_bytes: u64,
        /// Of.
        total_bytes: u64,
    },
    /// Ready.
    Loaded(ModelStatus),
    /// Refused; nothing is resident under this id.
    Failed(LoadFailure),
}

/// Why a model was not loaded, as text for the user (file, field, expected, found, next step).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoadFailure(pub String);

/// Perplexity of ids: windows of `context` tokens, each starting afresh (with BOS in front if the model asks for one); every token
/// after the first is scored.
#[derive(Debug, Clone)]
pub struct ScoreRequest {
    /// Resident model.
    pub model: String,
    /// Ids to score.
    pub tokens: Vec<u32>,
    /// Window length.
    pub context: usize,
}

/// A scoring in progress.
pub struct Score {}

/// Progress of a scoring.
#[derive(Debug, Clone)]
pub enum ScoreEvent {
    /// So far.
    Progress {
        /// Scored ids.
        scored: usize,
        /// Sum of negative log-likelihoods (natural log).
        nll_sum: f64,
    },
    /// All windows done.
    Done {
        /// Scored ids.
        scored: usize,
        /// Sum of negative log-likelihoods (natural log).
        nll_sum: f64,
    },
    /// Could not go on.
    Failed(GenerateError),
}

/// A running or queued generation. Dropping it cancels.
pub struct Generation {}

impl EngineHandle {
    /// Starts the engine thread and its lane.
    ///
    /// # Errors
    /// The lane could not be opened.
    pub fn start(options: EngineOptions) -> Result<Self, LaneError> {
        let _ = options;
        todo!()
    }

    /// Loads a model and makes it resident under `options.id`, replacing nothing: an id in use is an error.
    pub fn load(&self, options: LoadOptions, wake: Waker) -> Load {
        let _ = (options, wake);
        todo!()
    }

    /// Unloads a model; its generations fail with `Stopped`.
    pub fn unload(&self, id: &str) {
        let _ = id;
        todo!()
    }

    /// Queues a generation.
    ///
    /// # Errors
    /// Queue full, or engine stopped.
    pub fn submit(&self, request: Request, wake: Waker) -> Result<Generation, SubmitError> {
        let _ = (request, wake);
        todo!()
    }

    /// Scores ids (perplexity), beside running generations.
    ///
    /// # Errors
    /// Queue full, or engine stopped.
    pub fn score(&self, request: ScoreRequest, wake: Waker) -> Result<Score, SubmitError> {
        let _ = (request, wake);
        todo!()
    }

    /// Ids of a text under a resident model's tokenizer, computed on the caller's thread.
    ///
    /// # Errors
    /// Model not resident.
    pub fn tokenize(&self, model: &str, text: &str, specials: Specials) -> Result<Vec<u32>, GenerateError> {
        let _ = (model, text, specials);
        todo!()
    }

    /// Latest snapshot; never blocks on the engine thread's work.
    pub fn status(&self) -> EngineStatus {
        todo!()
    }

    /// Phase counters.
    pub fn telemetry(&self) -> SharedTelemetry {
        todo!()
    }

    /// Ends all generations and joins the engine thread. Not for the UI thread.
    pub fn shutdown(&self) {
        todo!()
    }
}

impl Load {
    /// Next event, if one is there.
    pub fn try_next(&self) -> Option<LoadEvent> {
        todo!()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The load's failure.
    pub fn wait(&self) -> Result<ModelStatus, LoadFailure> {
        todo!()
    }
}

impl Score {
    /// Next event, if one is there.
    pub fn try_next(&self) -> Option<ScoreEvent> {
        todo!()
    }

    /// Waits for the next event; `None` after the last.
    pub fn next(&self) -> Option<ScoreEvent> {
        todo!()
    }
}

impl Generation {
    /// Next event, if one is there. `None` for ever after the terminal one.
    pub fn try_next(&self) -> Option<Event> {
        todo!()
    }

    /// Waits for the next event; `None` after the terminal one. Not for the UI thread.
    pub fn next(&self) -> Option<Event> {
        todo!()
    }

    /// Waits at most `timeout`.
    pub fn next_timeout(&self, timeout: std::time::Duration) -> Option<Event> {
        let _ = timeout;
        todo!()
    }

    /// Ends the generation at its next token; `Done { reason: Cancelled }` follows.
    pub fn cancel(&self) {
        todo!()
    }
}
