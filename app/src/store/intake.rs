//! Taking in chats from elsewhere, as done by the store's thread: in short transactions, so that other saving never waits long, and
//! still all or none.
//!
//! What has been taken in is hidden by a mark until the last piece is there; then one statement a table takes the mark away. The mark
//! is a time of deletion that no deletion has, so whatever an import leaves when it fails, or when the process dies, is
//! something deleted long ago: hidden everywhere, and purged.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::import::{Handover, Imported, Piece, Print, give_ids};
use super::journal::Change;
use super::record::{
    Chat, ChatId, Folder, FolderId, Kept, Message, MessageId, Persona, PersonaId, now_millis,
};
use super::sql;

/// How long one transaction takes in pieces: what other saving may have to wait for, with the commit on top. One message is never
/// divided.
const SLICE: Duration = Duration::from_millis(40);
/// What a transaction takes in however long it takes, in bytes of text: on a machine that is busy with something else commits would
/// be most of the work otherwise.
const LEAST_BYTES: usize = 64 << 10;
/// What a row counts for besides its text.
const ROW_BYTES: usize = 256;

/// How far a slice has come.
pub(super) enum Progress {
    /// There is more to take in at once.
    More,
    /// The next piece has still to be handed over.
    Waiting,
    /// It is all here, and shown.
    Done(Imported),
    /// It ended without success (text for the user); what it has left is hidden.
    Failed(String),
}

type Says = (Print, Option<PersonaId>);

/// An import that runs.
pub(super) struct Intake {
    from: Handover,
    /// Time of deletion of everything that it has taken in so far; below all times.
    mark: i64,
    /// Messages of the newest chat that are still to be added.
    rest: VecDeque<Message>,
    /// Ids of personas in what is imported, and what they are here.
    personas: HashMap<PersonaId, PersonaId>,
    /// The folders that are here or were made by this import, by their names in small letters; `None` until one was wanted.
    folders: Option<HashMap<String, FolderId>>,
    /// What the chats say that are here, and their personas, by the time they were begun.
    here: HashMap<i64, HashSet<Says>>,
    done: Imported,
}

impl Intake {
    pub fn new(from: Handover) -> Self {
        Self {
            from,
            mark: -now_millis().max(1),
            rest: VecDeque::new(),
            personas: HashMap::new(),
            folders: None,
            here: HashMap::new(),
            done: Imported::default(),
        }
    }

    /// Time of deletion of what it has taken in so far.
    pub fn mark(&self) -> i64 {
        self.mark
    }

    /// Takes in what has been handed over, for a short while.
    ///
    /// # Errors
    /// Whatever SQLite says; the import cannot go on then.
    pub fn take_in(&mut self, db: &Transaction<'_>) -> rusqlite::Result<Progress> {
        let end = Instant::now() + SLICE;
        let mut taken_bytes = 0;
        while taken_bytes < LEAST_BYTES || Instant::now() < end {
            taken_bytes += ROW_BYTES;
            if let Some(message) = self.rest.pop_front() {
                taken_bytes += message.text_bytes();
                if !sql::insert_message(db, &message, Some(self.mark))? {
                    return Ok(Progress::Failed(
                        "the id of a message was taken meanwhile; try again".to_owned(),
                    ));
                }
                continue;
            }
            match self.from.pieces.try_recv() {
                Ok(Piece::Persona(persona)) => self.put_persona(db, persona)?,
                Ok(Piece::Chat(chat, messages, folder, print)) => {
                    self.put_chat(db, *chat, messages, folder, print)?;
                }
                Ok(Piece::End(Ok(()))) => {
                    self.show(db)?;
                    return Ok(Progress::Done(self.done));
                }
                Ok(Piece::End(Err(problem))) => return Ok(Progress::Failed(problem)),
                Err(TryRecvError::Empty) => return Ok(Progress::Waiting),
                Err(TryRecvError::Disconnected) => {
                    return Ok(Progress::Failed("internal error while reading the file".to_owned()));
                }
            }
        }
        Ok(Progress::More)
    }

    /// Takes the mark away from everything.
    fn show(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        self.join_folders(db)?;
        for table in ["chats", "personas", "folders"] {
            let sql = format!("UPDATE {table} SET deleted_millis = NULL WHERE deleted_millis = ?1");
            db.execute(&sql, [self.mark])?;
        }
        Ok(())
    }

    /// Folders that this import has made, and of which there is another of the same name by now, give their chats to that one.
    fn join_folders(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        let known = sql::folders(db)?;
        let (made, here): (Vec<_>, Vec<_>) = known
            .iter()
            .filter(|known| known.deleted_millis.is_none_or(|deleted| deleted == self.mark))
            .partition(|known| !known.is_alive());
        let here: HashMap<String, FolderId> =
            here.iter().map(|known| (known.record.name.to_lowercase(), known.record.id)).collect();
        for folder in made {
            if let Some(other) = here.get(&folder.record.name.to_lowercase()) {
                let made = folder.record.id.0;
                db.execute("UPDATE chats SET folder = ?2 WHERE folder = ?1", params![made, other.0])?;
                db.execute("DELETE FROM folders WHERE id = ?1", [made])?;
            }
        }
        Ok(())
    }

    /// The folder of a name; made where there is none.
    fn folder(&mut self, db: &Transaction<'_>, name: String) -> rusqlite::Result<FolderId> {
        let mark = self.mark;
        let folders = match &mut self.folders {
            Some(folders) => folders,
            none => {
                let alive = sql::folders(db)?.into_iter().filter(Kept::is_alive);
                none.insert(alive.map(|known| (known.record.name.to_lowercase(), known.record.id)).collect())
            }
        };
        let key = name.to_lowercase();
        if let Some(&id) = folders.get(&key) {
            // Meanwhile it may have been deleted.
            let sql =
                "SELECT 1 FROM folders WHERE id = ?1 AND (deleted_millis IS NULL OR deleted_millis = ?2)";
            if db.prepare_cached(sql)?.exists(params![id.0, mark])? {
                return Ok(id);
            }
        }
        let folder = Folder::new(name);
        sql::put_folder(db, &folder)?;
        db.execute("UPDATE folders SET deleted_millis = ?2 WHERE id = ?1", params![folder.id.0, mark])?;
        folders.insert(key, folder.id);
        self.done.folders += 1;
        Ok(folder.id)
    }

    /// A persona, unless one that says the same is here.
    fn put_persona(&mut self, db: &Transaction<'_>, mut persona: Persona) -> rusqlite::Result<()> {
        let known = sql::personas(db, &mut Vec::new())?;
        let same = known.iter().find(|known| {
            let Kept { record, deleted_millis } = known;
            let says_the_same = (&record.name, &record.system, &record.sampling)
                == (&persona.name, &persona.system, &persona.sampling);
            deleted_millis.is_none_or(|deleted| deleted == self.mark) && says_the_same
        });
        let there = persona.id;
        if let Some(same) = same {
            self.personas.insert(there, same.record.id);
            return Ok(());
        }
        if known.iter().any(|known| known.record.id == persona.id) {
            persona.id = PersonaId::fresh();
        }
        let here = persona.id;
        sql::apply(db, &Change::PutPersona(persona))?;
        db.execute("UPDATE personas SET deleted_millis = ?2 WHERE id = ?1", params![here.0, self.mark])?;
        self.personas.insert(there, here);
        self.done.personas += 1;
        Ok(())
    }

    /// A chat, unless the same one is here. Its messages are left for later.
    fn put_chat(
        &mut self,
        db: &Transaction<'_>,
        mut chat: Chat,
        mut messages: Vec<Message>,
        folder: Option<String>,
        print: Print,
    ) -> rusqlite::Result<()> {
        chat.persona = chat.persona.and_then(|persona| self.personas.get(&persona).copied());
        if self.is_here(db, chat.created_millis, (print, chat.persona))? {
            self.done.duplicates += 1;
            return Ok(());
        }
        if !ids_are_free(db, &chat, &messages)? {
            give_ids(&mut chat, &mut messages, ChatId::fresh(), |_| MessageId::fresh());
            self.done.renewed += 1;
        }
        chat.folder = folder.map(|name| self.folder(db, name)).transpose()?;
        self.done.chats += 1;
        self.done.messages += messages.len();
        let id = chat.id;
        sql::apply(db, &Change::PutChat(chat))?;
        db.prepare_cached("UPDATE chats SET deleted_millis = ?2 WHERE id = ?1")?
            .execute(params![id.0, self.mark])?;
        self.rest = messages.into();
        Ok(())
    }

    /// Whether a chat that is not deleted says the same, whatever its ids are. From now on it counts as one that is here.
    fn is_here(&mut self, db: &Transaction<'_>, created_millis: i64, says: Says) -> rusqlite::Result<bool> {
        if !self.here.contains_key(&created_millis) {
            let there = self.said_at(db, created_millis)?;
            self.here.insert(created_millis, there);
        }
        Ok(!self.here.entry(created_millis).or_default().insert(says))
    }

    /// What is said in all chats of this time that are not deleted. Each is read once in an import, however many share their time.
    fn said_at(&self, db: &Transaction<'_>, created_millis: i64) -> rusqlite::Result<HashSet<Says>> {
        let mut statement =
            db.prepare_cached("SELECT id FROM chats WHERE created_millis = ?1 AND deleted_millis IS NULL")?;
        let ids: Vec<i64> =
            statement.query_map([created_millis], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut said = HashSet::new();
        for id in ids.into_iter().map(ChatId) {
            let mut problems = Vec::new();
            let Some(known) = sql::chat(db, id, &mut problems)? else { continue };
            let messages = sql::messages(db, id, &mut problems)?;
            // What cannot be read whole is the same as nothing.
            if problems.is_empty() {
                let alive: Vec<_> =
                    messages.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect();
                said.insert((self.from.printer.print(&known.record, &alive), known.record.persona));
            }
        }
        Ok(said)
    }
}

/// Whether the ids can be kept: nobody has them, and they rise, as the order of messages is that of their ids.
fn ids_are_free(db: &Transaction<'_>, chat: &Chat, messages: &[Message]) -> rusqlite::Result<bool> {
    let taken = |table: &str, id: i64| {
        db.prepare_cached(&format!("SELECT 1 FROM {table} WHERE id = ?1"))?
            .query_row(params![id], |_| Ok(()))
            .optional()
            .map(|found| found.is_some())
    };
    let rise = messages.windows(2).all(|pair| pair[0].id < pair[1].id);
    if !rise || taken("chats", chat.id.0)? {
        return Ok(false);
    }
    for message in messages {
        if taken("messages", message.id.0)? {
            return Ok(false);
        }
    }
    Ok(true)
}
