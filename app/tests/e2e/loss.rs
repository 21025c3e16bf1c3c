//! What is left after an end that nobody wished for.

use crate::app::App;
use crate::session::Session;

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
