//! Where every row of the list stands: chats by age, then folders, each with its chats below it while it is open. Places only; nothing is
//! drawn here, and no chat is looked at that is not asked for.

use std::ops::Range;

use crate::chat::Library;
use crate::store::{ChatId, FolderId};

/// Height of a row, and what it takes with the space below it.
pub(super) const ROW: f32 = 32.0;
pub(super) const ROW_STEP: f32 = 34.0;
/// Height of the title of a part with the space below it.
const TITLE: f32 = 20.0;
/// Space above the first title and above the others.
const ABOVE_FIRST: f32 = 8.0;
const ABOVE: f32 = 12.0;
/// Title of the part with the folders.
pub(super) const FOLDERS: &str = "Folders";

/// Something that has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A chat.
    Chat(ChatId),
    /// A folder.
    Folder(FolderId),
}

/// What a row shows, as places in the lists of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// A chat that is in no folder.
    Loose(usize),
    /// A folder.
    Folder(usize),
    /// A chat, and the folder that it is in.
    Inside(usize, usize),
}

/// Where something that is dragged would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Out of its folder.
    Out,
    /// Into the folder at this place.
    Folder(usize),
}

/// Rows of one kind below each other.
#[derive(Debug)]
struct Run {
    /// Number of its first row, counted over the whole list.
    first: usize,
    count: usize,
    top: f32,
    bottom: f32,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Chats in no folder, from this place among them.
    Loose(usize),
    /// Folders from this place.
    Folders(usize),
    /// The chats of an open folder, or the note that it has none.
    Inside(usize),
}

/// A title over a part.
pub(super) struct Title {
    pub text: String,
    pub top: f32,
}

/// See the module documentation.
pub(super) struct Plan<'l> {
    library: &'l Library,
    pub titles: Vec<Title>,
    runs: Vec<Run>,
    /// Where the part of the folders begins, if there are any.
    pub folders_top: Option<f32>,
    /// Where the last row ends.
    pub bottom: f32,
}

impl<'l> Plan<'l> {
    pub fn of(library: &'l Library, utc_offset_secs: i64) -> Self {
        let mut plan = Self { library, titles: Vec::new(), runs: Vec::new(), folders_top: None, bottom: 0.0 };
        for (title, rows) in library.parts(utc_offset_secs) {
            plan.title(title);
            plan.run(rows.len(), What::Loose(rows.start));
        }
        if !library.folders.is_empty() {
            plan.title(FOLDERS.to_owned());
            plan.folders_top = plan.titles.last().map(|title| title.top);
            plan.folders();
        }
        plan
    }

    fn title(&mut self, text: String) {
        let top = self.bottom + if self.titles.is_empty() { ABOVE_FIRST } else { ABOVE };
        self.titles.push(Title { text, top });
        self.bottom = top + TITLE;
    }

    /// Closed folders stand in one run, so that thousands of them cost what one does.
    fn folders(&mut self) {
        let folders = &self.library.folders;
        let mut begin = 0;
        for (place, folder) in folders.iter().enumerate() {
            if self.library.is_open(folder.id) {
                self.run(place + 1 - begin, What::Folders(begin));
                self.run(self.library.inside(place).len(), What::Inside(place));
                begin = place + 1;
            }
        }
        self.run(folders.len() - begin, What::Folders(begin));
    }

    fn run(&mut self, count: usize, what: What) {
        let first = self.rows();
        let top = self.bottom;
        // An open folder without chats has a note in place of a row.
        let is_note = count == 0 && matches!(what, What::Inside(_));
        self.bottom += if is_note { ROW_STEP } else { count as f32 * ROW_STEP };
        if count > 0 || is_note {
            self.runs.push(Run { first, count, top, bottom: self.bottom, what });
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.runs.last().map_or(0, |run| run.first + run.count)
    }

    /// Numbers, heights and contents of the rows that touch what lies between two heights.
    pub fn rows_between(&self, top: f32, bottom: f32) -> impl Iterator<Item = (usize, f32, Row)> + '_ {
        let runs = &self.runs[self.runs_between(top, bottom)];
        runs.iter().flat_map(move |run| {
            let row_at = |y: f32| (((y - run.top) / ROW_STEP).max(0.0) as usize).min(run.count);
            (row_at(top)..row_at(bottom + ROW_STEP)).map(move |offset| {
                (run.first + offset, run.top + offset as f32 * ROW_STEP, self.row_of(run, offset))
            })
        })
    }

    /// Heights of the notes of open folders without chats between two heights.
    pub fn notes_between(&self, top: f32, bottom: f32) -> impl Iterator<Item = f32> + '_ {
        let runs = &self.runs[self.runs_between(top, bottom)];
        runs.iter().filter(|run| run.count == 0).map(|run| run.top)
    }

    fn runs_between(&self, top: f32, bottom: f32) -> Range<usize> {
        let begin = self.runs.partition_point(|run| run.bottom < top);
        let end = self.runs.partition_point(|run| run.top <= bottom);
        begin..end.max(begin)
    }

    fn row_of(&self, run: &Run, offset: usize) -> Row {
        match run.what {
            What::Loose(start) => Row::Loose(self.library.loose()[start + offset]),
            What::Folders(start) => Row::Folder(start + offset),
            What::Inside(folder) => Row::Inside(self.library.inside(folder)[offset], folder),
        }
    }

    /// What the row of this number shows.
    pub fn item(&self, row: usize) -> Option<Item> {
        let run = self.runs.iter().rev().find(|run| run.first <= row && run.count > 0)?;
        let offset = row - run.first;
        (offset < run.count).then(|| match self.row_of(run, offset) {
            Row::Loose(chat) | Row::Inside(chat, _) => Item::Chat(self.library.chats[chat].id),
            Row::Folder(folder) => Item::Folder(self.library.folders[folder].id),
        })
    }

    /// What the rows above and below this one show.
    pub fn beside(&self, row: usize) -> [Option<Item>; 2] {
        [row.checked_sub(1).and_then(|above| self.item(above)), self.item(row + 1)]
    }

    /// The height of the row of something, and what really has it: of a chat in a closed folder, that folder.
    pub fn find(&self, wanted: Item) -> Option<(Item, f32)> {
        let chat = match wanted {
            Item::Folder(id) => return self.find_folder(id).map(|top| (wanted, top)),
            Item::Chat(id) => self.library.chats.iter().position(|chat| chat.id == id)?,
        };
        if let Some(folder) = self.library.folder_of(&self.library.chats[chat])
            && !self.library.is_open(folder.id)
        {
            return self.find_folder(folder.id).map(|top| (Item::Folder(folder.id), top));
        }
        self.runs.iter().find_map(|run| {
            let (places, start) = match run.what {
                What::Loose(start) => (self.library.loose(), start),
                What::Inside(folder) => (self.library.inside(folder), 0),
                What::Folders(_) => return None,
            };
            // Places rise in every part.
            let offset = places.get(start..start + run.count)?.binary_search(&chat).ok()?;
            Some((wanted, run.top + offset as f32 * ROW_STEP))
        })
    }

    fn find_folder(&self, id: FolderId) -> Option<f32> {
        let place = self.library.folders.iter().position(|folder| folder.id == id)?;
        self.runs.iter().find_map(|run| match run.what {
            What::Folders(start) if (start..start + run.count).contains(&place) => {
                Some(run.top + (place - start) as f32 * ROW_STEP)
            }
            _ => None,
        })
    }

    /// Where something would go that is dropped at this height.
    pub fn target(&self, y: f32) -> Option<Target> {
        let Some(folders_top) = self.folders_top.filter(|top| y >= *top) else { return Some(Target::Out) };
        if y < folders_top + TITLE {
            return None;
        }
        let run = self.runs.iter().find(|run| (run.top..run.bottom).contains(&y))?;
        Some(match run.what {
            What::Loose(_) => Target::Out,
            What::Inside(folder) => Target::Folder(folder),
            What::Folders(start) => {
                let offset = ((y - run.top) / ROW_STEP) as usize;
                Target::Folder(start + offset.min(run.count.saturating_sub(1)))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Chat, ChatHead, Folder};

    /// Two chats outside; folders A with two chats, B with none, C with one; A and B are open.
    fn library() -> Library {
        let folders = ["A", "B", "C"].map(Folder::new);
        let chat = |(title, folder): (&str, Option<usize>)| {
            let chat = Chat { folder: folder.map(|at| folders[at].id), ..Chat::new(title, "") };
            ChatHead::from(&chat)
        };
        let chats = [("a1", Some(0)), ("x", None), ("c1", Some(2)), ("a2", Some(0)), ("y", None)].map(chat);
        let mut library = Library::default();
        library.take_folders(folders.to_vec());
        library.take(chats.to_vec(), 5);
        for folder in &folders[..2] {
            library.show_folder(folder.id, true);
        }
        library
    }

    fn name(library: &Library, item: Item) -> String {
        match item {
            Item::Chat(id) => library.chats.iter().find(|chat| chat.id == id).unwrap().title.clone(),
            Item::Folder(id) => library.folders.iter().find(|folder| folder.id == id).unwrap().name.clone(),
        }
    }

    #[test]
    fn rows_are_numbered_in_the_order_in_which_they_stand_and_found_where_they_stand() {
        let library = library();
        let plan = Plan::of(&library, 0);
        let rows: Vec<_> = plan.rows_between(0.0, plan.bottom).collect();
        let names: Vec<String> =
            (0..plan.rows()).map(|row| name(&library, plan.item(row).unwrap())).collect();
        assert_eq!(names, ["x", "y", "A", "a1", "a2", "B", "C"]);
        assert_eq!(rows.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
        for (number, y, _) in &rows {
            let item = plan.item(*number).unwrap();
            assert_eq!(plan.find(item), Some((item, *y)), "{}", name(&library, item));
        }
        assert_eq!(plan.item(7), None);
        assert_eq!(plan.beside(0)[0], None);
        // The note below B takes the place of a row.
        assert_eq!(plan.notes_between(0.0, plan.bottom).count(), 1);
        assert!((rows[6].1 - rows[5].1 - 2.0 * ROW_STEP).abs() < 0.1);
        // A chat in a closed folder is where its folder is.
        let hidden = library.chats.iter().find(|chat| chat.title == "c1").unwrap().id;
        assert_eq!(plan.find(Item::Chat(hidden)), Some((plan.item(6).unwrap(), rows[6].1)));
    }

    #[test]
    fn of_a_long_list_the_rows_between_two_heights_are_those_that_touch_what_lies_between() {
        let library = library();
        let plan = Plan::of(&library, 0);
        let all: Vec<_> = plan.rows_between(0.0, plan.bottom).collect();
        let (from, to) = (all[2].1 + 1.0, all[4].1 + 1.0);
        let seen: Vec<_> = plan.rows_between(from, to).map(|(number, ..)| number).collect();
        assert!([2, 3, 4].iter().all(|number| seen.contains(number)) && seen.len() <= 5, "{seen:?}");
    }

    #[test]
    fn what_is_dropped_on_a_folder_or_on_its_chats_goes_into_it_and_above_the_folders_out() {
        let library = library();
        let plan = Plan::of(&library, 0);
        let at = |row: usize| plan.rows_between(0.0, plan.bottom).nth(row).unwrap().1 + ROW / 2.0;
        let expected = [
            Target::Out,
            Target::Out,
            Target::Folder(0),
            Target::Folder(0),
            Target::Folder(0),
            Target::Folder(1),
        ];
        for (row, expected) in expected.into_iter().enumerate() {
            assert_eq!(plan.target(at(row)), Some(expected), "row {row}");
        }
        assert_eq!(plan.target(at(5) + ROW_STEP), Some(Target::Folder(1)), "the note of an empty folder");
        assert_eq!(plan.target(at(6)), Some(Target::Folder(2)));
        assert_eq!(plan.target(plan.folders_top.unwrap() + 4.0), None, "the title of the folders");
        assert_eq!(plan.target(plan.bottom + 50.0), None);
    }
}
