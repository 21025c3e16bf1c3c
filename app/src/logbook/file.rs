//! The log file. A thread of its own writes it, so that nobody who logs waits for the disk; when the disk does not keep up, lines
//! are left out of the file and their number is written down.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Line, timestamp};

/// Size at which the file becomes the old one; with that one it is at most twice this.
const MAX_BYTES: u64 = 1 << 20;
/// Lines that wait for the disk.
const MAX_WAITING: usize = 1024;

/// The writing end.
pub struct FileWriter {
    sender: SyncSender<Arc<Line>>,
    left_out: Arc<AtomicU64>,
}

impl FileWriter {
    /// Starts the thread. Without it, or without a file, the log is in memory alone: there is nobody else to tell.
    pub fn start(path: PathBuf) -> Self {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let left_out = Arc::<AtomicU64>::default();
        let shared = Arc::clone(&left_out);
        let spawned = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || LogFile { path, file: None, bytes: 0 }.keep(&receiver, &shared));
        drop(spawned);
        Self { sender, left_out }
    }

    /// Hands a line over.
    pub fn write(&self, line: &Arc<Line>) {
        if self.sender.try_send(Arc::clone(line)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct LogFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl LogFile {
    fn keep(mut self, lines: &Receiver<Arc<Line>>, left_out: &AtomicU64) {
        while let Ok(line) = lines.recv() {
            let missing = left_out.swap(0, Ordering::Relaxed);
            let mut text = String::new();
            if missing > 0 {
                text = format!("({missing} lines are missing: the disk did not keep up)\n");
            }
            text.push_str(&written(&line));
            if self.append(&text).is_err() {
                // Tried again with the next line; logging that would only make more lines.
                self.file = None;
                left_out.fetch_add(missing + 1, Ordering::Relaxed);
            }
        }
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        if self.bytes + text.len() as u64 > MAX_BYTES && self.file.take().is_some() {
            fs::rename(&self.path, self.path.with_extension("old.log"))?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                if let Some(folder) = self.path.parent() {
                    fs::create_dir_all(folder)?;
                }
                let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
                self.bytes = file.metadata()?.len();
                self.file.insert(file)
            }
        };
        file.write_all(text.as_bytes())?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

fn written(line: &Line) -> String {
    format!("{}Z {:5} {}: {}\n", timestamp(line.millis, 0), line.level, line.source, line.text)
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    #[test]
    fn the_file_is_turned_over_before_it_grows_beyond_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/onebit.log");
        let mut file = LogFile { path: path.clone(), file: None, bytes: 0 };
        let text = "x".repeat(1 << 18);
        for _ in 0..7 {
            file.append(&text).unwrap();
        }
        let old = path.with_extension("old.log");
        assert_eq!((old.metadata().unwrap().len(), path.metadata().unwrap().len()), (1 << 20, 3 << 18));
        let line = Line {
            serial: 0,
            millis: 0,
            level: Level::Warn,
            source: "chat".to_owned(),
            text: "something".to_owned(),
        };
        assert_eq!(written(&line), "1970-01-01 00:00:00.000Z WARN  chat: something\n");
    }
}
