//! Text and icons placed in a layout.

use eframe::egui::accesskit::Role;
use eframe::egui::{Align2, Color32, Painter, Pos2, Rect, Response, Sense, Ui, WidgetInfo};

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
