//! Puts the item on the session bus, registers it with the desktop's watcher, and looks whether some tray shows it. Registering alone
//! tells nothing: a watcher takes items without a tray, too. All is done again when a watcher comes.

use std::time::Duration;

use futures_lite::StreamExt as _;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, MatchRule, MessageStream, message};

use super::dbusmenu::{self, DbusMenu};
use super::item::{self, Item};
use super::{Event, Report, State};
use crate::bus;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const HOST_REGISTERED: &str = "IsStatusNotifierHostRegistered";
/// How long the bus may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a tray may be away before that is reported; desktops restart theirs.
const ABSENCE: Duration = Duration::from_secs(2);

/// Puts item and menu on the session bus.
///
/// # Errors
/// There is no session bus.
pub async fn connect(state: &State) -> zbus::Result<Connection> {
    let mut builder = bus::connect(None, PATIENCE)?
        .serve_at(item::PATH, Item(state.clone()))?
        .serve_at(dbusmenu::PATH, DbusMenu(state.clone()))?;
    if !bus::is_sandboxed() {
        builder = builder.name(own_name())?;
    }
    builder.build().await
}

/// Registers and reports, until the bus is gone.
pub async fn watch(connection: &Connection, report: &Report) {
    if let Err(err) = follow(connection, report).await {
        report(Event::Absent(err.to_string()));
    }
    report(Event::Shown(false));
}

async fn follow(connection: &Connection, report: &Report) -> zbus::Result<()> {
    let bus = DBusProxy::new(connection).await?;
    // Listen before asking, so that no change falls in between.
    let owners = MessageStream::for_match_rule(owner_changes()?, connection, None).await?;
    let hosts = MessageStream::for_match_rule(host_changes()?, connection, None).await?;
    let mut changes = owners.or(hosts);
    let mut registered_with = None;
    let mut shown = false;
    loop {
        let mut now = is_shown(connection, &bus, &mut registered_with).await;
        if shown && !now {
            std::thread::sleep(ABSENCE);
            now = is_shown(connection, &bus, &mut registered_with).await;
        }
        if now != shown {
            shown = now;
            report(Event::Shown(shown));
        }
        match changes.next().await {
            Some(Ok(_)) => {}
            Some(Err(err)) => return Err(err),
            None => return Ok(()),
        }
    }
}

/// Whether a tray shows the item. Registers with a watcher that does not know it yet.
async fn is_shown(
    connection: &Connection,
    bus: &DBusProxy<'_>,
    registered_with: &mut Option<String>,
) -> bool {
    // Whatever goes wrong here, nobody shows the item, and the next change of the watcher tries again.
    let Ok(name) = BusName::try_from(WATCHER) else { return false };
    let Ok(owner) = bus.get_name_owner(name).await else {
        *registered_with = None;
        return false;
    };
    if registered_with.as_deref() != Some(owner.as_str()) {
        if register(connection).await.is_err() {
            return false;
        }
        *registered_with = Some(owner.to_string());
    }
    has_host(connection).await.unwrap_or(false)
}

async fn register(connection: &Connection) -> zbus::Result<()> {
    let name = match connection.unique_name() {
        Some(unique) if bus::is_sandboxed() => unique.to_string(),
        _ => own_name(),
    };
    connection
        .call_method(Some(WATCHER), WATCHER_PATH, Some(WATCHER), "RegisterStatusNotifierItem", &name)
        .await
        .map(drop)
}

/// Asks for the value each time: a watcher need not announce changes of properties.
async fn has_host(connection: &Connection) -> zbus::Result<bool> {
    let asked = (WATCHER, HOST_REGISTERED);
    let reply = connection.call_method(Some(WATCHER), WATCHER_PATH, Some(PROPERTIES), "Get", &asked).await?;
    Ok(reply.body().deserialize::<OwnedValue>()?.try_into()?)
}

/// Name of the item, as the specification wants it.
fn own_name() -> String {
    format!("org.kde.StatusNotifierItem-{}-1", std::process::id())
}

fn owner_changes() -> zbus::Result<MatchRule<'static>> {
    Ok(MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender("org.freedesktop.DBus")?
        .interface("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?
        .arg(0, WATCHER)?
        .build())
}

fn host_changes() -> zbus::Result<MatchRule<'static>> {
    Ok(MatchRule::builder().msg_type(message::Type::Signal).interface(WATCHER)?.path(WATCHER_PATH)?.build())
}
