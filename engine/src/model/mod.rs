//! Model files: containers (GGUF, .h1b) opened as one [`ModelFile`] with a typed [`Config`], tokenizer data and tensor views
//! over a memory map. A model file is hostile input: every count, length and offset is checked before use.
//! This module knows no lane and no forward pass.

mod config;
mod cursor;
mod error;
mod file;
mod gguf;
mod h1b;
pub mod inspect;
mod map;
mod tensor;
mod verify;
mod vocabulary;
pub mod write;

pub use config::{Config, Family, RopeConfig, RopePairing, RopeScaling};
pub use error::LoadError;
pub use file::{ModelFile, open, open_bytes};
pub use tensor::{TensorType, TensorView};
pub use vocabulary::TokenizerData;
