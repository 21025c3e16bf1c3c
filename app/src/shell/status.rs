//! The status bar: lane, model, speed and context at the left, memory at the right. Never hidden, so that a change of lane is seen.
//! What can be set is a button that opens its settings.

use eframe::egui::accesskit::Role;
use eframe::egui::{Color32, Rect, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{Command, Metrics, Part, words};
use crate::chat::{Controller, Engine, Stage, label, rate_tok_per_sec};
use crate::settings::Group;
use crate::store::Saving;
use crate::theme::{self, Text, Tokens, icons};
use crate::ui;

/// Widest name of a model.
const MODEL_WIDTH: f32 = 240.0;
/// Width of the line between two items, with the space around it.
const SEPARATOR: f32 = 25.0;
/// Width of the bar that shows how full the context is.
const GAUGE_WIDTH: f32 = 48.0;

/// Draws the status bar into `rect`.
pub fn show(
    ui: &mut Ui,
    rect: Rect,
    metrics: &Metrics,
    controller: &Controller,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    ui.painter().rect_filled(rect, 0, tokens.bg_rail);
    ui.painter().rect_filled(Rect::from_min_size(rect.min, vec2(rect.width(), 1.0)), 0, tokens.border);
    let mut bar = Bar { ui, tokens, rect, x: rect.left() + 12.0, first: true, commands };
    bar.lane(controller);
    bar.saving(controller);
    bar.model(controller);
    bar.figure(&speed(controller));
    bar.context(controller);
    if metrics.status_has_memory {
        bar.memory(controller);
    }
}

struct Bar<'a> {
    ui: &'a mut Ui,
    tokens: Tokens,
    rect: Rect,
    x: f32,
    first: bool,
    commands: &'a mut Vec<Command>,
}

impl Bar<'_> {
    fn lane(&mut self, controller: &Controller) {
        let (color, word, notice) = match controller.engine() {
            Engine::Starting => (self.tokens.text3, "Starting".to_owned(), None),
            Engine::Failed(problem) => (self.tokens.danger, "Stopped".to_owned(), Some(problem.clone())),
            Engine::Ready(status) => {
                let color = if status.notice.is_some() { self.tokens.warning } else { self.tokens.success };
                (color, words::lane(status.lane), status.notice.clone())
            }
        };
        ui::dot(self.ui.painter(), pos2(self.x + 4.0, self.rect.center().y), color);
        self.x += 14.0;
        self.button(
            Text::Small,
            (&word, &word),
            notice.as_deref().unwrap_or("Lane that models run on"),
            "Lane",
        );
    }

    /// That chats are not being saved; nothing while they are.
    fn saving(&mut self, controller: &Controller) {
        let Some(Saving::No { reason, .. }) = controller.saving() else { return };
        self.separator();
        self.text(Text::Small, self.tokens.warning, "Not saved", Some(reason));
    }

    fn model(&mut self, controller: &Controller) {
        let (word, path) = match (&controller.shelf.loading, controller.model()) {
            (Some(loading), _) => {
                (format!("Loading {}", loading.choice.label()), loading.choice.path.clone())
            }
            (None, Some(model)) => (format!("{} · {}", label(&model.id), model.packing), model.path.clone()),
            (None, None) => return,
        };
        self.separator();
        ui::icon(
            self.ui.painter(),
            icons::CUBE,
            pos2(self.x + 7.0, self.rect.center().y),
            14.0,
            self.tokens.text2,
        );
        self.x += 20.0;
        let room = MODEL_WIDTH.min(self.rect.right() - 12.0 - self.x);
        let shown = Text::Small.file_name(self.ui, &word, room);
        self.button(Text::Small, (&shown, &word), &path.to_string_lossy(), "Model");
    }

    /// Whether a text and so much more have room; numbers are dropped rather than cut.
    fn has_room(&self, text: &str, more: f32) -> bool {
        let width = Text::MonoSmall.line(self.ui, text, Color32::PLACEHOLDER, f32::INFINITY).size().x;
        self.x + SEPARATOR + width + more <= self.rect.right() - 12.0
    }

    fn figure(&mut self, text: &str) {
        if !self.has_room(text, 0.0) {
            return;
        }
        self.separator();
        self.text(Text::MonoSmall, self.tokens.text2, text, None);
    }

    fn context(&mut self, controller: &Controller) {
        let Some(used) = controller.context_use() else { return };
        let level = used.level();
        let text = format!("{} / {}", words::count(used.used() as u64), words::count(used.limit as u64));
        if !self.has_room(&text, 6.0 + GAUGE_WIDTH) {
            return;
        }
        self.separator();
        self.text(Text::MonoSmall, self.tokens.text2, &text, Some("Tokens of context used"));
        let bar = Rect::from_min_size(pos2(self.x + 6.0, self.rect.center().y - 1.5), vec2(GAUGE_WIDTH, 4.0));
        ui::bar(self.ui.painter(), &self.tokens, bar, level, ui::level_color(&self.tokens, level));
        self.x = bar.right();
    }

    fn memory(&mut self, controller: &Controller) {
        let Some(status) = controller.engine_status() else { return };
        let text = words::memory(status.memory_used_bytes, status.memory_budget_bytes);
        let galley = Text::MonoSmall.line(self.ui, &text, self.tokens.text2, f32::INFINITY);
        let left = self.rect.right() - 12.0 - galley.size().x;
        if left - 20.0 < self.x + 16.0 {
            return;
        }
        self.x = left;
        ui::icon(
            self.ui.painter(),
            icons::MEMORY,
            pos2(left - 13.0, self.rect.center().y),
            14.0,
            self.tokens.text2,
        );
        self.button(
            Text::MonoSmall,
            (&text, &text),
            "Memory used by models, of the budget for them",
            "Memory",
        );
    }

    fn separator(&mut self) {
        if !self.first {
            let line = Rect::from_min_size(pos2(self.x + 12.0, self.rect.center().y - 6.0), vec2(1.0, 13.0));
            self.ui.painter().rect_filled(line, 0, self.tokens.border_strong);
            self.x += SEPARATOR;
        }
    }

    /// A text that opens the settings of models: what is drawn, and what it says to a screen reader.
    fn button(&mut self, style: Text, (text, said): (&str, &str), tip: &str, name: &str) {
        self.first = false;
        let galley =
            style.line(self.ui, text, self.tokens.text2, (self.rect.right() - 12.0 - self.x).max(0.0));
        let at = pos2(self.x, self.rect.center().y + 0.5 - galley.size().y / 2.0).round();
        let rect = Rect::from_min_size(
            pos2(at.x - 4.0, self.rect.top() + 2.0),
            vec2(galley.size().x + 8.0, self.rect.height() - 3.0),
        );
        let response = self.ui.interact(rect, self.ui.scope_id().with(("status", name)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, said));
        let hovered = response.hovered();
        if hovered {
            self.ui.painter().rect_filled(rect, theme::R1, self.tokens.hover);
        }
        let color = if hovered { self.tokens.text } else { self.tokens.text2 };
        self.ui.painter().galley_with_override_text_color(at, galley, color);
        ui::focus_ring_inside(self.ui, &response, theme::R1);
        self.x = rect.right() - 4.0;
        if ui::tip(response, tip, &[]).clicked() {
            self.commands.push(Command::ShowSettings(Part::Values(Group::Models)));
        }
    }

    fn text(&mut self, style: Text, color: Color32, text: &str, tip: Option<&str>) {
        self.first = false;
        let galley = style.line(self.ui, text, color, (self.rect.right() - 12.0 - self.x).max(0.0));
        let at = pos2(self.x, self.rect.center().y + 0.5 - galley.size().y / 2.0).round();
        let rect = Rect::from_min_size(at, galley.size());
        let response =
            self.ui.interact(rect, self.ui.scope_id().with(("status", self.x as i32)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
        self.ui.painter().galley(at, galley, color);
        if let Some(tip) = tip {
            response.on_hover_text(tip);
        }
        self.x = rect.right();
    }
}

/// What the engine does now, in a word or as a speed.
fn speed(controller: &Controller) -> String {
    if let Some(loading) = &controller.shelf.loading {
        let part = loading.done_bytes as f64 / loading.total_bytes.max(1) as f64;
        return if loading.total_bytes == 0 { "Loading".to_owned() } else { words::percent(part) };
    }
    let Some(conversation) = controller.conversation() else { return "Idle".to_owned() };
    match conversation.answer.as_ref().map(|answer| answer.stage) {
        None | Some(Stage::WaitingForModel) => "Idle".to_owned(),
        Some(Stage::Queued) => "Waiting".to_owned(),
        Some(Stage::Counting) => "Counting".to_owned(),
        Some(Stage::Reading { .. }) => "Reading".to_owned(),
        Some(Stage::Thinking | Stage::Writing) => {
            let stats = conversation.answering().map(|message| &message.stats);
            stats.and_then(rate_tok_per_sec).map_or_else(|| "Writing".to_owned(), words::rate)
        }
    }
}
