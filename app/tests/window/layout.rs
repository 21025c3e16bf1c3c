//! Sizes, long chats, quiet when idle.

use std::time::Duration;

use eframe::egui::{self, vec2};
use onebit::store::{Chat, Message, Role, Store, Write};
use onebit_engine::session::LoadEvent;

use crate::script::{model, open, open_at, ready};

#[test]
fn regions_have_the_sizes_of_the_design() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Hello", "Hi");
    assert_eq!(window.rect("Chat"), egui::Rect::from_min_size(egui::pos2(4.0, 56.0), vec2(56.0, 52.0)));
    let send = window.rect("Send");
    assert_eq!(send.size(), vec2(32.0, 32.0));
    // Composer 744 wide in the middle of the content, 16 above the status bar.
    assert_eq!((send.right(), send.bottom()), (1159.0, 747.0));
    let answer = window.rect("Hi");
    assert_eq!(answer.left(), 440.0);
}

#[test]
fn the_list_is_a_sheet_in_a_narrow_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), vec2(900.0, 600.0), ready());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is loaded", |window| window.shows("Model: 1bit Starter"));
    assert!(!window.shows("Search"));
    window.click("Show chats");
    assert!(window.shows("Search"), "{:?}", window.names());
    window.harness.key_press(egui::Key::Escape);
    window.harness.step();
    window.harness.step();
    assert!(!window.shows("Search"));
}

#[test]
fn searching_in_a_narrow_window_opens_the_sheet_and_has_the_keyboard() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), vec2(900.0, 600.0), ready());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is loaded", |window| window.shows("Model: 1bit Starter"));
    window.press(egui::Modifiers::COMMAND, egui::Key::F);
    window.steps(3);
    window.type_text("tea");
    assert_eq!(
        (window.harness.state().chat.search.as_str(), window.harness.state().chat.draft.as_str()),
        ("tea", "")
    );
}

#[test]
fn nothing_leaves_the_smallest_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), vec2(720.0, 480.0), ready());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is loaded", |window| window.shows("Model: 1bit Starter"));
    window.exchange("Hello", "A reply");
    let all = egui::Rect::from_min_size(egui::Pos2::ZERO, vec2(720.0, 480.0));
    for name in ["Send", "Model: 1bit Starter", "A reply", "Show chats", "Settings", "Chat"] {
        assert!(all.contains_rect(window.rect(name)), "{name} at {:?}", window.rect(name));
    }
}

#[test]
fn only_messages_near_the_viewport_of_a_long_chat_are_laid_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("chats.db"), std::sync::Arc::new(|| {})).unwrap();
    let chat = Chat::new("Long", "starter");
    store.write(Write::PutChat(chat.clone())).unwrap();
    let mut parent = None;
    for index in 0..200 {
        let role = if index % 2 == 0 { Role::User } else { Role::Assistant };
        let message = Message::complete(
            chat.id,
            parent,
            role,
            format!("Message {index}\n\n{}", "words and more ".repeat(60)),
        );
        parent = Some(message.id);
        store.write(Write::AddMessage(message)).unwrap();
    }
    let last = onebit::store::state::LAST_CHAT.to_owned();
    store.write(Write::SetState { name: last, value: chat.id.0.to_string() }).unwrap();
    drop(store);
    let mut window = open(folder.path());
    window.until("the end of the chat is shown", |window| window.shows("Message 199"));
    let laid_out = window.harness.state().chat.transcript.laid_out;
    assert!((3..40).contains(&laid_out), "{laid_out}");
    // A finished message is not parsed or set again.
    assert!(!window.shows("Newest"));
    for _ in 0..40 {
        window.harness.event(egui::Event::PointerMoved(egui::pos2(800.0, 300.0)));
        window.harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: vec2(0.0, 400.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        window.harness.step();
    }
    assert!(window.shows("Newest"), "{:?}", window.names());
    window.click("Newest");
    window.until("the end is shown again", |window| window.shows("Message 199") && !window.shows("Newest"));
}

#[test]
fn an_idle_window_asks_for_no_repaint() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("Hello", "Hi");
    let delay = |window: &crate::script::Window| {
        window.harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay
    };
    for _ in 0..120 {
        window.harness.step();
    }
    assert!(delay(&window) > Duration::from_secs(3600), "{:?}", delay(&window));
}
