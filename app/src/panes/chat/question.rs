//! A question of the user: bubble, attached files, tools beside it, siblings under it.

use eframe::egui::accesskit::Role as NodeRole;
use eframe::egui::text_selection::LabelSelectionState;
use eframe::egui::{
    Id, Popup, Pos2, Rect, RectAlign, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::message::{BUBBLE_PAD, Shown, TOOLS, View, message_widget};
use super::tools;
use crate::chat::{BUSY, ChatCommand};
use crate::shell::{Command, words};
use crate::store::{Attachment, Message};
use crate::theme::{self, Text, Tokens, icons};
use crate::ui::{self, IconButton, MenuItem};

/// Height of a line that names an attached file.
const FILE: f32 = 24.0;

/// Height of the lines that name attached files.
pub fn files_height(message: &Message) -> f32 {
    message.attachments.len() as f32 * FILE
}

/// Draws the question with the upper left corner of its column at `at`.
pub fn show(
    view: &mut View,
    ui: &mut Ui,
    message: &Message,
    shown: &Shown<'_>,
    at: Pos2,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    let galley = view.bubble(ui, message, shown.width);
    let files = files_height(message);
    let text_size = view.text_size(ui, message, shown.width);
    let gap = if files > 0.0 && text_size.y > 0.0 { 8.0 } else { 0.0 };
    let names = message.attachments.iter().map(|file| file_width(ui, &tokens, file));
    let inner = names.fold(text_size.x, f32::max).min(super::message::bubble_width(shown.width));
    let size = vec2(inner, files + gap + text_size.y) + 2.0 * BUBBLE_PAD;
    let rect = Rect::from_min_size(pos2(at.x + shown.width - size.x, at.y), size).round();
    ui.painter().rect_filled(rect, theme::R5, tokens.bubble);
    let id = message_widget(message.id);
    for (index, file) in message.attachments.iter().enumerate() {
        let line =
            Rect::from_min_size(rect.min + BUBBLE_PAD + vec2(0.0, index as f32 * FILE), vec2(inner, FILE));
        show_file(ui, &tokens, file, line, id.with(("file", index)));
    }
    let text = rect.min + BUBBLE_PAD + vec2(0.0, files + gap);
    let text_rect = Rect::from_min_size(text, text_size).expand2(BUBBLE_PAD);
    let response = ui.interact(text_rect, id, tools::selectable());
    response.widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, &message.content));
    if text_size.y > 0.0 {
        LabelSelectionState::label_text_selection(ui, &response, text, galley, tokens.text, Stroke::NONE);
    }
    show_tools(ui, message, shown, rect, id, commands);
}

/// Beside the bubble under the pointer or with the keyboard; with the siblings under it when there are any.
fn show_tools(
    ui: &mut Ui,
    message: &Message,
    shown: &Shown<'_>,
    bubble: Rect,
    id: Id,
    commands: &mut Vec<Command>,
) {
    let has_siblings = shown.place.of > 1;
    let row = if has_siblings {
        Rect::from_min_size(pos2(bubble.right() - 200.0, bubble.bottom() + 4.0), vec2(200.0, TOOLS))
    } else {
        let center = pos2(bubble.left() - 4.0 - 42.0, bubble.center().y);
        Rect::from_center_size(center, vec2(84.0, TOOLS))
    };
    let mut right = row.right();
    if has_siblings {
        right = tools::siblings_left_of(ui, message.id, shown.place, row.right_center(), id, commands) - 4.0;
    }
    let ids = ["edit", "copy", "more"].map(|name| id.with(name));
    let over = ui.rect_contains_pointer(row.union(bubble).expand(2.0))
        || ids.iter().any(|id| ui.memory(|memory| memory.has_focus(*id)))
        || Popup::is_id_open(ui.ctx(), ids[2].with("popup"));
    let place =
        |slot: f32| Rect::from_min_size(pos2(right - (3.0 - slot) * 28.0, row.top()), Vec2::splat(28.0));
    if !over {
        // They can be reached with the keyboard though they are not drawn.
        for (slot, (id, name)) in ids.into_iter().zip(["Edit message", "Copy message", "More"]).enumerate() {
            let response = ui.interact(place(slot as f32), id, Sense::click());
            response.widget_info(|| WidgetInfo::labeled(NodeRole::Button, true, name));
        }
        return;
    }
    let edit = IconButton::new(icons::PENCIL, "Edit message").quiet().put_as(ui, place(0.0), ids[0]);
    if ui::tip(edit, "Edit message", &["Up"]).clicked() {
        commands.push(Command::InChat(ChatCommand::StartEdit(message.id)));
    }
    tools::copy_button(ui, place(1.0), ids[1], "Copy message", &message.content, commands);
    let more = IconButton::new(icons::DOTS_THREE, "More").quiet().put_as(ui, place(2.0), ids[2]);
    let more = ui::tip(more, "More", &[]);
    let frame = ui::menu_frame(ui);
    Popup::menu(&more).id(ids[2].with("popup")).align(RectAlign::BOTTOM_END).frame(frame).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        delete_item(ui, message, shown, commands);
    });
}

/// Deletes a message with what follows; says why it cannot while an answer is being written.
pub fn delete_item(ui: &mut Ui, message: &Message, shown: &Shown<'_>, commands: &mut Vec<Command>) {
    let item = MenuItem::new(icons::TRASH, "Delete from here").danger().width(200.0);
    let response = ui.add_enabled(!shown.busy, item).on_disabled_hover_text(BUSY);
    if response.clicked() {
        commands.push(Command::InChat(ChatCommand::Delete(message.id)));
    }
}

fn file_width(ui: &Ui, tokens: &Tokens, file: &Attachment) -> f32 {
    let name = Text::Label.line(ui, &file.name, tokens.text, f32::INFINITY).size().x;
    let size =
        Text::MonoSmall.line(ui, &words::file_bytes(file.text.len()), tokens.text3, f32::INFINITY).size().x;
    24.0 + name + 10.0 + size
}

fn show_file(ui: &mut Ui, tokens: &Tokens, file: &Attachment, line: Rect, id: Id) {
    let size = words::file_bytes(file.text.len());
    let response = ui.interact(line, id, Sense::hover());
    response
        .widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, format!("File {}, {size}", file.name)));
    ui::icon(ui.painter(), icons::FILE_TEXT, pos2(line.left() + 8.0, line.center().y), 16.0, tokens.text2);
    let size = Text::MonoSmall.line(ui, &size, tokens.text3, 120.0);
    let name = Text::Label.line(ui, &file.name, tokens.text, line.width() - 34.0 - size.size().x);
    let at = pos2(line.left() + 24.0, line.center().y);
    let after = at.x + name.size().x + 10.0;
    ui.painter().galley((at - vec2(0.0, name.size().y / 2.0)).round(), name, tokens.text);
    ui.painter().galley(pos2(after, at.y - size.size().y / 2.0).round(), size, tokens.text3);
    response.on_hover_text(&file.name);
}

/// Outline of a bubble that is being edited.
pub fn edited_bubble(ui: &Ui, rect: Rect, focused: bool) {
    let tokens = theme::tokens(ui.ctx());
    let edge = if focused { tokens.focus } else { tokens.border_input };
    ui.painter().rect(rect, theme::R5, tokens.bubble, Stroke::new(1.0, edge), StrokeKind::Inside);
}
