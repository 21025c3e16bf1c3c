//! What was deleted and can be brought back, as the window shows it, and what can be done with it.

use super::{Controller, Notice, Severity};
use crate::store::{Deleted, DeletedId, Query, Write};

/// The list, as far as it is known.
#[derive(Default)]
pub(super) struct Bin {
    list: Option<Vec<Deleted>>,
    asked: bool,
    /// Whether something has changed since it was asked for.
    stale: bool,
    /// Whether asking failed, which the user was told.
    failed: bool,
}

impl Bin {
    /// Something was deleted or brought back.
    pub fn changed(&mut self) {
        self.list = None;
        self.stale = self.asked;
        self.failed = false;
    }

    /// Some question was not answered, perhaps this one: it is not asked again until something changes.
    pub fn unanswered(&mut self) {
        self.failed = std::mem::take(&mut self.asked);
        self.stale = false;
    }

    /// Takes an answer of the store; one from before a change is dropped.
    pub fn take(&mut self, list: Vec<Deleted>) {
        self.asked = false;
        if !std::mem::take(&mut self.stale) {
            self.list = Some(list);
        }
    }
}

impl Controller {
    /// What can be brought back, newest deletion first; `None` until it is known, see [`Controller::look_for_deleted`].
    pub fn deleted(&self) -> Option<&[Deleted]> {
        self.bin.list.as_deref()
    }

    /// Asks what can be brought back, unless it is known or was asked.
    pub fn look_for_deleted(&mut self) {
        if self.bin.list.is_none() && !self.bin.asked && !self.bin.failed {
            self.bin.asked = true;
            self.questions.push_back(Query::Deleted);
            self.send_out();
        }
    }

    /// Brings something back that was deleted, in this run or before. A message is shown in its chat.
    pub fn bring_back(&mut self, id: DeletedId) {
        let listed = self.bin.list.iter().flatten().find(|known| known.id == id);
        let name = listed.map(|known| known.title.clone()).unwrap_or_default();
        self.bin.changed();
        match id {
            DeletedId::Folder(folder) => self.restore_folder(folder, &name),
            DeletedId::Chat(chat) => self.restore(vec![chat], None),
            DeletedId::Persona(persona) => {
                self.write_all([Write::RestorePersona(persona)]);
                self.ask_for_personas();
            }
            DeletedId::Message(chat, message) => {
                self.write_all([Write::RestoreMessage(message)]);
                // What is in memory lacks it, and the branch that was shown since ends above it.
                self.open_at(chat, message);
            }
        }
        self.notify(Notice::new(Severity::Done, "Restored", ""));
    }

    /// Removes what was deleted for good, so that nothing brings it back.
    pub fn delete_for_good(&mut self, ids: Vec<DeletedId>) {
        self.bin.changed();
        self.write_all(ids.into_iter().map(Write::DeleteForGood));
    }

    /// Tells the store how long deletions are kept.
    pub(super) fn keep_deleted(&mut self) {
        // A store that has stopped keeps everything, and has said so.
        let _ = self.store.keep_deleted(self.settings.keep_deleted());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ChatId;

    #[test]
    fn an_answer_from_before_a_change_is_dropped() {
        let mut bin = Bin { asked: true, ..Bin::default() };
        bin.changed();
        let old = Deleted {
            id: DeletedId::Chat(ChatId(1)),
            title: String::new(),
            of: String::new(),
            deleted_millis: 1,
        };
        bin.take(vec![old.clone()]);
        assert_eq!(bin.list, None);
        bin.asked = true;
        bin.take(vec![old.clone()]);
        assert_eq!(bin.list, Some(vec![old]));
        bin.changed();
        assert_eq!(bin.list, None);
    }
}
