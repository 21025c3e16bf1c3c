//! Independent check: the starter model against the trainer's own PyTorch graph (f32, exact integer linears).
//!
//! `golden/starter.json` has, for six prompts, the token ids, the eight best logits at each position and greedy tokens (they
//! stop after id 2); `golden/starter-last.i16` has all logits of each prompt's last position, as little-endian i16 in units of
//! 1/1024. `golden/moby-16384.u16` has the first 16,384 token ids of Moby Dick; that graph's perplexity on them is 103.238 (windows
//! of 1024, each afresh, every token after the first scored).
//!
//! Rounding activations to int8 amplifies float noise: changing the embedding by 1e-7 moves logits by up to 0.3. Hence the
//! tolerances: logits 0.05 in the mean and 0.5 at most, the best token wherever the golden gap to the second exceeds 0.3,
//! perplexity 0.3 %.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and shows what it measured")]

use std::path::PathBuf;

use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::{self, KvDtype, Lane, LaneChoice, PAGE_POSITIONS, Row};
use onebit_engine::model;
use onebit_engine::telemetry::Telemetry;

const MEAN_TOLERANCE: f64 = 0.05;
const MAX_TOLERANCE: f64 = 0.5;
const GAP: f32 = 0.3;
const GOLDEN_PERPLEXITY: f64 = 103.238;
const WINDOW: usize = 1024;
/// Rows of one forward call while scoring.
const CHUNK: usize = 128;

#[derive(serde::Deserialize)]
struct Prompt {
    ids: Vec<u32>,
    top_ids: Vec<Vec<usize>>,
    top_logits: Vec<Vec<f32>>,
    greedy: Vec<u32>,
    #[serde(skip)]
    last_logits: Vec<f32>,
}

fn golden_file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn golden_prompts() -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = serde_json::from_slice(&golden_file("starter.json")).unwrap();
    let last = golden_file("starter-last.i16");
    let (last, rest) = last.as_chunks::<2>();
    assert!(rest.is_empty());
    let per_prompt = last.len() / prompts.len();
    for (prompt, last) in prompts.iter_mut().zip(last.chunks(per_prompt)) {
        prompt.last_logits = last.iter().map(|&x| f32::from(i16::from_le_bytes(x)) / 1024.0).collect();
    }
    prompts
}

/// The starter in a lane, with room for one sequence.
struct Starter {
    lane: Box<dyn Lane>,
    resident: Resident,
    pages: Vec<u32>,
    vocab: usize,
}

impl Starter {
    fn open(lane: LaneChoice, threads: usize, kv_dtype: KvDtype, max_rows: usize) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
        let file = model::open(&path).unwrap();
        let mut lane = lane::open(lane, threads).unwrap();
        let kv_pages = WINDOW / PAGE_POSITIONS;
        let options =
            ResidentOptions { kv_dtype, kv_pages, max_rows, max_logit_rows: max_rows, head: Head::default() };
        let resident = Resident::load(&file, lane.as_mut(), options, &mut |_, _| true).unwrap();
        // Backwards, so that pages out of order are exercised.
        let pages = (0..kv_pages as u32).rev().collect();
        Starter { lane, resident, pages, vocab: file.config().vocab }
    }

    /// Logits `[tokens.len(), vocab]` of tokens that stand at `start..`.
    fn forward(&mut self, start: usize, tokens: &[u32]) -> &[f32] {
        let rows: Vec<Row<'_>> = (start..start + tokens.len())
            .map(|position| Row { pages: &self.pages, position: position as u32 })
            .collect();
        let logit_rows: Vec<usize> = (0..tokens.len()).collect();
        let batch = Batch { tokens, rows: &rows, logit_rows: &logit_rows, wanted: &[] };
        self.resident.forward(self.lane.as_mut(), &batch, &Telemetry::default()).unwrap()
    }

    /// As `forward`, in chunks.
    fn forward_chunks(&mut self, tokens: &[u32], chunk: usize) -> Vec<f32> {
        let mut logits = Vec::new();
        for (i, tokens) in tokens.chunks(chunk).enumerate() {
            logits.extend_from_slice(self.forward(i * chunk, tokens));
        }
        logits
    }
}

/// Differences between found and golden logits.
#[derive(Default)]
struct Error {
    count: usize,
    sum: f64,
    max: f64,
}

impl Error {
    fn add(&mut self, found: f32, golden: f32) {
        let error = f64::from((found - golden).abs());
        assert!(error.is_finite(), "logit {found}");
        self.count += 1;
        self.sum += error;
        self.max = self.max.max(error);
    }

    fn assert_small(&self, what: &str) {
        let mean = self.sum / self.count as f64;
        println!("{what}: {} logits, error {mean:.5} in the mean, {:.5} at most", self.count, self.max);
        assert!(mean < MEAN_TOLERANCE && self.max < MAX_TOLERANCE, "{what}: mean {mean}, max {}", self.max);
    }
}

/// Lowest index of the largest value.
fn argmax(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}

/// What was compared, so that a test can assert that it compared something.
#[derive(Default)]
struct Compared {
    positions: usize,
    /// Positions whose golden gap exceeds [`GAP`], where the best token had to be equal.
    decided: usize,
    /// Positions whose best token is equal, decided or not.
    equal: usize,
    top: Error,
    last: Error,
    greedy: usize,
    greedy_equal: usize,
}

impl Compared {
    /// Compares one prompt, prefilled in chunks; returns the logits of its last position.
    fn prompt(&mut self, starter: &mut Starter, prompt: &Prompt, chunk: usize) -> Vec<f32> {
        let logits = starter.forward_chunks(&prompt.ids, chunk);
        for (position, logits) in logits.chunks(starter.vocab).enumerate() {
            let (ids, golden) = (&prompt.top_ids[position], &prompt.top_logits[position]);
            let best = argmax(logits);
            self.positions += 1;
            self.equal += usize::from(best == ids[0]);
            if golden[0] - golden[1] > GAP {
                self.decided += 1;
                assert_eq!(best, ids[0], "best token at position {position} of {:?}", prompt.ids);
            }
            ids.iter().zip(golden).for_each(|(&id, &golden)| self.top.add(logits[id], golden));
        }
        let last = &logits[logits.len() - starter.vocab..];
        assert_eq!(last.len(), prompt.last_logits.len());
        last.iter().zip(&prompt.last_logits).for_each(|(&found, &golden)| self.last.add(found, golden));
        last.to_vec()
    }

    /// Feeds the golden tokens. The golden file has no gaps here, so a token that is not the best must be a near tie.
    fn greedy(&mut self, starter: &mut Starter, prompt: &Prompt, mut logits: Vec<f32>) {
        for (i, &token) in prompt.greedy.iter().enumerate() {
            let best = argmax(&logits);
            let behind = logits[best] - logits[token as usize];
            assert!(behind < GAP, "greedy token {i} of {:?} is {behind} behind {best}", prompt.ids);
            self.greedy += 1;
            self.greedy_equal += usize::from(best == token as usize);
            logits = starter.forward(prompt.ids.len() + i, &[token]).to_vec();
        }
    }

    fn report(&self, what: &str) {
        println!(
            "{what}: best token equal at {} of {} positions ({} decided), greedy {} of {}",
            self.equal, self.positions, self.decided, self.greedy_equal, self.greedy
        );
        self.top.assert_small(what);
        self.last.assert_small(what);
    }
}

#[test]
fn reference_lane_gives_the_trainers_logits() {
    let mut starter = Starter::open(LaneChoice::Reference, 1, KvDtype::F16, 32);
    let mut compared = Compared::default();
    for (i, prompt) in golden_prompts().iter().enumerate() {
        let last = compared.prompt(&mut starter, prompt, 32);
        // Single steps are slow here, so two continuations stand for six.
        if [0, 5].contains(&i) {
            compared.greedy(&mut starter, prompt, last);
        }
    }
    compared.report("reference lane");
    assert_eq!((compared.positions, compared.greedy), (152, 40));
}

#[test]
fn cpu_lane_gives_the_trainers_logits() {
    let mut starter = Starter::open(LaneChoice::Cpu, 2, KvDtype::F16, 32);
    let mut compared = Compared::default();
    for prompt in &golden_prompts() {
        let last = compared.prompt(&mut starter, prompt, 32);
        compared.greedy(&mut starter, prompt, last);
    }
    compared.report("CPU lane");
    assert_eq!((compared.positions, compared.greedy), (152, 168));
}

#[test]
fn cpu_lane_gives_the_same_bits_at_any_thread_count_and_chunk() {
    let prompt = &golden_prompts()[1].ids;
    for kv_dtype in [KvDtype::F16, KvDtype::Int8] {
        let mut expected = None;
        for threads in [1, 2] {
            let mut starter = Starter::open(LaneChoice::Cpu, threads, kv_dtype, 32);
            for chunk in [1, 5, 32] {
                let logits = starter.forward_chunks(prompt, chunk);
                let bits: Vec<u32> = logits.iter().map(|x| x.to_bits()).collect();
                let expected = expected.get_or_insert_with(|| bits.clone());
                assert!(bits == *expected, "{kv_dtype:?}, {threads} threads, chunks of {chunk}");
            }
        }
    }
}

/// Negative log-likelihoods of every token after the first of each window, summed, and their number.
fn score(starter: &mut Starter, ids: &[u32]) -> (f64, usize) {
    let mut sum = 0.0;
    let mut count = 0;
    for window in ids.chunks(WINDOW) {
        for (chunk, tokens) in window.chunks(CHUNK).enumerate() {
            let start = chunk * CHUNK;
            let vocab = starter.vocab;
            let logits = starter.forward(start, tokens);
            for (logits, &next) in logits.chunks(vocab).zip(&window[start + 1..]) {
                let max = f64::from(logits[argmax(logits)]);
                let total: f64 = logits.iter().map(|&x| (f64::from(x) - max).exp()).sum();
                sum += total.ln() + max - f64::from(logits[next as usize]);
                count += 1;
            }
        }
    }
    (sum, count)
}

fn moby_ids() -> Vec<u32> {
    golden_file("moby-16384.u16").as_chunks().0.iter().map(|&x| u32::from(u16::from_le_bytes(x))).collect()
}

#[test]
fn perplexity_of_moby_dick_is_that_of_the_trainers_graph() {
    let mut starter = Starter::open(LaneChoice::Cpu, 0, KvDtype::F16, CHUNK);
    let (sum, count) = score(&mut starter, &moby_ids());
    let perplexity = (sum / count as f64).exp();
    println!("perplexity {perplexity:.4} over {count} tokens");
    assert_eq!(count, 16 * (WINDOW - 1));
    assert!((perplexity / GOLDEN_PERPLEXITY - 1.0).abs() < 0.003, "{perplexity}");
}

#[test]
fn int8_cache_keeps_the_perplexity_within_half_a_percent() {
    let ids = &moby_ids()[..2 * WINDOW];
    let [f16, int8] = [KvDtype::F16, KvDtype::Int8].map(|kv_dtype| {
        let (sum, count) = score(&mut Starter::open(LaneChoice::Cpu, 0, kv_dtype, CHUNK), ids);
        assert_eq!(count, 2 * (WINDOW - 1));
        (sum / count as f64).exp()
    });
    println!("perplexity {f16:.4} with an f16 cache, {int8:.4} with int8");
    assert!((int8 / f16 - 1.0).abs() < 0.005, "{f16} became {int8}");
}
