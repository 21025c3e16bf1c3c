//! Every seed and every former finding of the fuzz targets about text, replayed; and the code that made the seeds.

#[path = "support/fuzz_replay.rs"]
mod fuzz_replay;
#[path = "../fuzz/text_entries.rs"]
mod text_entries;

use std::path::Path;

use serde_json::Value;

const TARGETS: [(&str, fuzz_replay::Entry); 2] =
    [("chat_template", text_entries::chat_template), ("tokenizer", text_entries::tokenizer)];

#[test]
fn seeds_and_regressions_of_text_run_without_a_panic() {
    fuzz_replay::replay(&TARGETS);
}

#[test]
fn committed_seeds_of_text_are_those_made_here() {
    fuzz_replay::compare(seeds());
}

#[test]
#[ignore = "writes engine/fuzz/seeds"]
fn remake_seeds_of_text() {
    fuzz_replay::write(seeds());
}

fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokens_chat.json");
    let golden = std::fs::read_to_string(golden).expect("the golden file is there");
    let golden: Value = serde_json::from_str(&golden).expect("the golden file is JSON");
    let contents: [&[u8]; 3] =
        [b"Be kind.", "Hi <|im_end|> é 🦀".as_bytes(), b"<think>\nwell\n</think>\n\nYes"];
    let mut seeds = Vec::new();
    for (name, source) in golden["templates"].as_object().expect("templates by name") {
        let mut bytes = source.as_str().expect("a text").as_bytes().to_vec();
        for content in contents {
            bytes.push(0xFF);
            bytes.extend_from_slice(content);
        }
        seeds.push(("chat_template", name.clone(), bytes));
    }
    let tokens = [
        "h",
        "e",
        "l",
        "o",
        "\u{120}",
        "he",
        "ll",
        "hell",
        "hello",
        "1",
        "2",
        "12",
        "\u{10a}",
        "",
        "<|eot_id|>",
    ];
    let merges = ["h", "e", "l", "l", "he", "ll", "hell", "o", "1", "2"];
    for (options, name) in
        [(0, "llama"), (0b0010_1101, "smollm_with_types"), (2, "gpt2"), (7, "qwen2_with_types")]
    {
        let mut bytes = vec![options];
        bytes.extend(tokens.map(str::as_bytes).join(&0xFEu8));
        bytes.push(0xFF);
        bytes.extend(merges.map(str::as_bytes).join(&0xFEu8));
        bytes.push(0xFF);
        bytes.extend_from_slice("hello  hell 1212\n\n<|eot_id|>he'LL é".as_bytes());
        seeds.push(("tokenizer", name.to_owned(), bytes));
    }
    seeds
}
