//! The column of messages: lays out what is near the viewport, guesses the height of the rest, and keeps its place when guesses turn into
//! heights above it.

use std::collections::{HashMap, HashSet};

use eframe::egui::accesskit::Role as NodeRole;
use eframe::egui::{Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::announce::Announcer;
use super::editor::Editing;
use super::message::{Shown, View, message_widget};
use super::tools;
use crate::chat::{Conversation, reasoning};
use crate::shell::Command;
use crate::store::{ChatId, Message, MessageId, Role};
use crate::theme::{self, Text, icons};
use crate::ui::{Button, Kind};

/// Space above the first message.
const ABOVE: f32 = 24.0;
/// Space below the last message.
const BELOW: f32 = 8.0;
/// How far beyond the viewport messages are laid out, so that heights settle before they are seen.
const AHEAD: f32 = 900.0;
/// Distance from the end within which the view follows new text.
const AT_END: f32 = 8.0;
/// Height of the line above the first message that the model is told.
const DIVIDER: f32 = 36.0;

/// What the column remembers between passes.
#[derive(Default)]
pub struct Transcript {
    views: HashMap<MessageId, View>,
    chat: Option<ChatId>,
    offset: f32,
    viewport_height: f32,
    at_end: bool,
    to_end: bool,
    /// The message to scroll to, and in how many passes: guesses of heights above it become heights meanwhile.
    to_message: Option<(MessageId, u8)>,
    announcer: Announcer,
    /// The question that is being edited.
    pub editing: Option<Editing>,
    /// The message whose tools have the keyboard.
    pub keyboard_in: Option<MessageId>,
    /// The font atlas that the views point into, see [`theme::glyphs`].
    atlas: u64,
    /// Messages laid out in the last pass, for tests.
    pub laid_out: usize,
}

/// What is drawn, the same for every message of a pass.
struct Page<'a> {
    conversation: &'a Conversation,
    width: f32,
}

impl Page<'_> {
    fn shown(&self, index: usize) -> Shown<'_> {
        let conversation = self.conversation;
        let id = conversation.messages.get(index).map(|message| message.id);
        let last = index + 1 == conversation.messages.len();
        Shown {
            width: self.width,
            answer: conversation.answer.as_ref().filter(|answer| Some(answer.message) == id),
            busy: conversation.answer.is_some(),
            last,
            can_go_on: last && conversation.can_go_on(),
            place: conversation.place(index),
        }
    }

    /// Space above a message besides the gap: the line that says what the model no longer sees.
    fn above(&self, message: &Message) -> f32 {
        if self.conversation.told_from == Some(message.id) { DIVIDER } else { 0.0 }
    }
}

impl Transcript {
    /// Scrolls to the end with the next pass.
    pub fn go_to_end(&mut self) {
        self.to_end = true;
    }

    /// Scrolls to a message with the next pass.
    pub fn go_to(&mut self, message: MessageId) {
        self.to_message = Some((message, 4));
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
            let to_message = self.to_message;
            let chat = Some(conversation.chat.id);
            *self = Self { chat, at_end: true, to_end: true, to_message, ..Self::default() };
        }
        self.forget(&conversation.messages);
        self.viewport_height = rect.height();
        let atlas = theme::glyphs::generation(ui.ctx());
        let other_atlas = std::mem::replace(&mut self.atlas, atlas) != atlas;
        if other_atlas {
            self.views.values_mut().for_each(View::forget_galleys);
        }
        let page = Page { conversation, width };
        let target = self.target(ui, &page);
        if let Some(top) = target {
            (self.at_end, self.to_end, self.offset) = (false, false, top);
        }
        let shift = self.measure(ui, &page);
        let mut area = ScrollArea::vertical()
            .id_salt(("messages", conversation.chat.id.0))
            .stick_to_bottom(target.is_none())
            .auto_shrink(false);
        let total = self.total(&page);
        // At the end the view follows the text in the same pass; sticking alone would lag by one.
        if let Some(top) = target {
            area = area.vertical_scroll_offset((top + shift).clamp(0.0, (total - rect.height()).max(0.0)));
        } else if std::mem::take(&mut self.to_end) || self.at_end {
            area = area.vertical_scroll_offset((total - rect.height()).max(0.0));
        } else if shift != 0.0 || other_atlas {
            // A new window does not know the place.
            area = area.vertical_scroll_offset((self.offset + shift).max(0.0));
        }
        let output = ui
            .scope_builder(UiBuilder::new().max_rect(rect), |ui| {
                area.show_viewport(ui, |ui, viewport| {
                    ui.set_height(total);
                    self.paint(ui, viewport, &page, commands);
                })
            })
            .inner;
        self.offset = output.state.clamped_offset().y;
        self.at_end = self.offset + output.inner_rect.height() >= output.content_size.y - AT_END;
        if !self.at_end {
            self.newest_button(ui, rect);
        }
        self.announce(ui, conversation);
    }

    /// Where the view has to begin to show the message that is gone to.
    fn target(&mut self, ui: &Ui, page: &Page<'_>) -> Option<f32> {
        let (wanted, passes) = self.to_message?;
        self.to_message = passes.checked_sub(1).map(|left| (wanted, left));
        ui.ctx().request_repaint();
        let mut y = ABOVE;
        for message in &page.conversation.messages {
            y += page.above(message);
            if message.id == wanted {
                return Some((y - ABOVE).max(0.0));
            }
            let view = self.views.entry(message.id).or_default();
            y += view.height.unwrap_or_else(|| view.guess(message, page.width)) + gap(message);
        }
        None
    }

    /// Forgets what belongs to messages that are not shown any more.
    fn forget(&mut self, messages: &[Message]) {
        if self.views.len() > messages.len() || self.editing.is_some() {
            let shown: HashSet<_> = messages.iter().map(|message| message.id).collect();
            self.views.retain(|id, _| shown.contains(id));
            self.editing.take_if(|editing| !shown.contains(&editing.message));
        }
    }

    fn announce(&mut self, ui: &Ui, conversation: &Conversation) {
        let running = conversation.answer.as_ref().map(|answer| answer.message);
        match conversation.messages.last() {
            Some(last) if running == Some(last.id) || self.announcer.hears(last.id) => {
                let answer = reasoning::parts(&last.content).answer;
                self.announcer.hear(last.id, answer, running.is_none());
            }
            // What is shown now was not listened to.
            _ => self.announcer = Announcer::default(),
        }
        self.announcer.show(ui);
    }

    /// Lays out what is near the viewport; gives by how much the content above the viewport grew.
    fn measure(&mut self, ui: &Ui, page: &Page<'_>) -> f32 {
        let total = self.total(page);
        let top =
            if self.at_end || self.to_end { (total - self.viewport_height).max(0.0) } else { self.offset };
        let near = top - AHEAD..top + self.viewport_height + AHEAD;
        let mut y = ABOVE;
        let mut shift = 0.0;
        self.laid_out = 0;
        for (index, message) in page.conversation.messages.iter().enumerate() {
            y += page.above(message);
            let view = self.views.entry(message.id).or_default();
            let before = view.height.unwrap_or_else(|| view.guess(message, page.width));
            if y <= near.end && y + before >= near.start {
                self.laid_out += 1;
                let height = view.measure(ui, message, self.editing.as_ref(), &page.shown(index));
                if y + before <= top {
                    shift += height - before;
                }
            }
            y += before + gap(message);
        }
        shift
    }

    fn paint(&mut self, ui: &mut Ui, viewport: Rect, page: &Page<'_>, commands: &mut Vec<Command>) {
        let origin = ui.max_rect().min;
        let left = (origin.x + (ui.max_rect().width() - page.width) / 2.0).round();
        self.keyboard_in = None;
        let mut y = ABOVE;
        for (index, message) in page.conversation.messages.iter().enumerate() {
            let above = page.above(message);
            if above > 0.0 && y < viewport.bottom() && y + above > viewport.top() {
                let line = Rect::from_min_size(pos2(left, origin.y + y - 8.0), vec2(page.width, DIVIDER));
                divider(ui, line);
            }
            y += above;
            let view = self.views.entry(message.id).or_default();
            let height = view.height.unwrap_or_else(|| view.guess(message, page.width));
            if y < viewport.bottom() && y + height > viewport.top() {
                let shown = page.shown(index);
                view.measure(ui, message, self.editing.as_ref(), &shown);
                let at = pos2(left, (origin.y + y).round());
                view.show(ui, message, self.editing.as_mut(), &shown, at, commands);
                if tools::has_keyboard(ui, message_widget(message.id)) {
                    self.keyboard_in = Some(message.id);
                }
            }
            y += height + gap(message);
        }
    }

    fn total(&mut self, page: &Page<'_>) -> f32 {
        let messages = &page.conversation.messages;
        let mut total = ABOVE + BELOW - messages.last().map_or(0.0, gap);
        for message in messages {
            let view = self.views.entry(message.id).or_default();
            total += view.height.unwrap_or_else(|| view.guess(message, page.width));
            total += gap(message) + page.above(message);
        }
        total
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

/// A line with the words that say what lies above it.
fn divider(ui: &Ui, rect: Rect) {
    let tokens = theme::tokens(ui.ctx());
    let words = "Messages above are no longer seen by the model";
    let galley = Text::Small.line(ui, words, tokens.text3, rect.width());
    let text = Rect::from_center_size(rect.center(), galley.size()).round();
    let response = ui.interact(text, ui.scope_id().with("left out"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(NodeRole::Label, true, words));
    let y = rect.center().y.round();
    for (from, to) in [(rect.left(), text.left() - 12.0), (text.right() + 12.0, rect.right())] {
        ui.painter().rect_filled(Rect::from_min_max(pos2(from, y), pos2(to, y + 1.0)), 0, tokens.border);
    }
    ui.painter().galley(text.min, galley, tokens.text3);
    response.on_hover_text("The context is full: the oldest messages are left out of what the model reads.");
}

/// Space below a message.
fn gap(message: &Message) -> f32 {
    if message.role == Role::User { 16.0 } else { 20.0 }
}
