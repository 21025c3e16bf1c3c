//! Disks that are full or hang, for real, while answers stream.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::app::App;
use crate::reader::Reader;
use crate::session::{Session, until};

const LONG: &str = "Write a very long story about a fox.";
/// Size of the small file system, in MiB.
const SMALL_MIB: usize = 8;

/// What keeps the program from writing.
enum Limit {
    /// A small file system of its own at the data folder, in name spaces made with these arguments of `unshare`.
    FileSystem(&'static str),
    /// Files that may not grow: where nothing may be mounted.
    FileSize,
}

impl Limit {
    /// What this machine allows.
    fn find(session: &Session) -> Self {
        std::fs::create_dir_all(session.data()).unwrap();
        let allowed = |how: &str| {
            let script = mount(&session.data());
            let status = session.command("unshare").args([how, "sh", "-c", &script]).status();
            status.is_ok_and(|status| status.success())
        };
        // With other ids the session bus would not let the program in.
        let is_root =
            std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let found = ["-m", "-rm"].into_iter().filter(|_| is_root).find(|how| allowed(how));
        found.map_or(Self::FileSize, Self::FileSystem)
    }

    /// Starts the program under it, with room to write.
    fn start<'s>(&self, session: &'s Session) -> App<'s> {
        let app = App::start_through(session, |program| match self {
            Self::FileSystem(how) => {
                let script = format!("{} && exec '{program}'", mount(&session.data()));
                (String::from("unshare"), vec![how.to_string(), "sh".into(), "-c".into(), script])
            }
            // A write that is too long is an error instead of the end.
            Self::FileSize => {
                (String::from("sh"), vec!["-c".into(), format!("trap '' XFSZ; exec '{program}'")])
            }
        });
        app.until("the window is open and a model loaded", |app| {
            (app.models() > 0 && app.is_focused()).then_some(())
        });
        app
    }

    /// Takes the room away.
    fn fill(&self, app: &App<'_>) {
        match self {
            Self::FileSystem(_) => {
                let mut filler = std::fs::File::create(filler(app)).unwrap();
                let mut piece = vec![b'x'; 1 << 16];
                // To the last byte.
                while !piece.is_empty() {
                    if filler.write_all(&piece).is_err() {
                        piece.truncate(piece.len() / 2);
                    }
                }
            }
            Self::FileSize => limit_files(app, "1"),
        }
    }

    /// Gives it back.
    fn free(&self, app: &App<'_>) {
        match self {
            Self::FileSystem(_) => std::fs::remove_file(filler(app)).unwrap(),
            Self::FileSize => limit_files(app, "unlimited"),
        }
    }
}

fn mount(folder: &Path) -> String {
    format!("mount -t tmpfs -o size={SMALL_MIB}m,mode=700 none '{}'", folder.display())
}

fn filler(app: &App<'_>) -> PathBuf {
    app.data().join("filler")
}

fn limit_files(app: &App<'_>, bytes: &str) {
    let (pid, limit) = (app.pid().to_string(), format!("--fsize={bytes}:unlimited"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
}

#[test]
fn a_disk_that_fills_up_in_mid_stream_is_said_and_nothing_of_the_answer_is_lost() {
    let Some(session) = Session::open() else { return };
    let limit = Limit::find(&session);
    let reader = Reader::start(&session);
    let app = limit.start(&session);
    app.ask(LONG);
    let before = app.wait_text(2);
    limit.fill(&app);
    reader.wait("Chats are not being saved");
    if matches!(limit, Limit::FileSystem(_)) {
        reader.wait("disk is full; free some space");
    }
    reader.wait("Not saved");
    // What streams on is on the screen, whatever is on the disk.
    app.until("the answer ends", |app| (!app.is_answering()).then_some(()));
    let on_disk = app.messages()[1].clone();
    assert_eq!(on_disk.state, "writing", "the end of the answer found no room");
    assert!(on_disk.content.starts_with(&before.content));
    let shown = reader.names();

    limit.free(&app);
    reader.wait("Chats are saved again");
    let saved = app.until("the answer is saved", |app| {
        let message = app.messages()[1].clone();
        (message.state != "writing").then_some(message)
    });
    assert!(saved.content.starts_with(&on_disk.content));
    assert!(saved.content.len() > on_disk.content.len(), "{saved:?}");
    // The window shows the end of a long answer. Markdown is shown without its marks, so a line that has none is compared.
    let plain =
        |line: &&str| line.len() > 20 && !line.contains(['*', '`', '#', '_', '[', '<', '\\', '|', '&']);
    let last = saved.content.lines().rev().map(str::trim).find(plain).expect("a line of plain words");
    assert!(shown.iter().any(|name| name.contains(last)), "{last:?} was not on the screen: {shown:?}");
    // The next question is answered and saved as if nothing had been.
    app.ask("What is the capital of France?");
    app.wait_message(4, "complete");
    app.signal("TERM");
    assert!(app.wait_end().success());
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_the_end_and_what_is_lost_is_said() {
    let Some(session) = Session::open() else { return };
    std::fs::create_dir_all(session.data()).unwrap();
    let lock = session.data().join("chats.db.lock");
    // Whoever opens it waits until somebody opens its other end.
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    let errors = session.home().join("errors");
    let reader = Reader::start(&session);
    let app = App::start_with(&session, |command| {
        command.stderr(std::fs::File::create(&errors).unwrap());
    });
    app.until("the window is open and a model loaded", |app| {
        (app.models() > 0 && app.is_focused()).then_some(())
    });
    app.ask("What is the capital of France?");
    reader.wait("Chats are not being saved");
    reader.wait("has not answered");
    app.signal("TERM");
    let ended = app.wait_end();
    assert_eq!(ended.code(), Some(1));
    let said = until("the last words are there", Duration::from_secs(1), || {
        std::fs::read_to_string(&errors).ok().filter(|said| said.contains("not saved"))
    });
    assert!(said.contains("1 message") && said.contains("1 answer"), "{said}");
}
