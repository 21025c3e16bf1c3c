//! Typing, sending, streaming, stopping, and what the next start finds.

use eframe::egui;
use egui_kittest::kittest::Queryable as _;
use onebit_engine::session::{GenerateError, Prompt, StopReason};

use crate::script::{done, open, started, text};

#[test]
fn first_start_says_what_answers_and_offers_suggestions() {
    let folder = tempfile::tempdir().unwrap();
    let window = open(folder.path());
    assert!(window.shows("Ready when you are"), "{:?}", window.names());
    assert!(window.shows_part("1bit Starter is loaded and answers on this computer’s CPU"));
    assert!(window.shows("No chats yet"));
    assert!(window.shows_part("Explain a term"));
}

#[test]
fn a_suggestion_is_sent_with_one_click() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.click("Plan a task: List the steps to bake bread");
    assert_eq!(window.script.borrow().requests.len(), 1);
    assert!(window.shows("List the steps to bake bread"));
}

#[test]
fn an_answer_streams_into_the_page_as_markdown() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Hello");
    assert!(window.shows("Stop") && !window.shows("Send"));
    window.engine_says([started()]);
    assert!(window.shows("Reading 0 of 12 tokens"));
    window.engine_says([text("Good **mor")]);
    assert!(window.shows("Writing") && window.shows("Good **mor"), "{:?}", window.names());
    window.engine_says([text("ning**\n\n```rust\nfn main() {}\n```\n"), done(StopReason::EndOfText)]);
    assert!(window.shows("Good morning") && window.shows("fn main() {}"), "{:?}", window.names());
    assert!(window.shows("Send") && !window.shows("Writing"));
    window.click("Copy code");
    assert_eq!(window.copied().as_deref(), Some("fn main() {}"));
}

#[test]
fn the_whole_conversation_is_the_prompt_and_the_chat_is_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("First question", "First answer");
    window.send("Second question");
    let script = window.script.borrow();
    let [first, second] = &script.requests[..] else { panic!("{} requests", script.requests.len()) };
    let Prompt::Chat(said) = &second.prompt else { panic!("a chat") };
    assert_eq!(
        said.iter().map(|m| m.content.as_str()).collect::<Vec<_>>(),
        ["First question", "First answer", "Second question"]
    );
    assert!(first.session.is_some() && first.session == second.session);
    assert_eq!(second.model, "starter");
}

#[test]
fn shift_enter_makes_a_line_and_enter_sends() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.type_message("one");
    window.harness.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::Enter);
    window.harness.step();
    window.send("two");
    let script = window.script.borrow();
    let Prompt::Chat(said) = &script.requests[0].prompt else { panic!("a chat") };
    assert_eq!(said[0].content, "one\ntwo");
}

#[test]
fn text_enter_and_more_text_in_one_pass_are_taken_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.type_message("first ");
    let enter = egui::Event::Key {
        key: egui::Key::Enter,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    let typed = [egui::Event::Text("message".to_owned()), enter, egui::Event::Text("next".to_owned())];
    window.harness.input_mut().events.extend(typed);
    window.harness.run_steps(4);
    let script = window.script.borrow();
    let Prompt::Chat(said) = &script.requests[0].prompt else { panic!("a chat") };
    assert_eq!(said[0].content, "first message");
    assert_eq!(window.harness.state().chat.draft, "next");
}

#[test]
fn typing_without_a_chosen_field_writes_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.harness.ctx.memory_mut(|memory| memory.stop_text_input());
    window.harness.run_steps(2);
    window.harness.event(egui::Event::Text("Hello".to_owned()));
    window.harness.run_steps(2);
    assert_eq!(window.harness.state().chat.draft, "Hello");
}

#[test]
fn blank_text_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("   ");
    assert!(window.script.borrow().requests.is_empty());
}

#[test]
fn stop_and_escape_cancel_and_keep_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Count");
    window.engine_says([started(), text("One, two")]);
    window.click("Stop");
    assert_eq!(window.script.borrow().cancels, 1);
    assert!(window.shows("Stopped") && window.shows("One, two"), "{:?}", window.names());
    window.send("Again");
    window.engine_says([started(), text("Three")]);
    window.harness.key_press(egui::Key::Escape);
    window.harness.step();
    window.harness.step();
    assert_eq!(window.script.borrow().cancels, 2);
}

#[test]
fn the_next_start_shows_the_last_chat_with_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("What is kept?", "Everything you *wrote*.");
    window.type_message("not sent yet");
    window.harness.state_mut().chat.draft.push('!');
    eframe::App::on_exit(window.harness.state_mut());
    drop(window);
    let mut window = open(folder.path());
    window.until("the chat is restored", |window| window.shows("Everything you wrote."));
    assert!(window.shows("What is kept?"));
    assert_eq!(window.harness.state().chat.draft, "not sent yet!");
}

#[test]
fn a_failed_answer_says_why_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Hello");
    let error = GenerateError::PromptTooLong { prompt_tokens: 3000, context: 2048 };
    window.engine_says([started(), onebit_engine::session::Event::Failed(error)]);
    assert!(
        window.shows_part("The prompt has 3000 tokens, but the context holds 2048"),
        "{:?}",
        window.names()
    );
    window.click("Copy details");
    assert!(window.copied().is_some_and(|text| text.contains("3000")));
    window.click("Try again");
    assert_eq!(window.script.borrow().requests.len(), 2);
    window.engine_says([started(), text("Now it works"), done(StopReason::EndOfText)]);
    assert!(window.shows("Now it works") && !window.shows("Try again"));
}

#[test]
fn chats_are_found_renamed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("About bread", "Flour.");
    window.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::N);
    window.harness.step();
    window.harness.step();
    assert!(window.shows("Ready when you are"));
    window.exchange("About tea", "Leaves.");

    window.click("Menu of About bread");
    window.click("Rename");
    window.harness.step();
    window.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Title").type_text(" and butter");
    window.harness.step();
    window.harness.key_press(egui::Key::Enter);
    window.until("the chat is renamed", |window| window.shows("About bread and butter"));

    window.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::F);
    window.harness.step();
    window.harness.get_by_label("Search").type_text("BUTTER");
    window.until("only one is listed", |window| {
        window.shows("About bread and butter") && !window.shows("Menu of About tea")
    });
    window.harness.state_mut().chat.search.clear();
    window.until("both are listed", |window| window.shows("Menu of About tea"));

    window.click("Menu of About tea");
    window.click("Delete");
    window.until("the chat is gone", |window| !window.shows("Menu of About tea"));
    assert!(window.shows("“About tea” deleted"));
    window.click("Undo");
    window.until("the chat is back", |window| window.shows("Menu of About tea"));
    window.click("Menu of About tea");
    window.click("Delete");
    window.until("the chat is gone", |window| !window.shows("Menu of About tea"));
    drop(window);
    let mut window = open(folder.path());
    window.until("the list is there", |window| window.shows("Menu of About bread and butter"));
    assert!(!window.shows("Menu of About tea"));
}

#[test]
fn a_disk_that_takes_nothing_is_said_and_the_chat_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("chats.db")).unwrap();
    let mut window = open(folder.path());
    window.until("it is said", |window| window.shows("Chats are not being saved"));
    window.exchange("Hello", "Still here");
    assert!(window.shows("Still here"));
    window.click("Close message");
    assert!(!window.shows("Chats are not being saved"));
}

#[test]
fn a_damaged_database_is_set_aside_and_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chats.db"), b"this is no database, however long it is".repeat(100))
        .unwrap();
    let mut window = open(folder.path());
    window.until("it is said", |window| window.shows("The chat database could not be read"));
    window.exchange("Hello", "A new beginning");
    assert!(window.shows("Menu of Hello"));
}

#[test]
fn a_link_shows_its_target_before_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Where?", "See [the page](https://example.org/somewhere).");
    window.click("the page");
    assert!(
        window.shows("Open this link?") && window.shows("https://example.org/somewhere"),
        "{:?}",
        window.names()
    );
    window.click("Open in browser");
    window.harness.step();
    assert!(!window.shows("Open this link?"));
}

#[test]
fn an_answer_goes_on_while_another_chat_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.send("Long story");
    window.engine_says([started(), text("Once")]);
    window.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::N);
    window.harness.step();
    window.engine_says([text(" upon a time"), done(StopReason::EndOfText)]);
    assert!(window.shows("Ready when you are"));
    window.harness.get_by_role_and_label(egui::accesskit::Role::ListItem, "Long story").click();
    window.until("the story is shown", |window| window.shows("Once upon a time"));
}
