//! The command palette, by keyboard alone.

use std::time::Instant;

use eframe::egui::{Key, Modifiers};
use onebit::shell::Page;
use onebit::store::{Chat, Store, Write};
use onebit::window::{Call, Outside, Stage};

use crate::script::{Window, open, open_beside};

fn palette(window: &mut Window, text: &str) {
    window.press(Modifiers::COMMAND, Key::K);
    window.step();
    window.type_text(text);
}

fn enter(window: &mut Window) {
    window.press(Modifiers::NONE, Key::Enter);
    window.steps(2);
}

#[test]
fn a_command_is_found_by_letters_and_run_by_enter() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    palette(&mut window, "set sho");
    assert!(window.shows("Settings: Shortcuts"), "{:?}", window.names());
    enter(&mut window);
    assert!(!window.shows("Settings: Shortcuts"));
    assert_eq!(window.harness.state().page(), Page::Settings);
    assert!(window.shows("Change the key of New chat"));
}

#[test]
fn arrows_choose_and_esc_closes() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    palette(&mut window, "theme");
    let first = window.names().iter().position(|name| name == "Use the light theme");
    assert!(first.is_some(), "{:?}", window.names());
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.press(Modifiers::NONE, Key::ArrowUp);
    window.press(Modifiers::NONE, Key::Escape);
    window.steps(2);
    assert!(!window.shows("Use the light theme"));
    palette(&mut window, "no such thing at all");
    assert!(window.shows("Nothing found"));
    enter(&mut window);
    assert!(window.shows("Nothing found"), "Enter on nothing does nothing");
}

#[test]
fn a_command_that_cannot_be_used_now_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    palette(&mut window, "this chat");
    assert!(!window.shows("Rename this chat"));
    window.press(Modifiers::COMMAND, Key::K);
    window.exchange("Hello", "Hi");
    palette(&mut window, "rename this");
    assert!(window.shows("Rename this chat"), "{:?}", window.names());
    enter(&mut window);
    assert!(window.shows("Rename chat"));
}

#[test]
fn import_export_and_quit_are_commands_and_hiding_is_one_only_with_a_tray() {
    let folder = tempfile::tempdir().unwrap();
    let (calls, receiver) = std::sync::mpsc::channel();
    let mut window = open_beside(folder.path(), Outside { calls: receiver, ..Outside::nobody() });
    let offered = |window: &mut Window, text: &str, label: &str| {
        palette(window, text);
        let shown = window.shows(label);
        window.press(Modifiers::COMMAND, Key::K);
        shown
    };
    assert!(offered(&mut window, "import", "Import chats…"));
    assert!(!offered(&mut window, "export", "Export this chat as JSON…"), "no chat is shown");
    assert!(!offered(&mut window, "export", "Export all chats as Markdown…"), "there is none");
    assert!(!offered(&mut window, "hide the window", "Hide the window"));
    window.exchange("Hello", "Hi");
    for label in ["Export this chat as JSON…", "Export this chat as Markdown…", "Export all chats as JSON…"]
    {
        assert!(offered(&mut window, label, label), "{label}");
    }
    calls.send(Call::Tray(onebit::tray::Event::Shown(true))).unwrap();
    window.steps(2);
    palette(&mut window, "hide the window");
    enter(&mut window);
    assert_eq!(window.harness.state().life.stage(), Stage::Leaving);
    palette(&mut window, "quit");
    enter(&mut window);
    assert_eq!(window.harness.state().life.stage(), Stage::Ending);
}

#[test]
fn models_are_offered() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    palette(&mut window, "use other");
    enter(&mut window);
    assert_eq!(window.script.borrow().loads.last().map(|load| load.id.clone()).as_deref(), Some("other"));
}

#[test]
fn one_chat_among_ten_thousand_is_found_without_holding_up_a_pass() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("chats.db"), std::sync::Arc::new(|| {})).unwrap();
    for index in 0..10_000 {
        let title = if index == 4321 { "Brambleberry jam".to_owned() } else { format!("Chat {index}") };
        while store.write(Write::PutChat(Chat::new(title.clone(), "starter"))).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    drop(store);
    let mut window = open(folder.path());
    palette(&mut window, "bramble");
    let begun = Instant::now();
    window.until("the chat is found", |window| window.shows("Brambleberry jam"));
    println!("found after {:?}", begun.elapsed());
    enter(&mut window);
    window.until("it is open", |window| {
        window
            .harness
            .state()
            .controller
            .conversation()
            .is_some_and(|open| open.chat.title == "Brambleberry jam")
    });
}
