//! The personas in the inspector: take one, keep this chat's set-up as one, delete one.

use eframe::egui::{Id, Key, Ui};

use super::inspector::title;
use crate::chat::{ChatCommand, Controller};
use crate::shell::Command;
use crate::theme::icons;
use crate::ui::{self, Button, Field, IconButton, Kind, Size};

/// What stands for no persona.
const NONE: &str = "None";

/// Draws the part of the inspector; `name` is the name being typed for a new persona.
pub fn show(ui: &mut Ui, controller: &Controller, name: &mut Option<String>, commands: &mut Vec<Command>) {
    let (system, sampling, chosen) = controller.set_up_now();
    let personas = controller.personas();
    let taken = personas.iter().position(|persona| Some(persona.id) == chosen);
    let differs = match taken {
        Some(at) => personas[at].system != system || personas[at].sampling != *sampling,
        None => !system.is_empty() || !sampling.is_default(),
    };
    title(ui, "Persona", |ui| {
        if let Some(at) = taken
            && ui::tip(
                ui.add(IconButton::new(icons::TRASH, "Delete persona").side(24.0)),
                "Delete persona",
                &[],
            )
            .clicked()
        {
            commands.push(Command::InChat(ChatCommand::DeletePersona(personas[at].id)));
        }
        let save = Button::new(Kind::Ghost, "Save as…").size(Size::Small).enabled(differs && name.is_none());
        if ui.add(save).clicked() {
            *name = Some(taken.map_or_else(String::new, |at| personas[at].name.clone()));
        }
    });
    ui.add_space(8.0);
    if let Some(text) = name {
        match name_field(ui, text) {
            Typed::Name => {
                commands.push(Command::InChat(ChatCommand::SavePersona(text.clone())));
                *name = None;
            }
            Typed::Nothing => *name = None,
            Typed::Still => {}
        }
        return;
    }
    let words: Vec<&str> =
        std::iter::once(NONE).chain(personas.iter().map(|persona| persona.name.as_str())).collect();
    let width = ui.available_width();
    if let Some(clicked) = ui::select(ui, "Persona", &words, taken.map_or(0, |at| at + 1), width) {
        let id = clicked.checked_sub(1).map(|at| personas[at].id);
        commands.push(Command::InChat(ChatCommand::TakePersona(id)));
    }
}

enum Typed {
    Still,
    Nothing,
    Name,
}

fn name_field(ui: &mut Ui, text: &mut String) -> Typed {
    let id = Id::unique("persona name");
    let field = Field { id, name: "Name of the persona", height: 28.0, search: false, shortcut: &[] };
    let response = ui::text_field(ui, &field, text);
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    if !response.has_focus() && !response.lost_focus() {
        response.request_focus();
    }
    match response.lost_focus() {
        true if enter && !text.trim().is_empty() => Typed::Name,
        true if enter || escape => Typed::Nothing,
        true if text.trim().is_empty() => Typed::Nothing,
        true => Typed::Name,
        false => Typed::Still,
    }
}
