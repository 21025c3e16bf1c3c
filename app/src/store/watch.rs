//! Notices when the store's thread has been at one thing for too long: the disk hangs, and the thread cannot say so itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::{Event, Saving};
use super::mailbox::Mailbox;

/// How long the thread may be at one thing before the user is told.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

struct Work {
    /// Since when the thread has been at it; `None` while it waits for commands.
    since: Option<Instant>,
    /// Whether the user was told that this takes long.
    told: bool,
    /// Whether the watcher sleeps until something begins.
    sleeps: bool,
    ended: bool,
}

/// What the store's thread is at; see the module documentation.
pub(super) struct Watch {
    work: Mutex<Work>,
    begun: Condvar,
}

impl Watch {
    /// A watch over a thread that is at work: it opens the database.
    pub fn new() -> Self {
        let work = Work { since: Some(Instant::now()), told: false, sleeps: false, ended: false };
        Self { work: Mutex::new(work), begun: Condvar::new() }
    }

    /// The thread begins to work.
    pub fn begins(&self) {
        let mut work = self.work();
        work.since = Some(Instant::now());
        if work.sleeps {
            self.begun.notify_one();
        }
    }

    /// The thread is about to wait for commands; says whether the user was told that it hangs.
    pub fn rests(&self) -> bool {
        let mut work = self.work();
        work.since = None;
        std::mem::take(&mut work.told)
    }

    /// Nothing follows.
    pub fn end(&self) {
        self.work().ended = true;
        self.begun.notify_one();
    }

    /// Watches until the end, on a thread of its own. The user is told once for each thing that takes long while somebody waits.
    pub fn run(&self, mailbox: &Mailbox) {
        let mut work = self.work();
        while !work.ended {
            let since = work.since.filter(|_| !work.told);
            let Some(since) = since else {
                work.sleeps = true;
                work = self.begun.wait(work).unwrap_or_else(PoisonError::into_inner);
                work.sleeps = false;
                continue;
            };
            let mut left = PATIENCE.saturating_sub(since.elapsed());
            if left.is_zero() {
                // The lock is held, so what the thread says once it goes on comes after this.
                if let Some(waiting) = mailbox.waiting() {
                    work.told = true;
                    mailbox.deliver(Event::Saving(Saving::No { reason: reason(), waiting }));
                    continue;
                }
                left = PATIENCE;
            }
            work = self.begun.wait_timeout(work, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        // Only whole values are written under this lock.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reason() -> String {
    format!("the disk with the chats has not answered for {} seconds", PATIENCE.as_secs())
}
