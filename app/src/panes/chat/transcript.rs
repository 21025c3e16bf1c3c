//! The column of messages: lays out what is near the viewport, estimates the rest, and keeps its place when estimates turn into
//! heights above it.

use std::collections::HashMap;

use eframe::egui::{Rect, ScrollArea, Ui, UiBuilder, pos2, vec2};

use super::message::{Shown, View};
use crate::chat::Conversation;
use crate::shell::Command;
use crate::store::{ChatId, Message, MessageId, Role};
use crate::theme::{self, icons};
use crate::ui::{Button, Kind};

/// Space above the first message.
const ABOVE: f32 = 24.0;
/// Space below the last message.
const BELOW: f32 = 8.0;
/// How far beyond the viewport messages are laid out, so that heights settle before they are seen.
const AHEAD: f32 = 900.0;
/// Distance from the end within which the view follows new text.
const AT_END: f32 = 8.0;

/// What the column remembers between passes.
#[derive(Default)]
pub struct Transcript {
    views: HashMap<MessageId, View>,
    chat: Option<ChatId>,
    offset: f32,
    viewport_height: f32,
    at_end: bool,
    to_end: bool,
    /// The font atlas that the views point into, see [`theme::glyphs`].
    atlas: u64,
    /// Messages laid out in the last pass, for tests.
    pub laid_out: usize,
}

impl Transcript {
    /// Scrolls to the end with the next pass.
    pub fn go_to_end(&mut self) {
        self.to_end = true;
    }

    /// Draws the messages into `rect`.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        conversation: &Conversation,
        width: f32,
        commands: &mut Vec<Command>,
    ) {
        if self.chat != Some(conversation.chat.id) {
            *self = Self { chat: Some(conversation.chat.id), at_end: true, to_end: true, ..Self::default() };
        }
        let messages = &conversation.messages;
        self.views.retain(|id, _| messages.iter().any(|message| message.id == *id));
        self.viewport_height = rect.height();
        let atlas = theme::glyphs::generation(ui.ctx());
        let other_atlas = std::mem::replace(&mut self.atlas, atlas) != atlas;
        if other_atlas {
            self.views.values_mut().for_each(View::forget_galleys);
        }
        let shift = self.measure(ui, conversation, width);
        let mut area = ScrollArea::vertical()
            .id_salt(("messages", conversation.chat.id.0))
            .stick_to_bottom(true)
            .auto_shrink(false);
        // At the end the view follows the text in the same pass; sticking alone would lag by one.
        if std::mem::take(&mut self.to_end) || self.at_end {
            area = area.vertical_scroll_offset((self.total(messages, width) - rect.height()).max(0.0));
        } else if shift != 0.0 || other_atlas {
            // A new window does not know the place.
            area = area.vertical_scroll_offset((self.offset + shift).max(0.0));
        }
        let output = ui
            .scope_builder(UiBuilder::new().max_rect(rect), |ui| {
                area.show_viewport(ui, |ui, viewport| {
                    ui.set_height(self.total(messages, width));
                    self.paint(ui, viewport, conversation, width, commands);
                })
            })
            .inner;
        self.offset = output.state.clamped_offset().y;
        self.at_end = self.offset + output.inner_rect.height() >= output.content_size.y - AT_END;
        if !self.at_end {
            self.newest_button(ui, rect);
        }
    }

    /// Lays out what is near the viewport; gives by how much the content above the viewport grew.
    fn measure(&mut self, ui: &Ui, conversation: &Conversation, width: f32) -> f32 {
        let total = self.total(&conversation.messages, width);
        let top =
            if self.at_end || self.to_end { (total - self.viewport_height).max(0.0) } else { self.offset };
        let near = top - AHEAD..top + self.viewport_height + AHEAD;
        let mut y = ABOVE;
        let mut shift = 0.0;
        self.laid_out = 0;
        for message in &conversation.messages {
            let view = self.views.entry(message.id).or_default();
            let before = view.height.unwrap_or_else(|| estimate(message, width));
            if y <= near.end && y + before >= near.start {
                self.laid_out += 1;
                let height = view.measure(ui, message, width);
                if y + before <= top {
                    shift += height - before;
                }
            }
            y += before + gap(message);
        }
        shift
    }

    fn paint(
        &mut self,
        ui: &mut Ui,
        viewport: Rect,
        conversation: &Conversation,
        width: f32,
        commands: &mut Vec<Command>,
    ) {
        let origin = ui.max_rect().min;
        let left = (origin.x + (ui.max_rect().width() - width) / 2.0).round();
        let count = conversation.messages.len();
        let mut y = ABOVE;
        for (index, message) in conversation.messages.iter().enumerate() {
            let view = self.views.entry(message.id).or_default();
            let height = view.height.unwrap_or_else(|| estimate(message, width));
            if y < viewport.bottom() && y + height > viewport.top() {
                view.measure(ui, message, width);
                let shown = Shown {
                    width,
                    answer: conversation.answer.as_ref().filter(|answer| answer.message == message.id),
                    last: index + 1 == count,
                    context_full: conversation.context_full,
                };
                view.show(ui, message, &shown, pos2(left, (origin.y + y).round()), commands);
            }
            y += height + gap(message);
        }
    }

    fn total(&self, messages: &[Message], width: f32) -> f32 {
        let height = |message: &Message| {
            let known = self.views.get(&message.id).and_then(|view| view.height);
            known.unwrap_or_else(|| estimate(message, width)) + gap(message)
        };
        ABOVE + BELOW + messages.iter().map(height).sum::<f32>() - messages.last().map_or(0.0, gap)
    }

    fn newest_button(&mut self, ui: &mut Ui, rect: Rect) {
        let size = vec2(92.0, 28.0);
        let at = Rect::from_min_size(
            pos2(rect.center().x - size.x / 2.0, rect.bottom() - size.y - 8.0).round(),
            size,
        );
        let tokens = theme::tokens(ui.ctx());
        ui.painter().add(theme::shadow(&tokens, theme::Elevation::Tooltip).as_shape(at, theme::R2));
        let button = Button::new(Kind::Secondary, "Newest").icon(icons::ARROW_DOWN);
        let clicked = ui.scope_builder(UiBuilder::new().max_rect(at), |ui| ui.add(button).clicked()).inner;
        if clicked {
            self.to_end = true;
            ui.ctx().request_repaint();
        }
    }
}

/// Space below a message.
fn gap(message: &Message) -> f32 {
    if message.role == Role::User { 16.0 } else { 20.0 }
}

/// Height of a message that was never laid out, from its length.
fn estimate(message: &Message, width: f32) -> f32 {
    let per_line = (width / 7.0).max(10.0);
    let lines: f32 =
        message.content.lines().map(|line| (line.chars().count() as f32 / per_line).ceil().max(1.0)).sum();
    let frame = if message.role == Role::User { 16.0 } else { 36.0 };
    lines.max(1.0) * 24.0 + frame
}
