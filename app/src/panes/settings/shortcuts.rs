//! The keys of all actions, and giving them others: press Change, then the keys.

use eframe::egui::{Align, Key, Layout, Modifiers, Rect, Sense, Ui, UiBuilder, pos2, vec2};

use super::{card, heading, matches};
use crate::settings::Change;
use crate::shell::action::{ACTIONS, Binding, Section};
use crate::shell::keymap::{key_text, keycaps, keymap, pressed_key};
use crate::shell::{Action, Command};
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, IconButton, Kind, Size};

const ROW: f32 = 44.0;
/// Height of a row that says why a key was refused.
const ROW_WITH_PROBLEM: f32 = 64.0;

/// Waits for the keys of an action.
#[derive(Default)]
pub struct Capture {
    action: Option<&'static str>,
    problem: Option<String>,
    /// The pass in which it began: the key that pressed the button is not the new key.
    fresh: bool,
}

impl Capture {
    /// Whether it waits.
    pub fn is_on(&self) -> bool {
        self.action.is_some()
    }

    /// Waits no more.
    pub fn end(&mut self) {
        *self = Self::default();
    }

    /// Draws the cards of all sections, as far as `search` finds something.
    pub fn show(&mut self, ui: &mut Ui, search: &str, changed_only: bool, commands: &mut Vec<Command>) {
        self.take_key(ui, commands);
        let keys = keymap(ui.ctx());
        for section in Section::ALL {
            let actions: Vec<&'static Action> = ACTIONS
                .iter()
                .copied()
                .filter(|action| {
                    action.section == section && matches(search, &[action.label, section.title()])
                })
                .filter(|action| !changed_only || keys.is_changed(action))
                .collect();
            if actions.is_empty() {
                continue;
            }
            heading(ui, section.title());
            let height = |action: &&Action| {
                let refused = self.action == Some(action.id) && self.problem.is_some();
                if refused { ROW_WITH_PROBLEM } else { ROW }
            };
            let heights: Vec<f32> = actions.iter().map(height).collect();
            card(ui, &heights, |ui, index, rect| self.row(ui, rect, actions[index], commands));
        }
    }

    fn take_key(&mut self, ui: &Ui, commands: &mut Vec<Command>) {
        let Some(id) = self.action else { return };
        if std::mem::take(&mut self.fresh) {
            return;
        }
        let Some(key) = pressed_key(ui.ctx()) else { return };
        ui.input_mut(|input| input.events.clear());
        let plain = key.modifiers == Modifiers::NONE;
        if plain && key.logical_key == Key::Escape {
            self.end();
            return;
        }
        let clears = plain && matches!(key.logical_key, Key::Backspace | Key::Delete);
        let wanted = (!clears).then_some(key);
        let mut keys = keymap(ui.ctx()).as_ref().clone();
        let Some(action) = crate::shell::action::action(id) else { return };
        match keys.bind(action, wanted) {
            Ok(()) => {
                let text = keys.is_changed(action).then(|| key_text(wanted));
                commands.push(Command::Change(Change::Shortcut { action: id.to_owned(), keys: text }));
                self.end();
            }
            Err(refusal) => self.problem = Some(format!("{}: {refusal}", key_text(Some(key)))),
        }
    }

    fn row(&mut self, ui: &mut Ui, rect: Rect, action: &'static Action, commands: &mut Vec<Command>) {
        let tokens = theme::tokens(ui.ctx());
        let keys = keymap(ui.ctx());
        let line = rect.with_max_y(rect.top() + ROW).shrink2(vec2(20.0, 0.0));
        let capturing = self.action == Some(action.id);
        ui.scope_builder(
            UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center)),
            |ui| {
                ui.spacing_mut().item_spacing.x = 12.0;
                self.buttons(ui, action, keys.is_changed(action), commands);
                if capturing {
                    ui::label(ui, Text::Body, tokens.accent_text, "Press the keys, Backspace for none");
                } else if let Some(key) = keys.shortcut(action) {
                    let caps = keycaps(key);
                    let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
                    ui::keycaps(ui, &caps);
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.spacing_mut().item_spacing.x = 8.0;
                    ui::label(ui, Text::Body, tokens.text, action.label);
                    if keys.is_changed(action) {
                        ui::changed_dot(ui);
                    }
                });
            },
        );
        if let Some(problem) = self.problem.as_deref().filter(|_| capturing) {
            let at =
                Rect::from_min_max(pos2(line.left(), line.bottom() - 4.0), pos2(line.right(), rect.bottom()));
            ui.scope_builder(UiBuilder::new().max_rect(at).layout(Layout::right_to_left(Align::Min)), |ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                ui::label(ui, Text::Small, tokens.danger, problem);
                let (mark, _) = ui.allocate_exact_size(vec2(12.0, 16.0), Sense::hover());
                ui::icon(ui.painter(), icons::WARNING_CIRCLE, mark.center(), 14.0, tokens.danger);
            });
        }
    }

    fn buttons(&mut self, ui: &mut Ui, action: &'static Action, changed: bool, commands: &mut Vec<Command>) {
        let capturing = self.action == Some(action.id);
        if let Binding::Fixed(_) = action.binding {
            let tokens = theme::tokens(ui.ctx());
            ui::label(ui, Text::Small, tokens.text3, "Fixed");
            return;
        }
        let (word, name) = if capturing { ("Cancel", "Cancel") } else { ("Change", "Change the key of") };
        let name = format!("{name} {}", action.label);
        let button = ui.add(Button::new(Kind::Secondary, word).size(Size::Small).named(&name));
        if button.clicked() {
            let begin = !capturing;
            self.end();
            if begin {
                self.action = Some(action.id);
                self.fresh = true;
            }
        }
        if changed {
            let name = format!("Reset the key of {}", action.label);
            let reset = ui.add(IconButton::new(icons::ARROW_COUNTER_CLOCKWISE, &name).side(24.0));
            if ui::tip(reset, "Back to the default", &[]).clicked() {
                commands.push(Command::Change(Change::Shortcut { action: action.id.to_owned(), keys: None }));
            }
        }
    }
}
