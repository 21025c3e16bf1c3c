//! Why a model file was refused.

use std::io::ErrorKind;

/// A refused model file: which file, which field or tensor, expected and found, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The operating system could not open, stat or map the file.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: std::path::PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The bytes contradict the format.
    #[error("{path}: {field}: expected {expected}, found {found}")]
    Invalid {
        /// File.
        path: std::path::PathBuf,
        /// Field, key or tensor.
        field: String,
        /// What the format asks for.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// Well formed, but not something this engine runs.
    #[error("{path}: {field}: {found} is not supported; {next_step}")]
    Unsupported {
        /// File.
        path: std::path::PathBuf,
        /// Field, key or tensor.
        field: String,
        /// What the file has.
        found: String,
        /// What the user can do.
        next_step: String,
    },
    /// The file became shorter (or its disk failed) while it was mapped.
    #[error(
        "{path}: the file changed or became unreadable while it was open; check the disk and load it again"
    )]
    Cut {
        /// File.
        path: std::path::PathBuf,
    },
}

impl LoadError {
    /// What happened and what to do, in words that need no detail.
    pub fn summary(&self) -> String {
        match self {
            Self::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound => "there is no file at this place; it may have been moved or deleted".to_owned(),
                ErrorKind::PermissionDenied => {
                    "this program may not read the file; check its permissions".to_owned()
                }
                _ => source.to_string(),
            },
            Self::Invalid { .. } => {
                "the file contradicts its own format; it may be damaged or cut short, so fetch or convert it again"
                    .to_owned()
            }
            Self::Unsupported { found, next_step, .. } => format!("{found} is not supported; {next_step}"),
            Self::Cut { .. } => {
                "the file changed or became unreadable while it was open; check the disk and load it again".to_owned()
            }
        }
    }

    /// The file and, where it has them, field, expected and found, by name.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let (Self::Io { path, .. }
        | Self::Invalid { path, .. }
        | Self::Unsupported { path, .. }
        | Self::Cut { path }) = self;
        let mut details = vec![("file", path.display().to_string())];
        match self {
            Self::Invalid { field, expected, found, .. } => details.extend([
                ("field", field.clone()),
                ("expected", expected.clone()),
                ("found", found.clone()),
            ]),
            Self::Unsupported { field, .. } => details.push(("field", field.clone())),
            Self::Io { .. } | Self::Cut { .. } => {}
        }
        details
    }
}

/// The file that is being read, for its errors.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a std::path::Path,
}

impl Source<'_> {
    /// The bytes contradict the format.
    pub(super) fn invalid(
        self,
        field: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> LoadError {
        LoadError::Invalid {
            path: self.path.to_path_buf(),
            field: field.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Well formed, but not something this engine runs.
    pub(super) fn unsupported(
        self,
        field: impl std::fmt::Display,
        found: impl std::fmt::Display,
        next_step: impl std::fmt::Display,
    ) -> LoadError {
        LoadError::Unsupported {
            path: self.path.to_path_buf(),
            field: field.to_string(),
            found: found.to_string(),
            next_step: next_step.to_string(),
        }
    }
}

/// Text of a hostile file for a message or a listing: one line, at most `max` characters.
pub(super) fn shortened(text: &str, max: usize) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}
