//! What a conversation is made of, as plain data. Knows no SQL and no thread.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::sampling::ChatSampling;

/// Identifies a chat. Made by whoever creates the chat, so that nobody waits for the database to hand one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChatId(pub i64);

/// Identifies a message. Made by whoever writes the message. Ids made later are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub i64);

impl ChatId {
    /// A new id: milliseconds since 1970 above 22 random bits, larger than every id made before by this process.
    pub fn fresh() -> Self {
        Self(fresh_id())
    }
}

impl MessageId {
    /// A new id, see [`ChatId::fresh`].
    pub fn fresh() -> Self {
        Self(fresh_id())
    }
}

/// Identifies a persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonaId(pub i64);

impl PersonaId {
    /// A new id, see [`ChatId::fresh`].
    pub fn fresh() -> Self {
        Self(fresh_id())
    }
}

/// Identifies a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderId(pub i64);

impl FolderId {
    /// A new id, see [`ChatId::fresh`].
    pub fn fresh() -> Self {
        Self(fresh_id())
    }
}

/// Milliseconds since 1970 by the system's clock.
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn fresh_id() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    // Two processes may share a data folder, so the low bits are random; RandomState is seeded by the operating system.
    let random = i64::try_from(RandomState::new().build_hasher().finish() & 0x3f_ffff).expect("22 bits fit");
    let wanted = ((now_millis() & 0x1ff_ffff_ffff) << 22) | random;
    let previous = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(wanted.max(last.saturating_add(1))))
        .expect("the closure always returns a value");
    wanted.max(previous.saturating_add(1))
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions that stand before the conversation.
    System,
    /// The person who asks.
    User,
    /// The model that answers.
    Assistant,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// Whole.
    Complete,
    /// An answer that is still growing.
    Writing,
    /// The user stopped it.
    Stopped,
    /// It ended with an error, which `Message::error` holds.
    Failed,
    /// The program ended while it was growing; the text that had been saved is kept.
    Interrupted,
}

/// Counts and times of an answer; zero where unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnswerStats {
    /// New tokens.
    pub tokens: u32,
    /// Tokens of the prompt it was made from.
    pub prompt_tokens: u32,
    /// From start to the first token.
    pub prefill_millis: f64,
    /// From the first token to the last.
    pub decode_millis: f64,
    /// Prompt tokens that did not have to be read again.
    pub cached_tokens: u32,
    /// Tokens of the reasoning before the answer, part of `tokens`.
    pub thinking_tokens: u32,
    /// Time of the reasoning, part of `decode_millis`.
    pub thinking_millis: f64,
    /// Whether the answer ended because its token limit was reached or the context was full.
    pub cut_short: bool,
    /// Lane that made it.
    pub lane: String,
    /// Model that made it.
    pub model: String,
}

/// A text file that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// File name without its folder.
    pub name: String,
    /// Media type, like `text/markdown`.
    pub media: String,
    /// What is in it.
    pub text: String,
}

/// A message in the tree of a chat. Siblings (same `parent`) are alternatives: an edited question, a regenerated answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The chat it belongs to.
    pub chat: ChatId,
    /// The message it answers or follows; `None` at the start of a chat.
    pub parent: Option<MessageId>,
    /// Speaker.
    pub role: Role,
    /// Text.
    pub content: String,
    /// Files that go with it, in order.
    pub attachments: Vec<Attachment>,
    /// How far it has come.
    pub state: MessageState,
    /// Milliseconds since 1970.
    pub created_millis: i64,
    /// Counts and times, for answers.
    pub stats: AnswerStats,
    /// What went wrong when `state` is `Failed`.
    pub error: Option<String>,
}

impl Message {
    /// A whole message, as the user types one.
    pub fn complete(chat: ChatId, parent: Option<MessageId>, role: Role, content: impl Into<String>) -> Self {
        Self {
            id: MessageId::fresh(),
            chat,
            parent,
            role,
            content: content.into(),
            attachments: Vec::new(),
            state: MessageState::Complete,
            created_millis: now_millis(),
            stats: AnswerStats::default(),
            error: None,
        }
    }

    /// Bytes of its text and of the texts that go with it.
    pub fn text_bytes(&self) -> usize {
        let attached: usize = self.attachments.iter().map(|file| file.name.len() + file.text.len()).sum();
        self.content.len().saturating_add(attached)
    }

    /// An answer that is about to grow.
    pub fn answer(chat: ChatId, parent: MessageId) -> Self {
        Self {
            state: MessageState::Writing,
            ..Self::complete(chat, Some(parent), Role::Assistant, String::new())
        }
    }
}

/// A chat without its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// Shown in the list.
    pub title: String,
    /// Milliseconds since 1970.
    pub created_millis: i64,
    /// Milliseconds since 1970 of the last change.
    pub updated_millis: i64,
    /// Kept at the top of the list.
    pub pinned: bool,
    /// Model it was last used with; empty when none yet.
    pub model: String,
    /// System prompt; empty when none.
    pub system: String,
    /// Sampling parameters of its own.
    pub sampling: ChatSampling,
    /// The persona that system prompt and sampling were taken from; it may be gone.
    pub persona: Option<PersonaId>,
    /// The folder it is in. One that is deleted or gone counts as none.
    pub folder: Option<FolderId>,
    /// The leaf of the branch that is shown. Adding a message sets it, [`super::Write::ShowLeaf`] changes it; `None`, or a message that
    /// is gone, means the newest one.
    pub leaf: Option<MessageId>,
}

impl Chat {
    /// A new, empty chat.
    pub fn new(title: impl Into<String>, model: impl Into<String>) -> Self {
        let now = now_millis();
        Self {
            id: ChatId::fresh(),
            title: title.into(),
            created_millis: now,
            updated_millis: now,
            pinned: false,
            model: model.into(),
            system: String::new(),
            sampling: ChatSampling::default(),
            persona: None,
            folder: None,
            leaf: None,
        }
    }
}

/// What the list shows of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatHead {
    /// Its id.
    pub id: ChatId,
    /// Its title.
    pub title: String,
    /// Milliseconds since 1970 of the last change.
    pub updated_millis: i64,
    /// Kept at the top of the list, or of its folder.
    pub pinned: bool,
    /// The folder it is in, see [`Chat::folder`].
    pub folder: Option<FolderId>,
}

impl From<&Chat> for ChatHead {
    fn from(chat: &Chat) -> Self {
        Self {
            id: chat.id,
            title: chat.title.clone(),
            updated_millis: chat.updated_millis,
            pinned: chat.pinned,
            folder: chat.folder,
        }
    }
}

/// What stands for the title of a chat that has none.
pub const UNTITLED: &str = "Untitled";

/// A title as it is shown.
pub fn shown_title(title: &str) -> &str {
    if title.is_empty() { UNTITLED } else { title }
}

/// A name under which chats are listed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// Its name. No two folders that are not deleted have the same, whatever the case of its letters.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_millis: i64,
}

impl Folder {
    /// Longest name, in characters.
    pub const MAX_NAME: usize = 80;

    /// A new folder.
    pub fn new(name: impl Into<String>) -> Self {
        Self { id: FolderId::fresh(), name: name.into(), created_millis: now_millis() }
    }

    /// Whether this can be the name of a folder: one line of 1 to [`Folder::MAX_NAME`] characters without blanks around it.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty()
            && name.trim() == name
            && !name.contains(char::is_control)
            && name.chars().count() <= Self::MAX_NAME
    }
}

/// A system prompt with sampling parameters under a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Persona {
    /// Its id.
    pub id: PersonaId,
    /// Its name.
    pub name: String,
    /// System prompt; may be empty.
    pub system: String,
    /// Sampling parameters.
    pub sampling: ChatSampling,
    /// Milliseconds since 1970.
    pub created_millis: i64,
}

impl Persona {
    /// A new persona.
    pub fn new(name: impl Into<String>, system: impl Into<String>, sampling: ChatSampling) -> Self {
        Self {
            id: PersonaId::fresh(),
            name: name.into(),
            system: system.into(),
            sampling,
            created_millis: now_millis(),
        }
    }
}

/// A record with the time since which it is deleted. It stays in the database for a while so that deleting can be undone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept<T> {
    pub record: T,
    pub deleted_millis: Option<i64>,
}

impl<T> Kept<T> {
    pub fn alive(record: T) -> Self {
        Self { record, deleted_millis: None }
    }

    /// Marks it deleted, unless it is already.
    pub fn delete(&mut self, at_millis: i64) {
        self.deleted_millis = self.deleted_millis.or(Some(at_millis));
    }

    pub fn is_alive(&self) -> bool {
        self.deleted_millis.is_none()
    }
}
