//! Wakes the main thread, wherever it is: in the event loop of a window, or waiting without one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use eframe::egui::Context;

/// The bell. Anybody rings, the main thread listens.
#[derive(Default)]
pub struct Bell {
    door: Mutex<Door>,
    rang: Condvar,
}

#[derive(Default)]
struct Door {
    window: Option<Context>,
    rung: bool,
}

impl Bell {
    /// Makes the main thread look for what has arrived; it looks at least once after the last ring. Never waits.
    pub fn ring(&self) {
        let window = {
            let mut door = self.door();
            door.rung = true;
            door.window.clone()
        };
        match window {
            Some(window) => window.request_repaint(),
            None => self.rang.notify_one(),
        }
    }

    /// From now on a window takes the rings.
    pub fn window_opened(&self, window: Context) {
        self.door().window = Some(window);
    }

    /// From now on the main thread waits without a window.
    pub fn window_closed(&self) {
        self.door().window = None;
    }

    /// Waits for a ring, or for one that nobody has waited for yet.
    pub fn wait(&self) {
        let mut door = self.door();
        while !door.rung {
            door = self.rang.wait(door).unwrap_or_else(PoisonError::into_inner);
        }
        door.rung = false;
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        // A flag and a handle cannot be left half changed.
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::default();
        bell.window_opened(Context::default());
        bell.ring();
        bell.window_closed();
        bell.wait();
    }

    #[test]
    fn a_ring_from_another_thread_ends_the_wait() {
        let bell = Arc::new(Bell::default());
        let other = Arc::clone(&bell);
        let ringer = std::thread::spawn(move || other.ring());
        bell.wait();
        ringer.join().unwrap();
    }

    #[test]
    fn a_ring_asks_the_window_for_a_pass() {
        let bell = Bell::default();
        let window = Context::default();
        // A fresh context wants its first passes anyway.
        for _ in 0..3 {
            let mut output = window.run_ui(eframe::egui::RawInput::default(), |_| {});
            output.textures_delta.clear();
        }
        assert!(!window.has_requested_repaint());
        bell.window_opened(window.clone());
        bell.ring();
        assert!(window.has_requested_repaint());
    }
}
