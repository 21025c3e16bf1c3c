//! The chats on disk as they are at one moment, for reading beside the store, from any thread or process. Changes nothing.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::database::{self, explain};
use super::record::{Chat, ChatHead, ChatId, Folder, Kept, Message, Persona};
use super::sql;

/// See the module documentation.
pub struct Snapshot {
    db: Connection,
    path: PathBuf,
    problems: Vec<String>,
}

impl Snapshot {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// There is none, or it cannot be read (text for the user).
    pub fn open(path: &Path) -> Result<Self, String> {
        if !path.exists() {
            return Err(format!("there are no chats yet: {}", path.display()));
        }
        let db = database::open_snapshot(path)?;
        Ok(Self { db, path: path.to_owned(), problems: Vec::new() })
    }

    /// Heads of all chats that are not deleted, pinned first, then newest change first.
    ///
    /// # Errors
    /// The database cannot be read (text for the user).
    pub fn heads(&self) -> Result<Vec<ChatHead>, String> {
        let heads = sql::heads(&self.db).map_err(|err| explain(&err, &self.path))?;
        Ok(heads.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect())
    }

    /// A chat and its messages, oldest first; `None` when it is deleted or was never there.
    ///
    /// # Errors
    /// The database cannot be read (text for the user).
    pub fn chat(&mut self, id: ChatId) -> Result<Option<(Chat, Vec<Message>)>, String> {
        let failed = |err| explain(&err, &self.path);
        let chat = sql::chat(&self.db, id, &mut self.problems).map_err(failed)?;
        let Some(Kept { record, .. }) = chat.filter(Kept::is_alive) else { return Ok(None) };
        let messages = sql::messages(&self.db, id, &mut self.problems).map_err(failed)?;
        Ok(Some((record, messages.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect())))
    }

    /// All personas that are not deleted.
    ///
    /// # Errors
    /// The database cannot be read (text for the user).
    pub fn personas(&mut self) -> Result<Vec<Persona>, String> {
        let personas =
            sql::personas(&self.db, &mut self.problems).map_err(|err| explain(&err, &self.path))?;
        Ok(personas.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect())
    }

    /// All folders that are not deleted.
    ///
    /// # Errors
    /// The database cannot be read (text for the user).
    pub fn folders(&self) -> Result<Vec<Folder>, String> {
        let folders = sql::folders(&self.db).map_err(|err| explain(&err, &self.path))?;
        Ok(folders.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect())
    }

    /// What made no sense and was left out so far (texts for the user).
    pub fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}
