//! Damaged files, damaged weights and impossible demands end in an error that says what is wrong, never in a panic.
//!
//! The files are small synthetic models; fuzz targets in `engine/fuzz` go deeper into the parsers.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onebit_engine::arch::{Head, Resident, ResidentError, ResidentOptions};
use onebit_engine::lane::{self, KvDtype, LaneChoice};
use onebit_engine::model::write::Synthetic;
use onebit_engine::model::{self, Family, LoadError, TensorType};
use onebit_engine::sampler::Sampling;
use onebit_engine::session::{
    EngineHandle, EngineOptions, Event, GenerateError, LoadFailure, LoadOptions, ModelStatus, Prompt, Request,
};
use tempfile::TempDir;

const LANES: [LaneChoice; 2] = [LaneChoice::Reference, LaneChoice::Cpu];

/// A folder with a sound model in it.
struct Sample {
    folder: TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Sample {
    fn gguf(linear: TensorType) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the file");
        let path = folder.path().join("model.gguf");
        let bytes = Synthetic::tiny(Family::BitNetB158, linear).write_gguf(Vec::new()).expect("a model");
        std::fs::write(&path, &bytes).expect("the folder is writable");
        Self { folder, path, bytes }
    }

    fn h1b() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the file");
        let path = folder.path().join("model.h1b");
        let htok = std::fs::File::create(path.with_extension("htok")).expect("the folder is writable");
        let model = Synthetic::tiny(Family::BitNetB158, TensorType::Halo);
        let bytes = model.write_h1b(Vec::new(), BufWriter::new(htok)).expect("a model");
        std::fs::write(&path, &bytes).expect("the folder is writable");
        Self { folder, path, bytes }
    }

    /// Writes other bytes to the sample's path.
    fn replace(&self, bytes: &[u8]) {
        std::fs::write(&self.path, bytes).expect("the folder is writable");
    }

    /// The bytes of a tensor within the file.
    fn find(&self, tensor: &str) -> std::ops::Range<usize> {
        let file = model::open(&self.path).expect("the sample opens");
        let data = file.tensor(tensor).expect("the tensor is there").data;
        let at = self.bytes.windows(data.len()).position(|window| window == data);
        let start = at.expect("the data lies in the file");
        start..start + data.len()
    }
}

fn engine(memory_bytes: u64) -> EngineHandle {
    let options =
        EngineOptions { lane: LaneChoice::Cpu, threads: 1, memory_bytes, ..EngineOptions::default() };
    EngineHandle::start(options).expect("the engine starts")
}

fn load(engine: &EngineHandle, path: &Path) -> Result<ModelStatus, LoadFailure> {
    let options =
        LoadOptions { id: "m".to_owned(), path: path.to_owned(), context: 0, kv_dtype: KvDtype::F16 };
    engine.load(options, Arc::new(|| {})).wait()
}

/// The terminal event of a short generation from ids.
fn last_event(engine: &EngineHandle, tokens: Vec<u32>) -> Event {
    let request = Request {
        model: "m".to_owned(),
        prompt: Prompt::Tokens(tokens),
        sampling: Sampling::default(),
        max_new_tokens: 3,
        stop: Vec::new(),
        session: None,
        logprobs: None,
    };
    let generation = engine.submit(request, Arc::new(|| {})).expect("the queue has room");
    let mut last = None;
    while let Some(event) = generation.next() {
        last = Some(event);
    }
    last.expect("every generation ends with an event")
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[test]
fn samples_are_sound() {
    for sample in [Sample::gguf(TensorType::Tq2_0), Sample::gguf(TensorType::I2S), Sample::h1b()] {
        let engine = engine(0);
        load(&engine, &sample.path).unwrap_or_else(|err| panic!("{}: {err}", sample.path.display()));
        let last = last_event(&engine, vec![1, 2, 3]);
        assert!(matches!(last, Event::Done { .. }), "{last:?}");
        engine.shutdown();
    }
}

#[test]
fn truncated_files_are_refused_with_their_name() {
    for sample in [Sample::gguf(TensorType::Tq1_0), Sample::h1b()] {
        let length = sample.bytes.len();
        // Up to the last tensor's own bytes; less than that may be padding.
        let cuts = (0..24).map(|eighth| length * eighth / 24).chain([1, 3, 4, 8, 23, 51, length - 64]);
        for cut in cuts {
            sample.replace(&sample.bytes[..cut]);
            let error =
                model::open(&sample.path).err().unwrap_or_else(|| panic!("{cut} of {length} bytes opened"));
            assert!(error.to_string().contains("model."), "{cut} of {length}: {error}");
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    let engine = engine(0);
    let (mut loaded, mut refused) = (0, 0);
    for (sample, kind) in [(Sample::gguf(TensorType::Tq1_0), "gguf"), (Sample::h1b(), "h1b")] {
        for seed in 0..150u64 {
            let mut state = seed;
            let mut bytes = sample.bytes.clone();
            // Most of a file is weights; the interesting bits are in front, so half of the flips go there.
            for flip in 0..1 + seed % 4 {
                let range = if flip % 2 == 0 { bytes.len().min(512) } else { bytes.len() };
                let bit = splitmix64(&mut state) as usize % (range * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            sample.replace(&bytes);
            if load(&engine, &sample.path).is_ok() {
                let last = last_event(&engine, vec![1, 2, 3]);
                assert!(
                    !matches!(last, Event::Failed(GenerateError::Panicked(_))),
                    "{kind}, seed {seed}: {last:?}"
                );
                engine.unload("m");
                loaded += 1;
            } else {
                refused += 1;
            }
        }
    }
    engine.shutdown();
    assert!(loaded > 20 && refused > 20, "{loaded} loaded, {refused} refused: the flips miss something");
}

#[test]
fn file_cut_while_it_is_mapped_is_an_error_on_every_lane() {
    for choice in LANES {
        let sample = Sample::gguf(TensorType::Tq2_0);
        let file = model::open(&sample.path).unwrap();
        let half = sample.bytes.len() as u64 / 2;
        std::fs::File::options().write(true).open(&sample.path).unwrap().set_len(half).unwrap();
        let mut lane = lane::open(choice, 1).unwrap();
        let options = ResidentOptions {
            kv_dtype: KvDtype::F16,
            kv_pages: 1,
            max_rows: 1,
            max_logit_rows: 1,
            head: Head::default(),
        };
        let error = Resident::load(&file, lane.as_mut(), options, &mut |_, _| true).err();
        assert!(matches!(error, Some(ResidentError::File(LoadError::Cut { .. }))), "{choice:?}: {error:?}");
    }
}

#[test]
fn file_that_vanishes_while_it_is_mapped_still_loads() {
    // Unlinking keeps the bytes until the map is gone.
    let sample = Sample::gguf(TensorType::Tq2_0);
    let file = model::open(&sample.path).unwrap();
    drop(sample.folder);
    let mut lane = lane::open(LaneChoice::Cpu, 1).unwrap();
    let options = ResidentOptions {
        kv_dtype: KvDtype::F16,
        kv_pages: 1,
        max_rows: 1,
        max_logit_rows: 1,
        head: Head::default(),
    };
    let resident = Resident::load(&file, lane.as_mut(), options, &mut |_, _| true).unwrap();
    resident.unload(lane.as_mut());
}

#[test]
fn weights_that_are_not_numbers_fail_the_generation_and_not_the_engine() {
    for tensor in ["output_norm.weight", "blk.0.attn_norm.weight", "blk.1.ffn_sub_norm.weight"] {
        for value in [f32::NAN, f32::INFINITY] {
            let sample = Sample::gguf(TensorType::Tq2_0);
            let at = sample.find(tensor).start;
            let mut bytes = sample.bytes.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            sample.replace(&bytes);
            let engine = engine(0);
            load(&engine, &sample.path).unwrap();
            for _ in 0..2 {
                let last = last_event(&engine, vec![1, 2, 3]);
                assert!(
                    matches!(last, Event::Failed(GenerateError::NotFinite { .. })),
                    "{tensor} {value}: {last:?}"
                );
            }
            engine.shutdown();
        }
    }
}

#[test]
fn model_larger_than_the_memory_budget_is_refused() {
    let sample = Sample::gguf(TensorType::Tq2_0);
    let engine = engine(100_000);
    let error = load(&engine, &sample.path).unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
    assert!(engine.status().models.is_empty());
    assert_eq!(engine.status().memory_used_bytes, 0);
    engine.shutdown();
}

#[test]
fn ids_outside_the_vocabulary_and_prompts_beyond_the_context_are_refused() {
    let sample = Sample::gguf(TensorType::Tq2_0);
    let engine = engine(0);
    let status = load(&engine, &sample.path).unwrap();
    let last = last_event(&engine, vec![1, u32::MAX]);
    assert!(matches!(last, Event::Failed(GenerateError::Invalid(_))), "{last:?}");
    let last = last_event(&engine, vec![1; status.context + 1]);
    assert!(matches!(last, Event::Failed(GenerateError::PromptTooLong { .. })), "{last:?}");
    let last = last_event(&engine, Vec::new());
    assert!(matches!(last, Event::Failed(GenerateError::EmptyPrompt)), "{last:?}");
    engine.shutdown();
}
