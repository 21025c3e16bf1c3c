//! Reasoning of a model: one line that says how long it took, and the text itself when it is opened.

use eframe::egui::accesskit::Role;
use eframe::egui::{Id, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::message::View;
use crate::chat::{Answer, Stage, reasoning};
use crate::shell::{Command, words};
use crate::store::Message;
use crate::theme::{self, Text, icons};
use crate::ui;

/// Height of the line.
pub const HEADER: f32 = 36.0;
/// Space between the line and the text.
pub const GAP: f32 = 8.0;
/// Space below both.
pub const BELOW: f32 = 12.0;
/// Indentation of the text.
pub const INDENT: f32 = 14.0;

/// Draws the reasoning of `message`, if it has any, with its upper left corner at `at`.
pub fn show(
    view: &mut View,
    ui: &mut Ui,
    message: &Message,
    answer: Option<&Answer>,
    at: Pos2,
    id: Id,
    commands: &mut Vec<Command>,
) {
    let parts = reasoning::parts(&message.content);
    if parts.thought.is_empty() && !parts.open {
        return;
    }
    let thinks = answer.is_some_and(|answer| answer.stage == Stage::Thinking);
    if header(view, ui, message, (thinks, parts.open), at, id) {
        view.thought_open = !view.thought_open;
        ui.ctx().request_repaint();
    }
    if !view.thought_open || view.thought.height() <= 0.0 {
        return;
    }
    let tokens = theme::tokens(ui.ctx());
    let top = at + vec2(0.0, HEADER + GAP);
    let edge = Rect::from_min_size(top, vec2(2.0, view.thought.height()));
    ui.painter().rect_filled(edge, 0, tokens.border_strong);
    let output = view.thought.show(ui, id.with("thought text"), top + vec2(INDENT, 0.0));
    commands.extend(output.copied.map(Command::Copy));
    commands.extend(output.link.map(Command::AskLink));
}

/// Draws the line; true when it was pressed.
fn header(view: &View, ui: &Ui, message: &Message, (thinks, open): (bool, bool), at: Pos2, id: Id) -> bool {
    let tokens = theme::tokens(ui.ctx());
    let stats = &message.stats;
    let time = (stats.thinking_millis > 0.0).then(|| words::millis(stats.thinking_millis));
    let word = match (thinks, open, time) {
        (true, _, Some(time)) => format!("Thinking for {time}"),
        (true, _, None) => "Thinking".to_owned(),
        (false, true, Some(time)) => format!("Stopped thinking after {time}"),
        (false, true, None) => "Stopped thinking".to_owned(),
        (false, false, Some(time)) => format!("Thought for {time}"),
        (false, false, None) => "Thought".to_owned(),
    };
    let count = match stats.thinking_tokens {
        0 => String::new(),
        1 => "1 token".to_owned(),
        more => format!("{} tokens", words::count(more.into())),
    };
    let text = Text::Body.line(ui, &word, tokens.text, 320.0);
    let figure = Text::MonoSmall.line(ui, &count, tokens.text3, 120.0);
    let figure_room = if count.is_empty() { 0.0 } else { figure.size().x + 8.0 };
    let width = 12.0 + 24.0 + text.size().x + figure_room + 8.0 + 16.0 + 12.0;
    let rect = Rect::from_min_size(at, vec2(width, HEADER)).round();
    let response = ui.interact(rect, id.with("thought"), Sense::click());
    let spoken = format!("{word}, reasoning {}", if view.thought_open { "shown" } else { "hidden" });
    response.widget_info(|| WidgetInfo::selected(Role::DisclosureTriangle, true, view.thought_open, &spoken));
    let fill = if response.hovered() { tokens.hover } else { tokens.surface };
    ui.painter().rect(rect, theme::R3, fill, Stroke::new(1.0, tokens.border), StrokeKind::Inside);
    let y = rect.center().y;
    if thinks {
        ui::busy_ring(ui, pos2(rect.left() + 20.0, y));
    } else {
        ui::icon(ui.painter(), icons::BRAIN, pos2(rect.left() + 20.0, y), 16.0, tokens.text2);
    }
    let mut x = rect.left() + 36.0;
    let text_width = text.size().x;
    ui.painter().galley(pos2(x, y - text.size().y / 2.0).round(), text, tokens.text);
    x += text_width + 8.0;
    if !count.is_empty() {
        ui.painter().galley(pos2(x, y - figure.size().y / 2.0).round(), figure, tokens.text3);
    }
    let caret = if view.thought_open { icons::CARET_DOWN } else { icons::CARET_RIGHT };
    ui::icon(ui.painter(), caret, pos2(rect.right() - 20.0, y), 14.0, tokens.text2);
    ui::focus_ring(ui, &response, theme::R3);
    response.clicked()
}
