//! What the desktop says about how programs should look: whether anything may move by itself, and light or dark. Read from the settings
//! portal over D-Bus, on a thread of its own, and followed as long as the process lives. Knows no window. Where there is no portal
//! nothing is reported.

use std::time::Duration;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, MatchRule, Message, MessageStream, message};

use crate::bus;

const SERVICE: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const SETTINGS: &str = "org.freedesktop.portal.Settings";
/// How long the portal may take for an answer; the bus may have to start it first.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the desktop wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Nothing may move by itself.
    pub reduced_motion: bool,
    /// Dark or light; nothing where the desktop does not mind.
    pub dark: Option<bool>,
}

/// Called from the thread of this module; must not wait.
pub type Report = Box<dyn Fn(Wishes) + Send>;

/// Begins to ask the portal on the session bus, or on the bus at an address, and reports each time its answers change.
pub fn watch(bus: Option<&str>, report: Report) {
    let bus = bus.map(str::to_owned);
    let spawned = std::thread::Builder::new().name("portal".to_owned()).spawn(move || {
        if let Err(err) = block_on(follow(bus.as_deref(), &report)) {
            log::info!("the desktop's settings are not known: {err}");
        }
    });
    if let Err(err) = spawned {
        log::warn!("the desktop's settings are not known: no thread could be started: {err}");
    }
}

/// A value of the desktop that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    ReducedMotion,
    Animations,
    ColorScheme,
}

impl Key {
    const ALL: [Self; 3] = [Self::ReducedMotion, Self::Animations, Self::ColorScheme];

    /// Namespace and name.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::ReducedMotion => ("org.freedesktop.appearance", "reduced-motion"),
            // Portals that do not know the one above pass this one on where the desktop has it.
            Self::Animations => ("org.gnome.desktop.interface", "enable-animations"),
            Self::ColorScheme => ("org.freedesktop.appearance", "color-scheme"),
        }
    }

    fn named(namespace: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.names() == (namespace, name))
    }
}

/// What the desktop said so far.
#[derive(Debug, Default)]
struct Said {
    reduced_motion: Option<bool>,
    animations: Option<bool>,
    dark: Option<bool>,
}

impl Said {
    /// Takes a value; one of another type than agreed is as if nothing had been said.
    fn take(&mut self, key: Key, value: &Value<'_>) {
        let value = plain(value);
        match key {
            Key::ReducedMotion => {
                self.reduced_motion = value.downcast_ref::<u32>().ok().map(|word| word == 1)
            }
            Key::Animations => self.animations = value.downcast_ref::<bool>().ok(),
            Key::ColorScheme => {
                self.dark = match value.downcast_ref::<u32>() {
                    Ok(1) => Some(true),
                    Ok(2) => Some(false),
                    _ => None,
                }
            }
        }
    }

    fn wishes(&self) -> Wishes {
        let still = self.animations.map(|animations| !animations);
        // Either asks for less; neither forbids the other.
        let reduced_motion = self.reduced_motion == Some(true) || still == Some(true);
        Wishes { reduced_motion, dark: self.dark }
    }
}

/// A value out of the variants it is wrapped in.
fn plain<'v>(value: &'v Value<'v>) -> &'v Value<'v> {
    match value {
        Value::Value(inner) => plain(inner),
        value => value,
    }
}

async fn follow(bus: Option<&str>, report: &Report) -> zbus::Result<()> {
    let connection = bus::connect(bus, PATIENCE)?.build().await?;
    let rule = MatchRule::builder().msg_type(message::Type::Signal).interface(SETTINGS)?.path(PATH)?;
    // Listen before asking, so that no change falls in between.
    let mut changes = MessageStream::for_match_rule(rule.build(), &connection, None).await?;
    let mut said = Said::default();
    let mut failed = None;
    let mut answers = 0;
    for key in Key::ALL {
        match read(&connection, key).await {
            Ok(value) => {
                answers += 1;
                said.take(key, &value);
            }
            Err(err) => failed = Some(err),
        }
    }
    if let (0, Some(err)) = (answers, failed) {
        return Err(err);
    }
    let mut told = said.wishes();
    report(told);
    while let Some(message) = changes.next().await {
        let Some((key, value)) = changed(&message?) else { continue };
        said.take(key, &value);
        let wishes = said.wishes();
        if wishes != told {
            told = wishes;
            report(told);
        }
    }
    Ok(())
}

async fn read(connection: &Connection, key: Key) -> zbus::Result<OwnedValue> {
    let names = key.names();
    let ask =
        |method: &'static str| connection.call_method(Some(SERVICE), PATH, Some(SETTINGS), method, &names);
    // The first is how portals have been asked since version 2.
    let reply = match ask("ReadOne").await {
        Ok(reply) => reply,
        Err(_) => ask("Read").await?,
    };
    reply.body().deserialize()
}

/// The value that a signal says has changed, if it matters.
fn changed(message: &Message) -> Option<(Key, OwnedValue)> {
    if message.header().member()?.as_str() != "SettingChanged" {
        return None;
    }
    let (namespace, name, value): (String, String, OwnedValue) = message.body().deserialize().ok()?;
    Some((Key::named(&namespace, &name)?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(values: &[(Key, Value<'_>)]) -> Wishes {
        let mut said = Said::default();
        for (key, value) in values {
            said.take(*key, value);
        }
        said.wishes()
    }

    #[test]
    fn motion_is_reduced_when_either_value_asks_for_it() {
        for (values, reduced) in [
            (vec![], false),
            (vec![(Key::ReducedMotion, Value::U32(0))], false),
            (vec![(Key::ReducedMotion, Value::U32(1))], true),
            (vec![(Key::Animations, Value::Bool(false))], true),
            (vec![(Key::Animations, Value::Bool(true))], false),
            (vec![(Key::ReducedMotion, Value::U32(0)), (Key::Animations, Value::Bool(false))], true),
            // A change back is taken as well.
            (vec![(Key::Animations, Value::Bool(false)), (Key::Animations, Value::Bool(true))], false),
        ] {
            assert_eq!(wishes(&values).reduced_motion, reduced, "{values:?}");
        }
    }

    #[test]
    fn values_are_taken_out_of_their_variants_and_nonsense_is_no_wish() {
        let wrapped = Value::Value(Box::new(Value::Value(Box::new(Value::U32(1)))));
        assert_eq!(wishes(&[(Key::ColorScheme, wrapped)]).dark, Some(true));
        assert_eq!(wishes(&[(Key::ColorScheme, Value::U32(2))]).dark, Some(false));
        assert_eq!(wishes(&[(Key::ColorScheme, Value::U32(0))]).dark, None);
        let text = Value::from("dark");
        assert_eq!(wishes(&[(Key::ColorScheme, text.clone()), (Key::Animations, text)]), Wishes::default());
    }

    #[test]
    fn only_changes_that_matter_are_looked_at() {
        let signal = |member: &str, namespace: &str, name: &str| {
            let body = (namespace, name, Value::U32(1));
            Message::signal(PATH, SETTINGS, member).unwrap().build(&body).unwrap()
        };
        let known = signal("SettingChanged", "org.freedesktop.appearance", "reduced-motion");
        assert_eq!(changed(&known).map(|(key, _)| key), Some(Key::ReducedMotion));
        assert!(changed(&signal("SettingChanged", "org.freedesktop.appearance", "accent-color")).is_none());
        assert!(changed(&signal("Other", "org.freedesktop.appearance", "reduced-motion")).is_none());
    }
}
