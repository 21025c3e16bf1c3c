//! Damage to the index over texts alone: the index is made anew, the chats stay. Damage elsewhere sets the file aside, see `super`.

use super::*;

const PAGE_BYTES: usize = 4096;

/// Stores many conversations; gives one of them.
fn fill(path: &Path) -> ChatId {
    let store = Store::open(path, waker()).unwrap();
    let chats: Vec<ChatId> = (0..200).map(|_| converse_with(&store, true).0).collect();
    assert_eq!(store.close(), Saving::Yes);
    chats[100]
}

/// Overwrites every page that the index uses.
fn damage_index_pages(path: &Path) -> usize {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut pages: Vec<usize> = Vec::new();
    for table in ["data", "idx", "docsize"] {
        let mut statement = db.prepare("SELECT pageno FROM dbstat WHERE name = ?1").unwrap();
        let found = statement.query_map([format!("messages_text_{table}")], |row| row.get::<_, i64>(0));
        pages.extend(found.unwrap().map(|page| usize::try_from(page.unwrap()).unwrap()));
    }
    drop(db);
    let mut bytes = std::fs::read(path).unwrap();
    for page in &pages {
        bytes[(page - 1) * PAGE_BYTES..page * PAGE_BYTES].fill(0xa5);
    }
    std::fs::write(path, &bytes).unwrap();
    pages.len()
}

fn is_whole(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    let found: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

#[test]
fn a_damaged_index_is_made_anew_and_every_chat_stays() {
    let folder = Folder::new();
    let chat = fill(&folder.db());
    assert!(damage_index_pages(&folder.db()) >= 3);
    // An export reads beside it all.
    assert_eq!(Snapshot::open(&folder.db()).unwrap().heads().unwrap().len(), 200);
    let store = Store::open(&folder.db(), waker()).unwrap();
    let mut remade = false;
    wait_for(&store, |event| match event {
        Event::SetAside { problem, .. } => panic!("the chats were set aside: {problem}"),
        Event::IndexRemade { problem } => {
            assert!(!problem.is_empty());
            remade = true;
            None
        }
        Event::Opened(saving) => {
            assert_eq!(saving, Saving::Yes);
            Some(())
        }
        _ => None,
    });
    assert!(remade);
    assert_eq!(page(&store, 10).1, 200);
    assert_eq!(load(&store, chat).1[1].content, "The Neckar");
    assert_eq!(search(&store, "neckar", 500).0.len(), 200);
    let (new, _) = converse_with(&store, true);
    assert_eq!(search(&store, "neckar", 500).0.len(), 201);
    store.write(Write::DeleteChat(new)).unwrap();
    assert_eq!(store.close(), Saving::Yes);
    is_whole(&folder.db());
    let store = Store::open(&folder.db(), waker()).unwrap();
    wait_for(&store, |event| match event {
        Event::IndexRemade { .. } => panic!("it was mended already"),
        Event::Opened(saving) => Some(saving),
        _ => None,
    });
}

#[test]
fn an_index_whose_pages_are_whole_and_whose_content_is_not_is_made_anew_when_that_is_found() {
    for found_by_search in [true, false] {
        let folder = Folder::new();
        let chat = fill(&folder.db());
        let db = rusqlite::Connection::open(folder.db()).unwrap();
        db.execute("UPDATE messages_text_data SET block = randomblob(length(block)) WHERE id > 10", [])
            .unwrap();
        drop(db);
        let store = Store::open(&folder.db(), waker()).unwrap();
        assert_eq!(opened(&store), Saving::Yes);
        if found_by_search {
            store.ask(Query::Search { text: "neckar".to_owned(), limit: 500 }).unwrap();
        } else {
            let changed = load(&store, chat).1[1].id;
            store.write(Write::Resume { message: changed, content: "Other".to_owned() }).unwrap();
        }
        wait_for(&store, |event| match event {
            Event::Saving(Saving::No { reason, .. }) => panic!("chats are not saved: {reason}"),
            Event::IndexRemade { .. } => Some(()),
            _ => None,
        });
        let expected = if found_by_search { 200 } else { 199 };
        assert_eq!(search(&store, "neckar", 500).0.len(), expected);
        assert_eq!(page(&store, 10).1, 200);
        assert_eq!(store.close(), Saving::Yes);
        is_whole(&folder.db());
    }
}
