//! The two queues between callers and the store's thread. Callers hold a lock only to push or pop, never during disk work.
//!
//! Both are bounded: the inbox refuses above a number of commands or bytes of text, and the outbox keeps only the newest of what
//! supersedes itself, so a caller that never listens costs one entry, not one an event.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::{Event, Query, Ticket, Write};
use super::import::Handover;
use super::unsaved::{Unsaved, Waiting};
use super::watch::Watch;
use super::{StoreError, Waker};

/// Commands that may wait.
const MAX_COMMANDS: usize = 4096;
/// Bytes of text that may wait, in the inbox and in changes that could not be saved.
const MAX_BYTES: usize = 64 << 20;

/// What the thread is told.
pub(super) enum Command {
    Write(Ticket, Write),
    Ask(Query),
    Import(Handover),
    /// Deletions are kept so long.
    KeepDeleted(Duration),
}

#[derive(Default)]
struct Inbox {
    commands: VecDeque<Command>,
    bytes: usize,
    unsaved_bytes: usize,
    last: Ticket,
    /// What is not on the disk yet.
    waiting: Waiting,
    nudged: bool,
    closed: bool,
}

/// Shared by the handle and the thread.
pub(super) struct Mailbox {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    outbox: Mutex<VecDeque<Event>>,
    waker: Waker,
    /// What the thread is at.
    pub watch: Watch,
}

/// What the thread found in the inbox.
pub(super) struct Delivery {
    pub commands: VecDeque<Command>,
    /// No command will follow.
    pub closed: bool,
}

impl Mailbox {
    pub fn new(waker: Waker) -> Self {
        Self {
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            outbox: Mutex::default(),
            waker,
            watch: Watch::new(),
        }
    }

    pub fn write(&self, write: Write) -> Result<Ticket, StoreError> {
        let bytes = write_bytes(&write);
        let mut inbox = self.inbox();
        inbox.admit(bytes)?;
        let ticket = Ticket(inbox.last.0 + 1);
        inbox.last = ticket;
        inbox.bytes += bytes;
        inbox.waiting.add(ticket, &write);
        match (inbox.commands.back_mut(), write) {
            // Token by token is how answers grow; one command holds all that came since the thread last looked.
            (
                Some(Command::Write(last, Write::Extend { message, text })),
                Write::Extend { message: more, text: added },
            ) if *message == more => {
                text.push_str(&added);
                *last = ticket;
            }
            (_, write) => inbox.commands.push_back(Command::Write(ticket, write)),
        }
        drop(inbox);
        self.arrived.notify_one();
        Ok(ticket)
    }

    /// Queues a question. A search that was not begun yet gives way to a newer one with the same limit: while somebody types, only the
    /// last text counts.
    pub fn ask(&self, query: Query) -> Result<(), StoreError> {
        if let Query::Search { limit: wanted, .. } = &query {
            self.inbox().commands.retain(
                |command| !matches!(command, Command::Ask(Query::Search { limit, .. }) if limit == wanted),
            );
        }
        self.push(Command::Ask(query))
    }

    pub fn import(&self, import: Handover) -> Result<(), StoreError> {
        self.push(Command::Import(import))
    }

    /// Says that something has arrived elsewhere: a piece of an import.
    pub fn nudge(&self) {
        self.inbox().nudged = true;
        self.arrived.notify_one();
    }

    pub fn keep_deleted(&self, keep: Duration) -> Result<(), StoreError> {
        self.push(Command::KeepDeleted(keep))
    }

    fn push(&self, command: Command) -> Result<(), StoreError> {
        let mut inbox = self.inbox();
        inbox.admit(0)?;
        inbox.commands.push_back(command);
        drop(inbox);
        self.arrived.notify_one();
        Ok(())
    }

    pub fn close(&self) {
        self.inbox().closed = true;
        self.arrived.notify_one();
    }

    /// Waits until something arrives, here or elsewhere, the box is closed, or `until`.
    pub fn receive(&self, until: Option<Instant>) -> Delivery {
        let mut inbox = self.inbox();
        while inbox.commands.is_empty() && !inbox.closed && !std::mem::take(&mut inbox.nudged) {
            let left =
                until.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            inbox = self.arrived.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inbox.bytes = 0;
        Delivery { commands: std::mem::take(&mut inbox.commands), closed: inbox.closed }
    }

    /// Counts what the thread holds in memory against the bound.
    pub fn set_unsaved_bytes(&self, bytes: usize) {
        self.inbox().unsaved_bytes = bytes;
    }

    /// What is not on the disk yet.
    pub fn unsaved(&self) -> Unsaved {
        self.inbox().waiting.count()
    }

    /// Changes that are not on the disk yet, when somebody waits for the thread.
    pub fn waiting(&self) -> Option<usize> {
        let inbox = self.inbox();
        let waiting = inbox.waiting.len();
        (waiting > 0 || !inbox.commands.is_empty()).then_some(waiting)
    }

    /// Nothing up to this ticket is to be saved any more.
    pub fn settle(&self, until: Ticket) {
        self.inbox().waiting.saved(until);
    }

    /// Delivers, then wakes.
    pub fn deliver(&self, event: Event) {
        if let Event::Saved(until) = event {
            self.settle(until);
        }
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let superseded = matches!(
            (outbox.back(), &event),
            (Some(Event::Saved(_)), Event::Saved(_)) | (Some(Event::Saving(_)), Event::Saving(_))
        );
        if superseded {
            outbox.pop_back();
        }
        outbox.push_back(event);
        drop(outbox);
        (self.waker)();
    }

    pub fn try_next(&self) -> Option<Event> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that holds this lock can leave the queue half changed, so a poisoned lock is still good.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    fn admit(&self, bytes: usize) -> Result<(), StoreError> {
        if self.closed {
            return Err(StoreError::Stopped);
        }
        let held = self.bytes.saturating_add(self.unsaved_bytes).saturating_add(bytes);
        if self.commands.len() >= MAX_COMMANDS || held > MAX_BYTES {
            return Err(StoreError::Busy);
        }
        Ok(())
    }
}

fn write_bytes(write: &Write) -> usize {
    match write {
        Write::PutChat(chat) => chat.title.len() + chat.system.len(),
        Write::AddMessage(message) => message.text_bytes(),
        Write::Extend { text, .. } => text.len(),
        Write::Resume { content, .. } => content.len(),
        Write::Rename { title, .. } => title.len(),
        Write::SetUp { system, .. } => system.len(),
        Write::PutPersona(persona) => persona.name.len() + persona.system.len(),
        Write::PutFolder(folder) => folder.name.len(),
        Write::RenameFolder { name, .. } => name.len(),
        Write::SetState { value, .. } => value.len(),
        Write::Finish { error, .. } => error.as_ref().map_or(0, String::len),
        Write::ShowLeaf { .. }
        | Write::Pin { .. }
        | Write::DeleteChat(_)
        | Write::RestoreChat(_)
        | Write::DeleteMessage(_)
        | Write::RestoreMessage(_)
        | Write::DeletePersona(_)
        | Write::RestorePersona(_)
        | Write::MoveChat { .. }
        | Write::DeleteFolder(_)
        | Write::RestoreFolder(_)
        | Write::DeleteForGood(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::store::MessageId;

    fn mailbox() -> Mailbox {
        Mailbox::new(Arc::new(|| {}))
    }

    fn extend(id: i64, text: &str) -> Write {
        Write::Extend { message: MessageId(id), text: text.to_owned() }
    }

    #[test]
    fn tokens_of_one_answer_become_one_command() {
        let mailbox = mailbox();
        for text in ["a", "b", "c"] {
            mailbox.write(extend(1, text)).unwrap();
        }
        mailbox.write(extend(2, "d")).unwrap();
        let got = mailbox.receive(None).commands;
        assert_eq!(got.len(), 2);
        match &got[0] {
            Command::Write(Ticket(3), Write::Extend { text, .. }) => assert_eq!(text, "abc"),
            _ => panic!("no growth of three tokens"),
        }
    }

    #[test]
    fn a_full_mailbox_refuses_and_says_so() {
        let mailbox = mailbox();
        mailbox.set_unsaved_bytes(MAX_BYTES);
        assert_eq!(mailbox.write(extend(1, "x")), Err(StoreError::Busy));
        mailbox.set_unsaved_bytes(0);
        for id in 0..MAX_COMMANDS as i64 {
            mailbox.write(extend(id, "x")).unwrap();
        }
        assert_eq!(mailbox.write(extend(-1, "x")), Err(StoreError::Busy));
        assert_eq!(mailbox.ask(Query::State("a".into())), Err(StoreError::Busy));
        mailbox.close();
        assert_eq!(mailbox.write(extend(1, "x")), Err(StoreError::Stopped));
    }

    #[test]
    fn an_event_is_there_before_the_waker_runs_and_saved_supersedes_saved() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let mailbox = Mailbox::new(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        mailbox.deliver(Event::Saved(Ticket(1)));
        mailbox.deliver(Event::Saved(Ticket(2)));
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        assert_eq!(mailbox.try_next(), Some(Event::Saved(Ticket(2))));
        assert_eq!(mailbox.try_next(), None);
    }
}
