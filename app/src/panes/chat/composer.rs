//! The composer: text, model and persona, context gauge, Send or Stop.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Color32, CursorIcon, Event, Id, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2,
    vec2,
};

use super::field::{self, MessageField};
use super::{files, gauge, model, persona};
use crate::chat::attach::PASTE_AS_FILE;
use crate::chat::{ChatCommand, Controller, label};
use crate::shell::{self, Command, Metrics, action};
use crate::theme::{self, Text, Tokens, icons};
use crate::ui::{self, IconButton};

/// Most lines before the text scrolls.
const MAX_LINES: f32 = 8.0;
/// Everything but the text: padding, gap and the row of controls.
const FRAME_HEIGHT: f32 = 62.0;
/// Narrowest row of controls that has room for model and persona.
const ROOM_FOR_BOTH: f32 = 440.0;

/// Id of the message field, for shortcuts.
pub fn message_id() -> Id {
    Id::unique("message")
}

/// Height for a draft in a composer of `width`.
pub fn height(ui: &Ui, metrics: &Metrics, controller: &Controller, draft: &str, width: f32) -> f32 {
    let line = Text::Chat.line_height();
    let text = if metrics.short || draft.is_empty() {
        line
    } else {
        // A trailing line break has no glyphs yet, but the cursor stands on the new line.
        let galley = Text::Chat.wrapped(ui, draft, Color32::PLACEHOLDER, width - 34.0);
        galley.size().y.clamp(line, MAX_LINES * line)
    };
    FRAME_HEIGHT + text + files::height(controller)
}

/// Draws the composer into `rect`.
pub fn show(
    ui: &mut Ui,
    rect: Rect,
    controller: &Controller,
    (draft, held): (&mut String, &mut Held),
    commands: &mut Vec<Command>,
) {
    let tokens = theme::tokens(ui.ctx());
    let focused = ui.memory(|memory| memory.has_focus(message_id()));
    let edge = if focused { tokens.focus } else { tokens.border_input };
    ui.painter().rect(rect, theme::R5, tokens.surface, Stroke::new(1.0, edge), StrokeKind::Inside);
    let writing = controller.conversation().is_some_and(|conversation| conversation.answer.is_some());
    if focused {
        commands.extend(take_long_pastes(ui).map(|text| Command::InChat(ChatCommand::AttachPasted(text))));
    }
    let entered = focused && held.cut_at_enter(ui, controller.settings().sends_with_ctrl());
    if entered && !held.0.is_empty() {
        ui.ctx().request_repaint();
    }
    let files = files::height(controller);
    files::show(ui, rect, controller, commands);
    let text = Rect::from_min_max(
        rect.min + vec2(17.0, 13.0 + files),
        pos2(rect.right() - 17.0, rect.bottom() - 49.0),
    );
    message_field(ui, text, controller, writing, draft);
    let something = !draft.trim().is_empty() || !controller.composing.files.is_empty();
    let can_send = controller.can_send()
        && something
        && !controller.composing.is_reading()
        && !controller.draft_is_too_long();
    if entered && can_send {
        commands.push(Command::Send(std::mem::take(draft)));
    }
    let row = Rect::from_min_max(pos2(rect.left() + 9.0, rect.bottom() - 41.0), rect.max - vec2(13.0, 9.0));
    attach_button(ui, Rect::from_min_size(row.min + vec2(0.0, 2.0), Vec2::splat(28.0)), commands);
    choosers(ui, row, controller, commands);
    let send = Rect::from_min_size(pos2(row.right() - 32.0, row.top()), Vec2::splat(32.0));
    if writing {
        let stopping =
            controller.conversation().and_then(|c| c.answer.as_ref()).is_some_and(|answer| answer.stopping());
        if stop_button(ui, &tokens, send).clicked() && !stopping {
            commands.push(Command::Stop);
        }
    } else if send_button(ui, &tokens, send, can_send, controller.settings().sends_with_ctrl()).clicked()
        && can_send
    {
        commands.push(Command::Send(std::mem::take(draft)));
    }
    gauge::show(ui, &tokens, pos2(send.left() - 12.0, row.center().y), controller);
}

/// Takes pasted texts that are too long for the composer out of what arrived.
fn take_long_pastes(ui: &Ui) -> impl Iterator<Item = String> {
    let is_long = |event: &Event| matches!(event, Event::Paste(text) if text.len() >= PASTE_AS_FILE);
    let taken: Vec<Event> = ui.input_mut(|input| {
        // Events hold whole texts: without a long one nothing is moved.
        if !input.events.iter().any(is_long) {
            return Vec::new();
        }
        let (long, rest) = std::mem::take(&mut input.events).into_iter().partition(is_long);
        input.events = rest;
        long
    });
    taken.into_iter().filter_map(|event| match event {
        Event::Paste(text) => Some(text),
        _ => None,
    })
}

/// Model and persona, which act on the next message; the persona is left out where there is no room for its name.
fn choosers(ui: &mut Ui, row: Rect, controller: &Controller, commands: &mut Vec<Command>) {
    let at = row.min + vec2(30.0, 2.0);
    let both = row.width() >= ROOM_FOR_BOTH;
    let words = (row.width() - if both { 300.0 } else { 220.0 }).max(80.0);
    let model = model::show(ui, at, if both { words * 0.6 } else { words }, controller, commands);
    if both {
        persona::show(ui, pos2(model.right() + 4.0, at.y), words * 0.4, controller, commands);
    }
}

fn attach_button(ui: &Ui, rect: Rect, commands: &mut Vec<Command>) {
    let id = Id::unique("attach");
    let button = IconButton::new(icons::PAPERCLIP, "Attach text files").put_as(ui, rect, id);
    if shell::tip(button, &action::ATTACH).clicked() {
        commands.push(Command::InChat(ChatCommand::PickFiles));
    }
}

/// Text and keys that came after Enter in the same pass; they belong to the next message.
#[derive(Default)]
pub struct Held(Vec<Event>);

impl Held {
    /// Cuts what is typed at the first Enter that sends (alone or with Ctrl), which is taken away; true if there was one. A slow pass may bring
    /// the end of a message, Enter and the beginning of the next one together. (`egui`'s own matching would take Shift+Enter as
    /// well, which makes a new line.)
    fn cut_at_enter(&mut self, ui: &Ui, with_ctrl: bool) -> bool {
        ui.input_mut(|input| {
            let mut typed = std::mem::take(&mut self.0);
            typed.append(&mut input.events);
            let enter = typed.iter().position(|event| field::is_enter(event, with_ctrl));
            let Some(enter) = enter else {
                input.events = typed;
                return false;
            };
            let (later, rest): (Vec<_>, Vec<_>) = typed.split_off(enter + 1).into_iter().partition(|event| {
                matches!(event, Event::Key { .. } | Event::Text(_) | Event::Paste(_) | Event::Ime(_))
            });
            typed.pop();
            typed.extend(rest);
            (self.0, input.events) = (later, typed);
            true
        })
    }
}

fn message_field(ui: &mut Ui, rect: Rect, controller: &Controller, writing: bool, draft: &mut String) {
    let name = controller.model().map(|model| label(&model.id).to_owned());
    let name =
        name.or_else(|| controller.shelf.loading.as_ref().map(|loading| loading.choice.label().to_owned()));
    let hint = match (writing, name) {
        (true, _) => "Write the next message, or press Esc to stop".to_owned(),
        (false, Some(name)) => format!("Message {name}"),
        (false, None) => "Message".to_owned(),
    };
    let with_ctrl = controller.settings().sends_with_ctrl();
    let area = MessageField { id: message_id(), name: "Message", hint: &hint, with_ctrl };
    area.show(ui, rect, draft);
}

fn send_button(ui: &Ui, tokens: &Tokens, rect: Rect, enabled: bool, with_ctrl: bool) -> Response {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, Id::unique("send"), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, "Send"));
    let fill = match (enabled, response.is_pointer_button_down_on(), response.hovered()) {
        (false, _, _) => tokens.active,
        (true, true, _) => tokens.accent_press,
        (true, false, true) => tokens.accent_hover,
        (true, false, false) => tokens.accent,
    };
    ui.painter().rect_filled(rect, theme::R3, fill);
    let color = if enabled { tokens.on_accent } else { tokens.disabled };
    ui::icon(ui.painter(), icons::ARROW_UP, rect.center(), 18.0, color);
    ui::focus_ring(ui, &response, theme::R3);
    let caps: &[&str] = if with_ctrl { &["Ctrl", "Enter"] } else { &["Enter"] };
    ui::tip(response, "Send", caps).on_hover_cursor(CursorIcon::Default)
}

fn stop_button(ui: &Ui, tokens: &Tokens, rect: Rect) -> Response {
    let response = ui.interact(rect, Id::unique("stop"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Stop"));
    let fill = if response.hovered() { tokens.text2 } else { tokens.text };
    ui.painter().rect_filled(rect, theme::R3, fill);
    ui.painter().rect_filled(Rect::from_center_size(rect.center(), Vec2::splat(10.0)), 1.0, tokens.bg_base);
    ui::focus_ring(ui, &response, theme::R3);
    ui::tip(response, "Stop", &["Esc"])
}
