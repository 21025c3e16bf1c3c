//! Answers that ended, for whoever tells the user, and the end of the controller itself.

use std::time::{Duration, Instant};

use super::{Controller, Conversation, rate_tok_per_sec};
use crate::store::{ChatId, Message, MessageId, MessageState, Saving};

/// How long the last look at the engine may take when the app ends.
const LAST_PUMP: Duration = Duration::from_millis(200);

/// An answer that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The chat.
    pub chat: ChatId,
    /// Its title.
    pub title: String,
    /// How it ended.
    pub state: MessageState,
    /// Tokens written.
    pub tokens: u32,
    /// From sending to the end.
    pub took: Duration,
}

impl Ended {
    /// What ended in a conversation whose answer `message` began at `begun`; nothing when the user stopped it.
    pub(super) fn of(conversation: &Conversation, message: MessageId, begun: Instant) -> Option<Self> {
        let answer = conversation.message(message)?;
        (answer.state != MessageState::Stopped).then(|| Self {
            chat: conversation.chat.id,
            title: conversation.chat.title.clone(),
            state: answer.state,
            tokens: answer.stats.tokens,
            took: begun.elapsed(),
        })
    }
}

/// How an answer ended, in a line for the log: model, counts and times, and never a word of it.
pub(super) fn line(answer: &Message, took: Duration) -> String {
    let stats = &answer.stats;
    let how = match answer.state {
        MessageState::Complete if stats.cut_short => "cut short",
        MessageState::Complete => "complete",
        MessageState::Stopped => "stopped",
        MessageState::Failed => "failed",
        MessageState::Writing | MessageState::Interrupted => "interrupted",
    };
    let rate = rate_tok_per_sec(stats).map_or_else(String::new, |rate| format!(", {rate:.1} tok/s"));
    let first = match stats.tokens {
        0 => String::new(),
        _ => format!(", first token after {:.0} ms", stats.prefill_millis),
    };
    let (model, tokens, secs) = (&stats.model, stats.tokens, took.as_secs_f64());
    format!("answer of {model:?} {how} after {secs:.1} s: {tokens} tokens{rate}{first}")
}

impl Controller {
    /// Next answer that ended by itself.
    pub fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// Whether an answer is being written in any chat.
    pub fn is_answering(&self) -> bool {
        self.conversations.values().any(|conversation| conversation.answer.is_some())
    }

    /// Whether the store has not yet said that everything it was told is on the disk.
    pub fn unsaved(&self) -> bool {
        !self.outbox.is_empty() || self.told > self.saved
    }

    /// Stops the answers in all chats.
    pub fn stop_all(&mut self) {
        let writes: Vec<_> = self.conversations.values_mut().flat_map(Conversation::stop).collect();
        self.write_all(writes);
    }

    /// Takes what the engine has said so far, cancels what runs, saves, and says whether everything reached the disk. Waits for the
    /// disk. Answers that are cut off are marked as interrupted when the database is opened again.
    pub fn close(mut self) -> Saving {
        self.pump(LAST_PUMP);
        self.conversations.clear();
        if !self.outbox.is_empty() {
            let reason = "the disk did not keep up with what was written".to_owned();
            return match self.store.close() {
                Saving::Yes => Saving::No { reason, waiting: self.outbox.len() },
                no @ Saving::No { .. } => no,
            };
        }
        self.store.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_answer_has_its_figures_and_none_of_its_words() {
        let mut answer = Message::answer(ChatId(1), MessageId(1));
        answer.content = "Secret words".to_owned();
        answer.error = Some("Secret reason".to_owned());
        answer.state = MessageState::Complete;
        answer.stats.model = "starter".to_owned();
        (answer.stats.tokens, answer.stats.decode_millis, answer.stats.prefill_millis) = (11, 1000.0, 40.0);
        let written = line(&answer, Duration::from_millis(1040));
        let wanted =
            "answer of \"starter\" complete after 1.0 s: 11 tokens, 10.0 tok/s, first token after 40 ms";
        assert_eq!(written, wanted);
        for (state, cut_short, how) in [
            (MessageState::Complete, true, "cut short"),
            (MessageState::Stopped, false, "stopped"),
            (MessageState::Failed, false, "failed"),
        ] {
            (answer.state, answer.stats.cut_short) = (state, cut_short);
            let written = line(&answer, Duration::ZERO);
            assert!(written.contains(how) && !written.contains("Secret"), "{written}");
        }
        answer.stats.tokens = 0;
        assert_eq!(line(&answer, Duration::ZERO), "answer of \"starter\" failed after 0.0 s: 0 tokens");
    }
}
