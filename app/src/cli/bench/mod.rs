//! `onebit bench`: prompt and generation speed, beside what the memory of this machine can deliver in the same run.
//!
//! It drives the forward pass directly (`arch::Resident` over a lane), without scheduler, sampler and tokenizer, with made-up ids:
//! what is measured is the model on the lane. `-m synthetic:GEOMETRY:PACKING` makes a model of a real shape up first. With several
//! thread counts or KV storages a lane is opened for each, and repetitions take turns among all tests, so that a slow minute hits all alike.

mod measure;
mod record;
mod synthetic;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use onebit_engine::lane::cpu::{CpuLane, Isa};
use onebit_engine::lane::{self, Lane};
use onebit_engine::model::{self, ModelFile};
use serde_json::{Value, json};

use super::flags::{HeadFlag, KvFlag, LaneFlag, parse_bytes};
use super::output::{self, Output};
use crate::folders::Folders;
use crate::models::{self, FoundModel};
use measure::{Bed, BedOptions, Run};

#[derive(Debug, Args)]
pub struct Bench {
    /// Model: path, id, `starter`, or synthetic:GEOMETRY:PACKING[+HEAD], which is made up once in the cache folder: geometries
    /// bitnet-2b, bitnet-2b-8k (room for 8192 tokens), tiny; packings tq1_0, tq2_0, i2_s, halo, tq1_halo, sherry; for the first three of these, heads f16, q8_0, q6_k, q4_0
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
    /// Where to run
    #[arg(long, value_enum, default_value = "auto")]
    lane: LaneFlag,
    /// Worker threads, e.g. 1,2 for both; 0 = one per physical core
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "0")]
    threads: Vec<usize>,
    /// Instruction set of the CPU lane: avx512-amx, avx512-vnni, avx-vnni, avx2 or portable, of those that this machine has
    /// [default: the fastest]
    #[arg(long, value_name = "NAME", conflicts_with = "lane")]
    isa: Option<String>,
    /// Storage of the KV cache, e.g. f16,int8 for both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f16")]
    kv: Vec<KvFlag>,
    /// The LM head
    #[arg(long, value_enum, default_value = "screened")]
    head: HeadFlag,
    /// Memory for the weights, e.g. 900M or 8G; 0 = no bound
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = parse_bytes)]
    memory_limit: u64,
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
        let file = model::open(&found.path)?;
        let positions = self.positions(&file)?;
        let mut beds = Vec::new();
        let result = self.measure(&file, positions, &mut beds);
        let heads: Vec<Value> = beds.iter().map(Bed::head_json).collect();
        beds.into_iter().for_each(Bed::unload);
        let (info, runs) = result?;
        output::progress("");
        let last = runs.last().map_or((0, 0.0), |run| (run.threads, run.ceiling));
        let result = json!({
            "model": found.id,
            "lane": info,
            "threads": last.0,
            "kv": self.kv.iter().map(|kv| kv.name()).collect::<Vec<_>>().join(","),
            "head": heads.last(),
            "runs": runs.iter().map(Run::json).collect::<Vec<_>>(),
            "read_gb_per_sec_ceiling": last.1,
        });
        // First, so that a failure leaves nothing on stdout.
        if self.record {
            let path = record::append(folders, &found, &result)?;
            output::note(&format!("recorded in {}", path.display()));
        }
        if output.is_json() {
            output.json(&result)?;
        } else {
            table(output, &result, &runs)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn find(&self, folders: &Folders) -> Result<FoundModel> {
        match self.model.strip_prefix("synthetic:") {
            Some(shape) => synthetic::find_or_make(folders, shape),
            None => Ok(models::resolve(folders, &self.model)?),
        }
    }

    /// Positions that the tests reach.
    fn positions(&self, file: &ModelFile) -> Result<usize> {
        let positions = self.deepest().saturating_add(self.prompt.max(self.new));
        let limit = file.config().context_length;
        if positions > limit {
            bail!(
                "the test needs {positions} tokens of context, but the model holds {limit}; use smaller -d, -p or -n"
            );
        }
        Ok(positions)
    }

    fn deepest(&self) -> usize {
        self.depths.iter().copied().max().unwrap_or(0)
    }

    /// A lane for one bed.
    fn lane(&self, threads: usize) -> Result<Box<dyn Lane>> {
        let Some(name) = &self.isa else { return Ok(lane::open(self.lane.choice()?, threads)?) };
        let Some(isa) = Isa::available().find(|isa| isa.name() == name) else {
            let names: Vec<&str> = Isa::available().map(Isa::name).collect();
            bail!("--isa {name}: this machine has {}", names.join(", "));
        };
        Ok(Box::new(CpuLane::open_with(threads, isa)?))
    }

    /// Loads one bed for each thread count and KV storage into `beds`, which the caller unloads, and runs every test on each.
    fn measure(
        &self,
        file: &ModelFile,
        positions: usize,
        beds: &mut Vec<Bed>,
    ) -> Result<(&'static str, Vec<Run>)> {
        let copies = (self.threads.len() * self.kv.len()) as u64;
        if self.memory_limit > 0 && file.file_bytes().saturating_mul(copies) > self.memory_limit {
            bail!(
                "the model has {} bytes and is loaded {copies} times, for each thread count and KV storage, but --memory-limit allows {}",
                file.file_bytes(),
                self.memory_limit
            );
        }
        for &threads in &self.threads {
            for kv in &self.kv {
                let lane = self.lane(threads)?;
                if let Some(notice) = lane.info().notice.as_ref().filter(|_| beds.is_empty()) {
                    output::note(&format!("note: {notice}"));
                }
                let options = BedOptions { kv_dtype: kv.dtype(), head: self.head.head(), positions };
                beds.push(Bed::load(file, lane, options)?);
            }
        }
        let mut runs = Vec::new();
        for (at, bed) in beds.iter_mut().enumerate() {
            output::progress(&format!("filling the context up to {}", self.deepest()));
            bed.fill(self.deepest())?;
            for &depth in &self.depths {
                let tests = [(true, self.prompt), (false, self.new)];
                runs.extend(
                    tests
                        .into_iter()
                        .filter(|(_, tokens)| *tokens > 0)
                        .map(|(is_prompt, tokens)| (at, Run::new(is_prompt, tokens, depth, bed))),
                );
            }
        }
        self.repeat(beds, &mut runs)?;
        let name = beds.first().map_or("none", |bed| bed.info().name);
        Ok((name, runs.into_iter().map(|(_, run)| run).collect()))
    }

    /// Times all repetitions in turns, and what the memory delivers before and after them.
    fn repeat(&self, beds: &mut [Bed], runs: &mut [(usize, Run)]) -> Result<()> {
        let mut ceilings = vec![0.0f64; beds.len()];
        for repetition in 0..=self.repetitions {
            if repetition == 0 || repetition == self.repetitions {
                output::progress("measuring what the memory can deliver");
                for at in 0..beds.len() {
                    let threads = beds[at].info().threads;
                    // Beds with as many threads share one.
                    let first = beds.iter().position(|bed| bed.info().threads == threads).unwrap_or(at);
                    ceilings[at] = match first < at {
                        true => ceilings[first],
                        false => ceilings[at].max(measure::read_gb_per_sec_ceiling(threads)?),
                    };
                }
            }
            if repetition == self.repetitions {
                break;
            }
            for (bed, run) in runs.iter_mut() {
                output::progress(&format!(
                    "{} at {} with {} threads, {} of {}",
                    run.test,
                    run.depth,
                    run.threads,
                    repetition + 1,
                    self.repetitions
                ));
                run.add(&mut beds[*bed])?;
            }
        }
        for (bed, run) in runs {
            run.ceiling = ceilings[*bed];
        }
        Ok(())
    }
}

fn table(output: &mut Output, result: &Value, runs: &[Run]) -> Result<()> {
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    output.line(&format!("{} on {}", text("model"), text("lane")))?;
    output.line("threads  KV    test      depth     tok/s   MB/token      GB/s   of ceiling")?;
    for run in runs {
        let gb_per_sec = run.gb_per_sec();
        output.line(&format!(
            "{:7}  {:4}  {:8} {:6} {:9.2} {:10.2} {:9.2} {:>12}",
            run.threads,
            run.kv,
            run.test,
            run.depth,
            run.median(),
            run.bytes_per_token / 1e6,
            gb_per_sec,
            format!("{:.1} %", 100.0 * gb_per_sec / run.ceiling)
        ))?;
    }
    let mut counts: Vec<(usize, f64)> = runs.iter().map(|run| (run.threads, run.ceiling)).collect();
    counts.dedup();
    for (threads, ceiling) in counts {
        output.line(&format!("reading memory with {threads} threads: {ceiling:.2} GB/s at best"))?;
    }
    let head = &result["head"];
    if head["screened"].as_u64().is_some_and(|screened| screened > 0) {
        output.line(&format!(
            "LM head: screened for the {} largest of {} rows; {} logits computed again, {} rows fell back to all",
            measure::LARGEST,
            head["screened"],
            head["rescored"],
            head["fell_back"]
        ))?;
    }
    Ok(())
}
