//! Carries out what the user asks for in the list of chats.

use super::desktop::Desktop;
use super::dialogs::Question;
use super::picker::{Export, Wanted};
use crate::chat::ListCommand;
use crate::panes::chat::{Item, message_id};
use crate::shell::action::{self, Action};
use crate::shell::{Command, Page};
use crate::store::{ChatId, DeletedId};
use crate::transfer::Format;

/// Longest part of a title in a suggested file name, in characters.
const NAME_CHARS: usize = 60;

impl Desktop {
    /// Carries out a command of the list.
    pub(super) fn act_in_list(&mut self, command: ListCommand) {
        match command {
            ListCommand::OpenAt(chat, message) => {
                self.controller.open_at(chat, message);
                self.page = Page::Chat;
                self.focus = Some(message_id());
            }
            ListCommand::TypeTitle(chat) => {
                let title = self.title(chat);
                self.chat.list.rename(chat, &title);
            }
            ListCommand::Rename(chat, title) => self.controller.rename(chat, &title),
            ListCommand::Pin(chat, pinned) => self.controller.pin(chat, pinned),
            ListCommand::Delete(chats) => self.controller.delete(&chats),
            ListCommand::MoveTo(chats, folder) => self.controller.move_chats(&chats, folder),
            ListCommand::AskFolderName(chats) => {
                self.question = Some(Question::FolderName { name: String::new(), chats, focused: false });
            }
            ListCommand::MakeFolder(name, chats) => {
                if let Some(folder) = self.controller.make_folder(&name, &chats) {
                    self.chat.list.go_to_folder(folder);
                }
            }
            ListCommand::NewChatIn(folder) => {
                self.controller.new_chat_in(folder);
                self.go(Page::Chat);
            }
            ListCommand::ShowFolder(folder, open) => self.controller.show_folder(folder, open),
            ListCommand::TypeFolderName(folder) => {
                if let Some(known) = self.controller.folder(folder) {
                    self.chat.list.rename_folder(folder, &known.name);
                }
            }
            ListCommand::RenameFolder(folder, name) => self.controller.rename_folder(folder, &name),
            ListCommand::DeleteFolder(folder) => self.controller.delete_folder(folder),
            ListCommand::PickExport(chats, format) => {
                let name = self.file_name(chats.as_deref(), format);
                self.pick(Wanted::Export(Export { chats, format, name }));
            }
            ListCommand::PickImport => self.pick(Wanted::Import),
            ListCommand::LookForDeleted => self.controller.look_for_deleted(),
            ListCommand::BringBack(id) => {
                self.controller.bring_back(id);
                if matches!(id, DeletedId::Message(..)) {
                    self.go(Page::Chat);
                }
            }
            ListCommand::DeleteForGood(ids) => self.question = Some(Question::DeleteForGood(ids)),
            ListCommand::CancelTransfer => self.controller.cancel_transfer(),
        }
    }

    /// What a pressed key does to the row of the list that has the keyboard, where it means the chat shown elsewhere.
    pub(super) fn of_row(&self, action: &Action) -> Option<Command> {
        let item = self.chat.list.keyboard_in.filter(|_| self.page == Page::Chat)?;
        let rename = match item {
            Item::Chat(chat) => ListCommand::TypeTitle(chat),
            Item::Folder(folder) => ListCommand::TypeFolderName(folder),
        };
        (action.id == action::RENAME_CHAT.id).then_some(Command::InList(rename))
    }

    /// A name for an export: the title of a single chat, else "Chats".
    fn file_name(&self, chats: Option<&[ChatId]>, format: Format) -> String {
        let title = match chats {
            Some([chat]) => self.title(*chat),
            _ => "Chats".to_owned(),
        };
        file_name(&title, format)
    }
}

/// A file name out of a title: nothing in it leads elsewhere or is hidden.
fn file_name(title: &str, format: Format) -> String {
    let harmless = |char: char| if char.is_control() || "/\\:*?\"<>|".contains(char) { ' ' } else { char };
    let cut: String = title.chars().map(harmless).take(NAME_CHARS).collect();
    let words: Vec<&str> = cut.split_whitespace().collect();
    let name = words.join(" ");
    let name = name.trim_matches(['.', ' ']);
    format!("{}.{}", if name.is_empty() { "Chat" } else { name }, format.ending())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_a_plain_name() {
        assert_eq!(file_name("Rivers & lakes", Format::Json), "Rivers & lakes.json");
        assert_eq!(file_name("../../etc/passwd", Format::Markdown), "etc passwd.md");
        assert_eq!(file_name("..", Format::Json), "Chat.json");
        assert_eq!(file_name("a\nb\u{0}c", Format::Json), "a b c.json");
    }
}
