//! Tags and keycaps: short words in a box.

use eframe::egui::accesskit::Role;
use eframe::egui::{Color32, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::{icon, paint_centered};
use crate::theme::{self, Text};

/// What a tag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A fact, in mono.
    Figure,
    /// A fact, in words.
    Plain,
    /// Something that goes on.
    Accent,
    /// A good state.
    Success,
    /// A state to watch.
    Warning,
    /// A bad state.
    Danger,
}

/// A tag of 20 px with an optional icon.
pub fn tag(ui: &mut Ui, tone: Tone, glyph: Option<char>, text: &str) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let (style, color, fill) = match tone {
        Tone::Figure => (Text::MonoSmall, tokens.text2, tokens.active),
        Tone::Plain => (Text::Micro, tokens.text2, tokens.active),
        Tone::Accent => (Text::Micro, tokens.accent_text, tokens.accent_soft),
        Tone::Success => (Text::Micro, tokens.success, tokens.success_soft),
        Tone::Warning => (Text::Micro, tokens.warning, tokens.warning_soft),
        Tone::Danger => (Text::Micro, tokens.danger, tokens.danger_soft),
    };
    let galley = style.line(ui, text, color, f32::INFINITY);
    let before = if glyph.is_some() { 16.0 } else { 0.0 };
    let (rect, response) =
        ui.allocate_exact_size(vec2(galley.size().x + before + 12.0, 20.0), Sense::hover());
    ui.painter().rect_filled(rect, theme::R1, fill);
    if let Some(glyph) = glyph {
        icon(ui.painter(), glyph, rect.left_center() + vec2(12.0, 0.0), 12.0, color);
    }
    let at = pos2(rect.left() + 6.0 + before, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at.round(), galley, color);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    response
}

/// Keycaps in the layout.
pub fn keycaps(ui: &mut Ui, keys: &[&str]) {
    if keys.is_empty() {
        return;
    }
    let width: f32 = keys.iter().map(|key| cap_width(ui, key) + 4.0).sum::<f32>() - 4.0;
    let (rect, _) = ui.allocate_exact_size(vec2(width, 18.0), Sense::hover());
    paint_keycaps(ui, keys, rect.right_center());
}

/// Keycaps that end at `right`; gives their width.
pub fn paint_keycaps(ui: &Ui, keys: &[&str], right: Pos2) -> f32 {
    let tokens = theme::tokens(ui.ctx());
    let mut x = right.x;
    for key in keys.iter().rev() {
        let width = cap_width(ui, key);
        let rect = Rect::from_min_max(pos2(x - width, right.y - 9.0), pos2(x, right.y + 9.0));
        ui.painter().rect(
            rect,
            theme::R1,
            Color32::TRANSPARENT,
            Stroke::new(1.0, tokens.border_strong),
            StrokeKind::Inside,
        );
        paint_centered(ui, Text::Micro, tokens.text3, key, rect.center(), width);
        x -= width + 4.0;
    }
    right.x - x
}

fn cap_width(ui: &Ui, key: &str) -> f32 {
    (Text::Micro.line(ui, key, Color32::PLACEHOLDER, f32::INFINITY).size().x + 12.0).ceil()
}
