//! The rail: the mark, one item a page, and the theme at the bottom.

use eframe::egui::accesskit::Role;
use eframe::egui::{CornerRadius, Popup, Rect, RectAlign, Response, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{Command, Metrics};
use crate::theme::{self, Appearance, Text, icons};
use crate::ui;

/// Draws the rail into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, metrics: &Metrics, appearance: Appearance, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    ui.painter().rect_filled(rect, 0, tokens.bg_rail);
    ui::line_right(ui.painter(), rect, tokens.border);
    ui::mark(ui.painter(), rect.min + vec2(18.0, 12.0), 28.0, &tokens);
    let height = if metrics.short { 44.0 } else { 52.0 };
    let slot = |top: f32| Rect::from_min_size(pos2(rect.left() + 4.0, top), vec2(56.0, height));
    let chat = item(ui, slot(rect.top() + 56.0), icons::CHAT_CIRCLE, "Chat", true, metrics.short);
    if chat.clicked() {
        commands.push(Command::FocusComposer);
    }
    let theme_button =
        item(ui, slot(rect.bottom() - 8.0 - height), icons::CIRCLE_HALF, "Theme", false, metrics.short);
    theme_menu(ui, &theme_button, appearance, commands);
}

fn item(ui: &Ui, rect: Rect, glyph: char, word: &str, selected: bool, short: bool) -> Response {
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
    draw(ui.painter(), glyph, center, 20.0, icon_color);
    if !short {
        let color = if selected || over { tokens.text } else { tokens.text2 };
        ui::paint_centered(ui, Text::Micro, color, word, pos2(rect.center().x, rect.top() + 38.0), 56.0);
    }
    ui::focus_ring(ui, &response, theme::R3);
    if short { response.on_hover_text(word) } else { response }
}

fn theme_menu(ui: &Ui, button: &Response, appearance: Appearance, commands: &mut Vec<Command>) {
    let menu = Popup::menu(button).align(RectAlign::RIGHT_END).frame(ui::menu_frame(ui)).gap(4.0);
    menu.show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (choice, glyph, word) in [
            (Appearance::System, icons::DESKTOP, "As the desktop"),
            (Appearance::Light, icons::SUN, "Light"),
            (Appearance::Dark, icons::MOON, "Dark"),
        ] {
            let item = ui::MenuItem::new(glyph, word).checked(appearance == choice).width(176.0);
            if ui.add(item).clicked() {
                commands.push(Command::SetAppearance(choice));
            }
        }
    });
}
