//! What was deleted and is still there: listing it, and removing it for good. A deletion is a mark with its time; the time 0 marks what
//! nobody may have back, which the keeper removes at once.

use rusqlite::{Connection, params};

use super::record::{ChatId, MessageId, PersonaId};
use super::sql::{BELOW, run};

/// Longest title made from a message, in characters.
const TITLE_CHARS: usize = 120;

/// Something that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeletedId {
    /// A chat with all its messages.
    Chat(ChatId),
    /// A message with everything below it, in this chat, which is there.
    Message(ChatId, MessageId),
    /// A persona.
    Persona(PersonaId),
}

/// Something that was deleted and can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// What it is.
    pub id: DeletedId,
    /// Title of the chat, beginning of the message, or name of the persona.
    pub title: String,
    /// Title of the chat that a message belongs to; else empty.
    pub of: String,
    /// Milliseconds since 1970 of its deletion.
    pub deleted_millis: i64,
}

/// Everything that can be brought back, newest deletion first. Messages below one that is deleted come back with it, or after it.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn list(db: &Connection) -> rusqlite::Result<Vec<Deleted>> {
    let mut found = Vec::new();
    let mut collect = |sql: &str, id: fn(i64, i64) -> DeletedId| -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let title: String = row.get(1)?;
            let first = title.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            Ok(Deleted {
                id: id(row.get(0)?, row.get(4)?),
                title: first.chars().take(TITLE_CHARS).collect(),
                of: row.get(2)?,
                deleted_millis: row.get(3)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
        Ok(())
    };
    collect("SELECT id, title, '', deleted_millis, id FROM chats WHERE deleted_millis > 0", |id, _| {
        DeletedId::Chat(ChatId(id))
    })?;
    collect(
        "SELECT one.id, substr(one.content, 1, 1000), chats.title, one.deleted_millis, one.chat
         FROM messages AS one INDEXED BY messages_deleted
         JOIN chats ON chats.id = one.chat AND chats.deleted_millis IS NULL
         LEFT JOIN messages AS above ON above.id = one.parent
         WHERE one.deleted_millis IS NOT NULL AND one.deleted_millis > 0 AND above.deleted_millis IS NULL",
        |id, chat| DeletedId::Message(ChatId(chat), MessageId(id)),
    )?;
    collect("SELECT id, name, '', deleted_millis, id FROM personas WHERE deleted_millis > 0", |id, _| {
        DeletedId::Persona(PersonaId(id))
    })?;
    found.sort_by_key(|deleted| std::cmp::Reverse(deleted.deleted_millis));
    Ok(found)
}

/// Marks something that is deleted as to be removed with the next purge, whatever its age.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn mark_for_good(db: &Connection, what: DeletedId) -> rusqlite::Result<()> {
    let (sql, id) = match what {
        DeletedId::Chat(ChatId(id)) => (
            "UPDATE chats SET deleted_millis = 0 WHERE id = ?1 AND deleted_millis IS NOT NULL".to_owned(),
            id,
        ),
        DeletedId::Persona(PersonaId(id)) => (
            "UPDATE personas SET deleted_millis = 0 WHERE id = ?1 AND deleted_millis IS NOT NULL".to_owned(),
            id,
        ),
        DeletedId::Message(_, MessageId(id)) => {
            let sql = format!(
                "{BELOW} UPDATE messages SET deleted_millis = 0
                 WHERE id IN (SELECT id FROM below) AND deleted_millis IS NOT NULL"
            );
            (sql, id)
        }
    };
    run(db, &sql, params![id]).map(drop)
}

/// Whether anything is marked as deleted.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn is_any(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM chats WHERE deleted_millis IS NOT NULL)
         OR EXISTS (SELECT 1 FROM messages WHERE deleted_millis IS NOT NULL)
         OR EXISTS (SELECT 1 FROM personas WHERE deleted_millis IS NOT NULL)",
    )?
    .query_row([], |row| row.get(0))
}

/// Removes what was deleted before this time for good. At most 500 rows a statement, newest first: a message is removed before
/// what it answers, because SQLite gives up on cascades deeper than 1000.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn purge(db: &Connection, before_millis: i64) -> rusqlite::Result<()> {
    // Each selection through its index: left alone, SQLite walks all messages because they come in the wanted order.
    let messages = "DELETE FROM messages WHERE id IN (
         SELECT id FROM messages INDEXED BY messages_deleted WHERE deleted_millis < ?1
         UNION SELECT messages.id FROM chats INDEXED BY chats_deleted
             CROSS JOIN messages INDEXED BY messages_by_chat ON messages.chat = chats.id WHERE chats.deleted_millis < ?1
         ORDER BY 1 DESC LIMIT 500)";
    while run(db, messages, [before_millis])? {}
    run(db, "DELETE FROM chats WHERE deleted_millis < ?1", [before_millis])?;
    run(db, "DELETE FROM personas WHERE deleted_millis < ?1", [before_millis])?;
    Ok(())
}
