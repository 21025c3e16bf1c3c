//! The personas: a list of them, and a form to make or change one. What is typed into the form stays until it is saved or cancelled.

use eframe::egui::{Align, Frame, Id, Layout, Margin, Rect, Stroke, Ui, UiBuilder, Vec2, vec2};

use super::{TWO_LINES, View, card, heading, line_with, two_lines};
use crate::chat::{ChatCommand, Controller};
use crate::panes::sampling::{self, Usual};
use crate::settings::MAX_SYSTEM_PROMPT_BYTES;
use crate::shell::Command;
use crate::store::{ChatSampling, Persona, PersonaId};
use crate::theme::{self, Text, icons};
use crate::ui::{self, Button, Field, IconButton, Kind, Size};

/// Height of the field for the system prompt.
const SYSTEM: f32 = 168.0;
/// Longest name, in characters.
const MAX_NAME: usize = 80;
const ABOUT: &str = "A system prompt and sampling under a name, to choose beside the message field. A chat keeps what it took when the persona \
                     changes.";

/// See the module documentation.
#[derive(Default)]
pub struct Personas {
    form: Option<Form>,
}

/// A persona being made or changed.
struct Form {
    /// As it is stored; what is not typed yet for a new one.
    persona: Persona,
    is_new: bool,
    seed: Option<String>,
    /// Whether its first field has had the keyboard.
    focused: bool,
}

impl Personas {
    /// Opens the form for a persona, or for a new one. One that is open for the same stays as it is.
    pub fn edit(&mut self, known: Option<&Persona>) {
        let same = |form: &Form| match known {
            Some(known) => form.persona.id == known.id,
            None => form.is_new,
        };
        if !self.form.as_ref().is_some_and(same) {
            let new = || Persona::new("", "", ChatSampling::default());
            let persona = known.cloned().unwrap_or_else(new);
            self.form = Some(Form { persona, is_new: known.is_none(), seed: None, focused: false });
        }
    }

    /// Draws the page.
    pub(super) fn show(&mut self, ui: &mut Ui, view: &View<'_>, commands: &mut Vec<Command>) {
        let Some(form) = &mut self.form else { return list(ui, view.controller, commands) };
        match form.show(ui, view.controller) {
            Done::Not => {}
            Done::Cancelled => self.form = None,
            Done::Saved(persona) => {
                commands.push(Command::InChat(ChatCommand::PutPersona(persona)));
                self.form = None;
            }
        }
    }
}

fn list(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    heading(ui, "Personas");
    line_with(ui, (Text::Small, tokens.text2), ABOUT, |ui| {
        if ui.add(Button::new(Kind::Primary, "New persona").icon(icons::PLUS)).clicked() {
            commands.push(Command::EditPersona(None));
        }
    });
    ui.add_space(12.0);
    let personas = controller.personas();
    if personas.is_empty() {
        let small =
            "Make one here, or keep how a chat is answered as one, in the menu beside its message field.";
        ui::empty_state(ui, icons::USERS_THREE, "No personas yet", small);
        return;
    }
    card(ui, &vec![TWO_LINES; personas.len()], |ui, index, rect| row(ui, rect, &personas[index], commands));
}

fn row(ui: &mut Ui, rect: Rect, persona: &Persona, commands: &mut Vec<Command>) {
    two_lines(ui, rect, &persona.name, &summary(persona), |ui| {
        for (glyph, word, command) in [
            (icons::TRASH, "Delete", ChatCommand::DeletePersona(persona.id)),
            (icons::COPY, "Duplicate", ChatCommand::DuplicatePersona(persona.id)),
        ] {
            let button = ui.add(IconButton::new(glyph, &format!("{word} {}", persona.name)));
            if ui::tip(button, word, &[]).clicked() {
                commands.push(Command::InChat(command));
            }
        }
        let name = format!("Edit {}", persona.name);
        let edit = Button::new(Kind::Secondary, "Edit").size(Size::Small).named(&name);
        if ui.add(edit).clicked() {
            commands.push(Command::EditPersona(Some(persona.id)));
        }
    });
}

/// What a persona does, in one line.
fn summary(persona: &Persona) -> String {
    let first = persona.system.lines().map(str::trim).find(|line| !line.is_empty());
    let mut parts = vec![first.unwrap_or("No system prompt").to_owned()];
    let own = &persona.sampling;
    parts.extend(own.temperature.map(|value| format!("temperature {value}")));
    let others = [
        own.top_k.is_some(),
        own.top_p.is_some(),
        own.min_p.is_some(),
        own.repetition_penalty.is_some(),
        own.frequency_penalty.is_some(),
        own.presence_penalty.is_some(),
        own.seed.is_some(),
        own.max_new_tokens.is_some(),
    ];
    match (others.iter().filter(|set| **set).count(), own.temperature.is_some()) {
        (0, _) => {}
        (count, true) => parts.push(format!("{count} more set")),
        (count, false) => parts.push(format!("{count} of sampling set")),
    }
    parts.join(" · ")
}

/// How far a form has come.
enum Done {
    Not,
    Cancelled,
    Saved(Persona),
}

impl Form {
    fn show(&mut self, ui: &mut Ui, controller: &Controller) -> Done {
        let tokens = theme::tokens(ui.ctx());
        heading(ui, if self.is_new { "New persona" } else { "Edit persona" });
        let fill = if tokens.dark { tokens.surface } else { tokens.bg_base };
        let frame = Frame::NONE
            .fill(fill)
            .stroke(Stroke::new(1.0, tokens.border))
            .corner_radius(theme::R4)
            .inner_margin(Margin::same(20));
        frame
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                let problem = self.fields(ui, controller);
                let usual = Usual::of(controller);
                ui.add_space(20.0);
                let sampling = sampling::show(ui, &self.persona.sampling, &usual, &mut self.seed);
                if sampling.check().is_ok() {
                    self.persona.sampling = sampling;
                }
                ui.add_space(20.0);
                self.buttons(ui, problem.is_none())
            })
            .inner
    }

    /// Name and system prompt; gives what is wrong with them.
    fn fields(&mut self, ui: &mut Ui, controller: &Controller) -> Option<String> {
        let tokens = theme::tokens(ui.ctx());
        let own = (!self.is_new).then_some(self.persona.id);
        let problem = problem(&self.persona, own, controller);
        ui::label(ui, Text::Label, tokens.text2, "Name");
        ui.add_space(4.0);
        let id = Id::unique(("persona name", self.persona.id));
        let field = Field { id, name: "Name of the persona", height: 32.0, search: false, shortcut: &[] };
        let response = ui::text_field(ui, &field, &mut self.persona.name);
        if !std::mem::replace(&mut self.focused, true) {
            response.request_focus();
        }
        // An empty name is not wrong yet, it is not there yet.
        if let Some(problem) = problem.as_ref().filter(|_| !self.persona.name.trim().is_empty()) {
            ui.add_space(4.0);
            ui::label(ui, Text::Small, tokens.danger, problem);
        }
        ui.add_space(16.0);
        ui::label(ui, Text::Label, tokens.text2, "System prompt");
        ui.add_space(4.0);
        let area = ui.allocate_space(vec2(ui.available_width(), SYSTEM)).1;
        let id = Id::unique(("persona system", self.persona.id));
        ui::text_area(ui, id, "System prompt of the persona", area, &mut self.persona.system);
        problem
    }

    fn buttons(&self, ui: &mut Ui, fits: bool) -> Done {
        let line = ui.allocate_space(vec2(ui.available_width(), 28.0)).1;
        let builder = UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center));
        ui.scope_builder(builder, |ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            if ui.add(Button::new(Kind::Primary, "Save").enabled(fits)).clicked() {
                let name = self.persona.name.trim().to_owned();
                return Done::Saved(Persona { name, ..self.persona.clone() });
            }
            if ui.add(Button::new(Kind::Secondary, "Cancel")).clicked() { Done::Cancelled } else { Done::Not }
        })
        .inner
    }
}

/// Why a persona cannot be saved as it is.
fn problem(persona: &Persona, own: Option<PersonaId>, controller: &Controller) -> Option<String> {
    let name = persona.name.trim();
    if name.is_empty() {
        return Some("A persona needs a name.".to_owned());
    }
    if name.chars().count() > MAX_NAME {
        return Some(format!("A name has at most {MAX_NAME} characters."));
    }
    if !controller.persona_name_is_free(name, own) {
        return Some("Another persona has this name.".to_owned());
    }
    let most = MAX_SYSTEM_PROMPT_BYTES >> 10;
    (persona.system.len() > MAX_SYSTEM_PROMPT_BYTES)
        .then(|| format!("The system prompt is too long: at most {most} KiB."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persona_is_summed_up_in_one_line() {
        let mut persona = Persona::new("Poet", "\n Rhyme.\nAlways.", ChatSampling::default());
        assert_eq!(summary(&persona), "Rhyme.");
        persona.sampling.temperature = Some(0.2);
        assert_eq!(summary(&persona), "Rhyme. · temperature 0.2");
        persona.sampling.top_k = Some(20);
        assert_eq!(summary(&persona), "Rhyme. · temperature 0.2 · 1 more set");
        persona.sampling.temperature = None;
        persona.system.clear();
        assert_eq!(summary(&persona), "No system prompt · 1 of sampling set");
    }
}
