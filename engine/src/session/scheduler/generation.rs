//! One running generation: what it has, what it wants next, and what a row of logits does to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::super::answer::Answer;
use super::super::backend::Vocabulary;
use super::super::intake::GenerateJob;
use super::super::outbox::Outbox;
use super::super::{Event, GenerateError, StopReason, Token, Usage};
use crate::kv::Claim;
use crate::lane::Wanted;
use crate::sampler::{Chain, NotFinite, logprobs};

/// See the module documentation. `tokens[..stored]` have their K and V in the slot; the rest is to be run.
pub(super) struct Generating {
    outbox: Outbox<Event>,
    cancel: Arc<AtomicBool>,
    pub(super) slot: usize,
    vocabulary: Arc<dyn Vocabulary>,
    tokens: Vec<u32>,
    prompt_tokens: usize,
    cached_tokens: usize,
    stored: usize,
    max_new_tokens: usize,
    logprobs: Option<u32>,
    chain: Chain,
    answer: Answer,
    queue_millis: f64,
    started: Instant,
    first_token: Option<Instant>,
    last_token: Option<Instant>,
}

/// How a task ends.
#[derive(Debug)]
pub(super) enum Ending {
    Done(StopReason),
    Failed(GenerateError),
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Last event of a generation that never left the queue.
pub(super) fn cancelled_in_queue(job: &GenerateJob, prompt_tokens: usize) -> Event {
    let usage = Usage {
        prompt_tokens: count(prompt_tokens),
        queue_millis: millis(job.submitted, Instant::now()),
        ..Usage::default()
    };
    Event::Done { reason: StopReason::Cancelled, usage }
}

impl Generating {
    /// Starts in a claimed slot and says so.
    pub(super) fn start(
        job: GenerateJob,
        prompt: Vec<u32>,
        cancel: Arc<AtomicBool>,
        claim: Claim,
        lane: &'static str,
    ) -> Self {
        let started = Instant::now();
        let this = Self {
            cancel,
            slot: claim.slot,
            chain: job.chain,
            answer: Answer::new(job.stops),
            vocabulary: job.vocabulary,
            prompt_tokens: prompt.len(),
            cached_tokens: claim.cached,
            stored: claim.cached,
            tokens: prompt,
            max_new_tokens: job.max_new_tokens,
            logprobs: job.logprobs,
            queue_millis: millis(job.submitted, started),
            started,
            first_token: None,
            last_token: None,
            outbox: job.outbox,
        };
        this.outbox.send(Event::Started {
            prompt_tokens: count(this.prompt_tokens),
            cached_tokens: count(this.cached_tokens),
            lane,
        });
        this
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    /// Tokens to run before the next one can be picked; at least 1.
    pub(super) fn wants(&self) -> usize {
        self.tokens.len() - self.stored
    }

    /// The next `count` tokens to run, the first of which stands at [`Generating::position`].
    pub(super) fn next_tokens(&self, count: usize) -> &[u32] {
        &self.tokens[self.stored..self.stored + count]
    }

    pub(super) fn position(&self) -> usize {
        self.stored
    }

    /// What the next pick looks at.
    pub(super) fn wanted(&self) -> Wanted {
        match (self.logprobs, self.chain.largest_needed()) {
            (None, Some(count)) => Wanted::Largest(count),
            _ => Wanted::All,
        }
    }

    /// K and V of the next `count` tokens are stored.
    pub(super) fn advance(&mut self, tokens: usize) {
        let in_prompt = self.stored < self.prompt_tokens;
        self.stored += tokens;
        if in_prompt {
            self.outbox.send(Event::Prefill { done_tokens: count(self.stored) });
        }
    }

    /// Picks the next token from the model's logits `[vocab]`. `Some` when that ends the generation.
    pub(super) fn accept(&mut self, logits: &[f32], scratch: &mut Vec<f32>) -> Option<Ending> {
        let Ok(token) = self.pick(logits, scratch) else {
            return Some(Ending::Failed(GenerateError::NotFinite { position: self.stored - 1 }));
        };
        let now = Instant::now();
        self.first_token.get_or_insert(now);
        self.last_token = Some(now);
        let id = token.id;
        if self.vocabulary.ends_generation(id) {
            return Some(Ending::Done(StopReason::EndOfText));
        }
        self.tokens.push(id);
        let bytes = if self.vocabulary.is_control(id) { &[] } else { self.vocabulary.token_bytes(id) };
        let text = self.answer.push(bytes);
        self.outbox.send(Event::Text { text, tokens: vec![token] });
        if self.answer.is_stopped() {
            Some(Ending::Done(StopReason::StopString))
        } else if self.new_tokens() == self.max_new_tokens {
            Some(Ending::Done(StopReason::Length))
        } else {
            None
        }
    }

    fn pick(&mut self, logits: &[f32], scratch: &mut Vec<f32>) -> Result<Token, NotFinite> {
        // Minus infinity is how a caller masks an id, never what a model computes.
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(NotFinite);
        }
        scratch.clear();
        scratch.extend_from_slice(logits);
        let id = self.chain.pick(scratch, &self.tokens)?;
        let Some(alternatives) = self.logprobs else {
            return Ok(Token { id, logprob: None, top: Vec::new() });
        };
        let logprobs = logprobs(logits, id, alternatives as usize)?;
        Ok(Token { id, logprob: Some(logprobs.chosen), top: logprobs.top })
    }

    /// Picked tokens; the one that ended the answer, which is not part of it, is not counted.
    fn new_tokens(&self) -> usize {
        self.tokens.len() - self.prompt_tokens
    }

    /// Sends the text that was held back, and hands over the last event.
    pub(super) fn end(mut self, ending: Ending) -> (Outbox<Event>, Event) {
        let reason = match ending {
            Ending::Failed(error) => return (self.outbox, Event::Failed(error)),
            Ending::Done(reason) => reason,
        };
        let (rest, stopped) = self.answer.finish();
        if !rest.is_empty() {
            self.outbox.send(Event::Text { text: rest, tokens: Vec::new() });
        }
        let reason = if stopped { StopReason::StopString } else { reason };
        let first = self.first_token;
        let usage = Usage {
            prompt_tokens: count(self.prompt_tokens),
            cached_tokens: count(self.cached_tokens),
            new_tokens: count(self.new_tokens()),
            queue_millis: self.queue_millis,
            prefill_millis: millis(self.started, first.unwrap_or_else(Instant::now)),
            decode_millis: first.zip(self.last_token).map_or(0.0, |(first, last)| millis(first, last)),
        };
        (self.outbox, Event::Done { reason, usage })
    }
}
