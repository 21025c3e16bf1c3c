//! Tokenizer data as plain values; `tokenizer` builds a tokenizer from them.

/// What the file says about its tokenizer: plain data, turned into a `tokenizer::Tokenizer` by that module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenizerData {
    /// Token texts in GPT-2 byte-mapped form, index = id. Empty texts are placeholders; empty altogether when the file has no
    /// tokenizer. There may be fewer tokens than rows of the embedding.
    pub tokens: Vec<String>,
    /// GGUF token types (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte); empty when the file has none.
    pub token_types: Vec<i32>,
    /// Merge rules in rank order, as pairs of token texts.
    pub merges: Vec<(String, String)>,
    /// Name of the pre-tokenizer (`llama-bpe`, `smollm`, `gpt2`, `qwen2`); `default` when the file names none.
    pub pre: String,
    /// Begin-of-text id, if the file names one. Below the vocabulary size, as the other ids.
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
