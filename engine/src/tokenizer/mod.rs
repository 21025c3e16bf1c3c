//! Text to ids and back. Specials are single ids; text typed by a user can never become one.

mod template;

use crate::model::TokenizerData;

pub use template::{ChatTemplate, Message, Role, TemplateError};

/// Whether special tokens written out in a text are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Specials {
    /// `<|im_end|>` becomes one id: `tokenize` and `complete`.
    Parse,
    /// Everything is plain text.
    Literal,
}

/// Why a tokenizer could not be built.
#[derive(Debug, thiserror::Error)]
#[error("tokenizer: {field}: {problem}")]
pub struct TokenizerError {
    /// Which part of the data.
    pub field: String,
    /// What is wrong, and what is known.
    pub problem: String,
}

/// Byte-level BPE.
pub struct Tokenizer {}

impl Tokenizer {
    /// Builds and checks a tokenizer.
    ///
    /// # Errors
    /// An unknown pre-tokenizer is named; so is a merge or id out of range.
    pub fn new(data: &TokenizerData) -> Result<Self, TokenizerError> {
        let _ = data;
        todo!()
    }

    /// Ids of `text`, with BOS in front when `add_bos` and the model asks for one.
    pub fn encode(&self, text: &str, specials: Specials, add_bos: bool) -> Vec<u32> {
        let _ = (text, specials, add_bos);
        todo!()
    }

    /// Ids of a rendered chat: markup of the template is parsed for specials, message contents never are.
    ///
    /// # Errors
    /// The template failed, or asks for something it may not do.
    pub fn encode_chat(
        &self,
        template: &ChatTemplate,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>, TemplateError> {
        let _ = (template, messages, add_generation_prompt);
        todo!()
    }

    /// Raw bytes of a token (specials give their text); empty for an unknown id.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        let _ = id;
        todo!()
    }

    /// Whether generation ends at this id (EOS, EOT, end-of-message).
    pub fn ends_generation(&self, id: u32) -> bool {
        let _ = id;
        todo!()
    }

    /// Whether the id is a control token, which is not part of the visible text.
    pub fn is_control(&self, id: u32) -> bool {
        let _ = id;
        todo!()
    }

    /// Begin-of-text id.
    pub fn bos(&self) -> Option<u32> {
        todo!()
    }

    /// Number of ids.
    pub fn vocab(&self) -> usize {
        todo!()
    }

    /// Text of ids in one go (controls left out), invalid UTF-8 replaced.
    pub fn decode(&self, ids: &[u32]) -> String {
        let _ = ids;
        todo!()
    }
}

/// Bytes in, whole characters out: never splits a character over two calls.
#[derive(Debug, Default)]
pub struct TextStream {
    pending: Vec<u8>,
}

impl TextStream {
    /// Adds bytes and returns the text that is complete now. Invalid bytes become U+FFFD once they cannot be completed.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let _ = bytes;
        todo!()
    }

    /// What is left at the end, invalid bytes replaced.
    pub fn finish(&mut self) -> String {
        todo!()
    }
}
