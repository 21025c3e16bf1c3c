//! A start with the desktop: in the tray, with a window only where no tray comes.

use crate::app::App;
use crate::session::Session;
use crate::tray_host::TrayHost;

#[test]
fn a_start_with_the_desktop_waits_in_the_tray_and_loads_nothing_until_it_is_wanted() {
    let Some(session) = Session::open() else { return };
    let tray = TrayHost::start(&session);
    let app = App::start_with(&session, |command| {
        command.arg("--in-tray");
    });
    app.until("the tray is seen", |app| app.has_tray().then_some(()));
    assert!(tray.labels().contains(&"Open 1bit Desktop".to_owned()));
    assert_eq!((app.is_open(), app.models()), (false, 0));
    // A second login is no reason for a window, a second start is.
    let second = App::start_with(&session, |command| {
        command.arg("--in-tray");
    });
    assert!(second.wait_end().success());
    assert_eq!((app.is_open(), app.models()), (false, 0));
    let third = App::start_with(&session, |_| {});
    assert!(third.wait_end().success());
    app.wait_open(true);
    app.until("a model is loaded", |app| (app.models() > 0).then_some(()));
    tray.press("Quit");
    assert!(app.wait_end().success());
}

#[test]
fn a_start_with_the_desktop_opens_a_window_where_no_tray_comes() {
    let Some(session) = Session::open() else { return };
    let app = App::start_with(&session, |command| {
        command.arg("--in-tray");
    });
    app.wait_open(true);
}
