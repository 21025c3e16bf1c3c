//! One generation, from request to its end, and its JSON.

use std::time::Duration;

use anyhow::{Result, bail};
use onebit_engine::session::{EngineHandle, Event, Request, StopReason, Token, Usage};
use onebit_engine::tokenizer::Tokenizer;
use serde_json::{Value, json};

use super::interrupts::Interrupts;
use super::running::no_waker;

/// How often a waiting generation looks for Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A generation that ended well.
pub struct Answer {
    pub text: String,
    pub tokens: Vec<Token>,
    pub lane: &'static str,
    pub reason: StopReason,
    pub usage: Usage,
}

/// Runs `request` and hands on its text as it comes, whole characters at a time.
///
/// # Errors
/// The generation failed, or `on_text` did (the generation is cancelled then).
pub fn generate(
    engine: &EngineHandle,
    request: Request,
    interrupts: &Interrupts,
    mut on_text: impl FnMut(&str) -> Result<()>,
) -> Result<Answer> {
    interrupts.while_writing(|| {
        let generation = engine.submit(request, no_waker())?;
        let mut answer = Answer {
            text: String::new(),
            tokens: Vec::new(),
            lane: "",
            reason: StopReason::Cancelled,
            usage: Usage::default(),
        };
        let mut cancelled = false;
        loop {
            if interrupts.asked() && !cancelled {
                cancelled = true;
                generation.cancel();
            }
            match generation.next_timeout(LOOK_EVERY) {
                None | Some(Event::Prefill { .. }) => {}
                Some(Event::Started { lane, .. }) => answer.lane = lane,
                Some(Event::Text { text, tokens }) => {
                    on_text(&text)?;
                    answer.text.push_str(&text);
                    answer.tokens.extend(tokens);
                }
                Some(Event::Done { reason, usage }) => {
                    answer.reason = reason;
                    answer.usage = usage;
                    return Ok(answer);
                }
                Some(Event::Failed(err)) => bail!(err),
            }
        }
    })
}

impl Answer {
    /// Whether the user stopped it.
    pub fn was_cancelled(&self) -> bool {
        self.reason == StopReason::Cancelled
    }

    /// The JSON of `complete` and `chat`. `tokenizer` spells the tokens when log-probabilities were asked for.
    pub fn json(&self, tokenizer: Option<&Tokenizer>) -> Value {
        let usage = &self.usage;
        let prefilled = usage.prompt_tokens.saturating_sub(usage.cached_tokens);
        let mut json = json!({
            "text": self.text,
            "tokens": self.tokens.iter().map(|token| token.id).collect::<Vec<_>>(),
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "finish_reason": finish_reason(self.reason),
            "timings": {
                "prefill_millis": usage.prefill_millis,
                "decode_millis": usage.decode_millis,
                "prefill_tok_per_sec": rate(prefilled, usage.prefill_millis),
                // The first token belongs to the prefill.
                "decode_tok_per_sec": rate(usage.new_tokens.saturating_sub(1), usage.decode_millis),
            },
            "lane": self.lane,
        });
        if let Some(tokenizer) = tokenizer {
            json["logprobs"] = self.tokens.iter().map(|token| token_json(token, tokenizer)).collect();
        }
        json
    }

    /// One line for people, after the text.
    pub fn summary(&self) -> String {
        let usage = &self.usage;
        let speed = rate(usage.new_tokens.saturating_sub(1), usage.decode_millis);
        format!(
            "{} tokens, {:.1} tok/s, prompt {} ({} cached) in {:.0} ms, {}",
            usage.new_tokens,
            speed,
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.prefill_millis,
            self.lane
        )
    }
}

/// Name in JSON, as the OpenAI API has it.
fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndOfText | StopReason::StopString => "stop",
        StopReason::Length => "length",
        StopReason::Cancelled => "cancelled",
    }
}

/// Tokens a second; 0 when nothing was timed.
fn rate(tokens: u32, millis: f64) -> f64 {
    if millis > 0.0 { f64::from(tokens) * 1000.0 / millis } else { 0.0 }
}

fn token_json(token: &Token, tokenizer: &Tokenizer) -> Value {
    let spell = |id| String::from_utf8_lossy(tokenizer.token_bytes(id)).into_owned();
    json!({
        "token": spell(token.id),
        "id": token.id,
        "logprob": token.logprob,
        "top": token.top.iter().map(|top| json!({ "token": spell(top.id), "id": top.id, "logprob": top.logprob }))
            .collect::<Vec<_>>(),
    })
}
