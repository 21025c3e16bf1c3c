//! The .h1b container.

use super::error::{LoadError, Source};
use super::file::Contents;

/// First bytes of a file; readers compare three.
pub(super) const MAGIC: [u8; 3] = *b"H1B";

pub(super) fn read(
    source: Source<'_>,
    bytes: &[u8],
    stem: &str,
    htok: Option<Option<&[u8]>>,
) -> Result<Contents, LoadError> {
    let _ = (bytes, stem, htok);
    Err(source.unsupported("container", ".h1b", "wait for the next build"))
}
