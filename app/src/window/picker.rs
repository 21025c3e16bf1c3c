//! The dialogs that pick files. They run on a thread of their own: the desktop's portal answers when the user does.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::chat::Waker;
use crate::store::ChatId;
use crate::transfer::Format;

/// What is to be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A model file.
    Model,
    /// Text files to attach.
    Texts,
    /// An exported file.
    Import,
    /// Where to export chats.
    Export(Export),
}

/// What was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    /// A model file.
    Model(PathBuf),
    /// Files to attach.
    Texts(Vec<PathBuf>),
    /// A file to import.
    Import(PathBuf),
    /// Where to export what.
    Export(PathBuf, Export),
}

/// What is to be exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// These chats, or all.
    pub chats: Option<Vec<ChatId>>,
    /// As what.
    pub format: Format,
    /// Suggested file name.
    pub name: String,
}

/// A dialog that may be open.
#[derive(Default)]
pub struct Picker {
    answer: Option<Receiver<Option<Picked>>>,
}

impl Picker {
    /// Opens a dialog unless one is open.
    ///
    /// # Errors
    /// Its thread could not be started.
    pub fn open(&mut self, wanted: Wanted, waker: Waker) -> std::io::Result<()> {
        if self.answer.is_some() {
            return Ok(());
        }
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("file-dialog".to_owned()).spawn(move || {
            // The window may be gone by now.
            drop(sender.send(ask(wanted)));
            waker();
        })?;
        self.answer = Some(receiver);
        Ok(())
    }

    /// What was picked, once.
    pub fn try_next(&mut self) -> Option<Picked> {
        match self.answer.as_ref()?.try_recv() {
            Ok(picked) => {
                self.answer = None;
                picked
            }
            Err(TryRecvError::Disconnected) => {
                self.answer = None;
                None
            }
            Err(TryRecvError::Empty) => None,
        }
    }
}

fn ask(wanted: Wanted) -> Option<Picked> {
    let dialog = rfd::FileDialog::new();
    match wanted {
        Wanted::Model => {
            let dialog = dialog.set_title("Open a model").add_filter("Models", &["gguf", "h1b"]);
            dialog.pick_file().map(Picked::Model)
        }
        Wanted::Import => {
            let dialog = dialog.set_title("Import chats").add_filter("Exported chats", &["json"]);
            dialog.pick_file().map(Picked::Import)
        }
        Wanted::Export(export) => {
            let dialog =
                dialog.set_title("Export chats").add_filter(export.format.name(), &[export.format.ending()]);
            let path = dialog.set_file_name(&export.name).save_file();
            path.map(|path| Picked::Export(path, export))
        }
        Wanted::Texts => dialog.set_title("Attach text files").pick_files().map(Picked::Texts),
    }
}
