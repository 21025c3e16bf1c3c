//! What the window needs of the engine, as a trait, so that tests can script it; and the real engine behind it. Nothing here
//! waits: the engine is started on a thread of its own, and loads and generations are polled.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, OnceLock};

use onebit_engine::session::{
    EngineHandle, EngineOptions, EngineStatus, Event, Generation, Load, LoadEvent, LoadOptions, Request,
    SubmitError,
};

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
    /// Unloads a model.
    fn unload(&mut self, id: &str);
    /// Queues a generation.
    ///
    /// # Errors
    /// Queue full, or the engine is not running.
    fn submit(&mut self, request: Request) -> Result<Box<dyn Generating>, SubmitError>;
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

/// The real engine.
pub struct EngineBackend {
    start: Start,
    handle: Arc<OnceLock<EngineHandle>>,
    waker: Waker,
}

impl EngineBackend {
    /// Begins to start the engine and returns at once.
    pub fn start(options: EngineOptions, waker: Waker) -> Self {
        let (sender, receiver) = channel();
        let wake = Arc::clone(&waker);
        let handle: Arc<OnceLock<EngineHandle>> = Arc::default();
        let shared = Arc::clone(&handle);
        let spawned = std::thread::Builder::new().name("engine-start".to_owned()).spawn(move || {
            let started = EngineHandle::start(options).map_err(|err| err.to_string());
            if let Ok(handle) = &started {
                shared.get_or_init(|| handle.clone());
            }
            // The window may be gone by now; then nobody needs the engine.
            drop(sender.send(started));
            wake();
        });
        let start = match spawned {
            Ok(_) => Start::Pending(receiver),
            Err(err) => Start::Failed(format!("the engine's thread could not be started: {err}")),
        };
        Self { start, handle, waker }
    }

    /// The engine's handle, once it runs, for other front ends of this process.
    pub fn handle(&self) -> Arc<OnceLock<EngineHandle>> {
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
}
