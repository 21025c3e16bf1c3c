//! Whatever is wrong, the program says so in one line, ends with a status that is not 0, and never panics.

mod program;

use std::path::{Path, PathBuf};

use onebit_engine::model::{self, TensorType};
use program::{Home, assert_fails};

fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf")
}

#[test]
fn a_missing_file_and_an_unknown_name_are_named() {
    let home = Home::new();
    assert_fails(&home.run(&["complete", "-m", "/nowhere/model.gguf", "-p", "x"]), &["/nowhere/model.gguf"]);
    assert_fails(&home.run(&["inspect", "nobody"]), &["nobody", "onebit list"]);
    assert_fails(&home.run(&["ppl", "-f", "/nowhere/text"]), &["/nowhere/text"]);
    let empty = home.file("empty.gguf", b"");
    assert_fails(&home.run(&["verify", &empty]), &["empty.gguf"]);
    let text = home.file("text.gguf", b"this is no model");
    assert_fails(&home.run(&["inspect", &text]), &["text.gguf"]);
}

#[test]
fn a_truncated_model_is_refused_wherever_it_is_cut() {
    let home = Home::new();
    let whole = std::fs::read(starter()).unwrap();
    for length in [3, 4, 24, 1000, 300_000, whole.len() / 2, whole.len() - 1] {
        let path = home.file("cut.gguf", &whole[..length]);
        for command in [&["inspect", &path][..], &["complete", "-m", &path, "-p", "x", "--json"]] {
            assert_fails(&home.run(command), &["cut.gguf"]);
        }
    }
}

#[test]
fn flipped_bits_in_the_header_are_refused_or_harmless_and_never_a_panic() {
    let home = Home::new();
    let whole = std::fs::read(starter()).unwrap();
    let mut random = 7_u64;
    let mut refused = 0;
    for round in 0..40 {
        // The key/value part and the tensor table are where a flip can do most harm.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(random >> 33).unwrap() % if round % 2 == 0 { 400 } else { 1 << 20 };
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (round % 8);
        let path = home.file("flipped.gguf", &bytes);
        let ended = home.run(&["tokenize", "-m", &path, "-p", "hello"]);
        if ended.code != 0 {
            refused += 1;
            assert_fails(&ended, &["flipped.gguf"]);
        }
        assert!(!ended.stderr.contains("panicked"), "byte {at}: {}", ended.stderr);
    }
    assert!(refused > 0, "the flips must have hit something");
}

#[test]
fn weights_that_are_not_finite_are_found_by_verify() {
    let home = Home::new();
    let mut bytes = std::fs::read(starter()).unwrap();
    let at = data_offset(&bytes, "output_norm.weight");
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let path = home.file("nan.gguf", &bytes);
    assert_fails(&home.run(&["verify", &path, "--json"]), &["output_norm.weight"]);
    assert_fails(&home.run(&["complete", "-m", &path, "-p", "Hello", "--json"]), &["not finite"]);
}

#[test]
fn weights_in_the_wrong_order_are_found_by_verify() {
    let home = Home::new();
    let mut bytes = std::fs::read(starter()).unwrap();
    let file = model::open(&starter()).unwrap();
    let first = file.tensors().next().unwrap();
    let base = first.data.as_ptr() as usize - data_offset(&bytes, first.name);
    for tensor in file.tensors().filter(|tensor| tensor.ty == TensorType::Tq1_0) {
        let start = tensor.data.as_ptr() as usize - base;
        for block in bytes[start..start + tensor.data.len()].chunks_exact_mut(54) {
            // Every byte stays a valid code; only the columns it stands for change, as with a wrong interleave.
            let (front, back) = block[..32].split_at_mut(16);
            front.swap_with_slice(back);
        }
    }
    let path = home.file("interleaved.gguf", &bytes);
    assert_fails(&home.run(&["verify", &path, "--json"]), &["does not know English"]);
}

#[test]
fn a_prompt_longer_than_the_context_says_both_lengths() {
    let home = Home::new();
    let long = "word ".repeat(200);
    let ended = home.run(&["complete", "--context", "64", "-p", &long, "-n", "4"]);
    assert_fails(&ended, &["64", "context"]);
    assert_fails(&home.run(&["bench", "-p", "16", "-n", "0", "-d", "999999"]), &["context"]);
}

#[test]
fn a_model_larger_than_the_memory_allowed_says_what_it_needs() {
    let home = Home::new();
    let ended = home.run(&["complete", "-p", "x", "--memory-limit", "10M", "--json"]);
    assert_fails(&ended, &["memory", "10485760"]);
}

#[test]
fn a_home_that_cannot_be_written_stops_only_what_has_to_write() {
    let home = Home::unwritable();
    assert_eq!(home.run(&["list"]).code, 0);
    assert_eq!(home.run(&["status"]).stdout.trim(), "not running");
    assert_eq!(home.run(&["tokenize", "-p", "hi", "--json"]).code, 0);
    assert_fails(
        &home.run(&["bench", "-p", "4", "-n", "0", "-r", "1", "--record", "--json"]),
        &["bench.jsonl"],
    );
    assert_fails(&home.run(&["bench", "-m", "synthetic:tiny:tq2_0", "-p", "4"]), &["tiny-tq2_0"]);
}

#[test]
fn wrong_token_ids_are_refused() {
    let home = Home::new();
    let odd = home.file("odd.u16", &[1, 2, 3]);
    assert_fails(&home.run(&["ppl", "--ids", &odd]), &["two bytes"]);
    let outside = home.file("outside.u16", &[0xff; 64]);
    assert_fails(&home.run(&["ppl", "--ids", &outside]), &["65535"]);
    let short = home.file("short.u16", &[1, 0]);
    assert_fails(&home.run(&["ppl", "--ids", &short]), &["two tokens"]);
}

#[test]
fn wrong_arguments_are_one_line_with_status_2() {
    let home = Home::new();
    for arguments in [
        &["nonsense"][..],
        &["complete"],
        &["ppl"],
        &["complete", "-p", "x", "--lane", "quantum"],
        &["list", "-x"],
    ] {
        let ended = home.run(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "{}", ended.stderr);
    }
    assert_fails(&home.run(&["complete", "-p", "x", "--lane", "hip"]), &["no HIP lane"]);
    assert_fails(&home.run(&["complete", "-p", ""]), &["empty"]);
    assert_fails(&home.run(&["bench", "-m", "synthetic:huge:tq2_0"]), &["huge"]);
}

/// Where a tensor's data begins in the file, found by its bytes.
fn data_offset(bytes: &[u8], name: &str) -> usize {
    let file = model::open(&starter()).expect("the starter is whole");
    let start = &file.tensor(name).expect("the tensor is in the starter").data[..256];
    let mut found =
        (0..bytes.len() - 256).filter(|&at| bytes[at] == start[0] && bytes[at..].starts_with(start));
    let at = found.next().expect("the tensor lies in the file");
    assert_eq!(found.next(), None, "the tensor's first bytes must be unique");
    at
}
