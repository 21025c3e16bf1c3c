//! The list of chats: parts, rename in place, pins, deleting together and undoing it, the keyboard, search, export and import.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use onebit::chat::ListCommand;
use onebit::shell::Command;
use onebit::store::{Chat, ChatId, Message, MessageId, Role, Saving, Store, Write, now_millis};
use onebit::transfer::Format;

use super::script::{Window, open};

const DAY_MILLIS: i64 = 86_400_000;

/// Stores chats, the first of the list first, each with one message; gives their ids.
fn fill(folder: &Path, chats: &[(&str, i64)]) -> Vec<ChatId> {
    let store = Store::open(&folder.join("chats.db"), Arc::new(|| {})).expect("the folder can be written");
    let mut ids = Vec::new();
    for (n, (title, days)) in chats.iter().enumerate() {
        let mut chat = Chat::new(*title, "starter");
        chat.updated_millis = now_millis() - days * DAY_MILLIS - n as i64;
        let mut message = Message::complete(chat.id, None, Role::User, format!("What of {title}?"));
        message.created_millis = chat.updated_millis;
        ids.push(chat.id);
        for write in [Write::PutChat(chat), Write::AddMessage(message)] {
            while store.write(write.clone()).is_err() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
    assert_eq!(store.close(), Saving::Yes);
    ids
}

fn filled(folder: &Path) -> (Window, Vec<ChatId>) {
    let ids = fill(folder, &[("Bread", 0), ("Tea", 0), ("Rivers", 1), ("Lakes", 400)]);
    let mut window = open(folder);
    window.until("the chats are listed", |window| window.shows("Menu of Bread"));
    (window, ids)
}

fn titles(window: &Window) -> Vec<String> {
    window.harness.state().controller.library.chats.iter().map(|chat| chat.title.clone()).collect()
}

#[test]
fn chats_stand_under_their_day_and_pins_on_top() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    for part in ["Today", "Yesterday"] {
        assert!(window.shows(part), "{part}: {:?}", window.names());
    }
    assert!(!window.shows("Pinned"));
    window.click("Menu of Lakes");
    window.click("Pin");
    window.until("it is pinned", |window| window.shows("Pinned"));
    assert_eq!(titles(&window)[0], "Lakes");
    assert!(window.rect("Menu of Lakes").top() < window.rect("Menu of Bread").top());
    drop(window);
    let mut window = open(folder.path());
    window.until("it is still pinned", |window| window.shows("Pinned"));
    window.click("Menu of Lakes");
    window.click("Unpin");
    window.until("it is not pinned", |window| !window.shows("Pinned"));
}

#[test]
fn a_title_is_changed_in_its_row_and_escape_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    let field = |window: &Window| {
        window.harness.query_by_role_and_label(egui::accesskit::Role::TextInput, "Title").is_some()
    };
    window.click("Menu of Tea");
    window.click("Rename");
    window.until("the title can be typed", field);
    window.type_text(" with milk");
    window.press(Modifiers::NONE, Key::Escape);
    assert!(window.shows("Menu of Tea") && !field(&window), "{:?}", window.names());
    window.click("Menu of Tea");
    window.click("Rename");
    window.until("the title can be typed", field);
    window.type_text(" with milk");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("the title is new", |window| window.shows("Menu of Tea with milk"));
}

#[test]
fn the_keyboard_walks_the_list_renames_opens_and_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, ids) = filled(folder.path());
    window.press(Modifiers::COMMAND, Key::F);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.steps(2);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.steps(2);
    window.press(Modifiers::NONE, Key::Enter);
    window.until("the second chat is open", |window| window.shows("What of Tea?"));
    window.press(Modifiers::COMMAND, Key::F);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.steps(2);
    window.press(Modifiers::NONE, Key::Delete);
    window.until("the first is deleted", |window| !window.shows("Menu of Bread"));
    assert_eq!(window.harness.state().controller.open_id(), Some(ids[1]), "another chat stays open");
    window.steps(3);
    window.press(Modifiers::NONE, Key::F2);
    window.type_text("!");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("the row that came after it is renamed", |window| window.shows("Menu of Tea!"));
}

#[test]
fn chosen_chats_are_deleted_together_and_come_back_together() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, ids) = filled(folder.path());
    window.act(Command::OpenChat(ids[0]));
    window.until("it is open", |window| window.shows("What of Bread?"));
    for title in ["Bread", "Rivers"] {
        let row = window.harness.get_by_role_and_label(egui::accesskit::Role::ListItem, title);
        row.click_modifiers(Modifiers::COMMAND);
        window.steps(2);
    }
    window.click("Menu of Bread");
    assert!(!window.shows("Rename"), "a title is for one chat");
    window.click("Delete 2 chats");
    window.until("both are gone", |window| titles(window) == ["Tea", "Lakes"]);
    assert!(window.shows("2 chats deleted"));
    assert!(!window.shows("What of Bread?"));
    window.click("Undo");
    window.until("both are back", |window| titles(window).len() == 4);
    window.until("the one that was open is open again", |window| window.shows("What of Bread?"));
}

#[test]
fn a_search_shows_where_the_words_are_and_opens_the_chat_there_on_its_branch() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("chats.db"), Arc::new(|| {})).unwrap();
    let chat = Chat::new("Geography", "starter");
    let question = Message::complete(chat.id, None, Role::User, "Name a river.");
    let older = Message::complete(chat.id, Some(question.id), Role::Assistant, "The Neckar flows.");
    let newer = Message::complete(chat.id, Some(question.id), Role::Assistant, "The Rhine flows.");
    let (id, hidden): (ChatId, MessageId) = (chat.id, older.id);
    store.write(Write::PutChat(chat)).unwrap();
    for message in [question, older, newer] {
        store.write(Write::AddMessage(message)).unwrap();
    }
    assert_eq!(store.close(), Saving::Yes);
    let mut window = open(folder.path());
    window.press(Modifiers::COMMAND, Key::F);
    window.type_text("neck");
    window.until("it is found", |window| window.shows("Geography: The Neckar flows."));
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.steps(2);
    window.press(Modifiers::NONE, Key::Enter);
    window.until("the branch with it is shown", |window| {
        let shown = window.harness.state().controller.conversation();
        shown
            .is_some_and(|shown| shown.chat.id == id && shown.messages.iter().any(|known| known.id == hidden))
    });
    window.harness.state_mut().chat.search = "zebra".to_owned();
    window.until("nothing is found", |window| window.shows("Nothing found"));
    window.harness.state_mut().chat.search.clear();
    window.until("all are listed", |window| window.shows("Menu of Geography"));
}

#[test]
fn chats_are_exported_and_imported_from_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, ids) = filled(folder.path());
    let file = folder.path().join("out.json");
    window.harness.state_mut().controller.export(Some(ids[..2].to_vec()), Format::Json, file.clone());
    window.until("the export is done", |window| window.shows("Exported 2 chats"));
    window.act(Command::InList(ListCommand::Delete(ids)));
    window.until("all are gone", |window| window.shows("No chats yet"));
    window.harness.state_mut().controller.import(&file);
    window.until("the import is done", |window| window.shows("Imported 2 chats"));
    window.until("they are listed", |window| titles(window) == ["Bread", "Tea"]);
    window.harness.state_mut().controller.import(&file);
    window.until("they are recognised", |window| window.shows("Imported 0 chats"));
    std::fs::write(&file, "{\"format\":\"other\"}").unwrap();
    window.harness.state_mut().controller.import(&file);
    window.until("another file is refused", |window| window.shows("Nothing was imported"));
    assert_eq!(titles(&window), ["Bread", "Tea"]);
}

#[test]
fn of_ten_thousand_chats_only_those_in_view_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<(String, i64)> = (0..10_000).map(|n| (format!("Chat {n}"), n / 20)).collect();
    let many: Vec<(&str, i64)> = many.iter().map(|(title, days)| (title.as_str(), *days)).collect();
    fill(folder.path(), &many);
    let mut window = open(folder.path());
    window.until("the chats are listed", |window| window.shows("Menu of Chat 0"));
    let drawn = window.harness.state().chat.list.drawn;
    assert!((10..60).contains(&drawn), "{drawn} rows are drawn");
    let last = window.harness.state().controller.library.chats[9_999].id;
    window.harness.state_mut().chat.list.go_to(last);
    window.until("the last one is shown", |window| window.shows("Menu of Chat 9999"));
    assert!(window.harness.state().chat.list.drawn < 60);
}
