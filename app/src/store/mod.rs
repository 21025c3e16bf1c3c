//! Conversations on disk: SQLite behind a thread named `store`, so that no caller ever waits for a disk.
//!
//! [`Store::write`] and [`Store::ask`] only put a command in a mailbox; answers come as [`Event`]s from [`Store::try_next`], after
//! which the waker is called. A change that cannot be saved stays in memory, is part of every answer, is tried again, and the
//! user is told ([`Saving::No`]). Knows no window and no engine.

mod command;
mod record;

use std::path::Path;
use std::sync::Arc;

pub use command::{Event, Query, Saving, Ticket, Write};
pub use record::{AnswerStats, Chat, ChatId, Message, MessageId, MessageState, Role, now_millis};

/// Called after an event has been delivered.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Names of remembered values.
pub mod state {
    /// Id of the chat that was open last, in decimal.
    pub const LAST_CHAT: &str = "last_chat";
    /// Text typed but not sent.
    pub const DRAFT: &str = "draft";
}

/// Why the store could not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The thread could not be started.
    #[error("the chat store's thread could not be started")]
    NoThread,
    /// Too much waits for a disk that does not answer. Keep the text and try again.
    #[error("the disk does not keep up; this change was not taken")]
    Busy,
}

/// The store. Dropping it writes what is waiting and ends the thread.
pub struct Store {}

impl Store {
    /// Starts the store on the database at `path` and returns at once; [`Event::Opened`] says how opening went.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn open(path: &Path, waker: Waker) -> Result<Self, StoreError> {
        let _ = (path, waker);
        Err(StoreError::NoThread)
    }

    /// Queues a change; never waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the mailbox is full; the change was not taken.
    pub fn write(&self, write: Write) -> Result<Ticket, StoreError> {
        let _ = write;
        Err(StoreError::Busy)
    }

    /// Queues a question; never waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the mailbox is full.
    pub fn ask(&self, query: Query) -> Result<(), StoreError> {
        let _ = query;
        Err(StoreError::Busy)
    }

    /// Next event, if one is there.
    pub fn try_next(&self) -> Option<Event> {
        None
    }
}
