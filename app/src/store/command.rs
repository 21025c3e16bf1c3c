//! What one can ask of the store and what it says back: the whole API as two closed enums of plain data.

use std::path::PathBuf;

use super::record::{AnswerStats, Chat, ChatId, Message, MessageId, MessageState};

/// A change to what is stored. Applied in the order sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Adds a chat, or replaces title, pin, model, system prompt and leaf of the one with this id.
    PutChat(Chat),
    /// Adds a message. Its chat must have been put before.
    AddMessage(Message),
    /// Appends to a message that is `Writing`. Cheap to send once a token: the store saves at most every 250 ms.
    Extend {
        /// Which.
        message: MessageId,
        /// New text, after what was sent before.
        text: String,
    },
    /// Ends a message that is `Writing`.
    Finish {
        /// Which.
        message: MessageId,
        /// `Complete`, `Stopped` or `Failed`.
        state: MessageState,
        /// Counts and times.
        stats: AnswerStats,
        /// What went wrong, for `Failed`.
        error: Option<String>,
    },
    /// Renames a chat.
    Rename {
        /// Which.
        chat: ChatId,
        /// New title.
        title: String,
    },
    /// Deletes a chat with all its messages.
    DeleteChat(ChatId),
    /// Deletes one message and everything below it.
    DeleteMessage(MessageId),
    /// Remembers a value under a name: last open chat, draft, window size. An empty value forgets it.
    SetState {
        /// Name, see [`super::state`].
        name: String,
        /// Value.
        value: String,
    },
}

/// A question to the store; answered by one [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Chats, pinned first, then newest change first. Answered by [`Event::Chats`].
    Chats {
        /// Skip this many.
        offset: usize,
        /// At most this many.
        limit: usize,
        /// Only chats whose title contains this text; empty = all.
        search: String,
    },
    /// A chat with all its messages. Answered by [`Event::Chat`] or [`Event::ChatMissing`].
    Chat(ChatId),
    /// A remembered value. Answered by [`Event::State`].
    State(String),
}

/// Whether what the store is told reaches the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saving {
    /// Yes.
    Yes,
    /// Not now, for this reason (text for the user). Everything stays in memory and is tried again every few seconds;
    /// `Saving::Yes` follows when it worked.
    No {
        /// Why, and what to do.
        reason: String,
        /// Changes waiting.
        waiting: usize,
    },
}

/// What the store says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Opening ended, well or not; the first event of a store.
    Opened(Saving),
    /// Saving stopped or started working.
    Saving(Saving),
    /// The database could not be read. It was moved aside untouched and an empty one was begun.
    SetAside {
        /// Where the old one is now.
        kept_at: PathBuf,
        /// What was wrong with it.
        problem: String,
    },
    /// These answers were cut off when the program ended last time; their text is kept.
    Interrupted {
        /// How many.
        messages: usize,
    },
    /// Every write up to and including this ticket is on disk.
    Saved(Ticket),
    /// Answer to [`Query::Chats`].
    Chats {
        /// As asked.
        offset: usize,
        /// As asked.
        search: String,
        /// The page.
        chats: Vec<Chat>,
        /// Chats that match in all.
        total: usize,
    },
    /// Answer to [`Query::Chat`].
    Chat {
        /// The chat.
        chat: Chat,
        /// All its messages, oldest first; a parent comes before its children.
        messages: Vec<Message>,
    },
    /// Answer to [`Query::Chat`] when there is none of this id.
    ChatMissing(ChatId),
    /// Answer to [`Query::State`].
    State {
        /// As asked.
        name: String,
        /// Value, if any.
        value: Option<String>,
    },
    /// A change made no sense and was dropped (text for the user), e.g. a message of a chat that was deleted meanwhile.
    Refused(String),
    /// A question could not be answered (text for the user).
    QueryFailed(String),
}

/// Number of a write, rising. See [`Event::Saved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);
