//! Files that go with the next message, as chips above the text of the composer.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use crate::chat::{Attached, ChatCommand, Controller};
use crate::shell::{Command, words};
use crate::theme::{self, Text, icons};
use crate::ui::{self, IconButton};

/// Height of a chip.
const CHIP: f32 = 36.0;
/// Space below the chips.
const GAP: f32 = 8.0;
/// Widest chip.
const WIDEST: f32 = 320.0;

/// Height of the chips with the space below them.
pub fn height(controller: &Controller) -> f32 {
    let composing = &controller.composing;
    if composing.files.is_empty() && !composing.is_reading() { 0.0 } else { CHIP + GAP }
}

/// Draws the chips at the top of the composer.
pub fn show(ui: &mut Ui, composer: Rect, controller: &Controller, commands: &mut Vec<Command>) {
    if height(controller) == 0.0 {
        return;
    }
    let row = Rect::from_min_size(composer.min + vec2(17.0, 12.0), vec2(composer.width() - 34.0, CHIP));
    ui.scope_builder(UiBuilder::new().max_rect(row), |ui| {
        ScrollArea::horizontal().id_salt("attached").auto_shrink(false).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                for (index, attached) in controller.composing.files.iter().enumerate() {
                    if chip(ui, controller, attached, index) {
                        commands.push(Command::InChat(ChatCommand::Detach(index)));
                    }
                }
                if controller.composing.is_reading() {
                    reading(ui);
                }
            });
        });
    });
}

/// One file: icon, name, tokens, and a button that takes it away; true when that was pressed.
fn chip(ui: &mut Ui, controller: &Controller, attached: &Attached, index: usize) -> bool {
    let tokens = theme::tokens(ui.ctx());
    let file = &attached.file;
    let count = controller.file_tokens(attached.key, file.text.len());
    let about = if count.exact { "" } else { "about " };
    let size = format!("{about}{} tokens", words::count(count.tokens as u64));
    let figure = Text::MonoSmall.line(ui, &size, tokens.text3, 160.0);
    let name = Text::Label.line(ui, &file.name, tokens.text, WIDEST - 80.0 - figure.size().x);
    let width = 36.0 + name.size().x + 8.0 + figure.size().x + 36.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, CHIP), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("File {}, {size}", file.name)));
    let fill = if tokens.dark { tokens.raised } else { tokens.bg_base };
    ui.painter().rect(rect, theme::R3, fill, Stroke::new(1.0, tokens.border_strong), StrokeKind::Inside);
    let y = rect.center().y;
    ui::icon(ui.painter(), icons::FILE_TEXT, pos2(rect.left() + 20.0, y), 16.0, tokens.accent_text);
    let figure_left = rect.left() + 36.0 + name.size().x + 8.0;
    ui.painter().galley(pos2(rect.left() + 36.0, y - name.size().y / 2.0).round(), name, tokens.text);
    ui.painter().galley(pos2(figure_left, y - figure.size().y / 2.0).round(), figure, tokens.text3);
    let close = Rect::from_center_size(pos2(rect.right() - 18.0, y), Vec2::splat(24.0));
    let remove = format!("Remove {}", file.name);
    let button =
        IconButton::new(icons::X, &remove).quiet().put_as(ui, close, ui.scope_id().with(("remove", index)));
    let tip = format!("{}, {}", file.name, words::file_bytes(file.text.len()));
    response.on_hover_text(tip);
    button.clicked()
}

fn reading(ui: &mut Ui) {
    let tokens = theme::tokens(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(104.0, CHIP), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, "Reading file"));
    ui::busy_ring(ui, pos2(rect.left() + 10.0, rect.center().y));
    let galley = Text::Small.line(ui, "Reading file", tokens.text3, 80.0);
    let at = pos2(rect.left() + 26.0, rect.center().y - galley.size().y / 2.0).round();
    ui.painter().galley(at, galley, tokens.text3);
}
