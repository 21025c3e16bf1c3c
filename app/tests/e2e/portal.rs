//! The wishes of the desktop, from a settings portal of our own.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::block_on;
use onebit::portal::{Wishes, watch};
use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo;
use zbus::zvariant::{OwnedValue, Value};

use crate::app::PATIENCE;
use crate::session::Session;

const PATH: &str = "/org/freedesktop/portal/desktop";
const NAME: &str = "org.freedesktop.portal.Desktop";
const SETTINGS: &str = "org.freedesktop.portal.Settings";
const APPEARANCE: &str = "org.freedesktop.appearance";
const GNOME: &str = "org.gnome.desktop.interface";

type Values = Arc<Mutex<HashMap<(&'static str, &'static str), Value<'static>>>>;

fn find(values: &Values, namespace: &str, key: &str) -> fdo::Result<OwnedValue> {
    let values = values.lock().unwrap();
    let value = values.iter().find(|((space, name), _)| *space == namespace && *name == key);
    let (_, value) = value.ok_or_else(|| fdo::Error::Failed("Requested setting not found".to_owned()))?;
    Ok(value.try_to_owned().unwrap())
}

/// A portal of today.
struct New(Values);

#[zbus::interface(name = "org.freedesktop.portal.Settings")]
impl New {
    fn read_one(&self, namespace: &str, key: &str) -> fdo::Result<OwnedValue> {
        find(&self.0, namespace, key)
    }
}

/// A portal that knows the first version of the interface only, which wraps its values twice.
struct Old(Values);

#[zbus::interface(name = "org.freedesktop.portal.Settings")]
impl Old {
    fn read(&self, namespace: &str, key: &str) -> fdo::Result<OwnedValue> {
        let inner = find(&self.0, namespace, key)?;
        Ok(Value::Value(Box::new(inner.into())).try_to_owned().unwrap())
    }
}

fn values(all: &[(&'static str, &'static str, Value<'static>)]) -> Values {
    let values = all.iter().map(|(space, name, value)| ((*space, *name), value.clone())).collect();
    Arc::new(Mutex::new(values))
}

fn serve<I: zbus::object_server::Interface>(session: &Session, portal: I) -> Connection {
    let builder = Builder::address(session.bus()).unwrap().serve_at(PATH, portal).unwrap();
    block_on(builder.name(NAME).unwrap().build()).unwrap()
}

fn change(portal: &Connection, namespace: &str, key: &str, value: Value<'_>) {
    let body = (namespace, key, value);
    block_on(portal.emit_signal(None::<&str>, PATH, SETTINGS, "SettingChanged", &body)).unwrap();
}

fn wishes(session: &Session) -> Receiver<Wishes> {
    let (sender, wishes) = channel();
    // The test may be over.
    watch(Some(session.bus()), Box::new(move |wish| _ = sender.send(wish)));
    wishes
}

#[test]
fn wishes_are_read_and_followed() {
    let Some(session) = Session::open() else { return };
    let said = values(&[
        (APPEARANCE, "reduced-motion", Value::U32(1)),
        (APPEARANCE, "color-scheme", Value::U32(2)),
        (GNOME, "enable-animations", Value::Bool(true)),
    ]);
    let portal = serve(&session, New(said));
    let wishes = wishes(&session);
    let next = || wishes.recv_timeout(PATIENCE).unwrap();
    assert_eq!(next(), Wishes { reduced_motion: true, dark: Some(false) });
    change(&portal, APPEARANCE, "color-scheme", Value::U32(1));
    assert_eq!(next(), Wishes { reduced_motion: true, dark: Some(true) });
    // What does not matter here is not reported.
    change(&portal, APPEARANCE, "accent-color", Value::U32(3));
    change(&portal, APPEARANCE, "reduced-motion", Value::U32(0));
    assert_eq!(next(), Wishes { reduced_motion: false, dark: Some(true) });
}

#[test]
fn a_portal_of_the_first_version_says_it_with_the_animations_of_the_desktop() {
    let Some(session) = Session::open() else { return };
    let portal = serve(&session, Old(values(&[(GNOME, "enable-animations", Value::Bool(false))])));
    let wishes = wishes(&session);
    let next = || wishes.recv_timeout(PATIENCE).unwrap();
    assert_eq!(next(), Wishes { reduced_motion: true, dark: None });
    change(&portal, GNOME, "enable-animations", Value::Bool(true));
    assert_eq!(next(), Wishes::default());
}

#[test]
fn without_a_portal_nothing_is_wished() {
    let Some(session) = Session::open() else { return };
    assert!(wishes(&session).recv_timeout(Duration::from_secs(2)).is_err());
}
