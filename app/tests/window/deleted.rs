//! What was deleted: found again after a restart, brought back, or removed for good.

use onebit::shell::{Command, Part};

use crate::script::{Window, open};

/// Opens the page and waits for its list.
fn page(window: &mut Window) {
    window.act(Command::ShowSettings(Part::Deleted));
    window.until("the list is known", |window| window.harness.state().controller.deleted().is_some());
}

fn delete_chat(window: &mut Window, title: &str) {
    window.click(&format!("Menu of {title}"));
    window.click("Delete");
}

#[test]
fn a_chat_deleted_in_an_earlier_run_is_brought_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("About foxes", "Foxes are quick.");
    delete_chat(&mut window, "About foxes");
    assert!(!window.shows("Menu of About foxes"));
    drop(window);

    let mut window = open(folder.path());
    assert!(window.harness.state().controller.library.chats.is_empty());
    page(&mut window);
    assert!(window.shows("Chat · deleted just now · goes in 30 days"), "{:?}", window.names());
    window.click("Restore About foxes");
    window.until("the list is empty", |window| window.shows("Nothing was deleted lately"));
    window.act(Command::Go(onebit::shell::Page::Chat));
    window.until("it is listed", |window| window.shows("Menu of About foxes"));
    let chat = window.harness.state().controller.library.chats[0].id;
    window.act(Command::OpenChat(chat));
    window.until("it is whole", |window| window.shows("Foxes are quick."));
}

#[test]
fn a_deleted_message_is_brought_back_into_its_chat() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    window.exchange("About foxes", "Foxes are quick.");
    window.exchange("And bears", "Bears are slow.");
    let messages = |window: &Window| {
        let shown = window.harness.state().controller.conversation();
        shown.map_or(0, |conversation| conversation.messages.len())
    };
    let third = window.harness.state().controller.conversation().unwrap().messages[2].id;
    window.act(Command::InChat(onebit::chat::ChatCommand::Delete(third)));
    assert_eq!(messages(&window), 2);
    drop(window);

    let mut window = open(folder.path());
    window.until("the chat is open", |window| messages(window) == 2);
    page(&mut window);
    assert!(window.shows_part("Message in “About foxes”"), "{:?}", window.names());
    window.click("Restore And bears");
    window.until("it is there with its answer", |window| messages(window) == 4);
}

#[test]
fn deleting_for_good_asks_first_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path());
    for title in ["First", "Second"] {
        window.exchange(title, "Yes");
        delete_chat(&mut window, title);
    }
    page(&mut window);
    window.click("Delete First for good");
    assert!(window.shows("Delete this for good?"), "{:?}", window.names());
    window.click("Cancel");
    assert!(window.shows("Restore First") && window.shows("Restore Second"));
    window.click("Delete First for good");
    window.click("Delete for good");
    window.until("it is gone", |window| !window.shows("Restore First") && window.shows("Restore Second"));
    window.click("Delete all for good…");
    window.click("Delete for good");
    window.until("all are gone", |window| window.shows("Nothing was deleted lately"));
    drop(window);
    let bytes = std::fs::read(folder.path().join("chats.db")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"Second"), "a trace is left in the file");
}
