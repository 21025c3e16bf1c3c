//! What the portal says, out of its messages. Any program of the user can own the portal's name, so nothing is taken on trust: what is
//! missing or of another type is as if it had not been said, and texts are cut to what a row can show.

use std::collections::BTreeMap;

use zbus::Message;
use zbus::zvariant::{Dict, ObjectPath, OwnedObjectPath, Structure, Value};

use super::Deed;
use crate::bus;

/// Longest description of a key, in characters.
const MAX_KEY_CHARS: usize = 48;
/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 240;

/// Answer to a request.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// It was done.
    Done(Results),
    /// The user did not want it.
    Cancelled,
    /// It was not done, for no reason given.
    Failed,
}

/// What came with an answer.
#[derive(Debug, Default, PartialEq)]
pub struct Results {
    /// The session that was made.
    pub session: Option<OwnedObjectPath>,
    /// Keys of what has some.
    pub keys: BTreeMap<Deed, String>,
}

/// The answer in a signal `Response`.
pub fn answer(message: &Message) -> Answer {
    let body = message.body();
    let Ok(said) = body.deserialize::<Structure<'_>>() else { return Answer::Failed };
    match said.fields() {
        [Value::U32(0), Value::Dict(results)] => Answer::Done(Results {
            session: entry(results, "session_handle").and_then(path),
            keys: entry(results, "shortcuts").map(keys).unwrap_or_default(),
        }),
        [Value::U32(1), _] => Answer::Cancelled,
        _ => Answer::Failed,
    }
}

/// What was pressed in this session, from a signal `Activated`, and the token that came with it.
pub fn pressed(message: &Message, session: &ObjectPath<'_>) -> Option<(Deed, Option<String>)> {
    let body = message.body();
    let said = body.deserialize::<Structure<'_>>().ok()?;
    let [Value::ObjectPath(of), Value::Str(id), _, rest @ ..] = said.fields() else { return None };
    let deed = Deed::ALL.into_iter().find(|deed| deed.id() == id.as_str()).filter(|_| of == session)?;
    let token = match rest {
        [Value::Dict(options), ..] => entry(options, "activation_token").and_then(token),
        _ => None,
    };
    Some((deed, token))
}

/// The keys of this session, from a signal `ShortcutsChanged`.
pub fn changed(message: &Message, session: &ObjectPath<'_>) -> Option<BTreeMap<Deed, String>> {
    let body = message.body();
    let said = body.deserialize::<Structure<'_>>().ok()?;
    match said.fields() {
        [Value::ObjectPath(of), list @ Value::Array(_), ..] if of == session => Some(keys(list)),
        _ => None,
    }
}

/// The words of an error, as far as it has some.
pub fn reason(err: &zbus::Error) -> String {
    match err {
        zbus::Error::MethodError(_, Some(words), _) if !words.trim().is_empty() => {
            shown(words, MAX_REASON_CHARS)
        }
        other => shown(&other.to_string(), MAX_REASON_CHARS),
    }
}

/// Keys in a list of shortcuts. The first description of a shortcut counts, and an empty one is none.
fn keys(list: &Value<'_>) -> BTreeMap<Deed, String> {
    let mut keys = BTreeMap::new();
    let Value::Array(list) = plain(list) else { return keys };
    for item in list.iter() {
        let Value::Structure(item) = plain(item) else { continue };
        let [Value::Str(id), Value::Dict(properties), ..] = item.fields() else { continue };
        let Some(deed) = Deed::ALL.into_iter().find(|deed| deed.id() == id.as_str()) else { continue };
        let Some(Value::Str(words)) = entry(properties, "trigger_description") else { continue };
        let words = shown(words, MAX_KEY_CHARS);
        if !words.is_empty() {
            keys.entry(deed).or_insert(words);
        }
    }
    keys
}

/// A path, also where it is written as a text: the interface says so of session handles.
fn path(value: &Value<'_>) -> Option<OwnedObjectPath> {
    match value {
        Value::Str(text) => OwnedObjectPath::try_from(text.as_str()).ok(),
        Value::ObjectPath(path) => Some(path.to_owned().into()),
        _ => None,
    }
}

/// An activation token.
fn token(value: &Value<'_>) -> Option<String> {
    let Value::Str(token) = value else { return None };
    bus::activation_token(token)
}

/// A value of a dictionary, out of the variants it is wrapped in.
fn entry<'d>(dict: &'d Dict<'_, '_>, key: &str) -> Option<&'d Value<'d>> {
    dict.iter()
        .find(|(name, _)| matches!(name, Value::Str(name) if name.as_str() == key))
        .map(|(_, value)| plain(value))
}

fn plain<'v>(value: &'v Value<'v>) -> &'v Value<'v> {
    match value {
        Value::Value(inner) => plain(inner),
        value => value,
    }
}

/// A text of somebody else in one line of at most so many characters.
fn shown(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut chars = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    line.extend(chars.by_ref().take(most));
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zbus::zvariant::DynamicType;

    use super::*;

    const SESSION: &str = "/org/freedesktop/portal/desktop/session/1_2/onebit";

    fn said(body: &(impl serde::Serialize + DynamicType)) -> Message {
        Message::signal("/x", "org.freedesktop.portal.GlobalShortcuts", "Said").unwrap().build(body).unwrap()
    }

    fn session() -> ObjectPath<'static> {
        ObjectPath::try_from(SESSION).unwrap()
    }

    /// A shortcut of a list.
    fn shortcut<'v>(id: &'v str, key: &'v str, value: Value<'v>) -> (&'v str, HashMap<&'v str, Value<'v>>) {
        (id, HashMap::from([("description", Value::from("Something")), (key, value)]))
    }

    fn described<'v>(id: &'v str, words: &'v str) -> (&'v str, HashMap<&'v str, Value<'v>>) {
        shortcut(id, "trigger_description", Value::from(words))
    }

    #[test]
    fn an_answer_holds_the_session_and_the_keys() {
        let made = HashMap::from([("session_handle", Value::from(SESSION))]);
        let Answer::Done(results) = answer(&said(&(0_u32, made))) else { panic!("it was done") };
        assert_eq!(results.session.as_deref(), Some(&session()));
        // Written as a path, as the interface was meant.
        let made = HashMap::from([("session_handle", Value::from(session()))]);
        let Answer::Done(results) = answer(&said(&(0_u32, made))) else { panic!("it was done") };
        assert_eq!(results.session.as_deref(), Some(&session()));
        let list = vec![described("new-chat", "Super+N"), described("toggle-window", "Press Super+Space")];
        let Answer::Done(results) =
            answer(&said(&(0_u32, HashMap::from([("shortcuts", Value::from(list))]))))
        else {
            panic!("it was done")
        };
        let keys = [(Deed::Window, "Press Super+Space".to_owned()), (Deed::NewChat, "Super+N".to_owned())];
        assert_eq!(results.keys, BTreeMap::from(keys));
    }

    #[test]
    fn a_refusal_is_one_however_it_is_written() {
        let nothing = HashMap::<String, Value<'_>>::new;
        assert_eq!(answer(&said(&(1_u32, nothing()))), Answer::Cancelled);
        assert_eq!(answer(&said(&(1_u32, "no dictionary"))), Answer::Cancelled);
        assert_eq!(answer(&said(&(2_u32, nothing()))), Answer::Failed);
        for nonsense in [said(&("0", nothing())), said(&(0_u32, 7_u32)), said(&(0_u64, nothing())), said(&())]
        {
            assert_eq!(answer(&nonsense), Answer::Failed, "{nonsense:?}");
        }
        let wrong =
            HashMap::from([("session_handle", Value::from("no path")), ("shortcuts", Value::from(1_u32))]);
        assert_eq!(answer(&said(&(0_u32, wrong))), Answer::Done(Results::default()));
    }

    #[test]
    fn of_a_list_only_what_is_known_and_well_formed_is_taken() {
        let long = "x".repeat(1 << 20);
        let mut list = vec![
            described("unknown", "Super+U"),
            shortcut("new-chat", "trigger_description", Value::from(7_u32)),
            described("new-chat", " "),
            described("new-chat", &long),
            described("new-chat", "too late"),
            shortcut("toggle-window", "other", Value::from("Super+O")),
            described("toggle-window", "a\nb\u{1b}[31m"),
        ];
        let few = changed(&said(&(session(), list.clone())), &session()).unwrap();
        assert_eq!(few[&Deed::NewChat].chars().count(), MAX_KEY_CHARS + 1);
        assert_eq!(few[&Deed::Window], "a b [31m");
        // A hundred thousand of them change nothing.
        list.extend((0..100_000).map(|_| described("toggle-window", "later")));
        assert_eq!(changed(&said(&(session(), list)), &session()).unwrap(), few);
        let none = Vec::<(&str, HashMap<&str, Value<'_>>)>::new();
        assert_eq!(changed(&said(&(session(), none.clone())), &session()), Some(BTreeMap::new()));
        let other = ObjectPath::from_static_str_unchecked("/other");
        assert_eq!(changed(&said(&(other, none)), &session()), None);
        assert_eq!(changed(&said(&(session(), "no list")), &session()), None);
        // Things of another shape in a list are passed over.
        assert_eq!(changed(&said(&(session(), vec!["toggle-window"])), &session()), Some(BTreeMap::new()));
    }

    #[test]
    fn a_press_is_of_this_session_and_its_token_fits_into_an_environment() {
        let press = |path: &str, id: &str, token: Value<'_>| {
            let options = HashMap::from([("activation_token", token)]);
            pressed(&said(&(ObjectPath::try_from(path).unwrap(), id, 12_u64, options)), &session())
        };
        let good = press(SESSION, "new-chat", Value::from("gnome-shell/1-2_TIME3"));
        assert_eq!(good, Some((Deed::NewChat, Some("gnome-shell/1-2_TIME3".to_owned()))));
        assert_eq!(press("/other", "new-chat", Value::from("t")), None);
        assert_eq!(press(SESSION, "format-disk", Value::from("t")), None);
        let long = "t".repeat(513);
        for bad in [
            Value::from(""),
            Value::from("a b"),
            Value::from("a\u{7f}"),
            Value::from(long),
            Value::from(1_u32),
        ] {
            assert_eq!(press(SESSION, "toggle-window", bad), Some((Deed::Window, None)));
        }
        // Options are optional in practice.
        assert_eq!(pressed(&said(&(session(), "new-chat", 1_u64)), &session()), Some((Deed::NewChat, None)));
        assert_eq!(pressed(&said(&(session(), 1_u32, 1_u64)), &session()), None);
    }
}
