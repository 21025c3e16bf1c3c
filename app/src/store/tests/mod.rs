//! The store from outside, and its keeper step by step where a test has to choose the moment.

mod agreement;
mod damage;
mod folders;
mod hang;
mod import;
mod migration;
mod search;
mod undo;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::database::Database;
use super::keeper::Keeper;
use super::mailbox::{Command, Mailbox};
use super::*;

fn waker() -> Waker {
    Arc::new(|| {})
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn db(&self) -> PathBuf {
        self.0.path().join("onebit/chats.db")
    }
}

/// Waits for an event that `pick` accepts; others are passed over.
fn wait_for<T>(store: &Store, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match store.try_next() {
            Some(event) => {
                if let Some(found) = pick(event) {
                    return found;
                }
            }
            None => {
                assert!(Instant::now() < end, "the store did not answer within a minute");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn opened(store: &Store) -> Saving {
    wait_for(store, |event| match event {
        Event::Opened(saving) => Some(saving),
        _ => None,
    })
}

fn load(store: &Store, id: ChatId) -> (Chat, Vec<Message>) {
    store.ask(Query::Chat(id)).unwrap();
    wait_for(store, |event| match event {
        Event::Chat { chat, messages } => Some((chat, messages)),
        Event::ChatMissing(id) => panic!("chat {id:?} is missing"),
        _ => None,
    })
}

fn page(store: &Store, limit: usize) -> (Vec<ChatHead>, usize) {
    store.ask(Query::Chats { limit }).unwrap();
    wait_for(store, |event| match event {
        Event::Chats { chats, total } => Some((chats, total)),
        _ => None,
    })
}

fn search(store: &Store, text: &str, limit: usize) -> (Vec<Hit>, bool) {
    store.ask(Query::Search { text: text.to_owned(), limit }).unwrap();
    wait_for(store, |event| match event {
        Event::Hits { hits, more, .. } => Some((hits, more)),
        _ => None,
    })
}

fn messages_in(database: &Database, chat: ChatId) -> Vec<Message> {
    let mut problems = Vec::new();
    let found = sql::messages(database.connection(), chat, &mut problems).unwrap();
    assert_eq!(problems, Vec::<String>::new());
    found.into_iter().map(|kept| kept.record).collect()
}

fn stats() -> AnswerStats {
    AnswerStats {
        tokens: 7,
        prompt_tokens: 20,
        prefill_millis: 12.5,
        decode_millis: 70.25,
        lane: "reference".to_owned(),
        model: "starter".to_owned(),
        cached_tokens: 3,
        thinking_tokens: 2,
        thinking_millis: 30.5,
        cut_short: true,
    }
}

/// Writes a chat with one question and an answer of two pieces, finished when `finished`.
fn converse(write: &mut dyn FnMut(Write), finished: bool) -> (ChatId, MessageId) {
    let chat = Chat::new("Rivers", "starter");
    let question = Message::complete(chat.id, None, Role::User, "Name a river. 🏞");
    let answer = Message::answer(chat.id, question.id);
    let ids = (chat.id, answer.id);
    write(Write::PutChat(chat));
    write(Write::AddMessage(question));
    write(Write::AddMessage(answer));
    write(Write::Extend { message: ids.1, text: "The ".to_owned() });
    write(Write::Extend { message: ids.1, text: "Neckar".to_owned() });
    if finished {
        write(Write::Finish { message: ids.1, state: MessageState::Complete, stats: stats(), error: None });
    }
    ids
}

fn converse_with(store: &Store, finished: bool) -> (ChatId, MessageId) {
    converse(&mut |write| assert!(store.write(write).unwrap() > Ticket(0)), finished)
}

#[test]
fn a_conversation_is_the_same_after_reopening() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(opened(&store), Saving::Yes);
    let (chat, answer) = converse_with(&store, true);
    store.write(Write::SetState { name: state::LAST_CHAT.to_owned(), value: chat.0.to_string() }).unwrap();
    let before = load(&store, chat);
    assert_eq!(store.close(), Saving::Yes);

    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(opened(&store), Saving::Yes);
    let after = load(&store, chat);
    assert_eq!(before, after);
    assert_eq!(after.0.leaf, Some(answer));
    assert_eq!(after.1[1].content, "The Neckar");
    assert_eq!((after.1[1].state, &after.1[1].stats), (MessageState::Complete, &stats()));
    store.ask(Query::State(state::LAST_CHAT.to_owned())).unwrap();
    let value = wait_for(&store, |event| match event {
        Event::State { value, .. } => Some(value),
        _ => None,
    });
    assert_eq!(value, Some(chat.0.to_string()));
}

#[test]
fn an_answer_that_never_finished_is_interrupted_after_reopening_and_keeps_its_text() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, _) = converse_with(&store, false);
    assert_eq!(store.close(), Saving::Yes);

    let store = Store::open(&folder.db(), waker()).unwrap();
    let count = wait_for(&store, |event| match event {
        Event::Interrupted { messages } => Some(messages),
        _ => None,
    });
    assert_eq!(count, 1);
    let (_, messages) = load(&store, chat);
    assert_eq!((messages[1].state, messages[1].content.as_str()), (MessageState::Interrupted, "The Neckar"));
}

#[test]
fn branches_share_a_parent_and_deleting_a_message_deletes_what_is_below_it() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, first) = converse_with(&store, true);
    let (_, messages) = load(&store, chat);
    let question = messages[0].id;
    let second = Message::complete(chat, Some(question), Role::Assistant, "The Rhine");
    let below = Message::complete(chat, Some(second.id), Role::User, "Longer?");
    let (second_id, below_id) = (second.id, below.id);
    store.write(Write::AddMessage(second)).unwrap();
    store.write(Write::AddMessage(below)).unwrap();
    let (shown, messages) = load(&store, chat);
    assert_eq!(messages.iter().filter(|message| message.parent == Some(question)).count(), 2);
    assert_eq!(shown.leaf, Some(below_id));
    store.write(Write::DeleteMessage(second_id)).unwrap();
    let left: Vec<_> = load(&store, chat).1.iter().map(|message| message.id).collect();
    assert_eq!(left, [question, first]);
    store.write(Write::DeleteChat(chat)).unwrap();
    store.ask(Query::Chat(chat)).unwrap();
    wait_for(&store, |event| (event == Event::ChatMissing(chat)).then_some(()));
}

#[test]
fn a_file_that_is_no_database_is_set_aside_untouched_and_a_fresh_one_works() {
    let folder = Folder::new();
    let rubbish = b"these are not the bytes of a database, but somebody may want them back".repeat(100);
    std::fs::create_dir_all(folder.db().parent().unwrap()).unwrap();
    std::fs::write(folder.db(), &rubbish).unwrap();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let kept_at = wait_for(&store, |event| match event {
        Event::SetAside { kept_at, .. } => Some(kept_at),
        _ => None,
    });
    assert!(kept_at.file_name().unwrap().to_str().unwrap().starts_with("chats.db.corrupt-"), "{kept_at:?}");
    assert_eq!(std::fs::read(kept_at).unwrap(), rubbish);
    assert_eq!(opened(&store), Saving::Yes);
    let (chat, _) = converse_with(&store, true);
    assert_eq!(load(&store, chat).1.len(), 2);
}

#[test]
fn a_database_with_a_damaged_page_is_set_aside() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    for _ in 0..200 {
        converse_with(&store, true);
    }
    assert_eq!(store.close(), Saving::Yes);
    let mut bytes = std::fs::read(folder.db()).unwrap();
    assert!(bytes.len() > 5 * 4096, "the test needs several pages, found {} bytes", bytes.len());
    // The header stays whole, so only a look at the pages finds this.
    bytes[4096..4 * 4096].fill(0xa5);
    std::fs::write(folder.db(), &bytes).unwrap();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (kept_at, problem) = wait_for(&store, |event| match event {
        Event::SetAside { kept_at, problem } => Some((kept_at, problem)),
        Event::Opened(saving) => panic!("opened without a word: {saving:?}"),
        _ => None,
    });
    assert!(!problem.is_empty());
    assert_eq!(std::fs::read(kept_at).unwrap(), bytes);
    assert_eq!(page(&store, 10).1, 0);
}

#[test]
fn of_two_stores_on_one_folder_the_second_reads_and_takes_over_when_the_first_ends() {
    let folder = Folder::new();
    let first = Store::open(&folder.db(), waker()).unwrap();
    let (chat, _) = converse_with(&first, true);
    wait_for(&first, |event| matches!(event, Event::Saved(Ticket(6))).then_some(()));

    let second = Store::open(&folder.db(), waker()).unwrap();
    match opened(&second) {
        Saving::No { reason, .. } => assert!(reason.contains("another running copy"), "{reason}"),
        Saving::Yes => panic!("two writers on one folder"),
    }
    assert_eq!(load(&second, chat).1.len(), 2, "the second must see what the first saved");
    let (own, _) = converse_with(&second, true);
    assert_eq!(load(&second, own).1[1].content, "The Neckar", "what is not saved yet must be visible");
    assert_eq!(page(&second, 10).1, 2);
    assert_eq!(first.close(), Saving::Yes);
    wait_for(&second, |event| (event == Event::Saving(Saving::Yes)).then_some(()));
    assert_eq!(second.close(), Saving::Yes);

    let third = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(page(&third, 10).1, 2);
}

#[test]
fn a_folder_that_cannot_be_made_keeps_the_text_and_saves_it_when_it_can() {
    let folder = Folder::new();
    // A file where the folder should be stops everybody, also root.
    std::fs::write(folder.0.path().join("onebit"), b"").unwrap();
    let mailbox = Mailbox::new(waker());
    let mut keeper = Keeper::open(folder.db(), &mailbox);
    match mailbox.try_next() {
        Some(Event::Opened(Saving::No { reason, .. })) => assert!(reason.contains("onebit"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let (chat, _) = converse(&mut feed(&mut keeper), true);
    keeper.save();
    keeper.take(Command::Ask(Query::Chat(chat)));
    assert!(matches!(mailbox.try_next(), Some(Event::Chat { messages, .. }) if messages.len() == 2));

    std::fs::remove_file(folder.0.path().join("onebit")).unwrap();
    keeper.save();
    assert_eq!(mailbox.try_next(), Some(Event::Saving(Saving::Yes)));
    assert!(matches!(mailbox.try_next(), Some(Event::Saved(_))));
    drop(keeper);
    let (database, _) = Database::open(&folder.db()).unwrap();
    assert_eq!(messages_in(&database, chat).len(), 2);
}

#[test]
fn a_full_disk_is_said_once_keeps_the_text_and_is_saved_when_there_is_room() {
    let folder = Folder::new();
    let mailbox = Mailbox::new(waker());
    let mut keeper = Keeper::open(folder.db(), &mailbox);
    assert_eq!(mailbox.try_next(), Some(Event::Opened(Saving::Yes)));
    keeper.limit_pages(1);
    let long = "word ".repeat(20_000);
    let (chat, answer) = converse(&mut feed(&mut keeper), false);
    feed(&mut keeper)(Write::Extend { message: answer, text: long.clone() });
    keeper.save();
    keeper.save();
    match mailbox.try_next() {
        Some(Event::Saving(Saving::No { reason, waiting })) => {
            assert!(reason.contains("disk is full"), "{reason}");
            assert_eq!(waiting, 4);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(mailbox.try_next(), None, "trouble is told once, not at every attempt");
    keeper.take(Command::Ask(Query::Chat(chat)));
    let expected = format!("The Neckar{long}");
    assert!(
        matches!(mailbox.try_next(), Some(Event::Chat { messages, .. }) if messages[1].content == expected)
    );

    keeper.limit_pages(1 << 20);
    keeper.save();
    assert_eq!(mailbox.try_next(), Some(Event::Saving(Saving::Yes)));
    drop(keeper);
    let (database, findings) = Database::open(&folder.db()).unwrap();
    assert_eq!(findings.interrupted, 1);
    assert_eq!(messages_in(&database, chat)[1].content, expected);
}

#[test]
fn text_for_a_message_that_is_not_being_written_is_refused_aloud() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (_, answer) = converse_with(&store, true);
    store.write(Write::Extend { message: answer, text: "late".to_owned() }).unwrap();
    wait_for(&store, |event| matches!(event, Event::Refused(_)).then_some(()));
    store.write(Write::AddMessage(Message::complete(ChatId::fresh(), None, Role::User, "where?"))).unwrap();
    wait_for(&store, |event| matches!(event, Event::Refused(_)).then_some(()));
}

#[test]
fn ten_thousand_chats_are_listed_by_page_newest_change_first_and_pins_on_top() {
    let folder = Folder::new();
    let (mut database, _) = Database::open(&folder.db()).unwrap();
    let changes: Vec<_> = (0..10_000)
        .map(|n| {
            let mut chat = Chat::new(format!("Chat {n} Ä"), "starter");
            chat.updated_millis = n;
            chat.pinned = n == 17;
            journal::Change::PutChat(chat)
        })
        .collect();
    database.save(&changes).unwrap();
    drop(database);
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (first, total) = page(&store, 50);
    assert_eq!(total, 10_000);
    assert_eq!(first.len(), 50);
    assert_eq!((first[0].title.as_str(), first[1].title.as_str()), ("Chat 17 Ä", "Chat 9999 Ä"));
    let (all, _) = page(&store, 20_000);
    assert_eq!((all.len(), all[9_999].title.as_str()), (10_000, "Chat 0 Ä"));
    let (found, more) = search(&store, "chat 123 ä", 5);
    assert_eq!((found.len(), more), (1, false));
    let (found, more) = search(&store, "CHAT 12", 5);
    assert_eq!((found.len(), more), (5, true));
    assert_eq!(found[0].chat.title, "Chat 1299 Ä");
}

fn folders(store: &Store) -> Vec<crate::store::Folder> {
    store.ask(Query::Folders).unwrap();
    wait_for(store, |event| match event {
        Event::Folders(folders) => Some(folders),
        _ => None,
    })
}

fn feed<'k>(keeper: &'k mut Keeper<'_>) -> impl FnMut(Write) + 'k {
    let mut ticket = 0;
    move |write| {
        ticket += 1;
        keeper.take(Command::Write(Ticket(ticket), write));
    }
}

#[test]
fn ids_made_later_are_larger() {
    let ids: Vec<_> = (0..10_000).map(|_| MessageId::fresh()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(ids[0].0 > 0);
}

#[test]
fn a_path_with_odd_characters_works() {
    let folder = Folder::new();
    let path: &Path = &folder.0.path().join("a b?c#d%e/ü/chats.db");
    let first = Store::open(path, waker()).unwrap();
    assert_eq!(opened(&first), Saving::Yes);
    let (chat, _) = converse_with(&first, true);
    wait_for(&first, |event| matches!(event, Event::Saved(Ticket(6))).then_some(()));
    let second = Store::open(path, waker()).unwrap();
    assert_eq!(load(&second, chat).1.len(), 2);
}
