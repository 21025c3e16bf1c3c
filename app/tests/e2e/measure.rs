//! Not a test but a measurement: start, idle cost and memory of the program, printed as lines of a table. `packaging/desktop.sh` runs it
//! on the release build.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::app::App;
use crate::session::{Session, until};
use crate::tray_host::TrayHost;

/// Starts that are measured, after one that warms the caches.
const STARTS: usize = 9;
/// How long an idle program is watched.
const WATCH: Duration = Duration::from_secs(10);

#[test]
#[ignore = "a measurement; packaging/desktop.sh runs it"]
fn start_idle_and_memory() {
    let session = Session::open().expect("a display, a window manager and a session bus");
    let tray = TrayHost::start(&session);
    let mut starts = Vec::new();
    for start in 0..=STARTS {
        let millis = start_millis(&session);
        if start > 0 {
            starts.push(millis);
        }
    }
    starts.sort_unstable();
    say(&format!(
        "start to first frame on the screen | median {} ms, {} to {} ms of {STARTS} starts",
        starts[STARTS / 2],
        starts[0],
        starts[STARTS - 1]
    ));

    let app = App::start(&session);
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    app.ask("What is the capital of France?");
    app.wait_message(2, "complete");
    idle(&app, "idle with a window, a chat open");
    memory(&app, "memory with a window");
    for _ in 0..3 {
        tray.press("Hide window");
        app.wait_open(false);
        let asked = Instant::now();
        let passes = app.passes();
        tray.press("Open 1bit Desktop");
        until("the window is drawn again", Duration::from_secs(20), || {
            (app.passes() > passes + 1).then_some(())
        });
        say(&format!(
            "a hidden window is on the screen again after | at most {} ms",
            asked.elapsed().as_millis()
        ));
        app.wait_open(true);
    }
    tray.press("Hide window");
    app.wait_open(false);
    idle(&app, "idle without a window");
    memory(&app, "memory without a window, after four windows");
    let asked = Instant::now();
    tray.press("Quit");
    assert!(app.wait_end().success());
    say(&format!("Quit to the end of the process | {} ms", asked.elapsed().as_millis()));
}

fn start_millis(session: &Session) -> u64 {
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let app = App::start_with(session, |_| {});
    let presented = app.until("a frame is on the screen", |app| {
        app.status()?["window"]["presented_unix_millis"].as_u64().filter(|&millis| millis > 0)
    });
    app.signal("TERM");
    assert!(app.wait_end().success());
    presented - u64::try_from(begun.as_millis()).unwrap()
}

fn idle(app: &App<'_>, what: &str) {
    // Toasts, tooltips and the engine come to rest.
    std::thread::sleep(Duration::from_secs(3));
    let (passes, ticks) = (app.passes(), app.ticks());
    std::thread::sleep(WATCH);
    let (passes, ticks) = (app.passes() - passes, app.ticks() - ticks);
    say(&format!("{what}, {} s | {passes} repaints, {ticks} ticks of 10 ms CPU time", WATCH.as_secs()));
}

fn memory(app: &App<'_>, what: &str) {
    let kib = |file: &str, field: &str| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", app.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    say(&format!(
        "{what} | {} MiB resident, of these {} MiB anonymous",
        kib("status", "VmRSS:") / 1024,
        kib("status", "RssAnon:") / 1024
    ));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n| {line} |").unwrap();
}
