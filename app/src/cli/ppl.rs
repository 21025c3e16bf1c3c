//! `onebit ppl`: perplexity of a text. The text is tokenised once and cut into windows; each window starts afresh (with BOS if the
//! file asks for one) and every token after its first is scored.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use onebit_engine::session::{ScoreEvent, ScoreRequest};
use onebit_engine::tokenizer::Specials;
use serde_json::json;

use super::flags::{self, EngineFlags};
use super::output::{self, Output};
use super::running::{self, Running};
use crate::folders::Folders;
use crate::models;

/// Longest text; more than any corpus one measures with, less than what fills the memory.
const MAX_FILE_BYTES: u64 = 1 << 30;

#[derive(Debug, Args)]
pub struct Ppl {
    /// Model: path, id or `starter`
    #[arg(short, long, default_value = models::STARTER)]
    model: String,
    #[command(flatten)]
    input: Input,
    /// Window in tokens
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(2..))]
    context: u32,
    /// Use only the first N tokens
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    #[command(flatten)]
    engine: EngineFlags,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// UTF-8 text
    #[arg(short, long, value_name = "TEXT_FILE")]
    file: Option<PathBuf>,
    /// Token ids, two bytes each, little-endian
    #[arg(long, value_name = "U16_FILE")]
    ids: Option<PathBuf>,
}

/// What scoring gave.
pub struct Scored {
    /// Ids that were scored.
    pub tokens: usize,
    /// Mean negative log-likelihood, natural logarithm.
    pub mean_nll: f64,
}

impl Ppl {
    /// Runs the command.
    ///
    /// # Errors
    /// The text or the model cannot be read, or scoring failed.
    pub fn run(self, folders: &Folders, output: &mut Output) -> Result<ExitCode> {
        let mut ids = self.input.read(folders, &self.model)?;
        ids.truncate(self.max_tokens.unwrap_or(usize::MAX));
        if ids.len() < 2 {
            bail!("at least two tokens are needed, found {}", ids.len());
        }
        let context = usize::try_from(self.context).expect("usize holds 32 bits on every supported machine");
        // One position more than a window has tokens, for a BOS in front.
        let running =
            Running::start(folders, &self.model, &self.engine, &flags::settings(folders), Some(context + 1))?;
        let scored = score(&running, ids, context)?;
        let perplexity = scored.mean_nll.exp();
        if output.is_json() {
            output.json(&json!({
                "perplexity": perplexity,
                "mean_nll": scored.mean_nll,
                "tokens": scored.tokens,
                "context": context,
                "lane": running.engine.status().lane,
            }))?;
        } else {
            output.line(&format!(
                "perplexity {perplexity:.4}, mean negative log-likelihood {:.5}, {} tokens scored in windows of {context}",
                scored.mean_nll, scored.tokens
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Input {
    fn read(&self, folders: &Folders, model: &str) -> Result<Vec<u32>> {
        match (&self.file, &self.ids) {
            (Some(path), None) => {
                let text = String::from_utf8(read_bounded(path)?)
                    .map_err(|err| anyhow::anyhow!("{}: not UTF-8 text: {err}", path.display()))?;
                let tokenizer = running::tokenizer(&models::resolve(folders, model)?)?;
                Ok(tokenizer.encode(&text, Specials::Literal, false)?)
            }
            (None, Some(path)) => {
                let bytes = read_bounded(path)?;
                if bytes.len() % 2 != 0 {
                    bail!(
                        "{}: token ids take two bytes each, but the file has {} bytes",
                        path.display(),
                        bytes.len()
                    );
                }
                Ok(bytes.chunks_exact(2).map(|id| u32::from(u16::from_le_bytes([id[0], id[1]]))).collect())
            }
            _ => bail!("give either -f TEXT_FILE or --ids U16_FILE"),
        }
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let found = path.metadata().with_context(|| path.display().to_string())?;
    if found.len() > MAX_FILE_BYTES {
        bail!(
            "{}: {} bytes are more than the {MAX_FILE_BYTES} this command reads",
            path.display(),
            found.len()
        );
    }
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// Scores ids under the model that is running.
///
/// # Errors
/// An id outside the vocabulary, numbers that are not finite, a lane that failed.
pub fn score(running: &Running, tokens: Vec<u32>, context: usize) -> Result<Scored> {
    let total = tokens.len();
    let request = ScoreRequest { model: running.model.id.clone(), tokens, context };
    let score = running.engine.score(request, running::no_waker())?;
    while let Some(event) = score.next() {
        match event {
            ScoreEvent::Progress { scored, nll_sum } if scored > 0 => {
                let so_far = (nll_sum / scored as f64).exp();
                output::progress(&format!("{scored} of {total} tokens, perplexity so far {so_far:.3}"));
            }
            ScoreEvent::Progress { .. } => {}
            ScoreEvent::Done { scored, nll_sum } => {
                output::progress("");
                if scored == 0 {
                    bail!("no token was scored");
                }
                return Ok(Scored { tokens: scored, mean_nll: nll_sum / scored as f64 });
            }
            ScoreEvent::Failed(err) => bail!(err),
        }
    }
    bail!("the engine stopped before the text was scored")
}
