//! The thread between handles and the engine thread: turns prompts into ids and refuses what cannot run, in order of arrival,
//! so that neither a front end nor a running generation waits for the tokenizer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use super::backend::Vocabulary;
use super::board::{Board, Entry};
use super::outbox::Outbox;
use super::scheduler::Command;
use super::{Event, GenerateError, LoadEvent, LoadOptions, Prompt, Request, ScoreEvent, ScoreRequest};
use super::{StopReason, Usage, panic_text};
use crate::sampler::{Chain, StopStrings};
use crate::tokenizer::Specials;

/// Alternatives per token that a request may ask for; a bound on the memory of its events.
const MAX_LOGPROBS: u32 = 128;

/// What handles send.
pub(super) enum Intake {
    Generate { request: Request, outbox: Outbox<Event>, cancel: Arc<AtomicBool>, submitted: Instant },
    Score { request: ScoreRequest, outbox: Outbox<ScoreEvent>, cancel: Arc<AtomicBool> },
    Load { options: LoadOptions, outbox: Outbox<LoadEvent>, cancel: Arc<AtomicBool> },
    Unload(String),
    Stop,
}

/// A request that can run: checked, in ids.
pub(super) struct Waiting {
    pub(super) residency: u64,
    pub(super) prompt: Vec<u32>,
    /// Positions it may fill at most.
    pub(super) positions: usize,
    pub(super) session: Option<String>,
    pub(super) cancel: Arc<AtomicBool>,
    pub(super) job: Job,
}

/// What a waiting request will do.
pub(super) enum Job {
    Generate(Box<GenerateJob>),
    Score(ScoreJob),
}

/// What a generation needs beyond its prompt.
pub(super) struct GenerateJob {
    pub(super) outbox: Outbox<Event>,
    pub(super) vocabulary: Arc<dyn Vocabulary>,
    pub(super) chain: Chain,
    pub(super) max_new_tokens: usize,
    pub(super) stops: StopStrings,
    pub(super) logprobs: Option<u32>,
    pub(super) submitted: Instant,
}

/// What a scoring needs.
pub(super) struct ScoreJob {
    pub(super) outbox: Outbox<ScoreEvent>,
    pub(super) tokens: Vec<u32>,
    pub(super) bos: Option<u32>,
    /// Positions per window, BOS included.
    pub(super) context: usize,
}

/// Body of the intake thread. Ends when every handle is gone, when told to stop, or when the engine thread is gone.
pub(super) fn run<F>(messages: &Receiver<Intake>, engine: &Sender<Command<F>>, board: &Board) {
    while let Ok(message) = messages.recv() {
        if board.stopping.load(Ordering::SeqCst) {
            break;
        }
        let command = match message {
            Intake::Generate { request, outbox, cancel, submitted } => {
                generate(board, request, outbox, cancel, submitted).map(Command::Run)
            }
            Intake::Score { request, outbox, cancel } => {
                score(board, request, outbox, cancel).map(Command::Run)
            }
            Intake::Load { options, outbox, cancel } => Some(Command::Load { options, outbox, cancel }),
            Intake::Unload(model) => Some(Command::Unload(model)),
            Intake::Stop => break,
        };
        if let Some(command) = command
            && engine.send(command).is_err()
        {
            // What was in the command ends with `Stopped` as it is dropped.
            return;
        }
    }
    board.stopping.store(true, Ordering::SeqCst);
    // An engine thread that is gone has nothing left to stop.
    let _ = engine.send(Command::Stop);
}

fn generate(
    board: &Board,
    request: Request,
    outbox: Outbox<Event>,
    cancel: Arc<AtomicBool>,
    submitted: Instant,
) -> Option<Waiting> {
    if cancel.load(Ordering::SeqCst) {
        let queue_millis = submitted.elapsed().as_secs_f64() * 1e3;
        let usage = Usage { queue_millis, ..Usage::default() };
        outbox.end(Event::Done { reason: StopReason::Cancelled, usage });
        return None;
    }
    // A tokenizer or template that panics on some text must not take the other requests with it.
    let prepared = catch_unwind(AssertUnwindSafe(|| prepare(board, &request)))
        .unwrap_or_else(|panic| Err(GenerateError::Panicked(panic_text(panic.as_ref()))));
    let Prepared { entry, prompt, chain, stops } = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            outbox.end(Event::Failed(error));
            return None;
        }
    };
    let room = entry.context - prompt.len();
    let max_new_tokens = match usize::try_from(request.max_new_tokens) {
        Ok(asked) if asked > 0 => asked.min(room),
        _ => room,
    };
    Some(Waiting {
        residency: entry.residency,
        positions: prompt.len() + max_new_tokens,
        prompt,
        session: request.session,
        cancel,
        job: Job::Generate(Box::new(GenerateJob {
            outbox,
            vocabulary: entry.vocabulary,
            chain,
            max_new_tokens,
            stops,
            logprobs: request.logprobs,
            submitted,
        })),
    })
}

/// What a generation is made of.
struct Prepared {
    entry: Entry,
    /// Fits the context with room for one more.
    prompt: Vec<u32>,
    chain: Chain,
    stops: StopStrings,
}

fn prepare(board: &Board, request: &Request) -> Result<Prepared, GenerateError> {
    let entry =
        board.entry(&request.model).ok_or_else(|| GenerateError::ModelNotLoaded(request.model.clone()))?;
    let vocab = entry.vocabulary.size();
    let chain = Chain::new(&request.sampling, vocab).map_err(|e| GenerateError::Invalid(e.to_string()))?;
    let stops = StopStrings::new(&request.stop).map_err(|e| GenerateError::Invalid(e.to_string()))?;
    check_logprobs(request.logprobs)?;
    let prompt = match &request.prompt {
        Prompt::Text(text) => {
            entry.vocabulary.encode(text, Specials::Parse, true).map_err(GenerateError::Invalid)?
        }
        Prompt::Tokens(tokens) => tokens.clone(),
        Prompt::Chat(messages) => entry.vocabulary.encode_chat(messages).map_err(GenerateError::Template)?,
        Prompt::Continue(messages) => {
            entry.vocabulary.encode_continuation(messages).map_err(GenerateError::Template)?
        }
    };
    if prompt.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    check_ids(&prompt, vocab)?;
    if prompt.len() >= entry.context {
        return Err(GenerateError::PromptTooLong { prompt_tokens: prompt.len(), context: entry.context });
    }
    Ok(Prepared { entry, prompt, chain, stops })
}

fn check_ids(ids: &[u32], vocab: usize) -> Result<(), GenerateError> {
    match ids.iter().position(|&id| id as usize >= vocab) {
        None => Ok(()),
        Some(at) => Err(GenerateError::Invalid(format!(
            "token {at} has id {}, but the vocabulary has {vocab} ids",
            ids[at]
        ))),
    }
}

fn check_logprobs(asked: Option<u32>) -> Result<(), GenerateError> {
    match asked {
        Some(n) if n > MAX_LOGPROBS => Err(GenerateError::Invalid(format!(
            "{n} alternatives per token were asked for; at most {MAX_LOGPROBS} are possible"
        ))),
        _ => Ok(()),
    }
}

fn score(
    board: &Board,
    request: ScoreRequest,
    outbox: Outbox<ScoreEvent>,
    cancel: Arc<AtomicBool>,
) -> Option<Waiting> {
    let (entry, bos) = match prepare_score(board, &request) {
        Ok(prepared) => prepared,
        Err(error) => {
            outbox.end(ScoreEvent::Failed(error));
            return None;
        }
    };
    Some(Waiting {
        residency: entry.residency,
        prompt: Vec::new(),
        positions: request.context.min(request.tokens.len() + 1),
        session: None,
        cancel,
        job: Job::Score(ScoreJob { outbox, tokens: request.tokens, bos, context: request.context }),
    })
}

fn prepare_score(board: &Board, request: &ScoreRequest) -> Result<(Entry, Option<u32>), GenerateError> {
    let entry =
        board.entry(&request.model).ok_or_else(|| GenerateError::ModelNotLoaded(request.model.clone()))?;
    if request.context < 2 || request.context > entry.context {
        return Err(GenerateError::Invalid(format!(
            "a window of {} tokens was asked for, expected 2 to {} (the context this model was loaded with)",
            request.context, entry.context
        )));
    }
    check_ids(&request.tokens, entry.vocabulary.size())?;
    // Nothing but what the model wants in front of every text.
    let front = entry.vocabulary.encode("", Specials::Literal, true).map_err(GenerateError::Invalid)?;
    let bos = front.first().copied();
    if request.tokens.len() + usize::from(bos.is_some()) < 2 {
        return Err(GenerateError::EmptyPrompt);
    }
    Ok((entry, bos))
}
