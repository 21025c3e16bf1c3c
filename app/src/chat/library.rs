//! The list of chats as the window shows it: what matches the search, grouped by day. Filled by answers of the store.

use crate::store::{Chat, ChatHead, ChatId, Hit, Query, now_millis};

use super::clock::Age;

/// Most chats in the list.
const MAX_CHATS: usize = 50_000;
/// Most chats that a search shows.
const MAX_HITS: usize = 200;

/// The list of chats.
#[derive(Default)]
pub struct Library {
    /// All chats, pinned first, then newest change first.
    pub chats: Vec<ChatHead>,
    /// How many there are in all.
    pub total: usize,
    /// Text looked for in titles and messages.
    pub search: String,
    /// What the search found; `None` until the store has answered it.
    pub hits: Option<Vec<Hit>>,
    /// Whether the search found more than `hits`.
    pub more_hits: bool,
    /// Whether the store has answered yet.
    pub known: bool,
    stale: bool,
    /// Counts local changes, so that an answer from before one of them is not taken.
    changes: u64,
    asked_at: u64,
}

impl Library {
    /// The questions that fill the list and the search, when they are out of date.
    pub fn questions(&mut self) -> Vec<Query> {
        if !std::mem::take(&mut self.stale) {
            return Vec::new();
        }
        self.asked_at = self.changes;
        let text = self.search.trim().to_owned();
        let search = (!text.is_empty()).then_some(Query::Search { text, limit: MAX_HITS });
        [Query::Chats { limit: MAX_CHATS }].into_iter().chain(search).collect()
    }

    /// Says that the list is out of date.
    pub fn refresh(&mut self) {
        self.stale = true;
    }

    /// Takes the chats that the store has. From before a change made here they are dropped; then it is asked again.
    pub fn take(&mut self, chats: Vec<ChatHead>, total: usize) {
        if self.changes != self.asked_at {
            self.stale = true;
            return;
        }
        self.chats = chats;
        self.total = total;
        self.known = true;
    }

    /// Takes what a search found; an answer to an older one is dropped.
    pub fn take_hits(&mut self, text: &str, hits: Vec<Hit>, more: bool) {
        if text == self.search.trim() {
            self.hits = Some(hits);
            self.more_hits = more;
        }
    }

    /// Looks for another text; empty shows the list again.
    pub fn look_for(&mut self, text: &str) {
        if self.search != text {
            text.clone_into(&mut self.search);
            if text.trim().is_empty() {
                self.hits = None;
            }
            self.stale = true;
        }
    }

    /// Shows a chat as the newest, or changes its title, without waiting for the store.
    pub fn touch(&mut self, chat: &Chat) {
        self.changes += 1;
        self.chats.retain(|known| known.id != chat.id);
        let at = self.chats.partition_point(|known| known.pinned && !chat.pinned);
        self.chats.insert(at, ChatHead::from(chat));
    }

    /// Drops a chat from the list.
    pub fn remove(&mut self, id: ChatId) {
        self.changes += 1;
        self.chats.retain(|known| known.id != id);
    }

    /// Chats by age, in order; empty parts are left out.
    pub fn by_age(&self, utc_offset_secs: i64) -> Vec<(Age, Vec<&ChatHead>)> {
        let now = now_millis();
        let mut parts: Vec<(Age, Vec<&ChatHead>)> = Vec::new();
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

    fn heads(titles: &[&str]) -> Vec<ChatHead> {
        titles.iter().map(|title| ChatHead::from(&Chat::new(*title, ""))).collect()
    }

    #[test]
    fn an_answer_to_an_older_search_is_dropped() {
        let mut library = Library::default();
        library.look_for("new");
        assert_eq!(library.questions().len(), 2);
        library.take_hits("old", Vec::new(), false);
        assert_eq!(library.hits, None);
        library.take_hits("new", Vec::new(), false);
        assert_eq!(library.hits, Some(Vec::new()));
        library.look_for(" ");
        assert_eq!(library.hits, None);
        assert_eq!(library.questions().len(), 1);
    }

    #[test]
    fn an_answer_from_before_a_new_chat_does_not_hide_it() {
        let mut library = Library::default();
        library.refresh();
        assert_eq!(library.questions().len(), 1);
        library.touch(&Chat::new("new", ""));
        library.take(Vec::new(), 0);
        assert_eq!(library.chats.len(), 1);
        assert_eq!(library.questions().len(), 1, "it is asked again");
        library.take(heads(&["new"]), 1);
        assert!(library.known);
    }

    #[test]
    fn a_touched_chat_comes_first_and_once() {
        let mut library = Library::default();
        let (one, two) = (Chat::new("one", ""), Chat::new("two", ""));
        library.take(vec![ChatHead::from(&one), ChatHead::from(&two)], 2);
        library.touch(&two);
        assert_eq!(library.chats.iter().map(|c| c.title.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    }
}
