//! Keys that work from anywhere, as the app uses them: asks the desktop for them as the setting says, and does what a pressed one means,
//! with a window or without one.

use std::time::Duration;

use eframe::egui::ViewportCommand;

use super::desktop::Desktop;
use super::life::Stage;
use crate::anywhere::{Ask, Deed, Event, Standing};
use crate::chat::{Notice, Severity};
use crate::settings::{Change, Key};
use crate::shell::Command;

/// Some desktops take the keyboard from the window for as long as such a key is held.
const HELD: Duration = Duration::from_millis(300);

/// How it stands, and what was asked for last.
#[derive(Default)]
pub(super) struct Anywhere {
    pub standing: Standing,
    wanted: bool,
}

impl Desktop {
    /// Asks for what the setting says, where that has changed.
    pub(super) fn ask_for_keys(&mut self) {
        let wanted = self.preferences.settings.get(Key::Anywhere).is_on();
        if std::mem::replace(&mut self.anywhere.wanted, wanted) != wanted {
            (self.outside.anywhere)(if wanted { Ask::On } else { Ask::Off });
        }
    }

    pub(super) fn take_anywhere(&mut self, event: Event) {
        match event {
            Event::Standing(standing) => {
                let declined = standing == Standing::Declined;
                self.anywhere.standing = standing;
                // The setting says what is true.
                if declined && self.preferences.settings.get(Key::Anywhere).is_on() {
                    self.act_outside(Command::Change(Change::set(Key::Anywhere, false)));
                }
            }
            Event::Pressed { deed: Deed::Window, .. } if self.is_in_front() => self.put_away(),
            Event::Pressed { deed: Deed::Window, token } => self.show_window(token),
            Event::Pressed { deed: Deed::NewChat, token } => {
                self.act_outside(Command::NewChat);
                self.show_window(token);
            }
            Event::Unchanged(why) => {
                let title = "The desktop’s dialog could not be opened";
                self.controller.notify(Notice::new(Severity::Problem, title, &why));
            }
        }
    }

    /// Hides the window where the tray can bring it back, and makes it small elsewhere.
    fn put_away(&mut self) {
        if self.life.has_tray() {
            self.hide_window();
        } else {
            self.ctx.send_viewport_cmd(ViewportCommand::Minimized(true));
            self.ctx.request_repaint();
        }
    }

    /// Whether the window had the keyboard when the key was pressed.
    fn is_in_front(&self) -> bool {
        let just_lost = self.unfocused.is_some_and(|at| at.elapsed() < HELD);
        self.life.stage() == Stage::Shown && (self.focused || just_lost)
    }

    /// What lets the next window come to the front, once.
    pub(super) fn take_token(&mut self) -> Option<String> {
        self.token.take()
    }
}
