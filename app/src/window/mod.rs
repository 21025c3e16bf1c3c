//! The window: opens it over the real engine and the user's chats, ends it on SIGTERM, and shows the one that runs already instead of
//! opening a second.

mod collecting;
mod conversing;
mod desktop;
mod dialogs;
mod opener;
mod picker;
pub mod preferences;

use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use eframe::egui::{Context, ViewportBuilder, ViewportCommand};
use serde_json::json;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

use crate::chat::{Controller, EngineBackend, LAST_MODEL, Notice, Severity, Shelf, Waker};
use crate::folders::Folders;
use crate::instance::{self, Answers, Claim, Server};
use crate::logbook;
use crate::store::{Event, Query, Store};

pub use desktop::{Desktop, WINDOW_SIZE};
pub use preferences::Preferences;

/// Identifies the window to the desktop.
pub const APP_ID: &str = "systems._1bit.Desktop";
/// Size of the first window.
const DEFAULT_SIZE: [f32; 2] = [1280.0, 800.0];
/// Smallest window.
const MIN_SIZE: [f32; 2] = [720.0, 480.0];
/// How long the start waits for the store to say how large the window was; no window is open yet.
const STORE_PATIENCE: Duration = Duration::from_millis(400);
/// How long a signal waits for the window to close by itself; what was said is saved as it grows.
const CLOSE_PATIENCE: Duration = Duration::from_secs(3);

/// The context of the window, once there is one.
type LateContext = Arc<OnceLock<Context>>;

/// Opens the window and returns when it is closed.
///
/// # Errors
/// The window or the chat store's thread could not be opened.
pub fn run(folders: &Folders) -> anyhow::Result<()> {
    let (place, alone) = match instance::claim(folders) {
        Ok(Claim::First(place)) => (Some(place), None),
        Ok(Claim::Other(running)) => {
            return running.raise().context("the running window could not be raised");
        }
        // The window works without a place; only a second start cannot find it.
        Err(err) => (None, Some(err)),
    };
    let late: LateContext = Arc::default();
    let for_waker = Arc::clone(&late);
    let waker: Waker = Arc::new(move || {
        if let Some(ctx) = for_waker.get() {
            ctx.request_repaint();
        }
    });
    let logbook = logbook::install(folders, log::LevelFilter::Info);
    log::info!("version {} starts", env!("CARGO_PKG_VERSION"));
    let preferences = Preferences::open(folders, logbook, Arc::clone(&waker));
    let store = Store::open(&folders.chats(), Arc::clone(&waker))?;
    let remembered = Remembered::wait(&store);
    let backend = EngineBackend::start(preferences.settings.engine_options(), Arc::clone(&waker));
    let _server = place.and_then(|place| Server::start(place, answers(&backend, &late)).ok());
    let shelf = Shelf::open(folders.clone(), remembered.model, Arc::clone(&waker));
    let controller = Controller::new(Box::new(backend), store, shelf, waker);
    let mut controller = controller.with_settings(preferences.settings.clone());
    controller.take_early(remembered.others);
    if let Some(err) = alone {
        let title = "A second start will not find this window";
        controller.notify(Notice::new(Severity::Warning, title, &err.to_string()));
    }
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icons/onebit-128.png"))
        .context("the built-in icon could not be read")?;
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_app_id(APP_ID)
            .with_title("1bit Desktop")
            .with_icon(icon)
            .with_inner_size(remembered.size)
            .with_min_inner_size(MIN_SIZE),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "1bit Desktop",
        options,
        Box::new(move |creation| {
            drop(late.set(creation.egui_ctx.clone()));
            close_on_signals(&creation.egui_ctx)?;
            Ok(Box::new(Desktop::new(&creation.egui_ctx, controller, preferences)))
        }),
    )
    .map_err(|err| {
        anyhow::anyhow!("the window could not be opened: {err}; the commands of `onebit --help` need none")
    })
}

/// What the store says before the window opens.
struct Remembered {
    size: [f32; 2],
    model: Option<String>,
    /// Events that are for the controller.
    others: Vec<Event>,
}

impl Remembered {
    /// Waits a moment for size and model of the last run.
    fn wait(store: &Store) -> Self {
        let mut remembered = Self { size: DEFAULT_SIZE, model: None, others: Vec::new() };
        let asked = [LAST_MODEL, WINDOW_SIZE].map(|name| store.ask(Query::State(name.to_owned())).is_ok());
        let begun = Instant::now();
        while asked == [true, true] && begun.elapsed() < STORE_PATIENCE {
            match store.try_next() {
                Some(Event::State { name, value }) if name == WINDOW_SIZE => {
                    remembered.size = value.as_deref().and_then(parse_size).unwrap_or(DEFAULT_SIZE);
                    break;
                }
                Some(Event::State { name, value }) if name == LAST_MODEL => remembered.model = value,
                Some(other) => remembered.others.push(other),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        remembered
    }
}

/// `1280x800`, within what a screen can be.
fn parse_size(text: &str) -> Option<[f32; 2]> {
    let (width, height) = text.split_once('x')?;
    let (width, height): (f32, f32) = (width.parse().ok()?, height.parse().ok()?);
    let sane = (MIN_SIZE[0]..=16384.0).contains(&width) && (MIN_SIZE[1]..=16384.0).contains(&height);
    sane.then_some([width, height])
}

fn answers(backend: &EngineBackend, late: &LateContext) -> Answers {
    let handle = backend.handle();
    let late = Arc::clone(late);
    Answers {
        status: Box::new(move || match &*handle.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(handle) => instance::status_json(&handle.status()),
            None => json!({ "running": true, "pid": std::process::id(), "lane": null }),
        }),
        raise: Box::new(move || {
            if let Some(ctx) = late.get() {
                desktop::raise(ctx);
            }
        }),
    }
}

/// Closes the window on SIGTERM, SIGINT and SIGHUP. A desktop may give a hidden window no chance to close; then the process ends
/// anyway.
fn close_on_signals(ctx: &Context) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let ctx = ctx.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            ctx.send_viewport_cmd(ViewportCommand::Close);
            ctx.request_repaint();
            std::thread::sleep(CLOSE_PATIENCE);
            signal_hook::low_level::exit(0);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sizes_that_a_screen_can_have_are_taken() {
        assert_eq!(parse_size("1280x800"), Some([1280.0, 800.0]));
        for wrong in ["", "1280", "x", "10x10", "NaNxNaN", "99999x800", "1280x-1"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
