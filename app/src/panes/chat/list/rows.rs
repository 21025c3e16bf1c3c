//! All chats by age, and the folders below them. Only the rows in view are drawn, so ten thousand cost what thirty do.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    EventFilter, Id, Key, Modifiers, Rect, Response, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::plan::{self, Item, Plan, ROW, Row, Target};
use super::{ListState, drag, folder, menu, naming};
use crate::chat::{Controller, ListCommand};
use crate::shell::Command;
use crate::store::{ChatHead, ChatId, shown_title};
use crate::theme::{self, Text, icons};
use crate::ui::{self, ListRow};

/// Space below the last row.
const BELOW: f32 = 12.0;
/// How far the chats of a folder stand to the right: below its name.
pub(super) const INDENT: f32 = 24.0;

/// Draws the list, or what stands for it while it is empty.
pub(super) fn show(ui: &mut Ui, controller: &Controller, state: &mut ListState, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let library = &controller.library;
    state.drawn = 0;
    if library.chats.is_empty() && library.folders.is_empty() {
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
    let plan = Plan::of(library, controller.utc_offset_secs());
    let hidden = library.total.saturating_sub(library.chats.len());
    let left_out = match hidden {
        _ if library.unopened => "Older chats are not shown".to_owned(),
        0 => String::new(),
        hidden => format!("{hidden} older: search"),
    };
    let total = plan.bottom + BELOW + if left_out.is_empty() { 0.0 } else { 24.0 };
    ScrollArea::vertical().id_salt("chats").auto_shrink(false).show_viewport(ui, |ui, viewport| {
        ui.set_height(total);
        let origin = ui.max_rect().min;
        let width = ui.max_rect().width() - 8.0;
        if let Some(wanted) = state.go_to {
            scroll_to(ui, &plan, wanted, state);
        }
        let view = Rect::from_min_size(origin + viewport.min.to_vec2(), viewport.size());
        let target = drag::follow(ui, &plan, origin, view, controller, commands);
        for title in &plan.titles {
            if (viewport.top()..viewport.bottom() + 16.0).contains(&(title.top + 16.0)) {
                let at = Rect::from_min_size(pos2(origin.x, origin.y + title.top), vec2(width, 16.0));
                section_title(ui, at, &title.text, commands);
            }
        }
        for (number, y, row) in plan.rows_between(viewport.top(), viewport.bottom()) {
            let rect = Rect::from_min_size(pos2(origin.x, origin.y + y), vec2(width, ROW));
            state.drawn += 1;
            let beside = plan.beside(number);
            let mut at = Place { controller, rect, beside, commands: &mut *commands };
            match row {
                Row::Loose(chat) => self::chat(ui, &mut at, chat, 0.0, state),
                Row::Inside(chat, _) => self::chat(ui, &mut at, chat, INDENT, state),
                Row::Folder(place) => {
                    folder::show(ui, &mut at, place, target == Some(Target::Folder(place)), state);
                }
            }
        }
        for y in plan.notes_between(viewport.top(), viewport.bottom()) {
            let rect = Rect::from_min_size(pos2(origin.x, origin.y + y), vec2(width, ROW));
            note(ui, rect, y);
        }
        if !left_out.is_empty() {
            let at = Rect::from_min_size(pos2(origin.x, origin.y + plan.bottom + 8.0), vec2(width, 16.0));
            let response = ui.interact(at, Id::unique("what the list leaves out"), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &left_out));
            let galley = Text::Small.line(ui, &left_out, tokens.text3, width - 16.0);
            ui.painter().galley(at.min + vec2(8.0, 0.0), galley, tokens.text3);
        }
    });
}

/// Where a row is, and what it needs.
pub(super) struct Place<'p> {
    pub controller: &'p Controller,
    pub rect: Rect,
    /// What the rows above and below show.
    pub beside: [Option<Item>; 2],
    pub commands: &'p mut Vec<Command>,
}

/// Scrolls to the row of something, which need not be drawn.
fn scroll_to(ui: &Ui, plan: &Plan<'_>, wanted: Item, state: &mut ListState) {
    let Some((item, y)) = plan.find(wanted) else { return };
    state.go_to = Some(item);
    let origin = ui.max_rect().min;
    ui.scroll_to_rect(Rect::from_min_size(origin + vec2(0.0, y), vec2(1.0, ROW)), None);
}

fn section_title(ui: &Ui, rect: Rect, title: &str, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let response = ui.interact(rect, Id::unique(("part of the list", title)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, title));
    let galley = Text::Micro.line(ui, title, tokens.text3, rect.width() - 8.0);
    ui.painter().galley(rect.min + vec2(8.0, 0.0), galley, tokens.text3);
    if title == plan::FOLDERS {
        folder::new_button(ui, pos2(rect.right() - 16.0, rect.center().y), commands);
    }
}

/// What stands below an open folder without chats.
fn note(ui: &Ui, rect: Rect, y: f32) {
    let tokens = theme::tokens(ui.ctx());
    let words = "No chats in it";
    let response = ui.interact(rect, Id::unique(("no chats", y.to_bits())), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let galley = Text::Small.line(ui, words, tokens.text3, rect.width() - INDENT - 16.0);
    let at = pos2(rect.left() + 8.0 + INDENT, rect.center().y - galley.size().y / 2.0).round();
    ui.painter().galley(at, galley, tokens.text3);
}

/// Id of the row of a chat.
pub(super) fn row_id(chat: ChatId) -> Id {
    Id::unique(("chat row", chat.0))
}

fn chat(ui: &mut Ui, at: &mut Place<'_>, index: usize, indent: f32, state: &mut ListState) {
    let (controller, rect) = (at.controller, at.rect);
    let chat = &controller.library.chats[index];
    if state.names(Item::Chat(chat.id)) {
        let rect = Rect::from_min_max(rect.min + vec2(indent, 0.0), rect.max);
        naming::field(ui, rect, controller, state, at.commands);
        return;
    }
    let title = shown_title(&chat.title);
    let menu_name = format!("Menu of {title}");
    let is_chosen = state.chosen.contains(&chat.id);
    let row = ListRow {
        id: row_id(chat.id),
        text: title,
        selected: is_chosen || controller.open_id() == Some(chat.id),
        busy: controller.is_writing(chat.id),
        pinned: chat.pinned,
        indent,
        // A finger that moves scrolls.
        draggable: !controller.library.folders.is_empty() && !ui.input(|input| input.has_touch_screen()),
        menu_name: &menu_name,
    };
    let output = ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| row.show(ui)).inner;
    if is_chosen && !output.menu.hovered() && !output.row.contains_pointer() {
        let tokens = theme::tokens(ui.ctx());
        let centre = pos2(rect.right() - 14.0, rect.center().y);
        ui::icon(ui.painter(), icons::CHECK, centre, 16.0, tokens.accent_text);
    }
    drag::begin(ui, &output.row, chat, state, controller);
    if output.chosen() {
        clicked(ui, chat.id, state, at.commands);
    }
    menu::of_chat(ui, controller, Some(&output.menu), &output.row, chat, state, at.commands);
    chat_keys(ui, &output.row, chat, controller, at.beside, state, at.commands);
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

/// Keys of the row of a chat, if it has the keyboard. Enter is a click.
pub(super) fn chat_keys(
    ui: &Ui,
    row: &Response,
    chat: &ChatHead,
    controller: &Controller,
    beside: [Option<Item>; 2],
    state: &mut ListState,
    commands: &mut Vec<Command>,
) {
    if !keys(ui, row, Item::Chat(chat.id), beside, state, commands) {
        return;
    }
    if pressed(ui, Key::Delete) {
        // The row below gets the keyboard, as the one that had it goes.
        state.go_to = beside[1].or(beside[0]);
        commands.push(Command::InList(ListCommand::Delete(state.meant(chat.id))));
    }
    if pressed(ui, Key::ArrowLeft)
        && let Some(folder) = controller.library.folder_of(chat)
        && controller.library.search.trim().is_empty()
    {
        state.go_to = Some(Item::Folder(folder.id));
    }
}

pub(super) fn pressed(ui: &Ui, key: Key) -> bool {
    ui.input_mut(|input| input.consume_key(Modifiers::NONE, key))
}

/// Keys that every row has; `beside` is what stands above and below. Says whether it has the keyboard.
pub(super) fn keys(
    ui: &Ui,
    row: &Response,
    item: Item,
    beside: [Option<Item>; 2],
    state: &mut ListState,
    commands: &mut Vec<Command>,
) -> bool {
    if state.go_to == Some(item) {
        state.go_to = None;
        row.request_focus();
    }
    if !row.has_focus() {
        return false;
    }
    state.keyboard_in = Some(item);
    let filter = EventFilter {
        vertical_arrows: true,
        horizontal_arrows: true,
        escape: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(row.id, filter));
    for (key, to) in [Key::ArrowUp, Key::ArrowDown].into_iter().zip(beside) {
        if pressed(ui, key) {
            match to {
                Some(to) => state.go_to = Some(to),
                None if key == Key::ArrowUp => {
                    ui.memory_mut(|memory| memory.request_focus(super::search_id()))
                }
                None => {}
            }
        }
    }
    if pressed(ui, Key::Escape) {
        if state.chosen.is_empty() {
            commands.push(Command::FocusComposer);
        }
        state.chosen.clear();
    }
    true
}
