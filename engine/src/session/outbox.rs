//! The sending end of one request: delivers events, wakes the reader, and makes sure that exactly one event is the last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use super::Waker;

/// Counts one accepted request until its last event is about to be delivered, so that whoever reads that event can
/// submit again at once.
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes a place when fewer than `limit` are taken.
    pub(super) fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < limit).then_some(n + 1))
            .is_ok()
            .then(|| Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// See the module documentation. The last event goes out through [`Outbox::end`], which consumes the outbox, or, when the
/// outbox is dropped on any other path (panic, shutdown, a closed channel), as the event given at creation.
///
/// The channel is unbounded as a data structure and bounded by what a request can ever send: one `Started`, at most one `Prefill`
/// per step of its prompt, one `Text` per new token and one for held-back text, and the last one. Sending therefore never waits
/// for a slow reader.
pub(super) struct Outbox<E> {
    events: Sender<E>,
    wake: Waker,
    if_dropped: Option<E>,
    place: Option<Place>,
}

impl<E> Outbox<E> {
    pub(super) fn new(events: Sender<E>, wake: Waker, if_dropped: E, place: Option<Place>) -> Self {
        Self { events, wake, if_dropped: Some(if_dropped), place }
    }

    /// Delivers an event that is not the last.
    pub(super) fn send(&self, event: E) {
        // A reader that went away cancelled through its flag; its events have nowhere to go.
        let _ = self.events.send(event);
        self.wake();
    }

    /// Delivers the last event.
    pub(super) fn end(mut self, last: E) {
        self.if_dropped = None;
        self.place = None;
        self.send(last);
    }

    fn wake(&self) {
        // A waker belongs to a front end; its panic must not take the engine down. The panic hook has reported it.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.wake)()));
    }
}

impl<E> Drop for Outbox<E> {
    fn drop(&mut self) {
        if let Some(event) = self.if_dropped.take() {
            self.place = None;
            self.send(event);
        }
    }
}
