//! What goes with the next message besides its text: attached files, and how many tokens all of it has.

use std::path::PathBuf;

use super::attach::{self, NotTaken, Reader};
use super::counting::{Count, Counter, TextKey};
use super::{Controller, Notice, Severity, Waker};
use crate::store::Attachment;

/// A file that goes with the next message.
pub struct Attached {
    /// The file.
    pub file: Attachment,
    /// For counting its tokens.
    pub key: TextKey,
}

/// See the module documentation.
pub struct Composing {
    /// Files, in the order they came.
    pub files: Vec<Attached>,
    reading: usize,
    reader: Reader,
    draft: (TextKey, String),
}

impl Composing {
    pub(super) fn new(waker: Waker) -> Self {
        let draft = (TextKey::of(""), String::new());
        Self { files: Vec::new(), reading: 0, reader: Reader::new(waker), draft }
    }

    /// Whether files are being read.
    pub fn is_reading(&self) -> bool {
        self.reading > 0
    }

    pub(super) fn take_files(&mut self) -> Vec<Attachment> {
        std::mem::take(&mut self.files).into_iter().map(|attached| attached.file).collect()
    }

    /// Tokens of the draft with its files.
    pub(super) fn draft_tokens(&self, counter: &Counter, model: &str) -> Count {
        let (key, text) = &self.draft;
        let texts = self.files.iter().map(|attached| (attached.key, attached.file.text.len()));
        texts.chain([(*key, text.len())]).map(|(key, bytes)| counter.look_up(model, key, bytes)).fold(
            Count { tokens: 0, exact: true },
            |sum, count| Count { tokens: sum.tokens + count.tokens, exact: sum.exact && count.exact },
        )
    }

    pub(super) fn count(&self, counter: &mut Counter, model: &str) {
        counter.ask(model, self.draft.0, || self.draft.1.clone());
        for attached in &self.files {
            counter.ask(model, attached.key, || attached.file.text.clone());
        }
    }
}

impl Controller {
    /// What is typed, for its count.
    pub fn draft_is(&mut self, text: &str) {
        if self.composing.draft.1 != text {
            self.composing.draft = (TextKey::of(text), text.to_owned());
        }
    }

    /// Begins to read files that go with the next message.
    pub fn attach(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            if self.composing.files.len() + self.composing.reading >= attach::MAX_FILES {
                let detail = format!("At most {} files go with one message.", attach::MAX_FILES);
                self.notices.push_back(Notice::new(Severity::Warning, "Too many files", &detail));
                return;
            }
            self.composing.reading += 1;
            self.composing.reader.read(path);
        }
    }

    /// Attaches a pasted text that is too long for the composer.
    pub fn attach_pasted(&mut self, text: &str) {
        let number =
            self.composing.files.iter().filter(|attached| attached.file.name.starts_with("Pasted")).count();
        let read = attach::pasted(text, number + 1);
        self.attached(read);
    }

    /// Takes an attached file away.
    pub fn detach(&mut self, index: usize) {
        if index < self.composing.files.len() {
            self.composing.files.remove(index);
        }
    }

    /// Takes files that have been read.
    pub(super) fn take_read_files(&mut self) {
        while let Some(read) = self.composing.reader.try_next() {
            self.composing.reading = self.composing.reading.saturating_sub(1);
            self.attached(read);
        }
    }

    fn attached(&mut self, read: attach::Read) {
        match read {
            Ok(file) => {
                let key = TextKey::of(&file.text);
                self.composing.files.push(Attached { file, key });
            }
            Err(NotTaken { name, why }) => {
                let title = format!("{name} was not attached");
                self.notices.push_back(Notice::new(Severity::Warning, &title, &why));
            }
        }
    }
}
