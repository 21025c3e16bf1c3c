//! `onebit verify`: checks a model file and tries it. The engine knows the layouts; here is what a sane model has to be able to do.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use onebit_engine::model;
use onebit_engine::sampler::Sampling;
use onebit_engine::session::{Prompt, Request};
use onebit_engine::tokenizer::{Specials, Tokenizer};
use serde_json::{Value, json};

use super::answer;
use super::flags::{self, EngineFlags};
use super::interrupts::Interrupts;
use super::output::Output;
use super::ppl;
use super::running::Running;
use crate::folders::Folders;
use crate::models;

/// Plain English that every model that has learned any English finds likely.
const TEXT: &str = "The sun rises in the east and sets in the west. There are seven days in a week and twelve months in a year. \
     Water freezes when it is very cold, and it boils when it is very hot.";
/// Tokens of the trial.
const NEW_TOKENS: u32 = 16;
/// Context of the trial, in tokens.
const CONTEXT: usize = 256;
/// A model must be at least this much better than guessing, in nats a token. Weights that are read in the wrong order give
/// about ln(vocabulary) or worse; a model that works on this text is 5 or more below.
const MIN_GAIN_NATS: f64 = 3.0;

#[derive(Debug, Args)]
pub struct Verify {
    /// Model: path, id or `starter`
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    engine: EngineFlags,
}

/// Something that was looked at and is good.
struct Check {
    name: &'static str,
    evidence: String,
}

impl Verify {
    /// Runs the command.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        let interrupts = Interrupts::install()?;
        let found = models::resolve(folders, &self.file)?;
        let mut passed = Vec::new();
        let mut pass = |check: Check, output: &mut Output| -> Result<()> {
            if !output.is_json() {
                output.line(&format!("ok  {:10} {}", check.name, check.evidence))?;
            }
            passed.push(check);
            Ok(())
        };

        let file = model::open(&found.path)?;
        let evidence =
            format!("{}, {}, {} tensors", file.container(), file.config().arch, file.tensors().count());
        pass(Check { name: "container", evidence }, output)?;
        file.verify()?;
        let evidence = "no meaningless code, every scale and weight is finite".to_owned();
        pass(Check { name: "data", evidence }, output)?;
        let tokenizer = Tokenizer::new(file.tokenizer()).with_context(|| found.path.display().to_string())?;
        pass(tokens(&tokenizer)?, output)?;

        let context = CONTEXT.min(file.config().context_length);
        let running =
            Running::start(folders, &self.file, &self.engine, &flags::settings(folders), Some(context))?;
        let vocab = file.config().vocab;
        pass(likelihood(&running, &tokenizer, vocab, context)?, output)?;
        pass(trial(&running, &interrupts)?, output)?;
        file.check_map()?;
        if output.is_json() {
            let checks: Vec<Value> = passed
                .iter()
                .map(|check| json!({ "check": check.name, "evidence": check.evidence }))
                .collect();
            output.json(&json!({ "path": found.path, "ok": true, "checks": checks }))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn tokens(tokenizer: &Tokenizer) -> Result<Check> {
    let ids = tokenizer.encode(TEXT, Specials::Literal, false)?;
    let back = tokenizer.decode(&ids);
    if back != TEXT {
        bail!("the tokenizer does not give a text back: it made {back:?} of {TEXT:?}");
    }
    Ok(Check { name: "tokenizer", evidence: format!("{} ids and back give the same text", ids.len()) })
}

fn likelihood(running: &Running, tokenizer: &Tokenizer, vocab: usize, context: usize) -> Result<Check> {
    let mut ids = tokenizer.encode(TEXT, Specials::Literal, false)?;
    // One place is left for a BOS in front.
    ids.truncate(context - 1);
    let window = ids.len();
    let scored = ppl::score(running, ids, window)?;
    let guessing = (vocab as f64).ln();
    let evidence = format!(
        "plain English has {:.2} nats a token, guessing has {guessing:.2} (perplexity {:.1} of {vocab})",
        scored.mean_nll,
        scored.mean_nll.exp()
    );
    if scored.mean_nll.is_nan() || scored.mean_nll > guessing - MIN_GAIN_NATS {
        bail!(
            "the model does not know English: {evidence}; its weights are damaged, read in the wrong order, or were never trained"
        );
    }
    Ok(Check { name: "likelihood", evidence })
}

fn trial(running: &Running, interrupts: &Interrupts) -> Result<Check> {
    let request = Request {
        model: running.model.id.clone(),
        prompt: Prompt::Text(TEXT.to_owned()),
        sampling: Sampling::default(),
        max_new_tokens: NEW_TOKENS,
        stop: Vec::new(),
        session: None,
        logprobs: Some(0),
    };
    // The engine fails a generation whose logits are not finite.
    let answer = answer::generate(&running.engine, request, interrupts, |_| Ok(()))?;
    if answer.was_cancelled() {
        bail!("interrupted before the trial ended");
    }
    let new_tokens = answer.tokens.len();
    Ok(Check {
        name: "trial",
        evidence: format!("{new_tokens} tokens with finite logits on lane {}", answer.lane),
    })
}
