//! Where a token's time goes, for one model file: `cargo run --release -p onebit-engine --example decode_profile -- MODEL
//! [--threads N] [--depth D] [--tokens T] [--prompt P] [--int8-kv] [--hog]`.
//!
//! Prints tokens a second, microseconds a token for each phase with the GB/s it read, and what the phases leave over, of decoding
//! and before it of a prompt of P tokens. `--hog` runs decoding beside a process that keeps one core busy, and says what share
//! of the fair speed was kept.

#![expect(clippy::print_stdout, reason = "a table for the person who runs it")]

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::{self, KvDtype, Lane, LaneChoice, PAGE_POSITIONS, Row, Wanted};
use onebit_engine::model;
use onebit_engine::telemetry::Telemetry;

/// There is one answer to a failure: say it and stop.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Prompt tokens in one forward call.
const CHUNK: usize = 256;
/// Logits that a sampler looks at.
const LARGEST: usize = 40;
/// Argument that turns this program into the busy process.
const SPIN: &str = "--spin";

struct Options {
    model: String,
    threads: usize,
    depth: usize,
    tokens: usize,
    /// Tokens of the prompt that is profiled; 0 for none.
    prompt: usize,
    kv_dtype: KvDtype,
    hog: bool,
}

fn options() -> Result<Options> {
    let mut options = Options {
        model: String::new(),
        threads: 0,
        depth: 0,
        tokens: 128,
        prompt: 0,
        kv_dtype: KvDtype::F16,
        hog: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--threads" => options.threads = value()?.parse()?,
            "--depth" => options.depth = value()?.parse()?,
            "--tokens" => options.tokens = value()?.parse()?,
            "--prompt" => options.prompt = value()?.parse()?,
            "--int8-kv" => options.kv_dtype = KvDtype::Int8,
            "--hog" => options.hog = true,
            _ => options.model = argument,
        }
    }
    if options.model.is_empty() {
        return Err("which model file?".into());
    }
    Ok(options)
}

/// A process that keeps one core busy until it is dropped.
struct Hog(Child);

impl Hog {
    fn start() -> Result<Self> {
        Ok(Self(Command::new(std::env::current_exe()?).arg(SPIN).spawn()?))
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        // It is busy for ever, so killing it is how it ends.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A model, a lane and one sequence.
struct Sequence {
    lane: Box<dyn Lane>,
    resident: Resident,
    telemetry: Telemetry,
    pages: Vec<u32>,
    vocab: usize,
}

impl Sequence {
    fn open(options: &Options) -> Result<Self> {
        let file = model::open(std::path::Path::new(&options.model))?;
        let mut lane = lane::open(LaneChoice::Cpu, options.threads)?;
        let n_pages = (options.depth + options.tokens).max(options.prompt).div_ceil(PAGE_POSITIONS);
        let resident_options = ResidentOptions {
            kv_dtype: options.kv_dtype,
            kv_pages: n_pages,
            max_rows: CHUNK,
            max_logit_rows: 1,
            head: Head::default(),
        };
        let start = Instant::now();
        let resident = Resident::load(&file, lane.as_mut(), resident_options, &mut |_, _| true)?;
        println!("{}: loaded in {:.2} s", options.model, start.elapsed().as_secs_f64());
        Ok(Self {
            lane,
            resident,
            telemetry: Telemetry::default(),
            pages: (0..u32::try_from(n_pages)?).collect(),
            vocab: file.config().vocab,
        })
    }

    fn feed(&mut self, first: usize, n: usize) -> Result<()> {
        let tokens: Vec<u32> = (first..first + n)
            .map(|at| u32::try_from(at * 7919 % self.vocab))
            .collect::<std::result::Result<_, _>>()?;
        let pages = &self.pages;
        let rows: Vec<Row<'_>> = (first..first + n)
            .map(|at| Ok(Row { pages, position: u32::try_from(at)? }))
            .collect::<Result<_>>()?;
        let batch =
            Batch { tokens: &tokens, rows: &rows, logit_rows: &[n - 1], wanted: &[Wanted::Largest(LARGEST)] };
        self.resident.forward(self.lane.as_mut(), &batch, &self.telemetry)?;
        Ok(())
    }

    /// The first `n` tokens, in calls of [`CHUNK`].
    fn read(&mut self, n: usize) -> Result<()> {
        (0..n).step_by(CHUNK).try_for_each(|first| self.feed(first, CHUNK.min(n - first)))
    }

    /// Seconds of each of `tokens` tokens behind `depth` others.
    fn decode(&mut self, depth: usize, tokens: usize) -> Result<Vec<f64>> {
        (depth..depth + tokens)
            .map(|at| {
                let start = Instant::now();
                self.feed(at, 1)?;
                Ok(start.elapsed().as_secs_f64())
            })
            .collect()
    }
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(SPIN) {
        loop {
            std::hint::black_box(0);
        }
    }
    let options = options()?;
    let mut sequence = Sequence::open(&options)?;
    if options.prompt > 0 {
        sequence.read(options.prompt)?;
        phases(&mut sequence, options.prompt, |sequence| sequence.read(options.prompt))?;
    }
    sequence.read(options.depth)?;
    if options.tokens == 0 {
        return Ok(());
    }
    sequence.decode(options.depth, options.tokens)?;
    let threads = sequence.lane.info().threads;
    let alone = rate(&sequence.decode(options.depth, options.tokens)?);
    let median = median(&mut sequence.decode(options.depth, options.tokens)?);
    let gb = sequence.resident.bytes_per_token() as f64 / 1e9;
    println!(
        "{threads} threads at depth {}: {alone:.1} tok/s, median {:.1} tok/s, {:.1} GB/s of weights",
        options.depth,
        1.0 / median,
        gb / median
    );
    phases(&mut sequence, options.tokens, |sequence| {
        sequence.decode(options.depth, options.tokens).map(drop)
    })?;
    if options.hog {
        let hog = Hog::start()?;
        std::thread::sleep(Duration::from_millis(200));
        let loaded = rate(&sequence.decode(options.depth, options.tokens)?);
        drop(hog);
        // A fair scheduler gives each of `threads + 1` busy threads on `cores` cores the same share.
        let cores = std::thread::available_parallelism()?.get() as f64;
        let share = (cores / (threads as f64 + 1.0)).min(1.0);
        println!(
            "beside a busy process: {loaded:.1} tok/s, {:.0} % of the speed alone; the fair share is {:.0} %",
            100.0 * loaded / alone,
            100.0 * share
        );
    }
    Ok(())
}

fn rate(seconds: &[f64]) -> f64 {
    seconds.len() as f64 / seconds.iter().sum::<f64>()
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Microseconds a token of every phase of `work`, which runs `tokens` tokens.
fn phases(
    sequence: &mut Sequence,
    tokens: usize,
    work: impl FnOnce(&mut Sequence) -> Result<()>,
) -> Result<()> {
    sequence.telemetry.reset();
    sequence.telemetry.set_on(true);
    let start = Instant::now();
    work(sequence)?;
    let micros = |nanos: u128| nanos as f64 / 1e3 / tokens as f64;
    let total = micros(start.elapsed().as_nanos());
    let mut rest = total;
    for phase in sequence.telemetry.totals().into_iter().filter(|phase| phase.calls > 0) {
        let time = micros(phase.nanos.into());
        rest -= time;
        println!(
            "  {:<10} {time:8.1} us a token, {:8.2} calls, {:6.2} GB/s",
            phase.phase.name(),
            phase.calls as f64 / tokens as f64,
            phase.bytes as f64 / phase.nanos as f64
        );
    }
    println!("  {:<10} {rest:8.1} us a token of {total:.1}, {:.1} tok/s", "the rest", 1e6 / total);
    sequence.telemetry.set_on(false);
    Ok(())
}
