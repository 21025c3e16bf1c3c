//! An opened model file: checked contents plus the bytes they lie in.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::config::Config;
use super::error::{LoadError, Source};
use super::map::Map;
use super::tensor::{TensorType, TensorView};
use super::vocabulary::TokenizerData;
use super::{gguf, h1b};

/// What a container reader found. Ranges were checked against the file.
pub(super) struct Contents {
    pub(super) container: String,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) config: Config,
    pub(super) tokenizer: TokenizerData,
    pub(super) tensors: Vec<TensorEntry>,
}

/// A tensor by its place in the file.
pub(super) struct TensorEntry {
    pub(super) name: String,
    pub(super) ty: TensorType,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Range<usize>,
    pub(super) scales: Range<usize>,
}

enum Bytes {
    Mapped(Map),
    Owned(Vec<u8>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map.bytes(),
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// An opened model: typed configuration plus views of its tensors in the memory map.
///
/// Tensor names are those of GGUF (`blk.0.attn_q.weight`) whatever the container.
pub struct ModelFile {
    path: PathBuf,
    bytes: Bytes,
    contents: Contents,
    by_name: HashMap<String, usize>,
}

/// Opens and checks a model file (GGUF v2/v3 or .h1b with its .htok beside it).
///
/// # Errors
/// [`LoadError`] names the file, the field or tensor, what was expected and what was found.
pub fn open(path: &Path) -> Result<ModelFile, LoadError> {
    let map = Map::open(path).map_err(|source| LoadError::Io { path: path.to_path_buf(), source })?;
    let read = read_contents(path, map.bytes(), None);
    if !map.is_intact() {
        return Err(LoadError::Cut { path: path.to_path_buf() });
    }
    Ok(ModelFile::new(path, Bytes::Mapped(map), read?))
}

/// Checks a model file that is in memory already; `htok` is the sidecar of a .h1b. Used by tests and fuzzing, and the only way in that
/// touches no file.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(path: &Path, bytes: Vec<u8>, htok: Option<&[u8]>) -> Result<ModelFile, LoadError> {
    let contents = read_contents(path, &bytes, Some(htok))?;
    Ok(ModelFile::new(path, Bytes::Owned(bytes), contents))
}

/// `htok`: `None` to look for the sidecar beside the file, `Some` to use the given bytes or their absence.
fn read_contents(path: &Path, bytes: &[u8], htok: Option<Option<&[u8]>>) -> Result<Contents, LoadError> {
    let source = Source { path };
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    if bytes.starts_with(&gguf::MAGIC) {
        gguf::read(source, bytes, &stem)
    } else if bytes.starts_with(&h1b::MAGIC) {
        h1b::read(source, bytes, &stem, htok)
    } else {
        let start = &bytes[..bytes.len().min(4)];
        Err(source.invalid(
            "first bytes",
            "`GGUF` or `H1B`",
            format_args!("{start:02x?}; this is no model file"),
        ))
    }
}

impl ModelFile {
    fn new(path: &Path, bytes: Bytes, contents: Contents) -> Self {
        let by_name = contents.tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        Self { path: path.to_path_buf(), bytes, contents, by_name }
    }

    /// Typed configuration.
    pub fn config(&self) -> &Config {
        &self.contents.config
    }

    /// Path this file was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A tensor by its GGUF name.
    ///
    /// # Errors
    /// `LoadError` naming the missing tensor.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, LoadError> {
        self.tensor_if_present(name)
            .ok_or_else(|| Source { path: &self.path }.invalid(name, "the tensor", "no such tensor"))
    }

    /// A tensor that may be absent (`output.weight` of a tied model, `rope_freqs.weight`, ...).
    pub fn tensor_if_present(&self, name: &str) -> Option<TensorView<'_>> {
        self.by_name.get(name).map(|&i| self.view(&self.contents.tensors[i]))
    }

    /// All tensors in file order.
    pub fn tensors(&self) -> Box<dyn Iterator<Item = TensorView<'_>> + '_> {
        Box::new(self.contents.tensors.iter().map(|entry| self.view(entry)))
    }

    fn view<'a>(&'a self, entry: &'a TensorEntry) -> TensorView<'a> {
        let bytes = self.bytes.get();
        TensorView {
            name: &entry.name,
            ty: entry.ty,
            rows: entry.rows,
            cols: entry.cols,
            data: &bytes[entry.data.clone()],
            scales: &bytes[entry.scales.clone()],
        }
    }

    /// What the file says about its tokenizer.
    pub fn tokenizer(&self) -> &TokenizerData {
        &self.contents.tokenizer
    }

    /// Tells the system that `bytes` of the file, from a row of a tensor on, will be read soon.
    pub fn read_ahead(&self, tensor: &TensorView<'_>, row: usize, bytes: u64) {
        if let (Bytes::Mapped(map), Some(entry)) = (&self.bytes, self.entry(tensor.name)) {
            let row_bytes = entry.data.len() / entry.rows.max(1);
            map.read_ahead(entry.data.start + row * row_bytes, usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }

    /// Gives back the memory that the bytes of a tensor take in this process. They can still be read.
    pub fn release(&self, tensor: &TensorView<'_>) {
        if let (Bytes::Mapped(map), Some(entry)) = (&self.bytes, self.entry(tensor.name)) {
            map.release(entry.data.start, entry.data.len());
        }
    }

    fn entry(&self, name: &str) -> Option<&TensorEntry> {
        self.by_name.get(name).map(|&i| &self.contents.tensors[i])
    }

    /// `Err` when the file was cut short, changed or became unreadable while mapped (its missing pages read as zeros since then).
    /// Call after reading tensor data; it costs one `fstat`.
    ///
    /// # Errors
    /// `LoadError` naming the file.
    pub fn check_map(&self) -> Result<(), LoadError> {
        match &self.bytes {
            Bytes::Mapped(map) if !map.is_intact() => Err(LoadError::Cut { path: self.path.clone() }),
            _ => Ok(()),
        }
    }

    /// Name, metadata and container details for `onebit inspect`: ordered key/value pairs, long arrays shortened.
    pub fn metadata(&self) -> Vec<(String, String)> {
        self.contents.metadata.clone()
    }

    /// Container and version, e.g. `GGUF v3` or `.h1b v2`.
    pub fn container(&self) -> String {
        self.contents.container.clone()
    }

    /// Size of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.get().len() as u64
    }
}
