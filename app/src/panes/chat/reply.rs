//! An answer: reasoning, text, a problem if there was one, and the row of tools and figures under it.

use eframe::egui::accesskit::Role as NodeRole;
use eframe::egui::{Id, Popup, Pos2, Rect, RectAlign, Sense, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2};

use super::message::{LEAST_PROBLEM, Shown, TOOLS, TOOLS_GAP, View, message_widget};
use super::{question, thought, tools};
use crate::chat::{Answer, BUSY, ChatCommand, Stage, label, rate_tok_per_sec, reasoning};
use crate::shell::{Command, words};
use crate::store::{AnswerStats, Message, MessageState};
use crate::theme::{self, Text, Tokens, icons};
use crate::ui::{self, Button, IconButton, Kind, MenuItem, Problem, Size};

/// Room given to a problem card to find its height.
const MAX_PROBLEM: f32 = 4000.0;

/// Draws the answer with its upper left corner at `at`.
pub fn show(
    view: &mut View,
    ui: &mut Ui,
    message: &Message,
    shown: &Shown<'_>,
    at: Pos2,
    commands: &mut Vec<Command>,
) {
    let id = message_widget(message.id);
    thought::show(view, ui, message, shown.answer, at, id, commands);
    let at = at + vec2(0.0, view.thought_height(message));
    let output = view.rendered.show(ui, id, at);
    commands.extend(output.copied.map(Command::Copy));
    commands.extend(output.link.map(Command::AskLink));
    if shown.answer.is_some_and(|answer| answer.stage == Stage::Writing) {
        view.rendered.show_cursor(ui, at);
    }
    let text = view.rendered.height();
    let mut y = at.y + text + if text > 0.0 { TOOLS_GAP } else { 0.0 };
    if message.state == MessageState::Failed {
        y += problem(view, ui, message, shown, pos2(at.x, y), commands) + 8.0;
    }
    let row = Rect::from_min_size(pos2(at.x, y), vec2(shown.width, TOOLS));
    let used = match shown.answer {
        Some(answer) => progress(ui, row, answer),
        None => tool_row(ui, row, id, message, shown, commands),
    };
    figures(ui, row, used, &message.stats);
}

fn problem(
    view: &mut View,
    ui: &mut Ui,
    message: &Message,
    shown: &Shown<'_>,
    at: Pos2,
    commands: &mut Vec<Command>,
) -> f32 {
    let detail = words::sentence(message.error.as_deref().unwrap_or("The answer ended with an error."));
    let title = if message.content.is_empty() { "No answer" } else { "The answer broke off" };
    let rect = Rect::from_min_size(at, vec2(shown.width, MAX_PROBLEM));
    let builder = UiBuilder::new().max_rect(rect).scope_id(Id::unique(("problem", message.id.0)));
    let action = (shown.last && !shown.busy).then_some("Try again");
    let inner = ui.scope_builder(builder, |ui| {
        let problem = Problem { title, detail: &detail, details: &[], action, closes: false };
        (ui::problem_card(ui, &problem), ui.min_rect().height())
    });
    let (output, height) = inner.inner;
    if output.action {
        commands.push(Command::InChat(ChatCommand::Again(message.id)));
    }
    if output.copy {
        commands.push(Command::Copy(detail));
    }
    if view.problem_height != height {
        view.problem_height = height;
        ui.ctx().request_repaint();
    }
    height.max(LEAST_PROBLEM)
}

/// Draws what a running answer does; gives the right edge of it.
fn progress(ui: &mut Ui, row: Rect, answer: &Answer) -> f32 {
    let tokens = theme::tokens(ui.ctx());
    let word = match answer.stage {
        _ if answer.stopping() => "Stopping".to_owned(),
        Stage::WaitingForModel => format!("Waiting for {}", label(&answer.model)),
        Stage::Counting => "Counting tokens".to_owned(),
        Stage::Queued => "Waiting for other answers".to_owned(),
        Stage::Reading { done_tokens, total_tokens } => format!(
            "Reading {} of {} tokens",
            words::count(done_tokens.into()),
            words::count(total_tokens.into())
        ),
        Stage::Thinking => "Thinking".to_owned(),
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
    rect.right()
}

/// Draws the tools; gives the right edge of what was drawn.
fn tool_row(
    ui: &mut Ui,
    row: Rect,
    id: Id,
    message: &Message,
    shown: &Shown<'_>,
    commands: &mut Vec<Command>,
) -> f32 {
    let mut x = row.left() - 6.0;
    let mut next = || {
        x += 30.0;
        Rect::from_min_size(pos2(x - 30.0, row.top()), Vec2::splat(28.0))
    };
    let answer = reasoning::parts(&message.content).answer;
    if !answer.is_empty() {
        tools::copy_button(ui, next(), id.with("copy"), "Copy answer", answer, commands);
    }
    // A failed answer without a word has its own button to try again, and nothing to copy.
    if !(message.state == MessageState::Failed && message.content.is_empty()) {
        if tool(ui, next(), id.with("again"), (icons::ARROWS_CLOCKWISE, "Answer again"), shown.busy) {
            commands.push(Command::InChat(ChatCommand::Again(message.id)));
        }
        if tool(ui, next(), id.with("branch"), (icons::GIT_BRANCH, "Copy into a new chat"), shown.busy) {
            commands.push(Command::InChat(ChatCommand::Fork(message.id)));
        }
    }
    more_menu(ui, next(), id.with("more"), message, shown, commands);
    if shown.place.of > 1 {
        x = tools::siblings(ui, message.id, shown.place, pos2(x, row.center().y), id, commands) + 4.0;
    }
    if shown.can_go_on {
        x = go_on_button(ui, pos2(x + 4.0, row.top() + 2.0), id, commands) + 8.0;
    }
    match state_word(message) {
        Some((word, quiet)) => {
            state(ui, id, pos2(x + 4.0, row.center().y), row.right() - x - 4.0, word, quiet)
        }
        None => x,
    }
}

/// An icon of the tool row; true when it was clicked. Says why it does nothing while an answer is being written.
fn tool(ui: &Ui, rect: Rect, id: Id, (glyph, name): (char, &str), busy: bool) -> bool {
    if busy {
        let tokens = theme::tokens(ui.ctx());
        let response = ui.interact(rect, id, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(NodeRole::Button, false, name));
        ui::icon(ui.painter(), glyph, rect.center(), 16.0, tokens.disabled);
        response.on_hover_text(BUSY);
        return false;
    }
    ui::tip(IconButton::new(glyph, name).quiet().put_as(ui, rect, id), name, &[]).clicked()
}

fn more_menu(
    ui: &mut Ui,
    rect: Rect,
    id: Id,
    message: &Message,
    shown: &Shown<'_>,
    commands: &mut Vec<Command>,
) {
    let more = ui::tip(IconButton::new(icons::DOTS_THREE, "More").quiet().put_as(ui, rect, id), "More", &[]);
    let frame = ui::menu_frame(ui);
    Popup::menu(&more).align(RectAlign::BOTTOM_START).frame(frame).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if ui.add(MenuItem::new(icons::COPY, "Copy as the model wrote it").width(220.0)).clicked() {
            commands.push(Command::Copy(message.content.clone()));
        }
        question::delete_item(ui, message, shown, commands);
    });
}

fn go_on_button(ui: &mut Ui, at: Pos2, id: Id, commands: &mut Vec<Command>) -> f32 {
    let rect = Rect::from_min_size(at, vec2(120.0, 24.0));
    let builder = UiBuilder::new().max_rect(rect).scope_id(id.with("go on scope"));
    let response = ui
        .scope_builder(builder, |ui| ui.add(Button::new(Kind::Secondary, "Continue").size(Size::Small)))
        .inner;
    if response.clicked() {
        commands.push(Command::InChat(ChatCommand::GoOn));
    }
    response.rect.right()
}

/// How an answer ended, where that has to be said, and whether it is no cause for worry.
fn state_word(message: &Message) -> Option<(&'static str, bool)> {
    match message.state {
        MessageState::Stopped => Some(("Stopped", true)),
        MessageState::Interrupted => Some(("Interrupted: the program ended while this was written", false)),
        MessageState::Complete if message.stats.cut_short => Some(("Cut off at the limit of tokens", false)),
        MessageState::Complete if message.content.trim().is_empty() => {
            Some(("The model ended its turn without a word", false))
        }
        MessageState::Complete | MessageState::Writing | MessageState::Failed => None,
    }
}

fn state(ui: &mut Ui, id: Id, left: Pos2, room: f32, word: &str, quiet: bool) -> f32 {
    let tokens = theme::tokens(ui.ctx());
    let mut x = left.x;
    if !quiet {
        ui::icon(ui.painter(), icons::WARNING, pos2(x + 8.0, left.y), 16.0, tokens.warning);
        x += 22.0;
    }
    let galley = Text::Small.line(ui, word, tokens.text3, (room - 22.0).max(40.0));
    let rect = Rect::from_min_size(pos2(x, left.y - galley.size().y / 2.0).round(), galley.size());
    let response = ui.interact(rect, id.with("state"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, word));
    ui.painter().galley(rect.min, galley, tokens.text3);
    response.on_hover_text(word);
    rect.right()
}

/// Speed, tokens, time to the first token and lane, as far as they are known and as there is room: numbers are never cut.
fn figures(ui: &mut Ui, row: Rect, used: f32, stats: &AnswerStats) {
    if stats.tokens == 0 {
        return;
    }
    let tokens = theme::tokens(ui.ctx());
    let mut parts = figure_parts(stats);
    while !parts.is_empty() {
        let galley = Text::MonoSmall.line(ui, &parts.join(" · "), tokens.text3, f32::INFINITY);
        let left = row.right() - galley.size().x;
        if left >= used + 16.0 {
            let at = pos2(left, row.center().y - galley.size().y / 2.0).round();
            paint_figures(ui, &tokens, at, galley, stats);
            return;
        }
        parts.pop();
    }
}

fn figure_parts(stats: &AnswerStats) -> Vec<String> {
    let unit = if stats.tokens == 1 { "token" } else { "tokens" };
    let parts = [
        rate_tok_per_sec(stats).map(words::rate),
        Some(format!("{} {unit}", words::count(stats.tokens.into()))),
        (stats.prefill_millis > 0.0).then(|| format!("first token {}", words::millis(stats.prefill_millis))),
        (!stats.lane.is_empty()).then(|| words::device(&stats.lane)),
    ];
    parts.into_iter().flatten().collect()
}

fn paint_figures(
    ui: &Ui,
    tokens: &Tokens,
    at: Pos2,
    galley: std::sync::Arc<eframe::egui::Galley>,
    stats: &AnswerStats,
) {
    let rect = Rect::from_min_size(at, galley.size());
    let id = Id::unique(("figures", at.x as i32, at.y as i32));
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, figure_parts(stats).join(", ")));
    ui.painter().galley(at, galley, tokens.text3);
    let model = if stats.model.is_empty() { String::new() } else { format!("{} · ", label(&stats.model)) };
    let tip = format!(
        "{model}{} tokens of prompt, {} of them read before",
        words::count(stats.prompt_tokens.into()),
        words::count(stats.cached_tokens.into())
    );
    response.on_hover_text(tip);
}
