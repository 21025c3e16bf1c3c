//! Text to ids and back: byte-level BPE with the pre-tokenizers of the model families we run, special tokens as single ids,
//! chat templates, and bytes to whole characters. Text typed by a user can never become a special token in a chat.
//!
//! This module knows no model file format and no forward pass: it is built from plain [`TokenizerData`].

mod bytes;
mod chat;
mod merge;
mod specials;
mod split;
mod stream;
mod template;
mod vocab;

#[cfg(test)]
mod tests;

use crate::model::TokenizerData;

use merge::{Merges, Scratch};
use specials::{Part, SpecialFinder};
use split::Splitter;
use vocab::{Kind, Vocabulary};

pub use stream::TextStream;
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tokenizer: {field}: {problem}")]
pub struct TokenizerError {
    /// Which part of the data.
    pub field: String,
    /// What is wrong, and what is known.
    pub problem: String,
}

/// Why a text could not be encoded: it has a part without any place to cut that is too long to merge in bounded memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the text has {piece_bytes} bytes without a break between words; at most {} are possible: split it up",
    merge::MAX_PIECE_BYTES
)]
pub struct EncodeError {
    /// Length of the part.
    pub piece_bytes: usize,
}

/// Byte-level BPE.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    merges: Merges,
    splitter: Splitter,
    specials: SpecialFinder,
    bos: Option<u32>,
    add_bos: bool,
}

impl Tokenizer {
    /// Builds and checks a tokenizer.
    ///
    /// Merge rules that name a token outside the vocabulary are left out; of two tokens with the same text the first is used.
    ///
    /// # Errors
    /// An unknown pre-tokenizer is named; so is an id out of range.
    pub fn new(data: &TokenizerData) -> Result<Self, TokenizerError> {
        let fail = |field: &str, problem| TokenizerError { field: field.to_owned(), problem };
        let splitter = Splitter::named(&data.pre).ok_or_else(|| {
            let known = Splitter::known_names();
            fail("pre", format!("the pre-tokenizer {:?} is unknown; known are {known}", data.pre))
        })?;
        let vocabulary = Vocabulary::new(data)?;
        if data.add_bos && data.bos.is_none() {
            return Err(fail("bos", "prompts start with BOS, but the file names no such id".to_owned()));
        }
        let merges = Merges::new(&data.merges, &vocabulary, splitter.ignores_merges());
        let specials = SpecialFinder::new(vocabulary.specials().map(|(text, id, _)| (text, id)))?;
        Ok(Self { vocabulary, merges, splitter, specials, bos: data.bos, add_bos: data.add_bos })
    }

    /// Ids of `text`, with BOS in front when `add_bos` and the model asks for one.
    ///
    /// A byte for which the vocabulary has no token is left out, as in llama.cpp and Hugging Face's `tokenizers`
    /// (SmolLM2 has none for some control characters).
    ///
    /// # Errors
    /// A part of the text without any place to cut is longer than 4 MiB.
    pub fn encode(&self, text: &str, specials: Specials, add_bos: bool) -> Result<Vec<u32>, EncodeError> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        if add_bos && self.add_bos {
            ids.extend(self.bos);
        }
        let mut scratch = Scratch::default();
        match specials {
            Specials::Literal => self.encode_plain(text, &mut scratch, &mut ids)?,
            Specials::Parse => {
                for part in self.specials.parts(text) {
                    match part {
                        Part::Plain(plain) => self.encode_plain(plain, &mut scratch, &mut ids)?,
                        Part::Special(id) => ids.push(id),
                    }
                }
            }
        }
        Ok(ids)
    }

    /// Appends the ids of a text in which nothing is special.
    fn encode_plain(&self, text: &str, scratch: &mut Scratch, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        self.splitter
            .pieces(text, |piece| self.merges.encode_piece(piece.as_bytes(), &self.vocabulary, scratch, ids))
    }

    /// Raw bytes of a token (specials give their text); empty for an unknown id.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.vocabulary.token_bytes(id)
    }

    /// Whether generation ends at this id (EOS, EOT, end-of-message).
    pub fn ends_generation(&self, id: u32) -> bool {
        self.vocabulary.ends_generation(id)
    }

    /// Whether the id is a control token, which is not part of the visible text.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocabulary.kind(id) == Some(Kind::Control)
    }

    /// Begin-of-text id.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Number of ids.
    pub fn vocab(&self) -> usize {
        self.vocabulary.len()
    }

    /// Text of ids in one go (controls left out), invalid UTF-8 replaced.
    pub fn decode(&self, ids: &[u32]) -> String {
        let visible = ids.iter().filter(|&&id| !self.is_control(id));
        let bytes: Vec<u8> = visible.flat_map(|&id| self.token_bytes(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
