//! The end of the process: signals ask for it, and a disk or a driver that hangs cannot hold it up.

use std::io::Write as _;
use std::time::Duration;

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::store::Unsaved;

/// How long the end may take. Desktops kill what is not gone five seconds after they asked.
const PATIENCE: Duration = Duration::from_millis(4000);

/// Calls `end` on the first SIGTERM, SIGINT or SIGHUP, and sees to it that the process is gone in time. A second signal ends it at
/// once.
///
/// # Errors
/// The operating system refuses a handler or a thread.
pub fn on_signals(
    end: impl Fn() + Send + 'static,
    unsaved: impl Fn() -> Unsaved + Send + 'static,
) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            end();
            give_up_later(unsaved);
        }
        if let Some(second) = signals.next() {
            signal_hook::low_level::exit(128 + second);
        }
    })?;
    Ok(())
}

/// Ends the process after a while if it has not ended by then, and says what is not on the disk.
pub fn give_up_later(unsaved: impl Fn() -> Unsaved + Send + 'static) {
    let spawned = std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        std::thread::sleep(PATIENCE);
        // Nobody may be listening any more.
        let _ = writeln!(std::io::stderr(), "{}", last_words(&unsaved()));
        signal_hook::low_level::exit(1);
    });
    // Without the thread the end takes as long as it takes.
    drop(spawned);
}

fn last_words(unsaved: &Unsaved) -> String {
    if unsaved.is_empty() {
        return "error: the end took too long; all chats are saved".to_owned();
    }
    format!("error: the disk did not answer within {} s; not saved: {unsaved}", PATIENCE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_name_what_is_lost() {
        let unsaved = Unsaved { messages: 2, ..Unsaved::default() };
        assert_eq!(last_words(&unsaved), "error: the disk did not answer within 4 s; not saved: 2 messages");
        assert!(last_words(&Unsaved::default()).ends_with("all chats are saved"));
    }
}
