//! Tells screen readers about an answer as it is written: whole sentences, not tokens.

use eframe::egui::accesskit::{Live, Role};
use eframe::egui::{Id, Rect, Sense, Ui, Vec2, WidgetInfo};

use crate::store::MessageId;

/// What has been said of the answer that is being written.
#[derive(Default)]
pub struct Announcer {
    message: Option<MessageId>,
    said_bytes: usize,
    sentence: String,
}

impl Announcer {
    /// Takes the answer's text so far; `done` says that nothing follows.
    pub fn hear(&mut self, message: MessageId, answer: &str, done: bool) {
        if self.message != Some(message) {
            *self = Self { message: Some(message), ..Self::default() };
        }
        let fresh = answer.get(self.said_bytes..).unwrap_or_default();
        let end = if done { fresh.len() } else { sentence_end(fresh) };
        if end > 0 {
            self.said_bytes += end;
            let text = fresh[..end].trim();
            if !text.is_empty() {
                text.clone_into(&mut self.sentence);
            }
        }
    }

    /// Whether this is the answer that was listened to. One that is only looked at later is not read out.
    pub fn hears(&self, message: MessageId) -> bool {
        self.message == Some(message)
    }

    /// The live region, which nobody sees.
    pub fn show(&self, ui: &Ui) {
        if self.sentence.is_empty() {
            return;
        }
        let rect = Rect::from_min_size(ui.max_rect().min, Vec2::splat(1.0));
        let response = ui.interact(rect, Id::unique("announcement"), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &self.sentence));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(Live::Polite));
    }
}

/// Where the last whole sentence or line of a text ends.
fn sentence_end(text: &str) -> usize {
    let mut end = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let closes = matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？');
        let after_space = letters.peek().is_some_and(|(_, next)| next.is_whitespace());
        if c == '\n' || (closes && after_space) {
            end = at + c.len_utf8();
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_sentences_are_said_and_the_rest_at_the_end() {
        let mut announcer = Announcer::default();
        let id = MessageId(1);
        announcer.hear(id, "It is 3.5 or", false);
        assert_eq!(announcer.sentence, "");
        announcer.hear(id, "It is 3.5 or so. And", false);
        assert_eq!(announcer.sentence, "It is 3.5 or so.");
        announcer.hear(id, "It is 3.5 or so. And more\nLast", false);
        assert_eq!(announcer.sentence, "And more");
        announcer.hear(id, "It is 3.5 or so. And more\nLast words", true);
        assert_eq!(announcer.sentence, "Last words");
        announcer.hear(MessageId(2), "Other.", true);
        assert_eq!(announcer.sentence, "Other.");
    }
}
