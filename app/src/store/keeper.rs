//! The thread that owns the database: takes commands, decides when to save, answers questions, tells about trouble.
//!
//! Answers that grow are saved every 250 ms or every 4 KiB; everything else at once. While saving fails, all changes stay in the
//! journal, which is part of every answer, and are tried again every few seconds.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::command::{Event, Query, Saving};
use super::database::{self, Database, OpenError, SaveError};
use super::journal::Journal;
use super::mailbox::{Command, Mailbox};
use super::record::{Chat, ChatId};
use super::sql;

/// Growth of an answer waits this long for more of it.
const SAVE_EVERY: Duration = Duration::from_millis(250);
/// Growth beyond this is saved without waiting.
const SAVE_BYTES: usize = 4096;
/// Pause between attempts while saving fails.
const RETRY_EVERY: Duration = Duration::from_secs(3);

/// What questions are answered from.
enum Base {
    /// The database, ours to write.
    Writable(Database),
    /// Something to read only, while the database cannot be written.
    ReadOnly(Connection),
}

impl Base {
    fn connection(&self) -> &Connection {
        match self {
            Base::Writable(database) => database.connection(),
            Base::ReadOnly(db) => db,
        }
    }
}

/// See the module documentation.
pub(super) struct Keeper<'m> {
    path: PathBuf,
    mailbox: &'m Mailbox,
    base: Base,
    journal: Journal,
    /// Why saving fails, while it does.
    trouble: Option<String>,
    last_attempt: Instant,
}

impl<'m> Keeper<'m> {
    /// Opens the database and reports how that went.
    pub fn open(path: PathBuf, mailbox: &'m Mailbox) -> Self {
        let (base, trouble) = open(&path, mailbox);
        let keeper =
            Self { path, mailbox, base, journal: Journal::default(), trouble, last_attempt: Instant::now() };
        mailbox.deliver(Event::Opened(keeper.saving()));
        keeper
    }

    /// Works until the mailbox is closed, then saves what is left. Returns whether everything is on disk.
    pub fn run(mut self) -> Saving {
        loop {
            let delivery = self.mailbox.receive(self.next_attempt());
            for command in delivery.commands {
                self.take(command);
            }
            let due = self.next_attempt().is_some_and(|at| at <= Instant::now());
            if due || delivery.closed {
                self.save();
            }
            self.mailbox.set_unsaved_bytes(self.journal.bytes());
            if delivery.closed {
                return self.saving();
            }
        }
    }

    /// When to save next; `None` = nothing waits.
    fn next_attempt(&self) -> Option<Instant> {
        if self.trouble.is_some() {
            return Some(self.last_attempt + RETRY_EVERY);
        }
        if self.journal.waiting().is_empty() {
            return None;
        }
        if self.journal.is_urgent() || self.journal.fresh_text_bytes() >= SAVE_BYTES {
            return Some(self.last_attempt);
        }
        Some(self.last_attempt + SAVE_EVERY)
    }

    /// Takes a change, or answers a question.
    pub fn take(&mut self, command: Command) {
        match command {
            Command::Write(ticket, write) => {
                if let Err(problem) = self.journal.push(ticket, write) {
                    self.mailbox.deliver(Event::Refused(problem));
                }
            }
            Command::Ask(query) => {
                let answer = self.answer(query);
                self.mailbox.deliver(answer);
            }
        }
    }

    /// Tries to save everything that waits, opening the database first when it could not be written before.
    pub fn save(&mut self) {
        self.last_attempt = Instant::now();
        if matches!(self.base, Base::ReadOnly(_)) {
            let (base, trouble) = open(&self.path, self.mailbox);
            self.base = base;
            if trouble.is_some() {
                self.set_trouble(trouble);
            }
        }
        let Base::Writable(database) = &mut self.base else { return };
        if self.journal.waiting().is_empty() {
            self.set_trouble(None);
            return;
        }
        match database.save(self.journal.waiting()) {
            Ok(homeless) => {
                self.journal.saved();
                self.set_trouble(None);
                if homeless > 0 {
                    let problem = format!("{homeless} messages were not stored: their chat was deleted");
                    self.mailbox.deliver(Event::Refused(problem));
                }
                self.mailbox.deliver(Event::Saved(self.journal.newest()));
            }
            Err(SaveError::Failed(reason)) => self.set_trouble(Some(reason)),
            Err(SaveError::Damaged(problem)) => self.reopen(problem),
        }
    }

    /// The file went bad under us: close it, so that opening sets it aside, and go on with what that gives.
    fn reopen(&mut self, problem: String) {
        let unreadable = OpenError::Newer(problem);
        self.base = Base::ReadOnly(database::open_for_reading(&self.path, &unreadable));
        self.set_trouble(Some(format!("the chat database is damaged: {}", unreadable.reason())));
    }

    #[cfg(test)]
    pub fn limit_pages(&self, pages: u32) {
        match &self.base {
            Base::Writable(database) => database.limit_pages(pages),
            Base::ReadOnly(_) => panic!("nothing to limit"),
        }
    }

    fn set_trouble(&mut self, trouble: Option<String>) {
        if self.trouble != trouble {
            self.trouble = trouble;
            self.mailbox.deliver(Event::Saving(self.saving()));
        }
    }

    fn saving(&self) -> Saving {
        match &self.trouble {
            None => Saving::Yes,
            Some(reason) => Saving::No { reason: reason.clone(), waiting: self.journal.waiting().len() },
        }
    }

    fn answer(&self, query: Query) -> Event {
        let db = self.base.connection();
        let answer = match query {
            Query::Chats { offset, limit, search } => self.chats(offset, limit, search),
            Query::Chat(id) => self.chat(id),
            Query::State(name) => match self.journal.state(&name) {
                Some(waiting) => {
                    let value = (!waiting.is_empty()).then(|| waiting.to_owned());
                    Ok(Event::State { name, value })
                }
                None => sql::state(db, &name).map(|value| Event::State { name, value }),
            },
        };
        answer.unwrap_or_else(|err| Event::QueryFailed(database::explain(&err, &self.path)))
    }

    fn chats(&self, offset: usize, limit: usize, search: String) -> rusqlite::Result<Event> {
        let db = self.base.connection();
        let mut all = sql::chats(db)?;
        self.journal.apply_to_chats(&mut all, |message| sql::chat_of(db, message).ok().flatten());
        let wanted = search.to_lowercase();
        all.retain(|chat| chat.title.to_lowercase().contains(&wanted));
        all.sort_by_key(|chat: &Chat| std::cmp::Reverse((chat.pinned, chat.updated_millis, chat.id)));
        let total = all.len();
        let chats = all.into_iter().skip(offset).take(limit).collect();
        Ok(Event::Chats { offset, search, chats, total })
    }

    fn chat(&self, id: ChatId) -> rusqlite::Result<Event> {
        let db = self.base.connection();
        let mut chat = sql::chat(db, id)?;
        let mut messages = sql::messages(db, id)?;
        self.journal.apply_to_chat(id, &mut chat, &mut messages);
        Ok(match chat {
            Some(chat) => Event::Chat { chat, messages },
            None => Event::ChatMissing(id),
        })
    }
}

fn open(path: &std::path::Path, mailbox: &Mailbox) -> (Base, Option<String>) {
    match Database::open(path) {
        Ok((database, findings)) => {
            if let Some((kept_at, problem)) = findings.set_aside {
                mailbox.deliver(Event::SetAside { kept_at, problem });
            }
            if findings.interrupted > 0 {
                mailbox.deliver(Event::Interrupted { messages: findings.interrupted });
            }
            (Base::Writable(database), None)
        }
        Err(why) => {
            let reason = why.reason().to_owned();
            (Base::ReadOnly(database::open_for_reading(path, &why)), Some(reason))
        }
    }
}
