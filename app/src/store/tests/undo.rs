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

fn deleted(store: &Store) -> Vec<Deleted> {
    store.ask(Query::Deleted).unwrap();
    wait_for(store, |event| match event {
        Event::Deleted(deleted) => Some(deleted),
        _ => None,
    })
}

fn settle(store: Store) {
    assert_eq!(store.close(), Saving::Yes);
}

/// Waits until nothing is left of the only chat: it is removed step by step.
fn wait_until_gone(path: &std::path::Path) {
    let reading = rusqlite::Connection::open(path).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while reading.query_row("SELECT count(*) FROM chats", [], |row| row.get::<_, i64>(0)) != Ok(0) {
        assert!(Instant::now() < end, "it is still there after a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A chat of 2500 messages below each other, deleted. SQLite gives up on cascades deeper than 1000.
fn delete_deep_chat(store: &Store) -> ChatId {
    let chat = Chat::new("Secret heading", "starter");
    let id = chat.id;
    store.write(Write::PutChat(chat)).unwrap();
    let mut parent = None;
    for n in 0..2500 {
        let message = Message::complete(id, parent, Role::User, format!("xylophone{n}"));
        parent = Some(message.id);
        store.write(Write::AddMessage(message)).unwrap();
    }
    store.write(Write::DeleteChat(id)).unwrap();
    id
}

fn is_without_traces(path: &std::path::Path, id: ChatId) {
    let (database, _) = Database::open(path).unwrap();
    assert!(messages_in(&database, id).is_empty());
    drop(database);
    let bytes = std::fs::read(path).unwrap();
    for trace in ["xylophone", "Secret heading"] {
        let found = bytes.windows(trace.len()).filter(|window| *window == trace.as_bytes()).count();
        assert_eq!(found, 0, "traces of {trace} are left in the file");
    }
}

#[test]
fn what_was_deleted_survives_restarts_and_is_gone_from_the_file_when_it_is_too_old() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let day = Duration::from_secs(86_400);
    store.keep_deleted(day).unwrap();
    let id = delete_deep_chat(&store);
    settle(store);
    for _ in 0..2 {
        let store = Store::open(&folder.db(), waker()).unwrap();
        store.keep_deleted(day).unwrap();
        assert_eq!(deleted(&store).len(), 1);
        settle(store);
    }
    let (database, _) = Database::open(&folder.db()).unwrap();
    let two_days_ago = now_millis() - 2 * 86_400_000;
    database.connection().execute("UPDATE chats SET deleted_millis = ?1", [two_days_ago]).unwrap();
    drop(database);
    // Before anybody has said how long, nothing goes.
    settle(Store::open(&folder.db(), waker()).unwrap());
    let store = Store::open(&folder.db(), waker()).unwrap();
    store.keep_deleted(day).unwrap();
    wait_until_gone(&folder.db());
    settle(store);
    is_without_traces(&folder.db(), id);
}

#[test]
fn what_is_deleted_for_good_is_gone_from_the_file_at_once() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let id = delete_deep_chat(&store);
    store.write(Write::DeleteForGood(DeletedId::Chat(id))).unwrap();
    assert!(deleted(&store).is_empty());
    wait_until_gone(&folder.db());
    settle(store);
    is_without_traces(&folder.db(), id);
}

#[test]
fn the_list_has_what_can_be_brought_back_newest_first_and_nothing_else() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, answer) = converse_with(&store, true);
    let question = load(&store, chat).1[0].id;
    let persona = Persona::new("Poet", "Rhyme", ChatSampling::default());
    let other = Chat::new("Other", "");
    store.write(Write::PutPersona(persona.clone())).unwrap();
    store.write(Write::PutChat(other.clone())).unwrap();
    assert!(deleted(&store).is_empty());
    store.write(Write::DeletePersona(persona.id)).unwrap();
    store.write(Write::DeleteMessage(answer)).unwrap();
    store.write(Write::DeleteChat(other.id)).unwrap();
    let ids = |store: &Store| deleted(store).into_iter().map(|deleted| deleted.id).collect::<Vec<_>>();
    let all = [DeletedId::Chat(other.id), DeletedId::Message(chat, answer), DeletedId::Persona(persona.id)];
    assert_eq!(ids(&store), all);
    let title = load(&store, chat).0.title;
    assert_eq!(deleted(&store)[1].of, title);
    // What stands below a deleted message comes back after it; what is in a deleted chat comes back with it.
    store.write(Write::DeleteMessage(question)).unwrap();
    assert_eq!(ids(&store), [DeletedId::Message(chat, question), all[0], all[2]]);
    store.write(Write::DeleteChat(chat)).unwrap();
    assert_eq!(ids(&store), [DeletedId::Chat(chat), all[0], all[2]]);
    store.write(Write::RestoreChat(chat)).unwrap();
    store.write(Write::DeleteForGood(DeletedId::Message(chat, question))).unwrap();
    store.write(Write::DeleteForGood(DeletedId::Persona(persona.id))).unwrap();
    // Only what is deleted can be deleted for good.
    store.write(Write::DeleteForGood(DeletedId::Chat(chat))).unwrap();
    assert_eq!(ids(&store), [all[0]]);
    assert!(load(&store, chat).1.is_empty());
    store.write(Write::RestoreChat(other.id)).unwrap();
    assert!(ids(&store).is_empty());
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
