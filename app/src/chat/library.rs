//! The list of chats as the window shows it: what matches the search, grouped by day. Filled by answers of the store.

use crate::store::{Chat, ChatId, Query, now_millis};

use super::clock::Age;

/// Most chats asked for at once.
const PAGE: usize = 1000;

/// The list of chats.
#[derive(Default)]
pub struct Library {
    /// Chats that match, newest change first.
    pub chats: Vec<Chat>,
    /// How many match in all.
    pub total: usize,
    /// Text looked for in titles.
    pub search: String,
    /// Whether the store has answered yet.
    pub known: bool,
    stale: bool,
    /// Counts local changes, so that an answer from before one of them is not taken.
    changes: u64,
    asked_at: u64,
}

impl Library {
    /// The question that fills the list, when it is out of date.
    pub fn question(&mut self) -> Option<Query> {
        if !std::mem::take(&mut self.stale) {
            return None;
        }
        self.asked_at = self.changes;
        let search = self.search.trim().to_owned();
        Some(Query::Chats { offset: 0, limit: PAGE, search })
    }

    /// Says that the list is out of date.
    pub fn refresh(&mut self) {
        self.stale = true;
    }

    /// Takes an answer of the store. One for an older search, or from before a change made here, is dropped; then it is asked again.
    pub fn take(&mut self, search: &str, chats: Vec<Chat>, total: usize) {
        if search != self.search.trim() || self.changes != self.asked_at {
            self.stale = true;
            return;
        }
        self.chats = chats;
        self.total = total;
        self.known = true;
    }

    /// Shows a chat as the newest, or changes its title, without waiting for the store.
    pub fn touch(&mut self, chat: &Chat) {
        self.changes += 1;
        self.chats.retain(|known| known.id != chat.id);
        let matches = chat.title.to_lowercase().contains(&self.search.trim().to_lowercase());
        if matches {
            let at = self.chats.partition_point(|known| known.pinned && !chat.pinned);
            self.chats.insert(at, chat.clone());
        }
    }

    /// Drops a chat from the list.
    pub fn remove(&mut self, id: ChatId) {
        self.changes += 1;
        self.chats.retain(|known| known.id != id);
    }

    /// Chats by age, in order; empty parts are left out.
    pub fn by_age(&self, utc_offset_secs: i64) -> Vec<(Age, Vec<&Chat>)> {
        let now = now_millis();
        let mut parts: Vec<(Age, Vec<&Chat>)> = Vec::new();
        for chat in &self.chats {
            let age = Age::of(chat.updated_millis, now, utc_offset_secs);
            match parts.iter_mut().find(|(known, _)| *known == age) {
                Some((_, chats)) => chats.push(chat),
                None => parts.push((age, vec![chat])),
            }
        }
        parts.sort_by_key(|(age, _)| *age);
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_an_older_search_is_dropped() {
        let mut library = Library { search: "new".to_owned(), ..Library::default() };
        library.take("old", vec![Chat::new("old", "")], 1);
        assert!(!library.known && library.chats.is_empty());
        library.take("new", vec![Chat::new("new", "")], 1);
        assert!(library.known);
    }

    #[test]
    fn an_answer_from_before_a_new_chat_does_not_hide_it() {
        let mut library = Library::default();
        library.refresh();
        assert!(library.question().is_some());
        library.touch(&Chat::new("new", ""));
        library.take("", Vec::new(), 0);
        assert_eq!(library.chats.len(), 1);
        assert!(library.question().is_some(), "it is asked again");
        library.take("", vec![Chat::new("new", "")], 1);
        assert!(library.known);
    }

    #[test]
    fn a_touched_chat_comes_first_and_once() {
        let mut library = Library::default();
        let (one, two) = (Chat::new("one", ""), Chat::new("two", ""));
        library.take("", vec![one.clone(), two.clone()], 2);
        library.touch(&two);
        assert_eq!(library.chats.iter().map(|c| c.title.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    }
}
