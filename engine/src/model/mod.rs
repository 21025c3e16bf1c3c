//! Model files: containers (GGUF, .h1b) opened as one [`ModelFile`] with a typed [`Config`], tokenizer data and tensor views
//! over a memory map. A model file is hostile input: every count, length and offset is checked before use.
//! This module knows no lane and no forward pass.

mod config;
mod error;
mod tensor;

use std::path::Path;

pub use config::{Config, Family, RopeConfig, RopePairing, RopeScaling};
pub use error::LoadError;
pub use tensor::{TensorType, TensorView};

/// An opened model: typed configuration plus views of its tensors in the memory map.
///
/// Tensor names are those of GGUF (`blk.0.attn_q.weight`) whatever the container.
pub struct ModelFile {
    config: Config,
}

/// Opens and checks a model file (GGUF v2/v3 or .h1b with its .htok beside it).
///
/// # Errors
/// [`LoadError`] names the file, the field or tensor, what was expected and what was found.
pub fn open(path: &Path) -> Result<ModelFile, LoadError> {
    let _ = path;
    todo!()
}

/// What the file says about its tokenizer: plain data, turned into a `tokenizer::Tokenizer` by that module.
#[derive(Debug, Clone, Default)]
pub struct TokenizerData {
    /// Token texts in GPT-2 byte-mapped form, index = id.
    pub tokens: Vec<String>,
    /// GGUF token types (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte); empty when the file has none.
    pub token_types: Vec<i32>,
    /// Merge rules in rank order, as pairs of token texts.
    pub merges: Vec<(String, String)>,
    /// Name of the pre-tokenizer (`llama-bpe`, `smollm`, `gpt2`, `qwen2`).
    pub pre: String,
    /// Begin-of-text id, if the file names one.
    pub bos: Option<u32>,
    /// End-of-text id, if the file names one.
    pub eos: Option<u32>,
    /// End-of-turn id, if the file names one.
    pub eot: Option<u32>,
    /// Whether a prompt starts with BOS.
    pub add_bos: bool,
    /// Jinja chat template, if the file carries one.
    pub chat_template: Option<String>,
}

impl ModelFile {
    /// Typed configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Path this file was opened from.
    pub fn path(&self) -> &Path {
        todo!()
    }

    /// A tensor by its GGUF name.
    ///
    /// # Errors
    /// `LoadError` naming the missing tensor.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, LoadError> {
        let _ = name;
        todo!()
    }

    /// A tensor that may be absent (`output.weight` of a tied model, `rope_freqs.weight`, ...).
    pub fn tensor_if_present(&self, name: &str) -> Option<TensorView<'_>> {
        let _ = name;
        todo!()
    }

    /// All tensors in file order.
    pub fn tensors(&self) -> Box<dyn Iterator<Item = TensorView<'_>> + '_> {
        todo!()
    }

    /// What the file says about its tokenizer.
    pub fn tokenizer(&self) -> &TokenizerData {
        todo!()
    }

    /// `Err` when the file was cut short or became unreadable while mapped (its missing pages read as zeros since then).
    /// Call after reading tensor data; see `model::map`.
    ///
    /// # Errors
    /// `LoadError` naming the file.
    pub fn check_map(&self) -> Result<(), LoadError> {
        todo!()
    }

    /// Name, metadata and container details for `onebit inspect`: ordered key/value pairs, long arrays shortened.
    pub fn metadata(&self) -> Vec<(String, String)> {
        todo!()
    }

    /// Container and version, e.g. `GGUF v3` or `.h1b v2`.
    pub fn container(&self) -> String {
        todo!()
    }

    /// Size of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        todo!()
    }
}
