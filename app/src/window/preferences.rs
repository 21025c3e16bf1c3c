//! The settings of the running window: holds the values in force, keeps the file, and hands every value to the part it is for.

use std::io;
use std::sync::Arc;

use eframe::egui::Context;

use super::opener::Opener;
use crate::autostart;
use crate::chat::{Controller, Notice, Severity, Waker};
use crate::folders::Folders;
use crate::logbook::{self, Logbook};
use crate::panes::settings::Places;
use crate::portal::Wishes;
use crate::settings::{self, Change, Keeper, Key, Loaded, Problem, Said, Settings};
use crate::shell::action::action;
use crate::shell::keymap::{Keymap, parse_key};
use crate::theme::{self, Look};

/// Settings, their file, and the log.
pub struct Preferences {
    /// The values in force.
    pub settings: Settings,
    /// The log of this process.
    pub logbook: &'static Logbook,
    /// Files and folders that can be opened.
    pub places: Places,
    pub(super) opener: Opener,
    keeper: Option<Keeper>,
    problems: Vec<Problem>,
    focused: bool,
    /// What the desktop wishes, for what is set to follow it.
    wishes: Wishes,
    autostart: autostart::Desk,
    /// Whether it was asked how that is.
    looked: bool,
}

impl Preferences {
    /// Reads the settings of a user, waiting for the disk, and starts to keep them. A thread that cannot be started leaves the
    /// settings in memory.
    pub fn open(folders: &Folders, logbook: &'static Logbook, waker: Waker) -> Self {
        let path = settings::path(folders);
        let loaded = settings::load(&path);
        let keeper = Keeper::start(&path, Arc::clone(&waker));
        let autostart = autostart::Desk::new(autostart::path(folders), waker);
        Self::new(loaded, keeper, autostart, logbook, Places::of(folders))
    }

    /// Joins what was loaded with what keeps it.
    pub fn new(
        loaded: Loaded,
        keeper: io::Result<Keeper>,
        autostart: autostart::Desk,
        logbook: &'static Logbook,
        places: Places,
    ) -> Self {
        if let Err(err) = &keeper {
            log::error!("settings are not kept: {err}");
        }
        let Loaded { settings, problems, .. } = loaded;
        let opener = Opener::default();
        let wishes = Wishes::default();
        let (keeper, focused, looked) = (keeper.ok(), true, false);
        Self { settings, logbook, places, opener, keeper, problems, focused, wishes, autostart, looked }
    }

    /// Hands the values to a window that has just been opened.
    pub fn enter(&self, ctx: &Context) {
        self.apply(ctx);
    }

    /// Takes what the desktop wishes.
    pub fn desktop_wishes(&mut self, ctx: &Context, wishes: Wishes) {
        self.wishes = wishes;
        self.apply(ctx);
    }

    /// Changes a value, applies and keeps it. What the table refuses never comes here from a pane.
    pub fn change(&mut self, ctx: &Context, controller: &mut Controller, change: Change) {
        let before = self.settings.clone();
        if let Err(expected) = self.settings.apply(&change) {
            log::error!("a setting was refused: expected {expected}");
            return;
        }
        self.start_with_desktop(&before);
        self.hand_out(ctx, controller);
        if let Some(keeper) = &self.keeper {
            keeper.change(change);
        }
    }

    /// Takes what the keeper said, looks at the file when the window gets the focus, and tells what could not be used.
    pub fn attend(&mut self, ctx: &Context, controller: &mut Controller) {
        let focused = ctx.input(|input| input.focused);
        if focused
            && !std::mem::replace(&mut self.focused, focused)
            && let Some(keeper) = &self.keeper
        {
            keeper.look();
        }
        self.focused = focused;
        while let Some(said) = self.keeper.as_ref().and_then(Keeper::try_next) {
            match said {
                Said::Reread(loaded) => {
                    let before = std::mem::replace(&mut self.settings, loaded.settings);
                    self.problems = loaded.problems;
                    self.start_with_desktop(&before);
                    self.hand_out(ctx, controller);
                }
                Said::Saved { aside: None } => {}
                Said::Saved { aside: Some(aside) } => controller.notify(Notice {
                    severity: Severity::Info,
                    title: "The settings file was set aside".to_owned(),
                    detail: format!("It could not be edited and is kept as {}.", aside.display()),
                    undo: None,
                }),
                Said::Failed(problem) => controller.notify(Notice {
                    severity: Severity::Problem,
                    title: "Settings are not being saved".to_owned(),
                    detail: format!(
                        "{problem}. They are in force until the program ends; the next change tries again."
                    ),
                    undo: None,
                }),
            }
        }
        self.take_autostart(controller);
        if !self.problems.is_empty() {
            controller.notify(self.problem_notice());
        }
        while let Some(problem) = self.opener.try_next() {
            controller.notify(Notice {
                severity: Severity::Warning,
                title: "This could not be opened".to_owned(),
                detail: problem,
                undo: None,
            });
        }
    }

    /// Has the desktop start the program, or not any more, where that has changed.
    fn start_with_desktop(&mut self, before: &Settings) {
        let wanted = self.settings.get(Key::Autostart).is_on();
        if before.get(Key::Autostart).is_on() != wanted {
            self.autostart.set(wanted);
        }
    }

    /// Takes what the desktop will really do at the next login: that is what the setting says from then on.
    fn take_autostart(&mut self, controller: &mut Controller) {
        if !std::mem::replace(&mut self.looked, true) {
            self.autostart.look();
        }
        let Some(said) = self.autostart.try_next() else { return };
        let differs = said.on.filter(|on| *on != self.settings.get(Key::Autostart).is_on());
        if let Some(problem) = &said.problem {
            log::warn!("start with the desktop: {problem}");
            let title = "Start with the desktop could not be changed";
            controller.notify(Notice::new(Severity::Problem, title, problem));
        } else if let Some(on) = differs {
            let word = if on { "on" } else { "off" };
            let detail = format!("The desktop’s own settings turned it {word}.");
            controller.notify(Notice::new(
                Severity::Info,
                &format!("Start with the desktop is {word}"),
                &detail,
            ));
        }
        if let Some(on) = differs {
            let change = Change::set(Key::Autostart, on);
            // A switch takes both values.
            let _ = self.settings.apply(&change);
            if let Some(keeper) = &self.keeper {
                keeper.change(change);
            }
        }
    }

    fn problem_notice(&mut self) -> Notice {
        let problems = std::mem::take(&mut self.problems);
        for problem in &problems {
            log::warn!("settings.toml: {problem}");
        }
        let mut lines: Vec<String> = problems.iter().take(3).map(ToString::to_string).collect();
        if problems.len() > lines.len() {
            lines.push(format!("and {} more, see the log", problems.len() - lines.len()));
        }
        let file = self.keeper.as_ref().map(|keeper| keeper.path().display().to_string()).unwrap_or_default();
        Notice {
            severity: Severity::Warning,
            title: "Some settings could not be used".to_owned(),
            detail: format!("{file}: {}. The defaults are used instead.", lines.join("; ")),
            undo: None,
        }
    }

    fn hand_out(&self, ctx: &Context, controller: &mut Controller) {
        controller.set_settings(&self.settings);
        self.apply(ctx);
    }

    fn apply(&self, ctx: &Context) {
        let settings = &self.settings;
        theme::apply(
            ctx,
            Look {
                appearance: settings.appearance(),
                desktop_is_dark: self.wishes.dark,
                zoom: settings.zoom(),
                reduced_motion: settings.reduced_motion(self.wishes.reduced_motion),
            },
        );
        keymap_of(settings).install(ctx);
        let level = settings.get(Key::LogLevel).text();
        self.logbook.set_level(logbook::level_named(level));
    }
}

/// The keys of the settings. One that is taken or cannot be used is left out and logged: the action keeps its own key.
fn keymap_of(settings: &Settings) -> Keymap {
    let mut keymap = Keymap::default();
    let mut wanted: Vec<_> = settings.shortcuts().collect();
    // Keys are given back before they are given to others.
    wanted.sort_by_key(|(_, keys)| !keys.is_empty());
    for _ in 0..2 {
        wanted.retain(|(id, keys)| {
            let (Some(action), Some(key)) = (action(id), parse_key(keys)) else { return false };
            keymap.bind(action, key).is_err()
        });
    }
    for (id, keys) in wanted {
        log::warn!("settings.toml: shortcuts.{id}: {keys} cannot be used");
    }
    keymap
}

/// A log and settings in memory alone, with a keeper for `path`, for windows of tests.
pub fn for_tests(path: &std::path::Path, waker: Waker) -> Preferences {
    let logbook: &'static Logbook = Box::leak(Box::new(Logbook::in_memory()));
    let places = Places { settings: path.to_owned(), ..Places::default() };
    let keeper = Keeper::start(path, Arc::clone(&waker));
    let autostart = autostart::Desk::new(path.with_file_name("autostart").join("entry.desktop"), waker);
    Preferences::new(settings::load(path), keeper, autostart, logbook, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::action;
    use crate::shell::keymap::key_text;

    #[test]
    fn two_actions_can_swap_their_keys_in_the_file() {
        let mut settings = Settings::default();
        for (action, keys) in [("chat.new", "Ctrl+F"), ("window.search", "Ctrl+N"), ("chat.write", "Ctrl+K")]
        {
            let change = Change::Shortcut { action: action.to_owned(), keys: Some(keys.to_owned()) };
            settings.apply(&change).unwrap();
        }
        let keymap = keymap_of(&settings);
        // The palette has Ctrl+K and keeps it.
        assert_eq!(key_text(keymap.shortcut(&action::WRITE_MESSAGE)), "Ctrl+L");
        assert_eq!(key_text(keymap.shortcut(&action::PALETTE)), "Ctrl+K");
    }
}
