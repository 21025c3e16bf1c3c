//! The application: engine, store and tray over a window that comes and goes. Opens the window, waits without one while the tray
//! holds the app, ends it on a signal, and shows the one that runs already instead of starting a second.

mod anywhere;
mod bell;
mod collecting;
mod conversing;
mod desktop;
mod dialogs;
mod ending;
mod life;
mod opener;
mod outside;
mod picker;
pub mod preferences;
mod presence;
mod settling;

use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use eframe::egui::{Context, IconData, Ui, ViewportBuilder, Visuals};
use serde_json::json;
use winit::platform::startup_notify::set_activation_token_env;
use winit::raw_window_handle::{HasDisplayHandle as _, RawDisplayHandle};
use winit::window::ActivationToken;

use crate::anywhere::Anywhere;
use crate::chat::{Controller, EngineBackend, LAST_MODEL, Notice, Severity, Shelf, Waker};
use crate::folders::Folders;
use crate::instance::{self, Answers, Claim, Place, Server};
use crate::logbook;
use crate::notification::Notifier;
use crate::portal;
use crate::store::{Event, Query, Saving, Store, Unsaved};
use crate::tray::Tray;
use bell::Bell;

pub use desktop::{Desktop, WINDOW_SIZE};
pub use life::{Close, Closing, Life, Stage};
pub use outside::{Call, Caller, Outside, Vitals};
pub use preferences::Preferences;

/// Identifies the app to the desktop.
pub const APP_ID: &str = "systems._1bit.Desktop";
/// Size of the first window.
const DEFAULT_SIZE: [f32; 2] = [1280.0, 800.0];
/// Smallest window.
const MIN_SIZE: [f32; 2] = [720.0, 480.0];
/// How long the start waits for the store to say how large the window was; no window is open yet.
const STORE_PATIENCE: Duration = Duration::from_millis(400);

/// How long a start without a window waits for a tray; at a login the panel may come later than the app.
const TRAY_PATIENCE: Duration = Duration::from_secs(15);

/// How the app begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// With a window.
    Window,
    /// In the tray; with a window where no tray shows the app.
    Tray,
}

/// Tells what is not on the disk.
type CountUnsaved = Box<dyn Fn() -> Unsaved + Send + Sync>;

/// Runs the app to its end, or shows the one that runs already.
///
/// # Errors
/// The window or the chat store's thread could not be opened, or the last words could not be saved.
pub fn run(folders: &Folders, opening: Opening) -> anyhow::Result<()> {
    let (place, alone) = match instance::claim(folders) {
        Ok(Claim::First(place)) => (Some(place), None),
        // Who logs in wants no window.
        Ok(Claim::Other(_)) if opening == Opening::Tray => return Ok(()),
        Ok(Claim::Other(running)) => {
            let token = std::env::var("XDG_ACTIVATION_TOKEN").ok();
            return running.raise(token.as_deref()).context("the running window could not be raised");
        }
        // The window works without a place; only a second start cannot find it.
        Err(err) => (None, Some(err)),
    };
    let logbook = logbook::install(folders, log::LevelFilter::Info);
    log::info!("version {} starts", env!("CARGO_PKG_VERSION"));
    let bell = Arc::new(Bell::default());
    let (caller, outside) = outside(&bell);
    let for_signals = caller.clone();
    // Signals are heard before there is a store.
    let unsaved: Arc<OnceLock<CountUnsaved>> = Arc::default();
    let what_is_unsaved = {
        let unsaved = Arc::clone(&unsaved);
        move || unsaved.get().map(|unsaved| unsaved()).unwrap_or_default()
    };
    ending::on_signals(move || for_signals.call(Call::End), what_is_unsaved.clone())
        .context("signals cannot be handled")?;

    let for_waker = Arc::clone(&bell);
    let waker: Waker = Arc::new(move || for_waker.ring());
    let store = Store::open(&folders.chats(), Arc::clone(&waker))?;
    // Nobody else sets it.
    let _ = unsaved.set(Box::new(store.unsaved()));
    let preferences = Preferences::open(folders, logbook, Arc::clone(&waker));
    let backend = EngineBackend::start(preferences.settings.engine_options(), Arc::clone(&waker));
    let remembered = Remembered::wait(&store);
    let waiting = caller.clone();
    let server = place.and_then(|place| serve(place, &backend, caller, &outside.vitals));
    let shelf = Shelf::open(folders.clone(), remembered.model, Arc::clone(&waker));
    let controller = Controller::new(Box::new(backend), store, shelf, waker);
    let mut controller = controller.with_settings(preferences.settings.clone());
    controller.take_early(remembered.others);
    if let Some(err) = alone {
        let title = "A second start will not find this window";
        controller.notify(Notice::new(Severity::Warning, title, &err.to_string()));
    }
    let mut desktop = Desktop::without_window(controller, preferences, outside);
    if opening == Opening::Tray {
        desktop.life = Life::in_tray();
        desktop.controller.shelf.held = true;
        std::thread::Builder::new().name("tray-patience".to_owned()).spawn(move || {
            std::thread::sleep(TRAY_PATIENCE);
            waiting.call(Call::NoTray);
        })?;
    }
    let lived = live(&mut desktop, &bell, remembered.size);
    ending::give_up_later(what_is_unsaved);
    let saved = desktop.end();
    // Who starts the app from now on starts a new one.
    drop(server);
    lived?;
    match saved {
        Saving::Yes => Ok(()),
        Saving::No { reason, .. } => anyhow::bail!("the last words could not be saved: {reason}"),
    }
}

/// Tray, notifications, the wishes and the keys of the desktop, and the way back from all of them.
fn outside(bell: &Arc<Bell>) -> (Caller, Outside) {
    let (caller, calls) = Caller::new(Arc::clone(bell));
    let from_tray = caller.clone();
    let tray = Tray::start(Arc::new(move |event| from_tray.call(Call::Tray(event))));
    let from_notifications = caller.clone();
    let mut notifier =
        Notifier::new(Arc::new(move |event| from_notifications.call(Call::Notification(event))));
    let from_portal = caller.clone();
    portal::watch(None, Box::new(move |wishes| from_portal.call(Call::Wishes(wishes))));
    let from_keys = caller.clone();
    let keys = Anywhere::start(None, Arc::new(move |event| from_keys.call(Call::Anywhere(event))));
    let outside = Outside {
        calls,
        tray: Box::new(move |face| tray.show(face)),
        notify: Box::new(move |notification| notifier.show(notification)),
        anywhere: Box::new(move |ask| keys.ask(ask)),
        vitals: Arc::default(),
    };
    (caller, outside)
}

fn serve(place: Place, backend: &EngineBackend, caller: Caller, vitals: &Arc<Vitals>) -> Option<Server> {
    let handle = backend.handle();
    let vitals = Arc::clone(vitals);
    let answers = Answers {
        status: Box::new(move || {
            let mut status = match &*handle.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(handle) => instance::status_json(&handle.status()),
                None => json!({ "running": true, "pid": std::process::id(), "lane": null }),
            };
            status["window"] = vitals.json();
            status
        }),
        raise: Box::new(move |token| caller.call(Call::Raise(token))),
    };
    Server::start(place, answers).ok()
}

/// Shows windows and waits between them until the app ends. State outlives every window.
fn live(desktop: &mut Desktop, bell: &Bell, first_size: [f32; 2]) -> anyhow::Result<()> {
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icons/onebit-128.png"))
        .context("the built-in icon could not be read")?;
    let icon = Arc::new(icon);
    loop {
        match desktop.life.stage() {
            Stage::Ending => return Ok(()),
            Stage::Hidden => {
                bell.wait();
                while desktop.attend() {}
            }
            Stage::Shown | Stage::Leaving | Stage::Returning => {
                let size = desktop.size().unwrap_or(first_size);
                let shown = show(desktop, bell, size, &icon);
                bell.window_closed();
                desktop.leave();
                shown?;
            }
        }
    }
}

/// Shows a window until it is closed.
fn show(desktop: &mut Desktop, bell: &Bell, size: [f32; 2], icon: &Arc<IconData>) -> anyhow::Result<()> {
    if let Some(token) = desktop.take_token() {
        // New windows take it from there, and remove it.
        set_activation_token_env(ActivationToken::from_raw(token));
    }
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_app_id(APP_ID)
            .with_title("1bit Desktop")
            .with_icon(Arc::clone(icon))
            .with_inner_size(size)
            .with_min_inner_size(MIN_SIZE),
        // When the window is closed the app may go on without one.
        run_and_return: true,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "1bit Desktop",
        options,
        Box::new(move |creation| {
            desktop.enter(&creation.egui_ctx);
            desktop.raises_itself = !is_wayland(creation);
            bell.window_opened(creation.egui_ctx.clone());
            Ok(Box::new(Lent(desktop)))
        }),
    )
    .map_err(|err| {
        anyhow::anyhow!("the window could not be opened: {err}; the commands of `onebit --help` need none")
    })
}

/// Whether the window is one of a Wayland compositor, which lets no window raise itself.
fn is_wayland(creation: &eframe::CreationContext<'_>) -> bool {
    matches!(creation.display_handle().map(|handle| handle.as_raw()), Ok(RawDisplayHandle::Wayland(_)))
}

/// The desktop, lent to a window: it is still there when the window is not.
struct Lent<'a>(&'a mut Desktop);

impl eframe::App for Lent<'_> {
    fn logic(&mut self, ctx: &Context, frame: &mut eframe::Frame) {
        self.0.logic(ctx, frame);
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        self.0.ui(ui, frame);
    }

    fn on_exit(&mut self) {
        eframe::App::on_exit(self.0);
    }

    fn persist_egui_memory(&self) -> bool {
        self.0.persist_egui_memory()
    }

    fn clear_color(&self, visuals: &Visuals) -> [f32; 4] {
        self.0.clear_color(visuals)
    }
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
