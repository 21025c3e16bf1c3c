//! How long a model file takes until it can answer, part by part: `cargo run --release -p onebit-engine --example load_speed -- MODEL
//! [--threads N] [--head screened|exact|4-bit] [--repetitions R] [--beside]`.
//!
//! The file is read once before, so that it lies in the page cache as far as memory allows. Prints the best of the repetitions
//! for each part, and the most memory that this process held resident, of which file pages are only borrowed. `--beside` then loads
//! the file once more while a generation runs on it, and says what share of its speed the generation kept.

#![expect(clippy::print_stdout, reason = "a table for the person who runs it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use onebit_engine::arch::{Head, Resident, ResidentOptions};
use onebit_engine::lane::{self, KvDtype, LaneChoice};
use onebit_engine::model;
use onebit_engine::sampler::Sampling;
use onebit_engine::session::{
    EngineHandle, EngineOptions, Event, Generation, LoadEvent, LoadOptions, Prompt, Request, Waker,
};
use onebit_engine::tokenizer::{ChatTemplate, Tokenizer};

/// There is one answer to a failure: say it and stop.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Options {
    model: String,
    threads: usize,
    head: Head,
    repetitions: usize,
    beside: bool,
}

fn options() -> Result<Options> {
    let mut options =
        Options { model: String::new(), threads: 0, head: Head::Screened, repetitions: 3, beside: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--threads" => options.threads = value()?.parse()?,
            "--repetitions" => options.repetitions = value()?.parse()?,
            "--beside" => options.beside = true,
            "--head" => {
                options.head = match value()?.as_str() {
                    "screened" => Head::Screened,
                    "exact" => Head::Exact,
                    "4-bit" => Head::FourBit,
                    other => return Err(format!("no head is called {other}").into()),
                }
            }
            _ => options.model = argument,
        }
    }
    if options.model.is_empty() {
        return Err("which model file?".into());
    }
    Ok(options)
}

/// Milliseconds of each part, in the order in which they happen.
struct Parts(Vec<(&'static str, f64)>);

impl Parts {
    fn time<T>(&mut self, part: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0.push((part, start.elapsed().as_secs_f64() * 1e3));
        result
    }
}

fn load(options: &Options) -> Result<Parts> {
    let mut parts = Parts(Vec::new());
    let file = parts.time("open", || model::open(Path::new(&options.model)))?;
    let tokenizer = parts.time("tokenizer", || Tokenizer::new(file.tokenizer()))?;
    parts.time("chat template", || ChatTemplate::for_model(file.tokenizer()))?;
    let mut lane = lane::open(LaneChoice::Cpu, options.threads)?;
    let resident_options = ResidentOptions {
        kv_dtype: KvDtype::F16,
        kv_pages: 64,
        max_rows: 256,
        max_logit_rows: 65,
        head: options.head,
    };
    let embedding = file.tensor("token_embd.weight")?;
    let embedding_bytes = (embedding.data.len() + embedding.scales.len()) as u64;
    let start = Instant::now();
    // When the embedding, which is uploaded first, and all tensors were there.
    let (mut first, mut all) = (0.0, 0.0);
    let resident = Resident::load(&file, lane.as_mut(), resident_options, &mut |done, total| {
        let millis = start.elapsed().as_secs_f64() * 1e3;
        if done <= embedding_bytes {
            first = millis;
        }
        if all == 0.0 && done == total {
            all = millis;
        }
        true
    })?;
    let whole = start.elapsed().as_secs_f64() * 1e3;
    parts.0.extend([
        ("embedding", first),
        ("other tensors", all - first),
        ("screen, tables, KV", whole - all),
    ]);
    println!("{} threads, {:.0} MB of weights", lane.info().threads, resident.weight_bytes() as f64 / 1e6);
    parts.time("unload", || {
        resident.unload(lane.as_mut());
        drop(tokenizer);
    });
    Ok(parts)
}

/// Tokens of a generation for each second while `until` says no.
fn tokens_per_sec(generation: &Generation, mut until: impl FnMut(usize) -> bool) -> Result<f64> {
    let (start, mut tokens) = (Instant::now(), 0);
    while !until(tokens) {
        match generation.next() {
            Some(Event::Text { tokens: new, .. }) => tokens += new.len(),
            Some(Event::Failed(error)) => return Err(error.into()),
            Some(Event::Done { .. }) | None => return Err("the generation ended too early".into()),
            Some(_) => {}
        }
    }
    Ok(tokens as f64 / start.elapsed().as_secs_f64())
}

/// Speed of a generation alone, and while the same file is loaded under another name.
fn beside(options: &Options) -> Result<()> {
    let no_wake = || -> Waker { Arc::new(|| {}) };
    let engine = EngineHandle::start(EngineOptions {
        threads: options.threads,
        head: options.head,
        max_running: 1,
        ..EngineOptions::default()
    })?;
    let load = |id: &str| {
        let path = Path::new(&options.model).to_path_buf();
        engine.load(LoadOptions { id: id.into(), path, context: 2048, kv_dtype: KvDtype::F16 }, no_wake())
    };
    for id in ["first", "idle"] {
        let start = Instant::now();
        load(id).wait()?;
        println!("{id:8} load in an engine {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    engine.unload("idle");
    let request = Request {
        model: "first".into(),
        prompt: Prompt::Tokens(vec![1, 2, 3]),
        sampling: Sampling::default(),
        max_new_tokens: 0,
        stop: Vec::new(),
        session: None,
        logprobs: None,
    };
    let generation = engine.submit(request, no_wake())?;
    let alone = tokens_per_sec(&generation, |tokens| tokens == 40)?;
    let (second, start) = (load("second"), Instant::now());
    let mut ready = None;
    let during = tokens_per_sec(&generation, |_| {
        while let Some(event) = second.try_next() {
            if !matches!(event, LoadEvent::Progress { .. }) {
                ready = Some((start.elapsed().as_secs_f64() * 1e3, event));
            }
        }
        ready.is_some()
    })?;
    let (millis, end) = ready.ok_or("the load did not end")?;
    if let LoadEvent::Failed(failure) = end {
        return Err(failure.into());
    }
    println!("a second load beside a generation: {millis:.0} ms");
    println!(
        "generation alone {alone:.1} tok/s, during the load {during:.1} tok/s ({:.0} %)",
        100.0 * during / alone
    );
    engine.shutdown();
    Ok(())
}

/// A line of `/proc/self/status`, in MB.
fn status_megabytes(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).ok_or("no such line")?;
    let kib: f64 = line.split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}

fn main() -> Result<()> {
    let options = options()?;
    let mut file = std::fs::File::open(&options.model)?;
    println!("{} MB in the file", std::io::copy(&mut file, &mut std::io::sink())? / 1_000_000);
    let mut best: Vec<(&str, f64)> = Vec::new();
    for _ in 0..options.repetitions.max(1) {
        let parts = load(&options)?;
        best.resize(parts.0.len(), ("", f64::INFINITY));
        for (best, part) in best.iter_mut().zip(parts.0) {
            *best = (part.0, best.1.min(part.1));
        }
    }
    for (part, millis) in &best {
        println!("{part:20} {millis:8.1} ms");
    }
    let ready: f64 = best.iter().filter(|(part, _)| *part != "unload").map(|(_, millis)| millis).sum();
    println!("{:20} {ready:8.1} ms", "ready");
    println!("most memory resident {:8.0} MB", status_megabytes("VmHWM")?);
    if options.beside { beside(&options) } else { Ok(()) }
}
