//! `onebit export` and `onebit import`: files, results as JSON, an app that holds the chats, a full disk.
#![expect(clippy::unwrap_used, reason = "this binary is only compiled for tests")]

mod program;

use std::process::Command;
use std::sync::Arc;

use onebit::folders::Folders;
use onebit::store::{Chat, Event, Message, Role, Saving, Store, Write};
use program::{Home, assert_fails, ended};
use serde_json::Value;

fn database(home: &Home) -> std::path::PathBuf {
    let variable = |name: &str| (name == "HOME").then(|| home.path().into());
    Folders::from_variables(variable).unwrap().chats()
}

fn store(home: &Home) -> Store {
    let store = Store::open(&database(home), Arc::new(|| {})).unwrap();
    loop {
        match store.try_next() {
            Some(Event::Opened(saving)) => {
                assert_eq!(saving, Saving::Yes);
                return store;
            }
            Some(_) => {}
            None => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
}

fn fill(home: &Home, titles: &[&str]) {
    let store = store(home);
    for title in titles {
        let chat = Chat::new(*title, "starter");
        let message = Message::complete(
            chat.id,
            None,
            Role::User,
            format!("What of {title}? {}", "words ".repeat(20_000)),
        );
        store.write(Write::PutChat(chat)).unwrap();
        store.write(Write::AddMessage(message)).unwrap();
    }
    assert_eq!(store.close(), Saving::Yes);
}

fn json(home: &Home, arguments: &[&str]) -> Value {
    let ended = home.run(arguments);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("stdout is one JSON value")
}

#[test]
fn chats_move_from_one_home_to_another() {
    let (here, there) = (Home::new(), Home::new());
    fill(&here, &["Rivers", "Lakes"]);
    let file = here.file("out.json", b"");
    let exported = json(&here, &["export", "--all", "-o", &file, "--json"]);
    assert_eq!((&exported["chats"], &exported["messages"]), (&Value::from(2), &Value::from(2)));
    let imported = json(&there, &["import", &file, "--json"]);
    assert_eq!((&imported["chats"], &imported["duplicates"]), (&Value::from(2), &Value::from(0)));
    let again = json(&there, &["import", &file, "--json"]);
    assert_eq!((&again["chats"], &again["duplicates"]), (&Value::from(0), &Value::from(2)));
    let listed = |home: &Home| json(home, &["export", "--list", "--json"]);
    assert_eq!(listed(&here), listed(&there));

    let one = here.run(&["export", "Rivers"]);
    let one: Value = serde_json::from_str(&one.stdout).expect("stdout is the export");
    assert_eq!(one["chats"].as_array().unwrap().len(), 1);
    let id = one["chats"][0]["id"].as_str().unwrap();
    let text = here.run(&["export", id, "--format", "markdown"]);
    assert!(text.stdout.starts_with("# Rivers\n\n## You\n\nWhat of Rivers?"), "{}", text.stdout);
}

#[test]
fn what_cannot_be_done_is_one_line_and_changes_nothing() {
    let home = Home::new();
    assert_fails(&home.run(&["export", "--all"]), &["no chats yet"]);
    fill(&home, &["Rivers", "Rivers"]);
    assert_fails(&home.run(&["export", "Lakes"]), &["Lakes", "--list"]);
    assert_fails(&home.run(&["export", "Rivers"]), &["2 chats", "by its id"]);
    assert_eq!(home.run(&["export"]).code, 2);
    let rubbish = home.file("rubbish.json", b"{\"mapping\":[]}");
    assert_fails(&home.run(&["import", &rubbish]), &["nothing was imported", "onebit-chats", "rubbish.json"]);
    assert_fails(
        &home.run(&["import", "/nowhere/at/all.json"]),
        &["nothing was imported", "/nowhere/at/all.json"],
    );
    assert_fails(&home.run(&["export", "--all", "-o", "/nowhere/at/all.json"]), &["/nowhere/at/all.json"]);
    assert_eq!(json(&home, &["export", "--list", "--json"])["chats"].as_array().unwrap().len(), 2);
}

#[test]
fn while_the_app_holds_the_chats_exporting_works_and_importing_says_who_has_to_do_it() {
    let home = Home::new();
    fill(&home, &["Rivers"]);
    let file = home.file("out.json", b"");
    let held = store(&home);
    assert_eq!(json(&home, &["export", "--all", "-o", &file, "--json"])["chats"], 1);
    assert_fails(&home.run(&["import", &file]), &["nothing was imported", "1bit Desktop", "import there"]);
    drop(held);
    assert_eq!(json(&home, &["import", &file, "--json"])["duplicates"], 1);
}

#[test]
fn an_export_onto_a_full_disk_leaves_the_old_file_and_no_part() {
    let home = Home::new();
    fill(&home, &["Rivers", "Lakes", "Seas", "Ponds", "Springs", "Brooks"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.json");
    std::fs::write(&file, "the old export").unwrap();
    // A limit on the size of files is refused like a full disk, once its signal is ignored.
    let script = format!(
        "trap '' XFSZ; ulimit -f 200; exec '{}' export --all -o '{}'",
        env!("CARGO_BIN_EXE_onebit"),
        file.display()
    );
    let output =
        Command::new("sh").args(["-c", &script]).env_clear().env("HOME", home.path()).output().unwrap();
    assert_fails(&ended(output), &["out.json"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the old export");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}
