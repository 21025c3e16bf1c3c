//! Text and icons placed in a layout.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align, Align2, Color32, Layout, Painter, Pos2, Rect, Response, Sense, Ui, UiBuilder, WidgetInfo, vec2,
};

use crate::theme::{self, Text};

/// One line of text, cut with an ellipsis where the layout ends; the whole text is then in a tooltip.
pub fn label(ui: &mut Ui, style: Text, color: Color32, text: &str) -> Response {
    let galley = style.line(ui, text, color, ui.available_width());
    let elided = galley.elided;
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    ui.painter().galley(rect.min, galley, color);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    if elided { response.on_hover_text(text) } else { response }
}

/// Text that wraps at the width of the layout.
pub fn paragraph(ui: &mut Ui, style: Text, color: Color32, text: &str) -> Response {
    let galley = style.wrapped(ui, text, color, ui.available_width());
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    ui.painter().galley(rect.min, galley, color);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    response
}

/// The title of a part of a panel at the left and something at the right, 24 high.
pub fn title_row(ui: &mut Ui, title: &str, right: impl FnOnce(&mut Ui)) {
    let tokens = theme::tokens(ui.ctx());
    let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    let builder = UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center));
    ui.scope_builder(builder, |ui| {
        right(ui);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            label(ui, Text::Strong, tokens.text, title);
        });
    });
}

/// Text painted around a point, without a place in the layout.
pub fn paint_centered(ui: &Ui, style: Text, color: Color32, text: &str, center: Pos2, width: f32) {
    let galley = style.line(ui, text, color, width);
    let rect = Rect::from_center_size(center, galley.size());
    ui.painter().galley(rect.min.round(), galley, color);
}

/// An outline icon around a point.
pub fn icon(painter: &Painter, glyph: char, center: Pos2, size: f32, color: Color32) {
    painter.text(center, Align2::CENTER_CENTER, glyph, theme::icon_font(size), color);
}

/// A filled icon around a point.
pub fn icon_filled(painter: &Painter, glyph: char, center: Pos2, size: f32, color: Color32) {
    painter.text(center, Align2::CENTER_CENTER, glyph, theme::icon_fill_font(size), color);
}
