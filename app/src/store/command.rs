//! What one can ask of the store and what it says back: the whole API as two closed enums of plain data.

use std::path::PathBuf;

use super::deleted::{Deleted, DeletedId};
use super::import::Imported;
use super::record::{
    AnswerStats, Chat, ChatHead, ChatId, Folder, FolderId, Message, MessageId, MessageState, Persona,
    PersonaId,
};
use super::sampling::ChatSampling;

/// A change to what is stored. Applied in the order sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Adds a chat, or replaces everything but the messages of the one with this id. One that is deleted stays deleted.
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
    /// Begins to write a message that had ended again: it becomes `Writing` and its text is `content` before it grows.
    Resume {
        /// Which.
        message: MessageId,
        /// Its text so far.
        content: String,
    },
    /// Shows the branch that ends at this message. Not a change of the chat that moves it in the list.
    ShowLeaf {
        /// Which.
        chat: ChatId,
        /// The last message of the branch.
        leaf: MessageId,
    },
    /// Pins a chat to the top of the list, or unpins it.
    Pin {
        /// Which.
        chat: ChatId,
        /// Whether it is pinned.
        pinned: bool,
    },
    /// Puts a chat into a folder, or takes it out of the one it is in.
    MoveChat {
        /// Which.
        chat: ChatId,
        /// Into this one; `None` for none.
        folder: Option<FolderId>,
    },
    /// Sets how a chat is answered.
    SetUp {
        /// Which.
        chat: ChatId,
        /// System prompt; empty for none.
        system: String,
        /// Sampling parameters.
        sampling: ChatSampling,
        /// Where both were taken from.
        persona: Option<PersonaId>,
    },
    /// Deletes a chat with all its messages. [`Write::RestoreChat`] undoes it until it is purged, see
    /// [`super::Store::keep_deleted`].
    DeleteChat(ChatId),
    /// Undoes [`Write::DeleteChat`].
    RestoreChat(ChatId),
    /// Deletes one message and everything below it. [`Write::RestoreMessage`] undoes it until it is purged.
    DeleteMessage(MessageId),
    /// Undoes [`Write::DeleteMessage`] of this message; what had been deleted below it before stays deleted.
    RestoreMessage(MessageId),
    /// Adds a persona, or replaces the one with this id.
    PutPersona(Persona),
    /// Deletes a persona. Chats that took it keep their system prompt and sampling.
    DeletePersona(PersonaId),
    /// Undoes [`Write::DeletePersona`] until it is purged.
    RestorePersona(PersonaId),
    /// Adds a folder, or replaces the one with this id. One that is deleted stays deleted.
    PutFolder(Folder),
    /// Renames a folder.
    RenameFolder {
        /// Which.
        folder: FolderId,
        /// New name.
        name: String,
    },
    /// Deletes a folder. Its chats stay and count as being in none, until it is restored.
    DeleteFolder(FolderId),
    /// Undoes [`Write::DeleteFolder`] until it is purged: the chats that were in it are in it again, but for those that were moved
    /// meanwhile.
    RestoreFolder(FolderId),
    /// Removes something that is deleted for good, at once.
    DeleteForGood(DeletedId),
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
        /// At most this many.
        limit: usize,
    },
    /// Chats with this text in their title or in a message, newest change first. Answered by [`Event::Hits`], unless another search with
    /// the same limit was asked before this one was begun.
    Search {
        /// A title contains it as it stands; a message contains words that begin like each of its words, in any order, accents aside.
        /// In a script without spaces between words a message contains it as it stands. Case does not matter.
        text: String,
        /// At most this many.
        limit: usize,
    },
    /// All personas, by name. Answered by [`Event::Personas`].
    Personas,
    /// All folders, by name. Answered by [`Event::Folders`].
    Folders,
    /// A chat with all its messages that are not deleted. Answered by [`Event::Chat`] or [`Event::ChatMissing`].
    Chat(ChatId),
    /// A remembered value. Answered by [`Event::State`].
    State(String),
    /// What was deleted and can be brought back. Answered by [`Event::Deleted`].
    Deleted,
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
    /// The index over texts was damaged and has been made anew; no chat is lost by it.
    IndexRemade {
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
        /// The first ones.
        chats: Vec<ChatHead>,
        /// Chats in all.
        total: usize,
    },
    /// Answer to [`Query::Search`].
    Hits {
        /// As asked.
        text: String,
        /// As asked.
        limit: usize,
        /// At most one for each chat.
        hits: Vec<Hit>,
        /// Whether there are more.
        more: bool,
    },
    /// Answer to [`Query::Personas`].
    Personas(Vec<Persona>),
    /// Answer to [`Query::Folders`].
    Folders(Vec<Folder>),
    /// Answer to [`Query::Deleted`], newest deletion first.
    Deleted(Vec<Deleted>),
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
    /// An import ended: what it did, or why nothing was taken in (text for the user).
    Imported(Result<Imported, String>),
    /// A change made no sense and was dropped (text for the user), e.g. a message of a chat that was deleted meanwhile.
    Refused(String),
    /// A question could not be answered (text for the user).
    QueryFailed(String),
}

/// A chat that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The chat.
    pub chat: ChatHead,
    /// Its newest message that has the text; `None` when only the title has it.
    pub message: Option<MessageId>,
    /// A piece of that message around the first match, on one line; empty when only the title matches.
    pub snippet: Vec<Piece>,
}

/// A piece of a snippet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// Whether it is what was looked for.
    pub is_match: bool,
}

/// Number of a write, rising. See [`Event::Saved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);
