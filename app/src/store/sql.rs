//! The statements: changes in, records out. Knows no file and no thread.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::journal::Change;
use super::record::{AnswerStats, Chat, ChatId, Message, MessageId, MessageState, Role};

const CHAT: &str = "id, title, created_millis, updated_millis, pinned, model, system, leaf";
const MESSAGE: &str = "id, chat, parent, role, content, state, created_millis, tokens, prompt_tokens, prefill_millis, \
     decode_millis, lane, model, error";

/// Applies one change. `Ok(false)` when it has nothing to apply to (its chat or message was deleted meanwhile).
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn apply(db: &Transaction<'_>, change: &Change) -> rusqlite::Result<bool> {
    match change {
        Change::PutChat(chat) => put_chat(db, chat),
        Change::AddMessage(message) => add_message(db, message),
        Change::SetContent { message, content } => db
            .prepare_cached("UPDATE messages SET content = ?2 WHERE id = ?1")?
            .execute(params![message.0, content])
            .map(|rows| rows > 0),
        Change::Finish { message, state, stats, error, at_millis } => {
            finish(db, *message, *state, stats, error.as_deref(), *at_millis)
        }
        Change::Rename { chat, title } => db
            .prepare_cached("UPDATE chats SET title = ?2 WHERE id = ?1")?
            .execute(params![chat.0, title])
            .map(|rows| rows > 0),
        // Deleting what is gone already is what was asked for.
        Change::DeleteChat(chat) => {
            db.prepare_cached("DELETE FROM chats WHERE id = ?1")?.execute([chat.0]).map(|_| true)
        }
        Change::DeleteMessage(message) => {
            db.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([message.0]).map(|_| true)
        }
        Change::SetState { name, value } if value.is_empty() => {
            db.prepare_cached("DELETE FROM state WHERE name = ?1")?.execute([name]).map(|_| true)
        }
        Change::SetState { name, value } => db
            .prepare_cached(
                "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
            )?
            .execute([name, value])
            .map(|_| true),
    }
}

fn put_chat(db: &Transaction<'_>, chat: &Chat) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "INSERT INTO chats (id, title, created_millis, updated_millis, pinned, model, system, leaf)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET title = ?2, created_millis = ?3, updated_millis = ?4, pinned = ?5, model = ?6,
         system = ?7, leaf = ?8",
    )?
    .execute(params![
        chat.id.0,
        chat.title,
        chat.created_millis,
        chat.updated_millis,
        chat.pinned,
        chat.model,
        chat.system,
        chat.leaf.map(|leaf| leaf.0),
    ])
    .map(|_| true)
}

fn add_message(db: &Transaction<'_>, message: &Message) -> rusqlite::Result<bool> {
    let added = db
        .prepare_cached(
            "INSERT INTO messages (id, chat, parent, role, content, state, created_millis, tokens, prompt_tokens,
             prefill_millis, decode_millis, lane, model, error)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
             WHERE EXISTS (SELECT 1 FROM chats WHERE id = ?2)
             AND (?3 IS NULL OR EXISTS (SELECT 1 FROM messages WHERE id = ?3 AND chat = ?2))
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            message.id.0,
            message.chat.0,
            message.parent.map(|parent| parent.0),
            message.role,
            message.content,
            message.state,
            message.created_millis,
            message.stats.tokens,
            message.stats.prompt_tokens,
            message.stats.prefill_millis,
            message.stats.decode_millis,
            message.stats.lane,
            message.stats.model,
            message.error,
        ])?;
    if added == 0 && !exists(db, message.id)? {
        return Ok(false);
    }
    db.prepare_cached("UPDATE chats SET updated_millis = max(updated_millis, ?2), leaf = ?3 WHERE id = ?1")?
        .execute(params![message.chat.0, message.created_millis, message.id.0])
        .map(|rows| rows > 0)
}

fn exists(db: &Connection, message: MessageId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM messages WHERE id = ?1")?.exists([message.0])
}

fn finish(
    db: &Transaction<'_>,
    message: MessageId,
    state: MessageState,
    stats: &AnswerStats,
    error: Option<&str>,
    at_millis: i64,
) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "UPDATE chats SET updated_millis = max(updated_millis, ?2)
         WHERE id = (SELECT chat FROM messages WHERE id = ?1)",
    )?
    .execute(params![message.0, at_millis])?;
    db.prepare_cached(
        "UPDATE messages SET state = ?2, tokens = ?3, prompt_tokens = ?4, prefill_millis = ?5, decode_millis = ?6,
         lane = ?7, model = ?8, error = ?9 WHERE id = ?1",
    )?
    .execute(params![
        message.0,
        state,
        stats.tokens,
        stats.prompt_tokens,
        stats.prefill_millis,
        stats.decode_millis,
        stats.lane,
        stats.model,
        error,
    ])
    .map(|rows| rows > 0)
}

/// Marks answers that were growing when the program ended. Returns how many.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn mark_interrupted(db: &Connection) -> rusqlite::Result<usize> {
    db.execute("UPDATE messages SET state = 'interrupted' WHERE state = 'writing'", [])
}

/// All chats, in no order.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn chats(db: &Connection) -> rusqlite::Result<Vec<Chat>> {
    db.prepare_cached(&format!("SELECT {CHAT} FROM chats"))?.query_map([], chat_from_row)?.collect()
}

/// One chat.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn chat(db: &Connection, id: ChatId) -> rusqlite::Result<Option<Chat>> {
    db.prepare_cached(&format!("SELECT {CHAT} FROM chats WHERE id = ?1"))?
        .query_row([id.0], chat_from_row)
        .optional()
}

/// Messages of a chat, oldest first.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn messages(db: &Connection, chat: ChatId) -> rusqlite::Result<Vec<Message>> {
    db.prepare_cached(&format!("SELECT {MESSAGE} FROM messages WHERE chat = ?1 ORDER BY id"))?
        .query_map([chat.0], message_from_row)?
        .collect()
}

/// The chat a message belongs to.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn chat_of(db: &Connection, message: MessageId) -> rusqlite::Result<Option<ChatId>> {
    db.prepare_cached("SELECT chat FROM messages WHERE id = ?1")?
        .query_row([message.0], |row| row.get(0).map(ChatId))
        .optional()
}

/// A remembered value.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn state(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM state WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn chat_from_row(row: &Row<'_>) -> rusqlite::Result<Chat> {
    Ok(Chat {
        id: ChatId(row.get(0)?),
        title: row.get(1)?,
        created_millis: row.get(2)?,
        updated_millis: row.get(3)?,
        pinned: row.get(4)?,
        model: row.get(5)?,
        system: row.get(6)?,
        leaf: row.get::<_, Option<i64>>(7)?.map(MessageId),
    })
}

fn message_from_row(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: MessageId(row.get(0)?),
        chat: ChatId(row.get(1)?),
        parent: row.get::<_, Option<i64>>(2)?.map(MessageId),
        role: row.get(3)?,
        content: row.get(4)?,
        state: row.get(5)?,
        created_millis: row.get(6)?,
        stats: AnswerStats {
            tokens: row.get(7)?,
            prompt_tokens: row.get(8)?,
            prefill_millis: row.get(9)?,
            decode_millis: row.get(10)?,
            lane: row.get(11)?,
            model: row.get(12)?,
        },
        error: row.get(13)?,
    })
}

const ROLES: [(Role, &str); 3] =
    [(Role::System, "system"), (Role::User, "user"), (Role::Assistant, "assistant")];
const STATES: [(MessageState, &str); 5] = [
    (MessageState::Complete, "complete"),
    (MessageState::Writing, "writing"),
    (MessageState::Stopped, "stopped"),
    (MessageState::Failed, "failed"),
    (MessageState::Interrupted, "interrupted"),
];

impl ToSql for Role {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(name_of(&ROLES, *self).into())
    }
}

impl FromSql for Role {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value_of(&ROLES, value)
    }
}

impl ToSql for MessageState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(name_of(&STATES, *self).into())
    }
}

impl FromSql for MessageState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value_of(&STATES, value)
    }
}

fn name_of<T: Copy + PartialEq>(names: &[(T, &'static str)], wanted: T) -> &'static str {
    names.iter().find(|(value, _)| *value == wanted).expect("every value has a name").1
}

fn value_of<T: Copy>(names: &[(T, &str)], value: ValueRef<'_>) -> FromSqlResult<T> {
    let text = value.as_str()?;
    names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or(FromSqlError::InvalidType)
}
