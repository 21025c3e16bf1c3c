//! Folders: made, renamed, deleted without their chats, brought back with them, and gone for good.

use super::*;
use crate::store::Folder as ChatFolder;
use crate::store::schema;
use crate::store::sql;

/// A store with two chats in a folder and one outside; gives the folder and the chats.
fn filled(store: &Store) -> (ChatFolder, [ChatId; 3]) {
    let folder = ChatFolder::new("Water");
    store.write(Write::PutFolder(folder.clone())).unwrap();
    let ids = ["Rivers", "Lakes", "Bread"].map(|title| {
        let chat = Chat::new(title, "starter");
        let id = chat.id;
        store.write(Write::PutChat(chat)).unwrap();
        id
    });
    for chat in &ids[..2] {
        store.write(Write::MoveChat { chat: *chat, folder: Some(folder.id) }).unwrap();
    }
    (folder, ids)
}

fn inside(store: &Store, folder: FolderId) -> Vec<ChatId> {
    let mut ids: Vec<_> =
        page(store, 100).0.iter().filter(|head| head.folder == Some(folder)).map(|head| head.id).collect();
    ids.sort();
    ids
}

fn deleted(store: &Store) -> Vec<Deleted> {
    store.ask(Query::Deleted).unwrap();
    wait_for(store, |event| match event {
        Event::Deleted(deleted) => Some(deleted),
        _ => None,
    })
}

#[test]
fn a_folder_is_renamed_deleted_and_restored_with_the_chats_that_were_not_moved_meanwhile() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (water, [rivers, lakes, bread]) = filled(&store);
    store.write(Write::RenameFolder { folder: water.id, name: "Waters".to_owned() }).unwrap();
    assert_eq!(folders(&store)[0].name, "Waters");
    store.write(Write::DeleteFolder(water.id)).unwrap();
    assert_eq!(folders(&store), []);
    assert_eq!(page(&store, 10).1, 3, "its chats are kept");
    store.write(Write::MoveChat { chat: lakes, folder: None }).unwrap();
    assert_eq!(store.close(), Saving::Yes);

    let store = Store::open(&folder.db(), waker()).unwrap();
    let deleted = deleted(&store);
    assert_eq!((deleted[0].id, deleted[0].title.as_str()), (DeletedId::Folder(water.id), "Waters"));
    store.write(Write::RestoreFolder(water.id)).unwrap();
    assert_eq!(folders(&store)[0].name, "Waters");
    assert_eq!(inside(&store, water.id), [rivers]);
    assert_eq!(load(&store, bread).0.folder, None);
}

#[test]
fn putting_a_deleted_folder_does_not_bring_it_back() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (water, _) = filled(&store);
    store.write(Write::DeleteFolder(water.id)).unwrap();
    store.write(Write::PutFolder(water)).unwrap();
    assert_eq!(folders(&store), []);
    assert_eq!(store.close(), Saving::Yes);
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(folders(&store), []);
}

#[test]
fn a_folder_that_is_gone_for_good_leaves_its_chats_in_none() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (water, [rivers, ..]) = filled(&store);
    // More than one step of a purge.
    for n in 0..200 {
        let chat = Chat { folder: Some(water.id), ..Chat::new(format!("Pond {n}"), "") };
        store.write(Write::PutChat(chat)).unwrap();
    }
    store.write(Write::DeleteFolder(water.id)).unwrap();
    store.write(Write::DeleteForGood(DeletedId::Folder(water.id))).unwrap();
    // This is answered by the file alone, so everything is in it by then.
    assert_eq!(deleted(&store), []);
    let reading = rusqlite::Connection::open(folder.db()).unwrap();
    let count = |sql: &str| reading.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or(-1);
    let end = Instant::now() + Duration::from_secs(60);
    while count("SELECT count(*) FROM folders") != 0 {
        assert!(Instant::now() < end, "it is still there after a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(count("SELECT count(*) FROM chats WHERE folder IS NOT NULL"), 0);
    assert_eq!(count("SELECT count(*) FROM chats"), 203);
    store.write(Write::RestoreFolder(water.id)).unwrap();
    let problem = wait_for(&store, |event| match event {
        Event::Refused(problem) => Some(problem),
        _ => None,
    });
    assert!(problem.contains("too long ago"), "{problem}");
    assert_eq!(load(&store, rivers).0.folder, None);
}

#[test]
fn the_list_is_answered_by_an_index_alone() {
    let mut db = rusqlite::Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", sql::HEADS)).unwrap();
    let plan: Vec<String> =
        statement.query_map([], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(plan, ["SCAN chats USING COVERING INDEX chats_listed"], "nothing else, and nothing is sorted");
}

#[test]
fn names_of_folders_are_one_line_of_some_length() {
    for name in ["a", "Kernel notes", &"ü".repeat(ChatFolder::MAX_NAME)] {
        assert!(ChatFolder::is_name(name), "{name}");
    }
    for name in ["", " a", "a ", "a\nb", "a\u{0}", &"x".repeat(ChatFolder::MAX_NAME + 1)] {
        assert!(!ChatFolder::is_name(name), "{name}");
    }
}
