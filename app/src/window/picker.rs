//! The dialog that picks a model file. It runs on a thread of its own: the desktop's portal answers when the user does.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::chat::Waker;

/// A dialog that may be open.
#[derive(Default)]
pub struct Picker {
    answer: Option<Receiver<Option<PathBuf>>>,
}

impl Picker {
    /// Opens the dialog unless it is open.
    ///
    /// # Errors
    /// Its thread could not be started.
    pub fn open(&mut self, waker: Waker) -> std::io::Result<()> {
        if self.answer.is_some() {
            return Ok(());
        }
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("file-dialog".to_owned()).spawn(move || {
            let dialog =
                rfd::FileDialog::new().set_title("Open a model").add_filter("Models", &["gguf", "h1b"]);
            // The window may be gone by now.
            drop(sender.send(dialog.pick_file()));
            waker();
        })?;
        self.answer = Some(receiver);
        Ok(())
    }

    /// The picked file, once.
    pub fn try_next(&mut self) -> Option<PathBuf> {
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
