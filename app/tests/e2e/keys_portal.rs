//! A desktop's portal for keys that work from anywhere: takes what is asked of it, and presses keys.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use futures_lite::future::block_on;
use zbus::connection::Builder;
use zbus::message::Header;
use zbus::names::{BusName, OwnedUniqueName};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, fdo};

use crate::app::PATIENCE;
use crate::session::Session;

const PATH: &str = "/org/freedesktop/portal/desktop";
const SHORTCUTS: &str = "org.freedesktop.portal.GlobalShortcuts";

type Dict = HashMap<String, OwnedValue>;

/// What the user, or the portal, does when something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Keeps all keys.
    Keep,
    /// The user cancels the dialog.
    Cancel,
    /// The portal does not know the program.
    Refuse,
    /// It says that it failed.
    Fail,
}

/// What the program asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Register(String),
    Create,
    /// Ids and preferred keys.
    Bind(Vec<(String, String)>),
    Change,
    /// A session was closed.
    Close,
}

struct Shared {
    manner: Manner,
    asked: Mutex<Sender<Asked>>,
    /// Who has the session, and which it is.
    session: Mutex<Option<(OwnedUniqueName, OwnedObjectPath)>>,
}

impl Shared {
    fn note(&self, asked: Asked) {
        // A test need not look at everything.
        let _ = self.asked.lock().unwrap().send(asked);
    }
}

struct Registry(Arc<Shared>);

#[zbus::interface(name = "org.freedesktop.host.portal.Registry")]
impl Registry {
    fn register(&self, app: String, _options: Dict) -> fdo::Result<()> {
        self.0.note(Asked::Register(app.clone()));
        match self.0.manner {
            Manner::Refuse => Err(fdo::Error::Failed(format!("App info not found for '{app}'"))),
            _ => Ok(()),
        }
    }
}

/// A session on the bus.
struct Open(Arc<Shared>);

#[zbus::interface(name = "org.freedesktop.portal.Session")]
impl Open {
    fn close(&self) {
        *self.0.session.lock().unwrap() = None;
        self.0.note(Asked::Close);
    }
}

struct Shortcuts {
    shared: Arc<Shared>,
    version: u32,
}

impl Shortcuts {
    /// Answers a request of somebody before the request itself returns, which is as early as it can be.
    async fn answer(
        &self,
        of: &Header<'_>,
        by: &Connection,
        options: &Dict,
        code: u32,
        results: Dict,
    ) -> OwnedObjectPath {
        let sender = of.sender().unwrap();
        let token: String = options["handle_token"].try_clone().unwrap().try_into().unwrap();
        let name = sender.trim_start_matches(':').replace('.', "_");
        let request = OwnedObjectPath::try_from(format!("{PATH}/request/{name}/{token}")).unwrap();
        let to = Some(BusName::from(sender.to_owned()));
        let body = (code, results);
        by.emit_signal(to, &request, "org.freedesktop.portal.Request", "Response", &body).await.unwrap();
        request
    }
}

#[zbus::interface(name = "org.freedesktop.portal.GlobalShortcuts")]
impl Shortcuts {
    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        self.version
    }

    async fn create_session(
        &self,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<OwnedObjectPath> {
        self.shared.note(Asked::Create);
        if self.shared.manner == Manner::Refuse {
            return Err(fdo::Error::AccessDenied("An app id is required".to_owned()));
        }
        let sender = header.sender().unwrap();
        let token: String = options["session_handle_token"].try_clone().unwrap().try_into().unwrap();
        let name = sender.trim_start_matches(':').replace('.', "_");
        let session = format!("{PATH}/session/{name}/{token}");
        let open = Open(Arc::clone(&self.shared));
        connection.object_server().at(session.as_str(), open).await.unwrap();
        let path = OwnedObjectPath::try_from(session.as_str()).unwrap();
        *self.shared.session.lock().unwrap() = Some((sender.to_owned().into(), path));
        let results = Dict::from([("session_handle".to_owned(), Value::from(session).try_into().unwrap())]);
        Ok(self.answer(&header, connection, &options, 0, results).await)
    }

    async fn bind_shortcuts(
        &self,
        _session: OwnedObjectPath,
        shortcuts: Vec<(String, Dict)>,
        _parent: String,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> OwnedObjectPath {
        let keys = |properties: &Dict| {
            let keys = properties["preferred_trigger"].try_clone().unwrap();
            String::try_from(keys).unwrap()
        };
        let wanted: Vec<_> =
            shortcuts.iter().map(|(id, properties)| (id.clone(), keys(properties))).collect();
        let (code, results) = match self.shared.manner {
            Manner::Cancel => (1, Dict::new()),
            Manner::Fail => (2, Dict::new()),
            Manner::Keep | Manner::Refuse => {
                let list = wanted
                    .iter()
                    .map(|(id, keys)| described(id, &format!("Press {keys}")))
                    .collect::<Vec<_>>();
                (0, Dict::from([("shortcuts".to_owned(), Value::from(list).try_into().unwrap())]))
            }
        };
        self.shared.note(Asked::Bind(wanted));
        self.answer(&header, connection, &options, code, results).await
    }

    fn configure_shortcuts(&self, _session: OwnedObjectPath, _parent: String, _options: Dict) {
        self.shared.note(Asked::Change);
    }
}

/// A shortcut as the portal lists it.
fn described(id: &str, words: &str) -> (String, HashMap<String, Value<'static>>) {
    (id.to_owned(), HashMap::from([("trigger_description".to_owned(), Value::from(words.to_owned()))]))
}

/// See the module documentation.
pub struct KeysPortal {
    connection: Connection,
    shared: Arc<Shared>,
    asked: Receiver<Asked>,
}

impl KeysPortal {
    /// A portal of today.
    pub fn start(session: &Session, manner: Manner) -> Self {
        Self::of_version(session, manner, 2)
    }

    /// A portal with a version of the interface.
    pub fn of_version(session: &Session, manner: Manner, version: u32) -> Self {
        let (sender, asked) = channel();
        let shared = Arc::new(Shared { manner, asked: Mutex::new(sender), session: Mutex::default() });
        let shortcuts = Shortcuts { shared: Arc::clone(&shared), version };
        let builder = Builder::address(session.bus())
            .unwrap()
            .serve_at(PATH, Registry(Arc::clone(&shared)))
            .unwrap()
            .serve_at(PATH, shortcuts)
            .unwrap()
            .name("org.freedesktop.portal.Desktop")
            .unwrap();
        let connection = block_on(builder.build()).unwrap();
        Self { connection, shared, asked }
    }

    /// Waits for what is asked next.
    #[track_caller]
    pub fn next(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until keys are wanted, and says which.
    #[track_caller]
    pub fn wait_bound(&self) -> Vec<(String, String)> {
        loop {
            if let Asked::Bind(wanted) = self.next() {
                return wanted;
            }
        }
    }

    fn emit(
        &self,
        from: &Connection,
        path: &str,
        interface: &str,
        name: &str,
        body: &(impl serde::Serialize + zbus::zvariant::DynamicType),
    ) {
        let (to, _) = self.shared.session.lock().unwrap().clone().expect("there is a session");
        block_on(from.emit_signal(Some(BusName::from(to)), path, interface, name, body)).unwrap();
    }

    fn session(&self) -> OwnedObjectPath {
        self.shared.session.lock().unwrap().clone().expect("there is a session").1
    }

    /// Presses the key of a shortcut.
    pub fn press(&self, id: &str) {
        self.press_by(&self.connection, id);
    }

    /// Says over some connection that a key was pressed.
    pub fn press_by(&self, connection: &Connection, id: &str) {
        let options = HashMap::from([("activation_token", Value::from("token-1_TIME2"))]);
        self.emit(connection, PATH, SHORTCUTS, "Activated", &(self.session(), id, 7_u64, options));
    }

    /// The user has chosen other keys.
    pub fn change(&self, keys: &[(&str, &str)]) {
        let list: Vec<_> = keys.iter().map(|(id, words)| described(id, words)).collect();
        self.emit(&self.connection, PATH, SHORTCUTS, "ShortcutsChanged", &(self.session(), list));
    }

    /// Closes the session.
    pub fn take_back(&self) {
        let session = self.session();
        let details = HashMap::<&str, Value<'_>>::new();
        self.emit(
            &self.connection,
            session.as_str(),
            "org.freedesktop.portal.Session",
            "Closed",
            &(details,),
        );
    }

    /// Ends, as one does that crashes.
    pub fn die(self) {
        block_on(self.connection.close()).unwrap();
    }
}
