//! Texts that change with every key or every pixel, and are worth a write only when they rest.

use std::time::Duration;

use eframe::egui::Context;

/// How long a text must stay the same before it is remembered.
const SETTLE_SECS: f64 = 1.0;

/// A text that is remembered once it has stopped changing.
#[derive(Default)]
pub(super) struct Settling {
    pub now: String,
    pub saved: String,
    since: f64,
}

impl Settling {
    /// Takes the value of this pass; gives it when it has settled and differs from what was remembered.
    pub fn take(&mut self, value: &str, time: f64, ctx: &Context) -> Option<String> {
        if self.now != value {
            value.clone_into(&mut self.now);
            self.since = time;
        }
        if self.now == self.saved {
            return None;
        }
        if time - self.since < SETTLE_SECS {
            ctx.request_repaint_after(Duration::from_secs_f64(SETTLE_SECS));
            return None;
        }
        self.saved.clone_from(&self.now);
        Some(self.now.clone())
    }
}
