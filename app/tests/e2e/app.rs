//! The running program, and what can be learnt about it.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use onebit::folders::Folders;
use onebit::instance;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::session::{Session, until};

/// How long anything may take; two busy cores without optimisation are slow.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long the end may take.
pub const END: Duration = Duration::from_secs(5);

/// The program. Measurements run another build of it.
fn program() -> String {
    std::env::var("ONEBIT_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_onebit").to_owned())
}

/// The running program.
pub struct App<'s> {
    session: &'s Session,
    child: Child,
}

/// A message in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: String,
    pub content: String,
    pub state: String,
}

impl<'s> App<'s> {
    /// Starts the program and waits until its window is there and a model is loaded.
    pub fn start(session: &'s Session) -> Self {
        let app = Self::start_with(session, |_| {});
        app.until("the window is open and a model loaded", |app| {
            (app.models() > 0 && app.is_focused()).then_some(())
        });
        app
    }

    /// Starts the program in another environment and waits for nothing.
    pub fn start_with(session: &'s Session, change: impl Fn(&mut std::process::Command)) -> Self {
        let mut command = session.program(&program());
        change(&mut command);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self { session, child }
    }

    /// Starts the program through another, which becomes it, and waits for nothing. `through` gives the other and its arguments.
    pub fn start_through(session: &'s Session, through: impl Fn(&str) -> (String, Vec<String>)) -> Self {
        let (other, arguments) = through(&program());
        let child = session.command(&other).args(arguments).stdout(Stdio::null()).spawn().unwrap();
        Self { session, child }
    }

    /// Folder of the user's chats and models, as the program sees it.
    pub fn data(&self) -> PathBuf {
        let data = self.session.data();
        let own = format!("/proc/{}/root", self.pid());
        Path::new(&own).join(data.strip_prefix("/").unwrap())
    }

    /// Waits.
    #[track_caller]
    pub fn until<T>(&self, what: &str, condition: impl Fn(&Self) -> Option<T>) -> T {
        until(what, PATIENCE, || condition(self))
    }

    /// What `onebit status` says; nothing while it says nothing.
    pub fn status(&self) -> Option<Value> {
        let home = self.session.home();
        let folders = Folders::from_variables(|name| match name {
            "HOME" => Some(home.into()),
            "XDG_RUNTIME_DIR" => Some(home.join("run").into()),
            _ => None,
        })
        .unwrap();
        instance::status(&folders).ok().flatten()
    }

    /// Models that are loaded.
    pub fn models(&self) -> usize {
        self.status().and_then(|status| Some(status["models"].as_array()?.len())).unwrap_or(0)
    }

    fn window(&self, field: &str) -> bool {
        self.status().is_some_and(|status| status["window"][field] == true)
    }

    /// Whether there is a window, with something drawn in it.
    pub fn is_open(&self) -> bool {
        self.window("open")
    }

    /// Whether there is a window, and it has the keyboard.
    pub fn is_focused(&self) -> bool {
        self.window("focused")
    }

    /// Whether the program knows of a tray that shows it.
    pub fn has_tray(&self) -> bool {
        self.window("tray")
    }

    /// Whether an answer is being written.
    pub fn is_answering(&self) -> bool {
        self.window("answering")
    }

    /// Passes that windows have drawn so far.
    pub fn passes(&self) -> u64 {
        self.status().and_then(|status| status["window"]["passes"].as_u64()).unwrap_or(0)
    }

    /// Waits until everything that was pressed is drawn: a user sees what a key did before the next one.
    #[track_caller]
    pub fn wait_rest(&self) {
        self.until("the window is at rest", |app| {
            let passes = app.passes();
            std::thread::sleep(Duration::from_millis(300));
            (app.passes() == passes).then_some(())
        });
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far, in ticks of 10 ms.
    pub fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Waits for the window to come, and to have the keyboard, or to go.
    #[track_caller]
    pub fn wait_open(&self, open: bool) {
        self.until(if open { "the window opens" } else { "the window goes" }, |app| {
            (app.is_open() == open && app.is_focused() == open).then_some(())
        });
    }

    /// Messages in the order of their making; none while there is no database.
    pub fn messages(&self) -> Vec<Message> {
        self.query("SELECT role, content, state FROM messages ORDER BY id", |row| {
            Ok(Message { role: row.get(0)?, content: row.get(1)?, state: row.get(2)? })
        })
    }

    /// For each message the position of its parent among all.
    pub fn parents(&self) -> Vec<Option<usize>> {
        let links = self.query("SELECT id, parent FROM messages ORDER BY id", |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        let position = |id: i64| links.iter().position(|(other, _)| *other == id);
        links.iter().map(|(_, parent)| parent.and_then(position)).collect()
    }

    /// Position of the message at which the shown branch of the only chat ends.
    pub fn leaf(&self) -> Option<usize> {
        let ids: Vec<i64> = self.query("SELECT id FROM messages ORDER BY id", |row| row.get(0));
        let leaf: Option<i64> = self.query("SELECT leaf FROM chats", |row| row.get(0)).pop()?;
        ids.iter().position(|id| Some(*id) == leaf)
    }

    /// Titles of the chats.
    pub fn chats(&self) -> Vec<String> {
        self.query("SELECT title FROM chats ORDER BY id", |row| row.get(0))
    }

    fn query<T>(&self, sql: &str, map: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let copy = tempfile::tempdir().unwrap();
        let read = || -> rusqlite::Result<Vec<T>> {
            let db = match self.session.data().join("chats.db") {
                own if own.exists() => Connection::open_with_flags(own, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
                _ => Connection::open(self.copy_database(copy.path()))?,
            };
            db.prepare(sql)?.query_map([], &map)?.collect()
        };
        read().unwrap_or_default()
    }

    /// A copy of the database of a program that has a file system of its own there: SQLite resolves the link that leads to it, and
    /// ends in ours.
    fn copy_database(&self, to: &Path) -> PathBuf {
        // The journal first: a checkpoint in between leaves it with changes that the database has already.
        for name in ["chats.db-wal", "chats.db"] {
            // What is not there yet is empty.
            let _ = std::fs::copy(self.data().join(name), to.join(name));
        }
        to.join("chats.db")
    }

    /// Types a question into the composer and sends it.
    pub fn ask(&self, question: &str) {
        self.session.type_text(question);
        self.session.press("Return");
    }

    /// Waits until `count` messages are stored and the last of them is in `state`; gives it.
    #[track_caller]
    pub fn wait_message(&self, count: usize, state: &str) -> Message {
        self.until(&format!("message {count} is {state}"), |app| {
            let messages = app.messages();
            messages.get(count - 1).filter(|last| last.state == state && messages.len() == count).cloned()
        })
    }

    /// Waits until the last of `count` messages has begun to grow on the disk; gives it.
    #[track_caller]
    pub fn wait_text(&self, count: usize) -> Message {
        self.until("an answer grows", |app| {
            app.messages().get(count - 1).filter(|last| !last.content.is_empty()).cloned()
        })
    }

    /// Asks the window to close, as its frame does.
    pub fn close_window(&self) {
        self.session.press("alt+F4");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let script = format!("kill -s {name} {}", self.child.id());
        let status = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end, which must not take long.
    #[track_caller]
    pub fn wait_end(mut self) -> ExitStatus {
        until("the program ends", END, || self.child.try_wait().unwrap())
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
