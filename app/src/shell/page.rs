//! The pages of the window, and the parts of the settings page.

use super::action::{self, Action};
use crate::settings::{Group, table};
use crate::theme::icons;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// Conversations.
    #[default]
    Chat,
    /// Settings, shortcuts, log, about.
    Settings,
}

impl Page {
    /// All pages, in the order of the rail; settings stand at its lower end.
    pub const ALL: &'static [Self] = &[Self::Chat, Self::Settings];

    /// What the rail calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "Chat",
            Self::Settings => "Settings",
        }
    }

    /// The action that opens it.
    pub fn action(self) -> &'static Action {
        match self {
            Self::Chat => &action::GO_CHAT,
            Self::Settings => &action::GO_SETTINGS,
        }
    }

    /// Its icon.
    pub fn icon(self) -> char {
        match self {
            Self::Chat => icons::CHAT_CIRCLE,
            Self::Settings => icons::GEAR_SIX,
        }
    }
}

/// A part of the settings page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The values of a group; all groups are one long part.
    Values(Group),
    /// System prompts with sampling under a name.
    Personas,
    /// What was deleted and can be brought back.
    Deleted,
    /// Keys of all actions.
    Shortcuts,
    /// What happened.
    Log,
    /// Version, folders, licences.
    About,
}

impl Part {
    /// All parts that have something to show, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        let filled = |group: &Group| table::TABLE.iter().any(|row| row.group == *group);
        let groups = Group::ALL.into_iter().filter(filled).map(Self::Values);
        groups.chain([Self::Personas, Self::Deleted, Self::Shortcuts, Self::Log, Self::About])
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Values(group) => group.title(),
            Self::Personas => "Personas",
            Self::Deleted => "Recently deleted",
            Self::Shortcuts => "Shortcuts",
            Self::Log => "Log",
            Self::About => "About",
        }
    }

    /// Its icon.
    pub fn icon(self) -> char {
        match self {
            Self::Values(Group::General) => icons::GEAR_SIX,
            Self::Values(Group::Appearance) => icons::PALETTE,
            Self::Values(Group::Chat) => icons::CHAT_CIRCLE,
            Self::Values(Group::Models) => icons::CUBE,
            Self::Values(Group::Advanced) => icons::SLIDERS_HORIZONTAL,
            Self::Personas => icons::USERS_THREE,
            Self::Deleted => icons::TRASH,
            Self::Shortcuts => icons::KEYBOARD,
            Self::Log => icons::TERMINAL_WINDOW,
            Self::About => icons::INFO,
        }
    }
}
