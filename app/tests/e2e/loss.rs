//! What is left after an end that nobody wished for.

use crate::app::App;
use crate::reader::Reader;
use crate::session::Session;
use crate::tray_host::TrayHost;

const LONG: &str = "Write a very long story about a fox.";

#[test]
fn escape_stops_an_answer_and_keeps_what_was_written() {
    let Some(session) = Session::open() else { return };
    let app = App::start(&session);
    app.ask(LONG);
    let begun = app.wait_text(2);
    session.press("Escape");
    app.until("the answer has ended", |app| (app.messages()[1].state != "writing").then_some(()));
    assert!(app.messages()[1].content.starts_with(&begun.content));
}

#[test]
fn nothing_is_lost_when_it_is_killed_in_mid_stream() {
    let Some(session) = Session::open() else { return };
    let app = App::start(&session);
    app.ask(LONG);
    let seen = app.wait_text(2);
    app.signal("KILL");
    drop(app);

    let app = App::start(&session);
    let messages = app.messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0].content, LONG);
    assert!(messages[1].content.starts_with(&seen.content), "{seen:?} became {messages:?}");
    assert_ne!(messages[1].state, "writing");
    // The chat is open again: the next question continues it.
    app.ask("What is the capital of France?");
    app.wait_message(4, "complete");
    assert_eq!(app.chats().len(), 1);
}

#[test]
fn a_signal_in_mid_stream_saves_and_ends_in_time() {
    for signal in ["TERM", "INT", "HUP"] {
        let Some(session) = Session::open() else { return };
        let app = App::start(&session);
        app.ask(LONG);
        let seen = app.wait_text(2);
        app.signal(signal);
        let ended = app.wait_end();
        assert!(ended.success(), "{signal}: {ended:?}");
        let app = App::start(&session);
        let messages = app.messages();
        assert!(messages[1].content.starts_with(&seen.content), "{seen:?} became {messages:?}");
        assert_ne!(messages[1].state, "writing");
    }
}

#[test]
fn a_model_that_was_deleted_since_the_last_run_is_named_and_another_answers() {
    let Some(session) = Session::open() else { return };
    let second = session.add_model("my_second");
    let reader = Reader::start(&session);
    let tray = TrayHost::start(&session);
    let app = App::start(&session);
    tray.press("my_second");
    app.until("the second model is loaded", |app| (app.models() == 2).then_some(()));
    // Its file goes while it is loaded: it goes on answering.
    std::fs::remove_file(second).unwrap();
    app.ask("What is the capital of France?");
    app.wait_message(2, "complete");
    tray.press("Quit");
    assert!(app.wait_end().success());

    let app = App::start(&session);
    reader.wait("The model of the last run is gone");
    app.ask("What is two plus two?");
    app.wait_message(4, "complete");
}

#[test]
fn chats_of_a_newer_version_are_refused_in_words_and_left_as_they_are() {
    let Some(session) = Session::open() else { return };
    std::fs::create_dir_all(session.data()).unwrap();
    let path = session.data().join("chats.db");
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA user_version = 99; CREATE TABLE wonders (name TEXT)").unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    let reader = Reader::start(&session);
    let app = App::start(&session);
    reader.wait("Chats are not being saved");
    reader.wait("newer");
    app.signal("TERM");
    app.wait_end();
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
