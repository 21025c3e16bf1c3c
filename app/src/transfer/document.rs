//! The JSON format as types, and the way between them and the records of the store. Reading checks everything: the file may come from
//! anywhere.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::{
    AnswerStats, Attachment, Chat, ChatId, ChatSampling, Folder, FolderId, Message, MessageId, MessageState,
    Persona, PersonaId, Role,
};

/// Value of the field `format`.
pub(super) const FORMAT: &str = "onebit-chats";
/// Version that is written, and the newest that is read.
pub(super) const VERSION: u64 = 2;
/// The oldest version that is read. It has no folders and is the same otherwise.
pub(super) const OLDEST: u64 = 1;
/// Longest title or name, in bytes.
const MAX_NAME_BYTES: usize = 4096;
/// Milliseconds since 1970 at the end of the year 9999.
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// An id. Text in JSON, because many readers round numbers above 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub i64);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| {
            serde::de::Error::custom(format!("expected an id (a whole number as text), found {text:.40?}"))
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonaDocument {
    id: Id,
    name: String,
    system: String,
    sampling: ChatSampling,
    created_millis: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatDocument {
    id: Id,
    title: String,
    created_millis: i64,
    updated_millis: i64,
    pinned: bool,
    model: String,
    system: String,
    sampling: ChatSampling,
    persona: Option<Id>,
    /// Name of the folder it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    leaf: Option<Id>,
    messages: Vec<MessageDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageDocument {
    id: Id,
    parent: Option<Id>,
    role: RoleName,
    content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
    state: StateName,
    created_millis: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stats: Option<StatsDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    System,
    User,
    Assistant,
}

/// States a message can rest in; one that is being written is exported as interrupted.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateName {
    Complete,
    Stopped,
    Failed,
    Interrupted,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatsDocument {
    tokens: u32,
    prompt_tokens: u32,
    prefill_millis: f64,
    decode_millis: f64,
    cached_tokens: u32,
    thinking_tokens: u32,
    thinking_millis: f64,
    cut_short: bool,
    lane: String,
    model: String,
}

/// What chats refer to.
#[derive(Default)]
pub(super) struct Named {
    /// Personas that stand in the file.
    pub(super) personas: HashSet<PersonaId>,
    /// Names of the folders.
    pub(super) folders: HashMap<FolderId, String>,
}

impl From<&Persona> for PersonaDocument {
    fn from(persona: &Persona) -> Self {
        Self {
            id: Id(persona.id.0),
            name: persona.name.clone(),
            system: persona.system.clone(),
            sampling: persona.sampling.clone(),
            created_millis: persona.created_millis,
        }
    }
}

impl PersonaDocument {
    /// Checks it.
    ///
    /// # Errors
    /// Names the field, what was found and what was expected.
    pub(super) fn into_record(self) -> Result<Persona, String> {
        check_name("name", &self.name)?;
        check_millis("created_millis", self.created_millis)?;
        self.sampling.check().map_err(|problem| format!("sampling: {problem}"))?;
        Ok(Persona {
            id: PersonaId(self.id.0),
            name: self.name,
            system: self.system,
            sampling: self.sampling,
            created_millis: self.created_millis,
        })
    }
}

impl ChatDocument {
    /// From the store. A leaf, persona or folder that is gone is left out.
    pub(super) fn new(chat: Chat, messages: Vec<Message>, named: &Named) -> Self {
        let leaf = chat.leaf.filter(|leaf| messages.iter().any(|message| message.id == *leaf));
        Self {
            id: Id(chat.id.0),
            title: chat.title,
            created_millis: chat.created_millis,
            updated_millis: chat.updated_millis,
            pinned: chat.pinned,
            model: chat.model,
            system: chat.system,
            sampling: chat.sampling,
            persona: chat.persona.filter(|id| named.personas.contains(id)).map(|persona| Id(persona.0)),
            folder: chat.folder.and_then(|folder| named.folders.get(&folder).cloned()),
            leaf: leaf.map(|leaf| Id(leaf.0)),
            messages: messages.into_iter().map(MessageDocument::from).collect(),
        }
    }

    /// Checks it and what is in it. Gives the chat, its messages and the name of its folder.
    ///
    /// # Errors
    /// Names the message and field, what was found and what was expected.
    pub(super) fn into_records(
        self,
        personas: &HashSet<PersonaId>,
    ) -> Result<(Chat, Vec<Message>, Option<String>), String> {
        check_name("title", &self.title)?;
        check_millis("created_millis", self.created_millis)?;
        check_millis("updated_millis", self.updated_millis)?;
        self.sampling.check().map_err(|problem| format!("sampling: {problem}"))?;
        if let Some(folder) = self.folder.as_ref().filter(|folder| !Folder::is_name(folder)) {
            return Err(format!(
                "folder is {folder:.100?}; expected one line of 1 to {} characters without blanks around it",
                Folder::MAX_NAME
            ));
        }
        let persona = self.persona.map(|persona| PersonaId(persona.0));
        if let Some(persona) = persona.filter(|persona| !personas.contains(persona)) {
            return Err(format!("persona is {}; expected the id of one in `personas`", persona.0));
        }
        let chat = ChatId(self.id.0);
        let mut known = HashSet::new();
        let mut messages = Vec::new();
        for (index, message) in self.messages.into_iter().enumerate() {
            let message = message
                .into_record(chat, &known)
                .map_err(|problem| format!("message {}: {problem}", index + 1))?;
            if !known.insert(message.id) {
                return Err(format!("message {}: the id {} occurs twice", index + 1, message.id.0));
            }
            messages.push(message);
        }
        let leaf = self.leaf.map(|leaf| MessageId(leaf.0));
        if let Some(leaf) = leaf.filter(|leaf| !known.contains(leaf)) {
            return Err(format!("leaf is {}; expected the id of a message of the chat", leaf.0));
        }
        let chat = Chat {
            id: chat,
            title: self.title,
            created_millis: self.created_millis,
            updated_millis: self.updated_millis,
            pinned: self.pinned,
            model: self.model,
            system: self.system,
            sampling: self.sampling,
            persona,
            folder: None,
            leaf,
        };
        Ok((chat, messages, self.folder))
    }
}

impl From<Message> for MessageDocument {
    fn from(message: Message) -> Self {
        let stats = message.stats;
        let stats = (stats != AnswerStats::default()).then_some(StatsDocument {
            tokens: stats.tokens,
            prompt_tokens: stats.prompt_tokens,
            prefill_millis: stats.prefill_millis,
            decode_millis: stats.decode_millis,
            cached_tokens: stats.cached_tokens,
            thinking_tokens: stats.thinking_tokens,
            thinking_millis: stats.thinking_millis,
            cut_short: stats.cut_short,
            lane: stats.lane,
            model: stats.model,
        });
        Self {
            id: Id(message.id.0),
            parent: message.parent.map(|parent| Id(parent.0)),
            role: match message.role {
                Role::System => RoleName::System,
                Role::User => RoleName::User,
                Role::Assistant => RoleName::Assistant,
            },
            content: message.content,
            attachments: message.attachments,
            state: match message.state {
                MessageState::Complete => StateName::Complete,
                MessageState::Stopped => StateName::Stopped,
                MessageState::Failed => StateName::Failed,
                MessageState::Interrupted | MessageState::Writing => StateName::Interrupted,
            },
            created_millis: message.created_millis,
            stats,
            error: message.error,
        }
    }
}

impl MessageDocument {
    fn into_record(self, chat: ChatId, earlier: &HashSet<MessageId>) -> Result<Message, String> {
        let parent = self.parent.map(|parent| MessageId(parent.0));
        // Only messages before it, so no chain of parents can be a circle.
        if let Some(parent) = parent.filter(|parent| !earlier.contains(parent)) {
            return Err(format!("parent is {}; expected the id of a message before it", parent.0));
        }
        check_millis("created_millis", self.created_millis)?;
        for attachment in &self.attachments {
            check_name("attachments: name", &attachment.name)?;
            check_name("attachments: media", &attachment.media)?;
        }
        let stats = self.stats.map(StatsDocument::into_record).transpose()?;
        Ok(Message {
            id: MessageId(self.id.0),
            chat,
            parent,
            role: match self.role {
                RoleName::System => Role::System,
                RoleName::User => Role::User,
                RoleName::Assistant => Role::Assistant,
            },
            content: self.content,
            attachments: self.attachments,
            state: match self.state {
                StateName::Complete => MessageState::Complete,
                StateName::Stopped => MessageState::Stopped,
                StateName::Failed => MessageState::Failed,
                StateName::Interrupted => MessageState::Interrupted,
            },
            created_millis: self.created_millis,
            stats: stats.unwrap_or_default(),
            error: self.error,
        })
    }
}

impl StatsDocument {
    fn into_record(self) -> Result<AnswerStats, String> {
        let times = [
            ("prefill_millis", self.prefill_millis),
            ("decode_millis", self.decode_millis),
            ("thinking_millis", self.thinking_millis),
        ];
        for (name, value) in times {
            if !(0.0..=1e15).contains(&value) {
                return Err(format!("stats: {name} is {value}; expected 0 to 1e15"));
            }
        }
        Ok(AnswerStats {
            tokens: self.tokens,
            prompt_tokens: self.prompt_tokens,
            prefill_millis: self.prefill_millis,
            decode_millis: self.decode_millis,
            cached_tokens: self.cached_tokens,
            thinking_tokens: self.thinking_tokens,
            thinking_millis: self.thinking_millis,
            cut_short: self.cut_short,
            lane: self.lane,
            model: self.model,
        })
    }
}

fn check_name(field: &str, value: &str) -> Result<(), String> {
    if value.len() > MAX_NAME_BYTES {
        return Err(format!("{field} has {} bytes; expected at most {MAX_NAME_BYTES}", value.len()));
    }
    Ok(())
}

fn check_millis(field: &str, value: i64) -> Result<(), String> {
    if !(0..=LAST_MILLIS).contains(&value) {
        return Err(format!("{field} is {value}; expected milliseconds since 1970, up to the year 9999"));
    }
    Ok(())
}
