//! Keys that work from anywhere, as the settings show them: what the desktop says about them, in words, and its dialog to change them.
//! The desktop keeps the keys, so none is chosen here.

use eframe::egui::{Align, Layout, Ui, UiBuilder, vec2};

use super::{View, card, heading};
use crate::anywhere::{Deed, End, Standing};
use crate::settings::Key;
use crate::shell::Command;
use crate::theme::{self, Text};
use crate::ui::{self, Button, Kind, Size};

/// Width of the button that changes keys, and the space beside it.
pub const CHANGE: f32 = 84.0;
/// Height of a row of the page of shortcuts.
const ROW: f32 = 44.0;

/// Whether there is anything to set: the desktop offers it, or it was turned on where one did.
pub fn is_shown(view: &View<'_>) -> bool {
    *view.anywhere != Standing::Absent || view.settings.get(Key::Anywhere).is_on()
}

/// What the row says below its help, and whether it is about a problem.
pub fn note(view: &View<'_>) -> Option<(bool, String)> {
    let on = view.settings.get(Key::Anywhere).is_on();
    let problem = |words: &str| Some((true, words.to_owned()));
    match view.anywhere {
        Standing::Absent if on => problem("This desktop keeps no keys for programs."),
        Standing::Declined if !on => {
            problem("The desktop’s dialog was cancelled. Turning this on asks again.")
        }
        Standing::Absent | Standing::Offered | Standing::Declined => None,
        Standing::Asking => {
            Some((false, "The desktop was asked. It may show a dialog of its own.".to_owned()))
        }
        Standing::Kept { keys, changes } if keys.is_empty() => {
            let place = if *changes {
                "Change shows where to choose them."
            } else {
                "The desktop’s settings have them."
            };
            Some((true, format!("No keys are chosen. {place}")))
        }
        Standing::Kept { keys, .. } => {
            let line = |deed: Deed| {
                let keys = keys.get(&deed).map_or("no keys", String::as_str);
                format!("{}: {keys}", deed.label())
            };
            Some((false, Deed::ALL.map(line).join("  ·  ")))
        }
        Standing::Refused(why) => Some((
            true,
            format!(
                "The desktop refuses: {}. Turning this off and on asks again.",
                why.trim_end_matches('.')
            ),
        )),
        Standing::Ended(End::Portal) => {
            problem("These keys do nothing: the desktop’s portal has ended. They come back with it.")
        }
        Standing::Ended(End::Session) => problem(
            "These keys do nothing: the desktop has taken them back. Turning this off and on asks again.",
        ),
    }
}

/// Whether the desktop has a dialog to change them.
pub fn can_change(view: &View<'_>) -> bool {
    matches!(view.anywhere, Standing::Kept { changes: true, .. })
}

/// The button for that dialog.
pub fn change(ui: &mut Ui, commands: &mut Vec<Command>) {
    let button = Button::new(Kind::Secondary, "Change").size(Size::Small);
    let button = ui.add(button.named("Change the keys that work from anywhere"));
    if ui::tip(button, "In the desktop’s own dialog", &[]).clicked() {
        commands.push(Command::ChangeKeysFromAnywhere);
    }
}

/// A card with the keys that the desktop keeps, for the page of shortcuts; nothing where it keeps none.
pub fn show(ui: &mut Ui, view: &View<'_>) {
    let Standing::Kept { keys, .. } = view.anywhere else { return };
    heading(ui, "From anywhere");
    card(ui, &Deed::ALL.map(|_| ROW), |ui, index, rect| {
        let tokens = theme::tokens(ui.ctx());
        let deed = Deed::ALL[index];
        let line = rect.shrink2(vec2(20.0, 0.0));
        ui.scope_builder(
            UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center)),
            |ui| {
                let keys = keys.get(&deed).map_or("No keys", String::as_str);
                ui::label(ui, Text::Body, tokens.text2, keys);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui::label(ui, Text::Body, tokens.text, deed.label());
                });
            },
        );
    });
}
