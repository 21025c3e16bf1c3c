//! Folders: names under which chats are listed together. A chat is in one or in none. Deleting a folder keeps its chats, which are listed
//! by date until it is brought back.

use std::collections::HashSet;

use super::{Controller, Notice, Severity, Undo};
use crate::store::{self, ChatId, Folder, FolderId, UNTITLED, Write};

/// Where a chat was before it was moved.
pub type Moved = (ChatId, Option<FolderId>);

impl Controller {
    /// Why this cannot be the name of a folder; `own` is the folder that has it or is to get it.
    pub fn folder_name_problem(&self, name: &str, own: Option<FolderId>) -> Option<String> {
        let name = name.trim();
        if name.is_empty() {
            return Some("A folder needs a name.".to_owned());
        }
        if !Folder::is_name(name) {
            return Some(format!("A name has at most {} characters.", Folder::MAX_NAME));
        }
        let wanted = name.to_lowercase();
        let taken = |known: &Folder| Some(known.id) != own && known.name.to_lowercase() == wanted;
        self.library.folders.iter().any(taken).then(|| "Another folder has this name.".to_owned())
    }

    /// Makes a folder with these chats in it, unless its name cannot be one; gives its id.
    pub fn make_folder(&mut self, name: &str, chats: &[ChatId]) -> Option<FolderId> {
        if self.folder_name_problem(name, None).is_some() {
            return None;
        }
        let folder = Folder::new(name.trim());
        let id = folder.id;
        self.library.put_folder(folder.clone());
        self.write_all([Write::PutFolder(folder)]);
        self.move_chats(chats, Some(id));
        self.library.refresh();
        Some(id)
    }

    /// Renames a folder; a name that cannot be one changes nothing.
    pub fn rename_folder(&mut self, id: FolderId, name: &str) {
        if self.folder_name_problem(name, Some(id)).is_some() {
            return;
        }
        let Some(mut folder) = self.folder(id).cloned() else { return };
        name.trim().clone_into(&mut folder.name);
        let name = folder.name.clone();
        self.library.put_folder(folder);
        self.write_all([Write::RenameFolder { folder: id, name }]);
        self.library.refresh();
    }

    /// Deletes a folder and offers to undo that. Its chats stay.
    pub fn delete_folder(&mut self, id: FolderId) {
        let Some(folder) = self.folder(id).cloned() else { return };
        self.library.remove_folder(id);
        self.write_all([Write::DeleteFolder(id)]);
        self.bin.changed();
        self.library.refresh();
        let title = format!("Folder “{}” deleted", folder.name);
        self.notify(Notice {
            undo: Some(Undo::Folder(folder)),
            ..Notice::new(Severity::Info, &title, "Its chats are kept and listed by date.")
        });
    }

    /// Brings a deleted folder back with the chats that were in it. Where another has its name by now it gets a number.
    pub(super) fn restore_folder(&mut self, id: FolderId, name: &str) {
        let mut writes = vec![Write::RestoreFolder(id)];
        if !name.is_empty() && self.folder_name_problem(name, Some(id)).is_some() {
            let numbered = |number: usize| {
                let ending = format!(" {number}");
                let room = Folder::MAX_NAME - ending.chars().count();
                name.trim().chars().take(room).collect::<String>() + &ending
            };
            // Among so many names as there are folders and one more, one is free.
            let most = self.library.folders.len() + 2;
            let free =
                (2..=most).map(numbered).find(|name| self.folder_name_problem(name, Some(id)).is_none());
            writes.extend(free.map(|name| Write::RenameFolder { folder: id, name }));
        }
        self.write_all(writes);
        self.bin.changed();
        self.library.refresh();
    }

    /// Puts chats into a folder, or takes them out of theirs, and offers to undo it.
    pub fn move_chats(&mut self, chats: &[ChatId], folder: Option<FolderId>) {
        let to = match folder.map(|id| self.folder(id)) {
            Some(Some(folder)) => Some(folder.name.clone()),
            Some(None) => return,
            None => None,
        };
        let chats: HashSet<ChatId> = chats.iter().copied().collect();
        let before: Vec<Moved> = self
            .library
            .chats
            .iter()
            .filter(|chat| chats.contains(&chat.id))
            .map(|chat| (chat.id, self.library.folder_of(chat).map(|known| known.id)))
            .filter(|(_, known)| *known != folder)
            .collect();
        let [(first, _), ..] = before[..] else { return };
        self.put_into(before.iter().map(|(chat, _)| (*chat, folder)));
        let first = self.library.chats.iter().find(|chat| chat.id == first);
        let what = match (before.len(), first.map_or("", |chat| &chat.title)) {
            (1, "") => UNTITLED.to_owned(),
            (1, title) => format!("“{title}”"),
            (count, _) => format!("{count} chats"),
        };
        let title = match (to, before.len()) {
            (Some(to), _) => format!("{what} moved to {to}"),
            (None, 1) => format!("{what} taken out of its folder"),
            (None, _) => format!("{what} taken out of their folders"),
        };
        let undo = Some(Undo::Moves(before));
        self.notify(Notice { undo, ..Notice::new(Severity::Info, &title, "") });
    }

    /// Puts each of these chats into its folder.
    pub(super) fn put_into(&mut self, moves: impl IntoIterator<Item = Moved>) {
        let moves: Vec<Moved> = moves.into_iter().collect();
        for &(chat, folder) in &moves {
            if let Some(conversation) = self.conversations.get_mut(&chat) {
                conversation.chat.folder = folder;
            }
        }
        self.library.put_into(&moves);
        self.write_all(moves.into_iter().map(|(chat, folder)| Write::MoveChat { chat, folder }));
        self.library.refresh();
    }

    /// The folder with this id.
    pub fn folder(&self, id: FolderId) -> Option<&Folder> {
        self.library.folders.iter().find(|folder| folder.id == id)
    }

    /// Shows an empty chat that will be in a folder.
    pub fn new_chat_in(&mut self, folder: FolderId) {
        self.new_chat();
        self.set_up.folder = Some(folder);
        self.show_folder(folder, true);
    }

    /// The folder of the chat shown, or of the one that the next message begins.
    pub fn folder_shown(&self) -> Option<FolderId> {
        match self.conversation() {
            Some(conversation) => conversation.chat.folder,
            None if self.open_id().is_none() => self.set_up.folder,
            None => None,
        }
    }

    /// Whether an answer is being written into a chat of this folder.
    pub fn is_writing_in(&self, folder: FolderId) -> bool {
        self.conversations
            .values()
            .any(|conversation| conversation.answer.is_some() && conversation.chat.folder == Some(folder))
    }

    /// Shows the chats of a folder in the list, or hides them; the next start does the same.
    pub fn show_folder(&mut self, id: FolderId, open: bool) {
        if self.library.is_open(id) != open {
            let ids = self.library.show_folder(id, open);
            self.remember(store::state::OPEN_FOLDERS, &ids);
        }
    }

    /// Takes over from the last run which folders were open.
    pub(super) fn take_open_folders(&mut self, value: Option<&str>) {
        // What was opened meanwhile is newer.
        if self.remembered(store::state::OPEN_FOLDERS).is_none() {
            let ids = value.unwrap_or_default().lines().filter_map(|line| line.parse().ok().map(FolderId));
            self.library.open_folders = ids.collect();
        }
    }
}
