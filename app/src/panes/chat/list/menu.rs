//! The menus of a chat and of the list.

use eframe::egui::{Popup, RectAlign, Response, Ui};

use super::ListState;
use crate::chat::{Controller, ListCommand};
use crate::shell::{Command, Part};
use crate::store::{ChatHead, ChatId};
use crate::theme::icons;
use crate::transfer::Format;
use crate::ui::{self, IconButton, MenuItem};

/// Width of both menus.
const WIDTH: f32 = 184.0;

/// The menu of a chat, under its button, if it has one, and under a right click on its row.
pub(super) fn of_chat(
    ui: &Ui,
    button: Option<&Response>,
    row: &Response,
    chat: &ChatHead,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let frame = ui::menu_frame(ui);
    if let Some(button) = button {
        let popup = Popup::menu(button).align(RectAlign::BOTTOM_END).frame(frame);
        popup.show(|ui| items(ui, chat, state, commands));
    }
    Popup::context_menu(row).frame(frame).show(|ui| items(ui, chat, state, commands));
}

fn items(ui: &mut Ui, chat: &ChatHead, state: &mut ListState, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let meant = state.meant(chat.id);
    let clicked = |ui: &mut Ui, glyph, word: &str| ui.add(MenuItem::new(glyph, word).width(WIDTH)).clicked();
    if meant.len() == 1 {
        if clicked(ui, icons::PENCIL, "Rename") {
            state.rename(chat.id, &chat.title);
        }
        let (glyph, word) =
            if chat.pinned { (icons::PUSH_PIN_SLASH, "Unpin") } else { (icons::PUSH_PIN, "Pin") };
        if clicked(ui, glyph, word) {
            commands.push(Command::InList(ListCommand::Pin(chat.id, !chat.pinned)));
        }
    }
    export_items(ui, &meant, commands);
    let word = if meant.len() == 1 { "Delete".to_owned() } else { format!("Delete {} chats", meant.len()) };
    if ui.add(MenuItem::new(icons::TRASH, &word).width(WIDTH).danger()).clicked() {
        commands.push(Command::InList(ListCommand::Delete(meant)));
    }
}

/// The menu of the list.
pub(super) fn of_list(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    let button = ui.add(IconButton::new(icons::DOTS_THREE, "Menu of the list"));
    let button = ui::tip(button, "Import, export, recently deleted", &[]);
    let frame = ui::menu_frame(ui);
    Popup::menu(&button).align(RectAlign::BOTTOM_END).frame(frame).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if ui.add(MenuItem::new(icons::DOWNLOAD_SIMPLE, "Import chats…").width(WIDTH)).clicked() {
            commands.push(Command::InList(ListCommand::PickImport));
        }
        if ui.add(MenuItem::new(icons::TRASH, "Recently deleted").width(WIDTH)).clicked() {
            commands.push(Command::ShowSettings(Part::Deleted));
        }
        if controller.library.chats.is_empty() {
            return;
        }
        for (glyph, word, format) in [
            (icons::UPLOAD_SIMPLE, "Export all as JSON…", Format::Json),
            (icons::FILE_TEXT, "Export all as Markdown…", Format::Markdown),
        ] {
            if ui.add(MenuItem::new(glyph, word).width(WIDTH)).clicked() {
                commands.push(Command::InList(ListCommand::PickExport(None, format)));
            }
        }
    });
}

/// The items that export chats.
pub fn export_items(ui: &mut Ui, chats: &[ChatId], commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    for (glyph, word, format) in [
        (icons::UPLOAD_SIMPLE, "Export as JSON…", Format::Json),
        (icons::FILE_TEXT, "Export as Markdown…", Format::Markdown),
    ] {
        if ui.add(MenuItem::new(glyph, word).width(WIDTH)).clicked() {
            commands.push(Command::InList(ListCommand::PickExport(Some(chats.to_vec()), format)));
        }
    }
}
