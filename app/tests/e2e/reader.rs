//! A screen reader: finds controls of the running program by name in its accessibility tree and presses them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::block_on;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use crate::app::PATIENCE;
use crate::session::{Session, until};

const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
const ACTION: &str = "org.a11y.atspi.Action";

/// Where something is in the tree: connection and object.
type Place = (String, OwnedObjectPath);

/// Says that accessibility is wanted, and where its bus is.
struct Bus(String);

#[zbus::interface(name = "org.a11y.Bus")]
impl Bus {
    fn get_address(&self) -> &str {
        &self.0
    }
}

struct Status;

#[zbus::interface(name = "org.a11y.Status")]
impl Status {
    #[zbus(property)]
    fn is_enabled(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn screen_reader_enabled(&self) -> bool {
        true
    }
}

/// Takes the roots of programs.
struct Socket(Arc<Mutex<Option<Place>>>);

#[zbus::interface(name = "org.a11y.atspi.Socket")]
impl Socket {
    fn embed(&self, plug: Place, #[zbus(connection)] connection: &Connection) -> (Place,) {
        *self.0.lock().unwrap() = Some(plug);
        // Only the connection's own name will do.
        let name = connection.unique_name().unwrap().to_string();
        ((name, OwnedObjectPath::try_from("/org/a11y/atspi/accessible/root").unwrap()),)
    }
}

/// See the module documentation.
pub struct Reader {
    connection: Connection,
    root: Arc<Mutex<Option<Place>>>,
}

impl Reader {
    /// Begins to listen; before the program starts.
    pub fn start(session: &Session) -> Self {
        let root: Arc<Mutex<Option<Place>>> = Arc::default();
        let builder = Builder::address(session.bus())
            .unwrap()
            .method_timeout(Duration::from_secs(20))
            .serve_at("/org/a11y/bus", Bus(session.bus().to_owned()))
            .unwrap()
            .serve_at("/org/a11y/bus", Status)
            .unwrap()
            .serve_at("/org/a11y/atspi/accessible/root", Socket(Arc::clone(&root)))
            .unwrap()
            .name("org.a11y.Bus")
            .unwrap()
            .name("org.a11y.atspi.Registry")
            .unwrap();
        let connection = block_on(builder.build()).unwrap();
        Self { connection, root }
    }

    /// Names of everything that has one, in the order of the tree.
    pub fn names(&self) -> Vec<String> {
        self.walk().into_iter().map(|(name, _)| name).collect()
    }

    /// Waits until something with this name is there, and presses it.
    #[track_caller]
    pub fn press(&self, name: &str) {
        let place = until(&format!("{name:?} is there"), PATIENCE, || {
            self.walk().into_iter().find(|(found, _)| found == name).map(|(_, place)| place)
        });
        let pressed: Option<bool> = self.call(&place, ACTION, "DoAction", &0_i32);
        assert_eq!(pressed, Some(true), "{name:?} cannot be pressed");
    }

    /// Waits until something whose name holds `part` is there; gives the name.
    #[track_caller]
    pub fn wait(&self, part: &str) -> String {
        let begun = std::time::Instant::now();
        loop {
            let names = self.names();
            if let Some(found) = names.iter().find(|name| name.contains(part)) {
                return found.clone();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "nothing says {part:?}; there is {names:?}, root {:?}",
                self.root
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn walk(&self) -> Vec<(String, Place)> {
        let mut found = Vec::new();
        let mut open: Vec<Place> = self.root.lock().unwrap().iter().cloned().collect();
        while let Some(place) = open.pop() {
            // Things come and go while the tree is read.
            let children: Vec<Place> = self.call(&place, ACCESSIBLE, "GetChildren", &()).unwrap_or_default();
            open.extend(children.into_iter().rev());
            if let Some(name) = self.name(&place).filter(|name| !name.is_empty()) {
                found.push((name, place));
            }
        }
        found
    }

    fn name(&self, place: &Place) -> Option<String> {
        let value: OwnedValue =
            self.call(place, "org.freedesktop.DBus.Properties", "Get", &(ACCESSIBLE, "Name"))?;
        value.try_into().ok()
    }

    fn call<T>(
        &self,
        (bus, path): &Place,
        interface: &str,
        method: &str,
        body: &(impl serde::Serialize + zbus::zvariant::DynamicType),
    ) -> Option<T>
    where
        T: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let call = self.connection.call_method(Some(bus.as_str()), path, Some(interface), method, body);
        let reply = block_on(call).ok()?;
        reply.body().deserialize().ok()
    }
}
