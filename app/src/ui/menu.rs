//! Menu items. The menu itself is `egui::Popup`, which brings arrow keys, Esc and closing.

use eframe::egui::accesskit::Role;
use eframe::egui::{Frame, Margin, Rect, Response, Sense, Stroke, Ui, Widget, WidgetInfo, pos2, vec2};

use super::{focus_ring_inside, icon};
use crate::theme::{self, Elevation, Text};

/// Width of a menu unless it says another.
pub const MENU_WIDTH: f32 = 140.0;

/// The frame of a menu.
pub fn menu_frame(ui: &Ui) -> Frame {
    let tokens = theme::tokens(ui.ctx());
    Frame::NONE
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.border_strong))
        .corner_radius(theme::R3)
        .inner_margin(Margin::same(4))
        .shadow(theme::shadow(&tokens, Elevation::Menu))
}

/// A line between groups of a menu of this width.
pub fn menu_divider(ui: &mut Ui, width: f32) {
    let tokens = theme::tokens(ui.ctx());
    let (rect, _) = ui.allocate_exact_size(vec2(width, 9.0), Sense::hover());
    let line = Rect::from_min_size(rect.min + vec2(0.0, 4.0), vec2(rect.width(), 1.0));
    ui.painter().rect_filled(line, 0, tokens.border);
}

/// A line of a menu, 28 px high.
#[must_use]
pub struct MenuItem<'a> {
    word: &'a str,
    glyph: Option<char>,
    danger: bool,
    checked: bool,
    leads_on: bool,
    note: &'a str,
    is_file: bool,
    width: f32,
}

impl<'a> MenuItem<'a> {
    /// An item with an icon.
    pub fn new(glyph: char, word: &'a str) -> Self {
        Self { glyph: Some(glyph), ..Self::plain(word) }
    }

    /// An item without an icon.
    pub fn plain(word: &'a str) -> Self {
        Self {
            word,
            glyph: None,
            danger: false,
            checked: false,
            leads_on: false,
            note: "",
            is_file: false,
            width: MENU_WIDTH,
        }
    }

    /// One that destroys something.
    pub fn danger(mut self) -> Self {
        self.danger = true;
        self
    }

    /// The chosen one of several.
    pub fn checked(mut self, checked: bool) -> Self {
        self.checked = checked;
        self
    }

    /// One that opens a menu of its own.
    pub fn leads_on(mut self) -> Self {
        self.leads_on = true;
        self
    }

    /// With a remark at the right.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// One whose word names a file: without room it loses its middle, not its end.
    pub fn file(mut self) -> Self {
        self.is_file = true;
        self
    }

    /// Width of the menu.
    pub fn width(mut self, width: f32) -> Self {
        self.width = width;
        self
    }
}

impl Widget for MenuItem<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let tokens = theme::tokens(ui.ctx());
        let (rect, response) = ui.allocate_exact_size(vec2(self.width, 28.0), Sense::click());
        let role = if self.checked { Role::MenuItemRadio } else { Role::MenuItem };
        response.widget_info(|| WidgetInfo::selected(role, true, self.checked, self.word));
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect, theme::R2, tokens.active);
        }
        let color = if self.danger { tokens.danger } else { tokens.text };
        let mut left = rect.left() + 8.0;
        if let Some(glyph) = self.glyph {
            let icon_color = if self.danger { color } else { tokens.text2 };
            icon(ui.painter(), glyph, pos2(left + 8.0, rect.center().y), 16.0, icon_color);
            left += 24.0;
        }
        let mut right = rect.right() - 8.0;
        if self.checked {
            icon(
                ui.painter(),
                theme::icons::CHECK,
                pos2(right - 8.0, rect.center().y),
                16.0,
                tokens.accent_text,
            );
            right -= 24.0;
        }
        if self.leads_on {
            let at = pos2(right - 6.0, rect.center().y);
            icon(ui.painter(), theme::icons::CARET_RIGHT, at, 12.0, tokens.text3);
            right -= 20.0;
        }
        if !self.note.is_empty() {
            let galley = Text::MonoSmall.line(ui, self.note, tokens.text3, 120.0);
            right -= galley.size().x;
            ui.painter().galley(
                pos2(right, rect.center().y - galley.size().y / 2.0).round(),
                galley,
                tokens.text3,
            );
            right -= 12.0;
        }
        let word = match self.is_file {
            true => Text::Body.file_name(ui, self.word, right - left),
            false => self.word.into(),
        };
        let galley = Text::Body.line(ui, &word, color, right - left);
        ui.painter().galley(pos2(left, rect.center().y - galley.size().y / 2.0).round(), galley, color);
        focus_ring_inside(ui, &response, theme::R2);
        response
    }
}
