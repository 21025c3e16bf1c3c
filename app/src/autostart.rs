//! Starting with the desktop: an entry in the folder that desktops read when a user logs in (the XDG autostart specification). Reads,
//! writes and removes that one file; a [`Desk`] does so on a thread of its own. Knows no window and no settings.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::chat::Waker;
use crate::folders::Folders;
use crate::{bus, whole_file};

/// Option of the command line that an entry starts the program with.
pub const IN_TRAY: &str = "--in-tray";
/// Larger files are none of ours.
const MAX_BYTES: u64 = 64 << 10;

/// What the desktop will do at the next login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Whether it starts the program; `None` when that cannot be told.
    pub on: Option<bool>,
    /// Why it is not as was wanted (text for the user).
    pub problem: Option<String>,
}

/// The entry of a user.
pub fn path(folders: &Folders) -> PathBuf {
    let config = folders.config.parent().unwrap_or(&folders.config);
    config.join("autostart").join(format!("{}.desktop", crate::window::APP_ID))
}

/// Whether an entry is there that is not switched off.
///
/// # Errors
/// It cannot be read.
pub fn is_on(path: &Path) -> std::io::Result<bool> {
    match path.metadata() {
        // Opening anything else could wait for ever.
        Ok(found) if !found.is_file() => return Err(std::io::Error::other("it is no file")),
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(false),
        Ok(_) => {}
        Err(err) => return Err(err),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(!is_switched_off(&String::from_utf8_lossy(&bytes)))
}

/// Desktops switch an entry off with one of two keys instead of removing it.
fn is_switched_off(entry: &str) -> bool {
    let mut lines = entry.lines().map(str::trim).skip_while(|line| *line != "[Desktop Entry]").skip(1);
    let mut values = std::iter::from_fn(|| lines.next().filter(|line| !line.starts_with('[')));
    values.any(|line| {
        let Some((key, value)) = line.split_once('=') else { return false };
        matches!((key.trim(), value.trim()), ("Hidden", "true") | ("X-GNOME-Autostart-enabled", "false"))
    })
}

/// Writes the entry, or removes it.
///
/// # Errors
/// Why it is as it was (text for the user).
pub fn set(path: &Path, on: bool, program: &Path) -> Result<(), String> {
    if !on {
        return match fs::remove_file(path) {
            Err(err) if err.kind() != ErrorKind::NotFound => Err(format!("{}: {err}", path.display())),
            _ => Ok(()),
        };
    }
    if bus::is_sandboxed() {
        return Err("a program in a sandbox cannot do this; use the desktop's own settings".to_owned());
    }
    let entry = entry(program)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    let failed = |err: std::io::Error| format!("the entry cannot be written: {err}: {}", path.display());
    whole_file::replace(path, failed, |out| out.write_all(entry.as_bytes()).map_err(failed))
}

/// The program that runs, where a login finds it again.
///
/// # Errors
/// It is not there any more.
pub fn program() -> Result<PathBuf, String> {
    // An AppImage is mounted elsewhere each time; this is the file itself.
    let image = std::env::var_os("APPIMAGE").map(PathBuf::from).filter(|path| path.is_absolute());
    let own = std::env::current_exe().map_err(|err| format!("the program does not know where it is: {err}"));
    let program = image.map_or(own, Ok)?;
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} is not there any more; start the program again", program.display()))
    }
}

/// Text of the entry.
fn entry(program: &Path) -> Result<String, String> {
    let path = program.to_str().ok_or_else(|| format!("{} is no UTF-8 path", program.display()))?;
    if path.chars().any(char::is_control) {
        return Err(format!("{} has control characters in its path", program.display()));
    }
    let id = crate::window::APP_ID;
    Ok(format!(
        "[Desktop Entry]\nType=Application\nVersion=1.0\nName=1bit Desktop\nExec={} {IN_TRAY}\nIcon={id}\nTerminal=false\n\
         StartupNotify=false\nX-GNOME-Autostart-enabled=true\n",
        quoted(path)
    ))
}

/// An argument as `Exec` wants it: in quotes, some characters escaped, per cent doubled; and that as a string of an entry, where a
/// backslash is written as two.
fn quoted(argument: &str) -> String {
    let mut quoted = String::from("\"");
    for char in argument.chars() {
        match char {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', char]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// Looks after the entry on a thread, which begins with the first question.
pub struct Desk {
    path: PathBuf,
    waker: Waker,
    lane: Option<(Sender<Option<bool>>, Receiver<Said>)>,
    unanswered: usize,
}

impl Desk {
    /// For the entry at `path`. `waker` is called when something was said.
    pub fn new(path: PathBuf, waker: Waker) -> Self {
        Self { path, waker, lane: None, unanswered: 0 }
    }

    /// Asks how it is.
    pub fn look(&mut self) {
        self.ask(None);
    }

    /// Wants it on or off.
    pub fn set(&mut self, on: bool) {
        self.ask(Some(on));
    }

    /// What was said last, once all wishes are answered. A problem with any of them is not lost.
    pub fn try_next(&mut self) -> Option<Said> {
        let (_, said) = self.lane.as_ref()?;
        let mut newest: Option<Said> = None;
        while let Ok(said) = said.try_recv() {
            self.unanswered = self.unanswered.saturating_sub(1);
            let earlier = newest.take().and_then(|newest| newest.problem);
            newest = Some(Said { problem: said.problem.or(earlier), ..said });
        }
        // What is true before the last wish is done is not what will be.
        newest.map(|said| if self.unanswered == 0 { said } else { Said { on: None, ..said } })
    }

    fn ask(&mut self, wanted: Option<bool>) {
        let (path, waker) = (&self.path, &self.waker);
        let (asked, _) = self.lane.get_or_insert_with(|| begin(path.clone(), waker.clone()));
        // Where there is no thread, it was said.
        if asked.send(wanted).is_ok() {
            self.unanswered += 1;
        }
    }
}

fn begin(path: PathBuf, waker: Waker) -> (Sender<Option<bool>>, Receiver<Said>) {
    let (asked, inbox) = channel::<Option<bool>>();
    let (outbox, said) = channel();
    let refused = outbox.clone();
    let spawned = std::thread::Builder::new().name("autostart".to_owned()).spawn(move || {
        for wanted in inbox {
            // The window may be gone by now.
            let _ = outbox.send(answer(&path, wanted));
            waker();
        }
    });
    if let Err(err) = spawned {
        let problem = Some(format!("no thread could be started: {err}"));
        // The receiver is held here.
        let _ = refused.send(Said { on: None, problem });
    }
    (asked, said)
}

fn answer(path: &Path, wanted: Option<bool>) -> Said {
    let done = wanted.map_or(Ok(()), |on| {
        // Removing needs to know no program.
        let program = if on { program()? } else { PathBuf::new() };
        set(path, on, &program)
    });
    match is_on(path) {
        Ok(on) => Said { on: Some(on), problem: done.err() },
        Err(err) => Said { on: None, problem: Some(format!("{}: {err}", path.display())) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_written_whole_read_back_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("autostart/x.desktop");
        assert!(!is_on(&path).unwrap());
        set(&path, true, Path::new("/opt/1bit $/on\"e%bit")).unwrap();
        assert!(is_on(&path).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\nExec=\"/opt/1bit \\\\$/on\\\\\"e%%bit\" --in-tray\n"), "{text}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        set(&path, false, Path::new("")).unwrap();
        assert!(!path.exists());
        set(&path, false, Path::new("")).unwrap();
    }

    #[test]
    fn an_entry_that_the_desktop_switched_off_is_off_and_can_be_switched_on_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.desktop");
        for (text, on) in [
            ("[Desktop Entry]\nHidden=true\n", false),
            ("[Desktop Entry]\nX-GNOME-Autostart-enabled = false\n", false),
            ("[Desktop Entry]\nHidden=false\n", true),
            ("# Hidden=true\n[Desktop Entry]\nExec=x\n[Desktop Action y]\nHidden=true\n", true),
            ("", true),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(is_on(&path).unwrap(), on, "{text}");
        }
        fs::write(&path, "[Desktop Entry]\nHidden=true\n").unwrap();
        set(&path, true, Path::new("/bin/true")).unwrap();
        assert!(is_on(&path).unwrap());
    }

    #[test]
    fn what_cannot_be_written_is_said_and_what_is_true_follows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let path = file.join("x.desktop");
        let said = answer(&path, Some(true));
        assert!(said.problem.as_ref().is_some_and(|why| why.contains("file")), "{said:?}");
        assert!(set(&path, true, Path::new("/tmp/a\nb")).unwrap_err().contains("control characters"));
    }

    #[test]
    fn a_desk_says_what_is_true_after_each_wish() {
        let folder = tempfile::tempdir().unwrap();
        let (told, heard) = channel();
        let told = std::sync::Mutex::new(told);
        let waker: Waker = std::sync::Arc::new(move || told.lock().unwrap().send(()).unwrap());
        let mut desk = Desk::new(folder.path().join("autostart/x.desktop"), waker);
        for (wish, is) in [(None, false), (Some(true), true), (None, true), (Some(false), false)] {
            match wish {
                Some(on) => desk.set(on),
                None => desk.look(),
            }
            heard.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
            assert_eq!(desk.try_next(), Some(Said { on: Some(is), problem: None }));
        }
    }
}
