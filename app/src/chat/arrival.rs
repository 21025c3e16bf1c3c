//! What the store says, and what of it the user should know.

use super::{Controller, Conversation, Moved, Removed, composing};
use crate::store::{self, Chat, ChatId, Folder, PersonaId, Saving};

/// Something the user should know that belongs to no message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub title: String,
    /// Why, and the next step.
    pub detail: String,
    /// What can be undone.
    pub undo: Option<Undo>,
}

/// Something that was done and can be undone.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    /// Messages of this chat were deleted.
    Messages(ChatId, Removed),
    /// Chats were deleted, of which this one was shown.
    Chats(Vec<ChatId>, Option<ChatId>),
    /// A persona was deleted.
    Persona(PersonaId),
    /// A folder was deleted.
    Folder(Folder),
    /// Chats were moved; where they were before.
    Moves(Vec<Moved>),
}

impl Notice {
    /// A notice with nothing to undo.
    pub fn new(severity: Severity, title: &str, detail: &str) -> Self {
        Self { severity, title: title.to_owned(), detail: detail.to_owned(), undo: None }
    }
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It worked.
    Done,
    /// Worth knowing.
    Info,
    /// It goes on, but not as asked.
    Warning,
    /// It did not work.
    Problem,
}

impl Controller {
    /// Takes one event of the store.
    pub(super) fn take(&mut self, event: store::Event) {
        match event {
            store::Event::Opened(saving) => {
                self.library.unopened = saving != Saving::Yes;
                self.saving_changed(saving);
            }
            store::Event::Saving(saving) => {
                if saving == Saving::Yes && std::mem::take(&mut self.library.unopened) {
                    self.library.refresh();
                }
                self.saving_changed(saving);
            }
            store::Event::SetAside { kept_at, problem } => self.notices.push_back(Notice {
                severity: Severity::Warning,
                title: "The chat database could not be read".to_owned(),
                detail: format!("{problem}. It is kept at {} and an empty one was begun.", kept_at.display()),
                undo: None,
            }),
            store::Event::IndexRemade { problem } => {
                log::warn!("the search index of the chats was damaged and has been made anew: {problem}");
                let title = "The search index was damaged";
                let detail = "It has been made anew from the chats. No chat is lost.";
                self.notices.push_back(Notice::new(Severity::Info, title, detail));
            }
            store::Event::Interrupted { .. } => {}
            store::Event::Saved(ticket) => self.saved = ticket,
            store::Event::Chats { chats, total } => self.library.take(chats, total),
            store::Event::Hits { text, limit, hits, more } => {
                self.finder.take(&text, &hits);
                self.library.take_hits(&text, limit, hits, more);
            }
            store::Event::Folders(folders) => self.library.take_folders(folders),
            store::Event::Personas(personas) => self.take_personas(personas),
            store::Event::Deleted(list) => self.bin.take(list),
            store::Event::Imported(outcome) => self.imported(outcome),
            store::Event::Chat { chat, messages } => self.chat_arrived(chat, messages),
            store::Event::ChatMissing(id) => {
                if self.opening == Some(id) {
                    self.opening = None;
                }
                self.library.refresh();
            }
            store::Event::State { name, value } if composing::is_of_draft(&name) => {
                self.take_draft_state(&name, value);
            }
            store::Event::State { name, value } => {
                let last_chat =
                    (name == store::state::LAST_CHAT).then(|| value.as_deref()?.parse().ok()).flatten();
                if let Some(id) =
                    last_chat.filter(|_| self.open_id().is_none() && self.settings.opens_last_chat())
                {
                    self.open_chat(ChatId(id));
                }
                if name == store::state::OPEN_FOLDERS {
                    self.take_open_folders(value.as_deref());
                }
                self.states.entry(name).or_insert(value);
            }
            store::Event::Refused(refused) => self.notices.push_back(Notice {
                severity: Severity::Problem,
                title: "A change could not be saved".to_owned(),
                detail: refused.to_string(),
                undo: None,
            }),
            store::Event::QueryFailed(problem) => {
                // It may have been about these; the next answer is taken whatever came before it.
                self.personas_asked = 0;
                self.bin.unanswered();
                self.notices.push_back(Notice::new(Severity::Problem, "Chats could not be read", &problem));
            }
        }
    }

    fn chat_arrived(&mut self, mut chat: Chat, messages: Vec<store::Message>) {
        if self.opening != Some(chat.id) {
            return;
        }
        self.opening = None;
        self.open = Some(chat.id);
        // It may have been pinned or moved since it was asked for.
        if let Some(listed) = self.library.chats.iter().find(|listed| listed.id == chat.id) {
            (chat.pinned, chat.folder) = (listed.pinned, listed.folder);
        }
        self.reveal(&mut chat, &messages);
        // What is in memory is newer than what was asked for.
        self.conversations.entry(chat.id).or_insert_with(|| Conversation::restore(chat, messages));
        self.follow_model();
    }

    fn saving_changed(&mut self, saving: Saving) {
        let before = self.saving.replace(saving.clone());
        let was_failing = matches!(before, Some(Saving::No { .. }));
        match &saving {
            Saving::No { reason, .. } => log::warn!("chats are not being saved: {reason}"),
            Saving::Yes if was_failing => log::info!("chats are saved again"),
            Saving::Yes => {}
        }
        match saving {
            Saving::No { reason, .. } if !was_failing => self.notices.push_back(Notice {
                severity: Severity::Problem,
                title: "Chats are not being saved".to_owned(),
                detail: format!(
                    "{}. What is said from here on stays on the screen and in memory, and is saved as soon as that works again.",
                    reason.trim_end_matches('.')
                ),
                undo: None,
            }),
            Saving::Yes if was_failing => {
                self.notices.push_back(Notice::new(Severity::Done, "Chats are saved again", ""))
            }
            Saving::No { .. } | Saving::Yes => {}
        }
    }
}
