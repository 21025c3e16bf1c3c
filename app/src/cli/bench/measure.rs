//! The timed loops. Ids come from a fixed seed; nothing is sampled.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::cpu::ceiling;
use onebit_engine::lane::{KvDtype, Lane, LaneInfo, PAGE_POSITIONS, Row, Wanted};
use onebit_engine::model::ModelFile;
use onebit_engine::telemetry::Telemetry;
use serde_json::{Value, json};

use super::super::output;

/// Prompt tokens per forward call, as the session layer cuts prompts.
const CHUNK: usize = 256;

/// Largest logits that a step wants: what the application samples from by default.
pub const LARGEST: usize = 40;

/// Buffer of the ceiling: much larger than any cache.
const CEILING_BYTES: usize = 512 << 20;
/// Time for each number of streams, before the tests and after them.
const CEILING_TIME: Duration = Duration::from_millis(150);

/// How a bed is made.
#[derive(Debug, Clone, Copy)]
pub struct BedOptions {
    /// KV storage.
    pub kv_dtype: KvDtype,
    /// The LM head.
    pub head: Head,
    /// Positions of its sequence.
    pub positions: usize,
}

/// A lane, a model resident in it, and one sequence.
pub struct Bed {
    lane: Box<dyn Lane>,
    resident: Resident,
    telemetry: Telemetry,
    pages: Vec<u32>,
    vocab: u32,
    random: u64,
}

impl Bed {
    /// Loads a model.
    ///
    /// # Errors
    /// A broken file, or not enough memory.
    pub fn load(file: &ModelFile, mut lane: Box<dyn Lane>, options: BedOptions) -> Result<Self> {
        let n_pages = options.positions.div_ceil(PAGE_POSITIONS).max(1);
        let options = ResidentOptions {
            kv_dtype: options.kv_dtype,
            kv_pages: n_pages,
            max_rows: CHUNK,
            max_logit_rows: 1,
            head: options.head,
        };
        let resident = Resident::load(file, &mut *lane, options, &mut |done, total| {
            output::progress(&format!("loading {} %", done.saturating_mul(100) / total.max(1)));
            true
        })?;
        let pages = (0..u32::try_from(n_pages)?).collect();
        let vocab = u32::try_from(file.config().vocab)?;
        Ok(Self { lane, resident, telemetry: Telemetry::default(), pages, vocab, random: 1 })
    }

    /// Frees the model.
    pub fn unload(mut self) {
        self.resident.unload(&mut *self.lane);
    }

    /// The lane.
    pub fn info(&self) -> &LaneInfo {
        self.lane.info()
    }

    /// How the LM head came to its logits so far.
    pub fn head_json(&self) -> Value {
        let totals = self.telemetry.head_totals();
        json!({ "screened": totals.screened, "rescored": totals.rescored, "fell_back": totals.fell_back })
    }

    /// Puts `depth` tokens into the context.
    ///
    /// # Errors
    /// The lane failed.
    pub fn fill(&mut self, depth: usize) -> Result<()> {
        self.prompt(0, depth)
    }

    /// Runs a prompt of `tokens` tokens from position `start`, with logits for its last token.
    fn prompt(&mut self, start: usize, tokens: usize) -> Result<()> {
        let end = start + tokens;
        let mut position = start;
        while position < end {
            let n_rows = CHUNK.min(end - position);
            let last = [n_rows - 1];
            self.step(position, n_rows, if position + n_rows == end { &last } else { &[] })?;
            position += n_rows;
        }
        Ok(())
    }

    fn step(&mut self, start: usize, n_rows: usize, logit_rows: &[usize]) -> Result<()> {
        let tokens: Vec<u32> = (0..n_rows).map(|_| self.next_id()).collect();
        let pages = &self.pages;
        let rows: Vec<Row<'_>> = (start..start + n_rows)
            .map(|position| Ok(Row { pages, position: u32::try_from(position)? }))
            .collect::<Result<_>>()?;
        let wanted = &[Wanted::Largest(LARGEST)];
        let batch = Batch { tokens: &tokens, rows: &rows, logit_rows, wanted };
        let logits = self.resident.forward(&mut *self.lane, &batch, &self.telemetry)?;
        // Reading one value keeps a lane honest that works behind the caller's back.
        if logits.first().is_some_and(|logit| !logit.is_finite()) {
            bail!(
                "the model produced numbers that are not finite; the file may be damaged: run `onebit verify`"
            );
        }
        Ok(())
    }

    fn next_id(&mut self) -> u32 {
        // splitmix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let id = (z ^ (z >> 31)) % u64::from(self.vocab);
        u32::try_from(id).expect("a remainder is below its divisor")
    }
}

/// All repetitions of one test at one depth.
pub struct Run {
    /// `pp512`, `tg128`.
    pub test: String,
    /// Tokens in the context before.
    pub depth: usize,
    /// Threads of its lane.
    pub threads: usize,
    /// KV storage: `f16` or `int8`.
    pub kv: &'static str,
    /// What the memory delivers to so many threads, once it was measured.
    pub ceiling: f64,
    /// Bytes that must be read for one token at least: weights (once a forward call) and the KV of earlier positions.
    pub bytes_per_token: f64,
    is_prompt: bool,
    tokens: usize,
    tok_per_sec: Vec<f64>,
}

impl Run {
    /// Plans a test.
    pub fn new(is_prompt: bool, tokens: usize, depth: usize, bed: &Bed) -> Self {
        let calls = if is_prompt { tokens.div_ceil(CHUNK) } else { tokens };
        let weights = bed.resident.bytes_per_token() as f64 * calls as f64 / tokens as f64;
        let mean_depth = depth as f64 + (tokens as f64 - 1.0) / 2.0;
        // Within one call, rows share what they read; a prompt's cost is that of its last row's context, once a call.
        let reads_per_token = if is_prompt { calls as f64 / tokens as f64 } else { 1.0 };
        let kv = bed.resident.kv_shape().bytes_per_position() as f64 * mean_depth * reads_per_token;
        Self {
            test: format!("{}{tokens}", if is_prompt { "pp" } else { "tg" }),
            depth,
            threads: bed.info().threads,
            kv: match bed.resident.kv_shape().dtype {
                KvDtype::F16 => "f16",
                KvDtype::Int8 => "int8",
            },
            ceiling: 0.0,
            bytes_per_token: weights + kv,
            is_prompt,
            tokens,
            tok_per_sec: Vec::new(),
        }
    }

    /// Times one repetition. Later repetitions overwrite the same positions.
    ///
    /// # Errors
    /// The lane failed.
    pub fn add(&mut self, bed: &mut Bed) -> Result<()> {
        let start = Instant::now();
        if self.is_prompt {
            bed.prompt(self.depth, self.tokens)?;
        } else {
            for position in self.depth..self.depth + self.tokens {
                bed.step(position, 1, &[0])?;
            }
        }
        self.tok_per_sec.push(self.tokens as f64 / start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Median speed.
    pub fn median(&self) -> f64 {
        let mut sorted = self.tok_per_sec.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        }
    }

    /// Bytes read a second at the median speed.
    pub fn gb_per_sec(&self) -> f64 {
        self.bytes_per_token * self.median() / 1e9
    }

    /// The JSON of a run.
    pub fn json(&self) -> Value {
        json!({
            "test": self.test,
            "depth": self.depth,
            "threads": self.threads,
            "kv": self.kv,
            "tok_per_sec": self.tok_per_sec,
            "median_tok_per_sec": self.median(),
            "bytes_per_token": self.bytes_per_token.round(),
            "gb_per_sec": self.gb_per_sec(),
            "read_gb_per_sec_ceiling": self.ceiling,
        })
    }
}

/// What the memory delivers when it is only read: GB/s of the best of 1, 2, 4 and 8 streams a thread.
///
/// # Errors
/// The buffer or the threads could not be had.
pub fn read_gb_per_sec_ceiling(threads: usize) -> Result<f64> {
    let speeds = ceiling::measure(threads, CEILING_BYTES, CEILING_TIME)?;
    Ok(speeds.iter().map(|speed| speed.gb_per_sec).fold(0.0, f64::max))
}
