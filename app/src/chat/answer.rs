//! A running answer: where it is, and how the engine's events change the message it grows. Knows nothing of the tree it stands in.

use std::time::{Duration, Instant};

use onebit_engine::session::{Event, StopReason, Usage};

use super::backend::Generating;
use super::reasoning;
use crate::store::{AnswerStats, Message, MessageId, MessageState};

/// Where a running answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its model is not loaded yet.
    WaitingForModel,
    /// The tokens of a long conversation are counted, to see what fits into the context.
    Counting,
    /// In the engine's queue.
    Queued,
    /// The prompt is being read.
    Reading {
        /// Prompt tokens done.
        done_tokens: u32,
        /// Of.
        total_tokens: u32,
    },
    /// Reasoning comes.
    Thinking,
    /// Text comes.
    Writing,
}

/// A running answer.
pub struct Answer {
    /// The message it grows.
    pub message: MessageId,
    /// Where it is.
    pub stage: Stage,
    /// Id of the model that writes it.
    pub model: String,
    pub(super) generation: Option<Box<dyn Generating>>,
    pub(super) begun: Instant,
    first_token: Option<(Instant, Duration)>,
    /// Whether Stop was asked for.
    pub(super) stopping: bool,
    /// Counts and times of what was there before, when an answer goes on.
    before: Option<AnswerStats>,
}

/// What an event did to the message.
pub(super) enum Step {
    /// Nothing that is stored.
    Nothing,
    /// It grew by this text.
    Grew(String),
    /// It ended.
    Ended(MessageState, Option<String>),
}

impl Answer {
    /// An answer that the engine has not seen yet. `goes_on` says that the message has text already, which stays.
    pub(super) fn new(message: &Message, model: &str, goes_on: bool) -> Self {
        Self {
            message: message.id,
            stage: Stage::WaitingForModel,
            model: model.to_owned(),
            generation: None,
            begun: Instant::now(),
            first_token: None,
            stopping: false,
            before: goes_on.then(|| message.stats.clone()),
        }
    }

    /// When it was asked for.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Whether Stop was asked for.
    pub fn stopping(&self) -> bool {
        self.stopping
    }

    /// Whether the engine has the request.
    pub fn submitted(&self) -> bool {
        self.generation.is_some()
    }

    /// Whether it goes on with text that was there before.
    pub fn goes_on(&self) -> bool {
        self.before.is_some()
    }

    /// Applies an event to the message.
    pub(super) fn take(&mut self, event: Event, message: &mut Message) -> Step {
        match event {
            Event::Started { prompt_tokens, cached_tokens, lane } => {
                self.stage = Stage::Reading { done_tokens: cached_tokens, total_tokens: prompt_tokens };
                message.stats.prompt_tokens = prompt_tokens.saturating_sub(self.tokens_before());
                message.stats.cached_tokens = cached_tokens;
                lane.clone_into(&mut message.stats.lane);
                Step::Nothing
            }
            Event::Prefill { done_tokens } => {
                if let Stage::Reading { total_tokens, .. } = self.stage {
                    self.stage = Stage::Reading { done_tokens, total_tokens };
                }
                Step::Nothing
            }
            Event::Text { text, tokens } => self.grow(text, tokens.len(), message),
            Event::Done { reason, usage } => {
                self.account(&usage, message);
                message.stats.cut_short = reason == StopReason::Length;
                let stopped = reason == StopReason::Cancelled;
                Step::Ended(if stopped { MessageState::Stopped } else { MessageState::Complete }, None)
            }
            Event::Failed(err) => Step::Ended(MessageState::Failed, Some(err.to_string())),
        }
    }

    fn grow(&mut self, text: String, tokens: usize, message: &mut Message) -> Step {
        let now = Instant::now();
        let (first, wait) = *self.first_token.get_or_insert((now, now - self.begun));
        let decode_before = self.before.as_ref().map_or(0.0, |before| before.decode_millis);
        let stats = &mut message.stats;
        stats.tokens = stats.tokens.saturating_add(u32::try_from(tokens).unwrap_or(u32::MAX));
        stats.decode_millis = decode_before + (now - first).as_secs_f64() * 1e3;
        if !self.goes_on() {
            stats.prefill_millis = wait.as_secs_f64() * 1e3;
        }
        let before = reasoning::parts(&message.content);
        let (was_open, had_thought) = (before.open, !before.thought.is_empty());
        message.content.push_str(&text);
        let parts = reasoning::parts(&message.content);
        // Where a template opens the block, only its end tells that all of this was reasoning.
        let ends = !parts.thought.is_empty() && (was_open || !had_thought);
        if parts.open || ends {
            stats.thinking_tokens = stats.tokens;
            stats.thinking_millis = stats.decode_millis;
        }
        self.stage = if parts.open { Stage::Thinking } else { Stage::Writing };
        if text.is_empty() { Step::Nothing } else { Step::Grew(text) }
    }

    /// Takes the engine's counts, which are exact, over.
    fn account(&self, usage: &Usage, message: &mut Message) {
        let none = AnswerStats::default();
        let before = self.before.as_ref().unwrap_or(&none);
        let stats = &mut message.stats;
        stats.tokens = before.tokens.saturating_add(usage.new_tokens);
        stats.decode_millis = before.decode_millis + usage.decode_millis;
        if usage.prompt_tokens > 0 {
            stats.prompt_tokens = usage.prompt_tokens.saturating_sub(before.tokens);
            stats.cached_tokens = usage.cached_tokens;
        }
        if self.before.is_none() {
            stats.prefill_millis = usage.prefill_millis;
        }
    }

    fn tokens_before(&self) -> u32 {
        self.before.as_ref().map_or(0, |before| before.tokens)
    }
}

/// Decoded tokens per second; `None` before two tokens.
pub fn rate_tok_per_sec(stats: &AnswerStats) -> Option<f64> {
    let intervals = stats.tokens.checked_sub(1).filter(|&n| n > 0)?;
    (stats.decode_millis > 0.0).then(|| f64::from(intervals) / (stats.decode_millis / 1e3))
}

#[cfg(test)]
mod tests {
    use onebit_engine::session::Token;

    use super::*;
    use crate::store::ChatId;

    fn text(text: &str) -> Event {
        Event::Text { text: text.to_owned(), tokens: vec![Token { id: 1, logprob: None, top: Vec::new() }] }
    }

    fn done(new_tokens: u32, prompt_tokens: u32) -> Event {
        let usage = Usage {
            new_tokens,
            prompt_tokens,
            decode_millis: 100.0,
            prefill_millis: 9.0,
            ..Usage::default()
        };
        Event::Done { reason: StopReason::EndOfText, usage }
    }

    #[test]
    fn rate_counts_intervals_and_is_absent_for_one_token() {
        let stats = |tokens, decode_millis| AnswerStats { tokens, decode_millis, ..AnswerStats::default() };
        assert_eq!(rate_tok_per_sec(&stats(1, 100.0)), None);
        assert_eq!(rate_tok_per_sec(&stats(0, 0.0)), None);
        assert_eq!(rate_tok_per_sec(&stats(11, 1000.0)), Some(10.0));
    }

    #[test]
    fn tokens_up_to_the_closing_tag_are_reasoning() {
        let mut message = Message::answer(ChatId(1), MessageId(1));
        let mut answer = Answer::new(&message, "m", false);
        for piece in ["<th", "ink>", "so", "</think>"] {
            answer.take(text(piece), &mut message);
        }
        assert_eq!((answer.stage, message.stats.thinking_tokens), (Stage::Writing, 4));
        answer.take(text("Yes"), &mut message);
        answer.take(done(5, 20), &mut message);
        assert_eq!((message.stats.thinking_tokens, message.stats.tokens), (4, 5));
    }

    #[test]
    fn an_answer_without_reasoning_has_no_thinking_tokens() {
        let mut message = Message::answer(ChatId(1), MessageId(1));
        let mut answer = Answer::new(&message, "m", false);
        answer.take(text("Yes"), &mut message);
        assert_eq!((answer.stage, message.stats.thinking_tokens), (Stage::Writing, 0));
    }

    #[test]
    fn counts_of_an_answer_that_goes_on_are_added_up() {
        let mut message = Message::answer(ChatId(1), MessageId(1));
        message.content = "One, ".to_owned();
        message.stats = AnswerStats {
            tokens: 3,
            prompt_tokens: 20,
            decode_millis: 50.0,
            prefill_millis: 7.0,
            ..AnswerStats::default()
        };
        let mut answer = Answer::new(&message, "m", true);
        answer.take(text("two"), &mut message);
        answer.take(done(4, 23), &mut message);
        let stats = &message.stats;
        assert_eq!((stats.tokens, stats.prompt_tokens), (7, 20));
        assert_eq!((stats.decode_millis, stats.prefill_millis), (150.0, 7.0));
        assert_eq!(message.content, "One, two");
    }
}
