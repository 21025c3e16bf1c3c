//! Token ids equal to llama.cpp's on 233 strings under four pre-tokenizers, and chats equal to Jinja2's.
//!
//! `packaging/parity/tokens.py` made the golden files. The vocabulary is SmolLM2's, which the starter model carries.

use std::path::{Path, PathBuf};

use onebit_engine::model::{self, TokenizerData};
use onebit_engine::tokenizer::{ChatTemplate, Message, Role, Specials, Tokenizer};
use serde_json::Value;

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn golden(name: &str) -> Value {
    let text = std::fs::read_to_string(path("tests/golden").join(name)).expect("the golden file is there");
    serde_json::from_str(&text).expect("the golden file is JSON")
}

fn starter_vocabulary() -> TokenizerData {
    let file = model::open(&path("../assets/models/starter.gguf")).expect("the starter model opens");
    file.tokenizer().clone()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text")).collect()
}

/// Compares all strings under each pre-tokenizer; returns how many were compared.
fn compare(data: &TokenizerData, strings: &[&str], ids: &Value) -> usize {
    let mut compared = 0;
    for (pre, expected) in ids.as_object().expect("ids by pre-tokenizer") {
        let tokenizer = Tokenizer::new(&TokenizerData { pre: pre.clone(), ..data.clone() }).expect("sound");
        let expected = expected.as_array().expect("a list of lists");
        assert_eq!(expected.len(), strings.len());
        for (text, expected) in strings.iter().zip(expected) {
            let expected: Vec<u32> = serde_json::from_value(expected.clone()).expect("a list of ids");
            let found = tokenizer.encode(text, Specials::Parse, true).expect("a short text");
            assert_eq!(found, expected, "{pre}: {text:?}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn token_ids_are_those_of_llama_cpp_under_every_pre_tokenizer() {
    let golden = golden("tokens_smollm2.json");
    let strings = texts(&golden["strings"]);
    let mut data = starter_vocabulary();
    assert_eq!(compare(&data, &strings, &golden["ids"]), 4 * 233);

    for merge in texts(&golden["digit_merges"]) {
        let (left, right) = merge.split_once(' ').expect("two sides");
        data.tokens.push(format!("{left}{right}"));
        data.token_types.push(1);
        data.merges.push((left.to_owned(), right.to_owned()));
    }
    assert_eq!(compare(&data, &strings, &golden["ids_with_digits"]), 4 * 233);
    let by_digits = &golden["ids_with_digits"];
    for (a, b) in [("llama-bpe", "qwen2"), ("llama-bpe", "gpt2"), ("smollm", "gpt2"), ("smollm", "qwen2")] {
        assert_ne!(by_digits[a], by_digits[b], "the strings must tell {a} from {b}");
    }
}

#[test]
fn decoding_gives_back_every_text_whose_bytes_have_tokens() {
    let data = starter_vocabulary();
    let tokenizer = Tokenizer::new(&data).expect("sound");
    let known: Vec<u8> = (0..tokenizer.vocab() as u32)
        .map(|id| tokenizer.token_bytes(id))
        .filter(|bytes| bytes.len() == 1)
        .map(|bytes| bytes[0])
        .collect();
    let golden = golden("tokens_smollm2.json");
    let mut compared = 0;
    for text in texts(&golden["strings"]) {
        if text.bytes().all(|byte| known.contains(&byte)) {
            let ids = tokenizer.encode(text, Specials::Literal, false).expect("a short text");
            assert_eq!(tokenizer.decode(&ids), text);
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

fn messages(chat: &Value) -> Vec<Message> {
    let role = |name: &str| match name {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => panic!("unknown role {other}"),
    };
    let message = |message: &Value| Message {
        role: role(message["role"].as_str().expect("a role")),
        content: message["content"].as_str().expect("a content").to_owned(),
    };
    chat.as_array().expect("a list").iter().map(message).collect()
}

#[test]
fn chats_are_rendered_as_jinja2_renders_them() {
    let golden = golden("tokens_chat.json");
    let now_secs = golden["now_secs"].as_u64().expect("seconds");
    let mut compared = 0;
    for (name, source) in golden["templates"].as_object().expect("templates by name") {
        let source = source.as_str().expect("a text");
        let template = ChatTemplate::from_source(source, "<|begin_of_text|>", "<|end_of_text|>")
            .expect(name)
            .at(now_secs);
        let chats = golden["chats"].as_array().expect("a list");
        let expected = golden["rendered"][name].as_array().expect("a list");
        assert_eq!(expected.len(), 2 * chats.len());
        for (at, expected) in expected.iter().enumerate() {
            let found = template.render(&messages(&chats[at / 2]), at % 2 == 1);
            match (expected["text"].as_str(), expected["error"].as_str()) {
                (Some(text), _) => assert_eq!(found.as_deref(), Ok(text), "{name}, chat {}", at / 2),
                (_, Some(error)) => {
                    let found = found.expect_err("Jinja2 failed").0;
                    assert!(found.contains(error), "{name}: {found}");
                }
                _ => panic!("neither text nor error"),
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 60);
}
