//! Folders of chats: made, opened, filled by menu, palette and pointer, renamed, deleted and brought back, with the keyboard alone, and
//! with thousands of chats.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use onebit::chat::ListCommand;
use onebit::shell::{Command, Page, Part};
use onebit::store::{
    Chat, ChatId, Folder, FolderId, Message, Role as Speaker, Saving, Store, Write, now_millis,
};

use crate::script::{Window, open, started, text};

const NAME: &str = "Name of the folder";

/// Stores folders with chats, and chats without one; the first of each is the newest.
fn fill(path: &Path, folders: &[(&str, &[&str])], loose: &[&str]) -> Vec<FolderId> {
    let store = Store::open(&path.join("chats.db"), Arc::new(|| {})).expect("the folder can be written");
    let write = |write: Write| {
        while store.write(write.clone()).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    };
    let mut count = 0;
    let mut chat = |title: &str, folder: Option<FolderId>| {
        count += 1;
        let mut chat = Chat::new(title, "starter");
        (chat.updated_millis, chat.folder) = (now_millis() - count, folder);
        let mut message = Message::complete(chat.id, None, Speaker::User, format!("What of {title}?"));
        message.created_millis = chat.updated_millis;
        write(Write::PutChat(chat));
        write(Write::AddMessage(message));
    };
    let mut ids = Vec::new();
    for (name, titles) in folders {
        let folder = Folder::new(*name);
        ids.push(folder.id);
        write(Write::PutFolder(folder.clone()));
        titles.iter().for_each(|title| chat(title, Some(folder.id)));
    }
    loose.iter().for_each(|title| chat(title, None));
    assert_eq!(store.close(), Saving::Yes);
    ids
}

fn filled(path: &Path) -> (Window, Vec<FolderId>) {
    let ids = fill(path, &[("Water", &["Rivers", "Lakes"]), ("Home server", &[])], &["Bread", "Tea"]);
    let mut window = open(path);
    window.until("the chats are listed", |window| window.shows("Menu of Bread"));
    (window, ids)
}

fn chat(window: &Window, title: &str) -> ChatId {
    let chats = &window.harness.state().controller.library.chats;
    chats.iter().find(|chat| chat.title == title).unwrap_or_else(|| panic!("no chat is called {title}")).id
}

/// The folder that a chat is in.
fn folder_of(window: &Window, title: &str) -> Option<String> {
    let library = &window.harness.state().controller.library;
    let chat = library.chats.iter().find(|chat| chat.title == title)?;
    library.folder_of(chat).map(|folder| folder.name.clone())
}

fn is_expanded(window: &Window, name: &str) -> Option<bool> {
    window.harness.get_by_role_and_label(Role::TreeItem, name).accesskit_node().data().is_expanded()
}

/// Gives the row of a chat the keyboard.
fn go_to(window: &mut Window, title: &str) {
    let id = chat(window, title);
    window.harness.state_mut().chat.list.go_to(id);
}

/// Presses at one place, moves to another in a few steps, and lets go unless `held`.
fn drag(window: &mut Window, from: Pos2, to: Pos2, held: bool) {
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    window.harness.event(Event::PointerMoved(from));
    window.step();
    window.harness.event(button(from, true));
    window.step();
    for part in 1..=4_u8 {
        window.harness.event(Event::PointerMoved(from + (to - from) * (f32::from(part) / 4.0)));
        window.step();
    }
    if !held {
        window.harness.event(button(to, false));
        window.steps(2);
    }
}

#[test]
fn folders_stand_below_the_chats_and_open_in_place_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    assert!(window.shows("Folders"), "{:?}", window.names());
    assert!(window.rect("Menu of Tea").top() < window.rect("Folders").top());
    assert!(window.rect("Home server, no chats").top() < window.rect("Water, 2 chats").top(), "by name");
    assert!(!window.shows("Menu of Rivers"));
    assert_eq!(is_expanded(&window, "Water, 2 chats"), Some(false));
    window.click("Water, 2 chats");
    assert_eq!(is_expanded(&window, "Water, 2 chats"), Some(true));
    let heights: Vec<f32> = ["Menu of the folder Water", "Menu of Rivers", "Menu of Lakes"]
        .map(|name| window.rect(name).top())
        .into();
    assert!(heights.is_sorted(), "{heights:?}");
    drop(window);
    let mut window = open(folder.path());
    window.until("it is open again", |window| window.shows("Menu of Rivers"));
    window.click("Water, 2 chats");
    assert!(!window.shows("Menu of Rivers"));
}

#[test]
fn a_folder_made_in_the_menu_of_a_chat_has_the_chat_in_it_and_undo_takes_it_out() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &[], &["Bread", "Tea"]);
    let mut window = open(folder.path());
    window.until("the chats are listed", |window| window.shows("Menu of Bread"));
    assert!(!window.shows("Folders"), "the part is not there before the first folder");
    window.click("Menu of Bread");
    window.click("Move to folder");
    window.click("New folder…");
    window.type_text(" Kitchen ");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("it is there", |window| window.shows("Kitchen, 1 chat"));
    assert!(window.shows("“Bread” moved to Kitchen"), "{:?}", window.names());
    window.click("Undo");
    window.until("it is out again", |window| window.shows("Kitchen, no chats"));
    assert!(window.shows("Menu of Bread"));
    window.click("Menu of Tea");
    window.click("Move to folder");
    window.click("Kitchen");
    window.until("the other is in it", |window| folder_of(window, "Tea").as_deref() == Some("Kitchen"));
    window.click("Kitchen, 1 chat");
    window.click("Menu of Tea");
    window.click("Move to folder");
    window.click("Take out of folder");
    window.until("it is out of it", |window| folder_of(window, "Tea").is_none());
}

#[test]
fn the_name_of_another_folder_is_refused_where_it_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    window.click("New folder");
    window.type_text("water");
    assert!(window.shows("Another folder has this name."), "{:?}", window.names());
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.shows("Create"), "the question is still open");
    window.type_text("s");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("it is made", |window| window.shows("waters, no chats"));

    window.click("Menu of the folder Water");
    window.click("Rename");
    window.until("the name can be typed", |window| {
        window.harness.query_by_role_and_label(Role::TextInput, NAME).is_some()
    });
    window.press(Modifiers::COMMAND, Key::A);
    window.type_text("HOME SERVER");
    assert!(window.shows("Another folder has this name."), "{:?}", window.names());
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.harness.query_by_role_and_label(Role::TextInput, NAME).is_some(), "it is still typed");
    window.press(Modifiers::NONE, Key::Escape);
    window.until("it has its old name", |window| window.shows("Water, 2 chats"));
}

#[test]
fn the_keyboard_walks_over_folders_opens_renames_and_deletes_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    let go = |window: &mut Window, key| {
        window.press(Modifiers::NONE, key);
        window.steps(2);
    };
    window.press(Modifiers::COMMAND, Key::F);
    // Bread, Tea, Home server, Water.
    for _ in 0..4 {
        go(&mut window, Key::ArrowDown);
    }
    go(&mut window, Key::ArrowRight);
    assert_eq!(is_expanded(&window, "Water, 2 chats"), Some(true));
    go(&mut window, Key::ArrowRight);
    go(&mut window, Key::ArrowDown);
    go(&mut window, Key::Enter);
    window.until("the second chat in it is open", |window| window.shows("What of Lakes?"));
    go_to(&mut window, "Lakes");
    window.steps(3);
    go(&mut window, Key::ArrowLeft);
    go(&mut window, Key::ArrowLeft);
    assert_eq!(is_expanded(&window, "Water, 2 chats"), Some(false));
    go(&mut window, Key::F2);
    window.type_text("s");
    go(&mut window, Key::Enter);
    window.until("it is renamed", |window| window.shows("Waters, 2 chats"));
    window.steps(3);
    go(&mut window, Key::Delete);
    window.until("it is deleted", |window| !window.shows("Waters, 2 chats"));
    assert!(window.shows("Folder “Waters” deleted") && window.shows("Menu of Lakes"), "{:?}", window.names());
    window.click("Undo");
    window.until("it is back with its chats", |window| window.shows("Waters, 2 chats"));
}

#[test]
fn a_chat_is_dragged_into_a_folder_and_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, ids) = filled(folder.path());
    let row =
        |window: &Window, role, name: &str| window.harness.get_by_role_and_label(role, name).rect().center();
    let home = row(&window, Role::TreeItem, "Home server, no chats");
    let bread = row(&window, Role::ListItem, "Bread");
    drag(&mut window, bread, home, false);
    window.until("it is in it", |window| folder_of(window, "Bread").as_deref() == Some("Home server"));
    assert!(window.shows("“Bread” moved to Home server"), "{:?}", window.names());
    assert!(window.harness.state().controller.open_id().is_none(), "a drag is no click");

    // An open folder takes what is dropped on its chats; what is let go with Esc stays where it is.
    window.act(Command::InList(ListCommand::ShowFolder(ids[0], true)));
    window.act(Command::InList(ListCommand::ShowFolder(ids[1], true)));
    window.steps(2);
    let (tea, lakes) = (row(&window, Role::ListItem, "Tea"), row(&window, Role::ListItem, "Lakes"));
    drag(&mut window, tea, lakes, true);
    window.press(Modifiers::NONE, Key::Escape);
    drag(&mut window, lakes, lakes, false);
    assert_eq!(folder_of(&window, "Tea"), None);
    let (tea, lakes) = (row(&window, Role::ListItem, "Tea"), row(&window, Role::ListItem, "Lakes"));
    drag(&mut window, tea, lakes, false);
    window.until("it is in it", |window| folder_of(window, "Tea").as_deref() == Some("Water"));

    // Chosen chats go together; nothing is out of a folder any more, so they are taken out by the menu.
    window.act(Command::InList(ListCommand::MoveTo(vec![chat(&window, "Tea")], None)));
    window.steps(2);
    for title in ["Rivers", "Lakes", "Bread"] {
        let row = window.harness.get_by_role_and_label(Role::ListItem, title);
        row.click_modifiers(Modifiers::COMMAND);
        window.steps(2);
    }
    let (rivers, tea) = (row(&window, Role::ListItem, "Rivers"), row(&window, Role::ListItem, "Tea"));
    drag(&mut window, rivers, tea, false);
    window.until("all are out", |window| {
        ["Rivers", "Lakes", "Bread"].iter().all(|title| folder_of(window, title).is_none())
    });
    assert!(window.shows("3 chats taken out of their folders"), "{:?}", window.names());
    // The newest of the toasts is the lowest.
    let undos = window.harness.query_all_by_label("Undo");
    undos.max_by(|a, b| a.rect().top().total_cmp(&b.rect().top())).expect("it can be undone").click();
    window.until("all are back", |window| {
        folder_of(window, "Rivers").as_deref() == Some("Water")
            && folder_of(window, "Bread").as_deref() == Some("Home server")
    });
}

#[test]
fn a_chat_begun_in_a_folder_is_in_it_and_a_closed_folder_shows_that_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, ids) = filled(folder.path());
    window.click("Menu of the folder Home server");
    window.click("New chat here");
    window.send("How hot is too hot?");
    window.engine_says([started(), text("About")]);
    assert_eq!(folder_of(&window, "How hot is too hot?").as_deref(), Some("Home server"));
    assert!(window.shows("Menu of How hot is too hot?"), "the folder is open: {:?}", window.names());
    window.act(Command::InList(ListCommand::ShowFolder(ids[1], false)));
    window.steps(2);
    assert!(window.shows("Home server, 1 chat, writing"), "{:?}", window.names());
    // The next new chat is in no folder.
    window.act(Command::NewChat);
    window.send("And now?");
    assert_eq!(folder_of(&window, "And now?"), None);
    drop(window);
    let mut window = open(folder.path());
    window.until("it is stored", |window| {
        folder_of(window, "How hot is too hot?").as_deref() == Some("Home server")
    });
}

#[test]
fn a_deleted_folder_is_restored_later_with_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    window.click("Menu of the folder Water");
    window.click("Delete folder");
    window.until("its chats are listed by date", |window| window.shows("Menu of Rivers"));
    window.act(Command::InList(ListCommand::MakeFolder("water".to_owned(), Vec::new())));
    drop(window);
    let mut window = open(folder.path());
    window.act(Command::ShowSettings(Part::Deleted));
    window.until("the list is known", |window| window.harness.state().controller.deleted().is_some());
    assert!(window.shows_part("Folder · deleted just now"), "{:?}", window.names());
    window.click("Restore Water");
    window.act(Command::Go(Page::Chat));
    window.until("it is back with its chats", |window| window.shows("Water 2, 2 chats"));
    assert!(window.shows("water, no chats"));
}

#[test]
fn the_palette_makes_folders_and_moves_the_chat_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    window.act(Command::OpenChat(chat(&window, "Tea")));
    window.until("it is shown", |window| window.shows("What of Tea?"));
    window.press(Modifiers::COMMAND, Key::K);
    window.type_text("move chat to folder wa");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("it is in it", |window| folder_of(window, "Tea").as_deref() == Some("Water"));
    window.press(Modifiers::COMMAND, Key::K);
    window.type_text("take chat out");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("it is out of it", |window| folder_of(window, "Tea").is_none());
    window.press(Modifiers::COMMAND, Key::K);
    window.type_text("new folder");
    window.press(Modifiers::NONE, Key::Enter);
    window.until("its name is asked for", |window| window.shows("Create"));
    window.type_text("Third");
    window.click("Create");
    window.until("it is made", |window| window.shows("Third, no chats"));
}

#[test]
fn a_hit_says_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, _) = filled(folder.path());
    window.press(Modifiers::COMMAND, Key::F);
    window.type_text("rivers");
    window.until("it is found", |window| window.shows("Rivers, in Water: What of Rivers?"));
    window.press(Modifiers::COMMAND, Key::A);
    window.type_text("home server");
    window.until("names of folders are not searched", |window| window.shows("Nothing found"));
}

#[test]
fn pins_stand_first_in_their_folder_and_a_folder_without_chats_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (mut window, ids) = filled(folder.path());
    window.act(Command::InList(ListCommand::ShowFolder(ids[0], true)));
    window.act(Command::InList(ListCommand::Pin(chat(&window, "Lakes"), true)));
    window.steps(2);
    assert!(!window.shows("Pinned"));
    assert!(window.rect("Menu of Lakes").top() < window.rect("Menu of Rivers").top());
    window.act(Command::InList(ListCommand::Delete(vec![
        chat(&window, "Rivers"),
        chat(&window, "Lakes"),
        chat(&window, "Bread"),
        chat(&window, "Tea"),
    ])));
    window.until("only folders are left", |window| window.shows("Water, no chats"));
    assert!(window.shows("No chats in it") && !window.shows("No chats yet"), "{:?}", window.names());
}

#[test]
fn of_ten_thousand_chats_in_a_folder_only_those_in_view_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<String> = (0..10_000).map(|n| format!("Chat {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let ids = fill(folder.path(), &[("All", &many), ("Below", &["Last"])], &["Loose"]);
    let mut window = open(folder.path());
    window.until("the chats are listed", |window| window.shows("All, 10000 chats"));
    window.act(Command::InList(ListCommand::ShowFolder(ids[0], true)));
    window.steps(2);
    let drawn = window.harness.state().chat.list.drawn;
    assert!((10..60).contains(&drawn), "{drawn} rows are drawn");
    go_to(&mut window, "Chat 9999");
    window.until("the last one is shown", |window| window.shows("Menu of Chat 9999"));
    assert!(window.harness.state().chat.list.drawn < 60);
    // A chat in a closed folder has no row: the folder gets the keyboard.
    go_to(&mut window, "Last");
    window.until("its folder has the keyboard", |window| {
        window.harness.state().chat.list.keyboard_in == Some(onebit::panes::chat::Item::Folder(ids[1]))
    });
}

#[test]
fn many_folders_scroll_in_the_menu_and_the_keyboard_reaches_them() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..40).map(|n| format!("Folder {n:02}")).collect();
    let folders: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    fill(folder.path(), &folders, &["Bread"]);
    let mut window = open(folder.path());
    window.until("the chats are listed", |window| window.shows("Menu of Bread"));
    window.click("Menu of Bread");
    let item = "Move to folder";
    window.harness.get_by_role_and_label(Role::MenuItem, item).focus();
    window.step();
    window.press(Modifiers::NONE, Key::ArrowRight);
    window.steps(3);
    assert!(window.shows("Folder 05") && !window.shows("Folder 39"), "{:?}", window.names());
    assert!(window.shows("New folder…"), "what stands below the folders is in view");
    for _ in 0..20 {
        window.press(Modifiers::NONE, Key::ArrowDown);
        window.steps(3);
    }
    window.press(Modifiers::NONE, Key::Enter);
    window.until("it is moved", |window| folder_of(window, "Bread").as_deref() == Some("Folder 20"));
}
