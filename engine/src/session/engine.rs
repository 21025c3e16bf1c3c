//! The handle front ends hold, and the reading ends of what it starts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::board::Board;
use super::intake::{self, Intake};
use super::lane_backend::LaneBackend;
use super::outbox::{Outbox, Place};
use super::scheduler::Scheduler;
use super::{
    EngineOptions, EngineStatus, Event, GenerateError, LoadOptions, ModelStatus, Request, SharedTelemetry,
    SubmitError, Waker, memory,
};
use crate::lane::LaneError;
use crate::model::LoadError;
use crate::telemetry::Telemetry;
use crate::tokenizer::{Message, Specials};

/// Clone + Send + Sync; holds channels only. The engine thread ends when the last handle is dropped or `shutdown` is called;
/// generations that still run then fail with `Stopped`.
#[derive(Clone)]
pub struct EngineHandle {
    shared: Arc<Shared>,
}

struct Shared {
    intake: Sender<Intake>,
    board: Arc<Board>,
    /// Requests accepted at once: those that can run plus those that may wait.
    max_places: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.board.stopping.store(true, Ordering::SeqCst);
        // The intake thread passes this on; without it the engine thread has ended already.
        let _ = self.intake.send(Intake::Stop);
    }
}

/// A load in progress. Dropping it before the end cancels the load.
///
/// The file is opened and its metadata checked on a thread of its own. The upload happens on the engine thread in slices between
/// the steps of running generations, which keep two thirds of their speed meanwhile.
pub struct Load {
    reader: Reader<LoadEvent>,
}

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

/// Why a model was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct LoadFailure {
    /// All of it for the user, in a line: file, field, expected, found, next step.
    pub text: String,
    /// What happened and what to do, without the details below.
    pub summary: String,
    /// Details by name: file, field, expected, found. Empty when the summary is all of it.
    pub details: Vec<(&'static str, String)>,
}

impl LoadFailure {
    /// One that is told by its text alone.
    pub fn told(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { summary: text.clone(), text, details: Vec::new() }
    }
}

impl From<LoadError> for LoadFailure {
    fn from(error: LoadError) -> Self {
        Self { text: error.to_string(), summary: error.summary(), details: error.details() }
    }
}

/// Perplexity of ids: windows of `context` positions, each starting afresh (with BOS as its first position if the model asks for
/// one); every token after the first of a window is scored. The last window may be shorter.
#[derive(Debug, Clone)]
pub struct ScoreRequest {
    /// Resident model.
    pub model: String,
    /// Ids to score.
    pub tokens: Vec<u32>,
    /// Window length, 2 to the context the model was loaded with.
    pub context: usize,
}

/// A scoring in progress. Dropping it cancels.
pub struct Score {
    reader: Reader<ScoreEvent>,
}

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
pub struct Generation {
    reader: Reader<Event>,
}

/// The receiving end of one request. Sync, so that a task of an async server may hold it across awaits.
struct Reader<E> {
    events: Mutex<Receiver<E>>,
    ended: AtomicBool,
    cancel: Arc<AtomicBool>,
}

impl<E> Reader<E> {
    /// A reader, with the outbox that feeds it.
    fn with_outbox(wake: Waker, if_dropped: E, place: Option<Place>) -> (Self, Outbox<E>) {
        let (sender, receiver) = channel();
        let reader =
            Self { events: Mutex::new(receiver), ended: AtomicBool::new(false), cancel: Arc::default() };
        (reader, Outbox::new(sender, wake, if_dropped, place))
    }

    fn try_next(&self) -> Option<E> {
        let events = match self.events.try_lock() {
            Ok(events) => events,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is waiting for the next event and will get it.
            Err(TryLockError::WouldBlock) => return None,
        };
        match events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.note_end(),
        }
    }

    fn next(&self) -> Option<E> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.recv().ok().or_else(|| self.note_end())
    }

    fn next_timeout(&self, timeout: Duration) -> Option<E> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        match events.recv_timeout(timeout) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.note_end(),
        }
    }

    fn note_end<T>(&self) -> Option<T> {
        self.ended.store(true, Ordering::SeqCst);
        None
    }
}

impl<E> Drop for Reader<E> {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::SeqCst);
    }
}

impl EngineHandle {
    /// Starts the engine thread and its lane.
    ///
    /// # Errors
    /// The lane could not be opened.
    pub fn start(options: EngineOptions) -> Result<Self, LaneError> {
        let (choice, threads, head) = (options.lane, options.threads, options.head);
        Self::start_with(options, move |telemetry| LaneBackend::open(choice, threads, head, telemetry))
    }

    /// Starts the engine thread over another backend, which is made on that thread. For tests of the scheduler and of front
    /// ends; see [`super::scripted`].
    ///
    /// # Errors
    /// What `make` returns, or no thread could be started.
    pub fn start_with<B: Backend + 'static>(
        options: EngineOptions,
        make: impl FnOnce(SharedTelemetry) -> Result<B, LaneError> + Send + 'static,
    ) -> Result<Self, LaneError> {
        let telemetry = Arc::new(Telemetry::default());
        let (budget_bytes, budget_notice) = memory::budget(options.memory_bytes);
        let (ready_sender, ready) = channel();
        let (commands_sender, commands) = channel();
        let engine_commands = commands_sender.clone();
        let engine_options = options.clone();
        let engine = spawn("engine", move || {
            let backend = match make(Arc::clone(&telemetry)) {
                Ok(backend) => backend,
                Err(error) => {
                    // `start_with` waits for this answer.
                    let _ = ready_sender.send(Err(error));
                    return;
                }
            };
            let info = backend.info();
            let notices: Vec<String> = info.notice.into_iter().chain(budget_notice).collect();
            let status = EngineStatus {
                lane: info.name,
                threads: info.threads,
                notice: (!notices.is_empty()).then(|| notices.join(" ")),
                models: Vec::new(),
                slots: Vec::new(),
                running: 0,
                queued: 0,
                memory_budget_bytes: budget_bytes,
                memory_used_bytes: 0,
            };
            let board = Arc::new(Board::new(status, telemetry));
            let stopping = StopOnExit(Arc::clone(&board));
            let _ = ready_sender.send(Ok(Arc::clone(&board)));
            Scheduler::new(backend, engine_options, commands, engine_commands, board).run();
            drop(stopping);
        })?;
        let board = ready.recv().map_err(|_| thread_error())??;
        let (intake, messages) = channel();
        let intake_board = Arc::clone(&board);
        let intake_thread =
            spawn("engine-intake", move || intake::run(&messages, &commands_sender, &intake_board))?;
        Ok(Self {
            shared: Arc::new(Shared {
                intake,
                board,
                max_places: options.max_running.max(1).saturating_add(options.max_queued),
                threads: Mutex::new(vec![intake_thread, engine]),
            }),
        })
    }

    /// Loads a model and makes it resident under `options.id`, replacing nothing: an id in use is an error.
    pub fn load(&self, options: LoadOptions, wake: Waker) -> Load {
        let stopped = LoadEvent::Failed(LoadFailure::told(GenerateError::Stopped.to_string()));
        let (reader, outbox) = Reader::with_outbox(wake, stopped, None);
        let cancel = Arc::clone(&reader.cancel);
        // A closed channel drops the outbox, which says `Stopped`.
        let _ = self.shared.intake.send(Intake::Load { options, outbox, cancel });
        Load { reader }
    }

    /// Unloads a model; its generations fail with `Stopped`.
    pub fn unload(&self, id: &str) {
        // An engine that stopped has unloaded everything.
        let _ = self.shared.intake.send(Intake::Unload(id.to_owned()));
    }

    /// Queues a generation.
    ///
    /// # Errors
    /// Queue full, or engine stopped.
    pub fn submit(&self, request: Request, wake: Waker) -> Result<Generation, SubmitError> {
        let place = self.take_place()?;
        let (reader, outbox) = Reader::with_outbox(wake, Event::Failed(GenerateError::Stopped), Some(place));
        let cancel = Arc::clone(&reader.cancel);
        let message = Intake::Generate { request, outbox, cancel, submitted: Instant::now() };
        self.shared.intake.send(message).map_err(|_| SubmitError::Stopped)?;
        Ok(Generation { reader })
    }

    /// Scores ids (perplexity), beside running generations.
    ///
    /// # Errors
    /// Queue full, or engine stopped.
    pub fn score(&self, request: ScoreRequest, wake: Waker) -> Result<Score, SubmitError> {
        let place = self.take_place()?;
        let (reader, outbox) =
            Reader::with_outbox(wake, ScoreEvent::Failed(GenerateError::Stopped), Some(place));
        let cancel = Arc::clone(&reader.cancel);
        let message = Intake::Score { request, outbox, cancel };
        self.shared.intake.send(message).map_err(|_| SubmitError::Stopped)?;
        Ok(Score { reader })
    }

    fn take_place(&self) -> Result<Place, SubmitError> {
        let board = &self.shared.board;
        if board.stopping.load(Ordering::SeqCst) {
            return Err(SubmitError::Stopped);
        }
        Place::take(&board.places, self.shared.max_places)
            .ok_or_else(|| SubmitError::QueueFull { queued: self.status().queued })
    }

    /// Ids of a text under a resident model's tokenizer, computed on the caller's thread.
    ///
    /// # Errors
    /// Model not resident, or the text cannot be encoded.
    pub fn tokenize(&self, model: &str, text: &str, specials: Specials) -> Result<Vec<u32>, GenerateError> {
        let entry =
            self.shared.board.entry(model).ok_or_else(|| GenerateError::ModelNotLoaded(model.to_owned()))?;
        entry.vocabulary.encode(text, specials, true).map_err(GenerateError::Invalid)
    }

    /// Tokens of a chat as [`Prompt::Chat`] would render it, computed on the caller's thread.
    ///
    /// # Errors
    /// Model not resident, or the template refuses the chat.
    pub fn count_chat(&self, model: &str, messages: &[Message]) -> Result<usize, GenerateError> {
        let entry =
            self.shared.board.entry(model).ok_or_else(|| GenerateError::ModelNotLoaded(model.to_owned()))?;
        entry.vocabulary.encode_chat(messages).map(|ids| ids.len()).map_err(GenerateError::Template)
    }

    /// Latest snapshot; never blocks on the engine thread's work. A request's last event comes after the snapshot that shows
    /// its end.
    pub fn status(&self) -> EngineStatus {
        let board = &self.shared.board;
        let mut status = EngineStatus::clone(&board.status());
        // Requests between a handle and the engine thread are waiting as well.
        status.queued = board.places.load(Ordering::SeqCst).saturating_sub(status.running);
        status
    }

    /// Phase counters.
    pub fn telemetry(&self) -> SharedTelemetry {
        Arc::clone(&self.shared.board.telemetry)
    }

    /// Ends all generations and joins the engine thread. Not for the UI thread.
    pub fn shutdown(&self) {
        self.shared.board.stopping.store(true, Ordering::SeqCst);
        // Without an intake thread the engine has stopped already.
        let _ = self.shared.intake.send(Intake::Stop);
        let mut threads = self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let this = std::thread::current().id();
        // A waker runs on one of these threads, and a thread cannot wait for its own end.
        for thread in threads.drain(..).filter(|t| t.thread().id() != this) {
            // A panic of the thread was reported by the panic hook, and its requests have ended with `Stopped`.
            let _ = thread.join();
        }
    }
}

/// Says that the engine stopped, however its thread ends.
struct StopOnExit(Arc<Board>);

impl Drop for StopOnExit {
    fn drop(&mut self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }
}

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LaneError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|_| thread_error())
}

fn thread_error() -> LaneError {
    LaneError::Lost { lane: "engine", op: "the start of its thread" }
}

impl Load {
    /// Next event, if one is there.
    pub fn try_next(&self) -> Option<LoadEvent> {
        self.reader.try_next()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The load's failure.
    pub fn wait(&self) -> Result<ModelStatus, LoadFailure> {
        loop {
            match self.reader.next() {
                Some(LoadEvent::Progress { .. }) => {}
                Some(LoadEvent::Loaded(status)) => return Ok(status),
                Some(LoadEvent::Failed(failure)) => return Err(failure),
                None => return Err(LoadFailure::told("the end of this load was read already")),
            }
        }
    }
}

impl Score {
    /// Next event, if one is there.
    pub fn try_next(&self) -> Option<ScoreEvent> {
        self.reader.try_next()
    }

    /// Waits for the next event; `None` after the last.
    pub fn next(&self) -> Option<ScoreEvent> {
        self.reader.next()
    }
}

impl Generation {
    /// Next event, if one is there. `None` for ever after the terminal one.
    pub fn try_next(&self) -> Option<Event> {
        self.reader.try_next()
    }

    /// Waits for the next event; `None` after the terminal one. Not for the UI thread.
    pub fn next(&self) -> Option<Event> {
        self.reader.next()
    }

    /// Waits at most `timeout`. `None` says that nothing came; [`Generation::has_ended`] tells silence from the end.
    pub fn next_timeout(&self, timeout: Duration) -> Option<Event> {
        self.reader.next_timeout(timeout)
    }

    /// Whether all events have been read, the terminal one included, and a read found nothing behind it.
    pub fn has_ended(&self) -> bool {
        self.reader.ended.load(Ordering::SeqCst)
    }

    /// Ends the generation at its next token; `Done { reason: Cancelled }` follows. Also while it is queued.
    pub fn cancel(&self) {
        self.reader.cancel.store(true, Ordering::SeqCst);
    }
}
