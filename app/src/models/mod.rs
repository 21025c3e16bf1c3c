//! Turns what a user calls a model (a path, an id under the data folder, `starter`) into a file, and lists what is there.
//! Opens no model.

use std::path::{Path, PathBuf};

use crate::folders::{self, Folders};

/// Name of the model that comes with the program.
pub const STARTER: &str = "starter";

/// File name endings of containers that the engine opens.
const EXTENSIONS: [&str; 2] = ["gguf", "h1b"];

/// Where a model was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The models folder of the user.
    Data,
    /// Came with the program.
    Bundled,
    /// A path given by the user.
    Path,
}

impl Origin {
    /// Name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Data => "data",
            Origin::Bundled => "bundled",
            Origin::Path => "path",
        }
    }
}

/// A model file that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundModel {
    /// What to call it: its id, or the file stem of a path.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
    /// Size of the file.
    pub bytes: u64,
}

/// There is no such model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A path that is not a file.
    #[error("{}: no such model file", .0.display())]
    NoFile(PathBuf),
    /// An id that nobody has.
    #[error("no model is called {id:?}; `onebit list` shows those in {}, or give the path of a .gguf or .h1b file", folder.display())]
    UnknownId {
        /// As asked.
        id: String,
        /// Where models are looked for.
        folder: PathBuf,
    },
}

/// Finds the file of a model. A name without `/` is an id first and a file of the working folder second.
///
/// # Errors
/// There is no such file or id; the message says where it was looked for.
pub fn resolve(folders: &Folders, model: &str) -> Result<FoundModel, ModelError> {
    resolve_in(folders, &folders::bundled_models(), model)
}

/// All models with an id, those of the user first, each id once.
pub fn list(folders: &Folders) -> Vec<FoundModel> {
    list_in(folders, &folders::bundled_models())
}

fn resolve_in(folders: &Folders, bundled: &[PathBuf], model: &str) -> Result<FoundModel, ModelError> {
    if !model.contains('/')
        && let Some(found) = list_in(folders, bundled).into_iter().find(|found| found.id == model)
    {
        return Ok(found);
    }
    let path = Path::new(model);
    if let Some(bytes) = file_bytes(path) {
        let id = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        return Ok(FoundModel { id, path: path.to_owned(), origin: Origin::Path, bytes });
    }
    if model.contains('/') || has_model_extension(path) {
        return Err(ModelError::NoFile(path.to_owned()));
    }
    Err(ModelError::UnknownId { id: model.to_owned(), folder: folders.models() })
}

fn list_in(folders: &Folders, bundled: &[PathBuf]) -> Vec<FoundModel> {
    let mut found = models_below(&folders.models(), Origin::Data);
    for folder in bundled {
        for model in models_below(folder, Origin::Bundled) {
            if found.iter().all(|known| known.id != model.id) {
                found.push(model);
            }
        }
    }
    found
}

/// Models directly in `folder` (`ID.gguf`), or alone in a folder of their own (`ID/anything.gguf`), by id.
fn models_below(folder: &Path, origin: Origin) -> Vec<FoundModel> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            let inside: Vec<_> =
                entries(&path).into_iter().filter_map(|path| model_at(path, origin)).collect();
            // With several files the folder's name says nothing about which is meant; each has its own id then.
            match <[FoundModel; 1]>::try_from(inside) {
                Ok([mut only]) => {
                    only.id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    found.push(only);
                }
                Err(several) => found.extend(several),
            }
        } else {
            found.extend(model_at(path, origin));
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.path.cmp(&b.path)));
    found.dedup_by(|later, earlier| later.id == earlier.id);
    found
}

fn model_at(path: PathBuf, origin: Origin) -> Option<FoundModel> {
    if !has_model_extension(&path) {
        return None;
    }
    let id = path.file_stem()?.to_str()?.to_owned();
    let bytes = file_bytes(&path)?;
    Some(FoundModel { id, path, origin, bytes })
}

fn has_model_extension(path: &Path) -> bool {
    path.extension().is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

fn file_bytes(path: &Path) -> Option<u64> {
    path.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len())
}

/// Paths in a folder; a folder that is missing or cannot be read has none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        root: tempfile::TempDir,
        folders: Folders,
        bundled: Vec<PathBuf>,
    }

    fn place() -> Place {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().to_owned();
        let folders = Folders {
            data: base.join("data"),
            config: base.join("config"),
            state: base.join("state"),
            cache: base.join("cache"),
            runtime: base.join("run"),
        };
        let bundled = vec![base.join("share")];
        std::fs::create_dir_all(folders.models()).unwrap();
        std::fs::create_dir_all(&bundled[0]).unwrap();
        Place { root, folders, bundled }
    }

    #[test]
    fn starter_of_the_user_wins_over_the_bundled_one() {
        let p = place();
        std::fs::write(p.bundled[0].join("starter.gguf"), b"old").unwrap();
        assert_eq!(resolve_in(&p.folders, &p.bundled, STARTER).unwrap().origin, Origin::Bundled);
        std::fs::write(p.folders.models().join("starter.gguf"), b"newer").unwrap();
        let found = resolve_in(&p.folders, &p.bundled, STARTER).unwrap();
        assert_eq!((found.origin, found.bytes), (Origin::Data, 5));
    }

    #[test]
    fn a_folder_with_one_model_gives_it_its_name() {
        let p = place();
        let folder = p.folders.models().join("bitnet-2b");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("ggml-model-i2_s.gguf"), b"x").unwrap();
        std::fs::write(folder.join("README.md"), b"x").unwrap();
        assert_eq!(resolve_in(&p.folders, &p.bundled, "bitnet-2b").unwrap().id, "bitnet-2b");
        std::fs::write(folder.join("other.h1b"), b"x").unwrap();
        assert!(resolve_in(&p.folders, &p.bundled, "bitnet-2b").is_err());
        assert!(resolve_in(&p.folders, &p.bundled, "other").is_ok());
    }

    #[test]
    fn a_path_is_taken_as_it_is_and_a_missing_one_is_named() {
        let p = place();
        let file = p.root.path().join("anything.bin");
        std::fs::write(&file, b"x").unwrap();
        let found = resolve_in(&p.folders, &p.bundled, file.to_str().unwrap()).unwrap();
        assert_eq!((found.id.as_str(), found.origin), ("anything", Origin::Path));
        let missing = p.root.path().join("missing.gguf");
        let problem = resolve_in(&p.folders, &p.bundled, missing.to_str().unwrap()).unwrap_err();
        assert_eq!(problem, ModelError::NoFile(missing));
    }

    #[test]
    fn an_unknown_id_says_where_models_are_looked_for() {
        let p = place();
        let problem = resolve_in(&p.folders, &p.bundled, "nobody").unwrap_err().to_string();
        assert!(problem.contains("nobody") && problem.contains("models"), "{problem}");
    }

    #[test]
    fn an_id_cannot_leave_the_models_folder() {
        let p = place();
        std::fs::write(p.folders.data.join("secret.gguf"), b"x").unwrap();
        assert!(resolve_in(&p.folders, &p.bundled, "../secret").is_err());
    }
}
