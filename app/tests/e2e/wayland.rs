//! The same under a Wayland compositor, where a window can be neither hidden nor raised by its owner.

use crate::app::App;
use crate::keys_portal::{KeysPortal, Manner};
use crate::session::Session;
use crate::tray_host::TrayHost;

#[test]
fn under_wayland_it_answers_hides_comes_back_and_has_a_clipboard() {
    let Some(session) = Session::open_wayland() else { return };
    let tray = TrayHost::start(&session);
    let portal = KeysPortal::start(&session, Manner::Keep);
    let settings = session.home().join(".config/onebit");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("settings.toml"), "[general]\nanywhere = true\n").unwrap();
    let app = App::start(&session);
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    app.ask("What is the capital of France?");
    let answer = app.wait_message(2, "complete");
    assert!(!answer.content.trim().is_empty());

    tray.press("Hide window");
    app.wait_open(false);
    tray.click();
    app.wait_open(true);

    tray.press("Hide window");
    app.wait_open(false);
    let second = App::start_with(&session, |_| {});
    assert!(second.wait_end().success());
    app.wait_open(true);

    // Keys from anywhere come with a token, which this compositor does not know.
    assert_eq!(portal.wait_bound().len(), 2);
    portal.press("toggle-window");
    app.wait_open(false);
    portal.press("toggle-window");
    app.wait_open(true);

    // Through the compositor's clipboard and back, twice.
    session.type_text("What is tea? ");
    for keys in ["ctrl+a", "ctrl+x", "ctrl+v", "ctrl+v", "Return"] {
        app.wait_rest();
        session.press(keys);
    }
    app.wait_message(4, "complete");
    assert_eq!(app.messages()[2].content.trim_end(), "What is tea? What is tea?");

    app.signal("TERM");
    assert!(app.wait_end().success());
}
