//! Where pictures are taken: sizes and themes, and folders with chats that every picture begins with a copy of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use eframe::egui::{Theme, Vec2, vec2};
use onebit::autostart::Desk;
use onebit::chat::{Backend, EngineBackend};
use onebit::folders::Folders;
use onebit::logbook;
use onebit::models::{FoundModel, Origin};
use onebit::panes::settings::Places;
use onebit::settings::{self, Keeper};
use onebit::tray;
use onebit::window::{Call, Outside, Preferences};
use onebit_engine::session::EngineOptions;

use super::samples;
use crate::script::{Window, open_with};

/// Size, theme and text size of a picture.
#[derive(Debug, Clone, Copy)]
pub struct Light {
    pub size: Vec2,
    pub dark: bool,
    pub text_percent: u32,
}

impl Light {
    /// The lights that a scene is drawn in: two sizes and both themes.
    pub fn all() -> impl Iterator<Item = Self> {
        [vec2(1280.0, 800.0), vec2(900.0, 600.0)]
            .into_iter()
            .flat_map(|size| [true, false].map(|dark| Self { size, dark, text_percent: 100 }))
    }

    /// The smallest window, a large one, and the smallest and largest text.
    pub fn extremes() -> [Self; 5] {
        [
            Self { size: vec2(720.0, 480.0), dark: true, text_percent: 100 },
            Self { size: vec2(1920.0, 1200.0), dark: true, text_percent: 100 },
            Self { size: vec2(900.0, 600.0), dark: false, text_percent: 80 },
            Self { size: vec2(1280.0, 800.0), dark: false, text_percent: 200 },
            Self { size: vec2(900.0, 600.0), dark: true, text_percent: 200 },
        ]
    }

    /// Name of the picture of a scene.
    pub fn picture(self, scene: &str) -> String {
        let text = if self.text_percent == 100 { String::new() } else { format!("-{}", self.text_percent) };
        format!("{scene}-{}-{}{text}", self.size.x, if self.dark { "dark" } else { "light" })
    }

    /// Size in points, of which larger text leaves fewer.
    fn points(self) -> Vec2 {
        self.size * 100.0 / self.text_percent as f32
    }

    /// Whether lists and panels are sheets over the page.
    pub fn is_narrow(self) -> bool {
        self.points().x < 1080.0
    }
}

/// Folders that every picture begins with a copy of.
pub struct Studio {
    filled: tempfile::TempDir,
}

/// A folder of its own for one picture.
pub struct Set {
    pub light: Light,
    pub folder: tempfile::TempDir,
    filled: PathBuf,
}

impl Studio {
    /// Writes the samples and lets the starter answer in one of them.
    pub fn open() -> Self {
        let studio = Self { filled: tempfile::tempdir().unwrap() };
        samples::fill(studio.filled.path());
        let light = Light { size: vec2(1280.0, 800.0), dark: true, text_percent: 100 };
        let mut window = open(studio.filled.path(), light);
        window.until("the chat is open", |window| window.shows("Answer again"));
        window.send(samples::ASKED);
        window.until("the starter has answered", |window| {
            let shown = window.harness.state().controller.conversation();
            shown.is_some_and(|shown| shown.answer.is_none() && shown.messages.len() == 4)
        });
        drop(window);
        studio
    }

    /// A place for one picture.
    pub fn set(&self, light: Light) -> Set {
        Set { light, folder: tempfile::tempdir().unwrap(), filled: self.filled.path().to_owned() }
    }
}

impl Set {
    /// A window over the sample chats, with the starter loaded.
    pub fn open(&self) -> Window {
        for file in std::fs::read_dir(&self.filled).unwrap() {
            let file = file.unwrap();
            // The log has a folder.
            if file.file_type().unwrap().is_dir() {
                continue;
            }
            std::fs::copy(file.path(), self.folder.path().join(file.file_name())).unwrap();
        }
        let mut window = self.open_empty();
        window.until("the chat is shown", |window| {
            window.harness.state().controller.conversation().is_some_and(|shown| shown.messages.len() == 4)
        });
        window.steps(4);
        // Tokens are counted on a thread.
        window.until("the context is counted", |window| {
            window.harness.state().controller.context_use().is_some_and(|used| !used.estimated)
        });
        window
    }

    /// A window over what is in the folder, with the starter loaded.
    pub fn open_empty(&self) -> Window {
        let mut window = open(self.folder.path(), self.light);
        window.until("the starter is loaded", |window| window.shows("Model: 1bit Starter"));
        window.until("the store has answered", |window| {
            let controller = &window.harness.state().controller;
            controller.library.known || controller.saving().is_some()
        });
        window.steps(3);
        window
    }

    /// A window over another engine.
    pub fn open_over(&self, backend: Box<dyn Backend>) -> Window {
        open_over(self.folder.path(), self.light, backend, models())
    }
}

fn open(folder: &Path, light: Light) -> Window {
    let backend = EngineBackend::start(EngineOptions::default(), Arc::new(|| {}));
    open_over(folder, light, Box::new(backend), models())
}

/// A user whose home is named in the pictures; nothing is read or written there.
fn somebody() -> Folders {
    let home = |name: &str| (name == "HOME").then(|| "/home/ada".into());
    Folders::from_variables(home).expect("there is a home")
}

/// Opens a window in a light over an engine and models, with the settings of somebody and a tray.
pub fn open_over(folder: &Path, light: Light, backend: Box<dyn Backend>, models: Vec<FoundModel>) -> Window {
    let settings_file = folder.join("settings.toml");
    let theme = if light.dark { "dark" } else { "light" };
    let text = light.text_percent;
    std::fs::write(&settings_file, format!("[appearance]\ntheme = \"{theme}\"\ntext_size = {text}\n"))
        .unwrap();
    let waker: onebit::chat::Waker = Arc::new(|| {});
    let own = |variable: &str| (variable == "HOME").then(|| folder.as_os_str().to_owned());
    let own = Folders::from_variables(own).expect("the folder is absolute");
    let logbook = logbook::install(&own, log::LevelFilter::Info);
    let keeper = Keeper::start(&settings_file, Arc::clone(&waker));
    let places = Places::of(&somebody());
    let autostart = Desk::new(settings_file.with_file_name("entry.desktop"), waker);
    let preferences = Preferences::new(settings::load(&settings_file), keeper, autostart, logbook, places);
    // A tray shows the icon, so that closing asks.
    let (sender, calls) = channel();
    sender.send(Call::Tray(tray::Event::Shown(true))).expect("the receiver is held here");
    let outside = Outside { calls, ..Outside::nobody() };
    let mut window = open_with(folder, light.points(), backend, models, (preferences, outside));
    // The harness begins with its own theme, and without motion.
    let ctx = window.harness.ctx.clone();
    ctx.set_theme(if light.dark { Theme::Dark } else { Theme::Light });
    ctx.all_styles_mut(|style| style.animation_time = 0.12);
    window.steps(2);
    window
}

/// The starter's file under a name.
pub fn found(id: &str) -> FoundModel {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
    let bytes = path.metadata().expect("the starter model is in the source tree").len();
    FoundModel { id: id.to_owned(), path, origin: Origin::Data, bytes }
}

/// The starter, and a copy of it under a name as long as some are.
fn models() -> Vec<FoundModel> {
    vec![found("starter"), found("starter-copy-with-quite-a-long-name-TQ1_0")]
}
