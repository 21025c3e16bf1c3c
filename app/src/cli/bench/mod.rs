//! `onebit bench`: prompt and generation speed, beside what the memory of this machine can deliver in the same run.
//!
//! It drives the forward pass directly (`arch::Resident` over a lane), without scheduler, sampler and tokenizer, with made-up ids:
//! what is measured is the model on the lane. `-m synthetic:GEOMETRY:PACKING` makes a model of a real shape up first.

mod measure;
mod record;
mod synthetic;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use onebit_engine::lane::{self, Lane};
use onebit_engine::model;
use serde_json::{Value, json};

use super::flags::{self, EngineChoice, EngineFlags};
use super::output::{self, Output};
use crate::folders::Folders;
use crate::models::{self, FoundModel};
use measure::{Bed, Run};

#[derive(Debug, Args)]
pub struct Bench {
    /// Model: path, id, `starter`, or synthetic:bitnet-2b:tq2_0 (geometries bitnet-2b, tiny; packings tq1_0, tq2_0, i2_s, halo,
    /// tq1_halo, sherry), which is made up once in the cache folder
    #[arg(short, long, default_value = models::STARTER)]
    model: String,
    /// Tokens of the prompt test; 0 = none
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    prompt: usize,
    /// Tokens of the generation test; 0 = none
    #[arg(short = 'n', long, value_name = "N", default_value_t = 128)]
    new: usize,
    /// Repetitions; the median is reported
    #[arg(short, long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// Tokens in the context before each test
    #[arg(short, long, value_name = "D", value_delimiter = ',', default_value = "0")]
    depths: Vec<usize>,
    #[command(flatten)]
    engine: EngineFlags,
    /// Append the result to bench.jsonl in the state folder
    #[arg(long)]
    record: bool,
}

impl Bench {
    /// Runs the command.
    ///
    /// # Errors
    /// No such model or lane, not enough context or memory, a lane that failed, a record that cannot be written.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        if self.prompt == 0 && self.new == 0 {
            bail!("nothing to measure: -p and -n are both 0");
        }
        let found = self.find(folders)?;
        let choice = self.engine.choose(&flags::settings(folders), &found.id)?;
        let mut lane = lane::open(choice.lane, choice.threads)?;
        if let Some(notice) = &lane.info().notice {
            output::note(&format!("note: {notice}"));
        }
        let runs = self.measure(&found, &choice, &mut *lane)?;
        let (name, threads) = (lane.info().name, lane.info().threads);
        drop(lane);
        output::progress("measuring what the memory can deliver");
        let ceiling = measure::read_gb_per_sec_ceiling(threads)?;
        output::progress("");
        let result = json!({
            "model": found.id,
            "lane": name,
            "threads": threads,
            "kv": format!("{:?}", choice.kv).to_lowercase(),
            "runs": runs.iter().map(Run::json).collect::<Vec<_>>(),
            "read_gb_per_sec_ceiling": ceiling,
        });
        // First, so that a failure leaves nothing on stdout.
        if self.record {
            let path = record::append(folders, &found, &result)?;
            output::note(&format!("recorded in {}", path.display()));
        }
        if output.is_json() {
            output.json(&result)?;
        } else {
            table(output, &result, &runs, ceiling)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn find(&self, folders: &Folders) -> Result<FoundModel> {
        match self.model.strip_prefix("synthetic:") {
            Some(shape) => synthetic::find_or_make(folders, shape),
            None => Ok(models::resolve(folders, &self.model)?),
        }
    }

    fn measure(&self, found: &FoundModel, choice: &EngineChoice, lane: &mut dyn Lane) -> Result<Vec<Run>> {
        let file = model::open(&found.path)?;
        let deepest = self.depths.iter().copied().max().unwrap_or(0);
        let positions = deepest.saturating_add(self.prompt.max(self.new));
        let limit = file.config().context_length;
        if positions > limit {
            bail!(
                "the test needs {positions} tokens of context, but the model holds {limit}; use smaller -d, -p or -n"
            );
        }
        let mut bed = Bed::load(&file, lane, choice.kv, positions, choice.memory_bytes)?;
        let mut runs = Vec::new();
        let result = self.measure_in(&mut bed, &mut runs);
        bed.unload();
        result.map(|()| runs)
    }

    fn measure_in(&self, bed: &mut Bed<'_>, runs: &mut Vec<Run>) -> Result<()> {
        for &depth in &self.depths {
            output::progress(&format!("filling the context up to {depth}"));
            bed.fill(depth)?;
            for (is_prompt, tokens) in [(true, self.prompt), (false, self.new)] {
                if tokens == 0 {
                    continue;
                }
                let mut run = Run::new(is_prompt, tokens, depth, bed);
                for repetition in 1..=self.repetitions {
                    output::progress(&format!(
                        "{} at {depth}, {repetition} of {}",
                        run.test, self.repetitions
                    ));
                    run.add(bed)?;
                }
                runs.push(run);
            }
        }
        output::progress("");
        Ok(())
    }
}

fn table(output: &mut Output, result: &Value, runs: &[Run], ceiling: f64) -> Result<()> {
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    output.line(&format!("{} on {}, {} threads", text("model"), text("lane"), result["threads"]))?;
    output.line("test      depth     tok/s   MB/token      GB/s   of ceiling")?;
    for run in runs {
        let gb_per_sec = run.gb_per_sec();
        output.line(&format!(
            "{:8} {:6} {:9.2} {:10.2} {:9.2} {:>12}",
            run.test,
            run.depth,
            run.median(),
            run.bytes_per_token / 1e6,
            gb_per_sec,
            format!("{:.1} %", 100.0 * gb_per_sec / ceiling)
        ))?;
    }
    output.line(&format!("reading memory: {ceiling:.2} GB/s at best"))
}
