//! The log: a bounded ring in memory that the log page shows, and a file of bounded size in the state folder.
//!
//! Events arrive through the `log` crate. Of other crates only warnings and problems are taken, because their details may hold what
//! was typed; the events of this program name models, times and counts, never the text of a prompt or of an answer.

mod file;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use onebit_engine::calendar::Date;

use crate::chat::Waker;
use crate::folders::Folders;
use crate::store::now_millis;
use file::FileWriter;

/// Lines kept in memory.
const MAX_LINES: usize = 4000;
/// Longest text of a line, in bytes.
const MAX_TEXT: usize = 4096;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Rises by one with every line.
    pub serial: u64,
    /// Milliseconds since 1970.
    pub millis: i64,
    /// How bad it is.
    pub level: Level,
    /// Module that said it, without the name of this crate.
    pub source: String,
    /// What happened.
    pub text: String,
}

/// The log of this process.
pub struct Logbook {
    lines: Mutex<VecDeque<Arc<Line>>>,
    next: AtomicU64,
    level: AtomicU8,
    waker: Mutex<Option<Waker>>,
    file: Option<FileWriter>,
}

/// The log file of a user.
pub fn path(folders: &Folders) -> PathBuf {
    folders.state.join("onebit.log")
}

/// Starts to collect what this process logs, into memory and into the file. Once a process; later calls give the first log.
pub fn install(folders: &Folders, level: LevelFilter) -> &'static Logbook {
    static BOOK: OnceLock<Logbook> = OnceLock::new();
    let mut first = false;
    let book = BOOK.get_or_init(|| {
        first = true;
        Logbook::new(level, Some(FileWriter::start(path(folders))))
    });
    if first && log::set_logger(book).is_ok() {
        log::set_max_level(LevelFilter::Debug);
        log_panics();
    }
    book
}

/// A panic is logged with its place. Its message is not: the standard library quotes texts in some.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log::error!("internal error at {place} in thread {}", thread.name().unwrap_or("without a name"));
        before(panic);
    }));
}

/// The level with this name in the settings.
pub fn level_named(name: &str) -> LevelFilter {
    name.parse().unwrap_or(LevelFilter::Info)
}

impl Logbook {
    /// A log that nothing is sent to but through [`Log`].
    fn new(level: LevelFilter, file: Option<FileWriter>) -> Self {
        Self {
            lines: Mutex::default(),
            next: AtomicU64::new(0),
            level: AtomicU8::new(level as u8),
            waker: Mutex::default(),
            file,
        }
    }

    /// A log in memory alone.
    pub fn in_memory() -> Self {
        Self::new(LevelFilter::Debug, None)
    }

    /// Takes lines of this level and worse from now on.
    pub fn set_level(&self, level: LevelFilter) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Called after every line, until it is taken back with `None`.
    pub fn wake(&self, waker: Option<Waker>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }

    /// Number of the next line; it has changed when there is something new.
    pub fn next_serial(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Lines from a number on, oldest first.
    pub fn lines_from(&self, serial: u64) -> Vec<Arc<Line>> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let first = lines.partition_point(|line| line.serial < serial);
        lines.range(first..).cloned().collect()
    }

    /// Adds a line.
    pub fn add(&self, level: Level, source: &str, text: &str) {
        let mut cut = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        // One event is one line, whatever it quotes.
        let mut clean: String = text[..cut].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if cut < text.len() {
            clean.push('…');
        }
        let source = source.strip_prefix("onebit::").unwrap_or(source).to_owned();
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let serial = self.next.load(Ordering::Relaxed);
            let line = Arc::new(Line { serial, millis: now_millis(), level, source, text: clean });
            if lines.len() >= MAX_LINES {
                lines.pop_front();
            }
            lines.push_back(Arc::clone(&line));
            self.next.store(serial + 1, Ordering::Release);
            line
        };
        if let Some(file) = &self.file {
            file.write(&line);
        }
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker();
        }
    }

    fn takes(&self, level: Level, target: &str) -> bool {
        let ours =
            target == "onebit" || target.starts_with("onebit::") || target.starts_with("onebit_engine");
        let most = if ours { self.level.load(Ordering::Relaxed) } else { LevelFilter::Warn as u8 };
        level as u8 <= most.min(self.level.load(Ordering::Relaxed))
    }
}

impl Log for Logbook {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.takes(metadata.level(), metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.add(record.level(), record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// `2026-11-21 15:21:43.120`, in a zone so many seconds from UTC.
pub fn timestamp(millis: i64, offset_secs: i64) -> String {
    let local = millis + offset_secs * 1000;
    let (days, in_day) = (local.div_euclid(86_400_000), local.rem_euclid(86_400_000));
    let Date { year, month, day } = Date::of_day(days);
    let (secs, rest) = (in_day / 1000, in_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{rest:03}",
        secs / 3600,
        secs / 60 % 60,
        secs % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_lines_and_their_numbers() {
        let book = Logbook::in_memory();
        for index in 0..MAX_LINES + 10 {
            book.add(Level::Info, "onebit::chat", &format!("line {index}"));
        }
        let lines = book.lines_from(0);
        assert_eq!((lines.len(), lines[0].serial, lines[0].source.as_str()), (MAX_LINES, 10, "chat"));
        assert_eq!(book.lines_from(book.next_serial() - 1).len(), 1);
        assert!(book.lines_from(book.next_serial()).is_empty());
    }

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        let book = Logbook::in_memory();
        book.add(Level::Warn, "x", &format!("a\nb\u{1b}[31m{}", "é".repeat(5000)));
        let text = &book.lines_from(0)[0].text;
        assert!(
            text.starts_with("a b [31m") && text.ends_with('…') && text.len() <= MAX_TEXT + 3,
            "{}",
            text.len()
        );
    }

    #[test]
    fn other_crates_are_heard_only_when_something_is_wrong() {
        let book = Logbook::in_memory();
        assert!(
            book.takes(Level::Debug, "onebit::chat") && book.takes(Level::Debug, "onebit_engine::session")
        );
        assert!(book.takes(Level::Warn, "wgpu_hal") && !book.takes(Level::Info, "wgpu_hal"));
        assert!(!book.takes(Level::Info, "onebit_other"));
        book.set_level(LevelFilter::Error);
        assert!(!book.takes(Level::Warn, "onebit") && !book.takes(Level::Warn, "wgpu_hal"));
    }

    #[test]
    fn times_are_written_as_dates() {
        assert_eq!(timestamp(0, 0), "1970-01-01 00:00:00.000");
        assert_eq!(timestamp(951_782_399_999, 0), "2000-02-28 23:59:59.999");
        assert_eq!(timestamp(951_782_400_000, 0), "2000-02-29 00:00:00.000");
        assert_eq!(timestamp(1_795_274_503_120, 3600), "2026-11-21 16:21:43.120");
        assert_eq!(timestamp(-1, 0), "1969-12-31 23:59:59.999");
    }
}
