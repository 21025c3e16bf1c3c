//! The end of the process: signals ask for it, and a disk or a driver that hangs cannot hold it up.

use std::io::Write as _;
use std::time::Duration;

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long the end may take. Desktops kill what is not gone five seconds after they asked.
const PATIENCE: Duration = Duration::from_millis(4000);

/// Calls `end` on the first SIGTERM, SIGINT or SIGHUP, and sees to it that the process is gone in time. A second signal ends it at
/// once.
///
/// # Errors
/// The operating system refuses a handler or a thread.
pub fn on_signals(end: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            end();
            give_up_later();
        }
        if let Some(second) = signals.next() {
            signal_hook::low_level::exit(128 + second);
        }
    })?;
    Ok(())
}

/// Ends the process after a while if it has not ended by then. What was said so far is on the disk: answers are saved as they grow.
pub fn give_up_later() {
    let spawned = std::thread::Builder::new().name("end".to_owned()).spawn(|| {
        std::thread::sleep(PATIENCE);
        // Nobody may be listening any more.
        let _ =
            writeln!(std::io::stderr(), "error: saving did not end in time; the last words may be missing");
        signal_hook::low_level::exit(1);
    });
    // Without the thread the end takes as long as it takes.
    drop(spawned);
}
