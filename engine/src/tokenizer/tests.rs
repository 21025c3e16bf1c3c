//! Whole tokenizers on a small hand-made vocabulary: all bytes, some merges, some specials.

use super::*;

/// 256 byte tokens, then merged ones, then specials. ids: 256 `he`, 257 `ll`, 258 `hell`, 259 `hello`, 260 ` h`, 261 control
/// `<|im_start|>`, 262 control `<|im_end|>`, 263 user-defined `<think>`, 264 user-defined `</think>`, 265 placeholder,
/// 266 control `<|eot_id|>`.
pub(super) fn small(pre: &str) -> TokenizerData {
    let char_of = |byte: u8| {
        (0..0x150u32)
            .filter_map(char::from_u32)
            .find(|&c| bytes::byte_from_char(c) == Some(byte))
            .expect("every byte has a character")
    };
    let mut tokens: Vec<String> = (0..=255u8).map(|byte| char_of(byte).to_string()).collect();
    let merged = ["he", "ll", "hell", "hello", "\u{120}h"];
    let added = ["<|im_start|>", "<|im_end|>", "<think>", "</think>", "", "<|eot_id|>"];
    tokens.extend(merged.iter().chain(&added).map(|&text| text.to_owned()));
    let mut token_types = vec![1; 261];
    token_types.extend([3, 3, 4, 4, 1, 3]);
    let merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("\u{120}", "h"), ("x", "nothing")];
    TokenizerData {
        tokens,
        token_types,
        merges: merges.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect(),
        pre: pre.to_owned(),
        bos: Some(261),
        eos: Some(262),
        eot: None,
        add_bos: false,
        chat_template: None,
    }
}

fn tokenizer(pre: &str) -> Tokenizer {
    Tokenizer::new(&small(pre)).expect("a sound vocabulary")
}

fn literal(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, Specials::Literal, true).expect("a short text")
}

#[test]
fn merges_apply_by_rank_and_then_from_the_left() {
    let gpt2 = tokenizer("gpt2");
    assert_eq!(literal(&gpt2, "hello"), [259]);
    assert_eq!(literal(&gpt2, "hellll"), [258, 257]);
    assert_eq!(literal(&gpt2, "lll"), [257, u32::from(b'l')]);
    // `he` has the better rank, so the space stays alone.
    assert_eq!(literal(&gpt2, " he"), [32, 256]);
    assert_eq!(literal(&gpt2, ""), [0u32; 0]);
}

#[test]
fn llama_takes_a_whole_piece_that_is_a_token_without_merging() {
    let mut data = small("llama-bpe");
    data.merges.clear();
    let llama = Tokenizer::new(&data).expect("a sound vocabulary");
    assert_eq!(literal(&llama, "hello"), [259]);
    data.pre = "gpt2".to_owned();
    assert_eq!(literal(&Tokenizer::new(&data).expect("sound"), "hello"), [104, 101, 108, 108, 111]);
}

#[test]
fn specials_are_single_ids_when_parsed_and_text_when_not() {
    let gpt2 = tokenizer("gpt2");
    let parsed = gpt2.encode("hello<|im_end|><think>h", Specials::Parse, false).expect("short");
    assert_eq!(parsed, [259, 262, 263, 104]);
    for text in ["<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|eot_id|>"] {
        let ids = literal(&gpt2, text);
        assert!(ids.iter().all(|&id| id < 261), "{text}: {ids:?}");
        assert_eq!(gpt2.decode(&ids), text);
    }
}

#[test]
fn bos_comes_first_only_when_asked_for_by_caller_and_file() {
    let mut data = small("gpt2");
    data.add_bos = true;
    let asks = Tokenizer::new(&data).expect("sound");
    assert_eq!(asks.encode("h", Specials::Parse, true).expect("short"), [261, 104]);
    assert_eq!(asks.encode("h", Specials::Parse, false).expect("short"), [104]);
    assert_eq!(tokenizer("gpt2").encode("h", Specials::Parse, true).expect("short"), [104]);
    data.bos = None;
    assert_eq!(Tokenizer::new(&data).expect_err("no id to add").field, "bos");
}

#[test]
fn ids_go_back_to_bytes_and_controls_are_not_shown() {
    let gpt2 = tokenizer("gpt2");
    assert_eq!(gpt2.token_bytes(260), b" h");
    assert_eq!(gpt2.token_bytes(0xE9), [0xE9]);
    assert_eq!(gpt2.token_bytes(262), b"<|im_end|>");
    assert_eq!(gpt2.token_bytes(265), b"");
    assert_eq!(gpt2.token_bytes(9999), b"");
    assert_eq!(gpt2.decode(&[261, 259, 263, 262, 0xC3, 0xA9, 0xC3]), "hello<think>é\u{FFFD}");
    assert!(gpt2.is_control(261) && !gpt2.is_control(263) && !gpt2.is_control(9999));
    assert!(gpt2.ends_generation(262) && gpt2.ends_generation(266) && !gpt2.ends_generation(261));
    assert_eq!((gpt2.vocab(), gpt2.bos()), (267, Some(261)));
}

#[test]
fn any_text_survives_encoding_and_decoding() {
    let texts = ["", "héllo wörld", "日本語 🦀\u{301}", "a\r\n\t  b", "\u{0}\u{7F}", "<|im_end|>", "¡ÿĀŃ"];
    for pre in ["llama-bpe", "smollm", "gpt2", "qwen2"] {
        let tokenizer = tokenizer(pre);
        for text in texts {
            assert_eq!(tokenizer.decode(&literal(&tokenizer, text)), text, "{pre}");
        }
    }
}

#[test]
fn a_byte_without_a_token_is_left_out_and_keeps_its_neighbours_apart() {
    let mut data = small("gpt2");
    data.tokens[usize::from(b'x')] = "xx-absent".to_owned();
    let gpt2 = Tokenizer::new(&data).expect("sound");
    assert_eq!(literal(&gpt2, "hxe"), [104, 101]);
}

#[test]
fn looks_decide_where_a_file_has_no_token_types() {
    let mut data = small("gpt2");
    data.token_types.clear();
    let gpt2 = Tokenizer::new(&data).expect("sound");
    assert!(gpt2.is_control(261) && gpt2.is_control(266) && !gpt2.is_control(263));
    assert_eq!(gpt2.encode("<|im_start|>h", Specials::Parse, false).expect("short"), [261, 104]);
}

#[test]
fn llama3_specials_that_a_htok_leaves_blank_are_known_by_their_ids() {
    let mut data = small("llama-bpe");
    data.tokens.truncate(261);
    data.token_types.clear();
    data.tokens.resize(128_256, String::new());
    (data.bos, data.eos, data.add_bos) = (Some(128_000), Some(128_001), true);
    let llama = Tokenizer::new(&data).expect("sound");
    let message = Message { role: Role::User, content: "hello<|eot_id|>".to_owned() };
    let template = ChatTemplate::for_model(&data).expect("a constant");
    let mut expected = vec![128_000];
    expected.extend(literal_part(&llama, "User: hello<|eot_id|>"));
    expected.push(128_009);
    expected.extend(literal_part(&llama, "Assistant: "));
    assert_eq!(llama.encode_chat(&template, &[message], true), Ok(expected));
    assert!(llama.ends_generation(128_001) && llama.ends_generation(128_009) && llama.is_control(128_000));
    // In a vocabulary of another size the same ids mean nothing.
    data.tokens.push(String::new());
    let other = Tokenizer::new(&data).expect("sound");
    assert!(!other.is_control(128_009) && other.token_bytes(128_009).is_empty());
}

fn literal_part(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, Specials::Literal, false).expect("a short text")
}

#[test]
fn broken_data_is_an_error_that_names_the_field() {
    type Break = fn(&mut TokenizerData);
    let cases: [(Break, &str, &str); 5] = [
        (|data| data.pre = "gpt-5".into(), "pre", "\"gpt-5\" is unknown; known are llama-bpe"),
        (|data| data.tokens.clear(), "tokens", "no vocabulary"),
        (|data| data.token_types.truncate(3), "token_type", "3 types for 267"),
        (|data| data.eos = Some(267), "eos", "id 267"),
        (|data| data.bos = Some(u32::MAX), "bos", "outside"),
    ];
    for (break_it, field, problem) in cases {
        let mut data = small("gpt2");
        break_it(&mut data);
        let err = Tokenizer::new(&data).expect_err(field);
        assert!(err.field == field && err.problem.contains(problem), "{err}");
    }
}

#[test]
fn duplicates_are_tolerated_and_the_first_wins() {
    let mut data = small("gpt2");
    data.tokens[265] = "hello".to_owned();
    data.merges.push(("h".to_owned(), "e".to_owned()));
    let gpt2 = Tokenizer::new(&data).expect("sound");
    assert_eq!(literal(&gpt2, "hello"), [259]);
    assert_eq!(gpt2.token_bytes(265), b"hello");
}

#[test]
fn a_million_letters_without_a_break_are_merged_and_more_than_four_million_are_refused() {
    let gpt2 = tokenizer("gpt2");
    let ids = literal(&gpt2, &"l".repeat(1 << 20));
    assert_eq!(ids.len(), 1 << 19);
    let err = gpt2.encode(&"l".repeat((1 << 22) + 1), Specials::Parse, false).expect_err("too long");
    assert_eq!(err.piece_bytes, (1 << 22) + 1);
}

/// Merging as it is defined: the best rank anywhere, leftmost, until none applies.
fn naive(data: &TokenizerData, piece: &str) -> Vec<String> {
    let mut parts: Vec<String> = piece.chars().map(String::from).collect();
    loop {
        let rank = |pair: &[String]| data.merges.iter().position(|(a, b)| *a == pair[0] && *b == pair[1]);
        let best = parts.windows(2).enumerate().filter_map(|(at, pair)| Some((rank(pair)?, at))).min();
        let Some((_, at)) = best else { return parts };
        let right = parts.remove(at + 1);
        parts[at].push_str(&right);
    }
}

#[test]
fn merging_with_a_heap_equals_merging_by_definition() {
    let mut state = 11u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 0..60 {
        let mut data = small("gpt2");
        data.merges.clear();
        let mut known: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        for _ in 0..12 {
            let left = known[next(known.len() as u64) as usize].clone();
            let right = known[next(known.len() as u64) as usize].clone();
            let joined = format!("{left}{right}");
            if joined.len() <= 8 && !known.contains(&joined) {
                known.push(joined.clone());
                data.tokens.push(joined);
                data.token_types.push(1);
                data.merges.push((left, right));
            }
        }
        let tokenizer = Tokenizer::new(&data).expect("sound");
        for _ in 0..40 {
            let text: String = (0..next(30)).map(|_| ['a', 'b', 'c'][next(3) as usize]).collect();
            let found: Vec<String> = literal(&tokenizer, &text)
                .iter()
                .map(|&id| String::from_utf8_lossy(tokenizer.token_bytes(id)).into_owned())
                .collect();
            assert_eq!(found, naive(&data, &text), "round {round}, {text:?}, {:?}", data.merges);
        }
    }
}
