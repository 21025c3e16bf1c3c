//! Windows that come and go while the program stays.

use crate::app::App;
use crate::reader::Reader;
use crate::session::Session;
use crate::tray_host::TrayHost;

const LONG: &str = "Write a very long story about a fox.";

#[test]
fn the_first_close_asks_and_the_tray_brings_the_window_back() {
    let Some(session) = Session::open() else { return };
    let tray = TrayHost::start(&session);
    let reader = Reader::start(&session);
    let app = App::start(&session);
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    assert_eq!(tray.labels()[..3], ["Open 1bit Desktop", "Hide window", "New chat"]);

    app.ask("What is the capital of France?");
    let answer = app.wait_message(2, "complete");
    assert!(!answer.content.trim().is_empty());
    assert!(tray.tooltip().ends_with("· Idle"), "{}", tray.tooltip());

    app.close_window();
    reader.wait("Keep running in the tray?");
    reader.press("Keep running");
    app.wait_open(false);
    assert!(!tray.labels().contains(&"Hide window".to_owned()));

    tray.click();
    app.wait_open(true);
    // The answer is remembered: it does not ask again.
    app.close_window();
    app.wait_open(false);

    // A second start shows the first.
    let second = App::start_with(&session, |_| {});
    assert!(second.wait_end().success());
    app.wait_open(true);
    app.ask("What is two plus two?");
    app.wait_message(4, "complete");
    assert_eq!(app.chats().len(), 1, "the chat was still open: {:?}", app.chats());

    tray.press("Hide window");
    app.wait_open(false);
    tray.press("New chat");
    app.wait_open(true);
    app.ask("What is photosynthesis?");
    app.wait_message(6, "complete");
    assert_eq!(app.chats().len(), 2);

    tray.press("Quit");
    assert!(app.wait_end().success());
}

#[test]
fn an_answer_goes_on_without_a_window_and_can_be_stopped_from_the_tray() {
    let Some(session) = Session::open() else { return };
    let tray = TrayHost::start(&session);
    let app = App::start(&session);
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    let idle = tray.pictures();
    app.ask(LONG);
    app.wait_text(2);
    tray.press("Hide window");
    app.wait_open(false);
    if app.is_answering() {
        assert!(tray.tooltip().ends_with("· Writing"), "{}", tray.tooltip());
        assert_ne!(tray.pictures(), idle, "the icon shows that it works");
        let before = app.messages()[1].content.len();
        app.until("the hidden answer grows or ends", |app| {
            let answer = &app.messages()[1];
            (answer.content.len() > before || answer.state != "writing").then_some(())
        });
    }
    if app.is_answering() {
        tray.press("Stop the answer");
    }
    app.until("the answer has ended", |app| (app.messages()[1].state != "writing").then_some(()));
    app.until("the tray rests", |_| tray.tooltip().ends_with("· Idle").then_some(()));
    assert!(!tray.labels().contains(&"Stop the answer".to_owned()), "absent, not greyed");
    app.signal("TERM");
    assert!(app.wait_end().success(), "a signal ends it without a window as well");
}

#[test]
fn a_tray_that_dies_brings_the_window_back_and_one_that_returns_gets_the_item_again() {
    let Some(session) = Session::open() else { return };
    let tray = TrayHost::start(&session);
    let app = App::start(&session);
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    tray.press("Hide window");
    app.wait_open(false);
    tray.die();
    app.wait_open(true);
    assert!(!app.has_tray());
    let tray = TrayHost::start(&session);
    app.until("the new tray is seen", |app| app.has_tray().then_some(()));
    tray.press("Hide window");
    app.wait_open(false);
    tray.press("Quit");
    assert!(app.wait_end().success());
}

#[test]
fn without_a_tray_closing_quits() {
    let Some(session) = Session::open() else { return };
    // A watcher that nobody looks at is no tray.
    let _watcher = TrayHost::with_host(&session, false);
    let app = App::start(&session);
    assert!(!app.has_tray());
    std::thread::sleep(std::time::Duration::from_secs(1));
    app.close_window();
    assert!(app.wait_end().success());
}

#[test]
fn without_a_session_bus_it_starts_answers_and_quits() {
    let Some(session) = Session::open() else { return };
    let app = App::start_with(&session, |command| {
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    });
    app.wait_open(true);
    app.until("a model is loaded", |app| (app.models() == 1).then_some(()));
    app.ask("What is the capital of France?");
    app.wait_message(2, "complete");
    app.close_window();
    assert!(app.wait_end().success());
}

#[test]
fn the_tray_switches_the_model() {
    let Some(session) = Session::open() else { return };
    session.add_model("my_second");
    let tray = TrayHost::start(&session);
    let app = App::start(&session);
    tray.press("my_second");
    app.until("the second model is loaded", |app| (app.models() == 2).then_some(()));
    app.until("the menu says so", |_| tray.labels().contains(&"Model: my_second".to_owned()).then_some(()));
    let checked: Vec<_> = tray.menu().into_iter().filter(|entry| entry.checked).collect();
    assert_eq!(
        checked.iter().map(|entry| entry.label.as_str()).collect::<Vec<_>>(),
        ["my_second", "Automatic"]
    );
    app.ask("What is the capital of France?");
    app.wait_message(2, "complete");
    tray.press("Quit");
    assert!(app.wait_end().success());
}

#[test]
fn an_edited_question_is_answered_on_a_branch_of_its_own_and_the_first_is_kept() {
    let Some(session) = Session::open() else { return };
    let reader = Reader::start(&session);
    let app = App::start(&session);
    app.ask("What is the capital of France?");
    let first = app.wait_message(2, "complete");
    session.press("Up");
    reader.wait("Cancel");
    session.press("ctrl+a");
    session.type_text("What is photosynthesis?");
    reader.press("Ask again");
    let second = app.wait_message(4, "complete");
    let messages = app.messages();
    assert_eq!((&messages[1], &messages[3]), (&first, &second));
    assert_eq!(messages[2].content, "What is photosynthesis?");
    assert_eq!(app.parents(), [None, Some(0), None, Some(2)], "siblings share a parent");
    reader.press("Previous version");
    app.until("the first branch is shown", |app| (app.leaf() == Some(1)).then_some(()));
    app.signal("TERM");
    assert!(app.wait_end().success());

    // The branch that was shown is shown again.
    let app = App::start(&session);
    reader.wait("What is the capital of France?");
    assert_eq!(app.leaf(), Some(1));
}
