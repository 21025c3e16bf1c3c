//! Endurance: 10,000 short requests, eight at a time with random cancels, then minutes of mixed load, on the starter model. Ends with
//! an error when a request fails or does not end exactly once, or when resident memory grows by more than 3 % after request 1,000.
//! Prints a dated Markdown report.
//!
//! `cargo run --release -p onebit-engine --example soak -- [--requests N] [--minutes M] [--model FILE] [--threads N] [--out FILE]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

#[path = "soak/load.rs"]
mod load;
#[path = "soak/report.rs"]
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onebit_engine::lane::KvDtype;
use onebit_engine::session::{EngineHandle, EngineOptions, LoadOptions};

/// Resident memory after the last request, as a factor of that after the thousandth.
const MAX_GROWTH: f64 = 1.03;

/// What the command line asks for.
pub struct Plan {
    requests: usize,
    minutes: f64,
    model: PathBuf,
    threads: usize,
    out: Option<PathBuf>,
}

fn main() -> Result<(), String> {
    let plan = plan(std::env::args().skip(1))?;
    let options = EngineOptions { threads: plan.threads, ..EngineOptions::default() };
    let engine = EngineHandle::start(options).map_err(|e| e.to_string())?;
    let load =
        LoadOptions { id: "soak".into(), path: plan.model.clone(), context: 1024, kv_dtype: KvDtype::F16 };
    let model = engine.load(load, Arc::new(|| {})).wait().map_err(|e| e.to_string())?;

    let mut short = load::Tally::default();
    let began = Instant::now();
    load::short_requests(&engine, plan.requests, &mut short)?;
    let short_secs = began.elapsed().as_secs_f64();

    let mut mixed = load::Tally::default();
    let began = Instant::now();
    load::mixed_load(&engine, Duration::from_secs_f64(plan.minutes * 60.0), &mut mixed)?;
    let mixed_secs = began.elapsed().as_secs_f64();

    let status = engine.status();
    engine.shutdown();
    let growth = short.growth();
    let text = report::markdown(&plan, &model, &status, (&short, short_secs), (&mixed, mixed_secs), growth);
    println!("{text}");
    if let Some(out) = &plan.out {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        std::fs::write(out, &text).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    match growth {
        Some(growth) if growth > MAX_GROWTH => Err(format!(
            "resident memory after the last request is {growth:.3} times that after request 1,000; at most {MAX_GROWTH} is allowed"
        )),
        _ => Ok(()),
    }
}

fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut plan = Plan {
        requests: 10_000,
        minutes: 10.0,
        model: root.join("assets/models/starter.gguf"),
        threads: 0,
        out: None,
    };
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number =
            |value: &str| value.parse::<f64>().map_err(|_| format!("{name}: {value} is not a number"));
        match name.as_str() {
            "--requests" => plan.requests = number(&value)? as usize,
            "--minutes" => plan.minutes = number(&value)?,
            "--threads" => plan.threads = number(&value)? as usize,
            "--model" => plan.model = value.into(),
            "--out" => plan.out = Some(value.into()),
            _ => {
                return Err(format!(
                    "{name} is unknown; known are --requests --minutes --threads --model --out"
                ));
            }
        }
    }
    Ok(plan)
}
