//! The chat controller: joins the engine's session layer with the store and holds what the chat pane shows. It draws nothing, knows
//! no window, and never waits: [`Controller::pump`] takes what has arrived within a time budget.

mod answer;
mod arrival;
pub mod attach;
pub mod backend;
mod bin;
mod branches;
mod clock;
mod collection;
mod command;
mod composing;
mod context;
mod conversation;
mod conversing;
mod counting;
mod ended;
mod filing;
mod finder;
mod folders;
mod library;
mod personas;
mod prompt;
pub mod reasoning;
mod shelf;
mod tuning;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use onebit_engine::session::{EngineStatus, ModelStatus};

use crate::settings::{Settings, Value};
use crate::store::{self, ChatId, MessageState, Persona, Query, Saving, Store, Ticket, Write};
pub use answer::{Answer, Stage, rate_tok_per_sec};
pub use arrival::{Notice, Severity, Undo};
pub use backend::{Backend, Engine, EngineBackend, Waker};
pub use branches::Place;
pub use clock::Age;
pub use collection::{ListCommand, Running};
pub use command::ChatCommand;
pub use composing::{Attached, Composing};
pub use context::{ContextUse, NEARLY_FULL};
pub use conversation::{Conversation, Removed};
use conversing::SetUp;
pub use conversing::{BUSY, last_answer};
use counting::Counter;
pub use counting::{Count, CountTokens, TextKey};
pub use ended::Ended;
pub use finder::FoundChat;
pub use folders::Moved;
pub use library::Library;
pub use shelf::{Change, Choice, Listing, Loadings, Refusal, Shelf, label};
pub use tuning::Pending;

/// Name under which the store remembers the path of the model that was chosen last.
pub const LAST_MODEL: &str = "last_model";
/// Longest title made from a first message, in characters.
const TITLE_CHARS: usize = 60;

/// Joins engine and store.
pub struct Controller {
    backend: Box<dyn Backend>,
    waker: Waker,
    store: Store,
    outbox: VecDeque<Write>,
    questions: VecDeque<Query>,
    engine: Engine,
    conversations: HashMap<ChatId, Conversation>,
    open: Option<ChatId>,
    opening: Option<ChatId>,
    saving: Option<Saving>,
    /// The newest change that the store was told, and the newest that is on the disk.
    told: Ticket,
    saved: Ticket,
    notices: VecDeque<Notice>,
    ended: VecDeque<Ended>,
    states: HashMap<String, Option<String>>,
    utc_offset: Option<Receiver<Option<i64>>>,
    utc_offset_secs: i64,
    personas: Vec<Persona>,
    /// How many answers about them are to come.
    personas_asked: usize,
    counter: Counter,
    /// The model of the chat shown, where it is not loaded: the next message loads it.
    next_model: Option<Choice>,
    /// How a chat that has no message yet will be answered.
    set_up: SetUp,
    /// What goes with the next message.
    pub composing: Composing,
    settings: Arc<Settings>,
    /// Settings that the engine was started with.
    started_with: [Value; 4],
    finder: finder::Finder,
    collection: collection::Collection,
    bin: bin::Bin,
    /// The list of chats.
    pub library: Library,
    /// The models.
    pub shelf: Shelf,
}

impl Controller {
    /// Joins a backend, a store and a shelf of models; `waker` is called when something has arrived.
    pub fn new(backend: Box<dyn Backend>, store: Store, shelf: Shelf, waker: Waker) -> Self {
        let mut library = Library::default();
        library.refresh();
        Self {
            backend,
            store,
            outbox: VecDeque::new(),
            questions: VecDeque::from([
                Query::State(store::state::LAST_CHAT.to_owned()),
                Query::State(store::state::DRAFT_FILES.to_owned()),
                Query::State(store::state::OPEN_FOLDERS.to_owned()),
                Query::Personas,
            ]),
            engine: Engine::Starting,
            conversations: HashMap::new(),
            open: None,
            opening: None,
            saving: None,
            told: Ticket::default(),
            saved: Ticket::default(),
            notices: VecDeque::new(),
            ended: VecDeque::new(),
            states: HashMap::new(),
            utc_offset: Some(ask_utc_offset(Arc::clone(&waker))),
            utc_offset_secs: 0,
            personas: Vec::new(),
            personas_asked: 1,
            counter: Counter::start(Arc::clone(&waker)),
            next_model: None,
            set_up: SetUp::default(),
            composing: Composing::new(Arc::clone(&waker)),
            settings: Arc::default(),
            started_with: tuning::engine_values(&Settings::default()),
            finder: finder::Finder::default(),
            collection: collection::Collection::default(),
            bin: bin::Bin::default(),
            waker,
            library,
            shelf,
        }
    }

    /// What is called when something has arrived.
    pub fn waker(&self) -> Waker {
        Arc::clone(&self.waker)
    }

    /// Takes events of the store that came before this controller.
    pub fn take_early(&mut self, events: Vec<store::Event>) {
        events.into_iter().for_each(|event| self.take(event));
    }

    /// Takes what has arrived from engine and store until `budget` is spent; says whether more may be waiting.
    pub fn pump(&mut self, budget: Duration) -> bool {
        let deadline = Instant::now() + budget;
        self.engine = self.backend.engine();
        if let Some(offset) = self.utc_offset.as_ref().and_then(|offset| offset.try_recv().ok()) {
            self.utc_offset = None;
            self.utc_offset_secs = offset.unwrap_or(0);
        }
        if let Some(change) = self.shelf.poll(self.backend.as_mut(), &self.settings) {
            self.engine = self.backend.engine();
            self.model_changed(change);
        }
        if let Some(problem) = self.shelf.lost.take() {
            let detail = format!("{problem}. Another one is loaded instead.");
            self.notify(Notice::new(Severity::Warning, "The model of the last run is gone", &detail));
        }
        self.take_read_files();
        self.take_exported();
        self.count();
        self.submit_waiting();
        let mut more = false;
        let mut writes = Vec::new();
        for conversation in self.conversations.values_mut() {
            let running = conversation.answer.as_ref().map(|answer| (answer.message, answer.begun()));
            let (new, unfinished) = conversation.drain(deadline);
            writes.extend(new);
            more |= unfinished;
            if let Some((message, begun)) = running.filter(|_| conversation.answer.is_none()) {
                self.ended.extend(Ended::of(conversation, message, begun));
            }
        }
        self.write_all(writes);
        more |= self.drain_store(deadline);
        self.send_out();
        let (open, opening) = (self.open, self.opening);
        self.conversations
            .retain(|id, kept| kept.answer.is_some() || Some(*id) == open || Some(*id) == opening);
        more
    }

    /// State of the engine, as of the last pump.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Status of the engine, once it runs.
    pub fn engine_status(&self) -> Option<&EngineStatus> {
        match &self.engine {
            Engine::Ready(status) => Some(status),
            Engine::Starting | Engine::Failed(_) => None,
        }
    }

    /// The model that answers.
    pub fn model(&self) -> Option<&ModelStatus> {
        self.shelf.chosen_status(self.engine_status())
    }

    /// The conversation shown; `None` for a new chat.
    pub fn conversation(&self) -> Option<&Conversation> {
        self.conversations.get(&self.open?)
    }

    /// Id of the chat shown or being opened; `None` for a new chat.
    pub fn open_id(&self) -> Option<ChatId> {
        self.opening.or(self.open)
    }

    /// Whether an answer is being written into this chat.
    pub fn is_writing(&self, chat: ChatId) -> bool {
        self.conversations.get(&chat).is_some_and(|conversation| conversation.answer.is_some())
    }

    /// Whether what is typed and answered reaches the disk; `None` until the store has said.
    pub fn saving(&self) -> Option<&Saving> {
        self.saving.as_ref()
    }

    /// Adds a notice for the user.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }

    /// Next notice for the user.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// A value remembered by the store: outer `None` until it has answered.
    pub fn remembered(&self, name: &str) -> Option<Option<&str>> {
        self.states.get(name).map(Option::as_deref)
    }

    /// Asks the store for a remembered value.
    pub fn recall(&mut self, name: &str) {
        self.questions.push_back(Query::State(name.to_owned()));
    }

    /// Remembers a value across starts.
    pub fn remember(&mut self, name: &str, value: &str) {
        self.states.insert(name.to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty()));
        self.write_all([Write::SetState { name: name.to_owned(), value: value.to_owned() }]);
    }

    /// Seconds to add to UTC for local time.
    pub fn utc_offset_secs(&self) -> i64 {
        self.utc_offset_secs
    }

    /// Shows an empty chat; it is stored with its first message.
    pub fn new_chat(&mut self) {
        self.open = None;
        self.opening = None;
        self.next_model = None;
        self.set_up = SetUp::default();
        self.remember(store::state::LAST_CHAT, "");
    }

    /// Opens a chat.
    pub fn open_chat(&mut self, id: ChatId) {
        if self.conversations.contains_key(&id) {
            self.open = Some(id);
            self.opening = None;
            self.follow_model();
        } else {
            self.opening = Some(id);
            self.questions.push_back(Query::Chat(id));
        }
        self.remember(store::state::LAST_CHAT, &id.0.to_string());
    }

    /// Renames a chat; a blank title changes nothing.
    pub fn rename(&mut self, id: ChatId, title: &str) {
        let title = title.trim();
        if title.is_empty() {
            return;
        }
        if let Some(conversation) = self.conversations.get_mut(&id) {
            title.clone_into(&mut conversation.chat.title);
        }
        if let Some(chat) = self.library.chats.iter_mut().find(|chat| chat.id == id) {
            title.clone_into(&mut chat.title);
        }
        self.write_all([Write::Rename { chat: id, title: title.to_owned() }]);
        self.library.refresh();
    }

    /// Looks for chats with this text in their title or in a message.
    pub fn search(&mut self, text: &str) {
        self.library.look_for(text);
    }

    /// Chooses a model of the shelf.
    pub fn choose_model(&mut self, choice: &Choice) {
        self.next_model = None;
        let status = match &self.engine {
            Engine::Ready(status) => Some(status),
            Engine::Starting | Engine::Failed(_) => None,
        };
        if let Some(change) = self.shelf.choose(choice, status) {
            self.model_changed(change);
        }
    }

    /// Adds a model file to the shelf and chooses it.
    pub fn open_model(&mut self, path: &Path) {
        let choice = self.shelf.add(path);
        self.choose_model(&choice);
    }

    /// Frees a resident model that is not the chosen one.
    pub fn unload_model(&mut self, id: &str) {
        if self.shelf.chosen.as_deref() != Some(id) {
            self.backend.unload(id);
        }
    }

    /// Id of the model that the next message goes to: the chat's own, else the one on its way, else the chosen one.
    fn model_to_ask(&self) -> Option<String> {
        let coming = self.shelf.loading.as_ref().map(|loading| loading.choice.id.clone());
        let own = self.next_model.as_ref().map(|choice| choice.id.clone());
        own.or(coming).or_else(|| self.model().map(|model| model.id.clone()))
    }

    fn model_changed(&mut self, change: Change) {
        match change {
            Change::Loaded(id) => {
                self.counter.forget_failures();
                log::info!("model {id:?} is loaded");
                let path = self
                    .shelf
                    .choices
                    .iter()
                    .find(|choice| choice.id == id)
                    .map(|choice| choice.path.clone());
                if let Some(path) = path {
                    self.remember(LAST_MODEL, &path.to_string_lossy());
                }
            }
            Change::Refused(refusal) => {
                log::warn!("model {:?} was refused: {}", refusal.choice.id, refusal.failure);
                let mut writes = Vec::new();
                for conversation in self.conversations.values_mut() {
                    let waiting = conversation.answer.as_ref().is_some_and(|answer| !answer.submitted());
                    if waiting {
                        let problem = Some(refusal.failure.text.clone());
                        writes.extend(conversation.finish(MessageState::Failed, problem));
                    }
                }
                self.write_all(writes);
            }
        }
    }

    fn drain_store(&mut self, deadline: Instant) -> bool {
        while let Some(event) = self.store.try_next() {
            self.take(event);
            if Instant::now() >= deadline {
                return true;
            }
        }
        false
    }

    fn write_all(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.outbox.extend(writes);
        self.send_out();
    }

    /// Hands writes and questions to the store in order; what it cannot take now stays for the next time.
    fn send_out(&mut self) {
        while let Some(write) = self.outbox.front() {
            let Ok(ticket) = self.store.write(write.clone()) else { return };
            self.told = ticket;
            self.outbox.pop_front();
        }
        self.questions.extend(self.library.questions());
        self.questions.extend(self.finder.question());
        while let Some(question) = self.questions.front() {
            if self.store.ask(question.clone()).is_err() {
                return;
            }
            self.questions.pop_front();
        }
    }
}

/// A title from the first line of a message, cut at a word.
fn title_from(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("New chat");
    if line.chars().count() <= TITLE_CHARS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(TITLE_CHARS).collect();
    let words = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{words}…")
}

fn ask_utc_offset(waker: Waker) -> Receiver<Option<i64>> {
    let (sender, receiver) = channel();
    let wake = Arc::clone(&waker);
    let spawned = std::thread::Builder::new().name("clock".to_owned()).spawn(move || {
        if sender.send(clock::utc_offset_secs()).is_ok() {
            wake();
        }
    });
    // Without the thread the list is grouped by days of UTC.
    drop(spawned);
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_cut_at_a_word() {
        assert_eq!(title_from("\n  Short one \nmore"), "Short one");
        let long = title_from(&"word ".repeat(40));
        assert!(long.ends_with("word…") && long.chars().count() <= TITLE_CHARS + 1, "{long}");
        assert_eq!(title_from(&"x".repeat(100)).chars().count(), TITLE_CHARS + 1);
    }
}
