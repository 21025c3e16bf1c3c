//! The table of everything a user can ask for by name. Palette, shortcuts, tooltips and the tray's menu are made from it, so a
//! command that is not listed here has no name, and one that is listed is the same everywhere.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

use super::{Command, Page, Part};
use crate::chat::{ChatCommand, Controller, Conversation, ListCommand, last_answer};
use crate::settings::{Change, Key as Setting, Kind, Settings};
use crate::store::Role;
use crate::theme::icons;
use crate::transfer::Format;

/// Where an action is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// About conversations.
    Chat,
    /// About models.
    Model,
    /// Opens a page.
    GoTo,
    /// How the window looks and where the keyboard is.
    Window,
}

impl Section {
    /// All sections, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Model, Self::GoTo, Self::Window];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Chat => "Chat",
            Self::Model => "Models",
            Self::GoTo => "Go to",
            Self::Window => "Window",
        }
    }
}

/// The key of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// None until the user gives it one.
    Unbound,
    /// This one unless the user gave it another.
    Default(KeyboardShortcut),
    /// Always this one; the page that is shown decides when it acts.
    Fixed(KeyboardShortcut),
}

/// What the availability of an action depends on.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// Engine and store.
    pub controller: &'a Controller,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The page shown.
    pub page: Page,
    /// Whether the list is a sheet over the content.
    pub list_is_sheet: bool,
    /// Whether a tray could bring a hidden window back.
    pub has_tray: bool,
}

/// Something a user can ask for.
#[derive(Debug)]
pub struct Action {
    /// Stable name, under which settings keep its shortcut.
    pub id: &'static str,
    /// What it is called, in sentence case.
    pub label: &'static str,
    /// Where it is listed.
    pub section: Section,
    /// Its icon.
    pub icon: char,
    /// Its key.
    pub binding: Binding,
    /// The command, or nothing while it cannot be asked for.
    pub command: fn(&Situation<'_>) -> Option<Command>,
}

impl Action {
    const fn new(
        id: &'static str,
        label: &'static str,
        section: Section,
        icon: char,
        command: fn(&Situation<'_>) -> Option<Command>,
    ) -> Self {
        Self { id, label, section, icon, binding: Binding::Unbound, command }
    }

    const fn key(self, modifiers: Modifiers, key: Key) -> Self {
        Self { binding: Binding::Default(KeyboardShortcut::new(modifiers, key)), ..self }
    }

    const fn fixed(self, key: Key) -> Self {
        Self { binding: Binding::Fixed(KeyboardShortcut::new(Modifiers::NONE, key)), ..self }
    }
}

/// New chat.
pub static NEW_CHAT: Action =
    Action::new("chat.new", "New chat", Section::Chat, icons::NOTE_PENCIL, |_| Some(Command::NewChat))
        .key(Modifiers::COMMAND, Key::N);
/// Search what the page lists.
pub static SEARCH: Action =
    Action::new("window.search", "Search", Section::Window, icons::MAGNIFYING_GLASS, |now| match now.page {
        Page::Chat => Some(Command::FocusSearch),
        Page::Settings => Some(Command::SearchSettings),
    })
    .key(Modifiers::COMMAND, Key::F);
/// Search the settings.
pub static SEARCH_SETTINGS: Action =
    Action::new("settings.search", "Search settings", Section::Window, icons::GEAR_SIX, |_| {
        Some(Command::SearchSettings)
    })
    .key(Modifiers::COMMAND, Key::Comma);
/// The command palette.
pub static PALETTE: Action =
    Action::new("window.palette", "Command palette", Section::Window, icons::COMMAND, |_| {
        Some(Command::TogglePalette)
    })
    .key(Modifiers::COMMAND, Key::K);
/// Keyboard into the composer.
pub static WRITE_MESSAGE: Action =
    Action::new("chat.write", "Write a message", Section::Chat, icons::PENCIL, |_| {
        Some(Command::FocusComposer)
    })
    .key(Modifiers::COMMAND, Key::L);
/// Stop the running answer.
pub static STOP: Action = Action::new("chat.stop", "Stop the answer", Section::Chat, icons::STOP, |now| {
    let writing = now.controller.conversation().is_some_and(|conversation| conversation.answer.is_some());
    writing.then_some(Command::Stop)
})
.fixed(Key::Escape);
/// Another answer beside the last one.
pub static AGAIN: Action =
    Action::new("chat.again", "Answer again", Section::Chat, icons::ARROWS_CLOCKWISE, |now| {
        let conversation = idle_chat(now)?;
        let last = conversation.messages.last()?;
        (last.role == Role::Assistant).then_some(Command::InChat(ChatCommand::AgainLast))
    })
    .key(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::R);
/// Going on with an answer that broke off.
pub static GO_ON: Action =
    Action::new("chat.continue", "Continue the answer", Section::Chat, icons::ARROW_RIGHT, |now| {
        idle_chat(now)?.can_go_on().then_some(Command::InChat(ChatCommand::GoOn))
    })
    .key(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Enter);
/// The last question in other words.
pub static EDIT_LAST: Action =
    Action::new("chat.edit-last", "Edit the last message", Section::Chat, icons::PENCIL, |now| {
        chat(now).map(|_| Command::InChat(ChatCommand::EditLast))
    })
    .key(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::E);
/// The last answer on the clipboard.
pub static COPY_ANSWER: Action =
    Action::new("chat.copy-answer", "Copy the last answer", Section::Chat, icons::COPY, |now| {
        last_answer(&chat(now)?.messages).map(|_| Command::InChat(ChatCommand::CopyLastAnswer))
    })
    .key(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::C);
/// The sibling before.
pub static PREVIOUS_VERSION: Action =
    Action::new("chat.previous-version", "Previous version", Section::Chat, icons::CARET_LEFT, |now| {
        chat(now).map(|_| Command::InChat(ChatCommand::StepSibling(-1)))
    })
    .key(Modifiers::ALT, Key::ArrowLeft);
/// The sibling after.
pub static NEXT_VERSION: Action =
    Action::new("chat.next-version", "Next version", Section::Chat, icons::CARET_RIGHT, |now| {
        chat(now).map(|_| Command::InChat(ChatCommand::StepSibling(1)))
    })
    .key(Modifiers::ALT, Key::ArrowRight);
/// Files with the next message.
pub static ATTACH: Action =
    Action::new("chat.attach", "Attach text files…", Section::Chat, icons::PAPERCLIP, |now| {
        (now.page == Page::Chat).then_some(Command::InChat(ChatCommand::PickFiles))
    })
    .key(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::A);
/// How this chat is answered.
pub static CHAT_PANEL: Action = Action::new(
    "chat.panel",
    "System prompt, sampling, context",
    Section::Chat,
    icons::SLIDERS_HORIZONTAL,
    |now| (now.page == Page::Chat).then_some(Command::InChat(ChatCommand::ToggleInspector)),
)
.key(Modifiers::COMMAND, Key::I);

fn chat<'a>(now: &Situation<'a>) -> Option<&'a Conversation> {
    now.controller.conversation().filter(|_| now.page == Page::Chat)
}

fn idle_chat<'a>(now: &Situation<'a>) -> Option<&'a Conversation> {
    chat(now).filter(|conversation| conversation.answer.is_none())
}
/// Rename the chat shown.
pub static RENAME_CHAT: Action =
    Action::new("chat.rename", "Rename this chat", Section::Chat, icons::PENCIL, |now| {
        Some(Command::AskRename(now.controller.conversation()?.chat.id))
    })
    .key(Modifiers::NONE, Key::F2);
/// Delete the chat shown.
pub static DELETE_CHAT: Action =
    Action::new("chat.delete", "Delete this chat", Section::Chat, icons::TRASH, |now| {
        Some(Command::InList(ListCommand::Delete(vec![now.controller.conversation()?.chat.id])))
    });
/// A folder for chats.
pub static NEW_FOLDER: Action =
    Action::new("folder.new", "New folder…", Section::Chat, icons::FOLDER, |_| {
        Some(Command::InList(ListCommand::AskFolderName(Vec::new())))
    });
/// What was deleted and can be brought back.
pub static RECENTLY_DELETED: Action =
    Action::new("chats.deleted", "Recently deleted", Section::Chat, icons::TRASH, |_| {
        Some(Command::ShowSettings(Part::Deleted))
    });
/// Chats out of a file.
pub static IMPORT: Action =
    Action::new("chats.import", "Import chats…", Section::Chat, icons::DOWNLOAD_SIMPLE, |_| {
        Some(Command::InList(ListCommand::PickImport))
    });
/// The chat shown, to import again.
pub static EXPORT_CHAT: Action = Action::new(
    "chat.export-json",
    "Export this chat as JSON…",
    Section::Chat,
    icons::UPLOAD_SIMPLE,
    |now| export_chat(now, Format::Json),
);
/// The chat shown, to read.
pub static EXPORT_CHAT_TO_READ: Action = Action::new(
    "chat.export-markdown",
    "Export this chat as Markdown…",
    Section::Chat,
    icons::FILE_TEXT,
    |now| export_chat(now, Format::Markdown),
);
/// Every chat, to import again.
pub static EXPORT_ALL: Action = Action::new(
    "chats.export-json",
    "Export all chats as JSON…",
    Section::Chat,
    icons::UPLOAD_SIMPLE,
    |now| export_all(now, Format::Json),
);
/// Every chat, to read.
pub static EXPORT_ALL_TO_READ: Action = Action::new(
    "chats.export-markdown",
    "Export all chats as Markdown…",
    Section::Chat,
    icons::FILE_TEXT,
    |now| export_all(now, Format::Markdown),
);

fn export_chat(now: &Situation<'_>, format: Format) -> Option<Command> {
    let chat = now.controller.conversation()?.chat.id;
    Some(Command::InList(ListCommand::PickExport(Some(vec![chat]), format)))
}

fn export_all(now: &Situation<'_>, format: Format) -> Option<Command> {
    let some = !now.controller.library.chats.is_empty();
    some.then_some(Command::InList(ListCommand::PickExport(None, format)))
}
/// The personas, to change them.
pub static MANAGE_PERSONAS: Action =
    Action::new("persona.manage", "Manage personas", Section::Chat, icons::USERS_THREE, |_| {
        Some(Command::ShowSettings(Part::Personas))
    });
/// A persona that is not there yet.
pub static NEW_PERSONA: Action =
    Action::new("persona.new", "New persona", Section::Chat, icons::USER_CIRCLE, |_| {
        Some(Command::EditPersona(None))
    });
/// How the chat shown is answered, as a persona.
pub static SAVE_PERSONA: Action =
    Action::new("persona.save", "Save this chat as a persona…", Section::Chat, icons::FLOPPY_DISK, |now| {
        now.controller.differs_from_persona().then_some(Command::AskPersonaName)
    });
/// The list where it is a sheet.
pub static TOGGLE_LIST: Action =
    Action::new("window.list", "Show or hide the list", Section::Window, icons::SIDEBAR, |now| {
        now.list_is_sheet.then_some(Command::ToggleList)
    })
    .key(Modifiers::COMMAND, Key::B);
/// Pick a model file.
pub static OPEN_MODEL: Action =
    Action::new("model.open", "Open a model file…", Section::Model, icons::FOLDER_OPEN, |_| {
        Some(Command::PickModelFile)
    })
    .key(Modifiers::COMMAND, Key::O);
/// The chat page.
pub static GO_CHAT: Action =
    Action::new("page.chat", "Chat", Section::GoTo, icons::CHAT_CIRCLE, |_| Some(Command::Go(Page::Chat)))
        .key(Modifiers::COMMAND, Key::Num1);
/// The settings page.
pub static GO_SETTINGS: Action =
    Action::new("page.settings", "Settings", Section::GoTo, icons::GEAR_SIX, |_| {
        Some(Command::Go(Page::Settings))
    })
    .key(Modifiers::COMMAND, Key::Num2);
/// Keyboard into the next region.
pub static NEXT_REGION: Action =
    Action::new("window.next-region", "Next region", Section::Window, icons::ARROW_RIGHT, |_| {
        Some(Command::NextRegion { forward: true })
    })
    .key(Modifiers::NONE, Key::F6);
/// Keyboard into the region before.
pub static PREVIOUS_REGION: Action =
    Action::new("window.previous-region", "Previous region", Section::Window, icons::CARET_LEFT, |_| {
        Some(Command::NextRegion { forward: false })
    })
    .key(Modifiers::SHIFT, Key::F6);
/// The theme of the desktop.
pub static SYSTEM_THEME: Action =
    Action::new("theme.system", "Use the theme of the desktop", Section::Window, icons::DESKTOP, |_| {
        theme("system")
    });
/// The light theme.
pub static LIGHT_THEME: Action =
    Action::new("theme.light", "Use the light theme", Section::Window, icons::SUN, |_| theme("light"));
/// The dark theme.
pub static DARK_THEME: Action =
    Action::new("theme.dark", "Use the dark theme", Section::Window, icons::MOON, |_| theme("dark"));

/// Everything larger.
pub static LARGER_TEXT: Action =
    Action::new("text.larger", "Larger text", Section::Window, icons::PLUS, |now| text_size(now, 1))
        .key(Modifiers::COMMAND, Key::Plus);
/// Everything smaller.
pub static SMALLER_TEXT: Action =
    Action::new("text.smaller", "Smaller text", Section::Window, icons::MINUS, |now| text_size(now, -1))
        .key(Modifiers::COMMAND, Key::Minus);
/// The size of the design.
pub static NORMAL_TEXT: Action =
    Action::new("text.normal", "Normal text size", Section::Window, icons::TEXT_AA, |now| {
        now.settings.is_changed(Setting::TextSize).then(|| Command::Change(Change::reset(Setting::TextSize)))
    })
    .key(Modifiers::COMMAND, Key::Num0);

/// The window away, the app in the tray.
pub static HIDE_WINDOW: Action =
    Action::new("window.hide", "Hide the window", Section::Window, icons::TRAY, |now| {
        now.has_tray.then_some(Command::HideWindow)
    });
/// The end.
pub static QUIT: Action =
    Action::new("window.quit", "Quit", Section::Window, icons::POWER, |_| Some(Command::Quit))
        .key(Modifiers::COMMAND, Key::Q);

fn theme(name: &'static str) -> Option<Command> {
    Some(Command::Change(Change::set(Setting::Theme, name)))
}

fn text_size(now: &Situation<'_>, steps: i64) -> Option<Command> {
    let Kind::Whole { least, most, step, .. } = Setting::TextSize.row().kind else { return None };
    let size = now.settings.get(Setting::TextSize).whole();
    let new = (size + steps * step).clamp(least, most);
    (new != size).then(|| Command::Change(Change::set(Setting::TextSize, new)))
}

/// Every action, in the order in which a section lists them.
pub static ACTIONS: &[&Action] = &[
    &NEW_CHAT,
    &WRITE_MESSAGE,
    &STOP,
    &AGAIN,
    &GO_ON,
    &EDIT_LAST,
    &COPY_ANSWER,
    &PREVIOUS_VERSION,
    &NEXT_VERSION,
    &ATTACH,
    &CHAT_PANEL,
    &RENAME_CHAT,
    &DELETE_CHAT,
    &NEW_FOLDER,
    &RECENTLY_DELETED,
    &IMPORT,
    &EXPORT_CHAT,
    &EXPORT_CHAT_TO_READ,
    &EXPORT_ALL,
    &EXPORT_ALL_TO_READ,
    &MANAGE_PERSONAS,
    &NEW_PERSONA,
    &SAVE_PERSONA,
    &OPEN_MODEL,
    &GO_CHAT,
    &GO_SETTINGS,
    &PALETTE,
    &SEARCH,
    &SEARCH_SETTINGS,
    &TOGGLE_LIST,
    &NEXT_REGION,
    &PREVIOUS_REGION,
    &SYSTEM_THEME,
    &LIGHT_THEME,
    &DARK_THEME,
    &LARGER_TEXT,
    &SMALLER_TEXT,
    &NORMAL_TEXT,
    &HIDE_WINDOW,
    &QUIT,
];

/// The action with this id.
pub fn action(id: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.id == id).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_and_labels_are_unique_and_labels_are_in_sentence_case() {
        let ids: HashSet<_> = ACTIONS.iter().map(|action| action.id).collect();
        let labels: HashSet<_> = ACTIONS.iter().map(|action| action.label).collect();
        assert_eq!((ids.len(), labels.len()), (ACTIONS.len(), ACTIONS.len()));
        for action in ACTIONS {
            assert!(action.label.starts_with(char::is_uppercase), "{}", action.label);
            assert!(!action.label.ends_with('.'), "{}", action.label);
            assert_eq!(super::action(action.id).map(|found| found.id), Some(action.id));
        }
    }

    #[test]
    fn no_two_actions_come_with_the_same_key() {
        let keys: Vec<_> = ACTIONS
            .iter()
            .filter_map(|action| match action.binding {
                Binding::Unbound => None,
                Binding::Default(key) | Binding::Fixed(key) => Some(key),
            })
            .collect();
        let distinct: HashSet<_> = keys.iter().collect();
        assert_eq!(keys.len(), distinct.len());
    }
}
