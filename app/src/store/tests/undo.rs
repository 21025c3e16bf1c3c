//! Deleting, undoing it, and what is left on the disk afterwards.

use super::*;

fn missing(store: &Store, chat: ChatId) {
    store.ask(Query::Chat(chat)).unwrap();
    wait_for(store, |event| match event {
        Event::Chat { .. } => panic!("a deleted chat was answered"),
        Event::ChatMissing(id) => (id == chat).then_some(()),
        _ => None,
    });
}

fn personas(store: &Store) -> Vec<Persona> {
    store.ask(Query::Personas).unwrap();
    wait_for(store, |event| match event {
        Event::Personas(personas) => Some(personas),
        _ => None,
    })
}

#[test]
fn a_deleted_chat_comes_back_whole() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, _) = converse_with(&store, true);
    let before = load(&store, chat);
    store.write(Write::DeleteChat(chat)).unwrap();
    missing(&store, chat);
    assert_eq!(page(&store, 10).1, 0);
    assert!(super::search(&store, "neckar", 10).0.is_empty());
    store.write(Write::RestoreChat(chat)).unwrap();
    assert_eq!(load(&store, chat), before);
    assert_eq!(super::search(&store, "neckar", 10).0.len(), 1);
}

#[test]
fn restoring_a_message_leaves_what_was_deleted_below_it_before_deleted() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, answer) = converse_with(&store, true);
    let question = load(&store, chat).1[0].id;
    let follow_up = Message::complete(chat, Some(answer), Role::User, "Longer?");
    let other = Message::complete(chat, Some(answer), Role::User, "Shorter?");
    let (follow_up_id, other_id) = (follow_up.id, other.id);
    store.write(Write::AddMessage(follow_up)).unwrap();
    store.write(Write::AddMessage(other)).unwrap();
    store.write(Write::DeleteMessage(other_id)).unwrap();
    store.write(Write::DeleteMessage(question)).unwrap();
    assert!(load(&store, chat).1.is_empty());
    store.write(Write::RestoreMessage(answer)).unwrap();
    assert!(load(&store, chat).1.is_empty(), "a message cannot stand below a deleted one");
    store.write(Write::RestoreMessage(question)).unwrap();
    let ids: Vec<_> = load(&store, chat).1.iter().map(|message| message.id).collect();
    assert_eq!(ids, [question, answer, follow_up_id]);
    store.write(Write::RestoreMessage(other_id)).unwrap();
    assert_eq!(load(&store, chat).1.len(), 4);
}

#[test]
fn what_is_gone_for_good_is_said_when_it_should_come_back() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    store.write(Write::RestoreChat(ChatId::fresh())).unwrap();
    let problem = wait_for(&store, |event| match event {
        Event::Refused(problem) => Some(problem),
        _ => None,
    });
    assert!(problem.contains("too long ago"), "{problem}");
}

#[test]
fn a_message_below_a_deleted_one_is_refused_aloud_instead_of_lost_later() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, answer) = converse_with(&store, true);
    store.write(Write::DeleteMessage(answer)).unwrap();
    store.write(Write::AddMessage(Message::complete(chat, Some(answer), Role::User, "Where?"))).unwrap();
    wait_for(&store, |event| matches!(event, Event::Refused(_)).then_some(()));
}

#[test]
fn what_was_deleted_is_gone_from_the_file_after_the_next_start() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let chat = Chat::new("Secret heading", "starter");
    let id = chat.id;
    store.write(Write::PutChat(chat)).unwrap();
    let mut parent = None;
    // SQLite gives up on cascades deeper than 1000.
    for n in 0..2500 {
        let message = Message::complete(id, parent, Role::User, format!("xylophone{n}"));
        parent = Some(message.id);
        store.write(Write::AddMessage(message)).unwrap();
    }
    store.write(Write::DeleteChat(id)).unwrap();
    assert_eq!(store.close(), Saving::Yes);

    let (database, _) = Database::open(&folder.db()).unwrap();
    assert_eq!(messages_in(&database, id).len(), 2500, "it stays until the next start of the program");
    drop(database);

    let store = Store::open(&folder.db(), waker()).unwrap();
    let reading = rusqlite::Connection::open(folder.db()).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while reading.query_row("SELECT count(*) FROM chats", [], |row| row.get::<_, i64>(0)) != Ok(0) {
        assert!(Instant::now() < end, "it is still there after a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(reading);
    assert_eq!(store.close(), Saving::Yes);
    let (database, _) = Database::open(&folder.db()).unwrap();
    assert!(messages_in(&database, id).is_empty());
    drop(database);
    let bytes = std::fs::read(folder.db()).unwrap();
    for trace in ["xylophone", "Secret heading"] {
        let found = bytes.windows(trace.len()).filter(|window| *window == trace.as_bytes()).count();
        assert_eq!(found, 0, "traces of {trace} are left in the file");
    }
}

#[test]
fn a_persona_is_edited_deleted_and_restored() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let sampling = ChatSampling { temperature: Some(0.2), ..ChatSampling::default() };
    let mut exact = Persona::new("exact", "Answer in one sentence.", sampling);
    let other = Persona::new("Assistant", "", ChatSampling::default());
    store.write(Write::PutPersona(exact.clone())).unwrap();
    store.write(Write::PutPersona(other.clone())).unwrap();
    exact.system.push_str(" Cite.");
    store.write(Write::PutPersona(exact.clone())).unwrap();
    assert_eq!(personas(&store), [other.clone(), exact.clone()]);
    store.write(Write::DeletePersona(exact.id)).unwrap();
    assert_eq!(personas(&store), std::slice::from_ref(&other));
    store.write(Write::RestorePersona(exact.id)).unwrap();
    assert_eq!(store.close(), Saving::Yes);
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(personas(&store), [other, exact]);
}
