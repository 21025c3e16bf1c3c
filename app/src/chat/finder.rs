//! Looking for chats for the command palette, beside the search of the list. The store looks on its own thread; an answer to an
//! older question is dropped.

use super::Controller;
use crate::store::{ChatHead, ChatId, FolderId, Hit, Query};

/// Most chats that are looked for.
const MAX_FOUND: usize = 8;

/// What is looked for, and what was found.
#[derive(Default)]
pub(super) struct Finder {
    wanted: Option<String>,
    found: Vec<FoundChat>,
    stale: bool,
}

/// A chat that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundChat {
    /// Which.
    pub id: ChatId,
    /// Its title.
    pub title: String,
    /// The place in a message that has the text; empty when the title has it.
    pub snippet: String,
    /// The folder it is in.
    pub folder: Option<FolderId>,
}

impl Finder {
    pub(super) fn question(&mut self) -> Option<Query> {
        let text = self.wanted.clone().filter(|_| std::mem::take(&mut self.stale))?;
        (!text.is_empty()).then_some(Query::Search { text, limit: MAX_FOUND })
    }

    pub(super) fn take(&mut self, text: &str, hits: &[Hit]) {
        if self.wanted.as_deref() == Some(text) {
            self.found = hits.iter().take(MAX_FOUND).map(FoundChat::from).collect();
        }
    }
}

impl From<&ChatHead> for FoundChat {
    fn from(chat: &ChatHead) -> Self {
        Self { id: chat.id, title: chat.title.clone(), snippet: String::new(), folder: chat.folder }
    }
}

impl From<&Hit> for FoundChat {
    fn from(hit: &Hit) -> Self {
        let snippet = hit.snippet.iter().map(|piece| piece.text.as_str()).collect();
        Self { id: hit.chat.id, title: hit.chat.title.clone(), snippet, folder: hit.chat.folder }
    }
}

impl Controller {
    /// Looks for chats with this text; `None` looks for nothing any more.
    pub fn find_chats(&mut self, text: Option<&str>) {
        if self.finder.wanted.as_deref() != text {
            self.finder.wanted = text.map(str::to_owned);
            self.finder.stale = true;
            if text.is_none_or(str::is_empty) {
                self.finder.found.clear();
            }
        }
    }

    /// The chats found for this text, or for the one before it until the store has answered; the newest for none.
    pub fn found_chats(&self, text: &str) -> Vec<FoundChat> {
        if text.is_empty() {
            return self.library.chats.iter().take(MAX_FOUND).map(FoundChat::from).collect();
        }
        let current = self.finder.wanted.as_deref() == Some(text);
        if current { self.finder.found.clone() } else { Vec::new() }
    }
}
