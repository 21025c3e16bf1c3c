//! A disk that does not answer: the thread hangs in the middle of its work, and everybody else is told.

use super::*;

/// Puts something in the place of the lock that hangs whoever opens it until [`let_go`].
fn hang(lock: &Path) {
    let _ = std::fs::remove_file(lock);
    let made = std::process::Command::new("mkfifo").arg(lock).status().unwrap();
    assert!(made.success());
}

/// Lets whoever hangs go on.
fn let_go(lock: &Path) -> std::fs::File {
    std::fs::File::open(lock).unwrap()
}

#[test]
fn a_hanging_disk_is_said_with_what_is_not_saved_and_everything_is_saved_when_it_answers() {
    let folder = Folder::new();
    let first = Store::open(&folder.db(), waker()).unwrap();
    assert_eq!(opened(&first), Saving::Yes);
    // The second waits for the first to end, and looks every few seconds.
    let second = Store::open(&folder.db(), waker()).unwrap();
    assert!(matches!(opened(&second), Saving::No { .. }));
    let lock = folder.0.path().join("onebit/chats.db.lock");
    hang(&lock);
    assert_eq!(first.close(), Saving::Yes);
    let unsaved = second.unsaved();
    let (chat, _) = converse_with(&second, true);
    store_says(&second, "has not answered");
    assert_eq!(unsaved(), Unsaved { messages: 1, answers: 1, others: 1 });

    let _held = let_go(&lock);
    wait_for(&second, |event| (event == Event::Saving(Saving::Yes)).then_some(()));
    assert_eq!(load(&second, chat).1[1].content, "The Neckar");
    assert!(unsaved().is_empty());
    assert_eq!(second.close(), Saving::Yes);
}

#[test]
fn a_disk_that_hangs_when_it_is_opened_is_said_as_well() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.db().parent().unwrap()).unwrap();
    let lock = folder.0.path().join("onebit/chats.db.lock");
    hang(&lock);
    let store = Store::open(&folder.db(), waker()).unwrap();
    store.ask(Query::Chats { limit: 1 }).unwrap();
    store_says(&store, "has not answered");
    let _held = let_go(&lock);
    assert_eq!(opened(&store), Saving::Yes);
    wait_for(&store, |event| (event == Event::Saving(Saving::Yes)).then_some(()));
}

fn store_says(store: &Store, words: &str) {
    wait_for(store, |event| match event {
        Event::Saving(Saving::No { reason, .. }) => reason.contains(words).then_some(()),
        _ => None,
    });
}
