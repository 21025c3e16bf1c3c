//! Choosing, loading and refusing models.

use eframe::egui;
use onebit::chat::Engine;
use onebit_engine::session::{LoadEvent, LoadFailure, StopReason};

use crate::script::{done, model, open, open_at, ready, started, text};

#[test]
fn a_message_sent_while_the_model_loads_is_answered_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), egui::vec2(1280.0, 800.0), ready());
    window.until("the load has begun", |window| window.script.borrow().loads.len() == 1);
    window
        .script
        .borrow_mut()
        .load_events
        .push_back(LoadEvent::Progress { done_bytes: 45, total_bytes: 100 });
    window.harness.step();
    window.harness.step();
    assert!(window.shows("Model: Loading 1bit Starter, 45 %"), "{:?}", window.names());
    window.send("Hello");
    assert!(window.shows("Waiting for 1bit Starter") && window.script.borrow().requests.is_empty());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.harness.step();
    window.engine_says([started(), text("Hi"), done(StopReason::EndOfText)]);
    assert!(window.shows("Hi") && window.shows("Model: 1bit Starter"), "{:?}", window.names());
}

#[test]
fn another_model_is_chosen_in_the_picker_and_asked_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.click("Model: 1bit Starter");
    window.click("other");
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("other")));
    window.until("it is loaded", |window| window.shows("Model: other"));
    window.send("Hello");
    assert_eq!(window.script.borrow().requests[0].model, "other");
    window.engine_says([started(), text("Hi"), done(StopReason::EndOfText)]);
    window.click("Model: other");
    window.click("Unload 1bit Starter");
    assert_eq!(window.script.borrow().unloads, ["starter"]);
}

#[test]
fn a_refused_file_says_why_and_the_old_model_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.harness.state_mut().controller.open_model(std::path::Path::new("/tmp/broken.gguf"));
    let why = LoadFailure {
        text: "/tmp/broken.gguf: blk.4.ffn_down.weight: expected TQ1_0, found type 143".to_owned(),
        summary: "the file contradicts its own format".to_owned(),
        details: vec![("field", "blk.4.ffn_down.weight".to_owned()), ("found", "type 143".to_owned())],
    };
    window.script.borrow_mut().load_events.push_back(LoadEvent::Failed(why));
    window.until("it is refused", |window| window.shows("broken cannot be loaded"));
    assert!(window.shows("The file contradicts its own format"), "{:?}", window.names());
    assert!(window.shows("field: blk.4.ffn_down.weight") && window.shows("found: type 143"));
    window.click("Copy details");
    assert!(
        window.copied().is_some_and(|text| text.contains("type 143") && text.contains("/tmp/broken.gguf"))
    );
    window.send("Hello");
    assert_eq!(window.script.borrow().requests[0].model, "starter");
}

#[test]
fn a_refused_first_model_fails_what_waited_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), egui::vec2(1280.0, 800.0), ready());
    window.until("the load has begun", |window| window.script.borrow().loads.len() == 1);
    window.send("Hello");
    window
        .script
        .borrow_mut()
        .load_events
        .push_back(LoadEvent::Failed(LoadFailure::told("no such file".to_owned())));
    window.until("the question failed", |window| window.shows("No answer"));
    assert!(!window.shows("Waiting for 1bit Starter"));
}

#[test]
fn an_engine_that_never_starts_leaves_the_window_alive() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_at(folder.path(), egui::vec2(1280.0, 800.0), Engine::Starting);
    for _ in 0..10 {
        window.harness.step();
    }
    assert!(window.shows("Almost ready"));
    window.type_message("still typing");
    assert_eq!(window.harness.state().chat.draft, "still typing");
    window.script.borrow_mut().engine = Engine::Failed("no lane could be opened".to_owned());
    window.harness.step();
    window.harness.step();
    assert!(window.shows("The engine did not start") && window.shows("Stopped"));
    assert!(window.shows("No lane could be opened"), "{:?}", window.names());
    assert!(!window.shows("Try one of these"));
    window.click("Settings of the engine");
    window.steps(6);
    assert!(window.shows("Lane"), "{:?}", window.names());
}

#[test]
fn a_dropped_file_is_loaded() {
    #[derive(Debug)]
    struct Dropped(std::path::PathBuf);
    impl egui::DroppedFile for Dropped {
        fn path(&self) -> &std::path::Path {
            &self.0
        }
        fn bytes(&self) -> Result<Vec<u8>, String> {
            Err("the window must not read it".to_owned())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    let file = std::sync::Arc::new(Dropped("/tmp/dropped.gguf".into()));
    window.harness.input_mut().dropped_files.push(file);
    window.harness.step();
    window.harness.step();
    assert_eq!(window.script.borrow().loads.last().map(|load| load.id.clone()).as_deref(), Some("dropped"));
}
