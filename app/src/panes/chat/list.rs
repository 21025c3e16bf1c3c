//! The list of chats: search, days, rows with their menu.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align, Id, Layout, Popup, Rect, RectAlign, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::chat::Controller;
use crate::shell::{self, Command, HEADER, action, keymap};
use crate::store::ChatHead;
use crate::theme::{self, Text, icons};
use crate::ui::{self, IconButton, ListRow, MenuItem};

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
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    ui.painter().rect_filled(rect, 0, tokens.bg_panel);
    ui::line_right(ui.painter(), rect, tokens.border);
    let header = Rect::from_min_size(rect.min, vec2(rect.width(), HEADER)).shrink2(vec2(12.0, 12.0));
    ui.scope_builder(UiBuilder::new().max_rect(header).layout(Layout::right_to_left(Align::Center)), |ui| {
        let button = ui.add(IconButton::new(icons::NOTE_PENCIL, "New chat"));
        if shell::tip(button, &action::NEW_CHAT).clicked() {
            commands.push(Command::NewChat);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add_space(4.0);
            ui::label(ui, Text::Subhead, tokens.text, "Chats");
        });
    });
    let field = Rect::from_min_size(rect.min + vec2(12.0, HEADER), vec2(rect.width() - 24.0, 28.0));
    ui.scope_builder(UiBuilder::new().max_rect(field), |ui| {
        let caps = keymap::caps_of(ui.ctx(), &action::SEARCH);
        let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
        let field =
            ui::Field { id: search_id(), name: "Search", height: 28.0, search: true, shortcut: &caps };
        if ui::text_field(ui, &field, search).changed() || controller.library.search != *search {
            commands.push(Command::Search(search.clone()));
        }
    });
    let body = Rect::from_min_max(pos2(rect.left() + 8.0, field.bottom() + 8.0), rect.max - vec2(1.0, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(body), |ui| rows(ui, controller, commands));
}

fn rows(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let library = &controller.library;
    if !library.search.trim().is_empty() {
        hits(ui, controller, commands);
        return;
    }
    if library.chats.is_empty() {
        if library.known {
            let small = "Your chats are kept on this\ncomputer and nowhere else.";
            ui::empty_state(ui, icons::CHATS_CIRCLE, "No chats yet", small);
        }
        return;
    }
    ScrollArea::vertical().id_salt("chats").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.set_max_width(ui.available_width() - 8.0);
        for (index, (age, chats)) in library.by_age(controller.utc_offset_secs()).into_iter().enumerate() {
            ui.add_space(if index == 0 { 8.0 } else { 12.0 });
            section_title(ui, age.title());
            ui.add_space(2.0);
            for chat in chats {
                row(ui, controller, chat, commands);
            }
        }
        let hidden = library.total.saturating_sub(library.chats.len());
        if hidden > 0 {
            ui.add_space(8.0);
            ui::label(ui, Text::Small, tokens.text3, &format!("{hidden} older: search by title"));
        }
        ui.add_space(12.0);
    });
}

fn hits(ui: &mut Ui, controller: &Controller, commands: &mut Vec<Command>) {
    let Some(hits) = &controller.library.hits else { return };
    if hits.is_empty() {
        let small = "No chat has this in its title\nor in a message.";
        ui::empty_state(ui, icons::MAGNIFYING_GLASS, "Nothing found", small);
        return;
    }
    ScrollArea::vertical().id_salt("hits").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.set_max_width(ui.available_width() - 8.0);
        ui.add_space(8.0);
        for hit in hits {
            row(ui, controller, &hit.chat, commands);
        }
    });
}

fn section_title(ui: &mut Ui, title: &str) {
    let tokens = theme::tokens(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, title));
    let galley = Text::Micro.line(ui, title, tokens.text3, rect.width() - 8.0);
    ui.painter().galley(rect.min + vec2(8.0, 0.0), galley, tokens.text3);
}

fn row(ui: &mut Ui, controller: &Controller, chat: &ChatHead, commands: &mut Vec<Command>) {
    let title = if chat.title.is_empty() { "Untitled" } else { &chat.title };
    let menu_name = format!("Menu of {title}");
    let row = ListRow {
        id: Id::unique(("chat row", chat.id.0)),
        text: title,
        selected: controller.open_id() == Some(chat.id),
        busy: controller.is_writing(chat.id),
        menu_name: &menu_name,
    };
    let output = row.show(ui);
    if output.chosen() {
        commands.push(Command::OpenChat(chat.id));
    }
    let frame = ui::menu_frame(ui);
    let mut items = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if ui.add(MenuItem::new(icons::PENCIL, "Rename")).clicked() {
            commands.push(Command::AskRename(chat.id));
        }
        if ui.add(MenuItem::new(icons::TRASH, "Delete").danger()).clicked() {
            commands.push(Command::AskDelete(chat.id));
        }
    };
    Popup::menu(&output.menu).align(RectAlign::BOTTOM_END).frame(frame).show(&mut items);
    Popup::context_menu(&output.row).frame(frame).show(&mut items);
}
