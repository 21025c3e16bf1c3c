//! Desktop notifications, over D-Bus, on threads of their own. A click leads back to the chat. It knows no window; where there is no
//! service for notifications, nothing is shown.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::zvariant::Value;
use zbus::{Connection, MatchRule, Message, MessageStream, message};

use crate::bus;
use crate::store::ChatId;

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// How long the service may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something that happened in a chat. It holds no text of the conversation: others may see the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Where a click leads.
    pub chat: ChatId,
    /// The line in bold.
    pub title: String,
    /// The line below.
    pub body: String,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The user wants to see this chat.
    Open(ChatId),
    /// Nothing can be shown, and why. Reported once.
    Absent(String),
}

/// Called from threads of this module; must not wait.
pub type Report = Arc<dyn Fn(Event) + Send + Sync>;

/// Shows notifications. The bus is looked for with the first one.
pub struct Notifier {
    bus: Option<String>,
    report: Report,
    wanted: Option<Sender<Notification>>,
}

impl Notifier {
    /// On the session bus. Nothing happens until the first notification.
    pub fn new(report: Report) -> Self {
        Self { bus: None, report, wanted: None }
    }

    /// On the bus at an address.
    pub fn at(address: &str, report: Report) -> Self {
        Self { bus: Some(address.to_owned()), report, wanted: None }
    }

    /// Shows a notification; never waits for the bus.
    pub fn show(&mut self, notification: Notification) {
        let wanted = self.wanted.get_or_insert_with(|| {
            let (sender, receiver) = channel();
            let (bus, report) = (self.bus.clone(), Arc::clone(&self.report));
            let spawned = std::thread::Builder::new()
                .name("notifications".to_owned())
                .spawn(move || serve(bus.as_deref(), &receiver, &report));
            if let Err(err) = spawned {
                (self.report)(Event::Absent(format!("its thread could not be started: {err}")));
            }
            sender
        });
        // Where there is no service nobody takes it.
        drop(wanted.send(notification));
    }
}

/// Chats behind the notifications on the screen, by the service's number.
type Shown = Arc<Mutex<HashMap<u32, ChatId>>>;

/// Body of the thread `notifications`.
fn serve(bus: Option<&str>, wanted: &Receiver<Notification>, report: &Report) {
    let shown = Shown::default();
    let connection = match block_on(connect(bus, &shown, report)) {
        Ok(connection) => connection,
        Err(err) => return report(Event::Absent(err.to_string())),
    };
    let mut told = false;
    for notification in wanted {
        // Held while the service answers, so that a click cannot come before its number is known.
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        match block_on(put(&connection, &notification)) {
            Ok(number) => {
                shown.insert(number, notification.chat);
            }
            Err(err) if !told => {
                told = true;
                report(Event::Absent(err.to_string()));
            }
            Err(_) => {}
        }
    }
}

async fn connect(bus: Option<&str>, shown: &Shown, report: &Report) -> zbus::Result<Connection> {
    let connection = bus::connect(bus, PATIENCE)?.build().await?;
    let signals =
        MatchRule::builder().msg_type(message::Type::Signal).interface(SERVICE)?.path(PATH)?.build();
    let mut messages = MessageStream::for_match_rule(signals, &connection, None).await?;
    let (shown, report) = (Arc::clone(shown), Arc::clone(report));
    std::thread::Builder::new()
        .name("notification-clicks".to_owned())
        .spawn(move || {
            while let Some(Ok(message)) = block_on(messages.next()) {
                let clicked = take(&message, &mut shown.lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(chat) = clicked {
                    report(Event::Open(chat));
                }
            }
        })
        .map_err(|err| zbus::Error::InputOutput(Arc::new(err)))?;
    Ok(connection)
}

async fn put(connection: &Connection, notification: &Notification) -> zbus::Result<u32> {
    let hints = HashMap::from([("desktop-entry", Value::from(crate::window::APP_ID))]);
    // "default" is a click on the notification itself, "open" its button. Replaces nothing; leaves when the service thinks best.
    let actions = ["default", "Open", "open", "Open"];
    let body = (
        "1bit Desktop",
        0_u32,
        crate::window::APP_ID,
        &notification.title,
        markup(&notification.body),
        actions.as_slice(),
        hints,
        -1_i32,
    );
    let reply = connection.call_method(Some(SERVICE), PATH, Some(SERVICE), "Notify", &body).await?;
    reply.body().deserialize()
}

/// Takes a signal of the service; gives the chat that was asked for.
fn take(message: &Message, shown: &mut HashMap<u32, ChatId>) -> Option<ChatId> {
    let header = message.header();
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (number, _action): (u32, String) = message.body().deserialize().ok()?;
            shown.remove(&number)
        }
        "NotificationClosed" => {
            let (number, _reason): (u32, u32) = message.body().deserialize().ok()?;
            shown.remove(&number);
            None
        }
        _ => None,
    }
}

/// The body may hold markup for the service, so what would be read as such is written out.
fn markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(member: &str, body: &(impl serde::Serialize + zbus::zvariant::DynamicType)) -> Message {
        Message::signal(PATH, SERVICE, member).unwrap().build(body).unwrap()
    }

    #[test]
    fn a_click_leads_to_its_chat_once_and_only_while_it_is_shown() {
        let mut shown = HashMap::from([(7, ChatId(70)), (8, ChatId(80))]);
        let click = signal("ActionInvoked", &(7_u32, "default"));
        assert_eq!(take(&click, &mut shown), Some(ChatId(70)));
        assert_eq!(take(&click, &mut shown), None);
        assert_eq!(take(&signal("NotificationClosed", &(8_u32, 2_u32)), &mut shown), None);
        assert_eq!(take(&signal("ActionInvoked", &(8_u32, "open")), &mut shown), None);
        // Notifications of other programs, and signals that are not what they seem.
        assert_eq!(take(&signal("ActionInvoked", &(99_u32, "open")), &mut shown), None);
        assert_eq!(take(&signal("ActionInvoked", &"text"), &mut shown), None);
    }

    #[test]
    fn text_is_never_read_as_markup() {
        assert_eq!(markup("<b>a & b</b>"), "&lt;b&gt;a &amp; b&lt;/b&gt;");
    }
}
