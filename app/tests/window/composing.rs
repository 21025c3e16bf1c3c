//! Files that go with a message, long pastes, the context and what happens when it is full.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;
use egui_kittest::kittest::Queryable as _;
use onebit_engine::session::{Event, StopReason, Usage};

use crate::script::{Window, done, open, started, text};

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }
    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("files are read by path".to_owned())
    }
}

fn drop_file(window: &mut Window, folder: &std::path::Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a temporary folder takes files");
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    window.harness.step();
}

#[test]
fn a_dropped_text_goes_with_the_message_and_is_kept_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    drop_file(&mut window, folder.path(), "notes.md", b"# Notes\n");
    window.until("the file is attached", |window| window.shows("Remove notes.md"));
    window.send("What is this?");
    assert_eq!(window.asked(0), ["File notes.md:\n```\n# Notes\n```\n\nWhat is this?"]);
    assert!(
        !window.shows("Remove notes.md") && window.shows_part("File notes.md, 8 B"),
        "{:?}",
        window.names()
    );
    window.engine_says([started(), text("Notes."), done(StopReason::EndOfText)]);
    drop(window);
    let mut window = open(folder.path());
    window.until("the chat is restored", |window| window.shows("Notes."));
    assert!(window.shows_part("File notes.md, 8 B"), "{:?}", window.names());
}

#[test]
fn a_file_that_is_no_text_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    drop_file(&mut window, folder.path(), "photo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    window.until("it is said", |window| window.shows("photo.png was not attached"));
    assert!(window.shows_part("It is no text file"), "{:?}", window.names());
    assert!(!window.shows("Remove photo.png"));
}

#[test]
fn a_removed_file_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    drop_file(&mut window, folder.path(), "a.txt", b"alpha");
    window.until("the file is attached", |window| window.shows("Remove a.txt"));
    window.click("Remove a.txt");
    window.send("Hello");
    assert_eq!(window.asked(0), ["Hello"]);
}

#[test]
fn files_of_a_draft_outlive_the_program_and_are_forgotten_when_they_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    for (name, text) in [("a.txt", "alpha"), ("b.txt", "beta"), ("c.txt", "gamma")] {
        drop_file(&mut window, folder.path(), name, text.as_bytes());
        window.until("the file is attached", |window| window.shows(&format!("Remove {name}")));
    }
    window.click("Remove b.txt");
    let unsaved = |window: &Window| window.harness.state().controller.unsaved();
    window.until("it is on the disk", |window| !unsaved(window));

    // The first window is still open: to the second it is as if the first had been killed.
    let mut second = open(folder.path());
    second.until("the files are back", |window| window.shows("Remove a.txt") && window.shows("Remove c.txt"));
    assert!(!second.shows("Remove b.txt"));
    // Only one of them can write.
    drop(window);
    second.send("Hello");
    assert_eq!(second.asked(0).len(), 1);
    assert!(second.asked(0)[0].contains("alpha") && second.asked(0)[0].contains("gamma"));
    second.until("it is on the disk", |window| !unsaved(window));
    drop(second);
    let mut third = open(folder.path());
    third.steps(5);
    assert!(!third.shows("Remove a.txt") && third.harness.state().controller.composing.files.is_empty());
}

#[test]
fn a_long_paste_becomes_a_file_and_a_huge_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.type_message("see ");
    window.harness.event(egui::Event::Paste("line\n".repeat(4000)));
    window.harness.run_steps(3);
    assert!(window.shows("Remove Pasted text"), "{:?}", window.names());
    assert_eq!(window.harness.state().chat.draft, "see ");
    window.harness.event(egui::Event::Paste("x".repeat(50 << 20)));
    window.harness.run_steps(3);
    assert!(
        window.shows("Pasted text 2 was not attached") && window.shows_part("50.0 MiB"),
        "{:?}",
        window.names()
    );
    window.harness.event(egui::Event::Paste("short".to_owned()));
    window.harness.run_steps(3);
    assert_eq!(window.harness.state().chat.draft, "see short");
}

/// An exchange after which the engine has seen so many tokens.
fn exchange_of(window: &mut Window, question: &str, tokens: u32) {
    window.send(question);
    let usage = Usage { prompt_tokens: tokens - 10, new_tokens: 10, decode_millis: 1.0, ..Usage::default() };
    let started = Event::Started { prompt_tokens: tokens - 10, cached_tokens: 0, lane: "cpu-avx2" };
    window.engine_says([started, text("Yes."), Event::Done { reason: StopReason::EndOfText, usage }]);
}

#[test]
fn the_gauge_says_what_fills_the_context_and_warns_before_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    exchange_of(&mut window, "Question", 1024);
    window.click("Context used: 50 %");
    assert!(
        window.shows("Messages: 1,024") && window.shows("Context: 1,024 / 2,048"),
        "{:?}",
        window.names()
    );
    assert!(window.shows_part("the oldest messages are left out"));
    window.harness.key_press(egui::Key::Escape);
    window.harness.run_steps(2);
    assert!(!window.shows_part("Context 5"));
    exchange_of(&mut window, "More", 1740);
    assert!(window.shows_part("Context 85 % full"), "{:?}", window.names());
}

#[test]
fn when_the_context_is_full_the_oldest_turns_are_left_out_under_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    // Without a tokenizer four bytes count as a token; a question has 500, the context 2048.
    let question = |number: usize| format!("{number} {}", "word ".repeat(400));
    for number in 0..3 {
        exchange_of(&mut window, &question(number), 500 * (number as u32 + 1));
        assert_eq!(window.asked(number).len(), 2 * number + 1);
    }
    window.send(&question(3));
    let told = window.asked(3);
    assert!(told.len() < 7 && told.last().is_some_and(|last| last.starts_with("3 ")), "{}", told.len());
    assert!(told[0].starts_with("2 "), "{}", &told[0][..8]);
    window.engine_says([started(), text("Yes."), done(StopReason::EndOfText)]);
    for _ in 0..60 {
        if window.shows("Messages above are no longer seen by the model") {
            return;
        }
        window.harness.event(egui::Event::PointerMoved(egui::pos2(800.0, 300.0)));
        window.harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, 200.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        window.harness.step();
    }
    panic!("no line is shown: {:?}", window.names());
}

#[test]
fn an_interrupted_answer_still_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Question");
    window.engine_says([started(), text(&"word ".repeat(200))]);
    drop(window);
    let mut window = open(folder.path());
    window.until("the chat is restored", |window| window.shows_part("Interrupted"));
    let used = window.harness.state().controller.context_use().unwrap();
    assert!(used.messages >= 250 && used.estimated, "{used:?}");
    assert!(window.shows("Continue"));
}

#[test]
fn the_attach_button_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let window = open(folder.path());
    window.harness.get_by_label("Attach text files");
}
