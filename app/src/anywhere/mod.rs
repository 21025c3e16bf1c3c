//! Keys that work from anywhere: the desktop keeps them for the program, through its global shortcuts portal, and says when one is
//! pressed. Over D-Bus, on a thread of its own; it knows no window. Which keys they are is between the user and the desktop: here only
//! their description is known. Where there is no such portal nothing is offered, and no key is ever grabbed.
//!
//! `desk` talks to the portal, `reply` reads what it says.

mod desk;
mod reply;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_lite::future::block_on;

/// What a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Show the window, or hide the one that has the keyboard.
    Window,
    /// Begin a chat.
    NewChat,
}

impl Deed {
    /// All of them, in order.
    pub const ALL: [Self; 2] = [Self::Window, Self::NewChat];

    /// What the desktop remembers it by; never changes.
    pub fn id(self) -> &'static str {
        match self {
            Self::Window => "toggle-window",
            Self::NewChat => "new-chat",
        }
    }

    /// What the desktop and the settings call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Window => "Show or hide the window",
            Self::NewChat => "New chat",
        }
    }

    /// The keys that the desktop is asked for, in the words of the XDG shortcuts specification; the user chooses in its dialog.
    fn wanted_keys(self) -> &'static str {
        match self {
            Self::Window => "CTRL+ALT+space",
            Self::NewChat => "CTRL+ALT+n",
        }
    }
}

/// What is wanted of the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Keep the keys. A desktop that does not know them yet asks the user.
    On,
    /// Keep them no more.
    Off,
    /// Let the user choose other keys, in the desktop's own dialog.
    Change,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// No portal offers it, or none has answered yet.
    #[default]
    Absent,
    /// It can be asked for.
    Offered,
    /// The desktop was asked; it may be asking the user.
    Asking,
    /// The desktop keeps the keys.
    Kept {
        /// Keys as the desktop describes them. What has none is not there.
        keys: BTreeMap<Deed, String>,
        /// Whether the desktop has a dialog to change them.
        changes: bool,
    },
    /// The user cancelled the desktop's dialog. Nothing is wanted any more.
    Declined,
    /// The desktop refused, in its words.
    Refused(String),
    /// The desktop keeps them no longer.
    Ended(End),
}

/// Why the desktop keeps keys no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its portal has ended. When there is one again the keys are asked for again.
    Portal,
    /// The portal has closed the session.
    Session,
}

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// How it stands has changed.
    Standing(Standing),
    /// A key was pressed somewhere.
    Pressed {
        /// What it does.
        deed: Deed,
        /// With it a Wayland compositor lets a window come to the front.
        token: Option<String>,
    },
    /// The desktop's dialog could not be opened, and why.
    Unchanged(String),
}

/// Called from threads of this module; must not wait.
pub type Report = Arc<dyn Fn(Event) + Send + Sync>;

/// Asks the desktop. It goes when the process does.
pub struct Anywhere {
    asks: async_channel::Sender<Ask>,
}

impl Anywhere {
    /// Begins to look for a portal on the session bus, or on the bus at an address; returns at once. Nothing is wanted at first.
    pub fn start(bus: Option<&str>, report: Report) -> Self {
        let (asks, asked) = async_channel::unbounded();
        let bus = bus.map(str::to_owned);
        let spawned = std::thread::Builder::new().name("anywhere".to_owned()).spawn(move || {
            if let Err(err) = block_on(desk::serve(bus.as_deref(), asked, &report)) {
                log::info!("the desktop keeps no keys: {err}");
                report(Event::Standing(Standing::Absent));
            }
        });
        if let Err(err) = spawned {
            log::warn!("the desktop keeps no keys: no thread could be started: {err}");
        }
        Self { asks }
    }

    /// Asks; never waits for the bus.
    pub fn ask(&self, ask: Ask) {
        // Without a session bus nobody hears it, which was reported.
        let _ = self.asks.try_send(ask);
    }
}
