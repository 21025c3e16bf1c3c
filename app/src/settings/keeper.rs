//! Keeps the settings file on a thread of its own: no caller ever waits for the disk. Changes are written together a moment after
//! the last one; a file that somebody else edited is read again when asked to look.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::file::{self, Loaded};
use super::{Change, Settings};

/// How long a change waits for others, so that dragging a slider writes once.
const GATHER: Duration = Duration::from_millis(250);

/// What the keeper says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// The file was changed by somebody else and read again.
    Reread(Loaded),
    /// Changes are in the file.
    Saved {
        /// Where an unusable file was moved before.
        aside: Option<PathBuf>,
    },
    /// Changes could not be written (text for the user); they are tried again with the next one.
    Failed(String),
}

enum Asked {
    Change(Change),
    Look,
}

/// What a file looked like, to see whether it changed.
type Stamp = Option<(SystemTime, u64)>;

/// The settings of a window. Dropping it writes what is waiting.
pub struct Keeper {
    asked: Option<Sender<Asked>>,
    said: Receiver<Said>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(path: &Path, waker: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Self> {
        let (asked, inbox) = channel();
        let (outbox, said) = channel();
        let own = path.to_owned();
        let thread = std::thread::Builder::new().name("settings".to_owned()).spawn(move || {
            let stamp = stamp(&own);
            Desk { path: own, inbox, outbox, waker, stamp, waiting: Vec::new() }.run();
        })?;
        Ok(Self { asked: Some(asked), said, thread: Some(thread), path: path.to_owned() })
    }

    /// Writes a change, soon.
    pub fn change(&self, change: Change) {
        self.ask(Asked::Change(change));
    }

    /// Reads the file again if somebody else changed it.
    pub fn look(&self) {
        self.ask(Asked::Look);
    }

    /// Next thing it says, if there is one.
    pub fn try_next(&self) -> Option<Said> {
        self.said.try_recv().ok()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn ask(&self, asked: Asked) {
        if let Some(sender) = &self.asked {
            // The thread only ends when this is dropped.
            let _ = sender.send(asked);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Desk {
    path: PathBuf,
    inbox: Receiver<Asked>,
    outbox: Sender<Said>,
    waker: Arc<dyn Fn() + Send + Sync>,
    stamp: Stamp,
    waiting: Vec<Change>,
}

impl Desk {
    fn run(mut self) {
        while let Ok(asked) = self.inbox.recv() {
            self.take(asked);
            while !self.waiting.is_empty() {
                match self.inbox.recv_timeout(GATHER) {
                    Ok(asked) => self.take(asked),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.write();
        }
    }

    fn take(&mut self, asked: Asked) {
        match asked {
            Asked::Change(change) => self.waiting.push(change),
            Asked::Look => self.look(),
        }
    }

    fn look(&mut self) {
        let now = stamp(&self.path);
        if now != self.stamp {
            self.stamp = now;
            let mut loaded = file::load(&self.path);
            // What waits to be written is newer than the file.
            overlay(&mut loaded.settings, &self.waiting);
            self.say(Said::Reread(loaded));
        }
    }

    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let edited = stamp(&self.path) != self.stamp;
        match file::save(&self.path, &self.waiting) {
            Ok(aside) => {
                self.waiting.clear();
                self.stamp = stamp(&self.path);
                self.say(Said::Saved { aside });
                if edited {
                    self.say(Said::Reread(file::load(&self.path)));
                }
            }
            Err(err) => self.say(Said::Failed(format!("{}: {err}", self.path.display()))),
        }
    }

    fn say(&self, said: Said) {
        // The window may be gone by now.
        let _ = self.outbox.send(said);
        (self.waker)();
    }
}

fn overlay(settings: &mut Settings, changes: &[Change]) {
    for change in changes {
        // A change was checked before it was sent.
        let _ = settings.apply(change);
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = path.metadata().ok()?;
    Some((found.modified().ok()?, found.len()))
}
