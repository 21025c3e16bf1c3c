//! Everything the window can be asked to do, from a button, a key or a dropped file. Panes send commands; one handler acts.

use std::path::PathBuf;

use crate::chat::Choice;
use crate::store::ChatId;
use crate::theme::Appearance;
use crate::window::Closing;

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Show an empty chat.
    NewChat,
    /// Show a chat.
    OpenChat(ChatId),
    /// Look for chats by title.
    Search(String),
    /// Put the keyboard into the search field.
    FocusSearch,
    /// Put the keyboard into the composer.
    FocusComposer,
    /// Send a message.
    Send(String),
    /// Stop the running answer.
    Stop,
    /// Stop the running answers of all chats.
    StopAll,
    /// Ask again after a failure.
    Retry,
    /// Ask for a new title.
    AskRename(ChatId),
    /// Ask whether to delete.
    AskDelete(ChatId),
    /// Choose a model.
    ChooseModel(Choice),
    /// Let the user pick a model file.
    PickModelFile,
    /// Load a model file.
    OpenModel(PathBuf),
    /// Take the message about a refused model away.
    DismissRefusal,
    /// Free a resident model.
    UnloadModel(String),
    /// Put a text on the clipboard.
    Copy(String),
    /// Show where a link leads and ask whether to open it.
    AskLink(String),
    /// Switch the theme.
    SetAppearance(Appearance),
    /// Show or hide the list of chats where it is a sheet.
    ToggleList,
    /// Take the window away; the app stays in the tray.
    HideWindow,
    /// End the app.
    Quit,
    /// From now on closing the window does this; does it at once.
    CloseAs(Closing),
}
