//! Conversations on disk: SQLite behind a thread named `store`, so that no caller ever waits for a disk.
//!
//! [`Store::write`] and [`Store::ask`] only put a command in a mailbox; answers come as [`Event`]s from [`Store::try_next`], after
//! which the waker is called. A change that cannot be saved stays in memory, is part of every answer, is tried again, and the
//! user is told ([`Saving::No`]). Knows no window and no engine.

mod command;
mod database;
mod deleted;
mod health;
mod import;
mod intake;
mod journal;
mod keeper;
mod mailbox;
mod record;
mod sampling;
mod schema;
mod search;
mod snapshot;
mod sql;
#[cfg(test)]
mod tests;
mod unsaved;
mod watch;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use keeper::Keeper;
use mailbox::Mailbox;

pub use command::{Event, Hit, Piece, Query, Saving, Ticket, Write};
pub use deleted::{Deleted, DeletedId};
pub use import::{ImportJob, Imported, Importer};
pub use record::{
    AnswerStats, Attachment, Chat, ChatHead, ChatId, Folder, FolderId, Message, MessageId, MessageState,
    Persona, PersonaId, Role, UNTITLED, now_millis, shown_title,
};
pub use sampling::ChatSampling;
pub use snapshot::Snapshot;
pub use unsaved::Unsaved;

/// How long a deletion can be undone at least, however short [`Store::keep_deleted`] says.
pub const UNDO_FOR: Duration = Duration::from_secs(60);

/// Called after an event has been delivered.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Names of remembered values.
pub mod state {
    /// Id of the chat that was open last, in decimal.
    pub const LAST_CHAT: &str = "last_chat";
    /// Text typed but not sent.
    pub const DRAFT: &str = "draft";
    /// Ids of the folders whose chats are shown, in decimal, one a line.
    pub const OPEN_FOLDERS: &str = "open_folders";
    /// Names of the values that hold the files attached to it, one a line.
    pub const DRAFT_FILES: &str = "draft_files";
}

/// Why the store could not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A thread could not be started.
    #[error("a thread of the chat store could not be started")]
    NoThread,
    /// Too much waits for a disk that does not answer. Keep the text and try again.
    #[error("the disk does not keep up; this change was not taken")]
    Busy,
    /// The thread ended after an internal error, which [`Event::Saving`] reported.
    #[error("the chat store stopped after an internal error; restart the program")]
    Stopped,
}

/// The store. Dropping it saves what is waiting and ends the thread.
pub struct Store {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<Saving>>,
    path: PathBuf,
}

impl Store {
    /// Starts the store on the database at `path` and returns at once; [`Event::Opened`] says how opening went.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn open(path: &Path, waker: Waker) -> Result<Self, StoreError> {
        let mailbox = Arc::new(Mailbox::new(waker));
        let shared = Arc::clone(&mailbox);
        let kept_path = path.to_owned();
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || keep(path, &shared))
            .map_err(|_| StoreError::NoThread)?;
        let watched = Arc::clone(&mailbox);
        std::thread::Builder::new()
            .name("store-watch".to_owned())
            .spawn(move || watched.watch.run(&watched))
            .map_err(|_| {
                mailbox.close();
                StoreError::NoThread
            })?;
        Ok(Self { mailbox, thread: Some(thread), path: kept_path })
    }

    /// The database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Queues a change; never waits for the disk. [`Event::Saved`] with this ticket or a later one says that it is on disk.
    ///
    /// # Errors
    /// The change was not taken: [`StoreError::Busy`] when the mailbox is full, [`StoreError::Stopped`] after a bug.
    pub fn write(&self, write: Write) -> Result<Ticket, StoreError> {
        self.mailbox.write(write)
    }

    /// Queues a question; never waits for the disk.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn ask(&self, query: Query) -> Result<(), StoreError> {
        self.mailbox.ask(query)
    }

    /// Begins an import, which [`Event::Imported`] ends: all of it is shown then, or nothing. It is taken in between other commands,
    /// which hardly wait for it.
    ///
    /// # Errors
    /// As [`Store::write`], or there is no thread for it.
    pub fn import(&self, job: ImportJob) -> Result<(), StoreError> {
        self.mailbox.import(import::start(job, &self.mailbox)?)
    }

    /// Tells what is not on the disk, at any time and also when the store's thread hangs.
    pub fn unsaved(&self) -> impl Fn() -> Unsaved + Send + Sync + 'static {
        let mailbox = Arc::clone(&self.mailbox);
        move || mailbox.unsaved()
    }

    /// Says how long what was deleted stays, to be brought back; it is removed for good afterwards. Until this is said, and for
    /// [`UNDO_FOR`] in any case, everything stays.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn keep_deleted(&self, keep: Duration) -> Result<(), StoreError> {
        self.mailbox.keep_deleted(keep)
    }

    /// Next event, if one is there.
    pub fn try_next(&self) -> Option<Event> {
        self.mailbox.try_next()
    }

    /// Saves what is waiting, ends the thread and says whether everything reached the disk. Waits for the disk, so it is not for
    /// a thread that draws.
    pub fn close(mut self) -> Saving {
        self.end()
    }

    fn end(&mut self) -> Saving {
        self.mailbox.close();
        let saved = self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_else(stopped);
        self.mailbox.watch.end();
        saved
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

/// Body of the thread. A bug in it must not look like a disk that is merely slow, so it is reported and later writes are refused.
fn keep(path: PathBuf, mailbox: &Mailbox) -> Saving {
    std::panic::catch_unwind(AssertUnwindSafe(|| Keeper::open(path, mailbox).run())).unwrap_or_else(|_| {
        mailbox.close();
        mailbox.deliver(Event::Saving(stopped()));
        stopped()
    })
}

fn stopped() -> Saving {
    Saving::No {
        reason: "internal error: the chat store stopped; restart the program".to_owned(),
        waiting: 0,
    }
}
