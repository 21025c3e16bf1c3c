//! The rail: the mark, and one item a page with settings at the lower end.

use eframe::egui::accesskit::Role;
use eframe::egui::{CornerRadius, Rect, Response, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{Command, Metrics, Page};
use crate::theme::{self, Text};
use crate::ui;

/// Draws the rail into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, metrics: &Metrics, page: Page, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    ui.painter().rect_filled(rect, 0, tokens.bg_rail);
    ui::line_right(ui.painter(), rect, tokens.border);
    ui::mark(ui.painter(), rect.min + vec2(18.0, 12.0), 28.0, &tokens);
    let height = if metrics.short { 44.0 } else { 52.0 };
    let slot = |top: f32| Rect::from_min_size(pos2(rect.left() + 4.0, top), vec2(56.0, height));
    for (index, each) in Page::ALL.iter().copied().enumerate() {
        let top = match each {
            Page::Settings => rect.bottom() - 8.0 - height,
            Page::Chat => rect.top() + 56.0 + index as f32 * (height + 4.0),
        };
        if item(ui, slot(top), each, each == page, metrics.short).clicked() {
            commands.push(Command::Go(each));
        }
    }
}

fn item(ui: &Ui, rect: Rect, page: Page, selected: bool, short: bool) -> Response {
    let word = page.name();
    let tokens = theme::tokens(ui.ctx());
    let response = ui.interact(rect, ui.scope_id().with(("rail", word)), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, word));
    let over = response.hovered() || response.is_pointer_button_down_on();
    if selected || over {
        let fill = if selected { tokens.active } else { tokens.hover };
        ui.painter().rect_filled(rect, CornerRadius::same(theme::R3), fill);
    }
    let center = if short { rect.center() } else { pos2(rect.center().x - 0.5, rect.top() + 18.0) };
    let icon_color = if selected { tokens.accent_text } else { tokens.text2 };
    let draw = if selected { ui::icon_filled } else { ui::icon };
    draw(ui.painter(), page.icon(), center, 20.0, icon_color);
    if !short {
        let color = if selected || over { tokens.text } else { tokens.text2 };
        ui::paint_centered(ui, Text::Micro, color, word, pos2(rect.center().x, rect.top() + 38.0), 56.0);
    }
    ui::focus_ring(ui, &response, theme::R3);
    super::tip(response, page.action())
}
