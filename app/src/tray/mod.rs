//! The icon in the desktop's tray: a StatusNotifierItem with a menu, over D-Bus, on threads of its own. It shows a [`Face`] and
//! reports what was pressed and whether a tray shows it at all; it knows no window, no engine and no chat.
//!
//! `menu` says what the menu holds and `icon` draws; `item` and `dbusmenu` put both on the bus; `host` registers them with the
//! desktop's watcher and looks whether a tray is there.

mod dbusmenu;
mod host;
mod icon;
mod item;
mod menu;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_lite::future::block_on;
use zbus::Connection;
use zbus::object_server::SignalEmitter;

use crate::bus;
use dbusmenu::DbusMenu;
use item::Item;
use menu::Entry;

/// What the icon says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Nothing runs.
    #[default]
    Idle,
    /// An answer is being written, or a model loaded.
    Working,
    /// Something needs the user.
    Problem,
}

/// A model in the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What is reported when it is chosen.
    pub id: String,
    /// Its name.
    pub label: String,
}

/// A place where models can run, in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// What is reported when it is chosen.
    pub name: &'static str,
    /// What it is called.
    pub word: &'static str,
    /// Whether it is the chosen one.
    pub chosen: bool,
}

/// What icon, tooltip and menu show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Face {
    /// The icon.
    pub mood: Mood,
    /// One line: the model and what happens.
    pub words: String,
    /// Whether a window is open.
    pub window: bool,
    /// Whether an answer can be stopped.
    pub writing: bool,
    /// The models to choose from.
    pub models: Vec<Model>,
    /// Which of them answers.
    pub chosen: Option<usize>,
    /// Where models run, once the engine does.
    pub lane: Option<String>,
    /// Where they could run.
    pub lanes: Vec<Lane>,
}

/// Something in the menu, or the icon itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    /// Open the window, or bring it to the front.
    Show,
    /// Take the window away.
    Hide,
    /// Begin a chat.
    NewChat,
    /// Let this model answer.
    Model(String),
    /// Run models there.
    Lane(String),
    /// Show the settings.
    Settings,
    /// Stop what is being written.
    Stop,
    /// End the app.
    Quit,
}

/// What the tray reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Lets the window come to the front that the next press asks for.
    Token(String),
    /// The user pressed something.
    Pressed(Press),
    /// Whether a tray shows the icon. Before the first report: no.
    Shown(bool),
    /// There will be no tray, and why.
    Absent(String),
}

/// Called from threads of the tray; must not wait.
pub type Report = Arc<dyn Fn(Event) + Send + Sync>;

/// The icon. It goes when the process does.
pub struct Tray {
    faces: Sender<Face>,
}

/// What the bus reads: the face, and the menu made from it.
struct Shown {
    face: Face,
    menu: Vec<Entry>,
    /// Rises with every change of the menu.
    revision: u32,
}

/// Shared by the interfaces on the bus and the thread that changes the face.
#[derive(Clone)]
struct State {
    shown: Arc<Mutex<Shown>>,
    report: Report,
}

impl State {
    fn new(report: Report) -> Self {
        let face = Face::default();
        let menu = menu::entries(&face);
        Self { shown: Arc::new(Mutex::new(Shown { face, menu, revision: 1 })), report }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // A face is replaced as a whole, so a poisoned lock is still good.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self, token: &str) {
        if let Some(token) = bus::activation_token(token) {
            (self.report)(Event::Token(token));
        }
    }

    fn press(&self, press: Press) {
        (self.report)(Event::Pressed(press));
    }
}

impl Tray {
    /// Begins to look for the session bus and a tray; returns at once.
    pub fn start(report: Report) -> Self {
        let (faces, wanted) = channel();
        let told = Arc::clone(&report);
        let spawned = std::thread::Builder::new().name("tray".to_owned()).spawn(move || {
            if let Err(err) = serve(&wanted, &report) {
                report(Event::Absent(err.to_string()));
            }
        });
        if let Err(err) = spawned {
            told(Event::Absent(format!("its thread could not be started: {err}")));
        }
        Self { faces }
    }

    /// Shows a face; never waits for the bus.
    pub fn show(&self, face: Face) {
        // Without a session bus nobody looks.
        drop(self.faces.send(face));
    }
}

/// Body of the thread `tray`.
fn serve(wanted: &Receiver<Face>, report: &Report) -> zbus::Result<()> {
    let state = State::new(Arc::clone(report));
    let connection = block_on(host::connect(&state))?;
    let watched = connection.clone();
    let report = Arc::clone(report);
    std::thread::Builder::new()
        .name("tray-host".to_owned())
        .spawn(move || block_on(host::watch(&watched, &report)))
        .map_err(|err| zbus::Error::InputOutput(Arc::new(err)))?;
    while let Ok(mut face) = wanted.recv() {
        // Only the newest matters.
        while let Ok(newer) = wanted.try_recv() {
            face = newer;
        }
        // The bus may be gone, which the thread `tray-host` reports.
        drop(block_on(put(&connection, &state, face)));
    }
    Ok(())
}

/// Changes what is shown and says so on the bus.
async fn put(connection: &Connection, state: &State, face: Face) -> zbus::Result<()> {
    let menu = menu::entries(&face);
    let (mood_changed, words_changed, new_revision) = {
        let mut shown = state.lock();
        let changed = (shown.face.mood != face.mood, shown.face.words != face.words);
        let menu_changed = shown.menu != menu;
        shown.face = face;
        if menu_changed {
            shown.menu = menu;
            shown.revision = shown.revision.wrapping_add(1);
        }
        (changed.0, changed.1, menu_changed.then_some(shown.revision))
    };
    let item = SignalEmitter::new(connection, item::PATH)?;
    if mood_changed {
        Item::new_icon(&item).await?;
    }
    if words_changed {
        Item::new_tool_tip(&item).await?;
    }
    if let Some(revision) = new_revision {
        DbusMenu::layout_updated(&SignalEmitter::new(connection, dbusmenu::PATH)?, revision, menu::ROOT)
            .await?;
    }
    Ok(())
}
