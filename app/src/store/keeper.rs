//! The thread that owns the database: takes commands, decides when to save, answers questions, tells about trouble.
//!
//! Answers that grow are saved every 250 ms or every 4 KiB; everything else at once. While saving fails, all changes stay in the
//! journal, which is part of every answer, and are tried again every few seconds.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::command::{Event, Query, Saving};
use super::database::{self, Database, Dropped, OpenError, SaveError};
use super::health::is_damage;
use super::intake::{Intake, Progress};
use super::journal::Journal;
use super::mailbox::{Command, Mailbox};
use super::record::{Chat, ChatHead, ChatId, Kept, Message, now_millis};
use super::{UNDO_FOR, deleted, search, sql};

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

/// Longest time between two looks for what was deleted too long ago, while something is deleted.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// See the module documentation.
pub(super) struct Keeper<'m> {
    path: PathBuf,
    mailbox: &'m Mailbox,
    base: Base,
    journal: Journal,
    /// Why saving fails, while it does.
    trouble: Option<String>,
    last_attempt: Instant,
    /// How long what was deleted stays; `None` until it was said.
    keep_deleted: Option<Duration>,
    /// When to look for what was deleted longer ago.
    purge_at: Option<Instant>,
    /// The import that runs.
    intake: Option<Intake>,
    /// Whether the import has more to take in at once.
    takes_in: bool,
}

impl<'m> Keeper<'m> {
    /// Opens the database and reports how that went.
    pub fn open(path: PathBuf, mailbox: &'m Mailbox) -> Self {
        let (base, trouble) = open(&path, mailbox);
        let now = Instant::now();
        let keeper = Self {
            path,
            mailbox,
            base,
            journal: Journal::default(),
            trouble,
            last_attempt: now,
            keep_deleted: None,
            // What was to go for good may be left by a process that was killed.
            purge_at: Some(now),
            intake: None,
            takes_in: false,
        };
        mailbox.deliver(Event::Opened(keeper.saving()));
        keeper
    }

    /// Works until the mailbox is closed, then saves what is left. Returns whether everything is on disk.
    pub fn run(mut self) -> Saving {
        loop {
            if self.mailbox.watch.rests() {
                // It was said that the disk hangs.
                self.mailbox.deliver(Event::Saving(self.saving()));
            }
            let delivery = self.mailbox.receive(self.next_work());
            self.mailbox.watch.begins();
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
            // What takes long is done in slices, so that the next command waits for one of them at most.
            if self.purge_at.is_some_and(|at| at <= Instant::now()) {
                self.purge();
            }
            self.take_in();
        }
    }

    /// When to look at something else than commands; `None` = nothing waits.
    fn next_work(&self) -> Option<Instant> {
        let at_once = self.takes_in.then(Instant::now);
        self.next_attempt().into_iter().chain(self.purge_at).chain(at_once).min()
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
                    if self.journal.waiting().is_empty() {
                        self.mailbox.settle(ticket);
                    }
                }
            }
            Command::Ask(query) => {
                if matches!(query, Query::Search { .. } | Query::Deleted)
                    && !self.journal.waiting().is_empty()
                {
                    // Both are answered by the database alone.
                    self.save();
                }
                let mut answer = self.answer(&query);
                if let (Query::Search { .. }, Err(err)) = (&query, &answer)
                    && is_damage(err)
                    && self.mend(&err.to_string())
                {
                    answer = self.answer(&query);
                }
                let answer =
                    answer.unwrap_or_else(|err| Event::QueryFailed(database::explain(&err, &self.path)));
                self.mailbox.deliver(answer);
            }
            Command::KeepDeleted(keep) => {
                self.keep_deleted = Some(keep);
                self.purge_at = Some(Instant::now());
            }
            Command::Import(_) if self.intake.is_some() => {
                self.mailbox.deliver(Event::Imported(Err("another import is running".to_owned())));
            }
            Command::Import(from) => {
                // What was said before it comes before it on the disk as well.
                self.save();
                (self.intake, self.takes_in) = (Some(Intake::new(from)), true);
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
        let mut outcome = database.save(self.journal.waiting());
        if let Err(SaveError::Damaged(problem)) = &outcome {
            let problem = problem.clone();
            if self.mend(&problem)
                && let Base::Writable(database) = &mut self.base
            {
                outcome = database.save(self.journal.waiting());
            }
        }
        match outcome {
            Ok(dropped) => self.saved(&dropped),
            Err(SaveError::Failed(reason)) => self.set_trouble(Some(reason)),
            Err(SaveError::Damaged(problem)) => self.reopen(problem),
        }
    }

    /// Everything that waited is on the disk.
    fn saved(&mut self, dropped: &Dropped) {
        if self.journal.deletes_for_good() {
            self.purge_at = Some(Instant::now());
        } else if self.journal.deletes() {
            self.purge_later();
        }
        self.journal.saved();
        self.set_trouble(None);
        if dropped.messages > 0 {
            let problem = format!("{} messages were not stored: their chat was deleted", dropped.messages);
            self.mailbox.deliver(Event::Refused(problem));
        }
        if dropped.restorations > 0 {
            let problem =
                "it cannot be brought back: it was deleted too long ago, or what it belongs to is deleted"
                    .to_owned();
            self.mailbox.deliver(Event::Refused(problem));
        }
        self.mailbox.deliver(Event::Saved(self.journal.newest()));
    }

    /// Makes the index over texts anew, if that is all that is damaged, and tells; says whether it did.
    fn mend(&mut self, problem: &str) -> bool {
        let Base::Writable(database) = &mut self.base else { return false };
        let mended = database.mend();
        if mended {
            self.mailbox.deliver(Event::IndexRemade { problem: problem.to_owned() });
        }
        mended
    }

    /// Removes for good what was deleted too long ago, or for good, or begins to.
    pub fn purge(&mut self) {
        self.purge_at = None;
        let before = match self.keep_deleted {
            Some(keep) => {
                let keep_millis = i64::try_from(keep.max(UNDO_FOR).as_millis()).unwrap_or(i64::MAX);
                now_millis().saturating_sub(keep_millis).max(1)
            }
            // Only what has the time 0, and what an import has left.
            None => 1,
        };
        let Base::Writable(database) = &mut self.base else { return };
        match database.purge(before, self.intake.as_ref().map(Intake::mark)) {
            Ok(true) => self.purge_at = Some(Instant::now()),
            // Where it cannot be told whether anything is left, the next deletion looks again.
            Ok(false) if deleted::is_any(database.connection()).unwrap_or(false) => self.purge_later(),
            Ok(false) => {}
            Err(SaveError::Damaged(problem)) if self.mend(&problem) => self.purge_at = Some(Instant::now()),
            Err(SaveError::Damaged(reason) | SaveError::Failed(reason)) => {
                self.mailbox.deliver(Event::Refused(format!(
                    "what was deleted is hidden, but still in the database: {reason}"
                )));
            }
        }
    }

    /// Looks again when the next deletion can be old enough, and every hour.
    fn purge_later(&mut self) {
        let Some(keep) = self.keep_deleted else { return };
        let pause = keep.clamp(UNDO_FOR, PURGE_EVERY) + Duration::from_secs(1);
        self.purge_at = Some(Instant::now() + pause);
    }

    /// Takes in some of what an import has handed over.
    pub fn take_in(&mut self) {
        let Some(mut intake) = self.intake.take() else { return };
        let taken = match (&mut self.base, &self.trouble) {
            (Base::Writable(database), None) => database.take_in(&mut intake),
            (_, trouble) => {
                let reason = trouble.clone().unwrap_or_else(|| "chats are not being saved".to_owned());
                Err(SaveError::Failed(reason))
            }
        };
        self.takes_in = matches!(taken, Ok(Progress::More));
        let outcome = match taken {
            Ok(Progress::More | Progress::Waiting) => {
                self.intake = Some(intake);
                return;
            }
            Ok(Progress::Done(imported)) => Ok(imported),
            Ok(Progress::Failed(problem)) | Err(SaveError::Failed(problem)) => Err(problem),
            Err(SaveError::Damaged(problem)) => {
                self.mend(&problem);
                Err(format!("{problem}; try again"))
            }
        };
        if outcome.is_err() {
            // What it has left is hidden, and goes the way of what was deleted.
            self.purge_at = Some(Instant::now());
        }
        self.mailbox.deliver(Event::Imported(outcome));
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

    fn answer(&self, query: &Query) -> rusqlite::Result<Event> {
        let db = self.base.connection();
        match query {
            Query::Chats { limit } => self.heads().map(|mut chats| {
                let total = chats.len();
                chats.truncate(*limit);
                Event::Chats { chats, total }
            }),
            Query::Search { text, limit } => self.heads().and_then(|heads| {
                let (hits, more) = search::find(db, &heads, text, *limit)?;
                Ok(Event::Hits { text: text.clone(), limit: *limit, hits, more })
            }),
            Query::Chat(id) => self.chat(*id),
            Query::Personas => self.personas(),
            Query::Folders => self.folders(),
            Query::Deleted => deleted::list(db).map(Event::Deleted),
            Query::State(name) => {
                let value = match self.journal.state(name) {
                    Some(waiting) => (!waiting.is_empty()).then(|| waiting.to_owned()),
                    None => sql::state(db, name)?,
                };
                Ok(Event::State { name: name.clone(), value })
            }
        }
    }

    /// Chats that are not deleted, pinned first, then newest change first.
    fn heads(&self) -> rusqlite::Result<Vec<ChatHead>> {
        let db = self.base.connection();
        let mut heads: Vec<_> =
            sql::heads(db)?.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect();
        let touched = self.journal.touched_chats(|message| sql::chat_of(db, message).ok().flatten());
        if !touched.is_empty() {
            heads.retain(|head| !touched.contains(&head.id));
            for id in touched {
                heads.extend(self.chat_as_it_will_be(id)?.map(|(chat, _)| ChatHead::from(&chat)));
            }
            heads.sort_by_key(|head| std::cmp::Reverse((head.pinned, head.updated_millis, head.id)));
        }
        Ok(heads)
    }

    /// A chat and its messages with what waits applied; `None` when it is deleted or was never there.
    fn chat_as_it_will_be(&self, id: ChatId) -> rusqlite::Result<Option<(Chat, Vec<Message>)>> {
        let db = self.base.connection();
        let mut problems = Vec::new();
        let mut chat = sql::chat(db, id, &mut problems)?;
        let mut messages = sql::messages(db, id, &mut problems)?;
        self.journal.apply_to_chat(id, &mut chat, &mut messages);
        self.complain(problems);
        let messages = messages.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect();
        Ok(chat.filter(Kept::is_alive).map(|chat| (chat.record, messages)))
    }

    fn chat(&self, id: ChatId) -> rusqlite::Result<Event> {
        Ok(match self.chat_as_it_will_be(id)? {
            Some((chat, messages)) => Event::Chat { chat, messages },
            None => Event::ChatMissing(id),
        })
    }

    fn personas(&self) -> rusqlite::Result<Event> {
        let mut problems = Vec::new();
        let mut personas = sql::personas(self.base.connection(), &mut problems)?;
        self.journal.apply_to_personas(&mut personas);
        self.complain(problems);
        let mut alive: Vec<_> = personas.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect();
        alive.sort_by_cached_key(|persona| (persona.name.to_lowercase(), persona.id));
        Ok(Event::Personas(alive))
    }

    fn folders(&self) -> rusqlite::Result<Event> {
        let mut folders = sql::folders(self.base.connection())?;
        self.journal.apply_to_folders(&mut folders);
        let mut alive: Vec<_> = folders.into_iter().filter(Kept::is_alive).map(|kept| kept.record).collect();
        alive.sort_by_cached_key(|folder| (folder.name.to_lowercase(), folder.id));
        Ok(Event::Folders(alive))
    }

    fn complain(&self, problems: Vec<String>) {
        for problem in problems {
            self.mailbox.deliver(Event::QueryFailed(problem));
        }
    }
}

fn open(path: &std::path::Path, mailbox: &Mailbox) -> (Base, Option<String>) {
    match Database::open(path) {
        Ok((database, findings)) => {
            if let Some((kept_at, problem)) = findings.set_aside {
                mailbox.deliver(Event::SetAside { kept_at, problem });
            }
            if let Some(problem) = findings.index_remade {
                mailbox.deliver(Event::IndexRemade { problem });
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
