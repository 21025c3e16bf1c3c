//! Files that are there whole or not at all: written beside their place, made durable, then given their name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Lets `write` fill a new file and puts it in the place of `path`: after a crash the old one or the new one is there, whole. The new
/// one has the permissions of the old; without an old one it is for its owner only. A link to a file that is kept elsewhere stays a
/// link. After an error `path` is as it was and nothing is left beside it.
///
/// # Errors
/// The file cannot be written, which `failed` puts into words, or what `write` says.
pub fn replace<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    let mut part_name = std::ffi::OsString::from(".");
    part_name.push(name);
    part_name.push(format!(".{}.part", std::process::id()));
    let part = Part(path.with_file_name(part_name));
    let file = part.create(&path).map_err(&failed)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let written = write(&mut out)?;
    let file = out.into_inner().map_err(|err| failed(err.into_error()))?;
    file.sync_all().and_then(|()| fs::rename(&part.0, &path)).map_err(&failed)?;
    std::mem::forget(part);
    sync_folder(&path).map_err(failed)?;
    Ok(written)
}

/// Makes the new name durable, where the file system can.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder)?.sync_all() {
        // The file itself is durable.
        Err(err) if matches!(err.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// A file that is removed unless it got its name.
struct Part(PathBuf);

impl Part {
    /// Creates it with the permissions that the file at `path` has.
    fn create(&self, path: &Path) -> io::Result<File> {
        match fs::remove_file(&self.0) {
            // Of an earlier process with this number.
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
        if let Ok(known) = path.metadata() {
            file.set_permissions(known.permissions())?;
        }
        Ok(file)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn write(path: &Path, text: &str) -> io::Result<()> {
        replace(path, |err| err, |out| out.write_all(text.as_bytes()))
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_private_and_a_replaced_one_keeps_its_permissions_and_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.txt"), folder.path().join("link.txt"));
        write(&file, "one").unwrap();
        assert_eq!(mode(&file), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "two").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("two", 0o640));
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
    }

    #[test]
    fn what_fails_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        write(&file, "the old one").unwrap();
        let full = |out: &mut dyn Write| {
            out.write_all(&[b'x'; 200_000])?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let failed: io::Result<()> = replace(&file, |err| err, full);
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&file).unwrap(), "the old one");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        assert!(write(&folder.path().join("none/a.txt"), "").is_err());
    }
}
