//! Rows of a list: 32 px, with a menu button that appears under the pointer or with keyboard focus.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    CornerRadius, DragAndDrop, Id, Popup, Rect, Response, Sense, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::focus_ring_inside;
use crate::theme::{self, Text, icons};

/// A row of a list.
pub struct ListRow<'a> {
    /// Tells rows apart.
    pub id: Id,
    /// What it says.
    pub text: &'a str,
    /// Whether it is the one shown.
    pub selected: bool,
    /// Whether work goes on in it.
    pub busy: bool,
    /// Whether it is kept at the top.
    pub pinned: bool,
    /// Room before the text, where the row is below another.
    pub indent: f32,
    /// Whether it can be dragged elsewhere.
    pub draggable: bool,
    /// Accessible name of its menu button.
    pub menu_name: &'a str,
}

/// What happened to a row.
pub struct RowOutput {
    /// The row itself.
    pub row: Response,
    /// Its menu button, while shown.
    pub menu: Response,
}

/// A row that opens a part of a page: icon and word.
pub fn nav_row(ui: &mut Ui, glyph: char, word: &str, selected: bool) -> Response {
    let tokens = theme::tokens(ui.ctx());
    let (rect, row) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::click());
    row.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, word));
    if selected || row.hovered() {
        let fill = if selected { tokens.active } else { tokens.hover };
        ui.painter().rect_filled(rect, CornerRadius::same(theme::R2), fill);
    }
    let icon_color = if selected { tokens.accent_text } else { tokens.text2 };
    super::icon(ui.painter(), glyph, pos2(rect.left() + 16.0, rect.center().y), 16.0, icon_color);
    let color = if selected || row.hovered() { tokens.text } else { tokens.text2 };
    let galley = Text::Body.line(ui, word, color, rect.width() - 40.0);
    ui.painter().galley(
        pos2(rect.left() + 32.0, rect.center().y - galley.size().y / 2.0).round(),
        galley,
        color,
    );
    focus_ring_inside(ui, &row, theme::R2);
    row
}

impl ListRow<'_> {
    /// Draws it over the whole width.
    pub fn show(&self, ui: &mut Ui) -> RowOutput {
        let tokens = theme::tokens(ui.ctx());
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::hover());
        let sense = if self.draggable { Sense::click_and_drag() } else { Sense::click() };
        let row = ui.interact(rect, self.id, sense);
        row.widget_info(|| WidgetInfo::selected(Role::ListItem, true, self.selected, self.text));
        let menu = menu_button(ui, rect, self.id, self.menu_name);
        let over = is_over(ui, &row, &menu);
        let fill = match (self.selected, over) {
            (true, _) => Some(tokens.active),
            (false, true) => Some(tokens.hover),
            (false, false) => None,
        };
        if let Some(fill) = fill {
            ui.painter().rect_filled(rect, CornerRadius::same(theme::R2), fill);
        }
        let color = if self.selected || over { tokens.text } else { tokens.text2 };
        let room = if over || self.busy || self.pinned { 36.0 } else { 8.0 };
        let galley = Text::Body.line(ui, self.text, color, rect.width() - 8.0 - self.indent - room);
        let elided = galley.elided;
        ui.painter().galley(
            pos2(rect.left() + 8.0 + self.indent, rect.center().y - galley.size().y / 2.0).round(),
            galley,
            color,
        );
        if over {
            paint_menu_button(ui, &menu);
        } else if self.busy {
            ui.painter().circle_filled(pos2(rect.right() - 11.0, rect.center().y), 3.0, tokens.accent);
        } else if self.pinned {
            let at = pos2(rect.right() - 14.0, rect.center().y);
            super::icon(ui.painter(), icons::PUSH_PIN, at, 14.0, tokens.text3);
        }
        focus_ring_inside(ui, &row, theme::R2);
        let row = if elided { row.on_hover_text(self.text) } else { row };
        RowOutput { row, menu }
    }
}

/// The menu button of a row, which is painted while the pointer or the keyboard is at it.
pub(super) fn menu_button(ui: &Ui, row: Rect, id: Id, name: &str) -> Response {
    let rect = Rect::from_center_size(pos2(row.right() - 16.0, row.center().y), Vec2::splat(24.0));
    let menu = ui.interact(rect, id.with("menu button"), Sense::click());
    menu.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    menu
}

/// Whether the pointer or the keyboard is at a row, or its menu is open. While something is dragged only where it can be dropped lights
/// up.
pub(super) fn is_over(ui: &Ui, row: &Response, menu: &Response) -> bool {
    let pointed = (row.contains_pointer() || menu.hovered()) && !DragAndDrop::has_any_payload(ui.ctx());
    let menu_open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(menu));
    pointed || menu.has_focus() || row.has_focus() || menu_open
}

/// Paints the menu button of a row.
pub(super) fn paint_menu_button(ui: &Ui, menu: &Response) {
    let tokens = theme::tokens(ui.ctx());
    if menu.hovered() {
        ui.painter().rect_filled(menu.rect, CornerRadius::same(theme::R1), tokens.active);
    }
    let color = if menu.hovered() || menu.has_focus() { tokens.text } else { tokens.text3 };
    super::icon(ui.painter(), icons::DOTS_THREE, menu.rect.center(), 16.0, color);
    super::focus_ring_inside(ui, menu, theme::R1);
}

impl RowOutput {
    /// Whether the row was chosen, and not its menu.
    pub fn chosen(&self) -> bool {
        self.row.clicked() && !self.menu.clicked()
    }
}
