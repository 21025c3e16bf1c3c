//! Text files that go with a message: read on a thread, refused with a reason when they are too large or no text.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::Waker;
use crate::store::Attachment;

/// Largest file, and largest pasted text, in bytes. Far more than any context of today holds.
pub const MAX_BYTES: usize = 1 << 20;
/// Most files with one message.
pub const MAX_FILES: usize = 16;
/// A pasted text of this many bytes or more becomes a file.
pub const PASTE_AS_FILE: usize = 16 << 10;

/// A file that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Its name.
    pub name: String,
    /// Why, and what to do (text for the user).
    pub why: String,
}

/// What came of a file.
pub type Read = Result<Attachment, NotTaken>;

/// Reads files away from the thread that draws.
pub struct Reader {
    sender: Sender<Read>,
    receiver: Receiver<Read>,
    waker: Waker,
}

impl Reader {
    /// Nothing is read yet; `waker` is called after each file.
    pub fn new(waker: Waker) -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver, waker }
    }

    /// Begins to read a file.
    pub fn read(&self, path: PathBuf) {
        let (sender, waker) = (self.sender.clone(), self.waker.clone());
        let name = name_of(&path);
        let spawned = std::thread::Builder::new().name("attach".to_owned()).spawn(move || {
            // The window may be gone by now.
            drop(sender.send(read(&path)));
            waker();
        });
        if let Err(err) = spawned {
            let why = format!("It could not be read: {err}.");
            self.sender.send(Err(NotTaken { name, why })).expect("the receiver is held here");
        }
    }

    /// Next file that has been read or refused.
    pub fn try_next(&self) -> Option<Read> {
        self.receiver.try_recv().ok()
    }
}

/// Whether a dropped file is a model rather than something to attach.
pub fn is_model(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ["gguf", "h1b"].iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// A pasted text as a file.
///
/// # Errors
/// It is too large.
pub fn pasted(text: &str, number: usize) -> Read {
    let name = if number > 1 { format!("Pasted text {number}") } else { "Pasted text".to_owned() };
    if text.len() > MAX_BYTES {
        return Err(NotTaken { name, why: too_large(text.len() as u64) });
    }
    Ok(Attachment { name, media: "text/plain".to_owned(), text: text.to_owned() })
}

fn read(path: &Path) -> Read {
    let name = name_of(path);
    let refuse = |why: String| NotTaken { name: name.clone(), why };
    let failed = |err: std::io::Error| refuse(format!("It could not be read: {err}."));
    // A pipe or a device would block or never end; a symbolic link to a file is followed.
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(refuse("Only files can be attached.".to_owned()));
    }
    if metadata.len() > MAX_BYTES as u64 {
        return Err(refuse(too_large(metadata.len())));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    // It may grow while it is read.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BYTES {
        return Err(refuse(too_large(bytes.len() as u64)));
    }
    if bytes.contains(&0) {
        return Err(refuse("It is no text file; only text can be attached.".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|err| {
        let at = err.utf8_error().valid_up_to();
        refuse(format!("It is no UTF-8 text (byte {at}); only UTF-8 text can be attached."))
    })?;
    if text.trim().is_empty() {
        return Err(refuse("It is empty.".to_owned()));
    }
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let media = media_of(&name).to_owned();
    Ok(Attachment { name, media, text })
}

fn too_large(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    format!("It has {mib:.1} MiB; at most {} MiB can be attached. Cut out what matters.", MAX_BYTES >> 20)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn media_of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("md" | "markdown") => "text/markdown",
        Some("json") => "application/json",
        Some("html" | "htm") => "text/html",
        Some("csv") => "text/csv",
        _ => "text/plain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn text_is_taken_with_its_name_and_type() {
        let (_folder, path) = written("notes.md", "\u{feff}# Title\n".as_bytes());
        let file = read(&path).unwrap();
        assert_eq!(
            (file.name.as_str(), file.media.as_str(), file.text.as_str()),
            ("notes.md", "text/markdown", "# Title\n")
        );
    }

    #[test]
    fn what_is_no_text_or_too_large_is_refused_with_the_reason() {
        for (name, bytes, why) in [
            ("a.png", &b"\x89PNG\r\n\0\0"[..], "no text file"),
            ("latin.txt", &b"caf\xe9"[..], "no UTF-8 text (byte 3)"),
            ("blank.txt", &b" \n"[..], "It is empty."),
            ("big.log", &vec![b'x'; MAX_BYTES + 1][..], "1.0 MiB"),
        ] {
            let (_folder, path) = written(name, bytes);
            let refused = read(&path).unwrap_err();
            assert_eq!(refused.name, name);
            assert!(refused.why.contains(why), "{refused:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().why.contains("Only files"));
        assert!(read(&folder.path().join("missing")).unwrap_err().why.contains("could not be read"));
    }

    #[test]
    fn a_pasted_text_is_a_file_up_to_the_limit() {
        assert_eq!(pasted("text", 2).unwrap().name, "Pasted text 2");
        assert!(pasted(&"x".repeat(50 << 20), 1).unwrap_err().why.contains("50.0 MiB"));
    }
}
