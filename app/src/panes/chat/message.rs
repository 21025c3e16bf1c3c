//! One message: a bubble at the right for the user, a column of markdown for the model, and the row of tools and figures under it.

use std::sync::Arc;

use eframe::egui::accesskit::Role as NodeRole;
use eframe::egui::text_selection::LabelSelectionState;
use eframe::egui::{Galley, Id, Pos2, Rect, Sense, Stroke, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2};

use crate::chat::{Answer, Stage, label, rate_tok_per_sec};
use crate::markdown::Rendered;
use crate::shell::{Command, words};
use crate::store::{AnswerStats, Message, MessageState, Role};
use crate::theme::{self, Text, Tokens, icons};
use crate::ui::{self, IconButton, Problem};

/// Widest bubble.
const BUBBLE_WIDTH: f32 = 560.0;
/// Padding of a bubble at the sides and above.
const BUBBLE_PAD: Vec2 = vec2(14.0, 8.0);
/// Height of the row of tools.
const TOOLS: f32 = 28.0;
/// Space between the text and the row of tools.
const TOOLS_GAP: f32 = 8.0;

/// Room given to a problem card to find its height.
const MAX_PROBLEM: f32 = 4000.0;

/// A message laid out for a width and a theme.
#[derive(Default)]
pub struct View {
    rendered: Rendered,
    bubble: Option<(Arc<Galley>, f32, bool)>,
    problem_height: f32,
    /// Height when it was last laid out.
    pub height: Option<f32>,
}

impl View {
    /// Forgets galleys, which belong to another font atlas, and keeps the height.
    pub fn forget_galleys(&mut self) {
        self.rendered = Rendered::default();
        self.bubble = None;
    }

    /// Lays the message out and gives its height.
    pub fn measure(&mut self, ui: &Ui, message: &Message, width: f32) -> f32 {
        let height = match message.role {
            Role::User => self.bubble(ui, message, width).size().y + 2.0 * BUBBLE_PAD.y,
            Role::Assistant | Role::System => {
                self.rendered.update(ui, &message.content, width);
                let text = self.rendered.height();
                let gap = if text > 0.0 { TOOLS_GAP } else { 0.0 };
                let problem = if message.state == MessageState::Failed {
                    self.problem_height.max(120.0) + 8.0
                } else {
                    0.0
                };
                text + gap + problem + TOOLS
            }
        };
        self.height = Some(height);
        height
    }

    fn bubble(&mut self, ui: &Ui, message: &Message, width: f32) -> Arc<Galley> {
        let tokens = theme::tokens(ui.ctx());
        let width = (width.min(BUBBLE_WIDTH) - 2.0 * BUBBLE_PAD.x).max(40.0);
        match &self.bubble {
            Some((galley, at, dark))
                if *at == width
                    && *dark == tokens.dark
                    && galley.pixels_per_point == ui.ctx().pixels_per_point() =>
            {
                Arc::clone(galley)
            }
            _ => {
                let galley = Text::Chat.wrapped(ui, &message.content, tokens.text, width);
                self.bubble = Some((Arc::clone(&galley), width, tokens.dark));
                galley
            }
        }
    }

    /// Draws the message, which was measured in this pass, with its upper left corner at `at`.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        message: &Message,
        shown: &Shown<'_>,
        at: Pos2,
        commands: &mut Vec<Command>,
    ) {
        match message.role {
            Role::User => self.show_question(ui, message, shown.width, at, commands),
            Role::Assistant | Role::System => self.show_answer(ui, message, shown, at, commands),
        }
    }

    fn show_question(
        &mut self,
        ui: &mut Ui,
        message: &Message,
        width: f32,
        at: Pos2,
        commands: &mut Vec<Command>,
    ) {
        let tokens = theme::tokens(ui.ctx());
        let galley = self.bubble(ui, message, width);
        let size = galley.size() + 2.0 * BUBBLE_PAD;
        let rect = Rect::from_min_size(pos2(at.x + width - size.x, at.y), size).round();
        ui.painter().rect_filled(rect, theme::R5, tokens.bubble);
        let id = Id::unique(("question", message.id.0));
        let mut sense = Sense::click_and_drag();
        sense -= Sense::FOCUSABLE;
        let response = ui.interact(rect, id, sense);
        response.widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, &message.content));
        LabelSelectionState::label_text_selection(
            ui,
            &response,
            rect.min + BUBBLE_PAD,
            galley,
            tokens.text,
            Stroke::NONE,
        );
        let tool = Rect::from_center_size(pos2(rect.left() - 18.0, rect.center().y), Vec2::splat(28.0));
        let over = ui.rect_contains_pointer(Rect::from_min_max(pos2(tool.left(), rect.top()), rect.max));
        let tool_id = id.with("copy");
        if over || ui.memory(|memory| memory.has_focus(tool_id)) {
            let copy = IconButton::new(icons::COPY, "Copy message").quiet().put_as(ui, tool, tool_id);
            if ui::tip(copy, "Copy message", &[]).clicked() {
                commands.push(Command::Copy(message.content.clone()));
            }
        } else {
            let response = ui.interact(tool, tool_id, Sense::click());
            response.widget_info(|| WidgetInfo::labeled(NodeRole::Button, true, "Copy message"));
        }
    }

    fn show_answer(
        &mut self,
        ui: &mut Ui,
        message: &Message,
        shown: &Shown<'_>,
        at: Pos2,
        commands: &mut Vec<Command>,
    ) {
        let id = Id::unique(("answer", message.id.0));
        let output = self.rendered.show(ui, id, at);
        commands.extend(output.copied.map(Command::Copy));
        commands.extend(output.link.map(Command::AskLink));
        let writes = shown.answer.is_some_and(|answer| answer.stage == Stage::Writing);
        if writes {
            self.rendered.show_cursor(ui, at);
        }
        let text = self.rendered.height();
        let mut y = at.y + text + if text > 0.0 { TOOLS_GAP } else { 0.0 };
        if message.state == MessageState::Failed {
            y += self.show_problem(ui, message, shown, pos2(at.x, y), commands) + 8.0;
        }
        let row = Rect::from_min_size(pos2(at.x, y), vec2(shown.width, TOOLS));
        match shown.answer {
            Some(answer) => show_progress(ui, row, answer),
            None => show_tools(ui, row, id, message, shown, commands),
        }
        show_figures(ui, row, &message.stats);
    }

    fn show_problem(
        &mut self,
        ui: &mut Ui,
        message: &Message,
        shown: &Shown<'_>,
        at: Pos2,
        commands: &mut Vec<Command>,
    ) -> f32 {
        let detail = sentence(message.error.as_deref().unwrap_or("The answer ended with an error."));
        let title = if message.content.is_empty() { "No answer" } else { "The answer broke off" };
        let rect = Rect::from_min_size(at, vec2(shown.width, MAX_PROBLEM));
        let builder = UiBuilder::new().max_rect(rect).scope_id(Id::unique(("problem", message.id.0)));
        let action = shown.last.then_some("Try again");
        let inner = ui.scope_builder(builder, |ui| {
            let problem = Problem { title, detail: &detail, action, closes: false };
            (ui::problem_card(ui, &problem), ui.min_rect().height())
        });
        let (output, height) = inner.inner;
        if output.action {
            commands.push(Command::Retry);
        }
        if output.copy {
            commands.push(Command::Copy(detail));
        }
        if self.problem_height != height {
            self.problem_height = height;
            ui.ctx().request_repaint();
        }
        height.max(120.0)
    }
}

/// An engine's message begins with a small letter; on a card it is a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How a message is shown.
pub struct Shown<'a> {
    /// Width of the column.
    pub width: f32,
    /// The running answer, if it grows this message.
    pub answer: Option<&'a Answer>,
    /// Whether it is the last message.
    pub last: bool,
    /// Whether the context was full when it ended.
    pub context_full: bool,
}

fn show_progress(ui: &mut Ui, row: Rect, answer: &Answer) {
    let tokens = theme::tokens(ui.ctx());
    let word = match answer.stage {
        _ if answer.stopping() => "Stopping".to_owned(),
        Stage::WaitingForModel => format!("Waiting for {}", label(&answer.model)),
        Stage::Queued => "Waiting for other answers".to_owned(),
        Stage::Reading { done_tokens, total_tokens } => {
            format!(
                "Reading {} of {} tokens",
                words::count(done_tokens.into()),
                words::count(total_tokens.into())
            )
        }
        Stage::Writing => "Writing".to_owned(),
    };
    ui::busy_ring(ui, pos2(row.left() + 7.0, row.center().y));
    let galley = Text::Small.line(ui, &word, tokens.text3, row.width() / 2.0);
    let rect = Rect::from_min_size(
        pos2(row.left() + 22.0, row.center().y - galley.size().y / 2.0).round(),
        galley.size(),
    );
    let response = ui.interact(rect, Id::unique("progress"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(NodeRole::Status, true, &word));
    ui.painter().galley(rect.min, galley, tokens.text3);
}

fn show_tools(
    ui: &mut Ui,
    row: Rect,
    id: Id,
    message: &Message,
    shown: &Shown<'_>,
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    let mut x = row.left();
    if !message.content.is_empty() {
        let copied_id = id.with("copied");
        let now = ui.input(|input| input.time);
        let copied = ui.data(|data| data.get_temp::<f64>(copied_id)).is_some_and(|at| now - at < 1.5);
        let rect = Rect::from_min_size(pos2(x - 6.0, row.top()), Vec2::splat(28.0));
        let button = if copied {
            IconButton::new(icons::CHECK, "Copy answer").color(tokens.success)
        } else {
            IconButton::new(icons::COPY, "Copy answer").quiet()
        };
        if ui::tip(button.put_as(ui, rect, id.with("copy")), "Copy answer", &[]).clicked() {
            commands.push(Command::Copy(message.content.clone()));
            ui.data_mut(|data| data.insert_temp(copied_id, now));
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(1500));
        }
        x += 30.0;
    }
    let state = match message.state {
        MessageState::Stopped => "Stopped",
        MessageState::Interrupted => "Interrupted: the program ended while this was written",
        MessageState::Complete if shown.last && shown.context_full => {
            "The context is full. Start a new chat to go on"
        }
        MessageState::Complete if message.content.trim().is_empty() => {
            "The model ended its turn without a word"
        }
        MessageState::Complete | MessageState::Writing | MessageState::Failed => return,
    };
    show_state(
        ui,
        &tokens,
        pos2(x, row.center().y),
        row.width() / 2.0,
        state,
        message.state == MessageState::Stopped,
    );
}

fn show_state(ui: &mut Ui, tokens: &Tokens, left: Pos2, width: f32, state: &str, quiet: bool) {
    let mut x = left.x;
    if !quiet {
        ui::icon(ui.painter(), icons::WARNING, pos2(x + 8.0, left.y), 16.0, tokens.warning);
        x += 22.0;
    }
    let galley = Text::Small.line(ui, state, tokens.text3, width);
    let rect = Rect::from_min_size(pos2(x, left.y - galley.size().y / 2.0).round(), galley.size());
    let response = ui.interact(rect, Id::unique(("state", x as i32, left.y as i32)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, state));
    ui.painter().galley(rect.min, galley, tokens.text3);
    response.on_hover_text(state);
}

/// Speed, tokens, time to the first token and lane, as far as they are known.
fn show_figures(ui: &mut Ui, row: Rect, stats: &AnswerStats) {
    if stats.tokens == 0 {
        return;
    }
    let tokens = theme::tokens(ui.ctx());
    let unit = if stats.tokens == 1 { "token" } else { "tokens" };
    let parts = [
        rate_tok_per_sec(stats).map(words::rate),
        Some(format!("{} {unit}", words::count(stats.tokens.into()))),
        (stats.prefill_millis > 0.0).then(|| format!("first token {}", words::millis(stats.prefill_millis))),
        (!stats.lane.is_empty()).then(|| words::device(&stats.lane)),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let galley = Text::MonoSmall.line(ui, &text, tokens.text3, row.width() - 120.0);
    let at = pos2(row.right() - galley.size().x, row.center().y - galley.size().y / 2.0).round();
    ui.painter().galley(at, galley, tokens.text3);
}
