//! One conversation in memory: the branch that is shown, the others, and the answer that is being written into it. Turns what the
//! user asks for and what the engine says into message text and store writes; decides nothing about which conversation is shown.

use std::time::Instant;

use onebit_engine::sampler::Sampling;
use onebit_engine::session::{Event, Prompt, Request};
use onebit_engine::tokenizer;

use super::answer::{Answer, Stage, Step};
use super::backend::Generating;
use super::branches::{Branches, Place};
use super::{ended, prompt};
use crate::settings::Settings;
use crate::store::{Attachment, Chat, Message, MessageId, MessageState, Role, Write};

/// A conversation.
pub struct Conversation {
    /// Title and bookkeeping.
    pub chat: Chat,
    /// The shown branch, oldest first.
    pub messages: Vec<Message>,
    /// The running answer.
    pub answer: Option<Answer>,
    /// The first message that the model is told, where older ones are left out because the context is full.
    pub told_from: Option<MessageId>,
    /// For which last message, and how large a context, `told_from` was decided beforehand.
    pub(super) foreseen: Option<(MessageId, usize)>,
    branches: Branches,
}

/// Messages that were deleted, and what was shown before.
#[derive(Debug, Clone, PartialEq)]
pub struct Removed {
    root: MessageId,
    leaf: MessageId,
    messages: Vec<Message>,
}

impl Removed {
    /// The writes that undo the deletion of a conversation that is not in memory.
    pub(super) fn writes(&self, chat: crate::store::ChatId) -> Vec<Write> {
        vec![Write::RestoreMessage(self.root), Write::ShowLeaf { chat, leaf: self.leaf }]
    }
}

impl Conversation {
    /// A conversation as stored: `tree` holds the messages of all branches; the one that ends at the chat's leaf is shown.
    pub fn restore(chat: Chat, tree: Vec<Message>) -> Self {
        let (messages, branches) = Branches::of(tree, chat.leaf);
        Self { chat, messages, answer: None, told_from: None, foreseen: None, branches }
    }

    /// Where the shown message at `index` stands among its siblings.
    pub fn place(&self, index: usize) -> Place {
        self.branches.place(index)
    }

    /// Index of a shown message.
    pub fn index(&self, id: MessageId) -> Option<usize> {
        self.messages.iter().rposition(|message| message.id == id)
    }

    /// Appends a question and the answer to come; gives the writes that store both.
    pub fn ask(&mut self, text: String, attachments: Vec<Attachment>, model: &str) -> Vec<Write> {
        let parent = self.messages.last().map(|message| message.id);
        let question = Message { attachments, ..Message::complete(self.chat.id, parent, Role::User, text) };
        let id = question.id;
        let added = Write::AddMessage(question.clone());
        self.branches.push(&mut self.messages, question);
        let mut writes = self.answer_to(id, model);
        // The chat comes first, the question before its answer.
        writes.insert(1, added);
        writes
    }

    /// Asks the shown question `id` in other words, beside the old one, with the same files.
    pub fn edit(&mut self, id: MessageId, text: String, model: &str) -> Vec<Write> {
        let Some(index) = self.index(id).filter(|&index| self.messages[index].role == Role::User) else {
            return Vec::new();
        };
        let attachments = self.messages[index].attachments.clone();
        self.branches.cut(&mut self.messages, index);
        self.ask(text, attachments, model)
    }

    /// Asks for another answer beside the shown answer `id`.
    pub fn again(&mut self, id: MessageId, model: &str) -> Vec<Write> {
        let Some(index) = self.index(id).filter(|&index| self.messages[index].role == Role::Assistant) else {
            return Vec::new();
        };
        let Some(question) = self.messages[index].parent else { return Vec::new() };
        self.branches.cut(&mut self.messages, index);
        self.answer_to(question, model)
    }

    /// Adds the answer to come below the last message.
    fn answer_to(&mut self, question: MessageId, model: &str) -> Vec<Write> {
        let mut answer = Message::answer(self.chat.id, question);
        model.clone_into(&mut answer.stats.model);
        model.clone_into(&mut self.chat.model);
        self.chat.updated_millis = answer.created_millis;
        self.chat.leaf = Some(answer.id);
        self.answer = Some(Answer::new(&answer, model, false));
        let writes = vec![Write::PutChat(self.chat.clone()), Write::AddMessage(answer.clone())];
        self.branches.push(&mut self.messages, answer);
        writes
    }

    /// Whether the last answer shown can be gone on with: it was stopped, interrupted or cut short.
    pub fn can_go_on(&self) -> bool {
        self.answer.is_none() && self.messages.last().is_some_and(can_go_on)
    }

    /// Goes on with the last answer shown.
    pub fn go_on(&mut self, model: &str) -> Vec<Write> {
        if !self.can_go_on() {
            return Vec::new();
        }
        let Some(message) = self.messages.last_mut() else { return Vec::new() };
        message.state = MessageState::Writing;
        message.stats.cut_short = false;
        self.answer = Some(Answer::new(message, model, true));
        vec![Write::Resume { message: message.id, content: message.content.clone() }]
    }

    /// Shows the sibling `step` places after a shown message.
    pub fn show_sibling(&mut self, id: MessageId, step: isize) -> Vec<Write> {
        match self.index(id) {
            Some(index) if self.branches.step(&mut self.messages, index, step) => self.show_leaf(),
            _ => Vec::new(),
        }
    }

    /// Deletes a shown message with everything below it, on every branch.
    pub fn remove(&mut self, id: MessageId) -> Option<(Removed, Vec<Write>)> {
        let index = self.index(id).filter(|_| self.answer.is_none())?;
        let leaf = self.messages.last()?.id;
        let messages = self.branches.remove(&mut self.messages, index);
        let mut writes = vec![Write::DeleteMessage(id)];
        writes.extend(self.show_leaf());
        Some((Removed { root: id, leaf, messages }, writes))
    }

    /// Undoes [`Conversation::remove`].
    pub fn put_back(&mut self, removed: Removed) -> Vec<Write> {
        let Removed { messages, leaf, .. } = &removed;
        self.branches.put_back(&mut self.messages, messages.clone(), *leaf);
        let mut writes = vec![Write::RestoreMessage(removed.root)];
        writes.extend(self.show_leaf());
        writes
    }

    fn show_leaf(&mut self) -> Vec<Write> {
        self.told_from = self.told_from.filter(|id| self.messages.iter().any(|message| message.id == *id));
        self.chat.leaf = self.messages.last().map(|message| message.id);
        let show = |leaf| Write::ShowLeaf { chat: self.chat.id, leaf };
        self.chat.leaf.map(show).into_iter().collect()
    }

    /// A chat of its own with copies of what is shown up to and with `id`.
    pub fn fork(&self, id: MessageId) -> Option<(Chat, Vec<Message>)> {
        let index = self.index(id).filter(|_| self.answer.is_none())?;
        let mut chat = Chat::new(self.chat.title.clone(), self.chat.model.clone());
        chat.system.clone_from(&self.chat.system);
        chat.sampling.clone_from(&self.chat.sampling);
        (chat.persona, chat.folder) = (self.chat.persona, self.chat.folder);
        let mut messages: Vec<Message> = Vec::with_capacity(index + 1);
        for message in &self.messages[..=index] {
            let parent = messages.last().map(|copy| copy.id);
            messages.push(Message { id: MessageId::fresh(), chat: chat.id, parent, ..message.clone() });
        }
        chat.leaf = messages.last().map(|copy| copy.id);
        Some((chat, messages))
    }

    /// The request for the running answer: everything said before it that the model is told.
    pub fn request(&self, model: &str, settings: &Settings) -> Request {
        let answer = self.answer.as_ref();
        let mut said = prompt::said(self.system(model, settings), self.told());
        let goes_on = answer.is_some_and(Answer::goes_on);
        if goes_on && let Some(begun) = self.messages.last() {
            // It goes on with all of its text, reasoning included.
            said.pop_if(|last| last.role == tokenizer::Role::Assistant);
            said.push(tokenizer::Message {
                role: tokenizer::Role::Assistant,
                content: begun.content.clone(),
            });
        }
        let own = &self.chat.sampling;
        let usual = settings.sampling(model);
        Request {
            model: model.to_owned(),
            prompt: if goes_on { Prompt::Continue(said) } else { Prompt::Chat(said) },
            sampling: Sampling {
                temperature: own.temperature.unwrap_or(usual.temperature),
                top_k: own.top_k.unwrap_or(usual.top_k),
                top_p: own.top_p.unwrap_or(usual.top_p),
                min_p: own.min_p.unwrap_or(usual.min_p),
                repetition_penalty: own.repetition_penalty.unwrap_or(usual.repetition_penalty),
                frequency_penalty: own.frequency_penalty.unwrap_or(usual.frequency_penalty),
                presence_penalty: own.presence_penalty.unwrap_or(usual.presence_penalty),
                // The id is new for every answer, so asking again gives another one.
                seed: own.seed.unwrap_or_else(|| answer.map_or(0, |answer| answer.message.0.unsigned_abs())),
                ..usual
            },
            max_new_tokens: own.max_new_tokens.unwrap_or_else(|| settings.max_new_tokens(model)),
            stop: Vec::new(),
            session: Some(self.chat.id.0.to_string()),
            logprobs: None,
        }
    }

    /// The system prompt that a model is told: the chat's own, else the one of the settings.
    pub fn system<'a>(&'a self, model: &str, settings: &'a Settings) -> &'a str {
        let own = self.chat.system.as_str();
        if own.is_empty() { settings.system_prompt(model) } else { own }
    }

    /// The shown messages that the model is told.
    pub fn told(&self) -> &[Message] {
        let from = self.told_from.and_then(|id| self.index(id)).unwrap_or(0);
        &self.messages[from..]
    }

    /// The engine took the request.
    pub fn submitted(&mut self, generation: Box<dyn Generating>) {
        if let Some(answer) = &mut self.answer {
            answer.stage = Stage::Queued;
            answer.begun = Instant::now();
            answer.generation = Some(generation);
        }
    }

    /// Asks the running answer to stop; one that the engine has not seen yet ends at once.
    pub fn stop(&mut self) -> Vec<Write> {
        let Some(answer) = &mut self.answer else { return Vec::new() };
        answer.stopping = true;
        match &answer.generation {
            Some(generation) => {
                generation.cancel();
                Vec::new()
            }
            None => self.finish(MessageState::Stopped, None),
        }
    }

    /// Takes events until `deadline`; gives the writes they cause and whether more events may be waiting.
    pub fn drain(&mut self, deadline: Instant) -> (Vec<Write>, bool) {
        let mut writes = Vec::new();
        while let Some(event) = self.answer.as_ref().and_then(|answer| answer.generation.as_ref()?.try_next())
        {
            writes.extend(self.take(event));
            if Instant::now() >= deadline {
                return (writes, self.answer.is_some());
            }
        }
        (writes, false)
    }

    fn take(&mut self, event: Event) -> Vec<Write> {
        let Some(mut answer) = self.answer.take() else { return Vec::new() };
        let Some(message) = self.message_mut(answer.message) else { return Vec::new() };
        let id = message.id;
        let step = answer.take(event, message);
        self.answer = Some(answer);
        match step {
            Step::Nothing => Vec::new(),
            Step::Grew(text) => vec![Write::Extend { message: id, text }],
            Step::Ended(state, error) => self.finish(state, error),
        }
    }

    /// Ends the running answer.
    pub fn finish(&mut self, state: MessageState, error: Option<String>) -> Vec<Write> {
        let Some(answer) = self.answer.take() else { return Vec::new() };
        let Some(message) = self.message_mut(answer.message) else { return Vec::new() };
        message.state = state;
        message.error.clone_from(&error);
        log::info!("{}", ended::line(message, answer.begun.elapsed()));
        vec![Write::Finish { message: answer.message, state, stats: message.stats.clone(), error }]
    }

    /// The message that is being written, on whatever branch.
    pub fn answering(&self) -> Option<&Message> {
        self.message(self.answer.as_ref()?.message)
    }

    /// A message, also one on a branch that is not shown.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.iter().rfind(|message| message.id == id).or_else(|| self.branches.get(id))
    }

    /// A message, also one on a branch that is not shown.
    fn message_mut(&mut self, id: MessageId) -> Option<&mut Message> {
        match self.messages.iter().rposition(|message| message.id == id) {
            Some(index) => self.messages.get_mut(index),
            None => self.branches.get_mut(id),
        }
    }
}

/// Whether an answer ended before the model ended its turn.
fn can_go_on(message: &Message) -> bool {
    let broke_off = match message.state {
        MessageState::Stopped | MessageState::Interrupted => true,
        MessageState::Complete => message.stats.cut_short,
        MessageState::Writing | MessageState::Failed => false,
    };
    broke_off && message.role == Role::Assistant && !message.content.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Conversation {
        Conversation::restore(Chat::new("title", "m"), Vec::new())
    }

    /// Asks and has it answered.
    fn exchange(conversation: &mut Conversation, question: &str, answer: &str) -> MessageId {
        conversation.ask(question.to_owned(), Vec::new(), "m");
        answered(conversation, answer)
    }

    fn answered(conversation: &mut Conversation, text: &str) -> MessageId {
        let id = conversation.answer.as_ref().unwrap().message;
        conversation.message_mut(id).unwrap().content = text.to_owned();
        conversation.finish(MessageState::Complete, None);
        id
    }

    fn shown(conversation: &Conversation) -> Vec<&str> {
        conversation.messages.iter().map(|message| message.content.as_str()).collect()
    }

    fn told(conversation: &Conversation) -> Vec<String> {
        let (Prompt::Chat(said) | Prompt::Continue(said)) =
            conversation.request("m", &Settings::default()).prompt
        else {
            panic!("a chat")
        };
        said.into_iter().map(|message| message.content).collect()
    }

    #[test]
    fn the_prompt_holds_what_was_said_and_not_the_empty_answer() {
        let mut conversation = conversation();
        conversation.chat.system = "Be brief".to_owned();
        conversation.ask("Hello".to_owned(), Vec::new(), "m");
        assert_eq!(told(&conversation), ["Be brief", "Hello"]);
    }

    #[test]
    fn an_edited_question_and_another_answer_are_siblings() {
        let mut conversation = conversation();
        exchange(&mut conversation, "One", "First");
        let question = conversation.messages[0].id;
        let writes = conversation.edit(question, "Uno".to_owned(), "m");
        assert!(matches!(&writes[..], [Write::PutChat(_), Write::AddMessage(q), Write::AddMessage(a)]
            if q.parent.is_none() && a.parent == Some(q.id)));
        let second = answered(&mut conversation, "Second");
        assert_eq!((shown(&conversation), conversation.place(0).number), (vec!["Uno", "Second"], 2));
        conversation.again(second, "m");
        answered(&mut conversation, "Third");
        assert_eq!((shown(&conversation), conversation.place(1).of), (vec!["Uno", "Third"], 2));
        let uno = conversation.messages[0].id;
        let writes = conversation.show_sibling(uno, -1);
        assert_eq!(shown(&conversation), ["One", "First"]);
        let leaf = conversation.messages[1].id;
        assert_eq!(writes, [Write::ShowLeaf { chat: conversation.chat.id, leaf }]);
        conversation.show_sibling(question, 1);
        assert_eq!(shown(&conversation), ["Uno", "Third"]);
    }

    #[test]
    fn an_answer_that_broke_off_goes_on_and_a_whole_one_does_not() {
        let mut conversation = conversation();
        exchange(&mut conversation, "Count", "<think>ok</think>One, ");
        assert!(!conversation.can_go_on() && conversation.go_on("m").is_empty());
        conversation.messages[1].state = MessageState::Stopped;
        let id = conversation.messages[1].id;
        let content = conversation.messages[1].content.clone();
        assert_eq!(conversation.go_on("m"), [Write::Resume { message: id, content }]);
        assert_eq!(told(&conversation), ["Count", "<think>ok</think>One, "]);
        assert!(matches!(conversation.request("m", &Settings::default()).prompt, Prompt::Continue(_)));
    }

    #[test]
    fn an_answer_grows_on_while_another_branch_is_shown() {
        let mut conversation = conversation();
        let first = exchange(&mut conversation, "One", "First");
        conversation.again(first, "m");
        let growing = conversation.answer.as_ref().unwrap().message;
        conversation.show_sibling(growing, -1);
        assert_eq!(shown(&conversation), ["One", "First"]);
        let event = Event::Text { text: "Second".to_owned(), tokens: Vec::new() };
        assert!(
            matches!(&conversation.take(event)[..], [Write::Extend { message, .. }] if *message == growing)
        );
        conversation.finish(MessageState::Complete, None);
        conversation.show_sibling(first, 1);
        assert_eq!(shown(&conversation), ["One", "Second"]);
    }

    #[test]
    fn a_deleted_branch_comes_back() {
        let mut conversation = conversation();
        exchange(&mut conversation, "One", "First");
        exchange(&mut conversation, "Two", "Second");
        let two = conversation.messages[2].id;
        let (removed, writes) = conversation.remove(two).unwrap();
        assert_eq!(shown(&conversation), ["One", "First"]);
        assert!(matches!(&writes[..], [Write::DeleteMessage(id), Write::ShowLeaf { .. }] if *id == two));
        let writes = conversation.put_back(removed);
        assert_eq!(shown(&conversation), ["One", "First", "Two", "Second"]);
        assert_eq!(writes[0], Write::RestoreMessage(two));
    }

    #[test]
    fn a_fork_copies_what_is_shown_up_to_a_message() {
        let mut conversation = conversation();
        conversation.chat.system = "Be brief".to_owned();
        let first = exchange(&mut conversation, "One", "First");
        exchange(&mut conversation, "Two", "Second");
        let (chat, messages) = conversation.fork(first).unwrap();
        assert!(chat.id != conversation.chat.id && chat.system == "Be brief");
        let copy = Conversation::restore(chat, messages);
        assert_eq!(shown(&copy), ["One", "First"]);
        assert!(copy.messages.iter().all(|message| message.chat == copy.chat.id));
    }
}
