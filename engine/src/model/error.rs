//! Why a model file was refused.

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
