//! Keys that work from anywhere, against a portal of our own.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::block_on;
use onebit::anywhere::{Anywhere, Ask, Deed, End, Event, Standing};

use crate::app::{App, PATIENCE};
use crate::keys_portal::{Asked, KeysPortal, Manner};
use crate::reader::Reader;
use crate::session::Session;
use crate::tray_host::TrayHost;

const SWITCH: &str = "Keys that work from anywhere";

fn anywhere(session: &Session) -> (Anywhere, Receiver<Event>) {
    let (sender, events) = channel();
    let sender = Mutex::new(sender);
    // The test may be over.
    let report = Arc::new(move |event| _ = sender.lock().unwrap().send(event));
    (Anywhere::start(Some(session.bus()), report), events)
}

#[track_caller]
fn next(events: &Receiver<Event>) -> Event {
    events.recv_timeout(PATIENCE).unwrap()
}

#[track_caller]
fn standing(events: &Receiver<Event>) -> Standing {
    match next(events) {
        Event::Standing(standing) => standing,
        other => panic!("{other:?}"),
    }
}

fn kept(keys: &[(Deed, &str)], changes: bool) -> Standing {
    let keys: BTreeMap<_, _> = keys.iter().map(|(deed, words)| (*deed, (*words).to_owned())).collect();
    Standing::Kept { keys, changes }
}

const PREFERRED: [(Deed, &str); 2] =
    [(Deed::Window, "Press CTRL+ALT+space"), (Deed::NewChat, "Press CTRL+ALT+n")];

#[test]
fn keys_are_kept_changed_pressed_and_given_back() {
    let Some(session) = Session::open() else { return };
    let portal = KeysPortal::start(&session, Manner::Keep);
    let (keys, events) = anywhere(&session);
    assert_eq!(standing(&events), Standing::Offered);
    assert_eq!(portal.next(), Asked::Register("systems._1bit.Desktop".to_owned()), "before anything else");
    keys.ask(Ask::On);
    assert_eq!(standing(&events), Standing::Asking);
    assert_eq!(standing(&events), kept(&PREFERRED, true));
    assert_eq!(portal.next(), Asked::Create);
    let wanted: Vec<String> = portal.wait_bound().into_iter().map(|(id, _)| id).collect();
    assert_eq!(wanted, ["toggle-window", "new-chat"]);

    portal.press("new-chat");
    let token = Some("token-1_TIME2".to_owned());
    assert_eq!(next(&events), Event::Pressed { deed: Deed::NewChat, token: token.clone() });
    // Nobody else presses our keys, and what is not ours is not pressed.
    let stranger = block_on(zbus::connection::Builder::address(session.bus()).unwrap().build()).unwrap();
    portal.press_by(&stranger, "new-chat");
    portal.press("something");
    portal.press("toggle-window");
    assert_eq!(next(&events), Event::Pressed { deed: Deed::Window, token });

    keys.ask(Ask::Change);
    assert_eq!(portal.next(), Asked::Change);
    portal.change(&[("toggle-window", "Super+B"), ("new-chat", "")]);
    assert_eq!(standing(&events), kept(&[(Deed::Window, "Super+B")], true));

    keys.ask(Ask::Off);
    assert_eq!(standing(&events), Standing::Offered);
    assert_eq!(portal.next(), Asked::Close);
    // And again.
    keys.ask(Ask::On);
    assert_eq!(standing(&events), Standing::Asking);
    assert_eq!(standing(&events), kept(&PREFERRED, true));
}

#[test]
fn what_the_portal_takes_back_is_said_and_a_new_portal_is_asked_again() {
    let Some(session) = Session::open() else { return };
    let (keys, events) = anywhere(&session);
    keys.ask(Ask::On);
    assert!(events.recv_timeout(Duration::from_secs(1)).is_err(), "there is nobody to ask");
    // One of the first version, which cannot show a dialog to change keys. On a busy machine it is met before the wish is heard.
    let portal = KeysPortal::of_version(&session, Manner::Keep, 1);
    let first = match standing(&events) {
        Standing::Offered => standing(&events),
        first => first,
    };
    assert_eq!(first, Standing::Asking);
    assert_eq!(standing(&events), kept(&PREFERRED, false));
    portal.take_back();
    assert_eq!(standing(&events), Standing::Ended(End::Session));
    keys.ask(Ask::Off);
    assert_eq!(standing(&events), Standing::Offered);
    keys.ask(Ask::On);
    assert_eq!(standing(&events), Standing::Asking);
    assert_eq!(standing(&events), kept(&PREFERRED, false));
    portal.die();
    assert_eq!(standing(&events), Standing::Ended(End::Portal));
    let _portal = KeysPortal::start(&session, Manner::Keep);
    assert_eq!(standing(&events), Standing::Asking);
    assert_eq!(standing(&events), kept(&PREFERRED, true));
    keys.ask(Ask::Off);
    assert_eq!(standing(&events), Standing::Offered);
}

#[test]
fn a_desktop_that_does_not_want_is_not_asked_twice_and_its_words_are_kept() {
    let Some(session) = Session::open() else { return };
    let refused = Standing::Refused(
        "An app id is required (App info not found for 'systems._1bit.Desktop')".to_owned(),
    );
    let failed = Standing::Refused("it gave no reason".to_owned());
    for (manner, outcome) in
        [(Manner::Cancel, Standing::Declined), (Manner::Refuse, refused), (Manner::Fail, failed)]
    {
        let portal = KeysPortal::start(&session, manner);
        let (keys, events) = anywhere(&session);
        assert_eq!(standing(&events), Standing::Offered);
        keys.ask(Ask::On);
        assert_eq!(standing(&events), Standing::Asking);
        assert_eq!(standing(&events), outcome);
        assert!(events.recv_timeout(Duration::from_millis(200)).is_err(), "{manner:?}");
        portal.die();
    }
}

#[test]
fn keys_bring_the_window_up_and_back_and_begin_chats() {
    let Some(session) = Session::open() else { return };
    let tray = TrayHost::start(&session);
    let portal = KeysPortal::start(&session, Manner::Keep);
    let reader = Reader::start(&session);
    let app = App::start(&session);
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    app.ask("What is the capital of France?");
    app.wait_message(2, "complete");

    reader.press("Settings");
    reader.press(SWITCH);
    assert_eq!(portal.wait_bound().len(), 2);
    reader.wait("Show or hide the window: Press CTRL+ALT+space  ·  New chat: Press CTRL+ALT+n");
    reader.press("Change the keys that work from anywhere");
    assert_eq!(portal.next(), Asked::Change);
    portal.change(&[("toggle-window", "Super+B")]);
    reader.wait("Show or hide the window: Super+B  ·  New chat: no keys");

    portal.press("toggle-window");
    app.wait_open(false);
    portal.press("toggle-window");
    app.wait_open(true);
    portal.press("toggle-window");
    app.wait_open(false);
    portal.press("new-chat");
    app.wait_open(true);
    // The keyboard is in the composer of an empty chat.
    app.ask("What is photosynthesis?");
    app.wait_message(4, "complete");
    assert_eq!(app.chats().len(), 2);

    // A portal that ends is said, and its successor asked.
    portal.die();
    reader.press("Settings");
    reader.wait("the desktop’s portal has ended");
    let portal = KeysPortal::start(&session, Manner::Keep);
    portal.wait_bound();
    reader.wait("New chat: Press CTRL+ALT+n");
    portal.press("toggle-window");
    app.wait_open(false);
    tray.press("Quit");
    assert!(app.wait_end().success());

    // The next start asks for them without a window.
    let app = App::start_with(&session, |command| _ = command.arg("--in-tray"));
    portal.wait_bound();
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    portal.press("toggle-window");
    app.wait_open(true);
}

#[test]
fn without_a_tray_a_key_makes_the_window_small_and_brings_it_back() {
    let Some(session) = Session::open() else { return };
    let portal = KeysPortal::start(&session, Manner::Keep);
    let settings = session.home().join(".config/onebit");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("settings.toml"), "[general]\nanywhere = true\n").unwrap();
    let app = App::start(&session);
    portal.wait_bound();
    for focused in [false, true, false, true] {
        portal.press("toggle-window");
        app.until("the window goes and comes", |app| (app.is_focused() == focused).then_some(()));
        // What has just lost the keyboard counts as having it.
        std::thread::sleep(Duration::from_millis(400));
    }
    app.ask("What is the capital of France?");
    app.wait_message(2, "complete");
}

#[test]
fn a_cancelled_dialog_turns_the_setting_off_and_a_refusal_is_said_in_its_words() {
    for (manner, words) in
        [(Manner::Cancel, "The desktop’s dialog was cancelled."), (Manner::Refuse, "An app id is required")]
    {
        let Some(session) = Session::open() else { return };
        let _portal = KeysPortal::start(&session, manner);
        let reader = Reader::start(&session);
        let app = App::start(&session);
        reader.press("Settings");
        reader.press(SWITCH);
        reader.wait(words);
        app.signal("TERM");
        assert!(app.wait_end().success());
        let file = session.home().join(".config/onebit/settings.toml");
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(kept.contains("anywhere = true"), manner == Manner::Refuse, "{kept}");
    }
}
