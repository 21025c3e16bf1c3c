//! What a frame of the chat page costs the program itself, without a display and without rasterising: layout, painting into shapes,
//! tessellation. A chat of 200 messages is open among 10,000, and a scripted engine writes 500 tokens a second.
//!
//! `cargo run --release -p onebit --example chat_frames [CHATS [folder]]`; with `folder` the chats are all in one, which
//! is open. Prints one line a scenario. Promised are under 8 ms a frame and
//! text that is at most 50 ms late. The chats are in a temporary folder.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use eframe::App as _;
use eframe::egui::{self, Context, Event as Input, Pos2, RawInput, Rect, vec2};
use onebit::chat::backend::{Generating, Loading};
use onebit::chat::{Backend, Controller, Engine, Listing, Shelf, Waker};
use onebit::models::{FoundModel, Origin};
use onebit::store::{Chat, Folder, Message, MessageId, Role, Store, Write, state};
use onebit::window::{Desktop, Outside, preferences};
use onebit_engine::session::{
    EngineOptions, EngineStatus, Event, LoadEvent, LoadOptions, ModelStatus, Request, StopReason,
    SubmitError, Token, Usage,
};

/// Chats in the list, unless the first argument says another number.
const CHATS: usize = 10_000;
/// Messages of the chat that is open.
const MESSAGES: usize = 200;
/// Tokens a second.
const RATE: f64 = 500.0;
/// Time between two frames.
const FRAME: Duration = Duration::from_micros(16_667);

/// An engine that writes a text at [`RATE`].
struct Writer {
    pieces: Vec<&'static str>,
    written: usize,
    begun: Option<Instant>,
    loaded: bool,
}

#[derive(Clone)]
struct Scripted(Rc<RefCell<Writer>>);

impl Backend for Scripted {
    fn engine(&mut self) -> Engine {
        let loaded = self.0.borrow().loaded;
        Engine::Ready(EngineStatus {
            lane: "cpu-avx2",
            threads: 2,
            notice: None,
            models: loaded.then(model).into_iter().collect(),
            slots: Vec::new(),
            running: 0,
            queued: 0,
            memory_budget_bytes: 8 << 30,
            memory_used_bytes: 1 << 30,
        })
    }

    fn load(&mut self, _: LoadOptions) -> Option<Box<dyn Loading>> {
        Some(Box::new(self.clone()))
    }

    fn restart(&mut self, _: EngineOptions) {}

    fn unload(&mut self, _: &str) {}

    fn submit(&mut self, _: Request) -> Result<Box<dyn Generating>, SubmitError> {
        self.0.borrow_mut().begun = Some(Instant::now());
        Ok(Box::new(self.clone()))
    }
}

impl Loading for Scripted {
    fn try_next(&self) -> Option<LoadEvent> {
        let fresh = !std::mem::replace(&mut self.0.borrow_mut().loaded, true);
        fresh.then(|| LoadEvent::Loaded(model()))
    }
}

impl Generating for Scripted {
    fn try_next(&self) -> Option<Event> {
        let mut writer = self.0.borrow_mut();
        let due = (writer.begun?.elapsed().as_secs_f64() * RATE) as usize;
        if writer.written >= due.min(writer.pieces.len()) {
            if writer.written < writer.pieces.len() {
                return None;
            }
            writer.begun = None;
            return Some(Event::Done { reason: StopReason::EndOfText, usage: Usage::default() });
        }
        let text = writer.pieces[writer.written].to_owned();
        writer.written += 1;
        Some(Event::Text { text, tokens: vec![Token { id: 1, logprob: None, top: Vec::new() }] })
    }

    fn cancel(&self) {}
}

fn model() -> ModelStatus {
    ModelStatus {
        id: "starter".to_owned(),
        path: PathBuf::from("starter.gguf"),
        name: "starter".to_owned(),
        packing: "TQ1_0".to_owned(),
        context: 1 << 20,
        weight_bytes: 36_175_872,
        bytes_per_token: 36_000_000,
        kv_reserved_bytes: 0,
        kv_used_bytes: 0,
        n_layers: 30,
    }
}

const PROSE: &str = "Decode reads **every weight** once per token and uses each one for a single multiply-add; the `arithmetic` is tiny, \
    the traffic is not. ";
const LIST: &str = "\n\n- first of a few items, with enough words to wrap at the end of the line when it is long\n- second\n- third\n\n";
const CODE: &str = "fn unpack(qs: &[u8; 64], d: f32, out: &mut [f32; 256]) {\n    let mut i = 0; // counts\n    for half in \
    qs.chunks_exact(32) {\n        out[i] = (half[0] & 3) as f32 * d + \"text\".len() as f32;\n        i += 1;\n    }\n}\n";
const TABLE: &str =
    "\n\n| Packing | Bits | Block |\n|---|--:|--:|\n| TQ2_0 | 2.06 | 256 |\n| TQ1_0 | 1.69 | 256 |\n\n";

fn answer_text() -> String {
    format!("{}{LIST}```rust\n{}```\n{TABLE}{}", PROSE.repeat(4), CODE.repeat(3), PROSE.repeat(3))
}

/// Fills a store and remembers the long chat as the one to open.
fn fill(store: &Store, chats: usize) {
    let folder = std::env::args().nth(2).filter(|word| word == "folder").map(Folder::new);
    let mut unsent = Vec::new();
    for number in 0..chats {
        let chat = Chat::new(format!("Chat number {number} about something"), "starter");
        unsent.push(Write::PutChat(Chat { folder: folder.as_ref().map(|folder| folder.id), ..chat }));
    }
    if let Some(folder) = folder {
        let value = folder.id.0.to_string();
        unsent.push(Write::SetState { name: state::OPEN_FOLDERS.to_owned(), value });
        unsent.push(Write::PutFolder(folder));
    }
    let chat = Chat::new("The long one", "starter");
    unsent.push(Write::PutChat(chat.clone()));
    let mut parent: Option<MessageId> = None;
    for index in 0..MESSAGES {
        let (role, text) = if index % 2 == 0 {
            (Role::User, "Why is decode limited by memory? Keep it short, with code and a table.".to_owned())
        } else {
            (Role::Assistant, answer_text())
        };
        let message = Message::complete(chat.id, parent, role, text);
        parent = Some(message.id);
        unsent.push(Write::AddMessage(message));
    }
    unsent.push(Write::SetState { name: state::LAST_CHAT.to_owned(), value: chat.id.0.to_string() });
    for write in unsent {
        while store.write(write.clone()).is_err() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

struct Bench {
    ctx: Context,
    desktop: Desktop,
    frame: eframe::Frame,
    begun: Instant,
    writer: Rc<RefCell<Writer>>,
}

impl Bench {
    fn open(folder: &std::path::Path, chats: usize) -> Self {
        let path = folder.join("chats.db");
        let waker: Waker = Arc::new(|| {});
        let store = Store::open(&path, Arc::clone(&waker)).expect("a temporary folder takes a database");
        fill(&store, chats);
        store.close();
        let store = Store::open(&path, Arc::clone(&waker)).expect("a temporary folder takes a database");
        let (sender, listing) = channel();
        let file = PathBuf::from("starter.gguf");
        let found =
            FoundModel { id: "starter".to_owned(), path: file, origin: Origin::Data, bytes: 36_175_872 };
        sender
            .send(Listing { found: vec![found.clone()], first: Ok(found), lost: None })
            .expect("the receiver is held here");
        let writer =
            Rc::new(RefCell::new(Writer { pieces: Vec::new(), written: 0, begun: None, loaded: false }));
        let backend = Box::new(Scripted(Rc::clone(&writer)));
        let preferences = preferences::for_tests(&folder.join("settings.toml"), Arc::clone(&waker));
        let controller = Controller::new(backend, store, Shelf::from_listing(listing), waker)
            .with_settings(preferences.settings.clone());
        let ctx = Context::default();
        let mut desktop = Desktop::without_window(controller, preferences, Outside::nobody());
        desktop.enter(&ctx);
        let frame = eframe::Frame::_new_kittest();
        Self { ctx, desktop, frame, begun: Instant::now(), writer }
    }

    /// One frame; gives what it cost.
    fn frame(&mut self, events: Vec<Input>) -> Duration {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1280.0, 800.0))),
            time: Some(self.begun.elapsed().as_secs_f64()),
            focused: true,
            events,
            ..RawInput::default()
        };
        let before = Instant::now();
        let (desktop, frame) = (&mut self.desktop, &mut self.frame);
        let mut output = self.ctx.run_ui(input, |ui| {
            let ctx = ui.ctx().clone();
            desktop.logic(&ctx, frame);
            desktop.ui(ui, frame);
        });
        let primitives = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        std::hint::black_box(primitives.len());
        let cost = before.elapsed();
        // Nobody draws.
        output.textures_delta.clear();
        cost
    }

    fn until(&mut self, condition: impl Fn(&Desktop) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !condition(&self.desktop) {
            assert!(Instant::now() < end, "waited in vain");
            self.frame(Vec::new());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs frames at 60 Hz for a while and prints what they cost.
    fn measure(&mut self, name: &str, time: Duration, mut events: impl FnMut(usize) -> Vec<Input>) {
        let end = Instant::now() + time;
        let mut costs = Vec::new();
        let mut worst_late = Duration::ZERO;
        while Instant::now() < end {
            let due = Instant::now() + FRAME;
            let shown_before = self.writer.borrow().written;
            let cost = self.frame(events(costs.len()));
            costs.push(cost);
            let writer = self.writer.borrow();
            if let Some(begun) = writer.begun.filter(|_| writer.written > shown_before) {
                // The first token that this frame shows has waited the longest.
                let came = begun + Duration::from_secs_f64((shown_before + 1) as f64 / RATE);
                worst_late = worst_late.max(Instant::now().saturating_duration_since(came));
            }
            drop(writer);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        report(name, costs, worst_late);
    }

    fn stream(&mut self, name: &str, text: String) {
        let text: &'static str = text.leak();
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.char_indices().nth(4).map_or(rest.len(), |(at, _)| at);
            let (piece, after) = rest.split_at(end);
            pieces.push(piece);
            rest = after;
        }
        let time = Duration::from_secs_f64(pieces.len() as f64 / RATE);
        *self.writer.borrow_mut() = Writer { pieces, written: 0, begun: None, loaded: true };
        assert!(self.desktop.controller.send("Go on"), "the model is there and nothing is being written");
        self.desktop.chat.transcript.go_to_end();
        self.measure(name, time, |_| Vec::new());
        self.until(|desktop| desktop.controller.conversation().is_some_and(|shown| shown.answer.is_none()));
    }
}

#[expect(clippy::print_stdout, reason = "the report of a command")]
fn report(name: &str, mut costs: Vec<Duration>, worst_late: Duration) {
    costs.sort();
    let at = |part: f64| costs[((costs.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let late = if worst_late.is_zero() {
        String::new()
    } else {
        format!(", text at most {:.1} ms late", worst_late.as_secs_f64() * 1e3)
    };
    println!(
        "{name}: {} frames, median {:.2} ms, 99 % {:.2} ms, worst {:.2} ms{late}",
        costs.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chats = std::env::args().nth(1).and_then(|chats| chats.parse().ok()).unwrap_or(CHATS);
    let mut bench = Bench::open(folder.path(), chats);
    bench.until(|desktop| {
        let opened = desktop.controller.conversation().is_some_and(|shown| shown.messages.len() == MESSAGES);
        opened && desktop.controller.model().is_some() && desktop.controller.library.known
    });
    for _ in 0..30 {
        bench.frame(Vec::new());
    }
    let moved = |number: usize| vec![Input::PointerMoved(egui::pos2(700.0 + (number % 50) as f32, 300.0))];
    bench.measure("repainted while the pointer moves", Duration::from_secs(3), moved);
    bench.measure("scrolled through the chat", Duration::from_secs(5), |number| {
        let mut events = moved(number);
        events.push(Input::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: vec2(0.0, if number % 240 < 200 { 120.0 } else { -600.0 }),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        events
    });
    bench.stream("prose of 6,000 tokens at 500 tok/s", PROSE.repeat(24_000 / PROSE.len()));
    bench.stream(
        "code of 4,000 tokens at 500 tok/s",
        format!("```rust\n{}", CODE.repeat(16_000 / CODE.len())),
    );
    let item = LIST.trim();
    bench.stream("list of 4,000 tokens at 500 tok/s", format!("{item}\n").repeat(16_000 / item.len()));
    let (head, row) = ("| Packing | Bits | Block |\n|---|--:|--:|\n", "| TQ2_0 with `code` | 2.06 | 256 |\n");
    bench.stream("table of 4,000 tokens at 500 tok/s", format!("{head}{}", row.repeat(16_000 / row.len())));
    let thought = format!("<think>\n{}", PROSE.repeat(16_000 / PROSE.len()));
    bench.stream("reasoning of 4,000 tokens at 500 tok/s", thought);
}
