//! A tray: a watcher that takes items and says whether somebody shows them, and hands that press their menus.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::block_on;
use zbus::Connection;
use zbus::Message;
use zbus::connection::Builder;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use crate::app::PATIENCE;
use crate::session::{Session, until};

const ITEM: &str = "org.kde.StatusNotifierItem";
const ITEM_PATH: &str = "/StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// Width, height, ARGB.
type Pictures = Vec<(i32, i32, Vec<u8>)>;

struct Watcher {
    items: Arc<Mutex<Vec<String>>>,
    host: bool,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let item = if service.starts_with('/') { sender } else { service.to_owned() };
        self.items.lock().unwrap().push(item);
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        self.host
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: i32,
    pub label: String,
    pub checked: bool,
}

/// See the module documentation.
pub struct TrayHost {
    connection: Connection,
    items: Arc<Mutex<Vec<String>>>,
}

impl TrayHost {
    /// A watcher with a tray.
    pub fn start(session: &Session) -> Self {
        Self::with_host(session, true)
    }

    /// A watcher with or without a tray.
    pub fn with_host(session: &Session, host: bool) -> Self {
        let items: Arc<Mutex<Vec<String>>> = Arc::default();
        let watcher = Watcher { items: Arc::clone(&items), host };
        let builder = Builder::address(session.bus())
            .unwrap()
            .method_timeout(Duration::from_secs(20))
            .serve_at("/StatusNotifierWatcher", watcher)
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap();
        let connection = block_on(builder.build()).unwrap();
        Self { connection, items }
    }

    /// Ends, as a panel does that crashes.
    pub fn die(self) {
        block_on(self.connection.close()).unwrap();
    }

    /// The item that registered last; waits for it.
    fn item(&self) -> String {
        until("the item registers", PATIENCE, || self.items.lock().unwrap().last().cloned())
    }

    fn property(&self, name: &str) -> OwnedValue {
        self.call(ITEM_PATH, "org.freedesktop.DBus.Properties", "Get", &(ITEM, name))
            .body()
            .deserialize()
            .unwrap()
    }

    /// Calls a method of the item.
    fn call(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &(impl serde::Serialize + zbus::zvariant::DynamicType),
    ) -> Message {
        let item = self.item();
        block_on(self.connection.call_method(Some(item.as_str()), path, Some(interface), method, body))
            .unwrap()
    }

    /// Second line of the tooltip.
    pub fn tooltip(&self) -> String {
        let (_, _, _, words): (String, Pictures, String, String) =
            self.property("ToolTip").try_into().unwrap();
        words
    }

    /// Pictures of the icon: edge and bytes.
    pub fn pictures(&self) -> Vec<(i32, Vec<u8>)> {
        let pictures: Pictures = self.property("IconPixmap").try_into().unwrap();
        pictures.into_iter().map(|(width, _, data)| (width, data)).collect()
    }

    /// The menu, submenus after their entry.
    pub fn menu(&self) -> Vec<Entry> {
        let none: &[&str] = &[];
        let reply = self.call(&self.menu_path(), MENU, "GetLayout", &(0, -1, none));
        let (_, root): (u32, Node) = reply.body().deserialize().unwrap();
        let mut entries = Vec::new();
        flatten(&root.2, &mut entries);
        entries
    }

    /// Labels of the menu, without separators.
    pub fn labels(&self) -> Vec<String> {
        self.menu().into_iter().map(|entry| entry.label).filter(|label| !label.is_empty()).collect()
    }

    /// Waits until the menu has this entry, and presses it.
    pub fn press(&self, label: &str) {
        let entry = until(&format!("the menu has {label}"), PATIENCE, || {
            self.menu().into_iter().find(|entry| entry.label == label)
        });
        let event = (entry.id, "clicked", Value::from(0_i32), 0_u32);
        self.call(&self.menu_path(), MENU, "Event", &event);
    }

    /// Clicks the icon.
    pub fn click(&self) {
        self.call(ITEM_PATH, ITEM, "Activate", &(0, 0));
    }

    fn menu_path(&self) -> OwnedObjectPath {
        self.property("Menu").try_into().unwrap()
    }
}

/// Number, properties and children of an entry.
type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

fn flatten(children: &[OwnedValue], entries: &mut Vec<Entry>) {
    for child in children {
        let (id, properties, below): Node = child.try_clone().unwrap().try_into().unwrap();
        let label = properties.get("label").and_then(|label| label.downcast_ref::<&str>().ok());
        let label = label.unwrap_or_default().replace("__", "_");
        let checked =
            properties.get("toggle-state").and_then(|state| state.downcast_ref::<i32>().ok()) == Some(1);
        entries.push(Entry { id, label, checked });
        flatten(&below, entries);
    }
}
