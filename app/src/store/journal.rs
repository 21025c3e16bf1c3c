//! Changes that are not on disk yet, in order, and what the chats look like with them applied.
//!
//! An answer that grows is held as its whole text, so that applying a change twice (after a commit of unknown outcome) does no
//! harm, and at most one change an answer waits at the end of the list.

use std::collections::{HashMap, HashSet};

use super::command::{Ticket, Write};
use super::deleted::DeletedId;
use super::record::{
    AnswerStats, Chat, ChatId, Folder, FolderId, Kept, Message, MessageId, MessageState, Persona, PersonaId,
    now_millis,
};
use super::sampling::ChatSampling;

/// A change as it is applied to the database: idempotent, with its time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    PutChat(Chat),
    AddMessage(Message),
    SetContent {
        message: MessageId,
        content: String,
    },
    Finish {
        message: MessageId,
        state: MessageState,
        stats: AnswerStats,
        error: Option<String>,
        at_millis: i64,
    },
    Resume {
        message: MessageId,
        content: String,
    },
    Rename {
        chat: ChatId,
        title: String,
    },
    ShowLeaf {
        chat: ChatId,
        leaf: MessageId,
    },
    Pin {
        chat: ChatId,
        pinned: bool,
    },
    MoveChat {
        chat: ChatId,
        folder: Option<FolderId>,
    },
    SetUp {
        chat: ChatId,
        system: String,
        sampling: ChatSampling,
        persona: Option<PersonaId>,
    },
    DeleteChat {
        chat: ChatId,
        at_millis: i64,
    },
    RestoreChat(ChatId),
    DeleteMessage {
        message: MessageId,
        at_millis: i64,
    },
    RestoreMessage(MessageId),
    PutPersona(Persona),
    DeletePersona {
        persona: PersonaId,
        at_millis: i64,
    },
    RestorePersona(PersonaId),
    PutFolder(Folder),
    RenameFolder {
        folder: FolderId,
        name: String,
    },
    DeleteFolder {
        folder: FolderId,
        at_millis: i64,
    },
    RestoreFolder(FolderId),
    DeleteForGood(DeletedId),
    SetState {
        name: String,
        value: String,
    },
}

/// See the module documentation.
#[derive(Default)]
pub(super) struct Journal {
    waiting: Vec<Change>,
    /// Answers that grow, with their text so far.
    growing: HashMap<MessageId, String>,
    newest: Ticket,
    /// Bytes of answers' text that arrived since the last save.
    fresh_text_bytes: usize,
    /// Whether something else than growth waits.
    urgent: bool,
    /// Time of the last deletion. No two share one: it tells which messages were deleted together.
    last_deletion_millis: i64,
}

impl Journal {
    /// Takes a change.
    ///
    /// # Errors
    /// Text for the user when it makes no sense: growth of a message that is not being written.
    pub fn push(&mut self, ticket: Ticket, write: Write) -> Result<(), String> {
        self.newest = ticket;
        if let Write::Extend { message, text } = write {
            return self.extend(message, &text);
        }
        self.urgent = true;
        let change = match write {
            Write::PutChat(chat) => Change::PutChat(chat),
            Write::AddMessage(message) => {
                if message.state == MessageState::Writing {
                    self.growing.insert(message.id, message.content.clone());
                }
                Change::AddMessage(message)
            }
            Write::Extend { .. } => unreachable!("handled above"),
            Write::Finish { message, state, stats, error } => {
                self.growing.remove(&message);
                Change::Finish { message, state, stats, error, at_millis: now_millis() }
            }
            Write::Resume { message, content } => {
                self.growing.insert(message, content.clone());
                Change::Resume { message, content }
            }
            Write::Rename { chat, title } => Change::Rename { chat, title },
            Write::ShowLeaf { chat, leaf } => Change::ShowLeaf { chat, leaf },
            Write::Pin { chat, pinned } => Change::Pin { chat, pinned },
            Write::MoveChat { chat, folder } => Change::MoveChat { chat, folder },
            Write::SetUp { chat, system, sampling, persona } => {
                Change::SetUp { chat, system, sampling, persona }
            }
            Write::DeleteChat(chat) => Change::DeleteChat { chat, at_millis: self.deletion_millis() },
            Write::RestoreChat(chat) => Change::RestoreChat(chat),
            Write::DeleteMessage(message) => {
                Change::DeleteMessage { message, at_millis: self.deletion_millis() }
            }
            Write::RestoreMessage(message) => Change::RestoreMessage(message),
            Write::PutPersona(persona) => Change::PutPersona(persona),
            Write::DeletePersona(persona) => {
                Change::DeletePersona { persona, at_millis: self.deletion_millis() }
            }
            Write::RestorePersona(persona) => Change::RestorePersona(persona),
            Write::PutFolder(folder) => Change::PutFolder(folder),
            Write::RenameFolder { folder, name } => Change::RenameFolder { folder, name },
            Write::DeleteFolder(folder) => Change::DeleteFolder { folder, at_millis: self.deletion_millis() },
            Write::RestoreFolder(folder) => Change::RestoreFolder(folder),
            Write::DeleteForGood(what) => Change::DeleteForGood(what),
            Write::SetState { name, value } => {
                self.waiting
                    .retain(|waiting| !matches!(waiting, Change::SetState { name: old, .. } if *old == name));
                Change::SetState { name, value }
            }
        };
        self.waiting.push(change);
        Ok(())
    }

    fn deletion_millis(&mut self) -> i64 {
        self.last_deletion_millis = now_millis().max(self.last_deletion_millis + 1);
        self.last_deletion_millis
    }

    fn extend(&mut self, message: MessageId, text: &str) -> Result<(), String> {
        let content = self.growing.get_mut(&message).ok_or_else(|| {
            "text arrived for a message that is not being written; it was not stored".to_owned()
        })?;
        content.push_str(text);
        self.fresh_text_bytes += text.len();
        let content = content.clone();
        // Only the newest text of an answer is worth writing.
        self.waiting
            .retain(|waiting| !matches!(waiting, Change::SetContent { message: old, .. } if *old == message));
        self.waiting.push(Change::SetContent { message, content });
        Ok(())
    }

    /// Changes in order.
    pub fn waiting(&self) -> &[Change] {
        &self.waiting
    }

    /// Number of the newest change taken.
    pub fn newest(&self) -> Ticket {
        self.newest
    }

    /// Whether something else than growth waits.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Bytes of answers' text that arrived since the last save.
    pub fn fresh_text_bytes(&self) -> usize {
        self.fresh_text_bytes
    }

    /// Everything waiting is on disk now.
    pub fn saved(&mut self) {
        self.waiting.clear();
        self.fresh_text_bytes = 0;
        self.urgent = false;
    }

    /// Whether a deletion waits.
    pub fn deletes(&self) -> bool {
        self.waiting.iter().any(|change| {
            matches!(
                change,
                Change::DeleteChat { .. }
                    | Change::DeleteMessage { .. }
                    | Change::DeletePersona { .. }
                    | Change::DeleteFolder { .. }
            )
        })
    }

    /// Whether something is to be removed for good.
    pub fn deletes_for_good(&self) -> bool {
        self.waiting.iter().any(|change| matches!(change, Change::DeleteForGood(_)))
    }

    /// Bytes of text held here.
    pub fn bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(Change::bytes).sum();
        waiting + self.growing.values().map(String::len).sum::<usize>()
    }

    /// Chats whose head may look different with what waits applied.
    pub fn touched_chats(&self, chat_of: impl Fn(MessageId) -> Option<ChatId>) -> HashSet<ChatId> {
        let mut added: HashMap<MessageId, ChatId> = HashMap::new();
        let touched = self.waiting.iter().filter_map(|change| match change {
            Change::PutChat(chat) => Some(chat.id),
            Change::AddMessage(message) => {
                added.insert(message.id, message.chat);
                Some(message.chat)
            }
            Change::Finish { message, .. } => added.get(message).copied().or_else(|| chat_of(*message)),
            other => other.chat(),
        });
        touched.collect()
    }

    /// Applies what waits to one chat and its messages. `chat` is `None` when the database does not know it.
    pub fn apply_to_chat(
        &self,
        id: ChatId,
        chat: &mut Option<Kept<Chat>>,
        messages: &mut Vec<Kept<Message>>,
    ) {
        for change in &self.waiting {
            match change {
                Change::PutChat(put) if put.id == id => match chat {
                    Some(chat) => chat.record.clone_from(put),
                    None => *chat = Some(Kept::alive(put.clone())),
                },
                Change::AddMessage(message) if message.chat == id => add_message(chat, messages, message),
                Change::Finish { at_millis, .. } => {
                    if apply_to_messages(messages, change)
                        && let Some(chat) = chat
                    {
                        chat.record.updated_millis = chat.record.updated_millis.max(*at_millis);
                    }
                }
                change if change.chat() == Some(id) => {
                    if let Some(chat) = chat {
                        apply_to_chat(chat, change);
                    }
                }
                change => {
                    apply_to_messages(messages, change);
                }
            }
        }
    }

    /// Applies what waits to all personas.
    pub fn apply_to_personas(&self, personas: &mut Vec<Kept<Persona>>) {
        for change in &self.waiting {
            let id = match change {
                Change::PutPersona(persona) => persona.id,
                Change::DeletePersona { persona, .. } | Change::RestorePersona(persona) => *persona,
                _ => continue,
            };
            let known = personas.iter_mut().find(|known| known.record.id == id);
            match (known, change) {
                (Some(known), Change::PutPersona(persona)) => known.record.clone_from(persona),
                (None, Change::PutPersona(persona)) => personas.push(Kept::alive(persona.clone())),
                (Some(known), Change::DeletePersona { at_millis, .. }) => known.delete(*at_millis),
                (Some(known), Change::RestorePersona(_)) => known.deleted_millis = None,
                _ => {}
            }
        }
    }

    /// Applies what waits to all folders.
    pub fn apply_to_folders(&self, folders: &mut Vec<Kept<Folder>>) {
        for change in &self.waiting {
            let id = match change {
                Change::PutFolder(folder) => folder.id,
                Change::RenameFolder { folder, .. }
                | Change::DeleteFolder { folder, .. }
                | Change::RestoreFolder(folder) => *folder,
                _ => continue,
            };
            let known = folders.iter_mut().find(|known| known.record.id == id);
            match (known, change) {
                (Some(known), Change::PutFolder(folder)) => known.record.clone_from(folder),
                (None, Change::PutFolder(folder)) => folders.push(Kept::alive(folder.clone())),
                (Some(known), Change::RenameFolder { name, .. }) => known.record.name.clone_from(name),
                (Some(known), Change::DeleteFolder { at_millis, .. }) => known.delete(*at_millis),
                (Some(known), Change::RestoreFolder(_)) => known.deleted_millis = None,
                _ => {}
            }
        }
    }

    /// The waiting value of a name: `None` = nothing waits, `Some("")` = forgotten.
    pub fn state(&self, name: &str) -> Option<&str> {
        self.waiting.iter().rev().find_map(|change| match change {
            Change::SetState { name: found, value } if found == name => Some(value.as_str()),
            _ => None,
        })
    }
}

impl Change {
    /// The chat it changes, where it says so and changes nothing else.
    fn chat(&self) -> Option<ChatId> {
        match self {
            Change::Rename { chat, .. }
            | Change::ShowLeaf { chat, .. }
            | Change::Pin { chat, .. }
            | Change::MoveChat { chat, .. }
            | Change::SetUp { chat, .. }
            | Change::DeleteChat { chat, .. }
            | Change::RestoreChat(chat) => Some(*chat),
            _ => None,
        }
    }

    /// Bytes of text in it.
    fn bytes(&self) -> usize {
        match self {
            Change::PutChat(chat) => chat.title.len() + chat.system.len(),
            Change::AddMessage(message) => message.text_bytes(),
            Change::SetContent { content, .. } | Change::Resume { content, .. } => content.len(),
            Change::SetState { value, .. } => value.len(),
            Change::Rename { title, .. } => title.len(),
            Change::SetUp { system, .. } => system.len(),
            Change::PutPersona(persona) => persona.name.len() + persona.system.len(),
            Change::PutFolder(folder) => folder.name.len(),
            Change::RenameFolder { name, .. } => name.len(),
            Change::Finish { .. }
            | Change::ShowLeaf { .. }
            | Change::Pin { .. }
            | Change::MoveChat { .. }
            | Change::DeleteChat { .. }
            | Change::RestoreChat(_)
            | Change::DeleteMessage { .. }
            | Change::RestoreMessage(_)
            | Change::DeletePersona { .. }
            | Change::RestorePersona(_)
            | Change::DeleteFolder { .. }
            | Change::RestoreFolder(_)
            | Change::DeleteForGood(_) => 0,
        }
    }
}

fn apply_to_chat(chat: &mut Kept<Chat>, change: &Change) {
    match change {
        Change::Rename { title, .. } => chat.record.title.clone_from(title),
        Change::ShowLeaf { leaf, .. } => chat.record.leaf = Some(*leaf),
        Change::Pin { pinned, .. } => chat.record.pinned = *pinned,
        Change::MoveChat { folder, .. } => chat.record.folder = *folder,
        Change::SetUp { system, sampling, persona, .. } => {
            chat.record.system.clone_from(system);
            chat.record.sampling.clone_from(sampling);
            chat.record.persona = *persona;
        }
        Change::DeleteChat { at_millis, .. } => chat.delete(*at_millis),
        Change::RestoreChat(_) => chat.deleted_millis = None,
        _ => {}
    }
}

/// Adds a message, unless its chat or parent is gone.
fn add_message(chat: &mut Option<Kept<Chat>>, messages: &mut Vec<Kept<Message>>, message: &Message) {
    let alive = |id| messages.iter().any(|known| known.record.id == id && known.is_alive());
    let Some(chat) = chat.as_mut().filter(|chat| chat.is_alive()) else { return };
    let known = messages.iter().any(|known| known.record.id == message.id);
    if !known {
        if message.parent.is_some_and(|parent| !alive(parent)) {
            return;
        }
        messages.push(Kept::alive(message.clone()));
    }
    chat.record.updated_millis = chat.record.updated_millis.max(message.created_millis);
    chat.record.leaf = Some(message.id);
}

/// Applies a change of one message; says whether the message was there.
fn apply_to_messages(messages: &mut [Kept<Message>], change: &Change) -> bool {
    let id = match change {
        Change::SetContent { message, .. }
        | Change::Resume { message, .. }
        | Change::Finish { message, .. }
        | Change::DeleteMessage { message, .. }
        | Change::RestoreMessage(message) => *message,
        _ => return false,
    };
    let Some(at) = messages.iter().position(|known| known.record.id == id) else { return false };
    let message = &mut messages[at].record;
    match change {
        Change::SetContent { content, .. } => message.content.clone_from(content),
        Change::Resume { content, .. } => {
            message.state = MessageState::Writing;
            message.content.clone_from(content);
            message.error = None;
        }
        Change::Finish { state, stats, error, .. } => {
            message.state = *state;
            message.stats = stats.clone();
            message.error.clone_from(error);
        }
        Change::DeleteMessage { at_millis, .. } => {
            for index in below(messages, id) {
                messages[index].delete(*at_millis);
            }
        }
        Change::RestoreMessage(_) => restore(messages, at),
        _ => {}
    }
    true
}

/// Takes back the deletion of a message and of what was deleted together with it.
fn restore(messages: &mut [Kept<Message>], at: usize) {
    let root = &messages[at];
    let above = root.record.parent.and_then(|parent| messages.iter().find(|known| known.record.id == parent));
    let (id, together) = (root.record.id, root.deleted_millis);
    if together.is_none() || above.is_some_and(|above| !above.is_alive()) {
        return;
    }
    for index in below(messages, id) {
        if messages[index].deleted_millis == together {
            messages[index].deleted_millis = None;
        }
    }
}

/// Places of a message and of everything below it. Parents come before their children, so one pass in order finds all.
fn below(messages: &[Kept<Message>], root: MessageId) -> Vec<usize> {
    let mut found = HashSet::from([root]);
    let mut places = Vec::new();
    for (index, Kept { record, .. }) in messages.iter().enumerate() {
        if record.id == root || record.parent.is_some_and(|parent| found.contains(&parent)) {
            found.insert(record.id);
            places.push(index);
        }
    }
    places
}
