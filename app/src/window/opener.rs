//! Opens files and folders with the desktop's own program for them. On a thread: that program may take its time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::chat::Waker;

/// Opens things; remembers what went wrong.
pub struct Opener {
    sender: Sender<String>,
    problems: Receiver<String>,
}

impl Default for Opener {
    fn default() -> Self {
        let (sender, problems) = channel();
        Self { sender, problems }
    }
}

impl Opener {
    /// Opens a file or folder.
    pub fn open(&self, path: &Path, waker: Waker) {
        let (sender, path) = (self.sender.clone(), path.to_owned());
        let failed = self.sender.clone();
        let spawned = std::thread::Builder::new().name("open".to_owned()).spawn(move || {
            if let Err(problem) = open(&path) {
                // The window may be gone by now.
                let _ = sender.send(format!("{}: {problem}", path.display()));
                waker();
            }
        });
        if let Err(err) = spawned {
            // The receiver lives as long as this.
            let _ = failed.send(err.to_string());
        }
    }

    /// What went wrong, once.
    pub fn try_next(&self) -> Option<String> {
        self.problems.try_recv().ok()
    }
}

fn open(path: &Path) -> Result<(), String> {
    if !path.exists() {
        return Err("there is nothing yet".to_owned());
    }
    let status = Command::new("xdg-open")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|err| format!("xdg-open could not be started: {err}"))?;
    if status.success() { Ok(()) } else { Err("no program of the desktop opens it".to_owned()) }
}
