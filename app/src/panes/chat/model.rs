//! The model that answers next, in the composer: its name, and a menu of those there are.

use eframe::egui::{Id, Popup, Pos2, Rect, RectAlign, Ui};

use crate::chat::{Controller, label};
use crate::shell::{Command, words};
use crate::theme::icons;
use crate::ui::{self, Chooser, MenuItem};

/// Width of the menu.
const WIDTH: f32 = 300.0;

/// Draws the chooser at `at`, with a name of at most `room`; gives where it is.
pub fn show(ui: &Ui, at: Pos2, room: f32, controller: &Controller, commands: &mut Vec<Command>) -> Rect {
    let word = word_of(controller);
    let id = Id::unique("model picker");
    let chooser = Chooser { id, glyph: icons::CUBE, name: "Model", word: &word, is_file: true };
    let button = chooser.show(ui, at, room);
    let popup = Popup::menu(&button).align(RectAlign::TOP_START).frame(ui::menu_frame(ui)).gap(6.0);
    popup.show(|ui| menu(ui, controller, commands));
    button.rect
}

fn word_of(controller: &Controller) -> String {
    if let Some(choice) = controller.next_model() {
        return format!("{}, not loaded", choice.label());
    }
    if let Some(loading) = &controller.shelf.loading {
        let part = loading.done_bytes as f64 / loading.total_bytes.max(1) as f64;
        let done =
            if loading.total_bytes > 0 { format!(", {}", words::percent(part)) } else { String::new() };
        return format!("Loading {}{done}", loading.choice.label());
    }
    controller.model().map_or_else(|| "Choose a model".to_owned(), |model| label(&model.id).to_owned())
}

fn menu(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let resident = controller.engine_status().map(|status| status.models.as_slice()).unwrap_or_default();
    let chosen = controller.shelf.chosen.as_deref();
    let next = controller.next_model().map(|choice| choice.id.as_str());
    for choice in &controller.shelf.choices {
        let loaded = resident.iter().any(|model| model.id == choice.id);
        let note = if loaded {
            "loaded".to_owned()
        } else if choice.bytes > 0 {
            words::bytes(choice.bytes)
        } else {
            String::new()
        };
        let is_chosen = next.or(chosen) == Some(choice.id.as_str());
        let item =
            MenuItem::new(icons::CUBE, choice.label()).file().checked(is_chosen).note(&note).width(WIDTH);
        let item = ui.add(item).on_hover_text(choice.path.to_string_lossy());
        if item.clicked() && !is_chosen {
            commands.push(Command::ChooseModel(choice.clone()));
        }
    }
    if !controller.shelf.choices.is_empty() {
        ui::menu_divider(ui, WIDTH);
    }
    if ui.add(MenuItem::new(icons::FOLDER_OPEN, "Open file…").width(WIDTH)).clicked() {
        commands.push(Command::PickModelFile);
    }
    for model in resident.iter().filter(|model| Some(model.id.as_str()) != chosen) {
        let word = format!("Unload {}", label(&model.id));
        let note = words::bytes(model.weight_bytes);
        if ui.add(MenuItem::new(icons::EJECT, &word).file().note(&note).width(WIDTH)).clicked() {
            commands.push(Command::UnloadModel(model.id.clone()));
        }
    }
}
