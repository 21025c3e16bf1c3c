//! What the user can do inside the conversation shown: send, edit, ask again, go on, move between branches, delete, fork, set up.

use super::context::{self, ContextUse, Limits};
use super::counting::{Count, TextKey};
use super::{Controller, Conversation, Notice, Severity, Undo, prompt, title_from};
use crate::store::{
    Chat, ChatId, ChatSampling, FolderId, Message, MessageId, MessageState, PersonaId, Write,
};

/// Why nothing can be asked for while an answer is being written.
pub const BUSY: &str = "Stop the answer first";

impl Controller {
    /// Whether a message can be sent: some model is there or on its way, and nothing is being written here.
    pub fn can_send(&self) -> bool {
        self.model_to_ask().is_some() && self.open.is_none_or(|id| !self.is_writing(id))
    }

    /// Sends a message, with the attached files, into the chat shown; false (and nothing done) while an answer is running there or
    /// there is nothing to send.
    pub fn send(&mut self, text: &str) -> bool {
        let text = text.trim();
        let nothing = text.is_empty() && self.composing.files.is_empty();
        let Some(model) = self.model_to_ask().filter(|_| !nothing && !self.composing.is_reading()) else {
            return false;
        };
        let id = match self.open.filter(|_| self.opening.is_none()) {
            Some(id) if self.is_writing(id) => return false,
            Some(id) => id,
            None => {
                let first_file = self.composing.files.first().map_or("", |attached| &attached.file.name);
                let chat = Chat::new(title_from(if text.is_empty() { first_file } else { text }), &*model);
                self.begin(chat)
            }
        };
        let (files, forget) = self.composing.take_files();
        let Some(conversation) = self.conversations.get_mut(&id) else { return false };
        let writes = conversation.ask(text.to_owned(), files, &model);
        self.asked(id, writes);
        // The message has the files now; until then they were remembered as those of a draft.
        self.write_all(forget);
        true
    }

    /// Opens a new chat with what was set up before its first message.
    fn begin(&mut self, mut chat: Chat) -> ChatId {
        let set_up = std::mem::take(&mut self.set_up);
        (chat.system, chat.sampling, chat.persona) = (set_up.system, set_up.sampling, set_up.persona);
        chat.folder = set_up.folder.filter(|folder| self.folder(*folder).is_some());
        let id = chat.id;
        self.conversations.insert(id, Conversation::restore(chat, Vec::new()));
        self.open_chat(id);
        id
    }

    /// Makes the model of the chat shown the one that answers: at once if it is resident, else with the next message, because a load
    /// may take long and nobody asked for it by looking at a chat.
    pub(super) fn follow_model(&mut self) {
        self.next_model = None;
        let Some(own) = self.conversation().map(|shown| shown.chat.model.clone()) else { return };
        let on_its_way = self.shelf.loading.as_ref().is_some_and(|loading| loading.choice.id == own);
        if on_its_way || self.shelf.chosen.as_ref() == Some(&own) || self.shelf.chosen.is_none() {
            return;
        }
        let Some(choice) = self.shelf.choices.iter().find(|choice| choice.id == own).cloned() else { return };
        let resident =
            self.engine_status().is_some_and(|status| status.models.iter().any(|model| model.id == own));
        if resident {
            self.choose_model(&choice);
        } else {
            self.next_model = Some(choice);
        }
    }

    /// The model of the chat shown, where it is not loaded: the next message loads it.
    pub fn next_model(&self) -> Option<&super::Choice> {
        self.next_model.as_ref()
    }

    fn asked(&mut self, id: ChatId, writes: Vec<Write>) {
        if let Some(choice) = self.next_model.take() {
            self.choose_model(&choice);
        }
        if let Some(conversation) = self.conversations.get(&id) {
            self.library.touch(&conversation.chat);
        }
        self.write_all(writes);
        self.submit_waiting();
    }

    /// Lets `ask` change the chat shown unless an answer is being written there; says whether something was asked.
    fn ask_here(&mut self, ask: impl FnOnce(&mut Conversation, &str) -> Vec<Write>) -> bool {
        let Some(model) = self.model_to_ask().filter(|_| self.can_send()) else { return false };
        let Some(id) = self.open.filter(|_| self.opening.is_none()) else { return false };
        let Some(conversation) = self.conversations.get_mut(&id) else { return false };
        let writes = ask(conversation, &model);
        let done = !writes.is_empty();
        self.asked(id, writes);
        done
    }

    /// Asks a question of the chat shown in other words; the old one stays as a sibling. False while an answer is running or the
    /// text is blank.
    pub fn edit(&mut self, message: MessageId, text: &str) -> bool {
        let text = text.trim().to_owned();
        let files = |conversation: &Conversation| {
            conversation.messages.iter().any(|known| known.id == message && !known.attachments.is_empty())
        };
        if text.is_empty() && !self.conversation().is_some_and(files) {
            return false;
        }
        self.ask_here(|conversation, model| conversation.edit(message, text, model))
    }

    /// Asks for another answer beside this one.
    pub fn again(&mut self, answer: MessageId) -> bool {
        self.ask_here(|conversation, model| conversation.again(answer, model))
    }

    /// Goes on with the last answer, which broke off.
    pub fn go_on(&mut self) -> bool {
        self.ask_here(Conversation::go_on)
    }

    /// Stops the answer in the chat shown.
    pub fn stop(&mut self) {
        let Some(conversation) = self.shown_mut() else { return };
        let writes = conversation.stop();
        self.write_all(writes);
    }

    /// Shows the sibling `step` places after a message of the chat shown.
    pub fn show_sibling(&mut self, message: MessageId, step: isize) {
        let Some(conversation) = self.shown_mut() else { return };
        let writes = conversation.show_sibling(message, step);
        self.write_all(writes);
    }

    /// Deletes a message of the chat shown with everything below it, and offers to undo that.
    pub fn delete_message(&mut self, message: MessageId) {
        let Some(conversation) = self.shown_mut() else { return };
        let chat = conversation.chat.id;
        let Some((removed, writes)) = conversation.remove(message) else { return };
        self.write_all(writes);
        self.bin.changed();
        self.notices.push_back(Notice {
            undo: Some(Undo::Messages(chat, removed)),
            ..Notice::new(Severity::Info, "Message deleted", "With everything that follows it.")
        });
    }

    /// Opens a new chat with copies of what is shown up to and with a message.
    pub fn fork(&mut self, message: MessageId) {
        let Some((chat, messages)) = self.conversation().and_then(|shown| shown.fork(message)) else {
            return;
        };
        let id = chat.id;
        let mut writes = vec![Write::PutChat(chat.clone())];
        writes.extend(messages.iter().cloned().map(Write::AddMessage));
        self.library.touch(&chat);
        self.conversations.insert(id, Conversation::restore(chat, messages));
        self.write_all(writes);
        self.open_chat(id);
        self.notices.push_back(Notice::new(Severity::Done, "Copied into a new chat", ""));
    }

    /// Sets how the chat shown, or the one that the next message begins, is answered.
    pub fn set_up(&mut self, system: String, sampling: ChatSampling, persona: Option<PersonaId>) {
        let Some(conversation) = self.shown_mut() else {
            self.set_up = SetUp { system, sampling, persona, ..self.set_up };
            return;
        };
        let chat = &mut conversation.chat;
        (chat.system, chat.sampling, chat.persona) = (system.clone(), sampling.clone(), persona);
        let write = Write::SetUp { chat: chat.id, system, sampling, persona };
        self.write_all([write]);
    }

    /// How the chat shown, or the one that the next message begins, is answered.
    pub fn set_up_now(&self) -> (&str, &ChatSampling, Option<PersonaId>) {
        match self.conversation() {
            Some(Conversation { chat, .. }) => (&chat.system, &chat.sampling, chat.persona),
            None => (&self.set_up.system, &self.set_up.sampling, self.set_up.persona),
        }
    }

    /// What fills the context of the chosen model; `None` while no model is loaded.
    pub fn context_use(&self) -> Option<ContextUse> {
        let model = self.model()?;
        let draft = self.composing.draft_tokens(&self.counter, &model.id);
        let limits = Limits { model: &model.id, tokens: model.context, system: self.system(&model.id) };
        Some(context::measure(self.conversation(), draft, &self.counter, limits))
    }

    /// The system prompt that a model is told in the chat shown, or in the one that the next message begins.
    fn system(&self, model: &str) -> &str {
        match self.conversation() {
            Some(conversation) => conversation.system(model, &self.settings),
            None if self.set_up.system.is_empty() => self.settings.system_prompt(model),
            None => &self.set_up.system,
        }
    }

    /// Whether what is in the composer is too long for the context whatever is left out. Not said while it is only estimated.
    pub fn draft_is_too_long(&self) -> bool {
        self.context_use().is_some_and(|used| {
            let draft_counted = self.composing.draft_tokens(&self.counter, &self.model_id()).exact;
            draft_counted && used.system + used.draft >= used.limit
        })
    }

    fn model_id(&self) -> String {
        self.model().map_or_else(String::new, |model| model.id.clone())
    }

    /// Tokens of an attached file.
    pub fn file_tokens(&self, key: TextKey, bytes: usize) -> Count {
        self.counter.look_up(self.model().map_or("", |model| model.id.as_str()), key, bytes)
    }

    /// Has what the gauge shows counted.
    pub(super) fn count(&mut self) {
        self.counter.count_with(self.backend.counter());
        self.counter.take_counted();
        let Some((model, tokens)) = self.model().map(|model| (model.id.clone(), model.context)) else {
            return;
        };
        self.composing.count(&mut self.counter, &model);
        let system = self.system(&model).to_owned();
        self.counter.ask(&model, TextKey::of(&system), || system.clone());
        let Some(conversation) = self.open.and_then(|id| self.conversations.get_mut(&id)) else { return };
        for message in context::uncounted(conversation) {
            self.counter.ask(&model, TextKey::of_message(message), || prompt::text_of(message).into_owned());
        }
        let limits = Limits { model: &model, tokens, system: &system };
        context::foresee(conversation, &mut self.counter, limits);
    }

    /// Hands answers that waited for a model, or for their tokens to be counted, to the engine.
    pub(super) fn submit_waiting(&mut self) {
        let Some((model, tokens)) = self.model().map(|model| (model.id.clone(), model.context)) else {
            return;
        };
        if self.shelf.loading.is_some() {
            return;
        }
        let mut writes = Vec::new();
        for conversation in self.conversations.values_mut() {
            if conversation.answer.as_ref().is_none_or(super::Answer::submitted) {
                continue;
            }
            let system = conversation.system(&model, &self.settings).to_owned();
            let limits = Limits { model: &model, tokens, system: &system };
            if !context::fit(conversation, &mut self.counter, limits) {
                continue;
            }
            // A load that was replaced by another leaves its question to the model that came.
            match self.backend.submit(conversation.request(&model, &self.settings)) {
                Ok(generation) => conversation.submitted(generation),
                Err(err) => writes.extend(conversation.finish(MessageState::Failed, Some(err.to_string()))),
            }
        }
        self.write_all(writes);
    }

    /// Undoes a deletion that a notice offered to undo.
    pub fn undo(&mut self, undo: Undo) {
        self.bin.changed();
        match undo {
            Undo::Messages(chat, removed) => {
                let writes = match self.conversations.get_mut(&chat) {
                    Some(conversation) => conversation.put_back(removed),
                    None => removed.writes(chat),
                };
                self.write_all(writes);
            }
            Undo::Chats(ids, open) => self.restore(ids, open),
            Undo::Persona(id) => {
                self.write_all([Write::RestorePersona(id)]);
                self.ask_for_personas();
            }
            Undo::Folder(folder) => self.restore_folder(folder.id, &folder.name),
            Undo::Moves(before) => self.put_into(before),
        }
    }

    fn shown_mut(&mut self) -> Option<&mut Conversation> {
        self.open.filter(|_| self.opening.is_none()).and_then(|id| self.conversations.get_mut(&id))
    }
}

/// How a chat that has no message yet will be answered.
#[derive(Debug, Default)]
pub(super) struct SetUp {
    pub system: String,
    pub sampling: ChatSampling,
    pub persona: Option<PersonaId>,
    /// The folder that it will be in.
    pub folder: Option<FolderId>,
}

/// The last answer of a branch, for copying.
pub fn last_answer(shown: &[Message]) -> Option<&Message> {
    shown
        .iter()
        .rev()
        .find(|message| message.role == crate::store::Role::Assistant && !message.content.is_empty())
}
