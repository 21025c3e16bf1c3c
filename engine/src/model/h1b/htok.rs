//! The .htok tokenizer file.
//!
//! ```text
//! "HTOK" | u32: tokens merges bos eos | tokens x { u16 length, UTF-8 } | merges x { u32 left, u32 right, u32 merged }
//! ```
//! Token texts are GPT-2 byte-mapped, index = id, rank of a merge = its position. Empty texts are placeholders. The format
//! stores no token types: texts like `<|eot_id|>` are control tokens, placeholders are unused.

use super::HTOK_MAGIC;
use crate::model::cursor::Cursor;
use crate::model::error::{LoadError, Source, shortened};
use crate::model::vocabulary::TokenizerData;

const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

/// Size of Llama 3's vocabulary, whose specials exporters leave blank.
const LLAMA3_VOCAB: usize = 128_256;
const LLAMA3_SPECIALS: [(usize, &str); 7] = [
    (128_000, "<|begin_of_text|>"),
    (128_001, "<|end_of_text|>"),
    (128_006, "<|start_header_id|>"),
    (128_007, "<|end_header_id|>"),
    (128_008, "<|eom_id|>"),
    (128_009, "<|eot_id|>"),
    (128_010, "<|python_tag|>"),
];

/// Reads the tokenizer of a model with `vocab` ids.
pub(super) fn read(source: Source<'_>, bytes: &[u8], vocab: u32) -> Result<TokenizerData, LoadError> {
    let mut cursor = Cursor::new(source, bytes);
    let magic = cursor.take(4, format_args!("magic"))?;
    if magic != HTOK_MAGIC {
        return Err(source.invalid("magic", "`HTOK`", format_args!("{magic:02x?}")));
    }
    let n_tokens = cursor.u32(format_args!("token count"))?;
    if n_tokens != vocab {
        let expected = format!("{vocab}, the vocabulary of the model");
        return Err(source.invalid(
            "token count",
            expected,
            format_args!("{n_tokens}; this is another model's file"),
        ));
    }
    let n_merges = cursor.u32(format_args!("merge count"))?;
    let (bos, eos) = (cursor.u32(format_args!("bos id"))?, cursor.u32(format_args!("eos id"))?);
    let mut tokens = read_tokens(&mut cursor, n_tokens)?;
    let merges = read_merges(&mut cursor, n_merges, &tokens)?;
    if cursor.left() > 0 {
        return Err(source.invalid("length of the file", cursor.at(), bytes.len()));
    }
    name_llama3_specials(&mut tokens);
    let token_types = tokens.iter().map(|text| token_type(text)).collect();
    let bos = special_id(source, "bos id", bos, &tokens)?;
    Ok(TokenizerData {
        token_types,
        merges,
        pre: "llama-bpe".to_owned(),
        bos,
        eos: special_id(source, "eos id", eos, &tokens)?,
        eot: tokens.iter().position(|text| text == "<|eot_id|>").map(|id| id as u32),
        add_bos: bos.is_some(),
        chat_template: None,
        tokens,
    })
}

fn read_tokens(cursor: &mut Cursor<'_>, count: u32) -> Result<Vec<String>, LoadError> {
    let count = cursor.check_count(count.into(), 2, format_args!("token count"))?;
    let mut tokens = Vec::with_capacity(count);
    for id in 0..count {
        let length = cursor.u16(format_args!("token {id}: length"))?;
        let text = cursor.take(length.into(), format_args!("token {id}"))?;
        let text = std::str::from_utf8(text).map_err(|_| {
            let found = format!("`{}`", shortened(&String::from_utf8_lossy(text), 40));
            cursor.source().invalid(format_args!("token {id}"), "UTF-8 text", found)
        })?;
        tokens.push(text.to_owned());
    }
    Ok(tokens)
}

fn read_merges(
    cursor: &mut Cursor<'_>,
    count: u32,
    tokens: &[String],
) -> Result<Vec<(String, String)>, LoadError> {
    let count = cursor.check_count(count.into(), 12, format_args!("merge count"))?;
    let mut merges = Vec::with_capacity(count);
    for rank in 0..count {
        let mut text = |side: &str| {
            let field = format_args!("merge {rank}: {side} id");
            let id = cursor.u32(field)?;
            let text = tokens.get(id as usize).filter(|text| !text.is_empty());
            text.ok_or_else(|| cursor.source().invalid(field, "the id of a token with a text", id))
        };
        let (left, right, merged) = (text("left")?, text("right")?, text("merged")?);
        if merged.strip_prefix(left.as_str()) != Some(right) {
            let expected = format!("a token `{}`", shortened(&format!("{left}{right}"), 40));
            let found = format!("`{}`", shortened(merged, 40));
            return Err(cursor.source().invalid(format_args!("merge {rank}"), expected, found));
        }
        merges.push((left.clone(), right.clone()));
    }
    Ok(merges)
}

fn name_llama3_specials(tokens: &mut [String]) {
    if tokens.len() == LLAMA3_VOCAB {
        for (id, name) in LLAMA3_SPECIALS {
            if tokens[id].is_empty() {
                tokens[id] = name.to_owned();
            }
        }
    }
}

fn token_type(text: &str) -> i32 {
    if text.is_empty() {
        UNUSED
    } else if is_special(text) {
        CONTROL
    } else {
        NORMAL
    }
}

fn is_special(text: &str) -> bool {
    text.len() > 4 && text.starts_with("<|") && text.ends_with("|>") || matches!(text, "<s>" | "</s>")
}

/// A special id of the header. Exporters write 0 for an unknown one, so 0 counts only when that token is a special.
fn special_id(source: Source<'_>, field: &str, id: u32, tokens: &[String]) -> Result<Option<u32>, LoadError> {
    match tokens.get(id as usize) {
        None => Err(source.invalid(field, format_args!("an id below {}", tokens.len()), id)),
        Some(text) if id == 0 && !is_special(text) => Ok(None),
        Some(_) => Ok(Some(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const SOURCE: fn() -> Source<'static> = || Source { path: Path::new("tiny.htok") };

    fn tiny() -> Vec<u8> {
        let mut bytes = b"HTOK".to_vec();
        for v in [4u32, 1, 0, 0] {
            bytes.extend(v.to_le_bytes());
        }
        for text in ["a", "b", "Ġ", "ab"] {
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        for id in [0u32, 1, 3] {
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn tiny_file_of_46_bytes_reads() {
        let bytes = tiny();
        assert_eq!(bytes.len(), 46);
        let data = read(SOURCE(), &bytes, 4).expect("valid");
        assert_eq!(data.tokens, ["a", "b", "Ġ", "ab"]);
        assert_eq!(data.merges, [("a".to_owned(), "b".to_owned())]);
        assert_eq!((data.bos, data.eos, data.eot, data.add_bos), (None, None, None, false));
        assert_eq!(data.pre, "llama-bpe");
    }

    #[test]
    fn every_shorter_or_longer_file_is_refused() {
        let mut bytes = tiny();
        for length in 0..bytes.len() {
            assert!(read(SOURCE(), &bytes[..length], 4).is_err(), "length {length}");
        }
        bytes.push(0);
        assert!(read(SOURCE(), &bytes, 4).is_err());
    }

    #[test]
    fn wrong_vocabulary_merge_or_id_is_refused_by_name() {
        let refusal = |bytes: &[u8], vocab| read(SOURCE(), bytes, vocab).expect_err("refused").to_string();
        assert!(refusal(&tiny(), 5).contains("token count"));
        let mut merge = tiny();
        merge[42] = 2;
        assert!(refusal(&merge, 4).contains("merge 0"));
        merge[42] = 9;
        assert!(refusal(&merge, 4).contains("merged id"));
        let mut eos = tiny();
        eos[16] = 4;
        assert!(refusal(&eos, 4).contains("eos id"));
    }
}
