//! The small set of controls that every pane uses, drawn by us from theme roles: states, keyboard focus ring, accessible name. A
//! control reports what happened; it never acts on application state.

mod button;
mod choice;
mod dialog;
mod field;
mod folder_row;
mod gauge;
mod label;
mod menu;
mod row;
mod sheet;
mod slider;
mod state;
mod tag;
mod toast;

use eframe::egui::{
    self, Color32, CornerRadius, Painter, Pos2, Rect, Response, Stroke, StrokeKind, Ui, pos2,
};

use crate::theme::{self, Text};

pub use button::{Button, IconButton, Kind, Size};
pub use choice::{Chooser, changed_dot, segment, select, toggle};
pub use dialog::{Answer, Confirm, dialog, dilemma};
pub use field::{Field, text_area, text_field};
pub use folder_row::FolderRow;
pub use gauge::{bar, busy_ring, dot, gauge, level_color};
pub use label::{icon, icon_filled, label, paint_centered, paragraph, title_row};
pub use menu::{MENU_WIDTH, MenuItem, menu_divider, menu_frame};
pub use row::{ListRow, RowOutput, nav_row};
pub use sheet::sheet;
pub use slider::Slider;
pub use state::{Problem, empty_state, problem_card, skeleton};
pub use tag::{Tone, keycaps, paint_keycaps, tag};
pub use toast::{Pressed, TOAST_REACH, Toast, Toasts, Tone as ToastTone};

/// Draws the ring of keyboard focus 2 px outside `rect`.
pub fn focus_ring(ui: &Ui, response: &Response, radius: u8) {
    if response.has_focus() {
        let tokens = theme::tokens(ui.ctx());
        let painter = ui.painter().with_clip_rect(ui.clip_rect().expand(4.0));
        let corner = CornerRadius::same(radius + 2);
        painter.rect_stroke(
            response.rect.expand(2.0),
            corner,
            Stroke::new(2.0, tokens.focus),
            StrokeKind::Outside,
        );
    }
}

/// Draws the ring of keyboard focus inside `rect`, for rows and menu items.
pub fn focus_ring_inside(ui: &Ui, response: &Response, radius: u8) {
    if response.has_focus() {
        let tokens = theme::tokens(ui.ctx());
        let corner = CornerRadius::same(radius);
        ui.painter().rect_stroke(response.rect, corner, Stroke::new(2.0, tokens.focus), StrokeKind::Inside);
    }
}

/// Adds a tooltip with an optional shortcut.
pub fn tip(response: Response, text: &str, shortcut: &[&str]) -> Response {
    response.on_hover_ui(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        egui::Frame::NONE.inner_margin(egui::Margin::symmetric(6, 2)).show(ui, |ui| {
            ui.horizontal(|ui| {
                let tokens = theme::tokens(ui.ctx());
                label(ui, Text::Small, tokens.text, text);
                keycaps(ui, shortcut);
            });
        });
    })
}

/// A 1 px line at the lower edge of `rect`.
pub fn line_below(painter: &Painter, rect: Rect, color: Color32) {
    painter.rect_filled(Rect::from_min_max(pos2(rect.left(), rect.bottom() - 1.0), rect.max), 0, color);
}

/// A 1 px line at the right edge of `rect`.
pub fn line_right(painter: &Painter, rect: Rect, color: Color32) {
    painter.rect_filled(Rect::from_min_max(pos2(rect.right() - 1.0, rect.top()), rect.max), 0, color);
}

/// The mark: −1, 0, +1 as three squares in a 28 box, scaled to `side`, with its upper left corner at `at`.
pub fn mark(painter: &Painter, at: Pos2, side: f32, tokens: &theme::Tokens) {
    let scale = side / 28.0;
    let square = |x: f32, y: f32, edge: f32| {
        Rect::from_min_size(at + egui::vec2(x, y) * scale, egui::Vec2::splat(edge * scale))
    };
    painter.rect_filled(square(2.5, 18.5, 7.0), 2.0 * scale, tokens.trit_minus);
    painter.rect_stroke(
        square(11.25, 11.25, 5.5),
        1.5 * scale,
        Stroke::new(1.5 * scale, tokens.trit_zero),
        StrokeKind::Middle,
    );
    painter.rect_filled(square(18.5, 2.5, 7.0), 2.0 * scale, tokens.trit_plus);
}
