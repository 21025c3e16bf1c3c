//! A question that is being edited in its place.

use eframe::egui::{
    Align, Color32, Id, InputState, Key, Layout, Modifiers, Pos2, Rect, Ui, UiBuilder, pos2, vec2,
};

use super::field::{self, MessageField};
use super::message::{BUBBLE_PAD, Shown};
use super::question;
use crate::chat::{BUSY, ChatCommand};
use crate::shell::Command;
use crate::store::MessageId;
use crate::theme::Text;
use crate::ui::{Button, Kind};

/// Most lines before the text scrolls.
const MAX_LINES: f32 = 12.0;
/// Buttons with the space above them.
const BUTTONS: f32 = 36.0;

/// A question being edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editing {
    /// Which.
    pub message: MessageId,
    /// Its text so far.
    pub text: String,
    /// Whether Ctrl+Enter asks, and Enter makes a line, as in the composer.
    with_ctrl: bool,
    /// Whether it was given the keyboard when it opened.
    focused: bool,
    /// Whether it had the keyboard in the last pass. Esc takes it away before anybody can ask.
    had_keyboard: bool,
}

impl Editing {
    /// Begins with the text as it was asked.
    pub fn new(message: MessageId, text: &str, with_ctrl: bool) -> Self {
        Self { message, text: text.to_owned(), with_ctrl, focused: false, had_keyboard: false }
    }

    /// Whether its field has the keyboard.
    pub fn has_keyboard(&self) -> bool {
        self.had_keyboard
    }
}

fn field_id(message: MessageId) -> Id {
    Id::unique(("edit", message.0))
}

fn text_width(column: f32) -> f32 {
    column.min(588.0) - 2.0 * BUBBLE_PAD.x
}

fn text_height(ui: &Ui, editing: &Editing, column: f32) -> f32 {
    let line = Text::Chat.line_height();
    let galley = Text::Chat.wrapped(ui, &editing.text, Color32::PLACEHOLDER, text_width(column));
    galley.size().y.clamp(line, MAX_LINES * line)
}

/// Height of the editor in a column.
pub fn height(ui: &Ui, editing: &Editing, column: f32) -> f32 {
    text_height(ui, editing, column) + 2.0 * BUBBLE_PAD.y + BUTTONS
}

/// Draws the editor. Enter asks, Shift+Enter makes a line, Esc leaves.
pub fn show(ui: &mut Ui, editing: &mut Editing, shown: &Shown<'_>, at: Pos2, commands: &mut Vec<Command>) {
    let width = text_width(shown.width);
    let text = text_height(ui, editing, shown.width);
    let size = vec2(width, text + BUTTONS) + 2.0 * BUBBLE_PAD;
    let rect = Rect::from_min_size(pos2(at.x + shown.width - size.x, at.y), size).round();
    let id = field_id(editing.message);
    let focused = ui.memory(|memory| memory.has_focus(id));
    let entered = focused && ui.input_mut(|input| take_enter(input, editing.with_ctrl));
    let left = editing.had_keyboard && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    question::edited_bubble(ui, rect, focused);
    let area = MessageField { id, name: "Edited message", hint: "", with_ctrl: editing.with_ctrl };
    area.show(ui, Rect::from_min_size(rect.min + BUBBLE_PAD, vec2(width, text)), &mut editing.text);
    // Asked for until it came: while the page scrolls here, the field may be left out of a pass.
    if !editing.focused {
        ui.memory_mut(|memory| memory.request_focus(id));
    }
    editing.focused |= focused;
    editing.had_keyboard = ui.memory(|memory| memory.has_focus(id));
    let can_send = !shown.busy && !editing.text.trim().is_empty();
    let row = Rect::from_min_max(pos2(rect.left() + 8.0, rect.bottom() - 36.0), rect.max - vec2(8.0, 8.0));
    let builder = UiBuilder::new()
        .max_rect(row)
        .layout(Layout::right_to_left(Align::Center))
        .scope_id(id.with("buttons"));
    ui.scope_builder(builder, |ui| {
        let send = ui.add(Button::new(Kind::Primary, "Ask again").enabled(can_send));
        let send = if shown.busy { send.on_hover_text(BUSY) } else { send };
        if (send.clicked() || entered) && can_send {
            commands.push(Command::InChat(ChatCommand::SendEdit(editing.message, editing.text.clone())));
        }
        if ui.add(Button::new(Kind::Ghost, "Cancel")).clicked() || left {
            commands.push(Command::InChat(ChatCommand::CancelEdit));
        }
    });
}

/// Takes the Enter that asks away.
fn take_enter(input: &mut InputState, with_ctrl: bool) -> bool {
    let before = input.events.len();
    input.events.retain(|event| !field::is_enter(event, with_ctrl));
    input.events.len() != before
}
