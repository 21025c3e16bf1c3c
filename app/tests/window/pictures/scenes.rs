//! What is drawn: one function a pane or state, which opens a window and brings it there.

use std::path::Path;

use eframe::egui::{Key, Modifiers, ViewportEvent, ViewportId};
use egui_kittest::kittest::Queryable as _;
use onebit::chat::{Engine, ListCommand};
use onebit::settings::Group;
use onebit::shell::{Command, Part};

use super::samples::{BRANCHES, FILED, SHORT};
use super::studio::Set;
use crate::script::{Window, scripted};

/// Opens a window and brings it to what is drawn.
pub type Scene = fn(&Set) -> Window;

/// Every scene with the first part of its pictures' names.
pub const ALL: [(&str, Scene); 25] = [
    ("chat", chat),
    ("chat-empty", chat_empty),
    ("chat-writing", chat_writing),
    ("chat-branch", chat_branch),
    ("chat-edit", chat_edit),
    ("chat-inspector", chat_inspector),
    ("chat-context", chat_context),
    ("chat-models", chat_models),
    ("chat-search", chat_search),
    ("chat-folders", chat_folders),
    ("chat-busy", chat_busy),
    ("settings-general", |set| settings(set, Part::Values(Group::General))),
    ("settings-models", |set| settings(set, Part::Values(Group::Models))),
    ("settings-personas", |set| settings(set, Part::Personas)),
    ("settings-deleted", settings_deleted),
    ("settings-shortcuts", |set| settings(set, Part::Shortcuts)),
    ("settings-log", settings_log),
    ("settings-about", |set| settings(set, Part::About)),
    ("palette", palette),
    ("dialog-close", dialog_close),
    ("toast-undo", toast_undo),
    ("error-model", error_model),
    ("error-missing", error_missing),
    ("error-damaged", error_damaged),
    ("error-newer", error_newer),
];

/// A finished answer with code, table and figures, and a file with the next question.
fn chat(set: &Set) -> Window {
    let mut window = set.open();
    if !set.light.is_narrow() {
        let file = set.folder.path().join("packings.md");
        std::fs::write(
            &file,
            "# Packings\n\n- TQ1_0: five trits in eight bits\n- TQ2_0: one trit in two bits\n",
        )
        .unwrap();
        window.harness.state_mut().controller.attach([file]);
        window.until("the file is read", |window| window.shows_part("packings.md"));
        window.type_message("Put the table of this file beside yours");
        window.steps(20);
    }
    window
}

fn chat_empty(set: &Set) -> Window {
    set.open_empty()
}

fn chat_writing(set: &Set) -> Window {
    let mut window = set.open();
    window.act(Command::NewChat);
    window.send("Write a story about a fox and a lighthouse.");
    window.until("the answer grows", |window| {
        let shown = window.harness.state().controller.conversation();
        shown.and_then(|shown| Some(shown.messages.last()?.stats.tokens >= 60)).unwrap_or(false)
    });
    window
}

fn open_chat(window: &mut Window, title: &str) {
    let chats = &window.harness.state().controller.library.chats;
    let chat = chats.iter().find(|chat| chat.title == title).expect("it is among the samples").id;
    window.act(Command::OpenChat(chat));
    window.until("the chat is shown", |window| {
        let controller = &window.harness.state().controller;
        controller.conversation().is_some_and(|shown| shown.chat.id == chat)
            && controller.context_use().is_some_and(|used| !used.estimated)
    });
}

/// A window with a chat of few words.
pub fn short(set: &Set) -> Window {
    let mut window = set.open();
    open_chat(&mut window, SHORT);
    window.steps(3);
    window
}

/// An edited question with its siblings, and a folded thought.
fn chat_branch(set: &Set) -> Window {
    let mut window = set.open();
    open_chat(&mut window, BRANCHES);
    window
}

fn chat_edit(set: &Set) -> Window {
    let mut window = set.open();
    open_chat(&mut window, BRANCHES);
    window.press(Modifiers::NONE, Key::ArrowUp);
    window.until("the editor is open", |window| window.shows("Edited message"));
    window
}

fn chat_inspector(set: &Set) -> Window {
    let mut window = set.open();
    // In a large window it is open at first.
    if !window.shows("Sampling") {
        window.press(Modifiers::COMMAND, Key::I);
    }
    window.until("the panel is open", |window| window.shows("Sampling"));
    window.steps(8);
    window
}

fn chat_context(set: &Set) -> Window {
    let mut window = short(set);
    let gauge = window.names().into_iter().find(|name| name.starts_with("Context used")).expect("the gauge");
    window.click(&gauge);
    window
}

fn chat_models(set: &Set) -> Window {
    let mut window = short(set);
    window.click("Model: 1bit Starter");
    window
}

fn chat_search(set: &Set) -> Window {
    let mut window = short(set);
    window.press(Modifiers::COMMAND, Key::F);
    window.steps(8);
    window.type_text("mod");
    window.until("something is found", |window| {
        window.harness.state().controller.library.hits.as_ref().is_some_and(|hits| !hits.is_empty())
    });
    window.steps(3);
    window
}

/// Where a chat of a folder can be moved.
fn chat_folders(set: &Set) -> Window {
    let mut window = short(set);
    if set.light.is_narrow() {
        window.act(Command::ToggleList);
        let chats = &window.harness.state().controller.library.chats;
        let last = chats.iter().find(|chat| chat.title == FILED).expect("it is among the samples").id;
        window.harness.state_mut().chat.list.go_to(last);
        window.steps(20);
    }
    window.click("Menu of Knots worth knowing");
    window.click("Move to folder");
    window.steps(20);
    window
}

/// The engine has not started yet; a question waits for it.
fn chat_busy(set: &Set) -> Window {
    let (backend, _) = scripted(Engine::Starting);
    let mut window = set.open_over(backend);
    window.until("the models are known", |window| window.harness.state().controller.can_send());
    window.send("What is the capital of France?");
    window.until("it waits", |window| window.shows("Waiting for 1bit Starter"));
    window
}

pub fn settings(set: &Set, part: Part) -> Window {
    let mut window = short(set);
    window.act(Command::ShowSettings(part));
    window.steps(8);
    window
}

/// Lines of the log that have a word. All of them would be those of every picture drawn so far.
fn settings_log(set: &Set) -> Window {
    log_with(set, "engine")
}

/// The log, searched for a word.
pub fn log_with(set: &Set, word: &str) -> Window {
    let mut window = settings(set, Part::Log);
    window.harness.get_by_label("Search the log").focus();
    window.steps(2);
    window.type_text(word);
    window.steps(4);
    window
}

/// A chat that can be brought back.
fn settings_deleted(set: &Set) -> Window {
    let mut window = toast_undo(set);
    window.act(Command::ShowSettings(Part::Deleted));
    window.until("it is listed", |window| window.shows_part(BRANCHES));
    window.steps(8);
    window
}

fn palette(set: &Set) -> Window {
    palette_with(set, "cha")
}

/// The palette with a query.
pub fn palette_with(set: &Set, query: &str) -> Window {
    let mut window = short(set);
    window.press(Modifiers::COMMAND, Key::K);
    window.type_text(query);
    window.steps(8);
    window
}

fn dialog_close(set: &Set) -> Window {
    let mut window = short(set);
    for events in [vec![ViewportEvent::Close], Vec::new()] {
        window.harness.input_mut().viewports.entry(ViewportId::ROOT).or_default().events = events;
        window.harness.step();
    }
    window.steps(3);
    window
}

fn toast_undo(set: &Set) -> Window {
    let mut window = short(set);
    let chats = &window.harness.state().controller.library.chats;
    let chat = chats.iter().find(|chat| chat.title == BRANCHES).expect("it is among the samples").id;
    window.act(Command::InList(ListCommand::Delete(vec![chat])));
    window.until("it can be undone", |window| window.shows("Undo"));
    window
}

/// A file that ends too early.
fn error_model(set: &Set) -> Window {
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/models/starter.gguf");
    let mut half = std::fs::read(starter).unwrap();
    half.truncate(half.len() / 2);
    let file = set.folder.path().join("half-a-download.gguf");
    std::fs::write(&file, half).unwrap();
    refused(set, &file)
}

/// A file that is gone.
fn error_missing(set: &Set) -> Window {
    refused(set, Path::new("/home/ada/Downloads/gone.gguf"))
}

fn refused(set: &Set, file: &Path) -> Window {
    let mut window = short(set);
    window.harness.state_mut().controller.open_model(file);
    window.until("it is refused", |window| window.shows("Dismiss"));
    window.steps(3);
    window
}

/// A database that is none, which is set aside.
fn error_damaged(set: &Set) -> Window {
    std::fs::write(set.folder.path().join("chats.db"), "SQLite format 3\0".repeat(500)).unwrap();
    set.open_empty()
}

/// A database of a later version, which is left alone.
fn error_newer(set: &Set) -> Window {
    let newer = rusqlite::Connection::open(set.folder.path().join("chats.db")).unwrap();
    newer.execute_batch("PRAGMA user_version = 99; CREATE TABLE wonders (name TEXT)").unwrap();
    drop(newer);
    set.open_empty()
}
