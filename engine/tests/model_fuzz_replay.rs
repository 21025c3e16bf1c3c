//! Every seed and every former finding of the model fuzz targets, replayed; and the code that made the seeds.

#[path = "../fuzz/entries.rs"]
mod entries;
#[path = "support/fuzz_replay.rs"]
mod fuzz_replay;

use onebit_engine::model::TensorType;
use onebit_engine::model::write::{GgufWriter, H1bHeader, write_h1b, write_htok};

const TARGETS: [(&str, fuzz_replay::Entry); 3] =
    [("gguf", entries::gguf), ("h1b", entries::h1b), ("htok", entries::htok)];

#[test]
fn seeds_and_regressions_run_without_a_panic() {
    fuzz_replay::replay(&TARGETS);
}

#[test]
fn committed_seeds_are_those_made_here() {
    fuzz_replay::compare(seeds());
}

#[test]
#[ignore = "writes engine/fuzz/seeds"]
fn remake_seeds() {
    fuzz_replay::write(seeds());
}

fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let tokens = ["a", "b", "Ġ", "ab", "<|eot_id|>", ""].map(String::from);
    let mut htok = Vec::new();
    write_htok(&mut htok, &tokens, &[[0, 1, 3]], 4, 4).expect("written");
    let mut seeds = vec![
        ("gguf", "llama_every_type", llama_every_type()),
        ("gguf", "qwen3_yarn", small_gguf("qwen3", true)),
        ("gguf", "bitnet_without_tokenizer", small_gguf("bitnet", false)),
    ];
    for (version, name) in [(1, "version_1"), (2, "version_2"), (3, "version_3"), (4, "version_4")] {
        seeds.push(("h1b", name, h1b_with(version, &htok)));
    }
    seeds.push(("htok", "six_tokens", htok));
    seeds
}

fn small_gguf(arch: &str, whole: bool) -> Vec<u8> {
    let mut writer = GgufWriter::new(arch);
    add_shape(&mut writer, arch);
    if whole {
        add_tokenizer(&mut writer);
        writer
            .key(format!("{arch}.rope.scaling.type"), "yarn")
            .key(format!("{arch}.rope.scaling.factor"), 2.0f32);
    }
    finish(writer, &[])
}

fn llama_every_type() -> Vec<u8> {
    let mut writer = GgufWriter::new("llama");
    add_shape(&mut writer, "llama");
    add_tokenizer(&mut writer);
    let types: Vec<TensorType> = TensorType::ALL.into_iter().filter(|ty| ty.gguf_id().is_some()).collect();
    finish(writer, &types)
}

fn add_shape(writer: &mut GgufWriter, arch: &str) {
    let counts = [
        ("embedding_length", 8),
        ("block_count", 1),
        ("feed_forward_length", 8),
        ("attention.head_count", 2),
        ("context_length", 64),
    ];
    for (key, count) in counts {
        writer.key(format!("{arch}.{key}"), count as u32);
    }
    writer.key(format!("{arch}.attention.layer_norm_rms_epsilon"), 1e-5f32);
}

fn add_tokenizer(writer: &mut GgufWriter) {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    writer.key("tokenizer.ggml.model", "gpt2").key("tokenizer.ggml.pre", "smollm");
    writer.key("tokenizer.ggml.tokens", texts(&["a", "b", "ab", "<|im_end|>"]));
    writer.key("tokenizer.ggml.token_type", vec![1, 1, 1, 3]).key("tokenizer.ggml.merges", texts(&["a b"]));
    writer.key("tokenizer.ggml.eos_token_id", 3u32).key("tokenizer.chat_template", "{{ messages }}");
}

/// Adds an embedding of 4 x 8 and one row of each type, and writes data that counts up.
fn finish(mut writer: GgufWriter, types: &[TensorType]) -> Vec<u8> {
    let mut tensors = vec![("token_embd.weight".to_owned(), TensorType::F32, 4, 8)];
    for &ty in types {
        tensors.push((format!("row.{}", ty.name()), ty, 1, ty.block().0));
    }
    let mut sizes = Vec::new();
    for (name, ty, rows, cols) in tensors {
        sizes.push(ty.data_bytes(rows, cols).expect("whole blocks"));
        writer.tensor(name, ty, rows, cols).expect("fits");
    }
    let mut sizes = sizes.into_iter();
    let fill = |_: &str, out: &mut dyn std::io::Write| {
        let size = sizes.next().expect("one size a tensor");
        out.write_all(&(0..size).map(|i| (i % 61) as u8).collect::<Vec<_>>())
    };
    writer.write(Vec::new(), fill).expect("written")
}

fn h1b_with(version: u32, htok: &[u8]) -> Vec<u8> {
    let hidden = if version == 3 { 32 } else { 4 };
    let header = H1bHeader {
        version,
        hidden,
        ffn: hidden,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        vocab: 6,
        max_seq: 64,
        tie_embeddings: 1,
        flags: 0,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
    };
    let fill = |part: &onebit_engine::model::write::H1bPart, out: &mut dyn std::io::Write| {
        out.write_all(&vec![0x21; part.data_bytes + part.scale_bytes])
    };
    let model = write_h1b(Vec::new(), &header, fill).expect("written");
    [&(model.len() as u32).to_le_bytes(), model.as_slice(), htok].concat()
}
