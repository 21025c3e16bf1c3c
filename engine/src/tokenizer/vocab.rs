//! The vocabulary: which bytes each id stands for, which ids are markup, and the way back from bytes to ids.
//!
//! Ordinary tokens are found by their bytes. Control and user-defined tokens are not: they are reached through their text only,
//! by `specials`, so no sequence of merges can produce one.

use std::collections::HashMap;

use super::TokenizerError;
use super::bytes::push_bytes;
use crate::model::TokenizerData;

/// What an id is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A sequence of bytes of text.
    Text,
    /// Markup: never part of the visible text.
    Control,
    /// Matched as a whole like markup, but visible (`<think>`).
    UserDefined,
    /// An id without a text.
    Placeholder,
}

/// GGUF `tokenizer.ggml.token_type` values that matter here.
const TYPE_UNKNOWN: i32 = 2;
const TYPE_CONTROL: i32 = 3;
const TYPE_USER_DEFINED: i32 = 4;

/// Texts that end an answer in the model families we know; control tokens whatever type the file gives them.
const ENDS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_turn>",
];

/// Llama 3 specials, whose texts .htok files may leave blank (formats.md 3.4).
const LLAMA3_VOCAB: usize = 128_256;
const LLAMA3_SPECIALS: &[(usize, &str)] = &[
    (128_000, "<|begin_of_text|>"),
    (128_001, "<|end_of_text|>"),
    (128_006, "<|start_header_id|>"),
    (128_007, "<|end_header_id|>"),
    (128_008, "<|eom_id|>"),
    (128_009, "<|eot_id|>"),
    (128_010, "<|python_tag|>"),
];

/// Ids, their bytes and their kinds.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// Bytes of all tokens, one after the other.
    bytes: Vec<u8>,
    /// Where each token ends in `bytes`.
    ends: Vec<usize>,
    kinds: Vec<Kind>,
    by_bytes: HashMap<Box<[u8]>, u32>,
    byte_ids: [Option<u32>; 256],
    end_ids: Vec<u32>,
}

impl Vocabulary {
    /// Checks and indexes the tokens of a file.
    ///
    /// # Errors
    /// Too many tokens, types that do not cover them, or a special id out of range.
    pub(super) fn new(data: &TokenizerData) -> Result<Self, TokenizerError> {
        check_counts(data)?;
        let count = data.tokens.len();
        let mut new = Self {
            bytes: Vec::with_capacity(data.tokens.iter().map(String::len).sum()),
            ends: Vec::with_capacity(count),
            kinds: Vec::with_capacity(count),
            by_bytes: HashMap::with_capacity(count),
            byte_ids: [None; 256],
            end_ids: data.eos.into_iter().chain(data.eot).collect(),
        };
        for id in 0..count as u32 {
            let text = text(data, id);
            let kind = kind_of(text, data.token_types.get(id as usize).copied());
            new.add(id, text, kind);
        }
        for (byte, slot) in (0u8..=255).zip(&mut new.byte_ids) {
            *slot = new.by_bytes.get([byte].as_slice()).copied();
        }
        Ok(new)
    }

    fn add(&mut self, id: u32, text: &str, kind: Kind) {
        let start = self.bytes.len();
        match kind {
            Kind::Text => push_bytes(text, &mut self.bytes),
            // Added tokens are written as they are, not byte-mapped.
            Kind::Control | Kind::UserDefined | Kind::Placeholder => {
                self.bytes.extend_from_slice(text.as_bytes());
            }
        }
        self.ends.push(self.bytes.len());
        self.kinds.push(kind);
        if kind == Kind::Text {
            self.by_bytes.entry(self.bytes[start..].into()).or_insert(id);
        }
        if kind == Kind::Control && ENDS.contains(&text) {
            self.end_ids.push(id);
        }
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The ordinary token with exactly these bytes.
    pub(super) fn id(&self, bytes: &[u8]) -> Option<u32> {
        self.by_bytes.get(bytes).copied()
    }

    /// The ordinary token of one byte.
    pub(super) fn byte_id(&self, byte: u8) -> Option<u32> {
        self.byte_ids[usize::from(byte)]
    }

    /// Bytes of an id; empty for an unknown one.
    pub(super) fn token_bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..end]
    }

    /// Kind of an id; `None` for an unknown one.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        self.kinds.get(id as usize).copied()
    }

    /// Whether generation ends at this id.
    pub(super) fn ends_generation(&self, id: u32) -> bool {
        self.end_ids.contains(&id)
    }

    /// Text and id of every control and user-defined token that has a text.
    pub(super) fn specials(&self) -> impl Iterator<Item = (&str, u32, Kind)> {
        (0..self.len() as u32).filter_map(|id| {
            let kind = self.kinds[id as usize];
            let text = str::from_utf8(self.token_bytes(id)).ok()?;
            (matches!(kind, Kind::Control | Kind::UserDefined) && !text.is_empty())
                .then_some((text, id, kind))
        })
    }
}

fn check_counts(data: &TokenizerData) -> Result<(), TokenizerError> {
    let count = data.tokens.len();
    let fail = |field: &str, problem: String| Err(TokenizerError { field: field.to_owned(), problem });
    if count == 0 {
        return fail("tokens", "the file has no vocabulary".to_owned());
    }
    // Two values of u32 are not ids: `merge` marks symbols without a token with the last one.
    if count >= u32::MAX as usize {
        return fail("tokens", format!("{count} tokens, but ids have 32 bits"));
    }
    if !data.token_types.is_empty() && data.token_types.len() != count {
        let found = data.token_types.len();
        return fail("token_type", format!("{found} types for {count} tokens"));
    }
    if data.merges.len() >= u32::MAX as usize {
        return fail("merges", format!("{} rules, but ranks have 32 bits", data.merges.len()));
    }
    for (field, id) in [("bos", data.bos), ("eos", data.eos), ("eot", data.eot)] {
        if let Some(id) = id.filter(|&id| id as usize >= count) {
            return fail(field, format!("id {id} is outside the vocabulary of {count} tokens"));
        }
    }
    Ok(())
}

fn kind_of(text: &str, token_type: Option<i32>) -> Kind {
    let looks_special = text.len() > 4 && text.starts_with("<|") && text.ends_with("|>");
    match token_type {
        _ if text.is_empty() => Kind::Placeholder,
        _ if ENDS.contains(&text) => Kind::Control,
        Some(TYPE_CONTROL | TYPE_UNKNOWN) => Kind::Control,
        Some(TYPE_USER_DEFINED) => Kind::UserDefined,
        None if looks_special => Kind::Control,
        _ => Kind::Text,
    }
}

/// Text of a token as the file writes it, or as we know it; empty for a placeholder and an unknown id.
pub(super) fn text(data: &TokenizerData, id: u32) -> &str {
    let id = id as usize;
    match data.tokens.get(id).map(String::as_str) {
        Some("") => text_of_blank(id, data),
        text => text.unwrap_or(""),
    }
}

/// Text of a token that the file leaves blank: known for Llama 3 vocabularies without token types (.htok).
fn text_of_blank(id: usize, data: &TokenizerData) -> &'static str {
    let is_llama3 = data.token_types.is_empty() && data.tokens.len() == LLAMA3_VOCAB;
    let known = LLAMA3_SPECIALS.iter().find(|(known, _)| is_llama3 && *known == id);
    known.map_or("", |(_, text)| *text)
}
