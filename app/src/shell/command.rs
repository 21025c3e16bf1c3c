//! Everything the window can be asked to do, from a button, a key or a dropped file. Panes send commands; one handler acts.

use std::path::PathBuf;

use super::{Page, Part};
use crate::chat::{ChatCommand, Choice, ListCommand};
use crate::settings::Change;
use crate::store::{ChatId, PersonaId};
use crate::window::Closing;

/// A command. What a user can ask for by name is listed in [`super::action`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Show an empty chat.
    NewChat,
    /// Show a chat.
    OpenChat(ChatId),
    /// Look for chats by title and by what is said in them.
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
    /// Something inside the conversation shown.
    InChat(ChatCommand),
    /// Ask for a new title.
    AskRename(ChatId),
    /// Ask under which name to keep how the chat shown is answered.
    AskPersonaName,
    /// Show the page of the personas with one to edit, or a new one.
    EditPersona(Option<PersonaId>),
    /// Something with the chats as a whole.
    InList(ListCommand),
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
    /// Show or hide the list of chats where it is a sheet.
    ToggleList,
    /// Show a page.
    Go(Page),
    /// Show a part of the settings.
    ShowSettings(Part),
    /// Put the keyboard into the search field of the settings.
    SearchSettings,
    /// Change a setting.
    Change(Change),
    /// Have the desktop ask which keys work from anywhere.
    ChangeKeysFromAnywhere,
    /// Ask whether to go back to the defaults everywhere.
    AskResetSettings,
    /// Restart the engine or load the model again, so that changed settings take effect.
    ApplyEngineSettings,
    /// Open a file or folder with the desktop's program for it.
    OpenPlace(PathBuf),
    /// Open or close the command palette.
    TogglePalette,
    /// Put the keyboard into the next region, or into the one before.
    NextRegion {
        /// Which way.
        forward: bool,
    },
    /// Take the window away; the app stays in the tray.
    HideWindow,
    /// End the app.
    Quit,
    /// From now on closing the window does this; does it at once.
    CloseAs(Closing),
}
