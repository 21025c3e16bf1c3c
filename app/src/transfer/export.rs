//! Chats as a stream of bytes.

use std::io::Write;
use std::path::Path;

use super::document::{ChatDocument, FORMAT, Named, PersonaDocument, VERSION};
use super::{Format, Progress, TransferError, markdown};
use crate::store::{ChatId, Folder, Snapshot, now_millis};
use crate::whole_file;

/// What was exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Chats.
    pub chats: usize,
    /// Their messages, of all branches.
    pub messages: usize,
    /// What could not be read and was left out (texts for the user).
    pub problems: Vec<String>,
}

/// Exports the given chats, or all, into `out`. A chat that is gone is left out.
///
/// # Errors
/// The chats cannot be read or `out` cannot be written (`file` is its name in the error).
pub fn export(
    snapshot: &mut Snapshot,
    chats: Option<&[ChatId]>,
    format: Format,
    out: &mut dyn Write,
    file: &Path,
    progress: &Progress,
) -> Result<Exported, TransferError> {
    let failed = |source: std::io::Error| TransferError::Io {
        what: "the export cannot be written",
        path: file.to_owned(),
        source,
    };
    let chats = match chats {
        Some(chats) => chats.to_vec(),
        None => snapshot.heads().map_err(TransferError::Store)?.iter().map(|head| head.id).collect(),
    };
    progress.set_total(chats.len() as u64);
    let mut exported = Exported::default();
    let named = begin(snapshot, format, out, &failed)?;
    for id in chats {
        if progress.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        if let Some((chat, messages)) = snapshot.chat(id).map_err(TransferError::Store)? {
            let is_first = exported.chats == 0;
            exported.chats += 1;
            exported.messages += messages.len();
            match format {
                Format::Json => {
                    out.write_all(if is_first { b"\n" } else { b",\n" }).map_err(failed)?;
                    let document = ChatDocument::new(chat, messages, &named);
                    serde_json::to_writer(&mut *out, &document).map_err(|err| failed(err.into()))?;
                }
                Format::Markdown => {
                    let text = markdown::chat(&chat, &messages);
                    out.write_all(if is_first { b"" } else { b"\n---\n\n" }).map_err(failed)?;
                    out.write_all(text.as_bytes()).map_err(failed)?;
                }
            }
        }
        progress.advance(1);
    }
    if format == Format::Json {
        out.write_all(b"\n]}\n").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    exported.problems = snapshot.take_problems();
    Ok(exported)
}

/// Writes what comes before the chats; gives what chats may name.
fn begin(
    snapshot: &mut Snapshot,
    format: Format,
    out: &mut dyn Write,
    failed: &dyn Fn(std::io::Error) -> TransferError,
) -> Result<Named, TransferError> {
    if format == Format::Markdown {
        return Ok(Named::default());
    }
    let personas = snapshot.personas().map_err(TransferError::Store)?;
    let documents: Vec<_> = personas.iter().map(PersonaDocument::from).collect();
    let documents = serde_json::to_string(&documents).map_err(|err| failed(err.into()))?;
    writeln!(
        out,
        "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"exported_millis\":{},\n\"personas\":{documents},\n\"chats\":[",
        now_millis()
    )
    .map_err(failed)?;
    let folders = snapshot.folders().map_err(TransferError::Store)?;
    Ok(Named {
        personas: personas.iter().map(|persona| persona.id).collect(),
        // A name that no import takes was not given here.
        folders: folders
            .into_iter()
            .filter(|folder| Folder::is_name(&folder.name))
            .map(|folder| (folder.id, folder.name))
            .collect(),
    })
}

/// Exports the given chats, or all, of the database at `database` into a file, which is there whole or not at all.
///
/// # Errors
/// As [`export`].
pub fn export_to_file(
    database: &Path,
    chats: Option<&[ChatId]>,
    format: Format,
    path: &Path,
    progress: &Progress,
) -> Result<Exported, TransferError> {
    let mut snapshot = Snapshot::open(database).map_err(TransferError::Store)?;
    write_whole(path, |out| export(&mut snapshot, chats, format, out, path, progress))
}

/// Lets `write` fill a file, which is there whole or not at all.
///
/// # Errors
/// The file cannot be written, or what `write` says.
pub fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, TransferError>,
) -> Result<T, TransferError> {
    let failed =
        |source| TransferError::Io { what: "the file cannot be written", path: path.to_owned(), source };
    whole_file::replace(path, failed, write)
}
