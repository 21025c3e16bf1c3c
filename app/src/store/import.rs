//! Taking in chats from elsewhere, all or none: the transaction of one import.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState};

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::database::explain;
use super::journal::Change;
use super::record::{Chat, ChatId, Kept, Message, MessageId, Persona, PersonaId};
use super::sql;

/// Hands over what is to be taken in. Runs on the store's thread; an error undoes everything.
pub type ImportJob = Box<dyn FnOnce(&mut Importer<'_>) -> Result<(), String> + Send>;

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Chats that are new here.
    pub chats: usize,
    /// Of these, those that got new ids because others have theirs.
    pub renewed: usize,
    /// Chats that were here already, the same to the last message, and were passed over.
    pub duplicates: usize,
    /// Messages of the new chats.
    pub messages: usize,
    /// Personas that are new here.
    pub personas: usize,
}

/// The transaction of an import.
pub struct Importer<'t> {
    db: &'t Transaction<'t>,
    path: &'t std::path::Path,
    /// Ids of personas in what is imported, and what they are here.
    personas: HashMap<PersonaId, PersonaId>,
    /// What the chats say that are here, by the time they were begun.
    here: HashMap<i64, HashSet<Print>>,
    keys: (RandomState, RandomState),
    done: Imported,
}

type Print = (u64, u64);

struct Hashing<'h>(&'h mut (DefaultHasher, DefaultHasher));

impl std::fmt::Write for Hashing<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.0.write(text.as_bytes());
        self.0.1.write(text.as_bytes());
        Ok(())
    }
}

impl<'t> Importer<'t> {
    pub(super) fn new(db: &'t Transaction<'t>, path: &'t std::path::Path) -> Self {
        let keys = (RandomState::new(), RandomState::new());
        Self { db, path, personas: HashMap::new(), here: HashMap::new(), keys, done: Imported::default() }
    }

    pub(super) fn done(&self) -> Imported {
        self.done
    }

    /// Takes in a persona, unless one that says the same is here.
    ///
    /// # Errors
    /// The database cannot be written (text for the user).
    pub fn add_persona(&mut self, persona: Persona) -> Result<(), String> {
        let there = persona.id;
        let here = self.put_persona(persona).map_err(|err| explain(&err, self.path))?;
        self.personas.insert(there, here);
        Ok(())
    }

    /// Takes in a chat with its messages, a parent before its children, unless the same chat is here. Its persona has to be added
    /// before.
    ///
    /// # Errors
    /// The database cannot be written (text for the user).
    pub fn add_chat(&mut self, mut chat: Chat, messages: Vec<Message>) -> Result<(), String> {
        chat.persona = chat.persona.and_then(|persona| self.personas.get(&persona).copied());
        self.put_chat(chat, messages).map_err(|err| explain(&err, self.path))
    }

    fn put_persona(&mut self, mut persona: Persona) -> rusqlite::Result<PersonaId> {
        let known = sql::personas(self.db, &mut Vec::new())?;
        let same = known.iter().find(|known| {
            let Kept { record, .. } = known;
            let says_the_same = (&record.name, &record.system, &record.sampling)
                == (&persona.name, &persona.system, &persona.sampling);
            known.is_alive() && says_the_same
        });
        if let Some(same) = same {
            return Ok(same.record.id);
        }
        if known.iter().any(|known| known.record.id == persona.id) {
            persona.id = PersonaId::fresh();
        }
        let id = persona.id;
        sql::apply(self.db, &Change::PutPersona(persona))?;
        self.done.personas += 1;
        Ok(id)
    }

    fn put_chat(&mut self, mut chat: Chat, mut messages: Vec<Message>) -> rusqlite::Result<()> {
        if self.is_here(&chat, &messages)? {
            self.done.duplicates += 1;
            return Ok(());
        }
        if !self.ids_are_free(&chat, &messages)? {
            renew_ids(&mut chat, &mut messages);
            self.done.renewed += 1;
        }
        self.done.chats += 1;
        self.done.messages += messages.len();
        let put = Change::PutChat(chat);
        sql::apply(self.db, &put)?;
        for message in messages {
            sql::apply(self.db, &Change::AddMessage(message))?;
        }
        // Adding messages moved the leaf and the time of the last change.
        sql::apply(self.db, &put)?;
        Ok(())
    }

    /// Whether a chat that is not deleted says the same, whatever its ids are. From now on it counts as one that is here.
    fn is_here(&mut self, chat: &Chat, messages: &[Message]) -> rusqlite::Result<bool> {
        if !self.here.contains_key(&chat.created_millis) {
            let there = self.prints_of(chat.created_millis)?;
            self.here.insert(chat.created_millis, there);
        }
        let print = self.print(chat.clone(), messages.to_vec());
        Ok(!self.here.entry(chat.created_millis).or_default().insert(print))
    }

    /// Prints of all chats of this time that are not deleted. Each is read once in an import, however many share their time.
    fn prints_of(&self, created_millis: i64) -> rusqlite::Result<HashSet<Print>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT id FROM chats WHERE created_millis = ?1 AND deleted_millis IS NULL")?;
        let ids: Vec<i64> =
            statement.query_map([created_millis], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut prints = HashSet::new();
        for id in ids.into_iter().map(ChatId) {
            let mut problems = Vec::new();
            let Some(known) = sql::chat(self.db, id, &mut problems)? else { continue };
            let messages = sql::messages(self.db, id, &mut problems)?;
            // What cannot be read whole is the same as nothing.
            if problems.is_empty() {
                let alive = messages.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect();
                prints.insert(self.print(known.record, alive));
            }
        }
        Ok(prints)
    }

    /// Two hashes of a chat and its messages without their ids, under keys that nobody outside knows.
    fn print(&self, chat: Chat, messages: Vec<Message>) -> Print {
        let said = without_ids(chat, messages);
        let mut hashers = (self.keys.0.build_hasher(), self.keys.1.build_hasher());
        write!(Hashing(&mut hashers), "{said:?}").expect("hashing cannot fail");
        (hashers.0.finish(), hashers.1.finish())
    }

    /// Whether the ids can be kept: nobody has them, and they rise, as the order of messages is that of their ids.
    fn ids_are_free(&self, chat: &Chat, messages: &[Message]) -> rusqlite::Result<bool> {
        let taken = |table: &str, id: i64| {
            self.db
                .prepare_cached(&format!("SELECT 1 FROM {table} WHERE id = ?1"))?
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
}

fn renew_ids(chat: &mut Chat, messages: &mut [Message]) {
    give_ids(chat, messages, ChatId::fresh(), |_| MessageId::fresh());
}

/// The same chat with ids that depend on nothing but its content.
fn without_ids(mut chat: Chat, mut messages: Vec<Message>) -> (Chat, Vec<Message>) {
    // A leaf that is gone says nothing.
    chat.leaf = chat.leaf.filter(|leaf| messages.iter().any(|message| message.id == *leaf));
    give_ids(&mut chat, &mut messages, ChatId(0), |place| {
        MessageId(i64::try_from(place).expect("a list is shorter than 2^63"))
    });
    (chat, messages)
}

fn give_ids(chat: &mut Chat, messages: &mut [Message], id: ChatId, mut next: impl FnMut(usize) -> MessageId) {
    let mut new_ids: HashMap<MessageId, MessageId> = HashMap::new();
    chat.id = id;
    for (place, message) in messages.iter_mut().enumerate() {
        let new = next(place);
        new_ids.insert(message.id, new);
        message.id = new;
        message.chat = id;
        message.parent = message.parent.and_then(|parent| new_ids.get(&parent).copied());
    }
    chat.leaf = chat.leaf.and_then(|leaf| new_ids.get(&leaf).copied());
}
