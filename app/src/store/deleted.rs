//! What was deleted and is still there: listing it, and removing it for good. A deletion is a mark with its time; the time 0 marks what
//! nobody may have back, which the keeper removes at once.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::record::{ChatId, FolderId, MessageId, PersonaId};
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
    /// A folder, without the chats that were in it.
    Folder(FolderId),
}

/// Something that was deleted and can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// What it is.
    pub id: DeletedId,
    /// Title of the chat, beginning of the message, or name of the persona or folder.
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
    collect("SELECT id, name, '', deleted_millis, id FROM folders WHERE deleted_millis > 0", |id, _| {
        DeletedId::Folder(FolderId(id))
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
        DeletedId::Folder(FolderId(id)) => (
            "UPDATE folders SET deleted_millis = 0 WHERE id = ?1 AND deleted_millis IS NOT NULL".to_owned(),
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
         OR EXISTS (SELECT 1 FROM personas WHERE deleted_millis IS NOT NULL)
         OR EXISTS (SELECT 1 FROM folders WHERE deleted_millis IS NOT NULL)",
    )?
    .query_row([], |row| row.get(0))
}

/// Statements of a purge however long they take; each removes up to 64 rows.
const LEAST_PURGE_STEPS: usize = 8;

/// Removes for good what was deleted before this time, but not with the mark `except`, until `end` but at least a few hundred rows;
/// says whether more is left. Chats stay when their folder goes. A message is removed before what it answers, because SQLite gives up on
/// cascades deeper than 1000.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn purge(
    db: &Transaction<'_>,
    before_millis: i64,
    except: Option<i64>,
    end: Instant,
) -> rusqlite::Result<bool> {
    let old = "deleted_millis < ?1 AND deleted_millis IS NOT ?2";
    // Each selection through its index: left alone, SQLite walks all messages because they come in the wanted order.
    let messages = format!(
        "DELETE FROM messages WHERE id IN (
             SELECT id FROM messages INDEXED BY messages_deleted WHERE {old} ORDER BY id DESC LIMIT 64)"
    );
    let chat = format!("SELECT id FROM chats INDEXED BY chats_deleted WHERE {old} LIMIT 1");
    let of_chat = "DELETE FROM messages WHERE id IN (
         SELECT id FROM messages INDEXED BY messages_by_chat WHERE chat = ?1 ORDER BY id DESC LIMIT 64)";
    let of_folder = format!(
        "UPDATE chats SET folder = NULL WHERE id IN (
             SELECT id FROM chats INDEXED BY chats_by_folder
             WHERE folder IS NOT NULL AND folder IN (SELECT id FROM folders WHERE {old}) LIMIT 64)"
    );
    let mut steps = 0;
    while steps < LEAST_PURGE_STEPS || Instant::now() < end {
        steps += 1;
        if run(db, &messages, params![before_millis, except])? {
            continue;
        }
        let id: Option<i64> = db
            .prepare_cached(&chat)?
            .query_row(params![before_millis, except], |row| row.get(0))
            .optional()?;
        let Some(id) = id else {
            if run(db, &of_folder, params![before_millis, except])? {
                continue;
            }
            for table in ["personas", "folders"] {
                let sql = format!("DELETE FROM {table} WHERE {old}");
                run(db, &sql, params![before_millis, except])?;
            }
            return Ok(false);
        };
        if !run(db, of_chat, [id])? {
            run(db, "DELETE FROM chats WHERE id = ?1", [id])?;
        }
    }
    Ok(true)
}
