//! Editing, asking again, going on, moving between siblings, deleting and copying, and what the next start finds of it.

use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use onebit_engine::session::{Prompt, StopReason};

use crate::script::{Window, done, open, started, text};

fn answer(window: &mut Window, words: &str) {
    window.engine_says([started(), text(words), done(StopReason::EndOfText)]);
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.harness.key_press_modifiers(modifiers, key);
    for _ in 0..3 {
        window.harness.step();
    }
}

/// Replaces what is in the editor and asks.
fn edit_to(window: &mut Window, words: &str) {
    window.harness.state_mut().chat.transcript.editing.as_mut().expect("the editor is open").text =
        words.to_owned();
    window.harness.step();
    press(window, Modifiers::NONE, Key::Enter);
}

#[test]
fn an_edited_question_is_a_sibling_and_the_old_branch_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("First words", "First answer");
    window.click("Edit message");
    assert!(window.shows("Edited message"), "{:?}", window.names());
    edit_to(&mut window, "Other words");
    answer(&mut window, "Other answer");
    assert_eq!(window.asked(1), ["Other words"]);
    assert!(window.shows("Other answer") && !window.shows("First answer"), "{:?}", window.names());
    assert!(window.shows("Version 2 of 2"));
    window.click("Previous version");
    assert!(window.shows("First answer") && window.shows("Version 1 of 2"), "{:?}", window.names());
    drop(window);
    let mut window = open(folder.path());
    window.until("the branch that was shown is restored", |window| window.shows("First answer"));
    assert!(window.shows("Version 1 of 2") && !window.shows("Other answer"));
}

#[test]
fn leaving_the_editor_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("First words", "First answer");
    press(&mut window, Modifiers::NONE, Key::ArrowUp);
    assert!(window.shows("Edited message"), "Up in an empty composer edits: {:?}", window.names());
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(!window.shows("Edited message") && window.shows("First words"));
    assert_eq!(window.script.borrow().requests.len(), 1);
}

#[test]
fn another_answer_is_a_sibling_and_alt_arrows_move_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Question", "One way");
    window.click("Answer again");
    answer(&mut window, "Another way");
    assert!(window.shows("Another way") && window.shows("Version 2 of 2"));
    let seeds: Vec<u64> =
        window.script.borrow().requests.iter().map(|request| request.sampling.seed).collect();
    assert_ne!(seeds[0], seeds[1]);
    press(&mut window, Modifiers::ALT, Key::ArrowLeft);
    assert!(window.shows("One way") && !window.shows("Another way"), "{:?}", window.names());
    press(&mut window, Modifiers::ALT, Key::ArrowRight);
    assert!(window.shows("Another way"));
}

#[test]
fn while_an_answer_is_written_nothing_else_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Question", "One way");
    window.click("Answer again");
    window.engine_says([started(), text("Slow")]);
    window.click("Edit message");
    edit_to(&mut window, "Other words");
    assert_eq!(window.script.borrow().requests.len(), 2, "refused while it writes");
    assert!(window.shows("Edited message"), "what was typed stays");
    window.engine_says([done(StopReason::EndOfText)]);
    press(&mut window, Modifiers::NONE, Key::Enter);
    assert_eq!(window.script.borrow().requests.len(), 3);
}

#[test]
fn a_stopped_answer_goes_on_in_the_same_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Count");
    window.engine_says([started(), text("One, ")]);
    window.click("Stop");
    window.click("Continue");
    assert_eq!(window.asked(1), ["Count", "One, "]);
    assert!(matches!(window.script.borrow().requests[1].prompt, Prompt::Continue(_)));
    window.engine_says([started(), text("two"), done(StopReason::Length)]);
    assert!(window.shows("One, two"), "{:?}", window.names());
    assert!(window.shows("Cut off at the limit of tokens") && window.shows("Continue"));
    drop(window);
    let mut window = open(folder.path());
    window.until("the whole answer is restored", |window| window.shows("One, two"));
    assert!(window.shows("Cut off at the limit of tokens"));
}

#[test]
fn a_deleted_message_comes_back_with_undo_and_stays_away_without() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Question", "Answer");
    window.harness.get_all_by_label("More").last().expect("the answer's").click();
    window.until("the menu is open", |window| window.shows("Delete from here"));
    window.click("Delete from here");
    assert!(!window.shows("Answer") && window.shows("Message deleted"), "{:?}", window.names());
    window.click("Undo");
    assert!(window.shows("Answer"), "{:?}", window.names());
    window.harness.get_all_by_label("More").last().expect("the answer's").click();
    window.until("the menu is open", |window| window.shows("Delete from here"));
    window.click("Delete from here");
    drop(window);
    let mut window = open(folder.path());
    window.until("the question is restored", |window| window.shows("Question"));
    assert!(!window.shows("Answer"));
}

#[test]
fn a_conversation_is_copied_up_to_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Question", "Answer");
    let before = window.harness.state().controller.open_id();
    window.click("Copy into a new chat");
    assert_ne!(window.harness.state().controller.open_id(), before);
    assert!(window.shows("Answer"));
    window.exchange("More", "Of it");
    assert_eq!(window.asked(1), ["Question", "Answer", "More"]);
    let sessions: Vec<_> =
        window.script.borrow().requests.iter().map(|request| request.session.clone()).collect();
    assert_ne!(sessions[0], sessions[1], "a chat of its own");
}

#[test]
fn reasoning_is_folded_opened_and_never_copied_with_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Why?");
    window.engine_says([started(), text("<think>"), text("Let me see.")]);
    assert!(window.shows("Thinking"), "{:?}", window.names());
    assert!(!window.shows("Let me see."));
    window.engine_says([text("</think>"), text("Because."), done(StopReason::EndOfText)]);
    assert!(window.shows("Because.") && !window.shows("Let me see."), "{:?}", window.names());
    let header =
        window.names().into_iter().find(|name| name.starts_with("Thought for")).expect("a folded block");
    window.click(&header);
    assert!(window.shows("Let me see."), "{:?}", window.names());
    window.click("Copy answer");
    assert_eq!(window.copied().as_deref(), Some("Because."));
    window.send("And?");
    assert_eq!(window.asked(1), ["Why?", "Because.", "And?"], "earlier reasoning is not sent back");
}

#[test]
fn the_last_answer_is_copied_with_a_shortcut() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Question", "Answer");
    window.harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::C);
    window.harness.step();
    window.harness.step();
    assert!(window.shows("Answer copied"), "{:?}", window.names());
}

#[test]
fn a_new_answer_is_announced_by_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Tell");
    window.engine_says([started(), text("First sentence. Sec")]);
    let role = egui::accesskit::Role::Status;
    assert!(
        window.harness.query_by_role_and_label(role, "First sentence.").is_some(),
        "{:?}",
        window.names()
    );
    window.engine_says([text("ond"), done(StopReason::EndOfText)]);
    assert!(window.harness.query_by_role_and_label(role, "Second").is_some(), "{:?}", window.names());
}

#[test]
fn the_question_being_edited_is_scrolled_into_view() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Question", &"A long line of an answer.\n\n".repeat(60));
    press(&mut window, Modifiers::NONE, Key::ArrowUp);
    window.until("the editor is shown", |window| window.shows("Edited message"));
    edit_to(&mut window, "Other words");
    assert_eq!(window.script.borrow().requests.len(), 2);
}
