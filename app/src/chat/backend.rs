//! What the window needs of the engine, as a trait, so that tests can script it; and the real engine behind it. Nothing here
//! waits: the engine is started on a thread of its own, and loads and generations are polled.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};

use onebit_engine::session::{
    EngineHandle, EngineOptions, EngineStatus, Event, Generation, Load, LoadEvent, LoadOptions, Request,
    SubmitError,
};
use onebit_engine::tokenizer::Specials;

use super::counting::CountTokens;

/// Called after something has been delivered, from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// How far the engine has come.
#[derive(Debug, Clone)]
pub enum Engine {
    /// Its lane is being opened.
    Starting,
    /// It takes work.
    Ready(EngineStatus),
    /// Its lane could not be opened (text for the user).
    Failed(String),
}

/// A load that is polled.
pub trait Loading {
    /// Next event, if one is there.
    fn try_next(&self) -> Option<LoadEvent>;
}

/// A generation that is polled. Dropping it cancels.
pub trait Generating {
    /// Next event, if one is there; `None` for ever after the terminal one.
    fn try_next(&self) -> Option<Event>;
    /// Ends it at its next token; `Done` with `Cancelled` follows.
    fn cancel(&self);
}

/// The engine as front ends see it. No method may wait.
pub trait Backend {
    /// State now.
    fn engine(&mut self) -> Engine;
    /// Begins a load; `None` while the engine is not ready.
    fn load(&mut self, options: LoadOptions) -> Option<Box<dyn Loading>>;
    /// Ends the engine and starts it with other options. Its models are gone and its generations fail.
    fn restart(&mut self, options: EngineOptions);
    /// Unloads a model.
    fn unload(&mut self, id: &str);
    /// Queues a generation.
    ///
    /// # Errors
    /// Queue full, or the engine is not running.
    fn submit(&mut self, request: Request) -> Result<Box<dyn Generating>, SubmitError>;
    /// What counts the tokens of a text; `None` where there is no tokenizer, then they are estimated. The function may take long.
    fn counter(&self) -> Option<CountTokens> {
        None
    }
}

impl Loading for Load {
    fn try_next(&self) -> Option<LoadEvent> {
        Self::try_next(self)
    }
}

impl Generating for Generation {
    fn try_next(&self) -> Option<Event> {
        Self::try_next(self)
    }

    fn cancel(&self) {
        Self::cancel(self);
    }
}

enum Start {
    Pending(Receiver<Result<EngineHandle, String>>),
    Running(EngineHandle),
    Failed(String),
}

/// The engine's handle for other front ends of this process; `None` while it does not run.
pub type SharedHandle = Arc<Mutex<Option<EngineHandle>>>;

/// The real engine.
pub struct EngineBackend {
    start: Start,
    handle: SharedHandle,
    waker: Waker,
}

impl EngineBackend {
    /// Begins to start the engine and returns at once.
    pub fn start(options: EngineOptions, waker: Waker) -> Self {
        let handle = SharedHandle::default();
        let start = begin(options, Box::new(|| {}), &handle, &waker);
        Self { start, handle, waker }
    }

    /// The engine's handle for other front ends of this process.
    pub fn handle(&self) -> SharedHandle {
        Arc::clone(&self.handle)
    }

    fn poll(&mut self) {
        let Start::Pending(receiver) = &self.start else { return };
        self.start = match receiver.try_recv() {
            Ok(Ok(handle)) => Start::Running(handle),
            Ok(Err(problem)) => Start::Failed(problem),
            Err(TryRecvError::Disconnected) => {
                Start::Failed("the engine ended while it was starting".to_owned())
            }
            Err(TryRecvError::Empty) => return,
        };
    }

    fn wake(&self) -> onebit_engine::session::Waker {
        Arc::clone(&self.waker)
    }
}

/// Starts an engine on a thread of its own, after `before` has ended what must end first.
fn begin(
    options: EngineOptions,
    before: Box<dyn FnOnce() + Send>,
    handle: &SharedHandle,
    waker: &Waker,
) -> Start {
    let (sender, receiver) = channel();
    let (shared, wake) = (Arc::clone(handle), Arc::clone(waker));
    let spawned = std::thread::Builder::new().name("engine-start".to_owned()).spawn(move || {
        before();
        let started = EngineHandle::start(options).map_err(|err| err.to_string());
        match &started {
            Ok(handle) => {
                let status = handle.status();
                log::info!("the engine runs on {} with {} threads", status.lane, status.threads);
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.clone());
            }
            Err(problem) => log::error!("the engine did not start: {problem}"),
        }
        // The window may be gone by now; then nobody needs the engine.
        drop(sender.send(started));
        wake();
    });
    match spawned {
        Ok(_) => Start::Pending(receiver),
        Err(err) => Start::Failed(format!("the engine's thread could not be started: {err}")),
    }
}

impl Backend for EngineBackend {
    fn engine(&mut self) -> Engine {
        self.poll();
        match &self.start {
            Start::Pending(_) => Engine::Starting,
            Start::Running(handle) => Engine::Ready(handle.status()),
            Start::Failed(problem) => Engine::Failed(problem.clone()),
        }
    }

    fn load(&mut self, options: LoadOptions) -> Option<Box<dyn Loading>> {
        self.poll();
        match &self.start {
            Start::Running(handle) => Some(Box::new(handle.load(options, self.wake()))),
            Start::Pending(_) | Start::Failed(_) => None,
        }
    }

    fn restart(&mut self, options: EngineOptions) {
        let old = std::mem::replace(&mut self.start, Start::Failed(String::new()));
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let end = move || {
            let running = match old {
                Start::Running(handle) => Some(handle),
                Start::Pending(receiver) => receiver.recv().ok().and_then(Result::ok),
                Start::Failed(_) => None,
            };
            if let Some(handle) = running {
                handle.shutdown();
            }
        };
        self.start = begin(options, Box::new(end), &self.handle, &self.waker);
    }

    fn unload(&mut self, id: &str) {
        if let Start::Running(handle) = &self.start {
            handle.unload(id);
        }
    }

    fn submit(&mut self, request: Request) -> Result<Box<dyn Generating>, SubmitError> {
        self.poll();
        match &self.start {
            Start::Running(handle) => Ok(Box::new(handle.submit(request, self.wake())?)),
            Start::Pending(_) | Start::Failed(_) => Err(SubmitError::Stopped),
        }
    }

    fn counter(&self) -> Option<CountTokens> {
        let Start::Running(handle) = &self.start else { return None };
        let handle = handle.clone();
        Some(Arc::new(move |model, text| {
            // What stands in front of every text counts once, with the template.
            let front = handle.tokenize(model, "", Specials::Literal).ok()?.len();
            Some(handle.tokenize(model, text, Specials::Literal).ok()?.len().saturating_sub(front))
        }))
    }
}
