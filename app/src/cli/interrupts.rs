//! Ctrl-C: the first stops the answer that is being written, a second one, or one at the prompt, ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::INTERRUPTED;

/// What the thread `signals` and the thread that writes an answer tell each other.
#[derive(Debug, Default)]
struct Flags {
    writing: AtomicBool,
    asked: AtomicBool,
}

/// Handles signals from [`Interrupts::install`] on.
#[derive(Debug, Clone)]
pub struct Interrupts {
    flags: Arc<Flags>,
}

impl Interrupts {
    /// Starts to handle signals.
    ///
    /// # Errors
    /// The operating system refuses a handler or a thread.
    pub fn install() -> Result<Self> {
        let flags = Arc::new(Flags::default());
        let seen = Arc::clone(&flags);
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle Ctrl-C")?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in &mut signals {
                    let first = !seen.asked.swap(true, Ordering::SeqCst);
                    if !(first && seen.writing.load(Ordering::SeqCst)) {
                        // Nothing is saved here that a plain end could damage, and the main thread may be blocked reading a line.
                        let status = if signal == SIGINT { i32::from(INTERRUPTED) } else { 128 + signal };
                        std::process::exit(status);
                    }
                }
            })
            .context("cannot handle Ctrl-C")?;
        Ok(Self { flags })
    }

    /// Runs `work`, during which a first Ctrl-C only makes [`Interrupts::asked`] true.
    pub fn while_writing<R>(&self, work: impl FnOnce() -> R) -> R {
        self.flags.asked.store(false, Ordering::SeqCst);
        self.flags.writing.store(true, Ordering::SeqCst);
        let result = work();
        self.flags.writing.store(false, Ordering::SeqCst);
        self.flags.asked.store(false, Ordering::SeqCst);
        result
    }

    /// Whether the user asked to stop.
    pub fn asked(&self) -> bool {
        self.flags.asked.load(Ordering::SeqCst)
    }
}
