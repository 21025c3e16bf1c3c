//! One running app a user: who holds the place, and how others ask it something.
//!
//! The holder locks `instance.lock` and answers on a Unix socket beside it (folder 0700, socket 0600): one line of JSON in, one out.
//! The kernel drops the lock when the process dies, so a socket that is left behind is recognised and replaced. Knows no engine
//! and no window; what to answer is given as closures.

mod server;
mod status;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::folders::Folders;

pub use server::{Answers, Server};
pub use status::status_json;

const SOCKET: &str = "instance.sock";
const LOCK: &str = "instance.lock";
/// Longest question, in bytes.
const MAX_QUESTION_BYTES: usize = 4096;
/// Longest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the place could not be claimed, or its holder not be asked.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The folder of the socket cannot be used.
    #[error("{what}: {source}: {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The holder said something this program does not understand.
    #[error("the running app answered something unexpected: {0}")]
    Answer(String),
}

/// Result of [`claim`].
pub enum Claim {
    /// This process is the app now.
    First(Place),
    /// Another process is; ask it to come to the front.
    Other(Client),
}

/// The place of the running app; held until dropped. Serve answers with [`Server::start`].
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    _lock: File,
}

/// Somebody who asks the running app.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Takes the place of the running app, or finds who has it.
///
/// # Errors
/// The folder cannot be made, locked or written.
pub fn claim(folders: &Folders) -> Result<Claim, InstanceError> {
    let folder = &folders.runtime;
    private_folder(folder)?;
    let path = folder.join(LOCK);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| io("the lock of the running app cannot be opened", &path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(Claim::First(Place { folder: folder.clone(), _lock: lock })),
        Err(TryLockError::WouldBlock) => Ok(Claim::Other(Client { socket: folder.join(SOCKET) })),
        Err(TryLockError::Error(source)) => {
            Err(io("the lock of the running app cannot be taken", &path, source))
        }
    }
}

/// Asks the running app what it is doing; `None` when no app is running. Takes and leaves nothing.
///
/// # Errors
/// Something is running and does not answer sensibly.
pub fn status(folders: &Folders) -> Result<Option<Value>, InstanceError> {
    Client { socket: folders.runtime.join(SOCKET) }.ask_if_running(&json!({ "ask": "status" }))
}

impl Client {
    /// Asks the running app to show its window, with what the desktop gave this start so that its window may come to the front. Waits a
    /// moment for an app that is just starting.
    ///
    /// # Errors
    /// It does not answer.
    pub fn raise(&self, token: Option<&str>) -> Result<(), InstanceError> {
        let end = Instant::now() + PATIENCE;
        loop {
            if self.ask_if_running(&json!({ "ask": "raise", "token": token }))?.is_some() {
                return Ok(());
            }
            if Instant::now() >= end {
                let source = std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "it holds its place and does not answer",
                );
                return Err(io("the running app cannot be asked", &self.socket, source));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask_if_running(&self, question: &Value) -> Result<Option<Value>, InstanceError> {
        let mut stream = match UnixStream::connect(&self.socket) {
            Ok(stream) => stream,
            // Refused: the socket of a process that died without removing it. Where a folder cannot be, no socket can either.
            Err(err)
                if matches!(
                    err.kind(),
                    std::io::ErrorKind::NotFound
                        | std::io::ErrorKind::NotADirectory
                        | std::io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(source) => return Err(io("the running app cannot be asked", &self.socket, source)),
        };
        let line = exchange(&mut stream, question)
            .map_err(|source| io("the running app cannot be asked", &self.socket, source))?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|err| InstanceError::Answer(err.to_string()))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(problem) => Err(InstanceError::Answer(problem.to_owned())),
            None => Ok(Some(answer)),
        }
    }
}

fn exchange(stream: &mut UnixStream, question: &Value) -> std::io::Result<String> {
    stream.set_write_timeout(Some(PATIENCE))?;
    writeln!(stream, "{question}")?;
    read_line(stream, MAX_ANSWER_BYTES, Instant::now() + PATIENCE)
}

/// Reads one line, bounded in length and in time however slowly it arrives.
fn read_line(stream: &mut UnixStream, max_bytes: usize, until: Instant) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut block = [0_u8; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let n_read = match stream.read(&mut block) {
            // A process that was stopped and continued gets this.
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let (text, ended) = match block[..n_read].iter().position(|&byte| byte == b'\n') {
            Some(at) => (&block[..at], true),
            None => (&block[..n_read], n_read == 0),
        };
        line.extend_from_slice(text);
        if line.len() > max_bytes {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the message is too long"));
        }
        if ended {
            return String::from_utf8(line).map_err(|_| {
                std::io::Error::new(std::io::ErrorKind::InvalidData, "the message is not text")
            });
        }
    }
}

/// Makes the folder, or tightens one that is there.
fn private_folder(folder: &Path) -> Result<(), InstanceError> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)))
        .map_err(|source| io("the folder of the running app cannot be made", folder, source))
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> InstanceError {
    InstanceError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
