//! An export or import that runs, at the foot of the list.

use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{Align, Layout, Rect, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::chat::{ListCommand, Running};
use crate::shell::Command;
use crate::theme::{self, Text};
use crate::ui::{self, Button, Kind, Size};

/// Height of the strip.
pub(super) const HEIGHT: f32 = 64.0;

/// Draws it.
pub(super) fn show(ui: &mut Ui, rect: Rect, running: &Running, commands: &mut Vec<Command>) {
    let tokens = theme::tokens(ui.ctx());
    let (done, total) = running.progress;
    let level = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
    let edge = Rect::from_min_size(rect.min, vec2(rect.width(), 1.0));
    ui.painter().rect_filled(edge, 0, tokens.border);
    let inner = rect.shrink2(vec2(12.0, 8.0));
    let line = Rect::from_min_size(inner.min, vec2(inner.width(), 28.0));
    let words = format!("{} {:.0} %", running.word, (level * 100.0).floor());
    ui.scope_builder(UiBuilder::new().max_rect(line).layout(Layout::right_to_left(Align::Center)), |ui| {
        if ui.add(Button::new(Kind::Secondary, "Cancel").size(Size::Small)).clicked() {
            commands.push(Command::InList(ListCommand::CancelTransfer));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui::label(ui, Text::Small, tokens.text2, &words);
        });
    });
    let bar = Rect::from_min_size(pos2(inner.left(), line.bottom() + 8.0), vec2(inner.width(), 4.0));
    let response = ui.interact(bar, ui.scope_id().with("transfer"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &words));
    ui::bar(ui.painter(), &tokens, bar, level as f32, tokens.accent);
    // Live numbers change at most four times a second.
    ui.ctx().request_repaint_after(Duration::from_millis(250));
}
