//! Text fields of one line and of several.

use eframe::egui::{
    Id, Key, Margin, Rect, Response, ScrollArea, Sense, Stroke, StrokeKind, TextBuffer, TextEdit, Ui,
    UiBuilder, vec2,
};

use super::{icon, tag};
use crate::theme::{self, Text, icons};

/// How a field looks and what it is called.
pub struct Field<'a> {
    /// Id, so that a shortcut can focus it.
    pub id: Id,
    /// Accessible name and placeholder.
    pub name: &'a str,
    /// Height: 32, or 28 where it is dense.
    pub height: f32,
    /// Whether a magnifying glass stands before the text.
    pub search: bool,
    /// Shortcut shown at the right while empty.
    pub shortcut: &'a [&'a str],
}

/// Draws the field over the whole width. Esc empties a search field.
pub fn text_field(ui: &mut Ui, field: &Field<'_>, text: &mut String) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), field.height), Sense::hover());
    let focused = ui.memory(|memory| memory.has_focus(field.id));
    let fill = if tokens.dark && !focused { tokens.surface } else { tokens.bg_base };
    let edge = if focused { Stroke::new(2.0, tokens.focus) } else { Stroke::new(1.0, tokens.border_input) };
    ui.painter().rect(rect, theme::R2, fill, edge, StrokeKind::Inside);
    let left = if field.search { 32.0 } else { 10.0 };
    if field.search {
        icon(ui.painter(), icons::MAGNIFYING_GLASS, rect.left_center() + vec2(17.0, 0.0), 16.0, tokens.text3);
    }
    let mut right = 10.0;
    if text.is_empty() && !field.shortcut.is_empty() {
        right += 4.0 + tag::paint_keycaps(ui, field.shortcut, rect.right_center() - vec2(12.0, 0.0));
    }
    let inner = Rect::from_min_max(rect.min + vec2(left, 0.0), rect.max - vec2(right, 0.0));
    let edit = TextEdit::singleline(text)
        .id(field.id)
        .font(Text::Body.font())
        .text_color(tokens.text)
        .hint_text(eframe::egui::RichText::new(field.name).font(Text::Body.font()).color(tokens.text3))
        .frame(eframe::egui::Frame::NONE)
        .margin(Margin::ZERO)
        .align(eframe::egui::Align2::LEFT_CENTER)
        .desired_width(inner.width())
        .min_size(inner.size());
    let response = ui.place(inner, edit);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(field.name));
    if field.search && response.has_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
        text.clear();
    }
    response
}

/// A field of several lines in `rect`, which scrolls when there are more.
pub fn text_area(ui: &mut Ui, id: Id, name: &str, rect: Rect, text: &mut String) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let focused = ui.memory(|memory| memory.has_focus(id));
    let edge = if focused { Stroke::new(2.0, tokens.focus) } else { Stroke::new(1.0, tokens.border_input) };
    ui.painter().rect(rect, theme::R2, tokens.bg_base, edge, StrokeKind::Inside);
    let inner = rect.shrink2(vec2(10.0, 6.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ScrollArea::vertical()
            .id_salt(id)
            .auto_shrink(false)
            .show(ui, |ui| {
                let mut layouter = |ui: &Ui, text: &dyn TextBuffer, width: f32| {
                    Text::Body.wrapped(ui, text.as_str(), tokens.text, width)
                };
                let edit = TextEdit::multiline(text)
                    .id(id)
                    .font(Text::Body.font())
                    .layouter(&mut layouter)
                    .frame(eframe::egui::Frame::NONE)
                    .margin(Margin::ZERO)
                    .desired_rows(1)
                    .desired_width(f32::INFINITY)
                    .min_size(inner.size());
                let response = ui.add(edit);
                ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
                response
            })
            .inner
    })
    .inner
}
