//! The list of chats: search, what is found or all chats by age and folder, an export or import that runs.

mod drag;
mod folder;
mod hits;
mod menu;
mod naming;
mod plan;
mod rows;
mod transfer;

pub use menu::{export_items, pin_item};

use std::collections::HashSet;

use eframe::egui::{Align, Id, Key, Layout, Modifiers, Rect, Ui, UiBuilder, pos2, vec2};

use crate::chat::Controller;
use crate::shell::{self, Command, HEADER, action, keymap};
use crate::store::{ChatId, FolderId};
use crate::theme::{self, Text, icons};
use crate::ui::{self, IconButton};
use naming::Naming;

pub use plan::Item;

/// What the list remembers between passes.
#[derive(Default)]
pub struct ListState {
    /// Chats chosen with Ctrl and a click, for deleting or exporting them together.
    chosen: HashSet<ChatId>,
    /// The row that gets the keyboard next.
    go_to: Option<Item>,
    naming: Option<Naming>,
    /// Since when a search has no answer.
    waiting_since: Option<f64>,
    /// What the row is about that has the keyboard.
    pub keyboard_in: Option<Item>,
    /// Rows drawn in the last pass, for tests.
    pub drawn: usize,
}

impl ListState {
    /// Gives the row of a chat the keyboard, wherever in the list it is.
    pub fn go_to(&mut self, chat: ChatId) {
        self.go_to = Some(Item::Chat(chat));
    }

    /// Gives the row of a folder the keyboard, wherever in the list it is.
    pub fn go_to_folder(&mut self, folder: FolderId) {
        self.go_to = Some(Item::Folder(folder));
    }

    /// What an action on `chat` acts on: all chosen chats when it is one of them.
    fn meant(&self, chat: ChatId) -> Vec<ChatId> {
        if self.chosen.contains(&chat) { self.chosen.iter().copied().collect() } else { vec![chat] }
    }
}

/// Id of the search field, for the shortcut.
pub fn search_id() -> Id {
    Id::unique("search chats")
}

/// Draws the list into `rect`.
pub fn show(
    ui: &mut Ui,
    rect: Rect,
    controller: &Controller,
    search: &mut String,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    ui.painter().rect_filled(rect, 0, tokens.bg_panel);
    ui::line_right(ui.painter(), rect, tokens.border);
    let header = Rect::from_min_size(rect.min, vec2(rect.width(), HEADER)).shrink2(vec2(12.0, 12.0));
    ui.scope_builder(UiBuilder::new().max_rect(header).layout(Layout::right_to_left(Align::Center)), |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let button = ui.add(IconButton::new(icons::NOTE_PENCIL, "New chat"));
        if shell::tip(button, &action::NEW_CHAT).clicked() {
            commands.push(Command::NewChat);
        }
        menu::of_list(ui, controller, commands);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add_space(4.0);
            ui::label(ui, Text::Subhead, tokens.text, "Chats");
        });
    });
    let field = Rect::from_min_size(rect.min + vec2(12.0, HEADER), vec2(rect.width() - 24.0, 28.0));
    ui.scope_builder(UiBuilder::new().max_rect(field), |ui| {
        search_field(ui, controller, search, state, commands)
    });
    let mut body =
        Rect::from_min_max(pos2(rect.left() + 8.0, field.bottom() + 8.0), rect.max - vec2(1.0, 0.0));
    if let Some(running) = controller.transfer() {
        let strip = Rect::from_min_max(pos2(rect.left(), rect.bottom() - transfer::HEIGHT), body.max);
        transfer::show(ui, strip, &running, commands);
        body.max.y = strip.top();
    }
    state.keyboard_in = None;
    let listed = &controller.library.chats;
    state.chosen.retain(|chosen| listed.iter().any(|chat| chat.id == *chosen));
    ui.scope_builder(UiBuilder::new().max_rect(body), |ui| {
        if controller.library.search.trim().is_empty() {
            state.waiting_since = None;
            rows::show(ui, controller, state, commands);
        } else {
            hits::show(ui, controller, state, commands);
        }
    });
}

/// Leaves as much room at the right as rows have at the left.
fn centre(ui: &mut Ui) {
    ui.set_max_width(ui.available_width() - 7.0);
}

fn search_field(
    ui: &mut Ui,
    controller: &Controller,
    search: &mut String,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let caps = keymap::caps_of(ui.ctx(), &action::SEARCH);
    let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
    let field = ui::Field { id: search_id(), name: "Search", height: 28.0, search: true, shortcut: &caps };
    let response = ui::text_field(ui, &field, search);
    if response.changed() || controller.library.search != *search {
        commands.push(Command::Search(search.clone()));
    }
    // Taken, so that the row which gets the keyboard does not pass it on.
    let is_down = || ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowDown));
    if response.has_focus() && is_down() {
        let library = &controller.library;
        let first = match &library.hits {
            Some(hits) if !search.trim().is_empty() => hits.first().map(|hit| Item::Chat(hit.chat.id)),
            _ => plan::Plan::of(library, controller.utc_offset_secs()).item(0),
        };
        state.go_to = first;
    }
}
