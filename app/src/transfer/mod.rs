//! Chats out of the store into files and back: our JSON format, which keeps everything (`app/docs/chat-export.md`), and Markdown,
//! which is for reading. Runs on whatever thread calls it, never on one that draws. Knows no window.

mod document;
mod export;
mod import;
mod markdown;
mod reading;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use export::{Exported, export, export_to_file, write_whole};
pub use import::import_job;
pub use reading::{Found, read_chats};

/// A format of exported chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Everything, to be imported again.
    Json,
    /// The shown branch, to be read.
    Markdown,
}

impl Format {
    /// Name for the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Markdown => "Markdown",
        }
    }

    /// Ending of a file name, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }
}

/// How far an export or import has come; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Done, and of how much: chats of an export, bytes of an import. The total is 0 until it is known.
    pub fn get(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Asks for an end. What was begun is undone.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    fn advance(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Why an export or import did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The user cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// The chats cannot be read (text for the user).
    #[error("{0}")]
    Store(String),
    /// A file cannot be read or written.
    #[error("{what}: {source}: {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file is not an export of this program, or is damaged (text for the user).
    #[error("{0}")]
    Format(String),
}
