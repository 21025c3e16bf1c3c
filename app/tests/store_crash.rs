//! What the store promised to have saved is there after the process is killed, without a chance to clean up, at any moment: while an
//! answer streams, while messages are edited, branches switched, chats moved between folders and deleted, and in the middle of an import.
#![expect(clippy::unwrap_used, reason = "this binary is only compiled for tests")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use onebit::store::{
    Chat, ChatId, Event, Folder, FolderId, Message, MessageId, MessageState, Query, Role, Snapshot, Store,
    Ticket, Write,
};
use onebit::transfer::{self, Format, Progress};

const FOLDER: &str = "ONEBIT_TEST_CRASH_FOLDER";
const SEED: &str = "ONEBIT_TEST_CRASH_SEED";
/// Title of the chat that is written beside an import.
const OWN: &str = "written beside the import";

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The test harness may have begun a line of its own.
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

fn start(child: &str, folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Child: streams an answer for ever and prints `saved CHAT TICKET WORDS` whenever the store says that so much is on disk.
#[test]
#[ignore = "the child of the test below"]
fn child_that_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Store::open(&Path::new(&folder).join("chats.db"), Arc::new(|| {})).unwrap();
    let chat = Chat::new("crash", "none");
    let question = Message::complete(chat.id, None, Role::User, "Count.");
    let answer = Message::answer(chat.id, question.id);
    let (chat_id, answer_id) = (chat.id, answer.id);
    store.write(Write::PutChat(chat)).unwrap();
    store.write(Write::AddMessage(question)).unwrap();
    let first = store.write(Write::AddMessage(answer)).unwrap();
    for word in 0.. {
        let ticket = store.write(Write::Extend { message: answer_id, text: format!("{word} ") }).unwrap();
        assert_eq!(ticket.0, first.0 + word + 1);
        while let Some(event) = store.try_next() {
            if let Event::Saved(ticket) = event {
                let words = ticket.0.saturating_sub(first.0);
                say(&format!("saved {} {words}", chat_id.0));
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start("child_that_writes_until_it_is_killed", folder.path(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last = None;
    for _ in 0..4 {
        last = lines.by_ref().find_map(|line| {
            let mut fields = line.strip_prefix("saved ")?.split(' ').map(str::parse::<i64>);
            Some((fields.next()?.ok()?, fields.next()?.ok()?))
        });
    }
    child.kill().unwrap();
    // What it managed to say between the fourth line and its death counts as well.
    for line in lines {
        if let Some((chat, words)) = line.strip_prefix("saved ").and_then(|rest| rest.split_once(' ')) {
            last = chat.parse().ok().zip(words.parse().ok()).or(last);
        }
    }
    child.wait().unwrap();
    let (chat, words) = last.expect("the child must have saved something");
    assert!(words > 0, "the child must have been killed in mid-stream");

    let store = Store::open(&folder.path().join("chats.db"), Arc::new(|| {})).unwrap();
    store.ask(Query::Chat(ChatId(chat))).unwrap();
    let mut interrupted = 0;
    let messages = wait_for(&store, |event| match event {
        Event::Interrupted { messages } => {
            interrupted = messages;
            None
        }
        Event::Chat { messages, .. } => Some(messages),
        Event::SetAside { problem, .. } => panic!("damaged by the kill: {problem}"),
        Event::ChatMissing(_) => panic!("the chat is lost"),
        _ => None,
    });
    assert_eq!(interrupted, 1);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].state, MessageState::Interrupted);
    let found: Vec<&str> = messages[1].content.split_whitespace().collect();
    assert!(found.len() as i64 >= words, "{words} words were acknowledged, {} found", found.len());
    for (n, word) in found.iter().enumerate() {
        assert_eq!(*word, n.to_string());
    }
}

/// One step of the child that changes chats, the same in both processes for a seed: ids are counted, not made.
struct Steps {
    random: Random,
    made: i64,
    chats: Vec<ChatId>,
    messages: Vec<(ChatId, MessageId)>,
    folders: Vec<FolderId>,
}

impl Steps {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed), made: 0, chats: Vec::new(), messages: Vec::new(), folders: Vec::new() }
    }

    fn next_id(&mut self) -> i64 {
        self.made += 1;
        self.made
    }

    fn change_folders(&mut self) -> Write {
        let kind = self.random.below(4);
        if self.folders.is_empty() || kind < 2 {
            let mut folder = Folder::new(format!("folder {}", self.made));
            (folder.id, folder.created_millis) = (FolderId(self.next_id()), 1);
            self.folders.push(folder.id);
            return Write::PutFolder(folder);
        }
        let at = self.random.below(self.folders.len());
        match kind {
            2 => Write::RenameFolder { folder: self.folders[at], name: format!("name {}", self.made) },
            _ => Write::DeleteFolder(self.folders.swap_remove(at)),
        }
    }

    fn next(&mut self) -> Write {
        let kind = self.random.below(12);
        if self.chats.is_empty() || kind == 0 {
            let mut chat = Chat::new(format!("chat {}", self.made), "none");
            (chat.id, chat.created_millis, chat.updated_millis) = (ChatId(self.next_id()), 1, 1);
            self.chats.push(chat.id);
            return Write::PutChat(chat);
        }
        let chat = self.chats[self.random.below(self.chats.len())];
        let of_chat: Vec<_> = self.messages.iter().filter(|(of, _)| *of == chat).map(|(_, id)| *id).collect();
        if of_chat.is_empty() || kind <= 4 {
            // An edited question is a sibling: the parent is any message of the chat, or none.
            let parent = self.random.below(of_chat.len() + 1).checked_sub(1).map(|at| of_chat[at]);
            let mut message = Message::complete(chat, parent, Role::User, format!("text {}", self.made));
            (message.id, message.created_millis) = (MessageId(self.next_id()), 1);
            self.messages.push((chat, message.id));
            return Write::AddMessage(message);
        }
        let message = of_chat[self.random.below(of_chat.len())];
        match kind {
            5 | 6 => Write::ShowLeaf { chat, leaf: message },
            7 => Write::Rename { chat, title: format!("title {}", self.random.below(1000)) },
            8 => Write::Pin { chat, pinned: self.random.below(2) == 0 },
            10 => Write::MoveChat {
                chat,
                folder: self.random.below(self.folders.len() + 1).checked_sub(1).map(|at| self.folders[at]),
            },
            11 => self.change_folders(),
            _ => {
                self.chats.retain(|known| *known != chat);
                self.messages.retain(|(of, _)| *of != chat);
                Write::DeleteChat(chat)
            }
        }
    }
}

/// Child: changes chats for ever and prints `saved STEPS` whenever the store says that so many are on disk.
#[test]
#[ignore = "the child of the test below"]
fn child_that_edits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    let store = Store::open(&Path::new(&folder).join("chats.db"), Arc::new(|| {})).unwrap();
    let mut steps = Steps::new(seed);
    loop {
        store.write(steps.next()).unwrap();
        while let Some(event) = store.try_next() {
            if let Event::Saved(Ticket(count)) = event {
                say(&format!("saved {count}"));
            }
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

type Everything = (HashMap<ChatId, (Chat, Vec<Message>)>, Vec<Folder>);

fn everything(database: &Path) -> Everything {
    let mut snapshot = Snapshot::open(database).unwrap();
    let heads = snapshot.heads().unwrap();
    let chats = heads.iter().map(|head| (head.id, snapshot.chat(head.id).unwrap().unwrap())).collect();
    (chats, snapshot.folders().unwrap())
}

#[test]
fn edits_branches_and_deletions_are_all_there_up_to_one_moment_after_a_kill() {
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start("child_that_edits_until_it_is_killed", folder.path(), seed);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let enough = 3 + Random(seed ^ 0xfeed).below(60);
        let mut acknowledged = 0_usize;
        let mut heard = 0;
        for line in lines {
            if let Some(count) = line.strip_prefix("saved ").and_then(|count| count.parse().ok()) {
                acknowledged = count;
                heard += 1;
                if heard == enough {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(acknowledged > 0, "seed {seed}: the child must have saved something");
        let store = Store::open(&folder.path().join("chats.db"), Arc::new(|| {})).unwrap();
        wait_for(&store, |event| match event {
            Event::SetAside { problem, .. } => panic!("seed {seed}: damaged by the kill: {problem}"),
            Event::Opened(_) => Some(()),
            _ => None,
        });
        drop(store);
        let found = everything(&folder.path().join("chats.db"));

        // The same steps without a kill: some prefix, not shorter than what was acknowledged, gives exactly this.
        let other = tempfile::tempdir().unwrap();
        let path = other.path().join("chats.db");
        let mut steps = Steps::new(seed);
        let store = Store::open(&path, Arc::new(|| {})).unwrap();
        let mut same = false;
        for step in 1..=acknowledged + 4000 {
            let ticket = store.write(steps.next()).unwrap();
            if step >= acknowledged {
                wait_for(&store, |event| (event == Event::Saved(ticket)).then_some(()));
                if everything(&path) == found {
                    same = true;
                    break;
                }
            } else if step % 1000 == 0 {
                wait_for(&store, |event| (event == Event::Saved(ticket)).then_some(()));
            }
        }
        assert!(
            same,
            "seed {seed}: what is there after {acknowledged} acknowledged steps is no moment of the history"
        );
    }
}

/// Child: imports `import.json`, writes messages into a chat of its own meanwhile, and prints `begun`, `imported`, and `saved COUNT`
/// whenever the store says that so many messages are on disk.
#[test]
#[ignore = "the child of the test below"]
fn child_that_imports_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let store = Store::open(&folder.join("chats.db"), Arc::new(|| {})).unwrap();
    let progress = Arc::new(Progress::default());
    let chat = Chat::new(OWN, "none");
    let id = chat.id;
    let first = store.write(Write::PutChat(chat)).unwrap();
    wait_for(&store, |event| (event == Event::Saved(first)).then_some(()));
    store.import(transfer::import_job(folder.join("import.json"), Arc::clone(&progress))).unwrap();
    let mut begun = false;
    for n in 1.. {
        if !begun && progress.get().0 > 0 {
            begun = true;
            say("begun");
        }
        let message = Message::complete(id, None, Role::User, format!("own {n}"));
        store.write(Write::AddMessage(message)).unwrap();
        while let Some(event) = store.try_next() {
            match event {
                Event::Imported(outcome) => {
                    outcome.unwrap();
                    say("imported");
                }
                Event::Saved(Ticket(ticket)) => say(&format!("saved {}", ticket - first.0)),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_import_that_is_killed_leaves_all_of_it_or_nothing() {
    const CHATS: usize = 3000;
    let source = tempfile::tempdir().unwrap();
    let database = source.path().join("chats.db");
    let store = Store::open(&database, Arc::new(|| {})).unwrap();
    for n in 0..CHATS {
        let chat = Chat::new(format!("chat {n}"), "none");
        let message = Message::complete(chat.id, None, Role::User, "some words to index ".repeat(4));
        let writes = [Write::PutChat(chat), Write::AddMessage(message)];
        for write in writes {
            while store.write(write.clone()).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    drop(store);
    let exported = source.path().join("import.json");
    transfer::export_to_file(&database, None, Format::Json, &exported, &Progress::default()).unwrap();
    let mut outcomes = Vec::new();
    let mut interleaved = 0;
    for round in 0..6_u64 {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(&exported, folder.path().join("import.json")).unwrap();
        let mut child = start("child_that_imports_until_it_is_killed", folder.path(), 0);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.by_ref().find(|line| line == "begun").expect("the import must begin");
        std::thread::sleep(Duration::from_millis(round * round * 12));
        child.kill().unwrap();
        let rest: Vec<String> = lines.collect();
        let said = rest.iter().any(|line| line == "imported");
        let saved = rest.iter().rev().find_map(|line| line.strip_prefix("saved ")?.parse::<usize>().ok());
        child.wait().unwrap();
        let store = Store::open(&folder.path().join("chats.db"), Arc::new(|| {})).unwrap();
        store.ask(Query::Chats { limit: 1 }).unwrap();
        let total = wait_for(&store, |event| match event {
            Event::SetAside { problem, .. } => panic!("round {round}: damaged by the kill: {problem}"),
            Event::Chats { total, .. } => Some(total - 1),
            _ => None,
        });
        assert!(total == 0 || total == CHATS, "round {round}: {total} of {CHATS} chats were imported");
        assert!(!said || total == CHATS, "round {round}: the import was acknowledged and is gone");
        let found = everything(&folder.path().join("chats.db"));
        let (_, own) =
            found.0.values().find(|(chat, _)| chat.title == OWN).expect("it was there before the import");
        let saved = saved.unwrap_or(0);
        assert!(own.len() >= saved, "round {round}: {saved} messages were saved, {} are there", own.len());
        interleaved += usize::from(total == 0 && saved > 1);
        wait_for_chats_in_file(&folder.path().join("chats.db"), total + 1);
        outcomes.push(total);
    }
    assert!(outcomes.contains(&0), "no round was killed in the middle: {outcomes:?}");
    assert!(interleaved > 0, "nothing was saved while an import ran");
}

/// Waits until what an import left is gone from the file.
fn wait_for_chats_in_file(database: &Path, expected: usize) {
    let end = Instant::now() + Duration::from_secs(60);
    let db = rusqlite::Connection::open(database).unwrap();
    let count = || db.query_row("SELECT count(*) FROM chats", [], |row| row.get::<_, i64>(0)).unwrap();
    while count() != i64::try_from(expected).unwrap() {
        assert!(Instant::now() < end, "{} chats are in the file, {expected} are shown", count());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn wait_for<T>(store: &Store, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < end, "the store did not answer within a minute");
        match store.try_next() {
            Some(event) => {
                if let Some(found) = pick(event) {
                    return found;
                }
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
