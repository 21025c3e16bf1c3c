//! Notifications against a service of our own.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::block_on;
use onebit::notification::{Event, Notification, Notifier};
use onebit::store::ChatId;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::zvariant::OwnedValue;

use crate::app::PATIENCE;
use crate::session::Session;

/// Title, body and actions of what was asked to be shown.
type Asked = (String, String, Vec<String>);

struct Service {
    asked: Mutex<Sender<Asked>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[expect(clippy::too_many_arguments, reason = "the interface has so many")]
    fn notify(
        &self,
        _app: &str,
        _replaces: u32,
        _icon: &str,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _millis: i32,
    ) -> u32 {
        self.asked.lock().unwrap().send((summary, body, actions)).unwrap();
        7
    }
}

fn service(session: &Session) -> (Connection, Receiver<Asked>) {
    let (asked, seen) = channel();
    let builder = Builder::address(session.bus())
        .unwrap()
        .serve_at("/org/freedesktop/Notifications", Service { asked: Mutex::new(asked) })
        .unwrap()
        .name("org.freedesktop.Notifications")
        .unwrap();
    let connection = block_on(builder.build()).unwrap();
    (connection, seen)
}

fn notifier(session: &Session) -> (Notifier, Receiver<Event>) {
    let (sender, events) = channel();
    let sender = Mutex::new(sender);
    let report = Arc::new(move |event| sender.lock().unwrap().send(event).unwrap());
    (Notifier::at(session.bus(), report), events)
}

fn notification() -> Notification {
    Notification { chat: ChatId(42), title: "A <fox>".to_owned(), body: "Answered in 12.0 s".to_owned() }
}

#[test]
fn a_click_on_a_notification_leads_to_its_chat() {
    let Some(session) = Session::open() else { return };
    let (connection, asked) = service(&session);
    let (mut notifier, events) = notifier(&session);
    notifier.show(notification());
    let (title, body, actions) = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!((title.as_str(), body.as_str()), ("A <fox>", "Answered in 12.0 s"));
    assert!(actions.contains(&"Open".to_owned()));
    let click = connection.emit_signal(
        None::<&str>,
        "/org/freedesktop/Notifications",
        "org.freedesktop.Notifications",
        "ActionInvoked",
        &(7_u32, "default"),
    );
    block_on(click).unwrap();
    assert_eq!(events.recv_timeout(PATIENCE).unwrap(), Event::Open(ChatId(42)));
}

#[test]
fn without_a_service_it_is_said_once() {
    let Some(session) = Session::open() else { return };
    let (mut notifier, events) = notifier(&session);
    for _ in 0..3 {
        notifier.show(notification());
    }
    assert!(matches!(events.recv_timeout(PATIENCE).unwrap(), Event::Absent(_)));
    assert!(events.recv_timeout(Duration::from_secs(1)).is_err());
}
