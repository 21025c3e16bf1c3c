//! One conversation in memory: its messages and the answer that is being written into it. Turns engine events into message text
//! and into store writes; decides nothing about which conversation is shown.

use std::time::{Duration, Instant};

use onebit_engine::sampler::Sampling;
use onebit_engine::session::{Event, Prompt, Request, StopReason};
use onebit_engine::tokenizer;

use super::backend::Generating;
use crate::settings::Settings;
use crate::store::{AnswerStats, Chat, Message, MessageId, MessageState, Role, Write};

/// Where a running answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its model is not loaded yet.
    WaitingForModel,
    /// In the engine's queue.
    Queued,
    /// The prompt is being read.
    Reading {
        /// Prompt tokens done.
        done_tokens: u32,
        /// Of.
        total_tokens: u32,
    },
    /// Text comes.
    Writing,
}

/// A running answer.
pub struct Answer {
    /// The message it grows.
    pub message: MessageId,
    /// Where it is.
    pub stage: Stage,
    /// Id of the model that writes it.
    pub model: String,
    generation: Option<Box<dyn Generating>>,
    begun: Instant,
    first_token: Option<(Instant, Duration)>,
    /// Whether Stop was asked for.
    stopping: bool,
}

/// A conversation.
pub struct Conversation {
    /// Title and bookkeeping.
    pub chat: Chat,
    /// The shown branch, oldest first.
    pub messages: Vec<Message>,
    /// The running answer, which grows the last message.
    pub answer: Option<Answer>,
    /// Whether the last answer ended because the context was full.
    pub context_full: bool,
}

impl Conversation {
    /// A conversation as stored: `messages` is the whole tree, of which the branch that ends at the chat's leaf is kept.
    pub fn restore(chat: Chat, messages: Vec<Message>) -> Self {
        let messages = branch(&chat, messages);
        Self { chat, messages, answer: None, context_full: false }
    }

    /// Appends a question and the answer to come; gives the writes that store both.
    pub fn ask(&mut self, text: String, model: &str) -> Vec<Write> {
        let parent = self.messages.last().map(|message| message.id);
        let question = Message::complete(self.chat.id, parent, Role::User, text);
        let mut answer = Message::answer(self.chat.id, question.id);
        answer.stats.model = model.to_owned();
        self.chat.model = model.to_owned();
        self.chat.updated_millis = answer.created_millis;
        self.chat.leaf = None;
        self.context_full = false;
        self.answer = Some(Answer {
            message: answer.id,
            stage: Stage::WaitingForModel,
            model: model.to_owned(),
            generation: None,
            begun: Instant::now(),
            first_token: None,
            stopping: false,
        });
        let writes = vec![
            Write::PutChat(self.chat.clone()),
            Write::AddMessage(question.clone()),
            Write::AddMessage(answer.clone()),
        ];
        self.messages.extend([question, answer]);
        writes
    }

    /// The request for the running answer: everything said before it.
    pub fn request(&self, model: &str, settings: &Settings) -> Request {
        let role = |role| match role {
            Role::System => tokenizer::Role::System,
            Role::User => tokenizer::Role::User,
            Role::Assistant => tokenizer::Role::Assistant,
        };
        let own = Some(self.chat.system.as_str()).filter(|system| !system.is_empty());
        let system = own.unwrap_or_else(|| settings.system_prompt(model));
        let system = (!system.is_empty())
            .then(|| tokenizer::Message { role: tokenizer::Role::System, content: system.to_owned() });
        let said =
            self.messages.iter().filter(|message| !message.content.is_empty()).map(|message| {
                tokenizer::Message { role: role(message.role), content: message.content.clone() }
            });
        let answer = self.answer.as_ref().map_or(0, |answer| answer.message.0);
        Request {
            model: model.to_owned(),
            prompt: Prompt::Chat(system.into_iter().chain(said).collect()),
            // The id is new for every answer, so asking again gives another one.
            sampling: Sampling { seed: answer.unsigned_abs(), ..settings.sampling(model) },
            max_new_tokens: settings.max_new_tokens(model),
            stop: Vec::new(),
            session: Some(self.chat.id.0.to_string()),
            logprobs: None,
        }
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
        let (Some(answer), Some(message)) = (&mut self.answer, self.messages.last_mut()) else {
            return Vec::new();
        };
        match event {
            Event::Started { prompt_tokens, cached_tokens, lane } => {
                answer.stage = Stage::Reading { done_tokens: cached_tokens, total_tokens: prompt_tokens };
                message.stats.prompt_tokens = prompt_tokens;
                lane.clone_into(&mut message.stats.lane);
                Vec::new()
            }
            Event::Prefill { done_tokens } => {
                if let Stage::Reading { total_tokens, .. } = answer.stage {
                    answer.stage = Stage::Reading { done_tokens, total_tokens };
                }
                Vec::new()
            }
            Event::Text { text, tokens } => {
                let now = Instant::now();
                let (first, wait) = *answer.first_token.get_or_insert((now, now - answer.begun));
                answer.stage = Stage::Writing;
                message.stats.tokens =
                    message.stats.tokens.saturating_add(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
                message.stats.prefill_millis = wait.as_secs_f64() * 1e3;
                message.stats.decode_millis = (now - first).as_secs_f64() * 1e3;
                if text.is_empty() {
                    return Vec::new();
                }
                message.content.push_str(&text);
                vec![Write::Extend { message: message.id, text }]
            }
            Event::Done { reason, usage } => {
                message.stats = AnswerStats {
                    tokens: usage.new_tokens,
                    prompt_tokens: usage.prompt_tokens,
                    prefill_millis: usage.prefill_millis,
                    decode_millis: usage.decode_millis,
                    ..message.stats.clone()
                };
                self.context_full = reason == StopReason::Length;
                let stopped = reason == StopReason::Cancelled;
                self.finish(if stopped { MessageState::Stopped } else { MessageState::Complete }, None)
            }
            Event::Failed(err) => self.finish(MessageState::Failed, Some(err.to_string())),
        }
    }

    /// Ends the running answer.
    pub fn finish(&mut self, state: MessageState, error: Option<String>) -> Vec<Write> {
        let (Some(answer), Some(message)) = (self.answer.take(), self.messages.last_mut()) else {
            return Vec::new();
        };
        message.state = state;
        message.error.clone_from(&error);
        vec![Write::Finish { message: answer.message, state, stats: message.stats.clone(), error }]
    }

    /// Tokens of context in use after the last answer that the engine has seen.
    pub fn context_tokens(&self) -> u32 {
        let last = self.messages.iter().rev().find(|message| message.stats.prompt_tokens > 0);
        last.map_or(0, |message| message.stats.prompt_tokens.saturating_add(message.stats.tokens))
    }
}

impl Answer {
    /// When it was asked for.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Whether Stop was asked for.
    pub fn stopping(&self) -> bool {
        self.stopping
    }

    /// Whether the engine has the request.
    pub fn submitted(&self) -> bool {
        self.generation.is_some()
    }
}

/// Decoded tokens per second; `None` before two tokens.
pub fn rate_tok_per_sec(stats: &AnswerStats) -> Option<f64> {
    let intervals = stats.tokens.checked_sub(1).filter(|&n| n > 0)?;
    (stats.decode_millis > 0.0).then(|| f64::from(intervals) / (stats.decode_millis / 1e3))
}

/// The branch of a message tree that ends at the chat's leaf, or at the newest message.
fn branch(chat: &Chat, messages: Vec<Message>) -> Vec<Message> {
    let newest = messages.iter().max_by_key(|message| message.id).map(|message| message.id);
    let leaf = chat.leaf.filter(|leaf| messages.iter().any(|message| message.id == *leaf)).or(newest);
    let mut by_id: std::collections::HashMap<_, _> =
        messages.into_iter().map(|message| (message.id, message)).collect();
    // Taking each message out of the map ends the walk even if a damaged database holds a cycle.
    let mut path: Vec<Message> =
        std::iter::successors(leaf.and_then(|leaf| by_id.remove(&leaf)), |message| {
            message.parent.and_then(|parent| by_id.remove(&parent))
        })
        .collect();
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: i64, parent: Option<i64>, role: Role) -> Message {
        let mut message =
            Message::complete(crate::store::ChatId(1), parent.map(MessageId), role, format!("text {id}"));
        message.id = MessageId(id);
        message
    }

    #[test]
    fn the_branch_of_the_leaf_is_shown() {
        let mut chat = Chat::new("title", "model");
        let tree = vec![
            message(1, None, Role::User),
            message(2, Some(1), Role::Assistant),
            message(3, Some(1), Role::Assistant),
            message(4, Some(2), Role::User),
        ];
        let ids = |chat: &Chat| branch(chat, tree.clone()).iter().map(|m| m.id.0).collect::<Vec<_>>();
        assert_eq!(ids(&chat), [1, 2, 4]);
        chat.leaf = Some(MessageId(3));
        assert_eq!(ids(&chat), [1, 3]);
        chat.leaf = Some(MessageId(99));
        assert_eq!(ids(&chat), [1, 2, 4]);
    }

    #[test]
    fn a_cycle_of_parents_ends() {
        let chat = Chat::new("title", "model");
        let tree = vec![message(1, Some(2), Role::User), message(2, Some(1), Role::Assistant)];
        assert_eq!(branch(&chat, tree).len(), 2);
    }

    #[test]
    fn rate_counts_intervals_and_is_absent_for_one_token() {
        let stats = |tokens, decode_millis| AnswerStats { tokens, decode_millis, ..AnswerStats::default() };
        assert_eq!(rate_tok_per_sec(&stats(1, 100.0)), None);
        assert_eq!(rate_tok_per_sec(&stats(0, 0.0)), None);
        assert_eq!(rate_tok_per_sec(&stats(11, 1000.0)), Some(10.0));
    }

    #[test]
    fn the_prompt_holds_what_was_said_and_not_the_empty_answer() {
        let mut conversation = Conversation::restore(Chat::new("title", "m"), Vec::new());
        conversation.chat.system = "Be brief".to_owned();
        conversation.ask("Hello".to_owned(), "m");
        let Prompt::Chat(said) = conversation.request("m", &Settings::default()).prompt else {
            panic!("a chat")
        };
        assert_eq!(said.iter().map(|m| m.content.as_str()).collect::<Vec<_>>(), ["Be brief", "Hello"]);
    }
}
