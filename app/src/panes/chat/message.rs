//! One message as it is laid out and kept between passes: a bubble at the right for the user, a column of markdown for the model.

use std::sync::Arc;

use eframe::egui::{Galley, Id, Pos2, Ui, Vec2, vec2};

use super::editor::{self, Editing};
use super::{question, reply, thought};
use crate::chat::{Answer, Place, reasoning};
use crate::markdown::Rendered;
use crate::shell::Command;
use crate::store::{Message, MessageId, MessageState, Role};
use crate::theme::{self, Text};

/// Widest bubble.
const BUBBLE_WIDTH: f32 = 560.0;
/// Room left of a bubble for its tools.
const BESIDE: f32 = 96.0;
/// Padding of a bubble at the sides and above.
pub const BUBBLE_PAD: Vec2 = vec2(14.0, 8.0);
/// Height of the row of tools.
pub const TOOLS: f32 = 28.0;
/// Space between the text and the row of tools.
pub const TOOLS_GAP: f32 = 8.0;
/// Least height of a problem card.
pub const LEAST_PROBLEM: f32 = 120.0;

/// A message laid out for a width and a theme.
#[derive(Default)]
pub struct View {
    /// The answer's text.
    pub rendered: Rendered,
    /// The reasoning before it.
    pub thought: Rendered,
    /// Whether the reasoning is shown.
    pub thought_open: bool,
    bubble: Option<(Arc<Galley>, f32, bool)>,
    /// Height of the problem card when it was drawn last.
    pub problem_height: f32,
    /// Height when it was last laid out.
    pub height: Option<f32>,
    /// Height guessed for so many bytes of text at a width, while it was not laid out.
    guess: Option<(usize, f32, f32)>,
}

/// How a message is shown.
pub struct Shown<'a> {
    /// Width of the column.
    pub width: f32,
    /// The running answer, if it grows this message.
    pub answer: Option<&'a Answer>,
    /// Whether an answer is being written anywhere in this conversation.
    pub busy: bool,
    /// Whether it is the last message.
    pub last: bool,
    /// Whether it is the last and broke off, so that one can go on with it.
    pub can_go_on: bool,
    /// Where it stands among its siblings.
    pub place: Place,
}

/// Tells the widgets of messages apart.
pub fn message_widget(id: MessageId) -> Id {
    Id::unique(("message", id.0))
}

impl View {
    /// Forgets galleys, which belong to another font atlas, and keeps the height.
    pub fn forget_galleys(&mut self) {
        self.rendered = Rendered::default();
        self.thought = Rendered::default();
        self.bubble = None;
    }

    /// Lays the message out and gives its height.
    pub fn measure(
        &mut self,
        ui: &Ui,
        message: &Message,
        editing: Option<&Editing>,
        shown: &Shown<'_>,
    ) -> f32 {
        let height = match message.role {
            Role::User => match editing.filter(|editing| editing.message == message.id) {
                Some(editing) => editor::height(ui, editing, shown.width),
                None => {
                    let files = question::files_height(message);
                    let text = self.text_size(ui, message, shown.width).y;
                    let gap = if files > 0.0 && text > 0.0 { 8.0 } else { 0.0 };
                    // The arrows are the space below the question as well.
                    let row = if shown.place.of > 1 { TOOLS - 4.0 } else { 0.0 };
                    files + gap + text + 2.0 * BUBBLE_PAD.y + row
                }
            },
            Role::Assistant | Role::System => self.measure_answer(ui, message, shown.width),
        };
        self.height = Some(height);
        height
    }

    fn measure_answer(&mut self, ui: &Ui, message: &Message, width: f32) -> f32 {
        let parts = reasoning::parts(&message.content);
        self.rendered.update(ui, parts.answer, width);
        if self.thought_open {
            let text = reasoning::readable(parts.thought);
            self.thought.update_muted(ui, &text, width - thought::INDENT);
        }
        let text = self.rendered.height();
        let gap = if text > 0.0 { TOOLS_GAP } else { 0.0 };
        let problem = if message.state == MessageState::Failed {
            self.problem_height.max(LEAST_PROBLEM) + 8.0
        } else {
            0.0
        };
        self.thought_height(message) + text + gap + problem + TOOLS
    }

    /// Height of the reasoning with the space below it; 0 without.
    pub fn thought_height(&self, message: &Message) -> f32 {
        let parts = reasoning::parts(&message.content);
        if parts.thought.is_empty() && !parts.open {
            return 0.0;
        }
        let body = if self.thought_open { thought::GAP + self.thought.height() } else { 0.0 };
        thought::HEADER + body + thought::BELOW
    }

    /// The text of a question.
    pub fn bubble(&mut self, ui: &Ui, message: &Message, width: f32) -> Arc<Galley> {
        let tokens = theme::tokens(ui.ctx());
        let width = bubble_width(width);
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

    /// Size of the text of a question; nothing where files stand alone.
    pub fn text_size(&mut self, ui: &Ui, message: &Message, width: f32) -> Vec2 {
        if message.content.is_empty() { Vec2::ZERO } else { self.bubble(ui, message, width).size() }
    }

    /// Height guessed for a message that was never laid out, from its length.
    pub fn guess(&mut self, message: &Message, width: f32) -> f32 {
        let bytes = message.content.len();
        match self.guess {
            Some((known, at, height)) if known == bytes && at == width => height,
            _ => {
                let height = guess(message, width);
                self.guess = Some((bytes, width, height));
                height
            }
        }
    }

    /// Draws the message, which was measured in this pass, with its upper left corner at `at`.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        message: &Message,
        editing: Option<&mut Editing>,
        shown: &Shown<'_>,
        at: Pos2,
        commands: &mut Vec<Command>,
    ) {
        match message.role {
            Role::User => match editing.filter(|editing| editing.message == message.id) {
                Some(editing) => editor::show(ui, editing, shown, at, commands),
                None => question::show(self, ui, message, shown, at, commands),
            },
            Role::Assistant | Role::System => reply::show(self, ui, message, shown, at, commands),
        }
    }
}

/// Widest text of a bubble in a column.
pub fn bubble_width(column: f32) -> f32 {
    ((column - BESIDE).min(BUBBLE_WIDTH) - 2.0 * BUBBLE_PAD.x).max(40.0)
}

fn guess(message: &Message, width: f32) -> f32 {
    let per_line = (width / 7.0).max(10.0);
    let lines: f32 =
        message.content.lines().map(|line| (line.chars().count() as f32 / per_line).ceil().max(1.0)).sum();
    let frame = if message.role == Role::User { 16.0 } else { 36.0 };
    lines.max(1.0) * 24.0 + frame
}
