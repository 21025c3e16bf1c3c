//! From token bytes to the text a reader sees: whole characters, with whatever may become a stop string held back.

use crate::sampler::StopStrings;
use crate::tokenizer::TextStream;

/// The text of one generation.
pub(super) struct Answer {
    characters: TextStream,
    stops: StopStrings,
    stopped: bool,
}

impl Answer {
    pub(super) fn new(stops: StopStrings) -> Self {
        Self { characters: TextStream::default(), stops, stopped: false }
    }

    /// Text that is decided now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let text = self.characters.push(bytes);
        self.decide(&text)
    }

    fn decide(&mut self, text: &str) -> String {
        let result = self.stops.push(text);
        self.stopped = result.stopped;
        result.emit
    }

    /// Whether a stop string appeared.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Text that was held back, and whether a stop string appeared in it.
    pub(super) fn finish(&mut self) -> (String, bool) {
        let rest = self.characters.finish();
        let mut text = self.decide(&rest);
        text.push_str(&self.stops.finish());
        (text, self.stopped)
    }
}
