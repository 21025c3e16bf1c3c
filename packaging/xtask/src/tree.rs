//! The files of this checkout, as git lists them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// A tracked (or new, not ignored) file; `text` is empty for binary files.
pub struct File {
    /// Path from the root.
    pub path: String,
    /// Size on disk.
    pub bytes: u64,
    /// Contents, when they are UTF-8.
    pub text: Option<String>,
}

/// The workspace root.
pub fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("xtask lies two folders below the root")
}

/// All files git knows of or would add, that exist.
pub fn tracked_files(root: &Path) -> Result<Vec<File>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git ls-files")?;
    ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    let mut files = Vec::new();
    for path in listing.split('\0').filter(|p| !p.is_empty()) {
        let full = root.join(path);
        if !full.is_file() {
            continue;
        }
        let content = std::fs::read(&full).with_context(|| path.to_owned())?;
        files.push(File {
            path: path.to_owned(),
            bytes: content.len() as u64,
            text: String::from_utf8(content).ok(),
        });
    }
    Ok(files)
}
