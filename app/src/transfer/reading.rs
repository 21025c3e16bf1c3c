//! Reading our JSON format, one chat at a time. Knows no file: the bytes may come from a fuzzer.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::TransferError;
use super::document::{ChatDocument, FORMAT, OLDEST, PersonaDocument, VERSION};
use crate::store::{Chat, Message, Persona, PersonaId};

/// What is found in a file, in order.
pub enum Found {
    /// A persona; all come before the first chat.
    Persona(Persona),
    /// A chat with its messages, a parent before its children, and the name of the folder it is in.
    Chat(Box<Chat>, Vec<Message>, Option<String>),
}

/// Reads an export and hands over what is in it, checked, one by one. An error of `take` ends it and is passed on.
///
/// # Errors
/// The text is not an export of this program, or `take` failed. The text names field, expected and found, with line and column.
pub fn read_chats(
    text: impl Read,
    mut take: impl FnMut(Found) -> Result<(), String>,
) -> Result<(), TransferError> {
    // What `take` says must not be mixed with where the reader stands.
    let refused = Cell::new(None);
    let mut sink = |found| {
        take(found).map_err(|problem| {
            refused.set(Some(problem));
            "refused".to_owned()
        })
    };
    let mut json = serde_json::Deserializer::from_reader(text);
    let read = Export { take: &mut sink }.deserialize(&mut json).and_then(|()| json.end());
    match (read, refused.take()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(problem)) => Err(TransferError::Store(problem)),
        (Err(err), None) => Err(TransferError::Format(format!(
            "not a whole chat export of 1bit Desktop: {err}; choose a JSON file that was exported here"
        ))),
    }
}

type Take<'t> = &'t mut dyn FnMut(Found) -> Result<(), String>;

/// The whole file.
struct Export<'t> {
    take: Take<'t>,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Field {
    Format,
    Version,
    ExportedMillis,
    Personas,
    Chats,
}

impl<'de> DeserializeSeed<'de> for Export<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Export<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object that begins with \"format\": \"{FORMAT}\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if map.next_key::<String>()?.as_deref() != Some("format") {
            return Err(A::Error::custom(format!("expected \"format\": \"{FORMAT}\" as the first field")));
        }
        let format = map.next_value::<String>()?;
        if format != FORMAT {
            return Err(A::Error::custom(format!("format is {format:.40?}; expected \"{FORMAT}\"")));
        }
        let mut seen = vec![Field::Format];
        let mut personas = HashSet::new();
        while let Some(field) = map.next_key::<Field>()? {
            if seen.contains(&field) {
                return Err(A::Error::custom("a field occurs twice"));
            }
            seen.push(field);
            match field {
                Field::Version => check_version(map.next_value()?)?,
                // A newer version may mean something else by the same fields.
                _ if !seen.contains(&Field::Version) => {
                    return Err(A::Error::custom("expected \"version\" as the second field"));
                }
                Field::ExportedMillis => drop(map.next_value::<IgnoredAny>()?),
                Field::Personas if seen.contains(&Field::Chats) => {
                    return Err(A::Error::custom("expected \"personas\" before \"chats\""));
                }
                Field::Personas => {
                    map.next_value_seed(Personas { take: &mut *self.take, known: &mut personas })?;
                }
                Field::Chats => map.next_value_seed(Chats { take: &mut *self.take, personas: &personas })?,
                Field::Format => return Err(A::Error::custom("a field occurs twice")),
            }
        }
        if !seen.contains(&Field::Chats) {
            return Err(A::Error::missing_field("chats"));
        }
        Ok(())
    }
}

fn check_version<E: serde::de::Error>(version: u64) -> Result<(), E> {
    match version {
        OLDEST..=VERSION => Ok(()),
        newer if newer > VERSION => Err(E::custom(format!(
            "version is {newer}, written by a newer version of this program (this one reads {VERSION}); update it first"
        ))),
        other => Err(E::custom(format!("version is {other}; expected {OLDEST} to {VERSION}"))),
    }
}

struct Personas<'t> {
    take: Take<'t>,
    known: &'t mut HashSet<PersonaId>,
}

impl<'de> DeserializeSeed<'de> for Personas<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Personas<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of personas")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for number in 1_u64.. {
            let at = |problem: String| A::Error::custom(format!("persona {number}: {problem}"));
            let next = seq.next_element::<PersonaDocument>().map_err(|err| at(err.to_string()))?;
            let Some(document) = next else { break };
            let persona = document.into_record().map_err(at)?;
            if !self.known.insert(persona.id) {
                return Err(at(format!("the id {} occurs twice", persona.id.0)));
            }
            (self.take)(Found::Persona(persona)).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

struct Chats<'t> {
    take: Take<'t>,
    personas: &'t HashSet<PersonaId>,
}

impl<'de> DeserializeSeed<'de> for Chats<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Chats<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of chats")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for number in 1_u64.. {
            let at = |problem: String| A::Error::custom(format!("chat {number}: {problem}"));
            let next = seq.next_element::<ChatDocument>().map_err(|err| at(err.to_string()))?;
            let Some(document) = next else { break };
            let (chat, messages, folder) = document.into_records(self.personas).map_err(at)?;
            (self.take)(Found::Chat(Box::new(chat), messages, folder)).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
