//! What the store promised to have saved is there after the process is killed in mid-stream, without a chance to clean up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use onebit::store::{Chat, ChatId, Event, Message, MessageState, Query, Role, Store, Write};

const FOLDER: &str = "ONEBIT_TEST_CRASH_FOLDER";

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
                let mut out = std::io::stdout().lock();
                writeln!(out, "\nsaved {} {words}", chat_id.0).unwrap();
                out.flush().unwrap();
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
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
