//! The pages with the strings of the design's comps, to be laid beside them. Their figures are illustrations, measured by nobody:
//! these pictures are never kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eframe::egui::{Key, Modifiers, vec2};
use onebit::chat::Engine;
use onebit::settings::Group;
use onebit::shell::{Command, Part};
use onebit::store::{
    AnswerStats, Chat, ChatId, ChatSampling, Folder, Message, MessageId, Persona, Role, Saving, Store, Write,
    now_millis, state,
};
use onebit_engine::session::{EngineStatus, LoadEvent, ModelStatus};

use super::studio::{Light, open_over};
use crate::script::{Window, model, ready, scripted, started, text};

const DAY_MILLIS: i64 = 86_400_000;
const MODEL: &str = "BitNet b1.58 2B-4T";

const DECODE: &str = "Why is decode limited by memory and not by the ALUs? Keep it short.";
const BYTES: &str = "Decode reads every weight once per token and uses each one for a single multiply-add. The arithmetic is tiny; the \
    traffic is not.\n\n- **Bytes moved.** BitNet 2B-4T reads 1,194 MB per token: 537 MB of ternary weights and 657 MB for the f16 LM \
    head.\n- **Work done.** 2.4 billion multiply-adds, well under a millisecond for 40 compute units.\n- **Ceiling.** At a measured 223 \
    GB/s those bytes take 5.4 ms, so no kernel can pass 187 tok/s.\n\nThe levers are all about bytes: a smaller LM head, 1.6 bits per \
    weight instead of 2, an int8 KV cache.";
const HEAD: &str = "How much would a 4-bit LM head save?";
const SAVING: &str = "It is the largest single saving left. At 4.5 bits per weight the head drops from 657 MB to **185 MB**, so a token \
    reads 722 MB instead of 1,194 MB: `1194 / 722 = 1.65` times less traffic.\n\nAt the same bandwidth that is 3.2 ms instead of 5.4 ms \
    per token, as long as the coarse pass is followed by exact re-scoring of the best ";
const SAVED: &str = "It is the largest single saving left. At 4.5 bits per weight the head drops from 657 MB to **185 MB**, so a token \
    reads 722 MB instead of 1,194 MB: `1194 / 722 = 1.65` times less traffic.\n\nAt the same bandwidth that is 3.2 ms instead of 5.4 ms \
    per token, or 309 tok/s as the new ceiling. The coarse pass has to be followed by exact re-scoring of the best 64 candidates, which \
    costs about 0.1 ms and keeps greedy output identical.";
const UNPACK: &str = "<think>Two bits.</think>```rust\nfn unpack_tq2_0(qs: &[u8; 64], d: f32, out: &mut [f32; 256]) {\n    let mut i = 0;\n    \
    for half in qs.chunks_exact(32) {\n        for shift in [0, 2, 4, 6] {\n            for &byte in half {\n                out[i] = \
    (((byte >> shift) & 3) as f32 - 1.0) * d;\n                i += 1;\n            }\n        }\n    }\n}\n```\n\n| Packing | Bits per \
    weight | Block | Scale |\n|---|--:|--:|---|\n| `TQ2_0` | 2.0625 | 256 | f16 |\n| `TQ1_0` | 1.6875 | 256 | f16 |\n| `Q1_0` | 1.1250 | \
    128 | f16 |";

type Draw = fn(&Path) -> Window;

const TITLES: [(&str, i64); 9] = [
    ("Unpack TQ2_0 in Rust", 0),
    ("Sherry vs TQ1 on the 8060S", 0),
    ("systemd unit for onebit serve", 1),
    ("GTT limit on a 128 GB box", 1),
    ("Summarise the 6.18 changelog", 1),
    ("Regex for log timestamps", 3),
    ("RoPE, split-half or interleaved", 4),
    ("Translate the install guide", 5),
    ("Starter prompt notes", 9),
];

/// Folders with the number of their chats.
const FOLDERS: [(&str, usize); 2] = [("Kernel notes", 14), ("Home server", 6)];

/// Every comp by its name, with its page.
pub const ALL: [(&str, Draw); 9] = [
    ("chat-dark", |folder| writing(folder, 1280.0, 800.0)),
    ("chat-900-dark", |folder| writing(folder, 900.0, 600.0)),
    ("chat-1920-dark", |folder| writing(folder, 1920.0, 1200.0)),
    ("chat-light", finished),
    ("chat-branch-dark", branch),
    ("chat-empty-light", empty),
    ("settings-light", settings),
    ("palette-dark", palette),
    ("components-dark", dialog),
];

struct Pages {
    store: Store,
    count: i64,
}

impl Pages {
    fn open(folder: &Path) -> Self {
        let store = Store::open(&folder.join("chats.db"), Arc::new(|| {})).unwrap();
        Self { store, count: 0 }
    }

    fn write(&self, write: Write) {
        while self.store.write(write.clone()).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn chat(&mut self, title: &str, days: i64, change: impl FnOnce(&mut Chat)) -> ChatId {
        self.count += 1;
        let mut chat = Chat::new(title, MODEL);
        chat.updated_millis = now_millis() - days * DAY_MILLIS - self.count;
        change(&mut chat);
        let id = chat.id;
        self.write(Write::PutChat(chat));
        id
    }

    fn ask(&self, chat: ChatId, parent: Option<MessageId>, words: &str) -> MessageId {
        let message = Message::complete(chat, parent, Role::User, words);
        let id = message.id;
        self.write(Write::AddMessage(message));
        id
    }

    fn answer(&self, chat: ChatId, parent: MessageId, words: &str, stats: AnswerStats) -> MessageId {
        let mut message = Message::complete(chat, Some(parent), Role::Assistant, words);
        message.stats = AnswerStats { lane: "hip-gfx1151".to_owned(), model: MODEL.to_owned(), ..stats };
        let id = message.id;
        self.write(Write::AddMessage(message));
        id
    }

    fn others(&mut self) {
        for (name, chats) in FOLDERS {
            let folder = Folder::new(name);
            self.write(Write::PutFolder(folder.clone()));
            for number in 1..=chats {
                self.chat(&format!("{name} {number}"), 20, |chat| chat.folder = Some(folder.id));
            }
        }
        for (title, days) in TITLES {
            if title != "Unpack TQ2_0 in Rust" {
                self.chat(title, days, |chat| chat.pinned = days == 9);
            }
        }
    }

    fn close(self, open: ChatId) {
        self.write(Write::SetState { name: state::LAST_CHAT.to_owned(), value: open.0.to_string() });
        assert_eq!(self.store.close(), Saving::Yes);
    }
}

fn figures(tok_per_sec: f64, tokens: u32, first: f64) -> AnswerStats {
    let decode_millis = f64::from(tokens - 1) / tok_per_sec * 1e3;
    AnswerStats { tokens, prefill_millis: first, decode_millis, prompt_tokens: 100, ..AnswerStats::default() }
}

/// The chat of most comps; its persona answers in five sentences.
fn fill(folder: &Path, answered: bool) {
    let mut pages = Pages::open(folder);
    let system = "Answer in at most five sentences. Prefer numbers with units. Say when you are not sure.";
    let sampling = ChatSampling {
        temperature: Some(0.6),
        repetition_penalty: Some(1.05),
        seed: Some(42),
        ..ChatSampling::default()
    };
    let persona = Persona::new("Concise engineer", system, sampling.clone());
    pages.write(Write::PutPersona(persona.clone()));
    let chat = pages.chat("Why decode is memory-bound", 0, |chat| {
        chat.system = system.to_owned();
        chat.sampling = sampling;
        chat.persona = Some(persona.id);
    });
    let first = pages.ask(chat, None, DECODE);
    let bytes = pages.answer(chat, first, BYTES, figures(83.2, 126, 142.0));
    if answered {
        let second = pages.ask(chat, Some(bytes), HEAD);
        pages.answer(chat, second, SAVED, figures(83.4, 118, 96.0));
    }
    pages.chat("Unpack TQ2_0 in Rust", 0, |_| {});
    pages.others();
    pages.close(chat);
}

fn hip() -> EngineStatus {
    let Engine::Ready(status) = ready() else { panic!("it is ready") };
    EngineStatus {
        lane: "hip-gfx1151",
        memory_budget_bytes: 72 << 30,
        memory_used_bytes: (1.6 * f64::from(1 << 30)) as u64,
        ..status
    }
}

fn open(folder: &Path, light: Light) -> (Window, crate::script::Shared) {
    let (backend, script) = scripted(Engine::Ready(hip()));
    let bitnet = ModelStatus { packing: "TQ2_0".to_owned(), context: 4096, ..model("starter") };
    let bitnet = ModelStatus { id: MODEL.to_owned(), name: MODEL.to_owned(), ..bitnet };
    script.borrow_mut().load_events.push_back(LoadEvent::Loaded(bitnet));
    let mut window = open_over(folder, light, backend, vec![super::studio::found(MODEL)]);
    window.until("the model is loaded", |window| window.harness.state().controller.model().is_some());
    window.until("the chats are listed", |window| window.harness.state().controller.library.known);
    window.steps(10);
    (window, script)
}

fn writing(folder: &Path, width: f32, height: f32) -> Window {
    fill(folder, false);
    let (mut window, script) =
        open(folder, Light { size: vec2(width, height), dark: true, text_percent: 100 });
    window.until("the chat is shown", |window| window.shows("Answer again"));
    window.send(HEAD);
    script.borrow_mut().events.extend([started(), text(SAVING)]);
    window.steps(6);
    window
}

fn finished(folder: &Path) -> Window {
    fill(folder, true);
    let (mut window, _) = open(folder, Light { size: vec2(1280.0, 800.0), dark: false, text_percent: 100 });
    window.until("the chat is shown", |window| window.shows("Answer again"));
    let file = folder.join("bench-2b-hip.json");
    std::fs::write(&file, "{\"lane\": \"hip\"}\n".repeat(300)).unwrap();
    window.harness.state_mut().controller.attach([file]);
    window.until("the file is read", |window| window.shows_part("bench-2b-hip.json"));
    window.type_message("Compare that with the numbers in this run");
    window.steps(6);
    window
}

fn branch(folder: &Path) -> Window {
    let mut pages = Pages::open(folder);
    let system = "You are a careful systems programmer. Answer with working code first, then explain in at most three sentences.";
    let decode = pages.chat("Why decode is memory-bound", 0, |_| {});
    pages.ask(decode, None, DECODE);
    let chat = pages.chat("Unpack TQ2_0 in Rust", 0, |chat| {
        chat.system = system.to_owned();
        chat.sampling = ChatSampling {
            temperature: Some(0.6),
            repetition_penalty: Some(1.05),
            seed: Some(42),
            ..ChatSampling::default()
        };
    });
    let words = "Unpack one TQ2_0 block in Rust, then compare the packings.";
    let [_, second, _] = ["Unpack one block.", words, "Unpack it."].map(|words| pages.ask(chat, None, words));
    let thought = AnswerStats { thinking_tokens: 214, thinking_millis: 2400.0, ..figures(88.6, 464, 118.0) };
    let leaf = pages.answer(chat, second, UNPACK, thought);
    pages.write(Write::ShowLeaf { chat, leaf });
    pages.others();
    pages.close(chat);
    let (mut window, _) = open(folder, Light { size: vec2(1280.0, 800.0), dark: true, text_percent: 100 });
    window.until("the chat is shown", |window| window.shows_part("Thought for"));
    window.press(Modifiers::COMMAND, Key::I);
    window.steps(10);
    window
}

fn empty(folder: &Path) -> Window {
    let (backend, script) = scripted(ready());
    script.borrow_mut().load_events.push_back(LoadEvent::Loaded(model("starter")));
    let light = Light { size: vec2(1280.0, 800.0), dark: false, text_percent: 100 };
    let mut window = open_over(folder, light, backend, vec![super::studio::found("starter")]);
    window.until("the model is loaded", |window| window.harness.state().controller.model().is_some());
    window.until("the store has answered", |window| window.harness.state().controller.library.known);
    let card = window.rect("Explain a term: What is photosynthesis?").center();
    window.harness.hover_at(card);
    window.steps(4);
    window
}

fn settings(folder: &Path) -> Window {
    fill(folder, true);
    let (mut window, _) = open(folder, Light { size: vec2(1280.0, 800.0), dark: false, text_percent: 100 });
    window.act(Command::ShowSettings(Part::Values(Group::General)));
    window.steps(10);
    window
}

fn palette(folder: &Path) -> Window {
    let mut window = writing(folder, 1280.0, 800.0);
    window.press(Modifiers::COMMAND, Key::K);
    window.type_text("mod");
    window.steps(10);
    window
}

/// Toast, menu and dialog of `components`.
fn dialog(folder: &Path) -> Window {
    let mut window = writing(folder, 1280.0, 800.0);
    window.click("Menu of GTT limit on a 128 GB box");
    window.steps(4);
    window
}
