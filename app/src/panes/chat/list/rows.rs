//! All chats by age. Only the rows in view are drawn, so ten thousand cost what thirty do.

use std::ops::Range;

use eframe::egui::accesskit::Role;
use eframe::egui::{
    EventFilter, Id, Key, Modifiers, Rect, Response, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::{ListState, menu};
use crate::chat::{Controller, ListCommand};
use crate::shell::Command;
use crate::store::{ChatHead, ChatId};
use crate::theme::{self, Text, icons};
use crate::ui::{self, ListRow};

/// Height of a row, and what it takes with the space below it.
const ROW: f32 = 32.0;
const ROW_STEP: f32 = 34.0;
/// Height of the title of a part with the space below it.
const TITLE: f32 = 20.0;
/// Space above the first title and above the others.
const ABOVE_FIRST: f32 = 8.0;
const ABOVE: f32 = 12.0;
/// Space below the last row.
const BELOW: f32 = 12.0;

/// A part of the list with its place from the top.
struct Part {
    title: String,
    rows: Range<usize>,
    top: f32,
}

impl Part {
    fn rows_top(&self) -> f32 {
        self.top + TITLE
    }

    fn bottom(&self) -> f32 {
        self.rows_top() + self.rows.len() as f32 * ROW_STEP
    }

    /// Places of the rows that lie between two heights.
    fn rows_between(&self, top: f32, bottom: f32) -> Range<usize> {
        let row_at = |y: f32| (((y - self.rows_top()) / ROW_STEP).max(0.0) as usize).min(self.rows.len());
        self.rows.start + row_at(top)..self.rows.start + row_at(bottom + ROW_STEP)
    }
}

/// Draws the list, or what stands for it while it is empty.
pub(super) fn show(ui: &mut Ui, controller: &Controller, state: &mut ListState, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let library = &controller.library;
    state.drawn = 0;
    if library.chats.is_empty() {
        if library.known {
            let (glyph, strong, small) = if library.unopened {
                (
                    icons::WARNING,
                    "Your chats are not shown",
                    "Their file could not be opened.\nNothing in it was changed.",
                )
            } else {
                (
                    icons::CHATS_CIRCLE,
                    "No chats yet",
                    "Your chats are kept on this\ncomputer and nowhere else.",
                )
            };
            super::centre(ui);
            ui::empty_state(ui, glyph, strong, small);
        }
        return;
    }
    let parts = layout(library.parts(controller.utc_offset_secs()));
    let hidden = library.total.saturating_sub(library.chats.len());
    let end = parts.last().map_or(0.0, Part::bottom);
    let note = match hidden {
        _ if library.unopened => "Older chats are not shown".to_owned(),
        0 => String::new(),
        hidden => format!("{hidden} older: search"),
    };
    let total = end + BELOW + if note.is_empty() { 0.0 } else { 24.0 };
    ScrollArea::vertical().id_salt("chats").auto_shrink(false).show_viewport(ui, |ui, viewport| {
        ui.set_height(total);
        let origin = ui.max_rect().min;
        let width = ui.max_rect().width() - 8.0;
        if let Some(wanted) = state.go_to {
            scroll_to(ui, &parts, &library.chats, wanted);
        }
        for part in &parts {
            if part.bottom() < viewport.top() || part.top > viewport.bottom() {
                continue;
            }
            let at = Rect::from_min_size(pos2(origin.x, origin.y + part.top), vec2(width, 16.0));
            section_title(ui, at, &part.title);
            for index in part.rows_between(viewport.top(), viewport.bottom()) {
                let y = origin.y + part.rows_top() + (index - part.rows.start) as f32 * ROW_STEP;
                let at = Rect::from_min_size(pos2(origin.x, y), vec2(width, ROW));
                state.drawn += 1;
                row(ui, at, controller, index, state, commands);
            }
        }
        if !note.is_empty() {
            let at = Rect::from_min_size(pos2(origin.x, origin.y + end + 8.0), vec2(width, 16.0));
            let response = ui.interact(at, Id::unique("what the list leaves out"), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &note));
            let galley = Text::Small.line(ui, &note, tokens.text3, width - 16.0);
            ui.painter().galley(at.min + vec2(8.0, 0.0), galley, tokens.text3);
        }
    });
}

fn layout(parts: Vec<(String, Range<usize>)>) -> Vec<Part> {
    let mut y = 0.0;
    let mut placed = Vec::new();
    for (title, rows) in parts {
        y += if placed.is_empty() { ABOVE_FIRST } else { ABOVE };
        let part = Part { title, rows, top: y };
        y = part.bottom();
        placed.push(part);
    }
    placed
}

/// Scrolls to the row of a chat, which need not be drawn.
fn scroll_to(ui: &Ui, parts: &[Part], chats: &[ChatHead], wanted: ChatId) {
    let Some(index) = chats.iter().position(|chat| chat.id == wanted) else { return };
    let Some(part) = parts.iter().find(|part| part.rows.contains(&index)) else { return };
    let y = part.rows_top() + (index - part.rows.start) as f32 * ROW_STEP;
    let origin = ui.max_rect().min;
    ui.scroll_to_rect(Rect::from_min_size(origin + vec2(0.0, y), vec2(1.0, ROW)), None);
}

fn section_title(ui: &Ui, rect: Rect, title: &str) {
    let tokens = theme::tokens(ui.ctx());
    let response = ui.interact(rect, Id::unique(("part of the list", title)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, title));
    let galley = Text::Micro.line(ui, title, tokens.text3, rect.width() - 8.0);
    ui.painter().galley(rect.min + vec2(8.0, 0.0), galley, tokens.text3);
}

/// Id of the row of a chat.
pub(super) fn row_id(chat: ChatId) -> Id {
    Id::unique(("chat row", chat.0))
}

fn row(
    ui: &mut Ui,
    rect: Rect,
    controller: &Controller,
    index: usize,
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    let chats = &controller.library.chats;
    let chat = &chats[index];
    if state.renaming.as_ref().is_some_and(|renaming| renaming.chat == chat.id) {
        rename_field(ui, rect, state, commands);
        return;
    }
    let title = if chat.title.is_empty() { "Untitled" } else { &chat.title };
    let menu_name = format!("Menu of {title}");
    let is_chosen = state.chosen.contains(&chat.id);
    let row = ListRow {
        id: row_id(chat.id),
        text: title,
        selected: is_chosen || controller.open_id() == Some(chat.id),
        busy: controller.is_writing(chat.id),
        pinned: chat.pinned,
        menu_name: &menu_name,
    };
    let output = ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| row.show(ui)).inner;
    if is_chosen && !output.menu.hovered() && !output.row.contains_pointer() {
        let tokens = theme::tokens(ui.ctx());
        ui::icon(
            ui.painter(),
            icons::CHECK,
            pos2(rect.right() - 14.0, rect.center().y),
            16.0,
            tokens.accent_text,
        );
    }
    if output.chosen() {
        clicked(ui, chat.id, state, commands);
    }
    menu::of_chat(ui, Some(&output.menu), &output.row, chat, state, commands);
    let beside =
        |step: isize| index.checked_add_signed(step).and_then(|at| chats.get(at)).map(|chat| chat.id);
    keys(ui, &output.row, chat, [beside(-1), beside(1)], state, commands);
}

/// With Ctrl a click chooses the row or leaves it out again, else it opens the chat.
fn clicked(ui: &Ui, chat: ChatId, state: &mut ListState, commands: &mut Vec<Command>) {
    if ui.input(|input| input.modifiers.command) {
        if !state.chosen.remove(&chat) {
            state.chosen.insert(chat);
        }
    } else {
        state.chosen.clear();
        commands.push(Command::OpenChat(chat));
    }
}

/// Keys of the row that has the keyboard; `beside` are the chats above and below. Enter is a click.
pub(super) fn keys(
    ui: &Ui,
    row: &Response,
    chat: &ChatHead,
    beside: [Option<ChatId>; 2],
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    if state.go_to == Some(chat.id) {
        state.go_to = None;
        row.request_focus();
    }
    if !row.has_focus() {
        return;
    }
    state.keyboard_in = Some(chat.id);
    let filter = EventFilter { vertical_arrows: true, escape: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(row.id, filter));
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    for (key, to) in [Key::ArrowUp, Key::ArrowDown].into_iter().zip(beside) {
        if pressed(key) {
            match to {
                Some(to) => state.go_to = Some(to),
                None if key == Key::ArrowUp => {
                    ui.memory_mut(|memory| memory.request_focus(super::search_id()))
                }
                None => {}
            }
        }
    }
    if pressed(Key::Delete) {
        // The row below gets the keyboard, as the one that had it goes.
        state.go_to = beside[1].or(beside[0]);
        commands.push(Command::InList(ListCommand::Delete(state.meant(chat.id))));
    }
    if pressed(Key::Escape) {
        if state.chosen.is_empty() {
            commands.push(Command::FocusComposer);
        }
        state.chosen.clear();
    }
}

/// The title as a field in its row: Enter and leaving it take the title, Esc leaves it as it was.
pub(super) fn rename_field(ui: &mut Ui, rect: Rect, state: &mut ListState, commands: &mut Vec<Command>) {
    let Some(renaming) = &mut state.renaming else { return };
    let chat = renaming.chat;
    let id = Id::unique(("rename chat", chat.0));
    let field = ui::Field { id, name: "Title", height: 28.0, search: false, shortcut: &[] };
    let rect = rect.shrink2(vec2(0.0, 2.0));
    let response = ui
        .scope_builder(UiBuilder::new().max_rect(rect), |ui| ui::text_field(ui, &field, &mut renaming.title))
        .inner;
    if !std::mem::replace(&mut renaming.focused, true) {
        response.request_focus();
        ui.scroll_to_rect(rect, None);
        return;
    }
    if response.lost_focus() {
        if !ui.input(|input| input.key_pressed(Key::Escape)) {
            commands.push(Command::InList(ListCommand::Rename(chat, renaming.title.clone())));
        }
        state.renaming = None;
        // Back to the row, unless something else was clicked.
        if ui.memory(|memory| memory.focused().is_none()) {
            state.go_to = Some(chat);
        }
    }
}
