//! Looking for chats for the command palette, beside the search of the list. The store looks on its own thread; an answer to an
//! older question is dropped.

use super::Controller;
use crate::store::{Chat, ChatId, Query};

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
}

impl Finder {
    pub(super) fn question(&mut self) -> Option<Query> {
        let search = self.wanted.clone().filter(|_| std::mem::take(&mut self.stale))?;
        Some(Query::Chats { offset: 0, limit: MAX_FOUND, search })
    }

    pub(super) fn take(&mut self, search: &str, chats: &[Chat]) {
        if self.wanted.as_deref() == Some(search) {
            let found = chats.iter().take(MAX_FOUND);
            self.found = found
                .map(|chat| FoundChat { id: chat.id, title: chat.title.clone(), snippet: String::new() })
                .collect();
        }
    }
}

impl Controller {
    /// Looks for chats with this text; `None` looks for nothing any more.
    pub fn find_chats(&mut self, text: Option<&str>) {
        if self.finder.wanted.as_deref() != text {
            self.finder.wanted = text.map(str::to_owned);
            self.finder.stale = true;
            if text.is_none() {
                self.finder.found.clear();
            }
        }
    }

    /// The chats found for this text, or for the one before it until the store has answered.
    pub fn found_chats(&self, text: &str) -> &[FoundChat] {
        let current = self.finder.wanted.as_deref() == Some(text);
        if current { &self.finder.found } else { &[] }
    }
}
