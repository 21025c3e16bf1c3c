//! How a chat is answered: system prompt, sampling, and its own model.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::Queryable as _;
use onebit_engine::session::{LoadEvent, Prompt, StopReason};

use crate::script::{Window, done, model, open, open_at, ready, started, text};

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.harness.key_press_modifiers(modifiers, key);
    for _ in 0..3 {
        window.harness.step();
    }
}

fn open_panel(window: &mut Window) {
    press(window, Modifiers::COMMAND, Key::I);
    assert!(window.shows("This chat"), "{:?}", window.names());
}

fn type_system_prompt(window: &mut Window, words: &str) {
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "System prompt").focus();
    window.harness.step();
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "System prompt").type_text(words);
    window.until("it is set", |window| {
        let (system, ..) = window.harness.state().controller.set_up_now();
        system == words
    });
}

#[test]
fn a_system_prompt_and_sampling_go_with_the_requests_of_their_chat_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    open_panel(&mut window);
    type_system_prompt(&mut window, "Be brief");
    let usual = window.harness.state().controller.settings().sampling("starter").temperature;
    window.harness.get_by_role_and_label(Role::Slider, "Temperature").focus();
    window.harness.step();
    press(&mut window, Modifiers::NONE, Key::ArrowRight);
    window.exchange("Hello", "Hi");
    {
        let script = window.script.borrow();
        let Prompt::Chat(said) = &script.requests[0].prompt else { panic!("a chat") };
        assert_eq!(said[0].content, "Be brief");
        assert!((script.requests[0].sampling.temperature - usual - 0.05).abs() < 1e-4);
    }
    window.click("Reset");
    window.exchange("More", "Yes");
    assert!((window.script.borrow().requests[1].sampling.temperature - usual).abs() < 1e-4);
    press(&mut window, Modifiers::COMMAND, Key::N);
    window.exchange("Another chat", "Hi");
    let script = window.script.borrow();
    let Prompt::Chat(said) = &script.requests[2].prompt else { panic!("a chat") };
    assert_eq!(said.len(), 1, "a new chat begins without");
}

#[test]
fn how_a_chat_is_answered_is_found_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Hello", "Hi");
    open_panel(&mut window);
    type_system_prompt(&mut window, "Be kind");
    drop(window);
    let mut window = open(folder.path());
    window.until("the chat is restored", |window| window.shows("Hi"));
    assert_eq!(window.harness.state().controller.set_up_now().0, "Be kind");
}

#[test]
fn a_chat_keeps_its_model_which_is_loaded_with_the_next_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("To the starter", "Hi");
    press(&mut window, Modifiers::COMMAND, Key::N);
    window.click("Model: 1bit Starter");
    window.click("other");
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("other")));
    window.until("it is loaded", |window| window.shows("Model: other"));
    window.send("To the other");
    window.engine_says([started(), text("Ho"), done(StopReason::EndOfText)]);
    window.harness.get_by_role_and_label(Role::ListItem, "To the starter").click();
    window.until("its model is chosen again", |window| window.shows("Model: 1bit Starter"));
    window.send("Still there?");
    assert_eq!(
        window.script.borrow().requests.last().map(|request| request.model.clone()).as_deref(),
        Some("starter")
    );
}

#[test]
fn in_a_narrow_window_the_panel_is_a_sheet_that_escape_closes() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), vec2(900.0, 600.0), ready());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is loaded", |window| window.shows("Model: 1bit Starter"));
    open_panel(&mut window);
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(!window.shows("This chat"), "{:?}", window.names());
}
