//! Taking in chats from elsewhere, as seen by who reads them: a thread of its own hands them over one by one, and the store's thread
//! takes them in between its other work (`intake`).

use std::hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::StoreError;
use super::mailbox::Mailbox;
use super::record::{Chat, ChatId, Message, MessageId, Persona};

/// Hands over what is to be taken in. Runs on a thread of its own; an error undoes everything.
pub type ImportJob = Box<dyn FnOnce(&mut Importer) -> Result<(), String> + Send>;

/// Pieces that wait for the store. Each may be a whole chat of any length, so there are few.
const MAX_WAITING: usize = 2;

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Chats that are new here.
    pub chats: usize,
    /// Of these, those that got new ids because others have theirs.
    pub renewed: usize,
    /// Chats that were here already, the same to the last message, and were passed over.
    pub duplicates: usize,
    /// Messages of the new chats.
    pub messages: usize,
    /// Personas that are new here.
    pub personas: usize,
    /// Folders that are new here.
    pub folders: usize,
}

/// What is handed over, in order.
pub(super) enum Piece {
    Persona(Persona),
    /// A chat with its messages, a parent before its children, and the name of its folder.
    Chat(Box<Chat>, Vec<Message>, Option<String>, Print),
    /// Nothing follows: all of it was handed over, or why not (text for the user).
    End(Result<(), String>),
}

/// The store's end of an import that has begun.
pub(super) struct Handover {
    pub pieces: Receiver<Piece>,
    pub printer: Printer,
}

/// The reader's end of an import that has begun.
pub struct Importer {
    pieces: SyncSender<Piece>,
    printer: Printer,
    mailbox: Arc<Mailbox>,
}

impl Importer {
    /// Hands over a persona.
    ///
    /// # Errors
    /// The store has ended the import and says why itself.
    pub fn add_persona(&mut self, persona: Persona) -> Result<(), String> {
        self.hand_over(Piece::Persona(persona))
    }

    /// Hands over a chat with its messages, a parent before its children. Its persona has to be handed over before; its
    /// folder is the one of this name, whatever the case of its letters, and made where there is none. Waits while the store has
    /// enough to do.
    ///
    /// # Errors
    /// As [`Importer::add_persona`].
    pub fn add_chat(
        &mut self,
        chat: Chat,
        messages: Vec<Message>,
        folder: Option<String>,
    ) -> Result<(), String> {
        let print = self.printer.print(&chat, &messages);
        self.hand_over(Piece::Chat(Box::new(chat), messages, folder, print))
    }

    fn hand_over(&self, piece: Piece) -> Result<(), String> {
        let sent = self.pieces.send(piece);
        self.mailbox.nudge();
        sent.map_err(|_| "the store has ended the import".to_owned())
    }
}

/// Starts the thread of an import.
///
/// # Errors
/// There is no thread for it.
pub(super) fn start(job: ImportJob, mailbox: &Arc<Mailbox>) -> Result<Handover, StoreError> {
    let (sender, pieces) = sync_channel(MAX_WAITING);
    let printer = Printer::default();
    let mut importer = Importer { pieces: sender, printer: printer.clone(), mailbox: Arc::clone(mailbox) };
    std::thread::Builder::new()
        .name("import".to_owned())
        .spawn(move || {
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| job(&mut importer)))
                .unwrap_or_else(|_| Err("internal error while reading the file".to_owned()));
            // Where the store has ended the import, it has told the user why.
            drop(importer.hand_over(Piece::End(outcome)));
        })
        .map_err(|_| StoreError::NoThread)?;
    Ok(Handover { pieces, printer })
}

/// What a chat says, whatever its ids are and whatever its persona and its folder are, times to the microsecond: two hashes of it under keys that nobody outside knows.
pub(super) type Print = (u64, u64);

/// Makes [`Print`]s that can be compared with each other.
#[derive(Clone, Default)]
pub(super) struct Printer {
    keys: (RandomState, RandomState),
}

impl Printer {
    pub fn print(&self, chat: &Chat, messages: &[Message]) -> Print {
        use std::fmt::Write as _;
        let (mut chat, mut messages) = (chat.clone(), messages.to_vec());
        (chat.persona, chat.folder) = (None, None);
        for message in &mut messages {
            // A file that went through another program may say a time without its last bits.
            let stats = &mut message.stats;
            for time in [&mut stats.prefill_millis, &mut stats.decode_millis, &mut stats.thinking_millis] {
                *time = (*time * 1e3).round();
            }
        }
        // A leaf that is gone says nothing.
        chat.leaf = chat.leaf.filter(|leaf| messages.iter().any(|message| message.id == *leaf));
        give_ids(&mut chat, &mut messages, ChatId(0), |place| {
            MessageId(i64::try_from(place).expect("a list is shorter than 2^63"))
        });
        let mut hashers = Hashing(self.keys.0.build_hasher(), self.keys.1.build_hasher());
        write!(hashers, "{chat:?}{messages:?}").expect("hashing cannot fail");
        (hashers.0.finish(), hashers.1.finish())
    }
}

struct Hashing(DefaultHasher, DefaultHasher);

impl std::fmt::Write for Hashing {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        self.1.write(text.as_bytes());
        Ok(())
    }
}

/// Gives a chat and its messages, a parent before its children, other ids; what refers to them follows.
pub(super) fn give_ids(
    chat: &mut Chat,
    messages: &mut [Message],
    id: ChatId,
    mut next: impl FnMut(usize) -> MessageId,
) {
    let mut new_ids = std::collections::HashMap::<MessageId, MessageId>::new();
    chat.id = id;
    for (place, message) in messages.iter_mut().enumerate() {
        let new = next(place);
        new_ids.insert(message.id, new);
        message.id = new;
        message.chat = id;
        message.parent = message.parent.and_then(|parent| new_ids.get(&parent).copied());
    }
    chat.leaf = chat.leaf.and_then(|leaf| new_ids.get(&leaf).copied());
}
