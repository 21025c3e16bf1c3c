//! An engine that does what a test says, and a window over it and over a real store in a folder of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use eframe::egui;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use onebit::chat::backend::{Generating, Loading};
use onebit::chat::{Backend, Controller, Engine, Listing, Shelf, Waker};
use onebit::models::{FoundModel, Origin};
use onebit::store::Store;
use onebit::window::{Desktop, Outside, Preferences, preferences};
use onebit_engine::session::{
    EngineOptions, EngineStatus, Event, LoadEvent, LoadOptions, ModelStatus, Prompt, Request, StopReason,
    SubmitError, Token, Usage,
};

/// How long anything may take; a busy computer is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the scripted engine was asked and what it answers.
pub struct Script {
    pub engine: Engine,
    pub loads: Vec<LoadOptions>,
    pub load_events: VecDeque<LoadEvent>,
    pub requests: Vec<Request>,
    pub events: VecDeque<Event>,
    pub cancels: usize,
    pub unloads: Vec<String>,
    pub restarts: Vec<EngineOptions>,
}

pub type Shared = Rc<RefCell<Script>>;

impl Script {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            loads: Vec::new(),
            load_events: VecDeque::new(),
            requests: Vec::new(),
            events: VecDeque::new(),
            cancels: 0,
            unloads: Vec::new(),
            restarts: Vec::new(),
        }
    }
}

struct Scripted(Shared);

impl Backend for Scripted {
    fn engine(&mut self) -> Engine {
        self.0.borrow().engine.clone()
    }

    fn load(&mut self, options: LoadOptions) -> Option<Box<dyn Loading>> {
        let mut script = self.0.borrow_mut();
        if !matches!(script.engine, Engine::Ready(_)) {
            return None;
        }
        script.loads.push(options);
        Some(Box::new(Scripted(Rc::clone(&self.0))))
    }

    fn restart(&mut self, options: EngineOptions) {
        self.0.borrow_mut().restarts.push(options);
    }

    fn unload(&mut self, id: &str) {
        self.0.borrow_mut().unloads.push(id.to_owned());
    }

    fn submit(&mut self, request: Request) -> Result<Box<dyn Generating>, SubmitError> {
        self.0.borrow_mut().requests.push(request);
        Ok(Box::new(Scripted(Rc::clone(&self.0))))
    }
}

impl Loading for Scripted {
    fn try_next(&self) -> Option<LoadEvent> {
        let mut script = self.0.borrow_mut();
        let event = script.load_events.pop_front()?;
        if let (LoadEvent::Loaded(model), Engine::Ready(status)) = (&event, &mut script.engine) {
            status.models.push(model.clone());
        }
        Some(event)
    }
}

impl Generating for Scripted {
    fn try_next(&self) -> Option<Event> {
        self.0.borrow_mut().events.pop_front()
    }

    fn cancel(&self) {
        let mut script = self.0.borrow_mut();
        script.cancels += 1;
        script.events.push_back(done(StopReason::Cancelled));
    }
}

pub fn model(id: &str) -> ModelStatus {
    ModelStatus {
        id: id.to_owned(),
        path: PathBuf::from(format!("/models/{id}.gguf")),
        name: id.to_owned(),
        packing: "TQ1_0".to_owned(),
        context: 2048,
        weight_bytes: 36_175_872,
        bytes_per_token: 36_000_000,
        kv_reserved_bytes: 0,
        kv_used_bytes: 0,
        n_layers: 30,
    }
}

pub fn ready() -> Engine {
    Engine::Ready(EngineStatus {
        lane: "cpu-avx2",
        threads: 2,
        notice: None,
        models: Vec::new(),
        slots: Vec::new(),
        running: 0,
        queued: 0,
        memory_budget_bytes: 8 << 30,
        memory_used_bytes: 100 << 20,
    })
}

pub fn started() -> Event {
    Event::Started { prompt_tokens: 12, cached_tokens: 0, lane: "cpu-avx2" }
}

pub fn text(text: &str) -> Event {
    Event::Text { text: text.to_owned(), tokens: vec![Token { id: 1, logprob: None, top: Vec::new() }] }
}

pub fn done(reason: StopReason) -> Event {
    let usage = Usage {
        prompt_tokens: 12,
        new_tokens: 5,
        prefill_millis: 40.0,
        decode_millis: 200.0,
        ..Usage::default()
    };
    Event::Done { reason, usage }
}

/// A window, its script, and the folder of its chats.
pub struct Window {
    pub harness: Harness<'static, Desktop>,
    pub script: Shared,
    copied: Option<String>,
}

/// Opens a window whose starter model loads at once.
pub fn open(folder: &Path) -> Window {
    let mut window = open_at(folder, egui::vec2(1280.0, 800.0), ready());
    window.script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    window.until("the model is loaded", |window| window.harness.state().controller.model().is_some());
    window.until("the store has answered", |window| window.harness.state().controller.library.known);
    window
}

/// Opens a window of a size over an engine in a state; the starter begins to load.
pub fn open_at(folder: &Path, size: egui::Vec2, engine: Engine) -> Window {
    let script = Rc::new(RefCell::new(Script::new(engine)));
    let backend = Box::new(Scripted(Rc::clone(&script)));
    let harness = harness(folder, size, backend, found(), Outside::nobody());
    Window { harness, script, copied: None }
}

/// Two models on the disk.
fn found() -> Vec<FoundModel> {
    let model = |id: &str| FoundModel {
        id: id.to_owned(),
        path: PathBuf::from(format!("/models/{id}.gguf")),
        origin: Origin::Data,
        bytes: 36_175_872,
    };
    ["starter", "other"].map(model).to_vec()
}

/// Opens a window as [`open`], beside which there is something else.
pub fn open_beside(folder: &Path, outside: Outside) -> Window {
    let mut window = open_unanswered(folder, outside);
    window.until("the store has answered", |window| window.harness.state().controller.library.known);
    window
}

/// Opens a window over a store that may never answer.
pub fn open_unanswered(folder: &Path, outside: Outside) -> Window {
    let script = Rc::new(RefCell::new(Script::new(ready())));
    script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    let backend = Box::new(Scripted(Rc::clone(&script)));
    let harness = harness(folder, egui::vec2(1280.0, 800.0), backend, found(), outside);
    let mut window = Window { harness, script, copied: None };
    window.until("the model is loaded", |window| window.harness.state().controller.model().is_some());
    window
}

/// Opens a window over another engine, which begins to load `model`. Its script does nothing.
pub fn open_over(folder: &Path, backend: Box<dyn Backend>, model: FoundModel) -> Window {
    let harness = harness(folder, egui::vec2(1280.0, 800.0), backend, vec![model], Outside::nobody());
    Window { harness, script: Rc::new(RefCell::new(Script::new(Engine::Starting))), copied: None }
}

/// The first of `found` is loaded first.
fn harness(
    folder: &Path,
    size: egui::Vec2,
    backend: Box<dyn Backend>,
    found: Vec<FoundModel>,
    outside: Outside,
) -> Harness<'static, Desktop> {
    let preferences = preferences::for_tests(&folder.join("settings.toml"), Arc::new(|| {}));
    harness_with(folder, size, backend, found, (preferences, outside))
}

fn harness_with(
    folder: &Path,
    size: egui::Vec2,
    backend: Box<dyn Backend>,
    found: Vec<FoundModel>,
    (preferences, outside): (Preferences, Outside),
) -> Harness<'static, Desktop> {
    let (sender, listing) = channel();
    let first = Ok(found[0].clone());
    sender.send(Listing { found, first, lost: None }).expect("the receiver is held here");
    let waker: Waker = Arc::new(|| {});
    let store = Store::open(&folder.join("chats.db"), Arc::clone(&waker))
        .expect("the store opens in an empty folder");
    let controller = Controller::new(backend, store, Shelf::from_listing(listing), waker)
        .with_settings(preferences.settings.clone());
    Harness::builder().with_size(size).with_theme(egui::Theme::Dark).build_eframe(move |creation| {
        let mut desktop = Desktop::without_window(controller, preferences, outside);
        desktop.enter(&creation.egui_ctx);
        desktop
    })
}

/// Opens a window over any engine, any models, any settings and whatever there is beside it.
pub fn open_with(
    folder: &Path,
    size: egui::Vec2,
    backend: Box<dyn Backend>,
    found: Vec<FoundModel>,
    around: (Preferences, Outside),
) -> Window {
    let harness = harness_with(folder, size, backend, found, around);
    Window { harness, script: Rc::new(RefCell::new(Script::new(Engine::Starting))), copied: None }
}

/// A scripted engine in a state, for [`open_with`], and its script.
pub fn scripted(engine: Engine) -> (Box<dyn Backend>, Shared) {
    let script = Rc::new(RefCell::new(Script::new(engine)));
    (Box::new(Scripted(Rc::clone(&script))), script)
}

impl Window {
    /// Contents of the messages of a request to the engine, which is a chat.
    pub fn asked(&self, request: usize) -> Vec<String> {
        let script = self.script.borrow();
        let (Prompt::Chat(said) | Prompt::Continue(said)) = &script.requests[request].prompt else {
            panic!("a chat")
        };
        said.iter().map(|message| message.content.clone()).collect()
    }

    /// Steps until `condition` holds; the store answers from its own thread.
    pub fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        loop {
            self.harness.step();
            if condition(self) {
                // The page shows with the next pass what this one changed.
                self.harness.step();
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// One pass.
    pub fn step(&mut self) {
        self.harness.step();
        self.take_copied();
    }

    /// Several passes.
    pub fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Carries a command out as if a control had sent it.
    pub fn act(&mut self, command: onebit::shell::Command) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().act(&ctx, command);
        self.step();
    }

    /// Presses and releases a key.
    pub fn press(&mut self, modifiers: egui::Modifiers, key: egui::Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.steps(2);
    }

    /// Types into whatever has the keyboard.
    pub fn type_text(&mut self, text: &str) {
        self.harness.event(egui::Event::Text(text.to_owned()));
        self.steps(2);
    }

    /// Whether something with this accessible name is shown, at a place in the window.
    pub fn shows(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).any(|node| self.is_in_window(&node))
    }

    /// Whether something whose accessible name holds this is shown.
    pub fn shows_part(&self, label: &str) -> bool {
        self.harness.query_all_by_label_contains(label).any(|node| self.is_in_window(&node))
    }

    fn is_in_window(&self, node: &egui_kittest::Node<'_>) -> bool {
        let all = self.harness.ctx.content_rect();
        let place = node.accesskit_node().raw_bounds();
        place.is_none_or(|place| {
            let [left, top, right, bottom] = [place.x0, place.y0, place.x1, place.y1].map(|side| side as f32);
            left < all.right() && right > all.left() && top < all.bottom() && bottom > all.top()
        })
    }

    /// Clicks what has this accessible name.
    pub fn click(&mut self, label: &str) {
        self.copied = None;
        self.harness.get_by_label(label).click();
        for _ in 0..3 {
            self.harness.step();
            self.take_copied();
        }
    }

    /// Clicks what has this role and accessible name.
    pub fn click_role(&mut self, role: egui::accesskit::Role, label: &str) {
        self.harness.get_by_role_and_label(role, label).click();
        self.steps(3);
    }

    /// Types into the composer.
    pub fn type_message(&mut self, text: &str) {
        let role = egui::accesskit::Role::MultilineTextInput;
        self.harness.get_by_role_and_label(role, "Message").focus();
        self.harness.step();
        self.harness.get_by_role_and_label(role, "Message").type_text(text);
        self.harness.step();
    }

    /// Types a message and sends it with Enter.
    pub fn send(&mut self, text: &str) {
        self.type_message(text);
        self.harness.key_press(egui::Key::Enter);
        self.harness.step();
        self.harness.step();
    }

    /// Lets the engine say something.
    pub fn engine_says(&mut self, events: impl IntoIterator<Item = Event>) {
        self.script.borrow_mut().events.extend(events);
        self.harness.step();
        self.harness.step();
    }

    /// Sends a message and has it answered.
    pub fn exchange(&mut self, question: &str, answer: &str) {
        self.send(question);
        self.engine_says([started(), text(answer), done(StopReason::EndOfText)]);
    }

    /// Text put on the clipboard by the last click.
    pub fn copied(&self) -> Option<String> {
        self.copied.clone()
    }

    fn take_copied(&mut self) {
        let commands = &self.harness.output().platform_output.commands;
        let copied = commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
        self.copied = copied.or_else(|| self.copied.take());
    }

    /// Where something with this accessible name is.
    pub fn rect(&self, label: &str) -> egui::Rect {
        let mut found = self.harness.query_all_by_label(label);
        found.next().unwrap_or_else(|| panic!("nothing is called {label:?}: {:?}", self.names())).rect()
    }

    /// Names of everything shown, for messages of failed tests.
    pub fn names(&self) -> Vec<String> {
        self.harness
            .root()
            .children_recursive()
            .filter_map(|node| node.accesskit_node().label().or_else(|| node.accesskit_node().value()))
            .collect()
    }
}
