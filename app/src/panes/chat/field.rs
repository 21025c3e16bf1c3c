//! The field in which a message is written: a new one in the composer, a changed one in its place.

use eframe::egui::{
    Event, Frame, Id, Key, KeyboardShortcut, Margin, Modifiers, Rect, RichText, ScrollArea, TextEdit, Ui,
    UiBuilder, vec2,
};

use crate::theme::{self, Text};

/// A field for a message.
pub struct MessageField<'a> {
    /// Its id, for the keyboard.
    pub id: Id,
    /// Accessible name.
    pub name: &'a str,
    /// What it says while it is empty.
    pub hint: &'a str,
    /// Whether Ctrl+Enter sends: then Enter alone makes a new line. Shift+Enter always does.
    pub with_ctrl: bool,
}

impl MessageField<'_> {
    /// Draws it without a frame; what does not fit scrolls.
    pub fn show(&self, ui: &mut Ui, rect: Rect, text: &mut String) {
        let tokens = theme::tokens(ui.ctx());
        let new_line = if self.with_ctrl { Modifiers::NONE } else { Modifiers::SHIFT };
        let builder = UiBuilder::new().max_rect(rect).scope_id(self.id.with("field"));
        ui.scope_builder(builder, |ui| {
            ui.set_clip_rect(ui.clip_rect().intersect(rect.expand2(vec2(4.0, 0.0))));
            ScrollArea::vertical().max_height(rect.height()).auto_shrink(false).show(ui, |ui| {
                let mut layouter = |ui: &Ui, text: &dyn eframe::egui::TextBuffer, width: f32| {
                    Text::Chat.wrapped(ui, text.as_str(), tokens.text, width)
                };
                let hint = RichText::new(self.hint).font(Text::Chat.font());
                let edit = TextEdit::multiline(text)
                    .id(self.id)
                    .font(Text::Chat.font())
                    .layouter(&mut layouter)
                    .hint_text(hint.line_height(Some(Text::Chat.line_height())).color(tokens.text3))
                    .frame(Frame::NONE)
                    .margin(Margin::ZERO)
                    .desired_rows(1)
                    .desired_width(f32::INFINITY)
                    .return_key(KeyboardShortcut::new(new_line, Key::Enter));
                let response = ui.add(edit);
                ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(self.name));
            });
        });
    }
}

/// Whether an event is the Enter that sends. (`egui`'s own matching would take Shift+Enter as well, which makes a new line.)
pub fn is_enter(event: &Event, with_ctrl: bool) -> bool {
    let Event::Key { key: Key::Enter, pressed: true, modifiers, .. } = event else { return false };
    if with_ctrl { modifiers.matches_exact(Modifiers::COMMAND) } else { modifiers.is_none() }
}
