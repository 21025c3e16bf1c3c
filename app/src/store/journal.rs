//! Changes that are not on disk yet, in order, and what the chats look like with them applied.
//!
//! An answer that grows is held as its whole text, so that applying a change twice (after a commit of unknown outcome) does no
//! harm, and at most one change an answer waits at the end of the list.

use std::collections::HashMap;

use super::command::{Ticket, Write};
use super::record::{AnswerStats, Chat, ChatId, Message, MessageId, MessageState, now_millis};

/// A change as it is applied to the database: idempotent, with its time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    PutChat(Chat),
    AddMessage(Message),
    SetContent {
        message: MessageId,
        content: String,
    },
    Finish {
        message: MessageId,
        state: MessageState,
        stats: AnswerStats,
        error: Option<String>,
        at_millis: i64,
    },
    Rename {
        chat: ChatId,
        title: String,
    },
    DeleteChat(ChatId),
    DeleteMessage(MessageId),
    SetState {
        name: String,
        value: String,
    },
}

/// See the module documentation.
#[derive(Default)]
pub(super) struct Journal {
    waiting: Vec<Change>,
    /// Answers that grow, with their text so far.
    growing: HashMap<MessageId, String>,
    newest: Ticket,
    /// Bytes of answers' text that arrived since the last save.
    fresh_text_bytes: usize,
    /// Whether something else than growth waits.
    urgent: bool,
}

impl Journal {
    /// Takes a change.
    ///
    /// # Errors
    /// Text for the user when it makes no sense: growth of a message that is not being written.
    pub fn push(&mut self, ticket: Ticket, write: Write) -> Result<(), String> {
        self.newest = ticket;
        if let Write::Extend { message, text } = write {
            return self.extend(message, &text);
        }
        self.urgent = true;
        let change = match write {
            Write::PutChat(chat) => Change::PutChat(chat),
            Write::AddMessage(message) => {
                if message.state == MessageState::Writing {
                    self.growing.insert(message.id, message.content.clone());
                }
                Change::AddMessage(message)
            }
            Write::Extend { .. } => unreachable!("handled above"),
            Write::Finish { message, state, stats, error } => {
                self.growing.remove(&message);
                Change::Finish { message, state, stats, error, at_millis: now_millis() }
            }
            Write::Rename { chat, title } => Change::Rename { chat, title },
            Write::DeleteChat(chat) => Change::DeleteChat(chat),
            Write::DeleteMessage(message) => Change::DeleteMessage(message),
            Write::SetState { name, value } => {
                self.waiting
                    .retain(|waiting| !matches!(waiting, Change::SetState { name: old, .. } if *old == name));
                Change::SetState { name, value }
            }
        };
        self.waiting.push(change);
        Ok(())
    }

    fn extend(&mut self, message: MessageId, text: &str) -> Result<(), String> {
        let content = self.growing.get_mut(&message).ok_or_else(|| {
            "text arrived for a message that is not being written; it was not stored".to_owned()
        })?;
        content.push_str(text);
        self.fresh_text_bytes += text.len();
        let content = content.clone();
        // Only the newest text of an answer is worth writing.
        self.waiting
            .retain(|waiting| !matches!(waiting, Change::SetContent { message: old, .. } if *old == message));
        self.waiting.push(Change::SetContent { message, content });
        Ok(())
    }

    /// Changes in order.
    pub fn waiting(&self) -> &[Change] {
        &self.waiting
    }

    /// Number of the newest change taken.
    pub fn newest(&self) -> Ticket {
        self.newest
    }

    /// Whether something else than growth waits.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Bytes of answers' text that arrived since the last save.
    pub fn fresh_text_bytes(&self) -> usize {
        self.fresh_text_bytes
    }

    /// Everything waiting is on disk now.
    pub fn saved(&mut self) {
        self.waiting.clear();
        self.fresh_text_bytes = 0;
        self.urgent = false;
    }

    /// Bytes of text held here.
    pub fn bytes(&self) -> usize {
        let waiting: usize = self
            .waiting
            .iter()
            .map(|change| match change {
                Change::PutChat(chat) => chat.title.len() + chat.system.len(),
                Change::AddMessage(message) => message.content.len(),
                Change::SetContent { content, .. } => content.len(),
                Change::SetState { value, .. } => value.len(),
                Change::Rename { title, .. } => title.len(),
                Change::Finish { .. } | Change::DeleteChat(_) | Change::DeleteMessage(_) => 0,
            })
            .sum();
        waiting + self.growing.values().map(String::len).sum::<usize>()
    }

    /// Applies what waits to a list of chats.
    pub fn apply_to_chats(&self, chats: &mut Vec<Chat>, chat_of: impl Fn(MessageId) -> Option<ChatId>) {
        let mut added: HashMap<MessageId, ChatId> = HashMap::new();
        for change in &self.waiting {
            match change {
                Change::PutChat(chat) => put_chat(chats, chat),
                Change::AddMessage(message) => {
                    added.insert(message.id, message.chat);
                    if let Some(chat) = chats.iter_mut().find(|chat| chat.id == message.chat) {
                        note_message(chat, message);
                    }
                }
                Change::Finish { message, at_millis, .. } => {
                    let owner = added.get(message).copied().or_else(|| chat_of(*message));
                    if let Some(chat) = chats.iter_mut().find(|chat| Some(chat.id) == owner) {
                        chat.updated_millis = chat.updated_millis.max(*at_millis);
                    }
                }
                Change::Rename { chat: id, title } => {
                    if let Some(chat) = chats.iter_mut().find(|chat| chat.id == *id) {
                        chat.title.clone_from(title);
                    }
                }
                Change::DeleteChat(id) => chats.retain(|chat| chat.id != *id),
                Change::SetContent { .. } | Change::DeleteMessage(_) | Change::SetState { .. } => {}
            }
        }
    }

    /// Applies what waits to one chat and its messages. `chat` is `None` when the database does not know it.
    pub fn apply_to_chat(&self, id: ChatId, chat: &mut Option<Chat>, messages: &mut Vec<Message>) {
        for change in &self.waiting {
            match change {
                Change::PutChat(put) if put.id == id => *chat = Some(put.clone()),
                Change::AddMessage(message) if message.chat == id => {
                    if messages.iter().all(|known| known.id != message.id) {
                        messages.push(message.clone());
                    }
                    if let Some(chat) = chat {
                        note_message(chat, message);
                    }
                }
                Change::SetContent { message, content } => {
                    if let Some(found) = messages.iter_mut().find(|found| found.id == *message) {
                        found.content.clone_from(content);
                    }
                }
                Change::Finish { message, state, stats, error, at_millis } => {
                    if let Some(found) = messages.iter_mut().find(|found| found.id == *message) {
                        found.state = *state;
                        found.stats = stats.clone();
                        found.error.clone_from(error);
                        if let Some(chat) = chat {
                            chat.updated_millis = chat.updated_millis.max(*at_millis);
                        }
                    }
                }
                Change::Rename { chat: renamed, title } if *renamed == id => {
                    if let Some(chat) = chat {
                        chat.title.clone_from(title);
                    }
                }
                Change::DeleteChat(deleted) if *deleted == id => {
                    *chat = None;
                    messages.clear();
                }
                Change::DeleteMessage(deleted) => delete_below(messages, *deleted),
                _ => {}
            }
        }
    }

    /// The waiting value of a name: `None` = nothing waits, `Some("")` = forgotten.
    pub fn state(&self, name: &str) -> Option<&str> {
        self.waiting.iter().rev().find_map(|change| match change {
            Change::SetState { name: found, value } if found == name => Some(value.as_str()),
            _ => None,
        })
    }
}

fn put_chat(chats: &mut Vec<Chat>, chat: &Chat) {
    match chats.iter_mut().find(|known| known.id == chat.id) {
        Some(known) => known.clone_from(chat),
        None => chats.push(chat.clone()),
    }
}

fn note_message(chat: &mut Chat, message: &Message) {
    chat.updated_millis = chat.updated_millis.max(message.created_millis);
    chat.leaf = Some(message.id);
}

fn delete_below(messages: &mut Vec<Message>, root: MessageId) {
    let mut doomed = vec![root];
    // Parents come before their children, so one pass in order finds the whole subtree.
    for message in messages.iter() {
        if message.parent.is_some_and(|parent| doomed.contains(&parent)) {
            doomed.push(message.id);
        }
    }
    messages.retain(|message| !doomed.contains(&message.id));
}
