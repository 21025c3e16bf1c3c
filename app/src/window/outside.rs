//! What the app has besides its window: callers (tray, notifications, keys that work from anywhere, a second start, signals), a tray to
//! show its state in, and numbers for `onebit status`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::bell::Bell;
use crate::anywhere;
use crate::notification::{self, Notification};
use crate::portal::Wishes;
use crate::tray::{self, Face};

/// What is asked of the app from outside its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// The tray says something.
    Tray(tray::Event),
    /// A notification was clicked, or none can be shown.
    Notification(notification::Event),
    /// The desktop wishes programs to look like this.
    Wishes(Wishes),
    /// A key that works from anywhere was pressed, or how it stands with them has changed.
    Anywhere(anywhere::Event),
    /// A start without a window has waited long enough for a tray.
    NoTray,
    /// Somebody started the app again, and what lets the window come to the front.
    Raise(Option<String>),
    /// Save and end.
    End,
}

/// Hands calls to the main thread from any thread.
#[derive(Clone)]
pub struct Caller {
    calls: Sender<Call>,
    bell: Arc<Bell>,
}

impl Caller {
    /// A caller, and where its calls arrive.
    pub fn new(bell: Arc<Bell>) -> (Self, Receiver<Call>) {
        let (calls, receiver) = channel();
        (Self { calls, bell }, receiver)
    }

    /// Delivers, then wakes. Never waits.
    pub fn call(&self, call: Call) {
        // The app may have ended.
        drop(self.calls.send(call));
        self.bell.ring();
    }
}

/// See the module documentation.
pub struct Outside {
    /// Calls that have arrived.
    pub calls: Receiver<Call>,
    /// Shows the state in the tray.
    pub tray: Box<dyn FnMut(Face)>,
    /// Shows a notification.
    pub notify: Box<dyn FnMut(Notification)>,
    /// Asks the desktop for keys that work from anywhere.
    pub anywhere: Box<dyn FnMut(anywhere::Ask)>,
    /// Numbers for `onebit status`.
    pub vitals: Arc<Vitals>,
}

impl Outside {
    /// Nobody calls and nobody looks.
    pub fn nobody() -> Self {
        let (_, calls) = channel();
        Self {
            calls,
            tray: Box::new(drop),
            notify: Box::new(drop),
            anywhere: Box::new(|_| {}),
            vitals: Arc::default(),
        }
    }
}

/// What the window says about itself to other threads.
#[derive(Debug, Default)]
pub struct Vitals {
    open: AtomicBool,
    focused: AtomicBool,
    tray: AtomicBool,
    answering: AtomicBool,
    passes: AtomicU64,
    presented_unix_millis: AtomicU64,
}

impl Vitals {
    /// The window is gone.
    pub fn window_gone(&self) {
        self.open.store(false, Ordering::Release);
        self.focused.store(false, Ordering::Release);
    }

    /// A tray shows the icon, or none.
    pub fn set_tray(&self, shown: bool) {
        self.tray.store(shown, Ordering::Release);
    }

    /// An answer is being written somewhere.
    pub fn set_answering(&self, answering: bool) {
        self.answering.store(answering, Ordering::Release);
    }

    /// A pass of a window begins. With the second one the picture of the first is on the screen.
    pub fn count_pass(&self, focused: bool) {
        self.open.store(true, Ordering::Release);
        self.focused.store(focused, Ordering::Release);
        if self.passes.fetch_add(1, Ordering::AcqRel) == 1 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.presented_unix_millis.store(u64::try_from(now.as_millis()).unwrap_or(0), Ordering::Release);
        }
    }

    /// Passes of all windows so far.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Acquire)
    }

    /// Part `window` of `onebit status`; `presented_unix_millis` is when the first picture was on the screen, 0 before.
    pub fn json(&self) -> Value {
        json!({
            "open": self.open.load(Ordering::Acquire),
            "focused": self.focused.load(Ordering::Acquire),
            "tray": self.tray.load(Ordering::Acquire),
            "answering": self.answering.load(Ordering::Acquire),
            "passes": self.passes(),
            "presented_unix_millis": self.presented_unix_millis.load(Ordering::Acquire),
        })
    }
}
