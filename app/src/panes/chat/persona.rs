//! The persona of this chat, in the composer: its name, and a menu to take another, to keep how this chat is answered as one, and to
//! the page where they are edited.

use eframe::egui::{Id, Popup, Pos2, RectAlign, Ui};

use crate::chat::{ChatCommand, Controller};
use crate::shell::{Command, Part};
use crate::theme::icons;
use crate::ui::{self, Chooser, MenuItem};

/// What stands for no persona.
const NONE: &str = "No persona";
/// Width of the menu.
const WIDTH: f32 = 260.0;

/// Draws the chooser at `at`, with a name of at most `room`.
pub fn show(ui: &Ui, at: Pos2, room: f32, controller: &Controller, commands: &mut Vec<Command>) {
    let word = controller.persona().map_or(NONE, |persona| &persona.name);
    let id = Id::unique("persona picker");
    let chooser = Chooser { id, glyph: icons::USER_CIRCLE, name: "Persona", word, is_file: false };
    let button = chooser.show(ui, at, room);
    let popup = Popup::menu(&button).align(RectAlign::TOP_START).frame(ui::menu_frame(ui)).gap(6.0);
    popup.show(|ui| menu(ui, controller, commands));
}

fn menu(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let chosen = controller.persona().map(|persona| persona.id);
    let none = ui.add(MenuItem::new(icons::MINUS, NONE).checked(chosen.is_none()).width(WIDTH));
    let mut taken = none.clicked().then_some(None);
    for persona in controller.personas() {
        let is_chosen = chosen == Some(persona.id);
        let note = if is_chosen && controller.differs_from_persona() { "changed here" } else { "" };
        let item = MenuItem::new(icons::USER_CIRCLE, &persona.name).checked(is_chosen).note(note);
        let item = ui.add(item.width(WIDTH));
        let item = if persona.system.is_empty() { item } else { item.on_hover_text(&persona.system) };
        if item.clicked() {
            taken = Some(Some(persona.id));
        }
    }
    commands.extend(taken.map(|id| Command::InChat(ChatCommand::TakePersona(id))));
    ui::menu_divider(ui, WIDTH);
    if controller.differs_from_persona()
        && ui.add(MenuItem::new(icons::FLOPPY_DISK, "Save as a persona…").width(WIDTH)).clicked()
    {
        commands.push(Command::AskPersonaName);
    }
    if ui.add(MenuItem::new(icons::USERS_THREE, "Manage personas…").width(WIDTH)).clicked() {
        commands.push(Command::ShowSettings(Part::Personas));
    }
}
