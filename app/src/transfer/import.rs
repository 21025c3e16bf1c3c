//! A file of our JSON format as the work of an import of the store.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reading::{Found, read_chats};
use super::{Progress, TransferError};
use crate::store::ImportJob;

/// The work of importing a file, for [`crate::store::Store::import`].
pub fn import_job(path: PathBuf, progress: Arc<Progress>) -> ImportJob {
    Box::new(move |importer| {
        let file = open(&path).map_err(|err| err.to_string())?;
        let counted = Counted { inner: file, progress: &progress };
        let outcome = read_chats(BufReader::with_capacity(1 << 16, counted), |found| match found {
            _ if progress.is_cancelled() => Err(TransferError::Cancelled.to_string()),
            Found::Persona(persona) => importer.add_persona(persona),
            Found::Chat(chat, messages, folder) => importer.add_chat(*chat, messages, folder),
        });
        outcome.map_err(|err| match err {
            TransferError::Format(problem) => format!("{problem}: {}", path.display()),
            other => other.to_string(),
        })
    })
}

fn open(path: &Path) -> Result<File, TransferError> {
    let failed =
        |source| TransferError::Io { what: "the file cannot be read", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    // Reading a folder gives an error that says less.
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(file)
}

struct Counted<'p> {
    inner: File,
    progress: &'p Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.progress.get() == (0, 0) {
            self.progress.set_total(self.inner.metadata()?.len());
        }
        let n_read = self.inner.read(buffer)?;
        self.progress.advance(n_read as u64);
        Ok(n_read)
    }
}
