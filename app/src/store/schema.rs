//! Tables of the chat database and how an older file becomes a newer one.
//!
//! `PRAGMA user_version` counts the steps of [`STEPS`] that a file has seen. A step is never edited once it was released: a new
//! one is added at the end.

use rusqlite::Connection;

/// The index over texts: of [`STEPS`] and of [`INDEX`].
macro_rules! index {
    () => {
        "
    CREATE VIRTUAL TABLE messages_text USING fts5(
        content, content='messages', content_rowid='id', tokenize=\"unicode61 remove_diacritics 2\"
    );
    INSERT INTO messages_text (messages_text, rank) VALUES ('secure-delete', 1);
    INSERT INTO messages_text (rowid, content) SELECT id, content FROM messages WHERE state <> 'writing' ORDER BY id;
    "
    };
}

/// Schema steps in order; a file of version n has seen the first n.
pub(super) const STEPS: [&str; 3] = [
    // Messages form a tree: siblings share a parent. Ids are made by the writer and rise with time, so `ORDER BY id` puts
    // a parent before its children.
    "CREATE TABLE chats (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        created_millis INTEGER NOT NULL,
        updated_millis INTEGER NOT NULL,
        pinned INTEGER NOT NULL,
        model TEXT NOT NULL,
        system TEXT NOT NULL,
        leaf INTEGER
    ) STRICT;
    CREATE INDEX chats_by_change ON chats (pinned DESC, updated_millis DESC, id DESC);
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        parent INTEGER REFERENCES messages (id) ON DELETE CASCADE,
        role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
        content TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('complete', 'writing', 'stopped', 'failed', 'interrupted')),
        created_millis INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        prefill_millis REAL NOT NULL,
        decode_millis REAL NOT NULL,
        lane TEXT NOT NULL,
        model TEXT NOT NULL,
        error TEXT
    ) STRICT;
    CREATE INDEX messages_by_chat ON messages (chat, id);
    CREATE INDEX messages_by_parent ON messages (parent);
    CREATE INDEX messages_writing ON messages (state) WHERE state = 'writing';
    CREATE TABLE state (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;",
    // Deleted rows stay until the keeper purges them. The index over texts holds no copy of them; one trigger for updates, because
    // the order of two would not be defined. An answer enters it when it ends, so that growing costs nothing.
    concat!(
        "ALTER TABLE chats ADD COLUMN sampling TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(sampling));
    ALTER TABLE chats ADD COLUMN persona INTEGER;
    ALTER TABLE chats ADD COLUMN deleted_millis INTEGER;
    ALTER TABLE messages ADD COLUMN attachments TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(attachments));
    ALTER TABLE messages ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN thinking_tokens INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN thinking_millis REAL NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN cut_short INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN deleted_millis INTEGER;
    CREATE TABLE personas (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        system TEXT NOT NULL,
        sampling TEXT NOT NULL CHECK (json_valid(sampling)),
        created_millis INTEGER NOT NULL,
        deleted_millis INTEGER
    ) STRICT;
    DROP INDEX chats_by_change;
    CREATE INDEX chats_listed ON chats (pinned DESC, updated_millis DESC, id DESC, title, deleted_millis);
    CREATE INDEX chats_by_creation ON chats (created_millis);
    CREATE INDEX chats_deleted ON chats (deleted_millis) WHERE deleted_millis IS NOT NULL;
    CREATE INDEX messages_deleted ON messages (deleted_millis) WHERE deleted_millis IS NOT NULL;",
        index!(),
        "CREATE TRIGGER messages_text_insert AFTER INSERT ON messages WHEN new.state <> 'writing' BEGIN
        INSERT INTO messages_text (rowid, content) VALUES (new.id, new.content);
    END;
    CREATE TRIGGER messages_text_delete AFTER DELETE ON messages WHEN old.state <> 'writing' BEGIN
        INSERT INTO messages_text (messages_text, rowid, content) VALUES ('delete', old.id, old.content);
    END;
    CREATE TRIGGER messages_text_update AFTER UPDATE OF content, state ON messages
    WHEN (old.state = 'writing') <> (new.state = 'writing') OR old.content <> new.content BEGIN
        INSERT INTO messages_text (messages_text, rowid, content)
            SELECT 'delete', old.id, old.content WHERE old.state <> 'writing';
        INSERT INTO messages_text (rowid, content) SELECT new.id, new.content WHERE new.state <> 'writing';
    END;"
    ),
    // The index of the list holds everything that the list asks for, so that the table is not read for it.
    "CREATE TABLE folders (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        created_millis INTEGER NOT NULL,
        deleted_millis INTEGER
    ) STRICT;
    ALTER TABLE chats ADD COLUMN folder INTEGER;
    DROP INDEX chats_listed;
    CREATE INDEX chats_listed ON chats (pinned DESC, updated_millis DESC, id DESC, title, deleted_millis, folder);
    CREATE INDEX chats_by_folder ON chats (folder) WHERE folder IS NOT NULL;",
];

/// Makes the index over texts and fills it; a part of the second step.
pub(super) const INDEX: &str = index!();

/// Version this program writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Version of an open file.
///
/// # Errors
/// The file is not a database, or cannot be read.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file of an older version (0 = empty) to [`VERSION`], all steps or none.
///
/// # Errors
/// The file cannot be written, or a step does not fit it.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let seen = usize::try_from(version(&change)?).unwrap_or(0);
    for step in STEPS.iter().skip(seen) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "user_version", VERSION)?;
    change.commit()
}
