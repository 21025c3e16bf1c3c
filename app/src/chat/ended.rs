//! Answers that ended, for whoever tells the user, and the end of the controller itself.

use std::time::{Duration, Instant};

use super::{Controller, Conversation};
use crate::store::{ChatId, MessageId, MessageState, Saving};

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

impl Controller {
    /// Next answer that ended by itself.
    pub fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// Whether an answer is being written in any chat.
    pub fn is_answering(&self) -> bool {
        self.conversations.values().any(|conversation| conversation.answer.is_some())
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
