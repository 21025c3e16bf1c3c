//! A disk that does not answer, and an import that takes its time: what the window says, and what goes on beside it.
#![expect(clippy::unwrap_used, reason = "this module is only compiled into tests")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use onebit::store::{Saving, Snapshot, Unsaved};
use onebit::window::Outside;
use onebit_engine::session::StopReason;

use crate::script::{Window, done, open, open_unanswered, started, text};

/// A file that hangs whoever opens it until it is opened at its other end as well.
fn hanging(path: PathBuf) -> PathBuf {
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

fn is_saving(window: &Window) -> bool {
    window.harness.state().controller.saving() == Some(&Saving::Yes)
}

#[test]
fn a_disk_that_hangs_is_said_the_answer_stays_on_the_screen_and_is_saved_when_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let lock = hanging(folder.path().join("chats.db.lock"));
    let mut window = open_unanswered(folder.path(), Outside::nobody());
    window.send("Name a river.");
    window.engine_says([started(), text("The Neckar")]);
    window.until("it is said", |window| window.shows("Chats are not being saved"));
    assert!(window.shows_part("has not answered for 5 seconds"), "{:?}", window.names());
    assert!(window.shows("Not saved") && window.shows("The Neckar"), "{:?}", window.names());
    window.engine_says([text(" flows."), done(StopReason::EndOfText)]);
    assert!(window.shows("The Neckar flows."));

    let _held = std::fs::File::open(lock).unwrap();
    window.until("it is said that it works again", |window| window.shows("Chats are saved again"));
    window.until("the status bar is content", |window| !window.shows("Not saved"));
    drop(window);
    assert_eq!(stored(folder.path()), ["Name a river.", "The Neckar flows."]);
}

#[test]
fn a_database_that_cannot_be_opened_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let newer = rusqlite::Connection::open(folder.path().join("chats.db")).unwrap();
    newer.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(newer);
    let mut window = open(folder.path());
    assert!(
        window.shows("Your chats are not shown") && !window.shows("No chats yet"),
        "{:?}",
        window.names()
    );
    window.until("the reason is a sentence", |window| {
        window.shows_part("A newer version of this program wrote")
    });

    // The message about it stays until it is closed, and does not lie on the button that sends.
    window.send("Name a river.");
    window.engine_says([started(), text("The Neckar"), done(StopReason::EndOfText)]);
    assert!(window.shows("The Neckar") && window.shows("Older chats are not shown"), "{:?}", window.names());
    let copy = window.rect("Copy");
    assert!(copy.bottom() < window.rect("Send").top() - 16.0, "{copy:?}");
}

/// What the messages of the newest chat say.
fn stored(folder: &Path) -> Vec<String> {
    let mut snapshot = Snapshot::open(&folder.join("chats.db")).unwrap();
    let newest = snapshot.heads().unwrap()[0].id;
    snapshot.chat(newest).unwrap().unwrap().1.into_iter().map(|message| message.content).collect()
}

/// The beginning of an export with so many chats.
fn export(chats: usize) -> String {
    let mut json = r#"{"format":"onebit-chats","version":1,"chats":["#.to_owned();
    for n in 1..=chats {
        let comma = if n == 1 { "" } else { "," };
        json += &format!(
            r#"{comma}{{"id":"{n}","title":"imported {n}","created_millis":{n},"updated_millis":{n},"pinned":false,"model":"","system":"","sampling":{{}},"persona":null,"leaf":null,"messages":[{{"id":"{n}","parent":null,"role":"user","content":"zebra {n}","state":"complete","created_millis":1}}]}}"#
        );
    }
    json
}

#[test]
fn beside_an_import_everything_is_saved_and_cancelling_it_leaves_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.until("chats are saved", is_saving);
    let file = hanging(folder.path().join("import.json"));
    window.harness.state_mut().controller.import(&file);
    let mut rest = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    rest.write_all(export(300).as_bytes()).unwrap();
    window.until("it is shown", |window| window.shows_part("Importing"));
    window.exchange("Name a river.", "The Neckar flows.");
    window.until("the chat is listed", |window| window.shows("Menu of Name a river."));
    let database = folder.path().join("chats.db");
    window.until("the exchange is saved", |_| {
        let heads = Snapshot::open(&database).unwrap().heads().unwrap();
        heads.len() == 1 && stored(folder.path()) == ["Name a river.", "The Neckar flows."]
    });
    window.click("Cancel");
    // The next chat that is read finds that nobody wants it any more. If one was read already, nobody reads this.
    let _ = rest.write_all(format!(",{}]}}", &export(301)[export(300).len() + 1..]).as_bytes());
    drop(rest);
    window.until("it has ended", |window| window.shows("Import cancelled"));
    assert!(!window.shows_part("Importing"));
    assert_eq!(window.harness.state().controller.library.total, 1);
    assert_eq!(Snapshot::open(&database).unwrap().heads().unwrap().len(), 1);

    // The same to its end.
    let whole = folder.path().join("whole.json");
    std::fs::write(&whole, export(300) + "]}").unwrap();
    window.harness.state_mut().controller.import(&whole);
    window.until("all are here", |window| window.shows("Imported 300 chats"));
    assert_eq!(Snapshot::open(&database).unwrap().heads().unwrap().len(), 301);
}

#[test]
fn what_is_not_saved_is_counted_while_the_disk_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let lock = hanging(folder.path().join("chats.db.lock"));
    let store =
        onebit::store::Store::open(&folder.path().join("chats.db"), std::sync::Arc::new(|| {})).unwrap();
    let unsaved = store.unsaved();
    let chat = onebit::store::Chat::new("Rivers", "starter");
    store.write(onebit::store::Write::PutChat(chat)).unwrap();
    assert_eq!(unsaved(), Unsaved { others: 1, ..Unsaved::default() });
    let _held = std::fs::File::open(lock).unwrap();
    assert_eq!(store.close(), Saving::Yes);
    assert!(unsaved().is_empty());
}
