//! Files of older and newer versions.

use super::*;
use crate::store::schema;

/// A database as version 1 of the format left it, with a branch, a long chat and an answer that was growing at the end.
fn version_1(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    db.execute_batch(schema::STEPS[0]).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    db.execute_batch(
        "INSERT INTO chats VALUES (7, 'Rivers', 1000, 2000, 1, 'starter', 'Be short.', 13);
         INSERT INTO messages VALUES
             (11, 7, NULL, 'user', 'Name a river.', 'complete', 1000, 0, 0, 0, 0, '', '', NULL),
             (12, 7, 11, 'assistant', 'The Neckar', 'complete', 1001, 5, 20, 12.5, 70.25, 'cpu', 'starter', NULL),
             (13, 7, 11, 'assistant', 'The Rhine flows', 'writing', 1002, 3, 20, 11.5, 60.25, 'cpu', 'starter', NULL),
             (14, 7, 12, 'user', 'And a lake?', 'failed', 1003, 0, 0, 0, 0, '', '', 'no lake');
         INSERT INTO state VALUES ('last_chat', '7');",
    )
    .unwrap();
}

#[test]
fn a_database_of_version_1_keeps_every_value_and_can_do_what_is_new() {
    let folder = Folder::new();
    version_1(&folder.db());
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(opened(&store), Saving::Yes);
    let (chat, messages) = load(&store, ChatId(7));
    let expected = Chat {
        id: ChatId(7),
        title: "Rivers".to_owned(),
        created_millis: 1000,
        updated_millis: 2000,
        pinned: true,
        model: "starter".to_owned(),
        system: "Be short.".to_owned(),
        sampling: ChatSampling::default(),
        persona: None,
        folder: None,
        leaf: Some(MessageId(13)),
    };
    assert_eq!(chat, expected);
    let texts: Vec<_> = messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(texts, ["Name a river.", "The Neckar", "The Rhine flows", "And a lake?"]);
    let expected = AnswerStats {
        tokens: 5,
        prompt_tokens: 20,
        prefill_millis: 12.5,
        decode_millis: 70.25,
        lane: "cpu".to_owned(),
        model: "starter".to_owned(),
        ..AnswerStats::default()
    };
    assert_eq!(messages[1].stats, expected);
    assert_eq!(messages[2].state, MessageState::Interrupted);
    assert_eq!(messages[3].error.as_deref(), Some("no lake"));
    assert!(messages.iter().all(|message| message.attachments.is_empty()));

    let (hits, _) = super::search(&store, "neck", 10);
    assert_eq!(hits[0].message, Some(MessageId(12)), "what was written by version 1 is found");
    let (hits, _) = super::search(&store, "rhine", 10);
    assert_eq!(hits[0].message, Some(MessageId(13)), "also what was growing when version 1 ended");
    store.write(Write::PutPersona(Persona::new("Short", "Be short.", ChatSampling::default()))).unwrap();
    assert_eq!(store.close(), Saving::Yes);
}

#[test]
fn a_database_of_version_1_that_cannot_be_written_is_still_read() {
    let folder = Folder::new();
    version_1(&folder.db());
    // Somebody else holds the writer's lock, so this process must not upgrade the file.
    let lock = std::fs::File::create(folder.db().with_file_name("chats.db.lock")).unwrap();
    lock.lock().unwrap();
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert!(matches!(opened(&store), Saving::No { .. }));
    assert_eq!(load(&store, ChatId(7)).1.len(), 4);
    assert_eq!(page(&store, 10).1, 1);
    drop(store);
    let db = rusqlite::Connection::open(folder.db()).unwrap();
    assert_eq!(schema::version(&db).unwrap(), 1, "reading changed the file");
}

/// A database as version 2 of the format left it: a chat with a persona, and one that is deleted.
fn version_2(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    for step in &schema::STEPS[..2] {
        db.execute_batch(step).unwrap();
    }
    db.pragma_update(None, "user_version", 2).unwrap();
    db.execute_batch(
        "INSERT INTO personas VALUES (3, 'Short', 'Be short.', '{}', 900, NULL);
         INSERT INTO chats VALUES (7, 'Rivers', 1000, 2000, 1, 'starter', '', 11, '{\"top_k\":4}', 3, NULL),
             (8, 'Lakes', 1000, 3000, 0, 'starter', '', NULL, '{}', NULL, 5000);
         INSERT INTO messages (id, chat, role, content, state, created_millis, tokens, prompt_tokens, prefill_millis,
             decode_millis, lane, model)
             VALUES (11, 7, 'user', 'Name a river.', 'complete', 1000, 0, 0, 0, 0, '', '');",
    )
    .unwrap();
}

#[test]
fn a_database_of_version_2_keeps_every_value_and_its_chats_can_be_put_into_folders() {
    let folder = Folder::new();
    version_2(&folder.db());
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(opened(&store), Saving::Yes);
    let (chat, messages) = load(&store, ChatId(7));
    assert_eq!((chat.persona, chat.sampling.top_k, chat.folder), (Some(PersonaId(3)), Some(4), None));
    assert_eq!(messages.len(), 1);
    assert_eq!(super::search(&store, "river", 10).0.len(), 1);
    let own = crate::store::Folder::new("Water");
    store.write(Write::PutFolder(own.clone())).unwrap();
    store.write(Write::MoveChat { chat: ChatId(7), folder: Some(own.id) }).unwrap();
    store.write(Write::RestoreChat(ChatId(8))).unwrap();
    assert_eq!(store.close(), Saving::Yes);
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (heads, _) = page(&store, 10);
    let found: Vec<_> = heads.iter().map(|head| (head.id.0, head.folder)).collect();
    assert_eq!(found, [(7, Some(own.id)), (8, None)]);
    assert_eq!(folders(&store), [own]);
    assert_eq!(schema::version(&rusqlite::Connection::open(folder.db()).unwrap()).unwrap(), 3);
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    converse_with(&store, true);
    assert_eq!(store.close(), Saving::Yes);
    rusqlite::Connection::open(folder.db()).unwrap().pragma_update(None, "user_version", 9000).unwrap();
    let before = std::fs::read(folder.db()).unwrap();

    let store = Store::open(&folder.db(), waker()).unwrap();
    match opened(&store) {
        Saving::No { reason, .. } => assert!(reason.contains("newer") && reason.contains("9000"), "{reason}"),
        Saving::Yes => panic!("a newer format was opened for writing"),
    }
    converse_with(&store, true);
    assert!(matches!(store.close(), Saving::No { waiting: 4.., .. }));
    assert_eq!(std::fs::read(folder.db()).unwrap(), before);
    let wal = folder.db().with_file_name("chats.db-wal");
    assert!(
        !wal.exists() || std::fs::read(&wal).unwrap().is_empty(),
        "something waits to be written into it"
    );
}

#[test]
fn settings_that_make_no_sense_cost_the_defaults_and_a_word_but_not_the_chat() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (chat, _) = converse_with(&store, true);
    assert_eq!(store.close(), Saving::Yes);
    let db = rusqlite::Connection::open(folder.db()).unwrap();
    db.execute("UPDATE chats SET sampling = '{\"temperature\":-3}'", []).unwrap();
    db.execute("UPDATE messages SET attachments = '{\"name\":1}'", []).unwrap();
    drop(db);
    let store = Store::open(&folder.db(), waker()).unwrap();
    store.ask(Query::Chat(chat)).unwrap();
    let mut problems = Vec::new();
    let (chat, messages) = wait_for(&store, |event| match event {
        Event::QueryFailed(problem) => {
            problems.push(problem);
            None
        }
        Event::Chat { chat, messages } => Some((chat, messages)),
        _ => None,
    });
    assert_eq!(chat.sampling, ChatSampling::default());
    assert_eq!(messages.len(), 2);
    assert!(problems.len() == 3 && problems[0].contains("temperature is -3"), "{problems:?}");
}
