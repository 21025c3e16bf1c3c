//! What the fuzz targets about text do with their bytes. Compiled into the targets and into
//! `engine/tests/tokenizer_fuzz_replay.rs`. Nothing here may panic, whatever the bytes. Each returns whether the bytes made sense.

#![allow(dead_code, reason = "every target uses one of these functions")]

use onebit_engine::model::TokenizerData;
use onebit_engine::tokenizer::{ChatTemplate, Message, Role, Specials, TextStream, Tokenizer};

/// Separates the parts of an input; no UTF-8 text contains it.
const PART: u8 = 0xFF;
/// Separates the entries of a part.
const ENTRY: u8 = 0xFE;

/// A chat template, then the contents of messages: the roles take turns.
pub fn chat_template(data: &[u8]) -> bool {
    let mut parts = data.split(|&byte| byte == PART).map(String::from_utf8_lossy);
    let source = parts.next().unwrap_or_default();
    let roles = [Role::System, Role::User, Role::Assistant].into_iter().cycle();
    let messages: Vec<Message> = parts
        .take(8)
        .zip(roles)
        .map(|(content, role)| Message { role, content: content.into_owned() })
        .collect();
    let Ok(template) = ChatTemplate::from_source(&source, "<|im_start|>", "<|im_end|>") else { return false };
    let template = template.at(0);
    let tokenizer = Tokenizer::new(&byte_vocabulary()).expect("a sound vocabulary");
    match tokenizer.encode_chat(&template, &messages, true) {
        Ok(ids) => assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab())),
        Err(err) => assert!(!err.0.is_empty()),
    }
    template.render(&messages, false).is_ok()
}

/// A byte of options, the tokens, the merges (both sides one after the other), a text.
pub fn tokenizer(data: &[u8]) -> bool {
    let Some((&options, data)) = data.split_first() else { return false };
    let mut parts = data.splitn(3, |&byte| byte == PART);
    let mut part = || parts.next().unwrap_or_default();
    let entries = |part: &[u8]| -> Vec<String> {
        part.split(|&byte| byte == ENTRY).map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
    };
    let (tokens, sides) = (entries(part()), entries(part()));
    let text = String::from_utf8_lossy(part());
    let pre = ["llama-bpe", "smollm", "gpt2", "qwen2"][usize::from(options & 3)];
    let types = |at: usize| i32::from(options >> 3).wrapping_mul(at as i32 + 1) % 7;
    let data = TokenizerData {
        token_types: if options & 4 == 0 { Vec::new() } else { (0..tokens.len()).map(types).collect() },
        merges: sides.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
        pre: pre.to_owned(),
        bos: Some(u32::from(options >> 3)),
        tokens,
        ..TokenizerData::default()
    };
    let Ok(tokenizer) = Tokenizer::new(&data) else { return false };
    let Ok(literal) = tokenizer.encode(&text, Specials::Literal, true) else { return false };
    assert!(literal.iter().all(|&id| !tokenizer.is_control(id)), "plain text became a control token");
    // Bytes without a token are left out; everything else comes back in order.
    let mut bytes = text.bytes();
    for byte in literal.iter().flat_map(|&id| tokenizer.token_bytes(id)) {
        assert!(bytes.any(|original| original == *byte), "a byte that was not in the text");
    }
    let Ok(parsed) = tokenizer.encode(&text, Specials::Parse, true) else { return false };
    let mut stream = TextStream::default();
    let visible = parsed.iter().filter(|&&id| !tokenizer.is_control(id));
    let mut streamed: String = visible.map(|&id| stream.push(tokenizer.token_bytes(id))).collect();
    streamed.push_str(&stream.finish());
    assert_eq!(streamed, tokenizer.decode(&parsed));
    true
}

/// All bytes, and the markup of ChatML and Qwen 3.
fn byte_vocabulary() -> TokenizerData {
    let is_printable = |byte: u8| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = '\u{100}'..;
    let text_of =
        |byte: u8| if is_printable(byte) { char::from(byte) } else { others.next().expect("68 are needed") };
    let mut tokens: Vec<String> = (0..=255u8).map(text_of).map(String::from).collect();
    tokens.extend(["<|im_start|>", "<|im_end|>", "<think>", "</think>"].map(str::to_owned));
    let mut token_types = vec![1; 256];
    token_types.extend([3, 3, 4, 4]);
    TokenizerData {
        tokens,
        token_types,
        pre: "qwen2".to_owned(),
        bos: Some(256),
        eos: Some(257),
        add_bos: true,
        ..TokenizerData::default()
    }
}
