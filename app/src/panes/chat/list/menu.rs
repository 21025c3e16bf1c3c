//! The menus of a chat, of a folder and of the list.

use eframe::egui::containers::menu::SubMenu;
use eframe::egui::{Popup, RectAlign, Response, ScrollArea, Ui};

use super::ListState;
use crate::chat::{Controller, ListCommand};
use crate::shell::{Command, Part};
use crate::store::{ChatHead, ChatId, Folder};
use crate::theme::icons;
use crate::transfer::Format;
use crate::ui::{self, IconButton, MenuItem, RowOutput};

/// Width of all menus.
const WIDTH: f32 = 184.0;
/// Height of an item.
const ITEM: f32 = 28.0;
/// Height that folders take before they scroll.
const FOLDERS_HEIGHT: f32 = 10.0 * ITEM;

/// The menu of a chat, under its button, if it has one, and under a right click on its row.
pub(super) fn of_chat(
    ui: &Ui,
    controller: &Controller,
    button: Option<&Response>,
    row: &Response,
    chat: &ChatHead,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let frame = ui::menu_frame(ui);
    if let Some(button) = button {
        let popup = Popup::menu(button).align(RectAlign::BOTTOM_END).frame(frame);
        popup.show(|ui| items(ui, controller, chat, state, commands));
    }
    Popup::context_menu(row).frame(frame).show(|ui| items(ui, controller, chat, state, commands));
}

fn clicked(ui: &mut Ui, glyph: char, word: &str) -> bool {
    ui.add(MenuItem::new(glyph, word).width(WIDTH)).clicked()
}

fn items(
    ui: &mut Ui,
    controller: &Controller,
    chat: &ChatHead,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let meant = state.meant(chat.id);
    if meant.len() == 1 {
        if clicked(ui, icons::PENCIL, "Rename") {
            state.rename(chat.id, &chat.title);
        }
        pin_item(ui, chat.id, chat.pinned, WIDTH, commands);
    }
    let button = ui.add(MenuItem::new(icons::FOLDER, "Move to folder").leads_on().width(WIDTH));
    SubMenu::new().show(ui, &button, |ui| folders(ui, controller, &meant, commands));
    export_items(ui, &meant, commands);
    let word = if meant.len() == 1 { "Delete".to_owned() } else { format!("Delete {} chats", meant.len()) };
    if ui.add(MenuItem::new(icons::TRASH, &word).width(WIDTH).danger()).clicked() {
        commands.push(Command::InList(ListCommand::Delete(meant)));
    }
}

/// Where chats can be moved.
fn folders(ui: &mut Ui, controller: &Controller, meant: &[ChatId], commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let library = &controller.library;
    let chats = library.chats.iter().filter(|chat| meant.contains(&chat.id));
    let mut now: Vec<_> = chats.map(|chat| library.folder_of(chat).map(|folder| folder.id)).collect();
    now.dedup();
    let scroll = ScrollArea::vertical().max_height(FOLDERS_HEIGHT);
    scroll.show_rows(ui, ITEM, library.folders.len(), |ui, rows| {
        for folder in &library.folders[rows] {
            let all_there = now == [Some(folder.id)];
            let item = MenuItem::new(icons::FOLDER, &folder.name).checked(all_there).width(WIDTH);
            let item = ui.add(item);
            if item.gained_focus() {
                item.scroll_to_me(None);
            }
            if item.clicked() {
                let there = Some(folder.id);
                commands.push(Command::InList(ListCommand::MoveTo(meant.to_vec(), there)));
            }
        }
    });
    if !library.folders.is_empty() {
        ui::menu_divider(ui, WIDTH);
    }
    if clicked(ui, icons::PLUS, "New folder…") {
        commands.push(Command::InList(ListCommand::AskFolderName(meant.to_vec())));
    }
    let filed = now.iter().any(Option::is_some);
    if filed && clicked(ui, icons::ARROW_U_UP_LEFT, "Take out of folder") {
        commands.push(Command::InList(ListCommand::MoveTo(meant.to_vec(), None)));
    }
}

/// The menu of a folder, under its button and under a right click on its row.
pub(super) fn of_folder(
    ui: &Ui,
    row: &RowOutput,
    folder: &Folder,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let frame = ui::menu_frame(ui);
    let mut items = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if clicked(ui, icons::NOTE_PENCIL, "New chat here") {
            commands.push(Command::InList(ListCommand::NewChatIn(folder.id)));
        }
        if clicked(ui, icons::PENCIL, "Rename") {
            state.rename_folder(folder.id, &folder.name);
        }
        if ui.add(MenuItem::new(icons::TRASH, "Delete folder").width(WIDTH).danger()).clicked() {
            commands.push(Command::InList(ListCommand::DeleteFolder(folder.id)));
        }
    };
    Popup::menu(&row.menu).align(RectAlign::BOTTOM_END).frame(frame).show(&mut items);
    Popup::context_menu(&row.row).frame(frame).show(&mut items);
}

/// The menu of the list.
pub(super) fn of_list(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    let button = ui.add(IconButton::new(icons::DOTS_THREE, "Menu of the list"));
    let button = ui::tip(button, "New folder, import, export, recently deleted", &[]);
    let frame = ui::menu_frame(ui);
    Popup::menu(&button).align(RectAlign::BOTTOM_END).frame(frame).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if clicked(ui, icons::FOLDER, "New folder…") {
            commands.push(Command::InList(ListCommand::AskFolderName(Vec::new())));
        }
        if clicked(ui, icons::DOWNLOAD_SIMPLE, "Import chats…") {
            commands.push(Command::InList(ListCommand::PickImport));
        }
        if clicked(ui, icons::TRASH, "Recently deleted") {
            commands.push(Command::ShowSettings(Part::Deleted));
        }
        if controller.library.chats.is_empty() {
            return;
        }
        for (glyph, word, format) in [
            (icons::UPLOAD_SIMPLE, "Export all as JSON…", Format::Json),
            (icons::FILE_TEXT, "Export all as Markdown…", Format::Markdown),
        ] {
            if clicked(ui, glyph, word) {
                commands.push(Command::InList(ListCommand::PickExport(None, format)));
            }
        }
    });
}

/// The item that pins a chat, or takes the pin away.
pub fn pin_item(ui: &mut Ui, chat: ChatId, pinned: bool, width: f32, commands: &mut Vec<Command>) {
    let (glyph, word) = if pinned { (icons::PUSH_PIN_SLASH, "Unpin") } else { (icons::PUSH_PIN, "Pin") };
    if ui.add(MenuItem::new(glyph, word).width(width)).clicked() {
        commands.push(Command::InList(ListCommand::Pin(chat, !pinned)));
    }
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
