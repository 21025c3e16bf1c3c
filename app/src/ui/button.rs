//! Buttons with a word, and buttons with an icon alone.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Color32, CornerRadius, CursorIcon, Id, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, Widget,
    WidgetInfo, pos2, vec2,
};

use super::{focus_ring, icon, icon_filled};
use crate::theme::{self, Text, Tokens};

/// What a button is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one main action of a view.
    Primary,
    /// Any other action.
    Secondary,
    /// A quiet action.
    Ghost,
    /// The destructive action of a confirming dialog.
    Danger,
}

/// Height of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 24 px.
    Small,
    /// 28 px.
    Normal,
}

/// A button with a word and perhaps an icon before it.
#[must_use]
pub struct Button<'a> {
    kind: Kind,
    size: Size,
    word: &'a str,
    name: Option<&'a str>,
    icon: Option<char>,
    enabled: bool,
}

impl<'a> Button<'a> {
    /// A button of a kind.
    pub fn new(kind: Kind, word: &'a str) -> Self {
        Self { kind, size: Size::Normal, word, name: None, icon: None, enabled: true }
    }

    /// With an accessible name that says more than the word.
    pub fn named(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }

    /// With an icon before the word.
    pub fn icon(mut self, glyph: char) -> Self {
        self.icon = Some(glyph);
        self
    }

    /// With another height.
    pub fn size(mut self, size: Size) -> Self {
        self.size = size;
        self
    }

    /// Whether it reacts.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// Fill, edge and text of a control in its present state.
struct Look {
    fill: Color32,
    edge: Color32,
    text: Color32,
}

fn look(tokens: &Tokens, kind: Kind, enabled: bool, response: &Response) -> Look {
    let pressed = response.is_pointer_button_down_on();
    let hovered = response.hovered();
    let clear = Color32::TRANSPARENT;
    let pick = |rest, hover, press| match (pressed, hovered) {
        (true, _) => press,
        (false, true) => hover,
        (false, false) => rest,
    };
    if !enabled {
        let (fill, edge) = if kind == Kind::Ghost { (clear, clear) } else { (tokens.surface, tokens.border) };
        return Look { fill, edge, text: tokens.disabled };
    }
    match kind {
        Kind::Primary => Look {
            fill: pick(tokens.accent, tokens.accent_hover, tokens.accent_press),
            edge: clear,
            text: tokens.on_accent,
        },
        Kind::Danger => Look {
            fill: pick(tokens.danger_fill, tokens.danger_hover, tokens.danger_press),
            edge: clear,
            text: tokens.on_danger,
        },
        Kind::Secondary => Look {
            fill: pick(tokens.surface, tokens.hover, tokens.active),
            edge: pick(tokens.border_strong, tokens.border_input, tokens.border_input),
            text: tokens.text,
        },
        Kind::Ghost => Look {
            fill: pick(clear, tokens.hover, tokens.active),
            edge: clear,
            text: pick(tokens.text2, tokens.text, tokens.text),
        },
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let tokens = theme::tokens(ui.ctx());
        let (height, side) = match self.size {
            Size::Small => (24.0, 8.0),
            Size::Normal => (28.0, 12.0),
        };
        let galley = Text::Button.line(ui, self.word, Color32::PLACEHOLDER, f32::INFINITY);
        let icon_width = if self.icon.is_some() { 22.0 } else { 0.0 };
        let size = vec2((galley.size().x + icon_width + 2.0 * side).ceil(), height);
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(size, sense);
        response
            .widget_info(|| WidgetInfo::labeled(Role::Button, self.enabled, self.name.unwrap_or(self.word)));
        let look = look(&tokens, self.kind, self.enabled, &response);
        ui.painter().rect(rect, theme::R2, look.fill, Stroke::new(1.0, look.edge), StrokeKind::Inside);
        if let Some(glyph) = self.icon {
            icon(ui.painter(), glyph, pos2(rect.left() + side + 8.0, rect.center().y), 16.0, look.text);
        }
        let at = pos2(rect.left() + side + icon_width, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at.round(), galley, look.text);
        focus_ring(ui, &response, theme::R2);
        response.on_hover_cursor(CursorIcon::Default)
    }
}

/// A square button with an icon. `name` is its accessible name; give it a tooltip with [`super::tip`].
#[must_use]
pub struct IconButton<'a> {
    glyph: char,
    name: &'a str,
    side: f32,
    quiet: bool,
    filled: bool,
    color: Option<Color32>,
    selected: bool,
}

impl<'a> IconButton<'a> {
    /// A 28 px icon button.
    pub fn new(glyph: char, name: &'a str) -> Self {
        Self { glyph, name, side: 28.0, quiet: false, filled: false, color: None, selected: false }
    }

    /// With another side length: 24 dense, 32 in the composer.
    pub fn side(mut self, side: f32) -> Self {
        self.side = side;
        self
    }

    /// In `text3`, as in messages.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// With the filled icon.
    pub fn filled(mut self) -> Self {
        self.filled = true;
        self
    }

    /// In a colour of its own while at rest.
    pub fn color(mut self, color: Color32) -> Self {
        self.color = Some(color);
        self
    }

    /// Drawn as selected.
    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// Draws it at a place of its own instead of in the layout.
    pub fn put_as(self, ui: &Ui, rect: Rect, id: Id) -> Response {
        let response = ui.interact(rect, id, Sense::click());
        self.paint(ui, rect, &response);
        response
    }

    fn paint(&self, ui: &Ui, rect: Rect, response: &Response) {
        let tokens = theme::tokens(ui.ctx());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, self.selected, self.name));
        let pressed = response.is_pointer_button_down_on() || self.selected;
        let over = response.hovered() || pressed || response.has_focus();
        let rest = self.color.unwrap_or(if self.quiet { tokens.text3 } else { tokens.text2 });
        if response.hovered() || pressed {
            let fill = if pressed { tokens.active } else { tokens.hover };
            ui.painter().rect_filled(rect, CornerRadius::same(theme::R2), fill);
        }
        let color = if over && self.color.is_none() { tokens.text } else { rest };
        let draw = if self.filled { icon_filled } else { icon };
        draw(ui.painter(), self.glyph, rect.center(), 16.0, color);
        focus_ring(ui, response, theme::R2);
    }
}

impl Widget for IconButton<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(self.side), Sense::click());
        self.paint(ui, rect, &response);
        response
    }
}
