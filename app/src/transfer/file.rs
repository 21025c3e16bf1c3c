//! Files that are there whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::TransferError;

/// Lets `write` fill a file beside `path`, makes it durable and gives it its name; a file of that name is replaced. After an error
/// `path` is as it was and nothing is left beside it.
///
/// # Errors
/// The file cannot be written, or what `write` says.
pub fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, TransferError>,
) -> Result<T, TransferError> {
    let failed =
        |source| TransferError::Io { what: "the file cannot be written", path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::IsADirectory.into()))?;
    let mut part_name = std::ffi::OsString::from(".");
    part_name.push(name);
    part_name.push(format!(".{}.part", std::process::id()));
    let part = Part(path.with_file_name(part_name));
    let file = File::create(&part.0).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let written = write(&mut out)?;
    let file = out.into_inner().map_err(|err| failed(err.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&part.0, path).map_err(failed)?;
    std::mem::forget(part);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Some file systems cannot make a folder durable; the file itself is.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(written)
}

/// A file that is removed unless it got its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}
