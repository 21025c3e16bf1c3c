//! The window over the real engine and the model that comes with the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onebit::chat::{EngineBackend, Waker};
use onebit::models::{FoundModel, Origin};
use onebit::settings::{Change, Key};
use onebit::shell::Command;
use onebit::store::MessageState;
use onebit_engine::session::EngineOptions;

use crate::script::{Window, open_over};

/// A window over the real engine, which begins to load the starter.
fn open_starter(folder: &Path) -> Window {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
    let bytes = path.metadata().expect("the starter model is in the source tree").len();
    let starter = FoundModel { id: "starter".to_owned(), path, origin: Origin::Bundled, bytes };
    let waker: Waker = Arc::new(|| {});
    let backend = EngineBackend::start(EngineOptions::default(), waker);
    open_over(folder, Box::new(backend), starter)
}

#[test]
fn settings_of_engine_and_model_take_effect_in_the_running_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_starter(folder.path());
    let context = |window: &Window| window.harness.state().controller.model().map(|model| model.context);
    window.until("the starter is loaded", |window| context(window).is_some());
    window.act(Command::Change(Change::set(Key::Context, 256)));
    window.act(Command::ApplyEngineSettings);
    window.until("it is loaded with the new context", |window| context(window) == Some(256));
    window.act(Command::Change(Change::set(Key::Lane, "reference")));
    window.act(Command::ApplyEngineSettings);
    let lane = |window: &Window| window.harness.state().controller.engine_status().map(|status| status.lane);
    window.until("the engine runs on the other lane and has the model again", |window| {
        lane(window) == Some("reference") && context(window) == Some(256)
    });
}

#[test]
fn the_starter_answers_in_the_window_and_the_answer_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let open = || open_starter(folder.path());
    let mut window = open();
    // Asked before the engine is ready: the question waits for the model.
    window.until("the models are known", |window| window.harness.state().controller.can_send());
    window.send("What is the capital of France?");
    let tokens = |window: &Window| {
        let conversation = window.harness.state().controller.conversation();
        conversation.and_then(|shown| Some(shown.messages.last()?.stats.tokens)).unwrap_or(0)
    };
    window.until("the first tokens have come", |window| tokens(window) >= 3);
    if window.shows("Stop") {
        window.click("Stop");
    }
    window.until("the answer has ended", |window| window.shows("Copy answer") && window.shows("Send"));
    let conversation = window.harness.state().controller.conversation().unwrap();
    let answer = conversation.messages.last().unwrap().clone();
    assert!(matches!(answer.state, MessageState::Stopped | MessageState::Complete), "{answer:?}");
    assert!(!answer.content.trim().is_empty() && !answer.stats.lane.is_empty(), "{answer:?}");
    let used = window.harness.state().controller.context_use().unwrap();
    assert!(used.used() > answer.stats.tokens as usize && !used.estimated, "{used:?}");
    drop(window);
    let mut window = open();
    window.until("the chat is restored", |window| window.harness.state().controller.conversation().is_some());
    let restored = window.harness.state().controller.conversation().unwrap();
    assert_eq!(restored.messages.last().unwrap().content, answer.content);
}
