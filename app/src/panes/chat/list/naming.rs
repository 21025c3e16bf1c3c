//! A title or a name typed in its row: Enter and leaving it take it, Esc leaves it as it was. A name that a folder cannot have is refused
//! with the reason.

use eframe::egui::{Area, Frame, Id, Key, Order, Rect, Stroke, Ui, UiBuilder, Vec2, vec2};

use super::ListState;
use super::plan::Item;
use crate::chat::{Controller, ListCommand};
use crate::shell::Command;
use crate::store::{ChatId, FolderId};
use crate::theme::{self, Text};
use crate::ui;

/// What is being typed.
pub(super) struct Naming {
    pub item: Item,
    text: String,
    /// Whether the field has had the keyboard yet.
    focused: bool,
}

impl ListState {
    /// Begins to rename a chat in its row.
    pub fn rename(&mut self, chat: ChatId, title: &str) {
        self.naming = Some(Naming { item: Item::Chat(chat), text: title.to_owned(), focused: false });
    }

    /// Begins to rename a folder in its row.
    pub fn rename_folder(&mut self, folder: FolderId, name: &str) {
        self.naming = Some(Naming { item: Item::Folder(folder), text: name.to_owned(), focused: false });
    }

    /// Whether the title or name of this is being typed.
    pub(super) fn names(&self, item: Item) -> bool {
        self.naming.as_ref().is_some_and(|naming| naming.item == item)
    }
}

/// Draws the field in place of the row.
pub(super) fn field(
    ui: &mut Ui,
    rect: Rect,
    controller: &Controller,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let Some(naming) = &mut state.naming else { return };
    let item = naming.item;
    let (id, name) = match item {
        Item::Chat(chat) => (Id::unique(("rename chat", chat.0)), "Title"),
        Item::Folder(folder) => (Id::unique(("rename folder", folder.0)), "Name of the folder"),
    };
    let field = ui::Field { id, name, height: 28.0, search: false, shortcut: &[] };
    let inner = rect.shrink2(vec2(0.0, 2.0));
    let response = ui
        .scope_builder(UiBuilder::new().max_rect(inner), |ui| ui::text_field(ui, &field, &mut naming.text))
        .inner;
    if !std::mem::replace(&mut naming.focused, true) {
        response.request_focus();
        ui.scroll_to_rect(rect, None);
        return;
    }
    let problem = match item {
        Item::Chat(_) => None,
        Item::Folder(folder) => controller.folder_name_problem(&naming.text, Some(folder)),
    };
    if let Some(problem) = &problem {
        refusal(ui, rect, problem);
    }
    if !response.lost_focus() {
        return;
    }
    if problem.is_some() && ui.input(|input| input.key_pressed(Key::Enter)) {
        response.request_focus();
        return;
    }
    if problem.is_none() && !ui.input(|input| input.key_pressed(Key::Escape)) {
        commands.push(Command::InList(match item {
            Item::Chat(chat) => ListCommand::Rename(chat, naming.text.clone()),
            Item::Folder(folder) => ListCommand::RenameFolder(folder, naming.text.clone()),
        }));
    }
    state.naming = None;
    // Back to the row, unless something else was clicked.
    if ui.memory(|memory| memory.focused().is_none()) {
        state.go_to = Some(item);
    }
}

/// Says below the field why its text is not taken, over whatever stands there.
fn refusal(ui: &Ui, field: Rect, problem: &str) {
    let tokens = theme::tokens(ui.ctx());
    let area = Area::new(Id::unique("refused name"))
        .order(Order::Foreground)
        .fixed_pos(field.left_bottom() + vec2(0.0, 2.0))
        .interactable(false);
    area.show(ui.ctx(), |ui| {
        Frame::NONE
            .fill(tokens.raised)
            .stroke(Stroke::new(1.0, tokens.danger))
            .corner_radius(theme::R2)
            .inner_margin(eframe::egui::Margin::symmetric(10, 6))
            .show(ui, |ui| {
                ui.set_min_size(Vec2::ZERO);
                ui::label(ui, Text::Small, tokens.danger, problem);
            });
    });
}
