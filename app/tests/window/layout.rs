//! Sizes, long chats, quiet when idle.

use std::time::Duration;

use eframe::egui::accesskit::Role as NodeRole;
use eframe::egui::{self, pos2, vec2};
use egui_kittest::kittest::NodeT as _;
use onebit::settings::Group;
use onebit::shell::{Command, Part, STATUS};
use onebit::store::{Chat, Message, Role, Store, Write};
use onebit_engine::session::LoadEvent;

use crate::script::{Window, model, open, open_at, ready};

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

/// Controls that lie on each other or beyond the sides of the window. Rows may hold their own buttons, and the keyboard's text lies in
/// its field.
fn collisions(window: &Window, size: egui::Vec2) -> Vec<String> {
    let is_control = |role: NodeRole| {
        matches!(
            role,
            NodeRole::Button
                | NodeRole::ComboBox
                | NodeRole::Switch
                | NodeRole::RadioButton
                | NodeRole::TextInput
                | NodeRole::Slider
        )
    };
    let mut placed: Vec<(String, egui::Rect)> = Vec::new();
    for node in window.harness.root().children_recursive() {
        let node = node.accesskit_node();
        let Some(at) = node.raw_bounds().filter(|_| is_control(node.role())) else { continue };
        let corners = [at.x0, at.y0, at.x1, at.y1].map(|side| side as f32);
        let rect = egui::Rect::from_min_max(pos2(corners[0], corners[1]), pos2(corners[2], corners[3]));
        // What is cut off by the status bar goes on below it.
        let status = size.y - STATUS;
        if rect.bottom() <= status {
            placed.push((node.label().unwrap_or_default(), rect));
        }
    }
    let mut found = Vec::new();
    for (index, (name, rect)) in placed.iter().enumerate() {
        if rect.left() < 0.0 || rect.right() > size.x {
            found.push(format!("{name:?} at {rect:?} leaves the window"));
        }
        for (other, beside) in &placed[index + 1..] {
            let common = rect.intersect(*beside);
            let inside = rect.contains_rect(*beside) || beside.contains_rect(*rect);
            if common.is_positive() && common.area() > 1.0 && !inside {
                found.push(format!("{name:?} at {rect:?} lies on {other:?} at {beside:?}"));
            }
        }
    }
    found
}

#[test]
fn no_control_of_any_page_lies_on_another_however_little_room_there_is() {
    // Windows of 1280x800 and 900x600 with text of 200 % have as many points as the fourth and fifth; the last show all rows of a page.
    let sizes = [[1280, 800], [900, 600], [720, 480], [640, 400], [450, 300], [640, 3000], [450, 3000]];
    for [width, height] in sizes {
        let size = vec2(width as f32, height as f32);
        let folder = tempfile::tempdir().unwrap();
        let mut window = open_at(folder.path(), size, ready());
        window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
        window.until("the model is loaded", |window| window.shows("Model: 1bit Starter"));
        window.exchange("Hello", "A reply");
        let mut found = collisions(&window, size);
        let pages = [Part::Personas, Part::Deleted, Part::Shortcuts, Part::Log, Part::About];
        for part in pages.into_iter().chain([Part::Values(Group::General)]) {
            window.act(Command::ShowSettings(part));
            window.steps(4);
            found.extend(
                collisions(&window, size).into_iter().map(|line| format!("{}: {line}", part.title())),
            );
        }
        assert!(found.is_empty(), "{width}x{height}: {found:#?}");
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
