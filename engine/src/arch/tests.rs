//! Every family on a tiny model with made-up weights, and what happens to files that do not suit their graph.
//! That the graphs compute what other implementations compute is shown in `engine/tests`.

use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::lane::PAGE_POSITIONS;
use crate::lane::reference::ReferenceLane;
use crate::model::write::{GgufValue, GgufWriter};
use crate::model::{Family, ModelFile, TensorType, open, open_bytes};
use crate::quant::tests::SplitMix;
use crate::quant::{legacy, tq2_0};
use crate::telemetry::{Phase, PhaseTotals, Telemetry};

const FAMILIES: [Family; 4] = [Family::Llama, Family::Qwen3, Family::BitNet, Family::BitNetB158];
const LAYERS: usize = 2;
const HIDDEN: usize = 256;
const FFN: usize = 512;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 64;
const VOCAB: usize = 40;
const OPTIONS: ResidentOptions = ResidentOptions {
    kv_dtype: KvDtype::F16,
    kv_pages: 8,
    max_rows: 32,
    max_logit_rows: 32,
    head: Head::Screened,
};

struct Tensor {
    name: String,
    ty: TensorType,
    rows: usize,
    cols: usize,
    data: Vec<u8>,
}

impl Tensor {
    fn f32(name: impl Into<String>, rows: usize, cols: usize, value: impl FnMut() -> f32) -> Self {
        let data = std::iter::repeat_with(value).take(rows * cols).flat_map(f32::to_le_bytes).collect();
        Tensor { name: name.into(), ty: TensorType::F32, rows, cols, data }
    }

    fn ternary(name: String, rows: usize, cols: usize, scale: f32, random: &mut SplitMix) -> Self {
        let trits: Vec<i8> = (0..rows * cols).map(|_| (random.real() * 1.5).round() as i8).collect();
        let mut data = Vec::new();
        tq2_0::pack(&trits, half::f16::from_f32(scale), &mut data);
        Tensor { name, ty: TensorType::Tq2_0, rows, cols, data }
    }
}

/// A tiny model of one family, to be changed by a test and turned into a file.
struct Tiny {
    arch: &'static str,
    keys: Vec<(&'static str, GgufValue)>,
    tensors: Vec<Tensor>,
}

impl Tiny {
    fn new(family: Family) -> Self {
        let (arch, norms): (_, &[(&str, usize)]) = match family {
            Family::Llama => ("llama", &[]),
            Family::Qwen3 => ("qwen3", &[("attn_q_norm", HEAD_DIM), ("attn_k_norm", HEAD_DIM)]),
            Family::BitNet => ("bitnet", &[("attn_sub_norm", HIDDEN), ("ffn_sub_norm", FFN)]),
            Family::BitNetB158 => ("bitnet-b1.58", &[("attn_sub_norm", HIDDEN), ("ffn_sub_norm", FFN)]),
        };
        let linears = [
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", KV_HEADS * HEAD_DIM, HIDDEN),
            ("attn_v", KV_HEADS * HEAD_DIM, HIDDEN),
            ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", FFN, HIDDEN),
            ("ffn_up", FFN, HIDDEN),
            ("ffn_down", HIDDEN, FFN),
        ];
        let mut random = SplitMix(1);
        let mut tensors = vec![Tensor::f32("token_embd.weight", VOCAB, HIDDEN, || random.real())];
        for layer in 0..LAYERS {
            for (name, len) in [("attn_norm", HIDDEN), ("ffn_norm", HIDDEN)].iter().chain(norms) {
                let name = format!("blk.{layer}.{name}.weight");
                tensors.push(Tensor::f32(name, 1, *len, || 1.0 + 0.5 * random.real()));
            }
            for (name, rows, cols) in linears {
                let name = format!("blk.{layer}.{name}.weight");
                tensors.push(Tensor::ternary(name, rows, cols, 0.0625, &mut random));
            }
        }
        tensors.push(Tensor::f32("output_norm.weight", 1, HIDDEN, || 1.0 + 0.5 * random.real()));
        let keys = vec![
            ("context_length", 512u32.into()),
            ("embedding_length", (HIDDEN as u32).into()),
            ("block_count", (LAYERS as u32).into()),
            ("feed_forward_length", (FFN as u32).into()),
            ("attention.head_count", (HEADS as u32).into()),
            ("attention.head_count_kv", (KV_HEADS as u32).into()),
            ("attention.layer_norm_rms_epsilon", 1e-5f32.into()),
            ("rope.freq_base", 10000.0f32.into()),
        ];
        Tiny { arch, keys, tensors }
    }

    fn with(mut self, tensor: Tensor) -> Self {
        self.tensors.push(tensor);
        self
    }

    fn get(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new(self.arch);
        for (key, value) in &self.keys {
            writer.key(format!("{}.{key}", self.arch), value.clone());
        }
        for tensor in &self.tensors {
            writer.tensor(&tensor.name, tensor.ty, tensor.rows, tensor.cols).unwrap();
        }
        let mut data = self.tensors.iter().map(|tensor| &tensor.data);
        writer.write(Vec::new(), |_, out| out.write_all(data.next().unwrap())).unwrap()
    }

    fn file(&self) -> ModelFile {
        open_bytes(Path::new("tiny.gguf"), self.bytes(), None).unwrap()
    }

    fn run(&self) -> Running {
        self.run_with(OPTIONS)
    }

    fn run_with(&self, options: ResidentOptions) -> Running {
        let mut lane = ReferenceLane::new();
        let resident = Resident::load(&self.file(), &mut lane, options, &mut |_, _| true).unwrap();
        Running { lane, resident, telemetry: Telemetry::default() }
    }

    /// The error of a load, after checking that it left nothing in the lane.
    fn refused(&self) -> String {
        let mut lane = ReferenceLane::new();
        let mut uploads = 0;
        let result = Resident::load(&self.file(), &mut lane, OPTIONS, &mut |_, _| {
            uploads += 1;
            true
        });
        let Err(err) = result else { panic!("the file was accepted") };
        assert_eq!((uploads, lane.held()), (0, 0), "{err}");
        err.to_string()
    }
}

struct Running {
    lane: ReferenceLane,
    resident: Resident,
    telemetry: Telemetry,
}

/// A token of a sequence: pages, position, id.
type Token<'a> = (&'a [u32], u32, u32);

impl Running {
    /// Logits of every token.
    fn forward(&mut self, tokens: &[Token<'_>]) -> Vec<f32> {
        let rows: Vec<Row<'_>> = tokens.iter().map(|&(pages, position, _)| Row { pages, position }).collect();
        let ids: Vec<u32> = tokens.iter().map(|&(_, _, id)| id).collect();
        let logit_rows: Vec<usize> = (0..rows.len()).collect();
        let batch = Batch { tokens: &ids, rows: &rows, logit_rows: &logit_rows, wanted: &[] };
        self.resident.forward(&mut self.lane, &batch, &self.telemetry).unwrap().to_vec()
    }

    fn text(&mut self, ids: &[u32]) -> Vec<f32> {
        let tokens: Vec<Token<'_>> =
            ids.iter().enumerate().map(|(position, &id)| (&[0][..], position as u32, id)).collect();
        self.forward(&tokens)
    }

    fn phase(&self, phase: Phase) -> PhaseTotals {
        self.telemetry.totals()[phase as usize]
    }
}

const TEXT: [u32; 5] = [7, 39, 0, 21, 7];

fn nmse(found: &[f32], expected: &[f32]) -> f64 {
    let error: f64 = found.iter().zip(expected).map(|(f, e)| f64::from(f - e).powi(2)).sum();
    error / expected.iter().map(|&e| f64::from(e).powi(2)).sum::<f64>()
}

#[test]
fn batches_of_any_mix_give_the_bits_of_single_steps() {
    // Two sequences with interleaved pages; the first crosses a page boundary.
    let n = PAGE_POSITIONS as u32 + 3;
    let first: Vec<Token<'_>> = (0..n).map(|at| (&[5, 2][..], at, at % VOCAB as u32)).collect();
    let second: Vec<Token<'_>> = (0..4).map(|at| (&[4][..], at, 39 - at)).collect();
    for family in FAMILIES {
        let tiny = Tiny::new(family);
        let mut running = tiny.run();
        let single = |tokens: &[Token<'_>], running: &mut Running| -> Vec<f32> {
            tokens.iter().flat_map(|&token| running.forward(&[token])).collect()
        };
        let (first_alone, second_alone) = (single(&first, &mut running), single(&second, &mut running));
        assert!(first_alone.iter().all(|x| x.is_finite()));
        assert_ne!(first_alone[..VOCAB], second_alone[..VOCAB]);

        let mut running = tiny.run();
        let mut found = running.forward(&first[..30]);
        let mixed = [&second[..2], &first[30..32], &second[2..3], &first[32..58]].concat();
        let logits: Vec<Vec<f32>> = running.forward(&mixed).chunks(VOCAB).map(<[f32]>::to_vec).collect();
        found.extend([&logits[2..4], &logits[5..]].concat().concat());
        let last = [&first[58..], &second[3..]].concat();
        let last = running.forward(&last);
        found.extend(&last[..last.len() - VOCAB]);
        let found_second = [&logits[..2], &logits[4..5], &[last[last.len() - VOCAB..].to_vec()]].concat();
        assert_eq!(found, first_alone, "{family:?}");
        assert_eq!(found_second.concat(), second_alone, "{family:?}");
    }
}

#[test]
fn only_the_rows_that_ask_get_logits() {
    let mut running = Tiny::new(Family::BitNetB158).run();
    let all = running.text(&TEXT);
    let rows: Vec<Row<'_>> = (0..5).map(|position| Row { pages: &[1], position }).collect();
    let Running { lane, resident, telemetry } = &mut running;
    let batch = Batch { tokens: &TEXT, rows: &rows, logit_rows: &[1, 4], wanted: &[] };
    let some = resident.forward(lane, &batch, telemetry).unwrap();
    assert_eq!(some, [&all[VOCAB..2 * VOCAB], &all[4 * VOCAB..]].concat());
    let batch = Batch { logit_rows: &[], ..batch };
    assert!(resident.forward(lane, &batch, telemetry).unwrap().is_empty());
}

#[test]
fn every_weight_of_every_family_matters() {
    for family in FAMILIES {
        let plain = Tiny::new(family).run().text(&TEXT);
        for index in 0..Tiny::new(family).tensors.len() {
            let mut changed = Tiny::new(family);
            let tensor = &mut changed.tensors[index];
            // Half of a vector or embedding changes its sign; a block's trits are turned round.
            let half = tensor.data.len() / 2;
            match tensor.ty {
                TensorType::F32 => tensor.data[..half].chunks_mut(4).for_each(|x| x[3] ^= 0x80),
                _ => tensor.data.chunks_mut(66).for_each(|block| block[65] ^= 0x80),
            }
            let name = changed.tensors[index].name.clone();
            assert!(nmse(&changed.run().text(&TEXT), &plain) > 1e-4, "{family:?}: {name} does not matter");
        }
    }
}

#[test]
fn ternary_weights_of_bitnets_see_int8_and_dense_ones_see_floats() {
    for (family, rounds) in [(Family::BitNetB158, true), (Family::BitNet, true), (Family::Llama, false)] {
        let ternary = Tiny::new(family);
        let mut dense = Tiny::new(family);
        for name in ["blk.0.attn_v.weight", "blk.1.ffn_down.weight"] {
            let file = ternary.file();
            let view = file.tensor(name).unwrap();
            let mut row = vec![0.0; view.cols];
            let mut values = Vec::new();
            for r in 0..view.rows {
                view.dequantize_row(r, &mut row);
                values.extend_from_slice(&row);
            }
            let mut values = values.into_iter();
            *dense.get(name) = Tensor::f32(name, view.rows, view.cols, || values.next().unwrap());
        }
        let (ternary, dense) = (ternary.run().text(&TEXT), dense.run().text(&TEXT));
        assert_eq!(ternary != dense, rounds, "{family:?}");
        let error = nmse(&dense, &ternary);
        assert!(error < 1e-3, "{family:?}: {error}");
    }
}

#[test]
fn linear_scales_of_the_first_bitnets_multiply_their_output() {
    let plain = Tiny::new(Family::BitNet).run().text(&TEXT);
    let mut scaled = Tiny::new(Family::BitNet);
    for (name, scale) in [("blk.0.ffn_down", 2.0f32), ("blk.1.attn_q", 0.5), ("blk.1.attn_output", 4.0)] {
        let weight = scaled.get(&format!("{name}.weight"));
        let d = half::f16::from_f32(0.0625 / scale).to_le_bytes();
        weight.data.chunks_mut(66).for_each(|block| block[64..].copy_from_slice(&d));
        scaled.tensors.push(Tensor::f32(format!("{name}.scale"), 1, 1, || scale));
    }
    assert_eq!(scaled.run().text(&TEXT), plain);
}

#[test]
fn a_head_of_its_own_replaces_the_embedding() {
    for family in [Family::Llama, Family::Qwen3, Family::BitNetB158] {
        let mut tiny = Tiny::new(family);
        let tied = tiny.run().text(&TEXT);
        let data = tiny.get("token_embd.weight").data.clone();
        let mut head = Tensor::f32("output.weight", VOCAB, HIDDEN, || 0.0);
        head.data = data;
        let mut own = tiny.with(head);
        assert_eq!(own.run().text(&TEXT), tied, "{family:?}");
        own.get("output.weight").data.fill(0);
        assert!(own.run().text(&TEXT).iter().all(|&x| x == 0.0), "{family:?}");
    }
}

#[test]
fn a_four_bit_head_is_the_head_that_a_file_would_have_at_four_bits() {
    let options = ResidentOptions { head: Head::FourBit, ..OPTIONS };
    for family in [Family::Llama, Family::Qwen3, Family::BitNetB158] {
        let mut tiny = Tiny::new(family);
        let exact = tiny.run().text(&TEXT);
        let mut running = tiny.run_with(options);
        let (tied, tied_bytes) = (running.text(&TEXT), running.resident.weight_bytes());
        let (values, _) = tiny.get("token_embd.weight").data.as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let mut data = Vec::new();
        legacy::pack_q4_0(&values, &mut data);
        let (name, ty) = ("output.weight".to_owned(), TensorType::Q4_0);
        let mut stored = tiny.with(Tensor { name, ty, rows: VOCAB, cols: HIDDEN, data }).run();
        assert_eq!(stored.text(&TEXT), tied, "{family:?}");
        assert_eq!(stored.resident.weight_bytes(), tied_bytes, "{family:?}");
        let error = nmse(&tied, &exact);
        assert!((1e-4..2e-2).contains(&error), "{family:?}: {error}");
    }
}

#[test]
fn rope_factors_of_a_llama_divide_its_frequencies() {
    let freqs = |value: f32| Tensor::f32("rope_freqs.weight", 1, HEAD_DIM / 2, move || value);
    let plain = Tiny::new(Family::Llama).run().text(&TEXT);
    assert_eq!(Tiny::new(Family::Llama).with(freqs(1.0)).run().text(&TEXT), plain);
    let mut linear = Tiny::new(Family::Llama);
    linear.keys.push(("rope.scaling.type", "linear".into()));
    linear.keys.push(("rope.scaling.factor", 8.0f32.into()));
    let linear = linear.run().text(&TEXT);
    assert_ne!(linear, plain);
    assert_eq!(Tiny::new(Family::Llama).with(freqs(8.0)).run().text(&TEXT), linear);
    for bad in [0.0, -1.0, f32::NAN] {
        let err = Tiny::new(Family::Llama).with(freqs(bad)).refused();
        assert!(err.contains("rope_freqs.weight: expected finite values above zero"), "{err}");
    }
}

#[test]
fn tensors_that_the_graph_would_ignore_are_refused_by_name() {
    let extras = [
        (Family::Llama, "blk.1.attn_q.scale"),
        (Family::Llama, "blk.0.attn_sub_norm.weight"),
        (Family::Llama, "blk.2.attn_norm.weight"),
        (Family::Qwen3, "rope_freqs.weight"),
        (Family::BitNet, "blk.0.attn_q_norm.weight"),
        (Family::BitNetB158, "blk.0.ffn_down.scale"),
        (Family::BitNetB158, "cls.weight"),
    ];
    for (family, name) in extras {
        let err = Tiny::new(family).with(Tensor::f32(name, 1, 1, || 1.0)).refused();
        assert!(err.contains("tiny.gguf") && err.contains(name) && err.contains("does not use"), "{err}");
    }
}

#[test]
fn misshapen_and_missing_tensors_are_refused_by_name() {
    for family in FAMILIES {
        let names: Vec<String> = Tiny::new(family).tensors.into_iter().map(|t| t.name).collect();
        for name in names.iter().filter(|name| *name != "token_embd.weight") {
            let mut tiny = Tiny::new(family);
            let tensor = tiny.get(name);
            let (rows, cols) = (tensor.rows + 1, tensor.cols);
            *tensor = Tensor::f32(name, rows, cols, || 0.0);
            let err = tiny.refused();
            let expected = format!("{name}: expected shape [{}, {cols}], found [{rows}, {cols}]", rows - 1);
            assert!(err.contains(&expected), "{err}");

            let mut tiny = Tiny::new(family);
            tiny.tensors.retain(|tensor| tensor.name != *name);
            let err = tiny.refused();
            assert!(err.contains(name.as_str()) && err.contains("no such tensor"), "{err}");
        }
    }
}

#[test]
fn absurd_numbers_are_refused_by_tensor_before_anything_is_allocated() {
    // More layers than tensors are refused when the file is opened.
    for (key, value, tensor) in [
        ("feed_forward_length", 0x7FFF_FFFEu32, "blk.0.ffn_gate.weight"),
        ("attention.head_count", 0x7FFF_FFFE, "blk.0.attn_q.weight"),
        ("block_count", 3, "blk.2.attn_norm.weight"),
    ] {
        let mut tiny = Tiny::new(Family::Llama);
        tiny.keys.retain(|(name, _)| *name != key);
        tiny.keys.push((key, value.into()));
        tiny.keys.push(("attention.key_length", (HEAD_DIM as u32).into()));
        let err = tiny.refused();
        assert!(err.contains(tensor), "{err}");
    }
    // A long context costs nothing until pages are asked for.
    let mut tiny = Tiny::new(Family::Llama);
    tiny.keys.retain(|(name, _)| *name != "context_length");
    tiny.keys.push(("context_length", 0x7FFF_FFFFu32.into()));
    tiny.run().text(&TEXT);
}

#[test]
fn progress_ends_at_the_total_and_cancelling_frees_everything() {
    let file = Tiny::new(Family::Qwen3).file();
    let bytes: usize = file.tensors().map(|tensor| tensor.data.len()).sum();
    let mut lane = ReferenceLane::new();
    let mut steps = Vec::new();
    let resident = Resident::load(&file, &mut lane, OPTIONS, &mut |done, total| {
        steps.push((done, total));
        true
    });
    let resident = resident.unwrap();
    assert_eq!(steps.len(), file.tensors().count());
    assert!(steps.is_sorted() && steps.iter().all(|&(_, total)| total == bytes as u64));
    assert_eq!(steps.last(), Some(&(bytes as u64, bytes as u64)));
    assert_eq!(resident.weight_bytes(), bytes);
    assert!(lane.held() > 0);
    resident.unload(&mut lane);
    assert_eq!(lane.held(), 0);

    for stop_at in [1, 5, steps.len()] {
        let mut calls = 0;
        let result = Resident::load(&file, &mut lane, OPTIONS, &mut |_, _| {
            calls += 1;
            calls < stop_at
        });
        assert!(matches!(result, Err(ResidentError::Cancelled)));
        assert_eq!((calls, lane.held()), (stop_at, 0));
    }
}

#[test]
fn too_large_a_cache_is_an_error_that_frees_everything() {
    let mut lane = ReferenceLane::new();
    let options = ResidentOptions { kv_pages: 1 << 40, ..OPTIONS };
    let result = Resident::load(&Tiny::new(Family::Llama).file(), &mut lane, options, &mut |_, _| true);
    assert!(matches!(result, Err(ResidentError::Lane(LaneError::OutOfMemory { .. }))));
    assert_eq!(lane.held(), 0);
}

#[test]
fn a_file_cut_while_it_is_open_is_an_error_that_frees_everything() {
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    on_disk.write_all(&Tiny::new(Family::BitNetB158).bytes()).unwrap();
    let file = open(on_disk.path()).unwrap();
    on_disk.as_file().set_len(8192).unwrap();
    let mut lane = ReferenceLane::new();
    let result = Resident::load(&file, &mut lane, OPTIONS, &mut |_, _| true);
    assert!(matches!(result, Err(ResidentError::File(LoadError::Cut { .. }))));
    assert_eq!(lane.held(), 0);
}

#[test]
fn ids_outside_the_vocabulary_are_an_error() {
    let mut running = Tiny::new(Family::Llama).run();
    let rows = [Row { pages: &[0], position: 0 }];
    let batch = Batch { tokens: &[VOCAB as u32], rows: &rows, logit_rows: &[], wanted: &[] };
    let err = running.resident.forward(&mut running.lane, &batch, &running.telemetry).unwrap_err();
    assert_eq!(err.to_string(), "token_embd.weight: expected ids below 40, found 40");
}

#[test]
fn telemetry_counts_calls_weight_bytes_and_cache_bytes() {
    let mut running = Tiny::new(Family::BitNetB158).run();
    running.text(&TEXT);
    assert!(running.telemetry.totals().iter().all(|t| t.calls == 0), "off counts nothing");
    running.telemetry.set_on(true);
    running.text(&TEXT);
    let layers = LAYERS as u64;
    for (phase, calls) in [
        (Phase::Norm, 4 * layers + 1),
        (Phase::Qkv, layers),
        (Phase::Attention, layers),
        (Phase::O, layers),
        (Phase::GateUp, 2 * layers),
        (Phase::Down, layers),
        (Phase::LmHead, 1),
        (Phase::Sampling, 0),
    ] {
        assert_eq!(running.phase(phase).calls, calls, "{}", phase.name());
    }
    // Positions 0..5 read 1 + 2 + 3 + 4 + 5 positions of K and V in f16.
    let position_bytes = (2 * LAYERS * KV_HEADS * HEAD_DIM * 2) as u64;
    assert_eq!(running.phase(Phase::Attention).bytes, 15 * position_bytes);
    assert_eq!(running.phase(Phase::O).bytes, layers * (HIDDEN * HIDDEN / 256 * 66) as u64);
    assert_eq!(running.phase(Phase::LmHead).bytes, (VOCAB * HIDDEN * 4) as u64);
    let weights: u64 = running.telemetry.totals().iter().map(|t| t.bytes).sum::<u64>() - 15 * position_bytes;
    assert_eq!(weights, running.resident.bytes_per_token() as u64);
}

#[test]
fn key_norms_tell_which_positions_are_cached() {
    for kv_dtype in [KvDtype::F16, KvDtype::Int8] {
        let mut running = Tiny::new(Family::Qwen3).run_with(ResidentOptions { kv_dtype, ..OPTIONS });
        running.text(&TEXT);
        for layer in 0..LAYERS {
            for offset in 0..TEXT.len() + 1 {
                let norm = running.resident.key_norm(&running.lane, layer, 0, offset);
                assert_eq!(norm > 1.0, offset < TEXT.len(), "{kv_dtype:?}: {norm} at {offset}");
            }
        }
    }
}

#[test]
fn an_int8_cache_changes_logits_a_little() {
    let text: Vec<u32> = (0..20).map(|i| i * 7 % VOCAB as u32).collect();
    for family in FAMILIES {
        let tiny = Tiny::new(family);
        let f16 = tiny.run().text(&text);
        let int8 = tiny.run_with(ResidentOptions { kv_dtype: KvDtype::Int8, ..OPTIONS }).text(&text);
        let error = nmse(&int8, &f16);
        assert!(error > 0.0 && error < 1e-3, "{family:?}: {error}");
    }
}
