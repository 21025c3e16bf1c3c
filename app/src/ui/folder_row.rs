//! The row of a folder in a list: 32 px, icon, name, how much is in it; its menu button appears under the pointer or with the keyboard.

use eframe::egui::accesskit::Role;
use eframe::egui::{CornerRadius, Id, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::focus_ring_inside;
use super::row::{RowOutput, is_over, menu_button, paint_menu_button};
use crate::theme::{self, Text, icons};

/// A row that opens and closes.
pub struct FolderRow<'a> {
    /// Tells rows apart.
    pub id: Id,
    /// Its name.
    pub text: &'a str,
    /// Accessible name: also what is in it.
    pub name: &'a str,
    /// How much is in it, as shown at the right.
    pub count: &'a str,
    /// Whether what is in it is shown.
    pub open: bool,
    /// Whether what is shown elsewhere on the page is in it.
    pub selected: bool,
    /// Whether work goes on in it.
    pub busy: bool,
    /// Whether what is dragged would be dropped into it.
    pub target: bool,
    /// Accessible name of its menu button.
    pub menu_name: &'a str,
}

impl FolderRow<'_> {
    /// Draws it over the whole width.
    pub fn show(&self, ui: &mut Ui) -> RowOutput {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::hover());
        let row = ui.interact(rect, self.id, Sense::click());
        row.widget_info(|| WidgetInfo::selected(Role::TreeItem, true, self.selected, self.name));
        ui.ctx().accesskit_node_builder(row.id, |node| node.set_expanded(self.open));
        let menu = menu_button(ui, rect, self.id, self.menu_name);
        let over = is_over(ui, &row, &menu);
        let elided = self.paint(ui, rect, over);
        if over {
            paint_menu_button(ui, &menu);
        }
        focus_ring_inside(ui, &row, theme::R2);
        let row = if elided { row.on_hover_text(self.text) } else { row };
        RowOutput { row, menu }
    }

    /// Paints it; says whether its name was cut.
    fn paint(&self, ui: &Ui, rect: Rect, over: bool) -> bool {
        let tokens = theme::tokens(ui.ctx());
        let corner = CornerRadius::same(theme::R2);
        if self.target {
            let edge = Stroke::new(1.0, tokens.accent);
            ui.painter().rect(rect, corner, tokens.accent_soft, edge, StrokeKind::Inside);
        } else if self.selected || over {
            let fill = if self.selected { tokens.active } else { tokens.hover };
            ui.painter().rect_filled(rect, corner, fill);
        }
        let lit = self.selected || over || self.target;
        let color = if lit { tokens.text } else { tokens.text2 };
        let glyph = if self.open { icons::FOLDER_OPEN } else { icons::FOLDER };
        super::icon(ui.painter(), glyph, pos2(rect.left() + 16.0, rect.center().y), 16.0, color);
        let mut right = rect.right() - if over { 36.0 } else { 8.0 };
        if !over {
            let count = Text::MonoSmall.line(ui, self.count, tokens.text3, 64.0);
            right -= count.size().x;
            let at = pos2(right, rect.center().y - count.size().y / 2.0).round();
            ui.painter().galley(at, count, tokens.text3);
            right -= 8.0;
            if self.busy {
                ui.painter().circle_filled(pos2(right - 3.0, rect.center().y), 3.0, tokens.accent);
                right -= 14.0;
            }
        }
        let left = rect.left() + 32.0;
        let galley = Text::Body.line(ui, self.text, color, (right - left).max(0.0));
        let at = pos2(left, rect.center().y - galley.size().y / 2.0).round();
        let elided = galley.elided;
        ui.painter().galley(at, galley, color);
        elided
    }
}
