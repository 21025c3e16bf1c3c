//! The list of chats as the window shows it: what matches the search, grouped by day. Filled by answers of the store.

use std::ops::Range;

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
    /// Whether the database could not be opened: then the chats are those of this run, and older ones are neither listed nor searched.
    pub unopened: bool,
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

    /// Takes what a search found; an answer to an older one, or to somebody else's, is dropped.
    pub fn take_hits(&mut self, text: &str, limit: usize, hits: Vec<Hit>, more: bool) {
        if text == self.search.trim() && limit == MAX_HITS {
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
        // A new one is not yet among those that the store has counted.
        self.total = self.total.max(self.chats.len());
    }

    /// Drops a chat from the list.
    pub fn remove(&mut self, id: ChatId) {
        self.changes += 1;
        let before = self.chats.len();
        self.chats.retain(|known| known.id != id);
        // Else it would count as one that is too old to be listed until the store has answered.
        self.total = self.total.saturating_sub(before - self.chats.len());
        if let Some(hits) = &mut self.hits {
            hits.retain(|hit| hit.chat.id != id);
        }
    }

    /// Pins a chat or takes the pin away, without waiting for the store.
    pub fn pin(&mut self, id: ChatId, pinned: bool) {
        if let Some(at) = self.chats.iter().position(|known| known.id == id) {
            self.changes += 1;
            let mut head = self.chats.remove(at);
            head.pinned = pinned;
            let order = |head: &ChatHead| (head.pinned, head.updated_millis, head.id);
            let to = self.chats.partition_point(|known| order(known) > order(&head));
            self.chats.insert(to, head);
        }
    }

    /// Parts of the list in order, each with its title and its places in `chats`: the pinned ones, then by age.
    pub fn parts(&self, utc_offset_secs: i64) -> Vec<(String, Range<usize>)> {
        let now = now_millis();
        let age = |chat: &ChatHead| Age::of(chat.updated_millis, now, utc_offset_secs);
        let mut parts = Vec::new();
        let pinned = self.chats.partition_point(|chat| chat.pinned);
        if pinned > 0 {
            parts.push(("Pinned".to_owned(), 0..pinned));
        }
        let mut begin = pinned;
        while let Some(first) = self.chats.get(begin) {
            let first = age(first);
            // Sorted by time, so a part ends where the first of another begins; at least one is taken in any case.
            let length = self.chats[begin..].partition_point(|chat| age(chat) == first).max(1);
            parts.push((first.title(), begin..begin + length));
            begin += length;
        }
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
        library.take_hits("old", MAX_HITS, Vec::new(), false);
        assert_eq!(library.hits, None);
        library.take_hits("new", MAX_HITS, Vec::new(), false);
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

    #[test]
    fn parts_are_pinned_ones_then_days_and_months_without_gaps() {
        let now = now_millis();
        let day = 86_400_000;
        let mut library = Library::default();
        for age in [0, 1, 40, 40, 41, 400] {
            let mut chat = Chat::new(format!("{age} days"), "");
            chat.updated_millis = now - age * day;
            library.chats.push(ChatHead::from(&chat));
        }
        library.pin(library.chats[2].id, true);
        let parts = library.parts(0);
        assert_eq!(parts[0], ("Pinned".to_owned(), 0..1));
        assert_eq!((parts[1].0.as_str(), parts[1].1.clone()), ("Today", 1..2));
        assert_eq!((parts[2].0.as_str(), parts[2].1.clone()), ("Yesterday", 2..3));
        assert!(parts.windows(2).all(|pair| pair[0].1.end == pair[1].1.start), "{parts:?}");
        assert_eq!(parts.last().unwrap().1.end, 6);
        let pinned = library.chats[0].id;
        library.pin(pinned, false);
        assert!(library.chats.windows(2).all(|pair| pair[0].updated_millis >= pair[1].updated_millis));
    }
}
