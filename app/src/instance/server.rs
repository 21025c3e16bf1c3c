//! The answering side: a thread named `instance` that takes one connection at a time.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bus;

use super::{InstanceError, MAX_QUESTION_BYTES, PATIENCE, Place, SOCKET, io, read_line};

/// What the app answers. Called on the `instance` thread.
pub struct Answers {
    /// What the app is doing, see [`super::status_json`].
    pub status: Box<dyn Fn() -> Value + Send>,
    /// Show the window; what the desktop gave whoever asks, so that the window may come to the front.
    pub raise: Box<dyn Fn(Option<String>) + Send>,
}

/// The running app's ear. Dropping it removes the socket and gives up the place.
pub struct Server {
    socket: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _place: Place,
}

impl Server {
    /// Begins to answer.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(place: Place, answers: Answers) -> Result<Self, InstanceError> {
        let socket = place.folder.join(SOCKET);
        // We hold the lock, so whoever made a socket that is still here is gone.
        match std::fs::remove_file(&socket) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("an old socket cannot be removed", &socket, source));
            }
            _ => {}
        }
        let failed = |source| io("the socket of the running app cannot be made", &socket, source);
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        // The folder keeps others out already; this is for those who copy it.
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let thread = std::thread::Builder::new()
            .name("instance".to_owned())
            .spawn(move || listen(&listener, &answers, &seen))
            .map_err(failed)?;
        Ok(Self { socket, ended, thread: Some(thread), _place: place })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // `accept` has no timeout; a connection wakes it.
        if UnixStream::connect(&self.socket).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic in an answer ended the thread early; there is nothing left to stop then.
            let _ = thread.join();
        }
        // Whoever starts next replaces a socket that could not be removed.
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn listen(listener: &UnixListener, answers: &Answers, ended: &AtomicBool) {
    for stream in listener.incoming() {
        if ended.load(Ordering::Acquire) {
            return;
        }
        match stream {
            // Whoever asked is gone or misbehaves; the app has nobody to tell.
            Ok(mut stream) => drop(answer(&mut stream, answers)),
            // Out of file descriptors, for example: wait rather than spin.
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
        }
    }
}

fn answer(stream: &mut UnixStream, answers: &Answers) -> std::io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let line = read_line(stream, MAX_QUESTION_BYTES, Instant::now() + PATIENCE)?;
    let question: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
    let answer = match question.get("ask").and_then(Value::as_str) {
        Some("status") => (answers.status)(),
        Some("raise") => {
            let token = question.get("token").and_then(Value::as_str);
            (answers.raise)(token.and_then(bus::activation_token));
            json!({ "raised": true })
        }
        _ => json!({ "error": "unknown question; this version knows status and raise" }),
    };
    writeln!(stream, "{answer}")
}
