//! Synthetic weights in the shape of BitNet b1.58 2B-4T: files of the three packings that its published checkpoints use have the
//! sizes that follow from the formats, load, run, and give the same bits, since they hold the same trits, scales and embedding.
//!
//! `make test` runs two layers and a small vocabulary; the whole model (three files of 1.2 to 1.8 GB, one after another) is run by
//! `make parity`.

#![expect(clippy::print_stdout, reason = "the tables are the report of `make parity`")]

#[path = "support/sequence.rs"]
mod sequence;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Instant;

use onebit_engine::lane::LaneChoice;
use onebit_engine::model::write::Synthetic;
use onebit_engine::model::{self, LoadError, TensorType};
use sequence::Sequence;

/// Of formats.md section 1.5, which gives .h1b v2 of this shape.
const H1B_BYTES: u64 = 1_840_384_052;
const PACKINGS: [TensorType; 3] = [TensorType::I2S, TensorType::Tq2_0, TensorType::Halo];

fn create(path: &Path) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 20, File::create(path).expect("the folder is writable"))
}

/// Writes the model as .h1b with .htok, or as GGUF, whichever has its packing.
fn write(model: &Synthetic, folder: &Path) -> PathBuf {
    if model.linear == TensorType::Halo {
        let path = folder.join("bitnet.h1b");
        model.write_h1b(create(&path), create(&path.with_extension("htok"))).expect("a whole .h1b");
        path
    } else {
        let path = folder.join("bitnet.gguf");
        model.write_gguf(create(&path)).expect("a whole GGUF");
        path
    }
}

/// What the file must measure.
fn expected_bytes(model: &Synthetic) -> u64 {
    match model.linear {
        TensorType::Halo => model.h1b_header().expect("a header").file_bytes().expect("sizes fit"),
        _ => model.gguf_bytes().expect("sizes fit"),
    }
}

fn two_layers(linear: TensorType) -> Synthetic {
    Synthetic { n_layers: 2, vocab: 512, context_length: 128, ..Synthetic::bitnet_2b_4t(linear) }
}

/// A prompt of nine, then three steps of one.
fn run(model: &Synthetic, lane: LaneChoice) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = write(model, folder.path());
    assert_eq!(std::fs::metadata(&path).expect("the file is there").len(), expected_bytes(model));
    let tokens: Vec<u32> = (0..12).map(|i| i * 37 % 500).collect();
    let mut sequence = Sequence::open(&path, lane, tokens.len(), 9);
    let mut logits = sequence.feed(0, &tokens[..9]).to_vec();
    for at in 9..12 {
        logits.extend_from_slice(sequence.feed(at, &tokens[at..=at]));
    }
    logits
}

fn assert_same_bits(model: impl Fn(TensorType) -> Synthetic, lane: LaneChoice) {
    let first = run(&model(PACKINGS[0]), lane);
    assert!(first.iter().all(|logit| logit.is_finite()));
    assert!(first.iter().any(|&logit| logit != first[0]), "logits are all the same");
    for packing in &PACKINGS[1..] {
        let other = run(&model(*packing), lane);
        let different = first.iter().zip(&other).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert_eq!(
            different,
            0,
            "{packing:?} and {:?} differ in {different} of {} logits",
            PACKINGS[0],
            first.len()
        );
    }
}

#[test]
fn three_packings_of_the_same_trits_give_the_same_bits_on_the_reference_lane() {
    assert_same_bits(two_layers, LaneChoice::Reference);
}

#[test]
fn three_packings_of_the_same_trits_give_the_same_bits_on_the_cpu_lane() {
    assert_same_bits(two_layers, LaneChoice::Cpu);
}

#[test]
fn whole_h1b_opens_at_its_exact_size_and_not_one_byte_short() {
    let model = Synthetic::bitnet_2b_4t(TensorType::Halo);
    assert_eq!(expected_bytes(&model), H1B_BYTES);
    let folder = tempfile::tempdir().expect("a folder for the file");
    // The small file's header with the counts of the large one; the rest is a hole in the file, which reads as zeros.
    let path = write(&Synthetic { n_layers: 1, ..two_layers(TensorType::Halo) }, folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let header = model.h1b_header().unwrap();
    for (offset, value) in [(0x10, header.n_layers), (0x1C, header.vocab), (0x20, header.max_seq)] {
        bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }
    std::fs::write(&path, &bytes[..header.header_bytes()]).unwrap();
    let htok =
        Synthetic { hidden: 20, ffn: 20, n_heads: 1, n_kv_heads: 1, head_dim: 20, n_layers: 1, ..model };
    htok.write_h1b(std::io::sink(), create(&path.with_extension("htok"))).unwrap();

    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(H1B_BYTES).unwrap();
    let opened = model::open(&path).unwrap();
    assert_eq!(
        (opened.file_bytes(), opened.config().n_layers, opened.config().hidden),
        (H1B_BYTES, 30, 2560)
    );
    drop(opened);

    file.set_len(H1B_BYTES - 1).unwrap();
    let error = model::open(&path).err().expect("a byte is missing");
    assert!(matches!(error, LoadError::Invalid { .. }), "{error}");
    assert!(error.to_string().contains(&H1B_BYTES.to_string()), "{error}");
}

/// Resident memory of this process in MiB.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib / 1024.0
}

/// Logits of a prompt of 16 and the best id after each of 16 steps; prints a row of the report.
fn measure(model: &Synthetic) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = write(model, folder.path());
    let bytes = std::fs::metadata(&path).expect("the file is there").len();
    assert_eq!(bytes, expected_bytes(model));
    let start = Instant::now();
    let mut sequence = Sequence::open(&path, LaneChoice::Cpu, 64, 16);
    let load = start.elapsed().as_secs_f64();
    // Its pages are still cached, but no longer needed.
    std::fs::remove_file(&path).expect("the file is there");

    let tokens: Vec<u32> = (0..32).map(|i| i * 37 % 250).collect();
    let start = Instant::now();
    let mut logits = sequence.feed(0, &tokens[..16]).to_vec();
    let prefill = 16.0 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    for at in 16..32 {
        logits.extend_from_slice(sequence.feed(at, &tokens[at..=at]));
    }
    let decode = 16.0 / start.elapsed().as_secs_f64();
    println!(
        "report: | {} | {bytes} | {load:.1} | {prefill:.1} | {decode:.1} | {:.0} |",
        model.linear.name(),
        resident_mib()
    );
    logits
}

#[test]
#[ignore = "writes and loads three files of 1.2 to 1.8 GB; `make parity` runs it"]
fn whole_model_gives_the_same_bits_from_three_packings() {
    println!("report: ## BitNet b1.58 2B-4T geometry, synthetic weights, Cpu lane, 2 threads\nreport:");
    println!(
        "report: | linears | file bytes | load, s | prefill of 16, tok/s | decode at 16 to 31, tok/s | resident memory of the test, MiB |"
    );
    println!("report: |---|---|---|---|---|---|");
    let first = measure(&Synthetic::bitnet_2b_4t(PACKINGS[0]));
    assert!(first.iter().all(|logit| logit.is_finite()));
    for packing in &PACKINGS[1..] {
        let other = measure(&Synthetic::bitnet_2b_4t(*packing));
        assert!(first.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()), "{packing:?} differs");
    }
    println!("report:");
}
