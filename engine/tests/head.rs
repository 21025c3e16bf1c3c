//! The screened LM head on hidden states of a real model: the starter with its embedding widened to f16, reading Moby Dick.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use half::f16;
use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::cpu::CpuLane;
use onebit_engine::lane::{KvDtype, PAGE_POSITIONS, Row, Wanted};
use onebit_engine::model::write::GgufWriter;
use onebit_engine::model::{self, ModelFile, TensorType};
use onebit_engine::telemetry::Telemetry;

/// Tokens read.
const TOKENS: usize = 1024;
/// Rows of one forward call.
const CHUNK: usize = 128;

fn under(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The starter's tensors with a wide head, without a tokenizer.
fn write_wide(starter: &ModelFile, path: &Path) {
    let config = starter.config();
    let mut writer = GgufWriter::new(&config.arch);
    let counts = [
        ("context_length", config.context_length),
        ("embedding_length", config.hidden),
        ("block_count", config.n_layers),
        ("feed_forward_length", config.ffn),
        ("attention.head_count", config.n_heads),
        ("attention.head_count_kv", config.n_kv_heads),
        ("rope.dimension_count", config.rope.dims),
        ("vocab_size", config.vocab),
    ];
    for (key, count) in counts {
        writer.key(format!("{}.{key}", config.arch), u32::try_from(count).unwrap());
    }
    writer.key(format!("{}.attention.layer_norm_rms_epsilon", config.arch), config.norm_eps);
    writer.key(format!("{}.rope.freq_base", config.arch), config.rope.theta);
    for tensor in starter.tensors() {
        let ty = if tensor.name == "token_embd.weight" { TensorType::F16 } else { tensor.ty };
        writer.tensor(tensor.name, ty, tensor.rows, tensor.cols).unwrap();
    }
    let out = BufWriter::new(File::create(path).unwrap());
    let written = writer.write(out, |name, out| {
        let tensor = starter.tensor(name).unwrap();
        if name != "token_embd.weight" {
            return out.write_all(tensor.data);
        }
        let mut row = vec![0.0; tensor.cols];
        for index in 0..tensor.rows {
            tensor.dequantize_row(index, &mut row);
            let halves: Vec<u8> = row.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect();
            out.write_all(&halves)?;
        }
        Ok(())
    });
    written.unwrap();
}

#[test]
fn real_hidden_states_give_the_same_largest_logits_through_the_screen() {
    let starter = model::open(&under("../assets/models/starter.gguf")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.gguf");
    write_wide(&starter, &path);
    let file = model::open(&path).unwrap();
    let mut lane = CpuLane::open(0).unwrap();
    let pages: Vec<u32> = (0..(TOKENS / PAGE_POSITIONS) as u32).collect();
    let options = ResidentOptions {
        kv_dtype: KvDtype::F16,
        kv_pages: pages.len(),
        max_rows: CHUNK,
        max_logit_rows: CHUNK,
        head: Head::Screened,
    };
    let mut resident = Resident::load(&file, &mut lane, options, &mut |_, _| true).unwrap();
    let copy_bytes = Resident::head_copy_bytes(&file, Head::Screened);
    assert!(resident.weight_bytes() as u64 >= copy_bytes + 2 * (file.config().vocab * 512) as u64);

    let ids = std::fs::read(under("tests/golden/moby-16384.u16")).unwrap();
    let ids: Vec<u32> = ids.as_chunks::<2>().0.iter().map(|&b| u32::from(u16::from_le_bytes(b))).collect();
    let vocab = file.config().vocab;
    let telemetry = Telemetry::default();
    let logit_rows: Vec<usize> = (0..CHUNK).collect();
    for (index, tokens) in ids[..TOKENS].chunks(CHUNK).enumerate() {
        let rows: Vec<Row<'_>> =
            (0..CHUNK).map(|row| Row { pages: &pages, position: (index * CHUNK + row) as u32 }).collect();
        let mut forward = |wanted: &[Wanted]| {
            let batch = Batch { tokens, rows: &rows, logit_rows: &logit_rows, wanted };
            resident.forward(&mut lane, &batch, &telemetry).unwrap().to_vec()
        };
        let exact = forward(&[]);
        for count in [1, 40] {
            let found = forward(&vec![Wanted::Largest(count); CHUNK]);
            for (row, (found, exact)) in found.chunks(vocab).zip(exact.chunks(vocab)).enumerate() {
                let mut sorted = exact.to_vec();
                let least = *sorted.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a)).1;
                for (found, exact) in found.iter().zip(exact) {
                    let same =
                        if *exact >= least { found.to_bits() == exact.to_bits() } else { *found < least };
                    assert!(same, "position {}, {count} largest: {found}, {exact}", index * CHUNK + row);
                }
            }
        }
    }
    let head = telemetry.head_totals();
    println!(
        "{} rows screened, {} logits of {vocab} computed again on average, {} rows fell back",
        head.screened,
        head.rescored / head.screened,
        head.fell_back
    );
    assert_eq!(head.screened, 2 * TOKENS as u64);
    assert!(head.fell_back * 10 < head.screened, "{} rows fell back", head.fell_back);
    resident.unload(&mut lane);
}
