//! The chats as a whole: pinning, deleting and undoing it, opening one at a message, export and import.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::{Controller, Notice, Severity, Undo};
use crate::store::{
    Chat, ChatId, DeletedId, FolderId, Imported, Message, MessageId, MessageState, Saving, Write,
};
use crate::transfer::{self, Exported, Format, Progress, TransferError};

/// What the user can ask for in the list of chats.
#[derive(Debug, Clone, PartialEq)]
pub enum ListCommand {
    /// Show a chat at one of its messages.
    OpenAt(ChatId, MessageId),
    /// Let the user type a title in the row of a chat.
    TypeTitle(ChatId),
    /// Give a chat a title.
    Rename(ChatId, String),
    /// Keep a chat at the top, or not any more.
    Pin(ChatId, bool),
    /// Delete chats.
    Delete(Vec<ChatId>),
    /// Put chats into a folder, or take them out of theirs.
    MoveTo(Vec<ChatId>, Option<FolderId>),
    /// Ask for the name of a new folder, with these chats in it.
    AskFolderName(Vec<ChatId>),
    /// Make a folder of this name, with these chats in it.
    MakeFolder(String, Vec<ChatId>),
    /// Show an empty chat that will be in a folder.
    NewChatIn(FolderId),
    /// Show the chats of a folder, or hide them.
    ShowFolder(FolderId, bool),
    /// Let the user type a name in the row of a folder.
    TypeFolderName(FolderId),
    /// Give a folder a name.
    RenameFolder(FolderId, String),
    /// Delete a folder; its chats stay.
    DeleteFolder(FolderId),
    /// Let the user choose where to export these chats, or all.
    PickExport(Option<Vec<ChatId>>, Format),
    /// Let the user choose what to import.
    PickImport,
    /// See what was deleted.
    LookForDeleted,
    /// Bring something back that was deleted.
    BringBack(DeletedId),
    /// Remove what was deleted for good.
    DeleteForGood(Vec<DeletedId>),
    /// Stop the export or import that runs.
    CancelTransfer,
}

/// An export or import that runs.
pub struct Running {
    /// What it is: "Exporting", "Importing".
    pub word: &'static str,
    /// Done, and of how much; 0 until that is known.
    pub progress: (u64, u64),
}

/// See the module documentation.
#[derive(Default)]
pub(super) struct Collection {
    /// The message to show once its chat has arrived.
    reveal: Option<(ChatId, MessageId)>,
    /// The message of the chat shown that is to be scrolled to.
    revealed: Option<MessageId>,
    transfer: Option<Transfer>,
}

struct Transfer {
    progress: Arc<Progress>,
    /// Where the end of an export is said; an import ends with an event of the store.
    export: Option<(Receiver<Result<Exported, TransferError>>, PathBuf)>,
}

impl Controller {
    /// Shows a chat at one of its messages, on whatever branch that is.
    pub fn open_at(&mut self, chat: ChatId, message: MessageId) {
        if let Some(known) = self.conversations.get(&chat) {
            if known.messages.iter().any(|shown| shown.id == message) {
                self.collection.revealed = Some(message);
                self.open_chat(chat);
                return;
            }
            // A running answer must go on where it is; else the chat is read again with the other branch.
            if known.answer.is_none() {
                self.conversations.remove(&chat);
            }
        }
        self.collection.reveal = Some((chat, message));
        self.open_chat(chat);
    }

    /// The message to scroll to, once.
    pub fn take_revealed(&mut self) -> Option<MessageId> {
        self.collection.revealed.take()
    }

    /// Chooses the branch of a chat that has arrived so that a wanted message is on it.
    pub(super) fn reveal(&mut self, chat: &mut Chat, messages: &[Message]) {
        let Some((_, message)) = self.collection.reveal.take_if(|(of, _)| *of == chat.id) else { return };
        let Some(leaf) = leaf_with(chat.leaf, messages, message) else { return };
        self.collection.revealed = Some(message);
        if chat.leaf != Some(leaf) {
            chat.leaf = Some(leaf);
            self.write_all([Write::ShowLeaf { chat: chat.id, leaf }]);
        }
    }

    /// Keeps a chat at the top of the list, or not any more.
    pub fn pin(&mut self, id: ChatId, pinned: bool) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.chat.pinned = pinned;
        }
        self.library.pin(id, pinned);
        self.write_all([Write::Pin { chat: id, pinned }]);
        self.library.refresh();
    }

    /// Deletes chats and offers to undo it; an answer being written into one is stopped.
    pub fn delete(&mut self, ids: &[ChatId]) {
        let mut writes = Vec::new();
        let mut title = None;
        for &id in ids {
            title =
                self.library.chats.iter().find(|chat| chat.id == id).map(|chat| chat.title.clone()).or(title);
            if let Some(mut conversation) = self.conversations.remove(&id) {
                writes.extend(conversation.stop());
                // What the engine still says is not heard any more.
                writes.extend(conversation.finish(MessageState::Stopped, None));
            }
            writes.push(Write::DeleteChat(id));
            self.library.remove(id);
        }
        let open = self.open_id().filter(|open| ids.contains(open));
        if open.is_some() {
            self.new_chat();
        }
        self.write_all(writes);
        self.bin.changed();
        self.library.refresh();
        let said = match (ids.len(), title) {
            (0, _) => return,
            (1, Some(title)) => format!("“{title}” deleted"),
            (1, None) => "Chat deleted".to_owned(),
            (count, _) => format!("{count} chats deleted"),
        };
        let undo = Some(Undo::Chats(ids.to_vec(), open));
        self.notify(Notice { undo, ..Notice::new(Severity::Info, &said, "") });
    }

    /// Brings deleted chats back; `open` is the one that was shown.
    pub(super) fn restore(&mut self, ids: Vec<ChatId>, open: Option<ChatId>) {
        self.write_all(ids.into_iter().map(Write::RestoreChat));
        self.bin.changed();
        self.library.refresh();
        // Whoever has begun something else meanwhile is not interrupted.
        if let Some(id) = open.filter(|_| self.open_id().is_none()) {
            self.open_chat(id);
        }
    }

    /// The export or import that runs.
    pub fn transfer(&self) -> Option<Running> {
        let running = self.collection.transfer.as_ref()?;
        let word = if running.export.is_some() { "Exporting" } else { "Importing" };
        Some(Running { word, progress: running.progress.get() })
    }

    /// Stops the export or import that runs; what it has done is undone.
    pub fn cancel_transfer(&self) {
        if let Some(running) = &self.collection.transfer {
            running.progress.cancel();
        }
    }

    /// Begins to export these chats, or all, into a file.
    pub fn export(&mut self, chats: Option<Vec<ChatId>>, format: Format, path: PathBuf) {
        if self.is_transferring() {
            return;
        }
        if let Some(Saving::No { reason, .. }) = &self.saving {
            let detail = format!("What is not on the disk yet is not in the export: {reason}");
            self.notify(Notice::new(Severity::Warning, "The export is not complete", &detail));
        }
        let progress = Arc::new(Progress::default());
        let (sender, receiver) = channel();
        let (database, waker) = (self.store.path().to_owned(), Arc::clone(&self.waker));
        let (shared, file) = (Arc::clone(&progress), path.clone());
        let spawned = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let outcome = transfer::export_to_file(&database, chats.as_deref(), format, &file, &shared);
            // The window may be gone by now.
            drop(sender.send(outcome));
            waker();
        });
        match spawned {
            Ok(_) => self.collection.transfer = Some(Transfer { progress, export: Some((receiver, path)) }),
            Err(err) => self.notify(Notice::new(Severity::Problem, "Nothing was exported", &err.to_string())),
        }
    }

    /// Begins to import a file.
    pub fn import(&mut self, path: &Path) {
        if self.is_transferring() {
            return;
        }
        let progress = Arc::new(Progress::default());
        match self.store.import(transfer::import_job(path.to_owned(), Arc::clone(&progress))) {
            Ok(()) => self.collection.transfer = Some(Transfer { progress, export: None }),
            Err(err) => self.notify(Notice::new(Severity::Problem, "Nothing was imported", &err.to_string())),
        }
    }

    fn is_transferring(&mut self) -> bool {
        let busy = self.collection.transfer.is_some();
        if busy {
            let detail = "Wait for its end, or cancel it.";
            self.notify(Notice::new(Severity::Info, "Another export or import is running", detail));
        }
        busy
    }

    /// Takes the end of an export.
    pub(super) fn take_exported(&mut self) {
        let Some((receiver, path)) =
            self.collection.transfer.as_ref().and_then(|running| running.export.as_ref())
        else {
            return;
        };
        let Ok(outcome) = receiver.try_recv() else { return };
        let file = path.display().to_string();
        self.collection.transfer = None;
        let notice = match outcome {
            Ok(exported) => {
                let title = format!("Exported {}", chats(exported.chats));
                match exported.problems.first() {
                    None => Notice::new(Severity::Done, &title, &file),
                    Some(problem) => Notice::new(Severity::Warning, &title, &format!("{problem}: {file}")),
                }
            }
            Err(TransferError::Cancelled) => {
                Notice::new(Severity::Info, "Export cancelled", "No file was written.")
            }
            Err(err) => Notice::new(Severity::Problem, "Nothing was exported", &err.to_string()),
        };
        self.notify(notice);
    }

    /// Takes the end of an import.
    pub(super) fn imported(&mut self, outcome: Result<Imported, String>) {
        let cancelled = TransferError::Cancelled.to_string();
        self.collection.transfer = None;
        let notice = match outcome {
            Ok(Imported { chats: new, duplicates, .. }) => {
                self.library.refresh();
                self.ask_for_personas();
                let known = if duplicates == 0 {
                    String::new()
                } else {
                    format!("{} here already", were(duplicates))
                };
                Notice::new(Severity::Done, &format!("Imported {}", chats(new)), &known)
            }
            Err(problem) if problem == cancelled => {
                Notice::new(Severity::Info, "Import cancelled", "Nothing was imported.")
            }
            Err(problem) => Notice::new(Severity::Problem, "Nothing was imported", &problem),
        };
        self.notify(notice);
    }
}

fn chats(count: usize) -> String {
    if count == 1 { "1 chat".to_owned() } else { format!("{count} chats") }
}

fn were(count: usize) -> String {
    if count == 1 { "1 was".to_owned() } else { format!("{count} were") }
}

/// A leaf whose branch holds `message`: the present one if it does, else the newest below the message. `None` when it is gone.
fn leaf_with(leaf: Option<MessageId>, messages: &[Message], message: MessageId) -> Option<MessageId> {
    let parents: std::collections::HashMap<MessageId, Option<MessageId>> =
        messages.iter().map(|known| (known.id, known.parent)).collect();
    if !parents.contains_key(&message) {
        return None;
    }
    let holds = |from: MessageId| {
        // As many steps as there are messages, so that a damaged database with a circle ends the walk as well.
        std::iter::successors(Some(from), |id| parents.get(id).copied().flatten())
            .take(messages.len())
            .any(|id| id == message)
    };
    let newest = messages.iter().map(|known| known.id).max();
    let shown = leaf.filter(|leaf| parents.contains_key(leaf)).or(newest);
    if let Some(shown) = shown.filter(|shown| holds(*shown)) {
        return Some(shown);
    }
    messages.iter().map(|known| known.id).filter(|id| holds(*id)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Role;

    #[test]
    fn the_branch_with_a_message_is_the_shown_one_or_the_newest_below_it() {
        let message = |id, parent: Option<i64>| {
            let mut message =
                Message::complete(ChatId(1), parent.map(MessageId), Role::User, format!("text {id}"));
            message.id = MessageId(id);
            message
        };
        // 1 has the answers 2 and 3; 4 and 5 follow 2.
        let tree = [
            message(1, None),
            message(2, Some(1)),
            message(3, Some(1)),
            message(4, Some(2)),
            message(5, Some(2)),
        ];
        let leaf = |leaf: Option<i64>, wanted| {
            leaf_with(leaf.map(MessageId), &tree, MessageId(wanted)).map(|id| id.0)
        };
        assert_eq!(leaf(Some(4), 2), Some(4));
        assert_eq!(leaf(Some(3), 2), Some(5));
        assert_eq!(leaf(Some(3), 1), Some(3));
        assert_eq!(leaf(None, 3), Some(3));
        assert_eq!(leaf(None, 2), Some(5));
        assert_eq!(leaf(Some(3), 9), None);
        let circle = [message(7, Some(8)), message(8, Some(7))];
        assert_eq!(leaf_with(None, &circle, MessageId(7)), Some(MessageId(8)));
    }
}
