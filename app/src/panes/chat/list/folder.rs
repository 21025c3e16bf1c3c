//! The row of a folder, its menu and its keys, and the button that makes one.

use eframe::egui::{Id, Key, Pos2, Rect, Ui, UiBuilder, Vec2, vec2};

use super::plan::Item;
use super::rows::{INDENT, Place, keys, pressed};
use super::{ListState, menu, naming};
use crate::chat::{Controller, ListCommand};
use crate::shell::Command;
use crate::store::{Folder, FolderId};
use crate::theme::{self, icons};
use crate::ui::{self, FolderRow, IconButton};

/// The button at the right of the title over the folders.
pub(super) fn new_button(ui: &Ui, centre: Pos2, commands: &mut Vec<Command>) {
    let rect = Rect::from_center_size(centre, Vec2::splat(24.0));
    let button = IconButton::new(icons::PLUS, "New folder").quiet();
    let button = button.put_as(ui, rect, Id::unique("new folder"));
    if ui::tip(button, "New folder…", &[]).clicked() {
        commands.push(Command::InList(ListCommand::AskFolderName(Vec::new())));
    }
}

/// Draws the row of the folder at this place; `target` says whether what is dragged would be dropped into it.
pub(super) fn show(ui: &mut Ui, at: &mut Place<'_>, place: usize, target: bool, state: &mut ListState) {
    let tokens = theme::tokens(ui.ctx());
    let (controller, rect) = (at.controller, at.rect);
    let library = &controller.library;
    let folder = &library.folders[place];
    if state.names(Item::Folder(folder.id)) {
        ui::icon(ui.painter(), icons::FOLDER, rect.left_center() + vec2(16.0, 0.0), 16.0, tokens.text2);
        let rect = Rect::from_min_max(rect.min + vec2(INDENT, 0.0), rect.max);
        naming::field(ui, rect, controller, state, at.commands);
        return;
    }
    let open = library.is_open(folder.id);
    let count = library.inside(place).len();
    let busy = !open && controller.is_writing_in(folder.id);
    let menu_name = format!("Menu of the folder {}", folder.name);
    let row = FolderRow {
        id: Id::unique(("folder row", folder.id.0)),
        text: &folder.name,
        name: &name(folder, count, busy),
        count: &count.to_string(),
        open,
        selected: is_selected(controller, folder.id, open),
        busy,
        target,
        menu_name: &menu_name,
    };
    let output = ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| row.show(ui)).inner;
    let show = |open| Command::InList(ListCommand::ShowFolder(folder.id, open));
    if output.chosen() {
        at.commands.push(show(!open));
    }
    menu::of_folder(ui, &output, folder, state, at.commands);
    if !keys(ui, &output.row, Item::Folder(folder.id), at.beside, state, at.commands) {
        return;
    }
    if pressed(ui, Key::Delete) {
        state.go_to = at.beside[1].or(at.beside[0]);
        at.commands.push(Command::InList(ListCommand::DeleteFolder(folder.id)));
    }
    if pressed(ui, Key::ArrowLeft) && open {
        at.commands.push(show(false));
    }
    if pressed(ui, Key::ArrowRight) {
        match library.inside(place).first() {
            _ if !open => at.commands.push(show(true)),
            Some(first) => state.go_to = Some(Item::Chat(library.chats[*first].id)),
            None => {}
        }
    }
}

/// Whether the chat shown is in a folder that hides it, or the one that the next message begins will be in the folder.
fn is_selected(controller: &Controller, folder: FolderId, open: bool) -> bool {
    let is_new = controller.open_id().is_none();
    controller.folder_shown() == Some(folder) && (is_new || !open)
}

fn name(folder: &Folder, count: usize, busy: bool) -> String {
    let chats = match count {
        0 => "no chats".to_owned(),
        1 => "1 chat".to_owned(),
        count => format!("{count} chats"),
    };
    let busy = if busy { ", writing" } else { "" };
    format!("{}, {chats}{busy}", folder.name)
}
