//! The list of chats as the window shows it: what matches the search, grouped by day and by folder. Filled by answers of the store.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::store::{Chat, ChatHead, ChatId, Folder, FolderId, Hit, Query, now_millis};

use super::clock::Age;
use super::filing::Filing;
use super::folders::Moved;

/// Most chats in the list.
const MAX_CHATS: usize = 50_000;
/// Most chats that a search shows.
const MAX_HITS: usize = 200;

/// The list of chats.
#[derive(Default)]
pub struct Library {
    /// All chats, pinned first, then newest change first.
    pub chats: Vec<ChatHead>,
    /// All folders, by name.
    pub folders: Vec<Folder>,
    /// Folders whose chats are shown.
    pub(super) open_folders: HashSet<FolderId>,
    filing: Filing,
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
        // Folders first, so that no chat is seen outside of its folder before.
        [Query::Folders, Query::Chats { limit: MAX_CHATS }].into_iter().chain(search).collect()
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
        self.file();
    }

    /// Takes the folders that the store has; as [`Library::take`].
    pub fn take_folders(&mut self, folders: Vec<Folder>) {
        if self.changes != self.asked_at {
            self.stale = true;
            return;
        }
        self.folders = folders;
        self.file();
    }

    fn file(&mut self) {
        self.filing = Filing::of(&self.chats, &self.folders);
    }

    /// Places in `chats` of those that are in no folder, in order.
    pub fn loose(&self) -> &[usize] {
        &self.filing.loose
    }

    /// Places in `chats` of those in the folder at this place in `folders`, in order.
    pub fn inside(&self, folder: usize) -> &[usize] {
        self.filing.inside.get(folder).map_or(&[], Vec::as_slice)
    }

    /// The folder that a chat is in.
    pub fn folder_of(&self, chat: &ChatHead) -> Option<&Folder> {
        let wanted = chat.folder?;
        self.folders.iter().find(|folder| folder.id == wanted)
    }

    /// Whether the chats of a folder are shown.
    pub fn is_open(&self, folder: FolderId) -> bool {
        self.open_folders.contains(&folder)
    }

    /// Shows the chats of a folder, or hides them; gives what is to be remembered of it.
    pub fn show_folder(&mut self, id: FolderId, open: bool) -> String {
        if open {
            self.open_folders.insert(id);
        } else {
            self.open_folders.remove(&id);
        }
        let known = self.folders.iter().filter(|folder| self.open_folders.contains(&folder.id));
        let ids: Vec<String> = known.map(|folder| folder.id.0.to_string()).collect();
        ids.join("\n")
    }

    /// Adds a folder or changes the one with its id, without waiting for the store.
    pub(super) fn put_folder(&mut self, folder: Folder) {
        self.changes += 1;
        self.folders.retain(|known| known.id != folder.id);
        self.folders.push(folder);
        self.folders.sort_by_cached_key(|known| (known.name.to_lowercase(), known.id));
        self.file();
    }

    /// Drops a folder; its chats are listed by date.
    pub(super) fn remove_folder(&mut self, id: FolderId) {
        self.changes += 1;
        self.folders.retain(|known| known.id != id);
        self.file();
    }

    /// Puts chats into folders or takes them out, without waiting for the store.
    pub(super) fn put_into(&mut self, moves: &[Moved]) {
        self.changes += 1;
        let moves: HashMap<ChatId, Option<FolderId>> = moves.iter().copied().collect();
        let hits = self.hits.iter_mut().flatten().map(|hit| &mut hit.chat);
        for chat in self.chats.iter_mut().chain(hits) {
            if let Some(folder) = moves.get(&chat.id) {
                chat.folder = *folder;
            }
        }
        self.file();
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
        self.file();
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
        self.file();
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
            self.file();
        }
    }

    /// Parts of what is in no folder, in order, each with its title and its places in [`Library::loose`]: the pinned ones, then by age.
    pub fn parts(&self, utc_offset_secs: i64) -> Vec<(String, Range<usize>)> {
        let now = now_millis();
        let loose = self.loose();
        let age = |place: usize| Age::of(self.chats[place].updated_millis, now, utc_offset_secs);
        let mut parts = Vec::new();
        let pinned = loose.partition_point(|place| self.chats[*place].pinned);
        if pinned > 0 {
            parts.push(("Pinned".to_owned(), 0..pinned));
        }
        let mut begin = pinned;
        while let Some(first) = loose.get(begin) {
            let first = age(*first);
            // Sorted by time, so a part ends where the first of another begins; at least one is taken in any case.
            let length = loose[begin..].partition_point(|place| age(*place) == first).max(1);
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
        assert_eq!(library.questions().len(), 3);
        library.take_hits("old", MAX_HITS, Vec::new(), false);
        assert_eq!(library.hits, None);
        library.take_hits("new", MAX_HITS, Vec::new(), false);
        assert_eq!(library.hits, Some(Vec::new()));
        library.look_for(" ");
        assert_eq!(library.hits, None);
        assert_eq!(library.questions().len(), 2);
    }

    #[test]
    fn an_answer_from_before_a_new_chat_does_not_hide_it() {
        let mut library = Library::default();
        library.refresh();
        assert_eq!(library.questions().len(), 2);
        library.touch(&Chat::new("new", ""));
        library.take(Vec::new(), 0);
        assert_eq!(library.chats.len(), 1);
        assert_eq!(library.questions().len(), 2, "it is asked again");
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
        library.file();
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

    #[test]
    fn chats_of_folders_are_in_no_part_and_newest_first_in_theirs_pins_on_top() {
        let mut library = Library::default();
        library.take(heads(&["one", "two", "three", "four", "five"]), 5);
        library.chats.sort_by_key(|chat| std::cmp::Reverse((chat.updated_millis, chat.id)));
        let [b, a] = ["Boats", "ants"].map(Folder::new);
        library.put_folder(b.clone());
        library.put_folder(a.clone());
        assert_eq!(library.folders, [a.clone(), b.clone()]);
        let id = |library: &Library, title: &str| {
            library.chats.iter().find(|chat| chat.title == title).map(|chat| chat.id).unwrap()
        };
        let moves: Vec<Moved> = [("one", b.id), ("two", b.id), ("three", b.id), ("four", FolderId(1))]
            .map(|(title, folder)| (id(&library, title), Some(folder)))
            .to_vec();
        library.put_into(&moves);
        library.pin(id(&library, "one"), true);
        let titles = |places: &[usize]| -> Vec<String> {
            places.iter().map(|place| library.chats[*place].title.clone()).collect()
        };
        assert_eq!(titles(library.inside(1)), ["one", "three", "two"]);
        assert!(library.inside(0).is_empty());
        assert_eq!(titles(library.loose()), ["five", "four"], "a folder that is gone holds nothing");
        assert_eq!(library.parts(0), [("Today".to_owned(), 0..2)]);
        library.remove_folder(b.id);
        assert_eq!(library.loose().len(), 5);
        library.put_folder(b);
        assert_eq!(library.inside(1).len(), 3, "with the folder its chats are in it again");
    }

    #[test]
    fn an_answer_about_folders_from_before_a_change_is_dropped() {
        let mut library = Library::default();
        library.refresh();
        assert_eq!(library.questions().len(), 2);
        library.put_folder(Folder::new("new"));
        library.take_folders(Vec::new());
        assert_eq!(library.folders.len(), 1);
        assert_eq!(library.questions().len(), 2, "it is asked again");
        library.take_folders(Vec::new());
        assert!(library.folders.is_empty());
    }
}
