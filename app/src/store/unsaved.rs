//! What the store was told and has not saved, in words: all that is left to say when a disk never answers.

use std::collections::VecDeque;
use std::fmt;

use super::command::{Ticket, Write};
use super::record::{MessageId, MessageState};

/// How much is not on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// Messages of the user.
    pub messages: usize,
    /// Answers of which the newest part, or all, is missing.
    pub answers: usize,
    /// Everything else: titles, pins, the draft, deletions.
    pub others: usize,
}

impl Unsaved {
    /// Whether everything is on the disk.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Unsaved {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.messages, "message", "messages"),
            (self.answers, "answer, of which a part may be saved", "answers, of which parts may be saved"),
            (self.others, "other change", "other changes"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        out.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        out.write_str(&parts.join("; "))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Message,
    Answer(MessageId),
    Other,
}

/// Changes that wait, each with its ticket, the oldest first. An answer stands there once however it grows.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<(Ticket, What)>);

impl Waiting {
    pub fn add(&mut self, ticket: Ticket, write: &Write) {
        let what = match write {
            Write::AddMessage(message) if message.state == MessageState::Writing => What::Answer(message.id),
            Write::AddMessage(_) => What::Message,
            Write::Extend { message, .. } | Write::Finish { message, .. } | Write::Resume { message, .. } => {
                What::Answer(*message)
            }
            _ => What::Other,
        };
        if matches!(what, What::Answer(_))
            && let Some(at) = self.0.iter().rposition(|(_, known)| *known == what)
        {
            self.0.remove(at);
        }
        self.0.push_back((ticket, what));
    }

    /// Everything up to this ticket is on the disk.
    pub fn saved(&mut self, until: Ticket) {
        while self.0.front().is_some_and(|(ticket, _)| *ticket <= until) {
            self.0.pop_front();
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn count(&self) -> Unsaved {
        let mut count = Unsaved::default();
        for (_, what) in &self.0 {
            match what {
                What::Message => count.messages += 1,
                What::Answer(_) => count.answers += 1,
                What::Other => count.others += 1,
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChatId, Message, Role};

    #[test]
    fn an_answer_counts_once_however_it_grows_and_what_is_saved_counts_no_more() {
        let mut waiting = Waiting::default();
        let question = Message::complete(ChatId(1), None, Role::User, "Why?");
        let answer = Message::answer(ChatId(1), question.id);
        let id = answer.id;
        let extend = Write::Extend { message: id, text: "x".to_owned() };
        waiting.add(Ticket(1), &Write::AddMessage(question));
        waiting.add(Ticket(2), &Write::AddMessage(answer));
        waiting.add(Ticket(3), &Write::Pin { chat: ChatId(1), pinned: true });
        waiting.add(Ticket(4), &extend);
        assert_eq!(waiting.count(), Unsaved { messages: 1, answers: 1, others: 1 });
        assert_eq!(
            waiting.count().to_string(),
            "1 message; 1 answer, of which a part may be saved; 1 other change"
        );
        waiting.saved(Ticket(3));
        assert_eq!(waiting.count(), Unsaved { answers: 1, ..Unsaved::default() });
        waiting.saved(Ticket(4));
        assert!(waiting.count().is_empty());
        assert_eq!(waiting.count().to_string(), "nothing");
    }
}
