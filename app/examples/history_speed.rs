//! What a long history costs: 10,000 chats of 20 messages are stored, then opened, listed, searched, exported and imported, while
//! something else is saved.
//!
//! `cargo run --release -p onebit --example history_speed [CHATS | EXPORT.json]`; with a file only that is imported. Prints one line a step. Times are those of the store's thread and its
//! queues, not of a window. The chats are in a temporary folder.

#![expect(clippy::print_stdout, reason = "its output is its result")]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use onebit::store::{Chat, Event, Imported, Message, Query, Role, Saving, Store, StoreError, Write, state};
use onebit::transfer::{self, Format, Progress};

const MESSAGES: usize = 20;
/// Repetitions of a search; the median is printed.
const ROUNDS: usize = 9;

/// A store with a wait for its events that does not spin.
struct Waiting {
    store: Store,
    arrived: Receiver<()>,
}

impl Waiting {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let (sender, arrived) = channel();
        let sender = std::sync::Mutex::new(sender);
        let waker = Arc::new(move || {
            // The receiver goes only with the store.
            let _ = sender.lock().map(|sender| sender.send(()));
        });
        Ok(Self { store: Store::open(path, waker)?, arrived })
    }

    fn until<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            while let Some(event) = self.store.try_next() {
                if let Some(found) = pick(event) {
                    return found;
                }
            }
            self.arrived.recv().expect("the store outlives the wait");
        }
    }

    fn write(&self, write: Write) {
        while self.store.write(write.clone()).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let argument = std::env::args().nth(1).unwrap_or_else(|| "10000".to_owned());
    let Ok(chats) = argument.parse::<usize>() else { return import(Path::new(&argument), folder.path()) };
    let database = folder.path().join("chats.db");
    let begun = Instant::now();
    fill(&database, chats)?;
    let bytes = std::fs::metadata(&database)?.len();
    println!("stored {chats} chats of {MESSAGES} messages in {:.1} s: {} MiB", secs(begun), bytes >> 20);

    let before = resident_kib();
    let begun = Instant::now();
    let waiting = Waiting::open(&database)?;
    waiting.store.ask(Query::Chats { limit: 50 })?;
    waiting.until(|event| matches!(event, Event::Chats { .. }).then_some(()));
    println!("open to first page of 50: {:.1} ms", secs(begun) * 1e3);
    let begun = Instant::now();
    waiting.store.ask(Query::Chats { limit: 50_000 })?;
    let total = waiting.until(|event| match event {
        Event::Chats { total, .. } => Some(total),
        _ => None,
    });
    println!("all {total} chats: {:.1} ms", secs(begun) * 1e3);
    for text in ["word7", "w", "word7 word13", "chat 99", "rare123456", "nothing at all"] {
        let (millis, hits) = search(&waiting, text)?;
        println!("search {text:?}: {millis:.1} ms, {hits} hits");
    }
    println!("memory for it: {} MiB", resident_kib().saturating_sub(before) >> 10);
    drop(waiting);

    let file = folder.path().join("all.json");
    let begun = Instant::now();
    transfer::export_to_file(&database, None, Format::Json, &file, &Progress::default())?;
    let megabytes = std::fs::metadata(&file)?.len() as f64 / 1e6;
    println!("export of all: {:.1} s, {megabytes:.0} MB", secs(begun));
    import(&file, folder.path())
}

/// Imports a file into an empty database, while something else is saved.
fn import(file: &Path, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let other = Waiting::open(&folder.join("other.db"))?;
    other.store.import(transfer::import_job(file.to_owned(), Arc::default()))?;
    let (imported, waits) = save_beside_import(&other)?;
    println!("import of all: {:.1} s, {} chats", secs(begun), imported.chats);
    println!(
        "saving beside it: {} times, longest wait {:.0} ms, median {:.0} ms",
        waits.len(),
        waits[waits.len() - 1],
        waits[waits.len() / 2]
    );
    Ok(())
}

/// Saves something small again and again until the import ends; gives how long each save took, in milliseconds, rising.
fn save_beside_import(waiting: &Waiting) -> Result<(Imported, Vec<f64>), Box<dyn std::error::Error>> {
    let mut waits = Vec::new();
    loop {
        let begun = Instant::now();
        let value = waits.len().to_string();
        let ticket = waiting.store.write(Write::SetState { name: state::DRAFT.to_owned(), value })?;
        let mut imported = None;
        waiting.until(|event| match event {
            Event::Imported(outcome) => {
                imported = Some(outcome);
                None
            }
            Event::Saved(saved) => (saved >= ticket).then_some(()),
            _ => None,
        });
        waits.push(secs(begun) * 1e3);
        if let Some(imported) = imported {
            waits.sort_by(f64::total_cmp);
            return Ok((imported?, waits));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn fill(database: &Path, chats: usize) -> Result<(), StoreError> {
    let waiting = Waiting::open(database)?;
    for n in 0..chats {
        let chat = Chat::new(format!("Chat {n}"), "starter");
        let id = chat.id;
        let mut parent = None;
        waiting.write(Write::PutChat(chat));
        for m in 0..MESSAGES {
            let role = if m % 2 == 0 { Role::User } else { Role::Assistant };
            let message = Message::complete(id, parent, role, text(n * MESSAGES + m));
            parent = Some(message.id);
            waiting.write(Write::AddMessage(message));
        }
    }
    assert_eq!(waiting.store.close(), Saving::Yes, "the temporary folder can be written");
    Ok(())
}

/// About 400 bytes of words, of which some are in every message, some in few, and one in this only.
fn text(seed: usize) -> String {
    let words: Vec<String> =
        (0..56).map(|place| format!("word{}", (seed * 31 + place * place * 7) % 5000)).collect();
    format!("{} rare{seed}", words.join(" "))
}

fn search(waiting: &Waiting, text: &str) -> Result<(f64, usize), StoreError> {
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        waiting.store.ask(Query::Search { text: text.to_owned(), limit: 200 })?;
        found = waiting.until(|event| match event {
            Event::Hits { hits, .. } => Some(hits.len()),
            _ => None,
        });
        times.push(secs(begun) * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[ROUNDS / 2], found))
}

fn secs(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// Memory of this process that is in RAM; 0 where the kernel does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
