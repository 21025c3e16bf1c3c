//! Carries out what the user asks for inside the conversation shown.

use eframe::egui::Context;

use super::desktop::Desktop;
use super::picker::Wanted;
use crate::chat::{ChatCommand, Notice, Severity, last_answer, reasoning};
use crate::panes::chat::{Editing, message_id};
use crate::shell::Page;
use crate::store::{Message, MessageId, Role};

impl Desktop {
    /// Carries out a command of the chat page.
    pub(super) fn act_in_chat(&mut self, ctx: &Context, command: ChatCommand) {
        match command {
            ChatCommand::StartEdit(message) => self.start_edit(message),
            ChatCommand::EditLast => {
                let last = self.shown().iter().rfind(|message| message.role == Role::User);
                if let Some(id) = last.map(|message| message.id) {
                    self.start_edit(id);
                }
            }
            ChatCommand::SendEdit(message, text) => {
                if self.controller.edit(message, &text) {
                    self.chat.transcript.editing = None;
                    self.chat.transcript.go_to_end();
                    self.focus = Some(message_id());
                }
            }
            ChatCommand::CancelEdit => {
                self.chat.transcript.editing = None;
                self.focus = Some(message_id());
            }
            ChatCommand::Again(answer) => self.again(answer),
            ChatCommand::AgainLast => {
                let last = self.shown().last().filter(|message| message.role == Role::Assistant);
                if let Some(id) = last.map(|message| message.id) {
                    self.again(id);
                }
            }
            ChatCommand::GoOn => {
                if self.controller.go_on() {
                    self.chat.transcript.go_to_end();
                }
            }
            ChatCommand::Sibling(message, step) => self.controller.show_sibling(message, step),
            ChatCommand::StepSibling(step) => self.step_sibling(step),
            ChatCommand::Delete(message) => self.controller.delete_message(message),
            ChatCommand::Undo(undo) => self.controller.undo(undo),
            ChatCommand::Fork(message) => {
                self.controller.fork(message);
                self.focus = Some(message_id());
            }
            ChatCommand::CopyLastAnswer => self.copy_last_answer(ctx),
            ChatCommand::PickFiles => self.pick(Wanted::Texts),
            ChatCommand::AttachPasted(text) => self.controller.attach_pasted(&text),
            ChatCommand::Detach(index) => {
                self.controller.detach(index);
                self.focus = Some(message_id());
            }
            ChatCommand::ToggleInspector => self.chat.inspector_open = Some(!self.chat.inspector_shown),
            ChatCommand::SetUp { system, sampling, persona } => {
                self.controller.set_up(system, sampling, persona);
            }
            ChatCommand::TakePersona(id) => {
                self.controller.take_persona(id);
                self.go(Page::Chat);
            }
            ChatCommand::SavePersona(name) => self.controller.save_persona(&name),
            ChatCommand::PutPersona(persona) => self.controller.put_persona(persona),
            ChatCommand::DuplicatePersona(id) => self.controller.duplicate_persona(id),
            ChatCommand::DeletePersona(id) => self.controller.delete_persona(id),
        }
    }

    fn shown(&self) -> &[Message] {
        self.controller.conversation().map_or(&[], |conversation| &conversation.messages)
    }

    fn start_edit(&mut self, message: MessageId) {
        let text = self.shown().iter().find(|known| known.id == message).map(|known| known.content.clone());
        let with_ctrl = self.controller.settings().sends_with_ctrl();
        self.chat.transcript.go_to(message);
        self.chat.transcript.editing = text.map(|text| Editing::new(message, &text, with_ctrl));
    }

    fn again(&mut self, answer: MessageId) {
        if self.controller.again(answer) {
            self.chat.transcript.go_to_end();
        }
    }

    /// Steps from the message whose tools have the keyboard, else from the last one that has siblings on that side.
    fn step_sibling(&mut self, step: isize) {
        let Some(conversation) = self.controller.conversation() else { return };
        let chosen = self.chat.transcript.keyboard_in;
        let candidate = (0..conversation.messages.len()).rev().find(|&index| {
            let place = conversation.place(index);
            let there = place.number.checked_add_signed(step).is_some_and(|to| (1..=place.of).contains(&to));
            match chosen {
                Some(id) => conversation.messages[index].id == id,
                None => there && place.of > 1,
            }
        });
        if let Some(id) = candidate.map(|index| conversation.messages[index].id) {
            self.controller.show_sibling(id, step);
        }
    }

    fn copy_last_answer(&mut self, ctx: &Context) {
        let Some(answer) = last_answer(self.shown()) else { return };
        ctx.copy_text(reasoning::parts(&answer.content).answer.to_owned());
        self.controller.notify(Notice::new(Severity::Done, "Answer copied", ""));
    }
}
