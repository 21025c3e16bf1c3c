//! Tokenizer metadata of a GGUF to [`TokenizerData`].

use std::collections::HashSet;

use super::metadata::Metadata;
use super::value::{Array, Value};
use crate::model::error::{LoadError, Source, shortened};
use crate::model::vocabulary::TokenizerData;

const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const EOT: &str = "tokenizer.ggml.eot_token_id";

/// Reads the tokenizer. A file without one (synthetic geometry) gives empty data, which `tokenizer::Tokenizer::new` refuses.
pub(super) fn tokenizer_data(metadata: &Metadata<'_>) -> Result<TokenizerData, LoadError> {
    let source = metadata.source();
    let model = metadata.str("tokenizer.ggml.model")?;
    match model {
        Some("gpt2") => {}
        None | Some("no_vocab" | "none") if metadata.get(TOKENS).is_none() => {
            return Ok(TokenizerData::default());
        }
        other => {
            let found = format!("tokenizer `{}`", shortened(other.unwrap_or("(not named)"), 40));
            let next_step =
                "this engine reads byte-level BPE (`gpt2`); ask for a model with such a tokenizer";
            return Err(source.unsupported("tokenizer.ggml.model", found, next_step));
        }
    }
    let Some(tokens) = metadata.array(TOKENS)? else {
        return Err(source.invalid(TOKENS, "the key", "no such key"));
    };
    let tokens: Vec<String> = texts(source, TOKENS, tokens)?.into_iter().map(str::to_owned).collect();
    let merges = match metadata.array(MERGES)? {
        Some(merges) => split_merges(source, &texts(source, MERGES, merges)?, &tokens)?,
        None => return Err(source.invalid(MERGES, "the key", "no such key")),
    };
    let pre = metadata.str("tokenizer.ggml.pre")?.unwrap_or("default").to_owned();
    Ok(TokenizerData {
        token_types: token_types(metadata, tokens.len())?,
        merges,
        bos: id(metadata, BOS)?,
        eos: id(metadata, EOS)?,
        eot: id(metadata, EOT)?,
        // Llama-3's pre-tokenizer implies a BOS where the file says nothing.
        add_bos: metadata.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(pre == "llama-bpe"),
        chat_template: metadata.str("tokenizer.chat_template")?.map(str::to_owned),
        pre,
        tokens,
    })
}

/// Special ids must be rows of the embedding.
pub(super) fn check_ids(
    source: Source<'_>,
    tokenizer: &TokenizerData,
    vocab: usize,
) -> Result<(), LoadError> {
    for (key, id) in [(BOS, tokenizer.bos), (EOS, tokenizer.eos), (EOT, tokenizer.eot)] {
        if let Some(id) = id.filter(|&id| id as usize >= vocab) {
            return Err(source.invalid(key, format_args!("an id below {vocab}"), id));
        }
    }
    if tokenizer.add_bos && tokenizer.bos.is_none() {
        return Err(source.invalid(BOS, "an id, since prompts start with BOS", "no such key"));
    }
    Ok(())
}

fn texts<'a>(source: Source<'_>, key: &'a str, array: &Array<'a>) -> Result<Vec<&'a str>, LoadError> {
    let mut texts = Vec::with_capacity(array.len());
    for (i, element) in array.iter(key).enumerate() {
        match element? {
            Value::Str(text) => texts.push(text),
            other => return Err(source.invalid(format_args!("{key}[{i}]"), "a text", other.describe())),
        }
    }
    Ok(texts)
}

fn token_types(metadata: &Metadata<'_>, n_tokens: usize) -> Result<Vec<i32>, LoadError> {
    let source = metadata.source();
    let Some(array) = metadata.array(TOKEN_TYPES)? else { return Ok(Vec::new()) };
    if array.len() != n_tokens {
        return Err(source.invalid(TOKEN_TYPES, format_args!("{n_tokens}, one a token"), array.len()));
    }
    let mut types = Vec::with_capacity(array.len());
    for (i, element) in array.iter(TOKEN_TYPES).enumerate() {
        let ty = match element? {
            Value::Int(v) => i32::try_from(v).ok(),
            Value::Uint(v) => i32::try_from(v).ok(),
            _ => None,
        };
        types.push(ty.filter(|ty| (1..=6).contains(ty)).ok_or_else(|| {
            source.invalid(format_args!("{TOKEN_TYPES}[{i}]"), "a token type from 1 to 6", "another value")
        })?);
    }
    Ok(types)
}

fn id(metadata: &Metadata<'_>, key: &str) -> Result<Option<u32>, LoadError> {
    match metadata.uint(key)? {
        None => Ok(None),
        Some(id) => match u32::try_from(id) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(metadata.source().invalid(key, "a 32-bit id", id)),
        },
    }
}

/// Splits `"A B"` at the space that leaves two tokens. Byte-level tokens hold no spaces, so one space is the rule; with
/// several, the only split into known tokens whose join is known too is taken.
fn split_merges(
    source: Source<'_>,
    merges: &[&str],
    tokens: &[String],
) -> Result<Vec<(String, String)>, LoadError> {
    let mut known: Option<HashSet<&str>> = None;
    let mut pairs = Vec::with_capacity(merges.len());
    for (i, merge) in merges.iter().enumerate() {
        let mut splits = merge
            .match_indices(' ')
            .map(|(at, _)| (&merge[..at], &merge[at + 1..]))
            .filter(|(left, right)| !left.is_empty() && !right.is_empty());
        let (first, second) = (splits.next(), splits.next());
        let pair = match (first, second) {
            (Some(pair), None) => Some(pair),
            (None, _) => None,
            (Some(first), Some(second)) => {
                let known = known.get_or_insert_with(|| tokens.iter().map(String::as_str).collect());
                let mut fitting = [first, second].into_iter().chain(splits).filter(|(left, right)| {
                    known.contains(left)
                        && known.contains(right)
                        && known.contains(format!("{left}{right}").as_str())
                });
                fitting.next().filter(|_| fitting.next().is_none())
            }
        };
        let Some((left, right)) = pair else {
            let found = format!("`{}`", shortened(merge, 80));
            return Err(source.invalid(
                format_args!("{MERGES}[{i}]"),
                "two tokens with a space between",
                found,
            ));
        };
        pairs.push((left.to_owned(), right.to_owned()));
    }
    Ok(pairs)
}
