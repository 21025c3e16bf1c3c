//! `onebit complete`: continues a text, special tokens in it included.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use onebit_engine::sampler::Sampling;
use onebit_engine::session::{Prompt, Request};

use super::flags::{self, EngineFlags, SamplingFlags};
use super::output::Output;
use super::running::{self, Running};
use super::{INTERRUPTED, answer, interrupts::Interrupts};
use crate::folders::Folders;
use crate::models;
use crate::settings::Key;

/// Most alternatives that can be asked for.
const MAX_LOGPROBS: i64 = 100;

#[derive(Debug, Args)]
pub struct Complete {
    /// Model: path, id or `starter`
    #[arg(short, long, default_value = models::STARTER)]
    model: String,
    /// Text to continue; special tokens in it are recognised
    #[arg(short, long, value_name = "TEXT")]
    prompt: String,
    /// Most new tokens; 0 = until the context is full
    #[arg(short = 'n', long = "max-tokens", value_name = "N", default_value_t = 128)]
    max_tokens: u32,
    /// Temperature; 0 = always the most likely token
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temp: f32,
    #[command(flatten)]
    sampling: SamplingFlags,
    /// Report log-probabilities with this many alternatives a token
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(0..=MAX_LOGPROBS))]
    logprobs: Option<u32>,
    #[arg(long, value_name = "N", help = flags::help(Key::Context))]
    context: Option<usize>,
    #[command(flatten)]
    engine: EngineFlags,
}

impl Complete {
    /// Runs the command.
    ///
    /// # Errors
    /// The model cannot be loaded, or the generation failed.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        running::require_text(&self.prompt, "-p")?;
        let interrupts = Interrupts::install()?;
        let running =
            Running::start(folders, &self.model, &self.engine, &flags::settings(folders), self.context)?;
        let request = Request {
            model: running.model.id.clone(),
            prompt: Prompt::Text(self.prompt),
            sampling: self.sampling.sampling(Some(self.temp), Sampling::default()),
            max_new_tokens: self.max_tokens,
            stop: self.sampling.stop,
            session: None,
            logprobs: self.logprobs,
        };
        let tokenizer = match self.logprobs {
            Some(_) => Some(running::tokenizer(&models::resolve(folders, &self.model)?)?),
            None => None,
        };
        let is_json = output.is_json();
        let answer = answer::generate(&running.engine, request, &interrupts, |text| {
            if is_json { Ok(()) } else { output.text(text) }
        })?;
        if is_json {
            output.json(&answer.json(tokenizer.as_ref()))?;
        } else {
            output.line("")?;
            super::output::note(&answer.summary());
        }
        Ok(if answer.was_cancelled() { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    }
}
