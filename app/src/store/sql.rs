//! The statements: changes in, records out. Knows no file and no thread.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::deleted;
use super::journal::Change;
use super::record::{
    AnswerStats, Attachment, Chat, ChatHead, ChatId, Folder, FolderId, Kept, Message, MessageId,
    MessageState, Persona, PersonaId, Role,
};
use super::sampling::ChatSampling;

const CHAT: &str = "id, title, created_millis, updated_millis, pinned, model, system, leaf, sampling, persona, \
     deleted_millis, folder";
const MESSAGE: &str = "id, chat, parent, role, content, state, created_millis, tokens, prompt_tokens, prefill_millis, \
     decode_millis, lane, model, error, cached_tokens, thinking_tokens, thinking_millis, cut_short, attachments, \
     deleted_millis";
/// What the list shows of all chats; answered by an index alone.
pub(super) const HEADS: &str = "SELECT id, title, updated_millis, pinned, deleted_millis, folder FROM chats
     ORDER BY pinned DESC, updated_millis DESC, id DESC";
/// A message and everything below it, as the table `below`.
pub(super) const BELOW: &str = "WITH RECURSIVE below (id) AS (
         SELECT ?1 UNION SELECT messages.id FROM messages JOIN below ON messages.parent = below.id
     )";

/// Applies one change. `Ok(false)` when it has nothing to apply to (its chat or message was deleted meanwhile).
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn apply(db: &Transaction<'_>, change: &Change) -> rusqlite::Result<bool> {
    match change {
        Change::PutChat(chat) => put_chat(db, chat),
        Change::AddMessage(message) => add_message(db, message),
        Change::SetContent { message, content } => {
            run(db, "UPDATE messages SET content = ?2 WHERE id = ?1", params![message.0, content])
        }
        Change::Resume { message, content } => run(
            db,
            "UPDATE messages SET state = 'writing', content = ?2, error = NULL WHERE id = ?1",
            params![message.0, content],
        ),
        Change::Finish { message, state, stats, error, at_millis } => {
            finish(db, *message, *state, stats, error.as_deref(), *at_millis)
        }
        Change::Rename { chat, title } => {
            run(db, "UPDATE chats SET title = ?2 WHERE id = ?1", params![chat.0, title])
        }
        Change::ShowLeaf { chat, leaf } => {
            run(db, "UPDATE chats SET leaf = ?2 WHERE id = ?1", params![chat.0, leaf.0])
        }
        Change::Pin { chat, pinned } => {
            run(db, "UPDATE chats SET pinned = ?2 WHERE id = ?1", params![chat.0, pinned])
        }
        Change::MoveChat { chat, folder } => run(
            db,
            "UPDATE chats SET folder = ?2 WHERE id = ?1",
            params![chat.0, folder.map(|folder| folder.0)],
        ),
        Change::SetUp { chat, system, sampling, persona } => run(
            db,
            "UPDATE chats SET system = ?2, sampling = ?3, persona = ?4 WHERE id = ?1",
            params![chat.0, system, sampling, persona.map(|persona| persona.0)],
        ),
        // Deleting what is gone already is what was asked for.
        Change::DeleteChat { chat, at_millis } => run(
            db,
            "UPDATE chats SET deleted_millis = ?2 WHERE id = ?1 AND deleted_millis IS NULL",
            params![chat.0, at_millis],
        )
        .map(|_| true),
        Change::RestoreChat(chat) => {
            run(db, "UPDATE chats SET deleted_millis = NULL WHERE id = ?1", params![chat.0])
        }
        Change::DeleteMessage { message, at_millis } => run(
            db,
            &format!(
                "{BELOW} UPDATE messages SET deleted_millis = ?2
                 WHERE id IN (SELECT id FROM below) AND deleted_millis IS NULL"
            ),
            params![message.0, at_millis],
        )
        .map(|_| true),
        Change::RestoreMessage(message) => run(
            db,
            &format!(
                "{BELOW} UPDATE messages SET deleted_millis = NULL WHERE id IN (SELECT id FROM below)
                 AND deleted_millis = (SELECT deleted_millis FROM messages WHERE id = ?1)
                 AND NOT EXISTS (SELECT 1 FROM messages AS one JOIN messages AS above ON above.id = one.parent
                     WHERE one.id = ?1 AND above.deleted_millis IS NOT NULL)"
            ),
            params![message.0],
        ),
        Change::PutPersona(persona) => put_persona(db, persona),
        Change::DeletePersona { persona, at_millis } => run(
            db,
            "UPDATE personas SET deleted_millis = ?2 WHERE id = ?1 AND deleted_millis IS NULL",
            params![persona.0, at_millis],
        )
        .map(|_| true),
        Change::RestorePersona(persona) => {
            run(db, "UPDATE personas SET deleted_millis = NULL WHERE id = ?1", params![persona.0])
        }
        Change::PutFolder(folder) => put_folder(db, folder),
        Change::RenameFolder { folder, name } => {
            run(db, "UPDATE folders SET name = ?2 WHERE id = ?1", params![folder.0, name])
        }
        Change::DeleteFolder { folder, at_millis } => run(
            db,
            "UPDATE folders SET deleted_millis = ?2 WHERE id = ?1 AND deleted_millis IS NULL",
            params![folder.0, at_millis],
        )
        .map(|_| true),
        Change::RestoreFolder(folder) => {
            run(db, "UPDATE folders SET deleted_millis = NULL WHERE id = ?1", params![folder.0])
        }
        // What is gone already is what was asked for.
        Change::DeleteForGood(what) => deleted::mark_for_good(db, *what).map(|()| true),
        Change::SetState { name, value } if value.is_empty() => {
            run(db, "DELETE FROM state WHERE name = ?1", params![name]).map(|_| true)
        }
        Change::SetState { name, value } => run(
            db,
            "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
            params![name, value],
        ),
    }
}

/// Runs a statement; says whether it touched a row.
pub(super) fn run(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<bool> {
    db.prepare_cached(sql)?.execute(params).map(|rows| rows > 0)
}

fn put_chat(db: &Transaction<'_>, chat: &Chat) -> rusqlite::Result<bool> {
    run(
        db,
        "INSERT INTO chats (id, title, created_millis, updated_millis, pinned, model, system, leaf, sampling, persona,
         folder) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (id) DO UPDATE SET title = ?2, created_millis = ?3, updated_millis = ?4, pinned = ?5, model = ?6,
         system = ?7, leaf = ?8, sampling = ?9, persona = ?10, folder = ?11",
        params![
            chat.id.0,
            chat.title,
            chat.created_millis,
            chat.updated_millis,
            chat.pinned,
            chat.model,
            chat.system,
            chat.leaf.map(|leaf| leaf.0),
            chat.sampling,
            chat.persona.map(|persona| persona.0),
            chat.folder.map(|folder| folder.0),
        ],
    )
}

/// Adds a folder, or replaces the one with its id but for whether it is deleted.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn put_folder(db: &Transaction<'_>, folder: &Folder) -> rusqlite::Result<bool> {
    run(
        db,
        "INSERT INTO folders (id, name, created_millis) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET name = ?2, created_millis = ?3",
        params![folder.id.0, folder.name, folder.created_millis],
    )
}

fn put_persona(db: &Transaction<'_>, persona: &Persona) -> rusqlite::Result<bool> {
    run(
        db,
        "INSERT INTO personas (id, name, system, sampling, created_millis) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET name = ?2, system = ?3, sampling = ?4, created_millis = ?5",
        params![persona.id.0, persona.name, persona.system, persona.sampling, persona.created_millis],
    )
}

fn add_message(db: &Transaction<'_>, message: &Message) -> rusqlite::Result<bool> {
    if !insert_message(db, message, None)? && !exists(db, message.id)? {
        return Ok(false);
    }
    run(
        db,
        "UPDATE chats SET updated_millis = max(updated_millis, ?2), leaf = ?3 WHERE id = ?1",
        params![message.chat.0, message.created_millis, message.id.0],
    )
}

/// Adds a message to a chat whose time of deletion is `chat_deleted_millis`, and leaves the chat as it is. `Ok(false)` when there is
/// no such chat, its parent is gone, or the id is taken.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn insert_message(
    db: &Transaction<'_>,
    message: &Message,
    chat_deleted_millis: Option<i64>,
) -> rusqlite::Result<bool> {
    let attachments = serde_json::to_string(&message.attachments).expect("strings serialise");
    run(
        db,
        "INSERT INTO messages (id, chat, parent, role, content, state, created_millis, tokens, prompt_tokens,
         prefill_millis, decode_millis, lane, model, error, cached_tokens, thinking_tokens, thinking_millis,
         cut_short, attachments)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19
         WHERE EXISTS (SELECT 1 FROM chats WHERE id = ?2 AND deleted_millis IS ?20)
         AND (?3 IS NULL OR EXISTS (SELECT 1 FROM messages WHERE id = ?3 AND chat = ?2 AND deleted_millis IS NULL))
         ON CONFLICT (id) DO NOTHING",
        params![
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
            message.stats.cached_tokens,
            message.stats.thinking_tokens,
            message.stats.thinking_millis,
            message.stats.cut_short,
            attachments,
            chat_deleted_millis,
        ],
    )
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
         lane = ?7, model = ?8, error = ?9, cached_tokens = ?10, thinking_tokens = ?11, thinking_millis = ?12,
         cut_short = ?13 WHERE id = ?1",
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
        stats.cached_tokens,
        stats.thinking_tokens,
        stats.thinking_millis,
        stats.cut_short,
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

/// Heads of all chats, pinned first, then newest change first.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn heads(db: &Connection) -> rusqlite::Result<Vec<Kept<ChatHead>>> {
    db.prepare_cached(HEADS)?
        .query_map([], |row| {
            let record = ChatHead {
                id: ChatId(row.get(0)?),
                title: row.get(1)?,
                updated_millis: row.get(2)?,
                pinned: row.get(3)?,
                folder: row.get::<_, Option<i64>>(5)?.map(FolderId),
            };
            Ok(Kept { record, deleted_millis: row.get(4)? })
        })?
        .collect()
}

/// One chat. What is wrong with its sampling parameters, which are the defaults then, is added to `problems`.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn chat(
    db: &Connection,
    id: ChatId,
    problems: &mut Vec<String>,
) -> rusqlite::Result<Option<Kept<Chat>>> {
    db.prepare_cached(&format!("SELECT {CHAT} FROM chats WHERE id = ?1"))?
        .query_row([id.0], |row| chat_from_row(row, problems))
        .optional()
}

/// Messages of a chat, oldest first. What is wrong with attachments, which are left out then, is added to `problems`.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn messages(
    db: &Connection,
    chat: ChatId,
    problems: &mut Vec<String>,
) -> rusqlite::Result<Vec<Kept<Message>>> {
    db.prepare_cached(&format!("SELECT {MESSAGE} FROM messages WHERE chat = ?1 ORDER BY id"))?
        .query_map([chat.0], |row| message_from_row(row, problems))?
        .collect()
}

/// All personas. What is wrong with their sampling parameters, which are the defaults then, is added to `problems`.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn personas(db: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<Vec<Kept<Persona>>> {
    db.prepare_cached("SELECT id, name, system, sampling, created_millis, deleted_millis FROM personas")?
        .query_map([], |row| {
            let name: String = row.get(1)?;
            let sampling = sampling(row, 3, &format!("the persona “{name}”"), problems)?;
            let record = Persona {
                id: PersonaId(row.get(0)?),
                name,
                system: row.get(2)?,
                sampling,
                created_millis: row.get(4)?,
            };
            Ok(Kept { record, deleted_millis: row.get(5)? })
        })?
        .collect()
}

/// All folders.
///
/// # Errors
/// Whatever SQLite says.
pub(super) fn folders(db: &Connection) -> rusqlite::Result<Vec<Kept<Folder>>> {
    db.prepare_cached("SELECT id, name, created_millis, deleted_millis FROM folders")?
        .query_map([], |row| {
            let record = Folder { id: FolderId(row.get(0)?), name: row.get(1)?, created_millis: row.get(2)? };
            Ok(Kept { record, deleted_millis: row.get(3)? })
        })?
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

fn chat_from_row(row: &Row<'_>, problems: &mut Vec<String>) -> rusqlite::Result<Kept<Chat>> {
    let title: String = row.get(1)?;
    let sampling = sampling(row, 8, &format!("the chat “{title}”"), problems)?;
    let record = Chat {
        id: ChatId(row.get(0)?),
        title,
        created_millis: row.get(2)?,
        updated_millis: row.get(3)?,
        pinned: row.get(4)?,
        model: row.get(5)?,
        system: row.get(6)?,
        leaf: row.get::<_, Option<i64>>(7)?.map(MessageId),
        sampling,
        persona: row.get::<_, Option<i64>>(9)?.map(PersonaId),
        folder: row.get::<_, Option<i64>>(11)?.map(FolderId),
    };
    Ok(Kept { record, deleted_millis: row.get(10)? })
}

/// Sampling parameters from column `at`; the defaults where they make no sense, which is added to `problems`.
fn sampling(
    row: &Row<'_>,
    at: usize,
    whose: &str,
    problems: &mut Vec<String>,
) -> rusqlite::Result<ChatSampling> {
    let text = row.get_ref(at)?.as_str()?;
    Ok(ChatSampling::from_json(text).unwrap_or_else(|problem| {
        problems.push(format!(
            "the sampling settings of {whose} make no sense ({problem}); the defaults are used instead"
        ));
        ChatSampling::default()
    }))
}

fn message_from_row(row: &Row<'_>, problems: &mut Vec<String>) -> rusqlite::Result<Kept<Message>> {
    let attachments = match row.get_ref(18)?.as_str()? {
        "[]" => Vec::new(),
        text => serde_json::from_str::<Vec<Attachment>>(text).unwrap_or_else(|err| {
            problems.push(format!("the attachments of a message make no sense ({err}) and are left out"));
            Vec::new()
        }),
    };
    let record = Message {
        id: MessageId(row.get(0)?),
        chat: ChatId(row.get(1)?),
        parent: row.get::<_, Option<i64>>(2)?.map(MessageId),
        role: row.get(3)?,
        content: row.get(4)?,
        attachments,
        state: row.get(5)?,
        created_millis: row.get(6)?,
        stats: AnswerStats {
            tokens: row.get(7)?,
            prompt_tokens: row.get(8)?,
            prefill_millis: row.get(9)?,
            decode_millis: row.get(10)?,
            lane: row.get(11)?,
            model: row.get(12)?,
            cached_tokens: row.get(14)?,
            thinking_tokens: row.get(15)?,
            thinking_millis: row.get(16)?,
            cut_short: row.get(17)?,
        },
        error: row.get(13)?,
    };
    Ok(Kept { record, deleted_millis: row.get(19)? })
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

impl ToSql for ChatSampling {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_json().into())
    }
}

fn name_of<T: Copy + PartialEq>(names: &[(T, &'static str)], wanted: T) -> &'static str {
    names.iter().find(|(value, _)| *value == wanted).expect("every value has a name").1
}

fn value_of<T: Copy>(names: &[(T, &str)], value: ValueRef<'_>) -> FromSqlResult<T> {
    let text = value.as_str()?;
    names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or(FromSqlError::InvalidType)
}
