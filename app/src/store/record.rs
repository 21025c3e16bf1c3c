//! What a conversation is made of, as plain data. Knows no SQL and no thread.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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
#[expect(missing_docs, reason = "the names say it")]
pub enum Role {
    System,
    User,
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
    /// Lane that made it.
    pub lane: String,
    /// Model that made it.
    pub model: String,
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
            state: MessageState::Complete,
            created_millis: now_millis(),
            stats: AnswerStats::default(),
            error: None,
        }
    }

    /// An answer that is about to grow.
    pub fn answer(chat: ChatId, parent: MessageId) -> Self {
        Self {
            state: MessageState::Writing,
            ..Self::complete(chat, Some(parent), Role::Assistant, String::new())
        }
    }
}

/// A chat without its messages, as the list of chats shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The leaf of the branch that is shown. Adding a message sets it; `None`, or a message that is gone, means the newest one.
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
            leaf: None,
        }
    }
}
