//! The conversation with `org.freedesktop.portal.GlobalShortcuts` (versions 1 and 2) of whatever program is the desktop's portal, and
//! with the next one when that ends. Everything that is asked, answered or pressed arrives in one stream and is taken one by one.
//!
//! A portal answers requests by signals, and some answers wait for the user, so nothing here waits for them. Bound are the shortcuts
//! in every session: a desktop that knows them asks nobody again, and keys that are only listed do nothing.

use std::time::Duration;

use async_channel::Receiver;
use futures_lite::StreamExt as _;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::zvariant::{DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, MatchRule, Message, MessageStream, message};

use super::reply::{self, Answer, Results};
use super::{Ask, Deed, End, Event, Report, Standing};
use crate::bus;
use crate::window::APP_ID;

const SERVICE: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const SHORTCUTS: &str = "org.freedesktop.portal.GlobalShortcuts";
const REQUEST: &str = "org.freedesktop.portal.Request";
const SESSION: &str = "org.freedesktop.portal.Session";
const REGISTRY: &str = "org.freedesktop.host.portal.Registry";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BUS: &str = "org.freedesktop.DBus";
/// How long the portal may take to take something on; the bus may have to start it first.
const PATIENCE: Duration = Duration::from_secs(20);
/// Last part of the path of every session: desktops have recognised what was bound before by it.
const SESSION_TOKEN: &str = "onebit";
/// The version that can show a dialog to change keys.
const CHANGES: u32 = 2;

/// Options of a call.
type Options<'v> = Vec<(&'static str, Value<'v>)>;

/// What arrives.
enum Input {
    Asked(Ask),
    Said(zbus::Result<Message>),
    /// Nobody can ask any more.
    Over,
}

/// How far a session has come.
enum Step {
    None,
    /// The portal makes one, by this request.
    Creating(OwnedObjectPath),
    /// The portal binds, by this request, and may ask the user.
    Binding {
        request: OwnedObjectPath,
        session: OwnedObjectPath,
    },
    /// Keys are kept.
    Bound(OwnedObjectPath),
}

/// Body of the thread: goes on until the bus is gone or nobody can ask any more.
///
/// # Errors
/// There is no session bus, or it is gone.
pub async fn serve(bus: Option<&str>, asks: Receiver<Ask>, report: &Report) -> zbus::Result<()> {
    let connection = bus::connect(bus, PATIENCE)?.build().await?;
    // Listen before asking, so that nothing falls in between.
    let owners = MessageStream::for_match_rule(owner_changes()?, &connection, None).await?;
    let signals = MessageStream::for_match_rule(portal_signals()?, &connection, None).await?;
    let asks = asks.map(Input::Asked).chain(futures_lite::stream::once(Input::Over));
    let mut inputs = owners.map(Input::Said).or(signals.map(Input::Said)).or(Box::pin(asks));
    let mut desk = Desk::new(&connection, report);
    desk.meet().await;
    loop {
        match inputs.next().await {
            Some(Input::Asked(ask)) => desk.asked(ask).await,
            Some(Input::Said(Ok(message))) => desk.said(&message).await,
            // A message that cannot be read is not the end of the bus, which still answers then.
            Some(Input::Said(Err(err))) => {
                desk.call_bus().await?;
                log::warn!("a message about keys that work from anywhere could not be read: {err}");
            }
            Some(Input::Over) | None => return Ok(()),
        }
    }
}

struct Desk<'c> {
    connection: &'c Connection,
    report: &'c Report,
    /// Unique name of the portal.
    portal: Option<String>,
    /// Version of its interface; nothing where it has none.
    version: Option<u32>,
    /// Why the portal does not know the program, where it said so.
    unknown: Option<String>,
    wanted: bool,
    step: Step,
    /// Numbers requests.
    requests: u32,
    told: Standing,
}

impl<'c> Desk<'c> {
    fn new(connection: &'c Connection, report: &'c Report) -> Self {
        Self {
            connection,
            report,
            portal: None,
            version: None,
            unknown: None,
            wanted: false,
            step: Step::None,
            requests: 0,
            told: Standing::Absent,
        }
    }

    fn tell(&mut self, standing: Standing) {
        if self.told != standing {
            self.told = standing.clone();
            (self.report)(Event::Standing(standing));
        }
    }

    /// Gets to know a portal that may be there; the bus starts one that is not running.
    async fn meet(&mut self) {
        self.unknown = if bus::is_sandboxed() { None } else { self.register().await };
        let asked = (SHORTCUTS, "version");
        self.version = match self.call(PATH, PROPERTIES, "Get", &asked).await {
            Ok(reply) => {
                reply.body().deserialize::<OwnedValue>().ok().and_then(|value| value.try_into().ok())
            }
            Err(err) => {
                log::info!("the desktop keeps no keys: {err}");
                None
            }
        };
        // One that came while it was asked, and did not answer yet, is met when the bus says that it is there.
        self.portal = if self.version.is_some() { self.owner().await } else { None };
        if self.version.is_none() {
            self.tell(Standing::Absent);
        } else if self.wanted {
            self.begin().await;
        } else {
            self.tell(Standing::Offered);
        }
    }

    /// Says who this is, which must be the first thing that the portal hears; gives its words when it does not take that.
    async fn register(&self) -> Option<String> {
        let options = Options::new();
        match self.call(PATH, REGISTRY, "Register", &(APP_ID, dict(&options))).await {
            Ok(_) => None,
            // Older portals find out by themselves.
            Err(err) if is_missing(&err) => None,
            Err(err) => Some(reply::reason(&err)),
        }
    }

    /// Asks the bus for something that every bus answers.
    async fn call_bus(&self) -> zbus::Result<()> {
        DBusProxy::new(self.connection).await?.get_id().await?;
        Ok(())
    }

    async fn owner(&self) -> Option<String> {
        let bus = DBusProxy::new(self.connection).await.ok()?;
        let name = BusName::try_from(SERVICE).ok()?;
        bus.get_name_owner(name).await.ok().map(|owner| owner.to_string())
    }

    async fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::On if !self.wanted => {
                self.wanted = true;
                if self.version.is_some() {
                    self.begin().await;
                }
            }
            Ask::Off if self.wanted => {
                self.wanted = false;
                self.end().await;
                self.tell(if self.version.is_some() { Standing::Offered } else { Standing::Absent });
            }
            Ask::On | Ask::Off => {}
            Ask::Change => self.change(),
        }
    }

    /// Asks for a session.
    async fn begin(&mut self) {
        self.tell(Standing::Asking);
        let options = vec![
            ("handle_token", self.request_token()),
            ("session_handle_token", Value::from(SESSION_TOKEN)),
        ];
        match self.request(SHORTCUTS, "CreateSession", &(dict(&options),)).await {
            Ok(request) => self.step = Step::Creating(request),
            Err(why) => self.refuse(why),
        }
    }

    /// Has the session keep the keys.
    async fn bind(&mut self, session: OwnedObjectPath) {
        let shortcuts: Vec<_> = Deed::ALL.map(shortcut).into();
        let options = vec![("handle_token", self.request_token())];
        let body = (&session, shortcuts, "", dict(&options));
        match self.request(SHORTCUTS, "BindShortcuts", &body).await {
            Ok(request) => self.step = Step::Binding { request, session },
            Err(why) => {
                self.close(&session, SESSION).await;
                self.refuse(why);
            }
        }
    }

    fn refuse(&mut self, why: String) {
        self.step = Step::None;
        let why = match &self.unknown {
            Some(unknown) => format!("{why} ({unknown})"),
            None => why,
        };
        log::warn!("the desktop refuses to keep keys: {why}");
        self.tell(Standing::Refused(why));
    }

    /// Wants nothing any more, in whatever step.
    async fn end(&mut self) {
        match std::mem::replace(&mut self.step, Step::None) {
            Step::None => {}
            Step::Creating(request) => self.close(&request, REQUEST).await,
            Step::Binding { request, session } => {
                self.close(&request, REQUEST).await;
                self.close(&session, SESSION).await;
            }
            Step::Bound(session) => self.close(&session, SESSION).await,
        }
    }

    async fn close(&self, what: &ObjectPath<'_>, interface: &'static str) {
        if let Err(err) = self.call(what, interface, "Close", &()).await {
            // It is gone then, which was wanted.
            log::debug!("{interface}: {err}");
        }
    }

    /// Opens the desktop's dialog. Some portals answer only when it is closed, so somebody else waits for that.
    fn change(&self) {
        let (Step::Bound(session), true) = (&self.step, self.changes()) else { return };
        let (connection, session, report) = (self.connection.clone(), session.clone(), self.report.clone());
        let refused = report.clone();
        let spawned = std::thread::Builder::new().name("anywhere-change".to_owned()).spawn(move || {
            let options = Options::new();
            let body = (&session, "", dict(&options));
            let call =
                connection.call_method(Some(SERVICE), PATH, Some(SHORTCUTS), "ConfigureShortcuts", &body);
            match futures_lite::future::block_on(call) {
                Err(err) if !is_late(&err) => report(Event::Unchanged(reply::reason(&err))),
                _ => {}
            }
        });
        if let Err(err) = spawned {
            refused(Event::Unchanged(format!("no thread could be started: {err}")));
        }
    }

    fn changes(&self) -> bool {
        self.version.is_some_and(|version| version >= CHANGES)
    }

    /// Takes what the bus or the portal says; of others nothing is taken.
    async fn said(&mut self, message: &Message) {
        let header = message.header();
        let (Some(sender), Some(interface), Some(member), Some(path)) =
            (header.sender(), header.interface(), header.member(), header.path())
        else {
            return;
        };
        if (sender.as_str(), interface.as_str(), member.as_str()) == (BUS, BUS, "NameOwnerChanged") {
            return self.owner_changed(message).await;
        }
        if self.portal.as_deref() != Some(sender.as_str()) {
            return;
        }
        match (interface.as_str(), member.as_str()) {
            (REQUEST, "Response") => self.answered(path, reply::answer(message)).await,
            (SESSION, "Closed") => self.closed(path),
            (SHORTCUTS, "Activated") => {
                if let Some(session) = self.session()
                    && let Some((deed, token)) = reply::pressed(message, session)
                {
                    (self.report)(Event::Pressed { deed, token });
                }
            }
            (SHORTCUTS, "ShortcutsChanged") => {
                if let Step::Bound(session) = &self.step
                    && let Some(keys) = reply::changed(message, session)
                {
                    let changes = self.changes();
                    self.tell(Standing::Kept { keys, changes });
                }
            }
            _ => {}
        }
    }

    async fn owner_changed(&mut self, message: &Message) {
        let body = message.body();
        let Ok((_, _, new)) = body.deserialize::<(&str, &str, &str)>() else { return };
        if self.portal.as_deref() == Some(new) {
            // That is the one which was met when it was asked.
            return;
        }
        self.step = Step::None;
        if new.is_empty() {
            (self.portal, self.version) = (None, None);
            self.tell(if self.wanted { Standing::Ended(End::Portal) } else { Standing::Absent });
        } else {
            self.meet().await;
        }
    }

    async fn answered(&mut self, request: &ObjectPath<'_>, answer: Answer) {
        match (std::mem::replace(&mut self.step, Step::None), answer) {
            (Step::Creating(own), Answer::Done(Results { session: Some(session), .. }))
                if *own == *request =>
            {
                self.bind(session).await;
            }
            (Step::Creating(own), Answer::Cancelled) if *own == *request => self.decline(),
            (Step::Creating(own), _) if *own == *request => {
                self.refuse("it made no session and gave no reason".to_owned());
            }
            (Step::Binding { request: own, session }, answer) if *own == *request => match answer {
                Answer::Done(Results { keys, .. }) => {
                    let changes = self.changes();
                    self.step = Step::Bound(session);
                    self.tell(Standing::Kept { keys, changes });
                }
                other => {
                    self.close(&session, SESSION).await;
                    match other {
                        Answer::Cancelled => self.decline(),
                        _ => self.refuse("it gave no reason".to_owned()),
                    }
                }
            },
            // An answer to something that is not waited for any more.
            (step, _) => self.step = step,
        }
    }

    fn decline(&mut self) {
        self.wanted = false;
        self.tell(Standing::Declined);
    }

    fn closed(&mut self, path: &ObjectPath<'_>) {
        if self.session().is_some_and(|session| **session == *path) {
            self.step = Step::None;
            self.tell(Standing::Ended(End::Session));
        }
    }

    /// The session that keeps keys, or is about to.
    fn session(&self) -> Option<&OwnedObjectPath> {
        match &self.step {
            Step::Bound(session) | Step::Binding { session, .. } => Some(session),
            Step::None | Step::Creating(_) => None,
        }
    }

    fn request_token(&mut self) -> Value<'static> {
        self.requests = self.requests.wrapping_add(1);
        Value::from(format!("onebit{}", self.requests))
    }

    /// Calls a method that is answered by a signal; gives the path of the request, or why it was not taken on.
    async fn request(
        &self,
        interface: &'static str,
        method: &'static str,
        body: &(impl serde::Serialize + DynamicType),
    ) -> Result<OwnedObjectPath, String> {
        let reply = self.call(PATH, interface, method, body).await.map_err(|err| reply::reason(&err))?;
        reply.body().deserialize().map_err(|err| reply::reason(&err))
    }

    async fn call(
        &self,
        path: impl TryInto<ObjectPath<'_>, Error: Into<zbus::Error>>,
        interface: &'static str,
        method: &'static str,
        body: &(impl serde::Serialize + DynamicType),
    ) -> zbus::Result<Message> {
        self.connection.call_method(Some(SERVICE), path, Some(interface), method, body).await
    }
}

/// A shortcut as the portal is asked for it.
fn shortcut(deed: Deed) -> (&'static str, std::collections::HashMap<&'static str, Value<'static>>) {
    let properties = [("description", deed.label()), ("preferred_trigger", deed.wanted_keys())];
    (deed.id(), properties.into_iter().map(|(key, text)| (key, Value::from(text))).collect())
}

fn dict<'o>(options: &'o Options<'_>) -> std::collections::HashMap<&'static str, &'o Value<'o>> {
    options.iter().map(|(key, value)| (*key, value)).collect()
}

/// Whether the portal has no such interface.
fn is_missing(err: &zbus::Error) -> bool {
    let zbus::Error::MethodError(name, ..) = err else { return false };
    ["UnknownInterface", "UnknownMethod", "UnknownObject"]
        .iter()
        .any(|end| name.as_str() == format!("org.freedesktop.DBus.Error.{end}"))
}

/// Whether no answer came in time.
fn is_late(err: &zbus::Error) -> bool {
    matches!(err, zbus::Error::InputOutput(err) if err.kind() == std::io::ErrorKind::TimedOut)
}

fn owner_changes() -> zbus::Result<MatchRule<'static>> {
    Ok(MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(BUS)?
        .interface(BUS)?
        .member("NameOwnerChanged")?
        .arg(0, SERVICE)?
        .build())
}

fn portal_signals() -> zbus::Result<MatchRule<'static>> {
    Ok(MatchRule::builder().msg_type(message::Type::Signal).sender(SERVICE)?.path_namespace(PATH)?.build())
}
