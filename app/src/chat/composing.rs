//! What goes with the next message besides its text: attached files, and how many tokens all of it has. The files are remembered by
//! the store from the moment they are attached, so that they outlive the program as the text does.

use std::path::PathBuf;

use super::attach::{self, NotTaken, Reader};
use super::counting::{Count, Counter, TextKey};
use super::{Controller, Notice, Severity, Waker};
use crate::store::state::DRAFT_FILES;
use crate::store::{Attachment, MessageId, Query, Write};

/// A file that goes with the next message.
pub struct Attached {
    /// The file.
    pub file: Attachment,
    /// For counting its tokens.
    pub key: TextKey,
    /// Name under which the store remembers it.
    name: String,
}

/// Begins the names under which the store remembers files of the draft.
const FILE: &str = "draft_file.";

/// Whether a remembered value is about the files of the draft.
pub(super) fn is_of_draft(name: &str) -> bool {
    name == DRAFT_FILES || name.starts_with(FILE)
}

fn set(name: &str, value: String) -> Write {
    Write::SetState { name: name.to_owned(), value }
}

/// See the module documentation.
pub struct Composing {
    /// Files, in the order they came.
    pub files: Vec<Attached>,
    reading: usize,
    /// Names of files of the last run that the store was asked for.
    wanted: Vec<String>,
    reader: Reader,
    draft: (TextKey, String),
}

impl Composing {
    pub(super) fn new(waker: Waker) -> Self {
        let draft = (TextKey::of(""), String::new());
        Self { files: Vec::new(), reading: 0, wanted: Vec::new(), reader: Reader::new(waker), draft }
    }

    /// Whether files are being read.
    pub fn is_reading(&self) -> bool {
        self.reading > 0 || !self.wanted.is_empty()
    }

    /// Takes the files away; gives the writes that make the store forget them as files of the draft.
    pub(super) fn take_files(&mut self) -> (Vec<Attachment>, Vec<Write>) {
        if self.files.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let mut forget = vec![set(DRAFT_FILES, String::new())];
        let mut files = Vec::new();
        for Attached { file, name, .. } in self.files.drain(..) {
            files.push(file);
            forget.push(set(&name, String::new()));
        }
        (files, forget)
    }

    /// The write that remembers which files there are, in order. Those that are still to come from the last run stay the first.
    fn listed(&self) -> Write {
        let names = self.wanted.iter().chain(self.files.iter().map(|attached| &attached.name));
        set(DRAFT_FILES, names.map(String::as_str).collect::<Vec<_>>().join("\n"))
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
            let detached = self.composing.files.remove(index);
            let listed = self.composing.listed();
            self.write_all([listed, set(&detached.name, String::new())]);
        }
    }

    /// Takes what the store remembers of the files of the last run's draft: first their names, then each of them.
    pub(super) fn take_draft_state(&mut self, name: &str, value: Option<String>) {
        if name == DRAFT_FILES {
            let names = value.iter().flat_map(|names| names.lines()).filter(|name| name.starts_with(FILE));
            self.composing.wanted = names.take(attach::MAX_FILES).map(str::to_owned).collect();
            self.questions.extend(self.composing.wanted.iter().cloned().map(Query::State));
            return;
        }
        let Some(at) = self.composing.wanted.iter().position(|wanted| wanted == name) else { return };
        self.composing.wanted.remove(at);
        let read = value.as_deref().map(serde_json::from_str::<Attachment>);
        let Some(Ok(file)) = read else {
            log::warn!("a file attached to the draft could not be brought back: {name} is not what it was");
            let title = "An attached file could not be brought back";
            self.notify(Notice::new(
                Severity::Warning,
                title,
                "Attach it again before you send the message.",
            ));
            return;
        };
        let key = TextKey::of(&file.text);
        self.composing.files.push(Attached { file, key, name: name.to_owned() });
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
                // A name that no earlier run has used.
                let name = format!("{FILE}{}", MessageId::fresh().0);
                let remembered = set(&name, serde_json::to_string(&file).expect("strings serialise"));
                self.composing.files.push(Attached { file, key, name });
                let listed = self.composing.listed();
                self.write_all([remembered, listed]);
            }
            Err(NotTaken { name, why }) => {
                let title = format!("{name} was not attached");
                self.notices.push_back(Notice::new(Severity::Warning, &title, &why));
            }
        }
    }
}
