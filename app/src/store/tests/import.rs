//! Imports beside other work: nothing of one is seen before its end, nothing waits for it, and one that fails leaves nothing.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// An import that hands over `chats`, each with `messages` messages, then waits for the word how it ends.
fn import(store: &Store, chats: usize, messages: usize) -> (Sender<Result<(), String>>, Receiver<()>) {
    let (end, how) = channel();
    let (sender, handed_over) = channel();
    let job: ImportJob = Box::new(move |importer| {
        importer.add_persona(Persona::new("imported", "", ChatSampling::default()))?;
        for n in 0..chats {
            let chat = Chat::new(format!("imported {n}"), "starter");
            let mut parent = None;
            let messages = (0..messages).map(|m| {
                let message = Message::complete(chat.id, parent, Role::User, format!("zebra {n} {m}"));
                parent = Some(message.id);
                message
            });
            let messages = messages.collect();
            // Half of them in a folder.
            importer.add_chat(chat, messages, (n % 2 == 1).then(|| "Imported".to_owned()))?;
        }
        // Nobody may be waiting for it.
        let _ = sender.send(());
        how.recv().unwrap_or_else(|_| Err("the test ended".to_owned()))
    });
    store.import(job).unwrap();
    (end, handed_over)
}

fn imported(store: &Store) -> Result<Imported, String> {
    wait_for(store, |event| match event {
        Event::Imported(outcome) => Some(outcome),
        _ => None,
    })
}

fn save(store: &Store, value: &str) {
    let ticket =
        store.write(Write::SetState { name: state::DRAFT.to_owned(), value: value.to_owned() }).unwrap();
    wait_for(store, |event| matches!(event, Event::Saved(saved) if saved >= ticket).then_some(()));
}

fn rows(path: &Path, table: &str) -> i64 {
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn wait_until_empty(path: &Path) {
    let end = Instant::now() + Duration::from_secs(60);
    while ["chats", "messages", "personas", "folders"].iter().any(|table| rows(path, table) > 0) {
        assert!(Instant::now() < end, "what an import left is still in the file after a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn of_an_import_that_runs_nothing_is_seen_and_everything_else_is_saved() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (end, handed_over) = import(&store, 50, 20);
    handed_over.recv().unwrap();
    let (own, _) = converse_with(&store, true);
    save(&store, "typed meanwhile");
    assert_eq!(page(&store, 100).1, 1);
    assert!(search(&store, "zebra", 100).0.is_empty());
    assert_eq!(Snapshot::open(&folder.db()).unwrap().heads().unwrap().len(), 1);
    assert_eq!(Snapshot::open(&folder.db()).unwrap().personas().unwrap(), []);
    assert_eq!(folders(&store), []);
    assert!(rows(&folder.db(), "messages") > 2, "some of the import is in the file already");

    end.send(Ok(())).unwrap();
    let done = imported(&store).unwrap();
    assert_eq!(done, Imported { chats: 50, messages: 1000, personas: 1, folders: 1, ..Imported::default() });
    let made = folders(&store);
    assert_eq!(made.iter().map(|folder| folder.name.as_str()).collect::<Vec<_>>(), ["Imported"]);
    let (heads, _) = page(&store, 100);
    assert_eq!(heads.iter().filter(|head| head.folder == Some(made[0].id)).count(), 25);
    assert_eq!(page(&store, 100).1, 51);
    assert_eq!(search(&store, "zebra", 100).0.len(), 50);
    assert_eq!(load(&store, own).1.len(), 2);
    assert_eq!(Snapshot::open(&folder.db()).unwrap().personas().unwrap().len(), 1);
}

#[test]
fn a_single_long_chat_is_taken_in_between_other_saves() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (end, _) = import(&store, 1, 20_000);
    end.send(Ok(())).unwrap();
    let mut saves = 0;
    let done = loop {
        let ticket =
            store.write(Write::SetState { name: state::DRAFT.to_owned(), value: saves.to_string() }).unwrap();
        let mut done = None;
        wait_for(&store, |event| match event {
            Event::Imported(outcome) => {
                done = Some(outcome.unwrap());
                None
            }
            Event::Saved(saved) => (saved >= ticket).then_some(()),
            _ => None,
        });
        match done {
            Some(done) => break done,
            None => saves += 1,
        }
    };
    assert_eq!((done.chats, done.messages), (1, 20_000));
    assert!(saves > 2, "only {saves} saves got through while it ran");
    let (heads, _) = page(&store, 1);
    assert_eq!(load(&store, heads[0].id).1.len(), 20_000);
}

#[test]
fn an_import_that_fails_leaves_nothing_in_the_file() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (end, handed_over) = import(&store, 50, 20);
    handed_over.recv().unwrap();
    end.send(Err("cancelled".to_owned())).unwrap();
    assert_eq!(imported(&store), Err("cancelled".to_owned()));
    assert_eq!(page(&store, 100).1, 0);
    wait_until_empty(&folder.db());
    // The same again, and this time to its end.
    let (end, _) = import(&store, 50, 20);
    end.send(Ok(())).unwrap();
    assert_eq!(imported(&store).unwrap().chats, 50);
}

#[test]
fn a_program_that_ends_in_the_middle_of_an_import_does_not_wait_for_it_and_keeps_nothing_of_it() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (_end, handed_over) = import(&store, 50, 20);
    handed_over.recv().unwrap();
    save(&store, "typed meanwhile");
    assert_eq!(store.close(), Saving::Yes);
    assert!(rows(&folder.db(), "chats") > 0);
    let store = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(page(&store, 100).1, 0);
    wait_until_empty(&folder.db());
}

#[test]
fn there_is_one_import_at_a_time() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (first, _) = import(&store, 1, 1);
    let (second, _) = import(&store, 1, 1);
    assert!(imported(&store).unwrap_err().contains("another import"));
    first.send(Ok(())).unwrap();
    drop(second);
    assert_eq!(imported(&store).unwrap().chats, 1);
}

#[test]
fn a_disk_that_fills_up_during_an_import_ends_it_in_words_and_leaves_nothing() {
    let folder = Folder::new();
    let mailbox = Arc::new(Mailbox::new(waker()));
    let mut keeper = Keeper::open(folder.db(), &mailbox);
    keeper.limit_pages(40);
    let job: ImportJob = Box::new(|importer| {
        for n in 0..200 {
            let chat = Chat::new(format!("imported {n}"), "starter");
            let message = Message::complete(chat.id, None, Role::User, format!("zebra{n} ").repeat(200));
            importer.add_chat(chat, vec![message], None)?;
        }
        Ok(())
    });
    keeper.take(Command::Import(crate::store::import::start(job, &mailbox).unwrap()));
    let problem = loop {
        keeper.take_in();
        match mailbox.try_next() {
            Some(Event::Imported(outcome)) => break outcome.unwrap_err(),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert!(problem.contains("disk is full"), "{problem}");
    keeper.limit_pages(1 << 20);
    // In slices, of which each leaves the rest for the next.
    for _ in 0..100 {
        keeper.purge();
    }
    drop(keeper);
    for table in ["chats", "messages"] {
        assert_eq!(rows(&folder.db(), table), 0, "{table}");
    }
}

#[test]
fn a_folder_that_is_made_while_an_import_makes_one_of_its_name_is_the_same_one() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (end, handed_over) = import(&store, 4, 1);
    handed_over.recv().unwrap();
    let own = crate::store::Folder::new("imported");
    store.write(Write::PutFolder(own.clone())).unwrap();
    save(&store, "typed meanwhile");
    end.send(Ok(())).unwrap();
    imported(&store).unwrap();
    assert_eq!(folders(&store), std::slice::from_ref(&own));
    let (heads, _) = page(&store, 100);
    assert_eq!(heads.iter().filter(|head| head.folder == Some(own.id)).count(), 2);
}

#[test]
fn a_folder_that_is_here_takes_what_is_imported_for_its_name_and_one_that_is_deleted_does_not() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let [here, gone] = ["IMPORTED", "Imported"].map(crate::store::Folder::new);
    store.write(Write::PutFolder(gone.clone())).unwrap();
    store.write(Write::DeleteFolder(gone.id)).unwrap();
    store.write(Write::PutFolder(here.clone())).unwrap();
    let (end, _) = import(&store, 4, 1);
    end.send(Ok(())).unwrap();
    assert_eq!(imported(&store).unwrap().folders, 0);
    let (heads, _) = page(&store, 100);
    assert_eq!(heads.iter().filter(|head| head.folder == Some(here.id)).count(), 2);
}
