//! Round trips, and files that are not ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[path = "../../fuzz/entries.rs"]
mod entries;

use super::*;
use crate::store::{
    AnswerStats, Attachment, Chat, ChatSampling, Event, Folder, Imported, Message, MessageState, Persona,
    Role, Saving, Snapshot, Store, Write,
};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn db(&self) -> PathBuf {
        self.0.path().join("chats.db")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> Store {
        Store::open(&self.db(), Arc::new(|| {})).unwrap()
    }

    fn import(&self, path: &Path) -> Result<Imported, String> {
        let store = self.store();
        store.import(import_job(path.to_owned(), Arc::default())).unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match store.try_next() {
                Some(Event::Imported(outcome)) => return outcome,
                Some(_) => {}
                None => {
                    assert!(Instant::now() < end, "the import did not end within a minute");
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    fn import_text(&self, text: &[u8]) -> Result<Imported, String> {
        let path = self.file("import.json");
        std::fs::write(&path, text).unwrap();
        self.import(&path)
    }

    fn export(&self, name: &str, format: Format) -> PathBuf {
        let path = self.file(name);
        export_to_file(&self.db(), None, format, &path, &Progress::default()).unwrap();
        path
    }

    /// Every chat with its messages, in the order of the list.
    fn everything(&self) -> Vec<(Chat, Vec<Message>)> {
        let mut snapshot = Snapshot::open(&self.db()).unwrap();
        let heads = snapshot.heads().unwrap();
        heads.iter().map(|head| snapshot.chat(head.id).unwrap().unwrap()).collect()
    }
}

fn write_all(store: Store, writes: Vec<Write>) {
    for write in writes {
        store.write(write).unwrap();
    }
    assert_eq!(store.close(), Saving::Yes);
}

/// A chat that uses everything: a persona, two branches of which the older is shown, an attachment, every state, odd text.
fn full_chat() -> (Persona, Chat, Vec<Message>, Vec<Write>) {
    let sampling = ChatSampling { temperature: Some(0.3), seed: Some(u64::MAX), ..ChatSampling::default() };
    let persona = Persona::new("Exact", "Answer in one sentence.", sampling.clone());
    let mut chat = Chat::new("Rivers \"&\" lakes \u{1f3de}\n", "starter");
    (chat.pinned, chat.system, chat.sampling) = (true, "Be short.".to_owned(), sampling);
    chat.persona = Some(persona.id);
    let mut question =
        Message::complete(chat.id, None, Role::User, "Name a river.\n```\ncode ```` here\n```");
    question.attachments = vec![Attachment {
        name: "notes.md".to_owned(),
        media: "text/markdown".to_owned(),
        text: "# Notes\n```rust\nfn main() {}\n```\n".to_owned(),
    }];
    let mut first = Message::complete(chat.id, Some(question.id), Role::Assistant, "The Neckar\u{0}\t");
    first.stats = AnswerStats {
        tokens: 7,
        prompt_tokens: 20,
        prefill_millis: 12.345_678_901_234,
        decode_millis: 0.1 + 0.2,
        cached_tokens: 3,
        thinking_tokens: 2,
        thinking_millis: 1e-9,
        cut_short: true,
        lane: "cpu-avx512".to_owned(),
        model: "starter".to_owned(),
    };
    let mut second = Message::complete(chat.id, Some(question.id), Role::Assistant, "");
    (second.state, second.error) = (MessageState::Failed, Some("no memory".to_owned()));
    let mut third = Message::complete(chat.id, Some(first.id), Role::User, "And a lake?");
    third.state = MessageState::Stopped;
    chat.leaf = Some(third.id);
    let messages = vec![question, first, second, third];
    let mut writes = vec![Write::PutPersona(persona.clone()), Write::PutChat(chat.clone())];
    writes.extend(messages.iter().cloned().map(Write::AddMessage));
    writes.push(Write::PutChat(chat.clone()));
    (persona, chat, messages, writes)
}

#[test]
fn what_is_exported_and_imported_elsewhere_is_the_same_to_the_bit() {
    let (here, there) = (Place::new(), Place::new());
    let (persona, chat, messages, writes) = full_chat();
    write_all(here.store(), writes);
    let file = here.export("out.json", Format::Json);
    let imported = there.import(&file).unwrap();
    assert_eq!(imported, Imported { chats: 1, messages: 4, personas: 1, ..Imported::default() });
    assert_eq!(there.everything(), [(chat, messages)]);
    assert_eq!(Snapshot::open(&there.db()).unwrap().personas().unwrap(), [persona]);
    // A second export differs in its time only.
    let without_time = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let again = there.export("again.json", Format::Json);
    assert_eq!(without_time(&again), without_time(&file));
}

#[test]
fn folders_go_with_their_chats_by_name_and_the_same_name_is_the_same_folder() {
    let (here, there) = (Place::new(), Place::new());
    let [water, empty, gone] = ["Water", "Empty", "Gone"].map(Folder::new);
    let mut writes: Vec<Write> = [&water, &empty, &gone].into_iter().cloned().map(Write::PutFolder).collect();
    for (title, folder) in
        [("Rivers", Some(water.id)), ("Lakes", Some(water.id)), ("Tea", Some(gone.id)), ("Bread", None)]
    {
        writes.push(Write::PutChat(Chat { folder, ..Chat::new(title, "") }));
    }
    writes.push(Write::DeleteFolder(gone.id));
    write_all(here.store(), writes);
    let file = here.export("out.json", Format::Json);
    let mine = Folder::new("WATER");
    write_all(there.store(), vec![Write::PutFolder(mine.clone())]);
    let imported = there.import(&file).unwrap();
    assert_eq!(imported, Imported { chats: 4, ..Imported::default() });
    assert_eq!(Snapshot::open(&there.db()).unwrap().folders().unwrap(), std::slice::from_ref(&mine));
    let filed = |place: &Place| {
        let mut found: Vec<_> =
            place.everything().into_iter().map(|(chat, _)| (chat.title, chat.folder)).collect();
        found.sort();
        found
    };
    let expected = [("Bread", None), ("Lakes", Some(mine.id)), ("Rivers", Some(mine.id)), ("Tea", None)];
    assert_eq!(filed(&there), expected.map(|(title, folder)| (title.to_owned(), folder)));
    // A chat that is here stays where it is.
    let rivers = there.everything().into_iter().find(|(chat, _)| chat.title == "Rivers").unwrap().0.id;
    write_all(there.store(), vec![Write::MoveChat { chat: rivers, folder: None }]);
    let again = there.import(&file).unwrap();
    assert_eq!(again, Imported { duplicates: 4, ..Imported::default() });
    assert_eq!(filed(&there)[2], ("Rivers".to_owned(), None));
    // Where there is no folder of the name it is made.
    let empty = Place::new();
    assert_eq!(empty.import(&file).unwrap().folders, 1);
    let made = Snapshot::open(&empty.db()).unwrap().folders().unwrap();
    assert_eq!(made[0].name, "Water");
    assert_eq!(filed(&empty)[1], ("Lakes".to_owned(), Some(made[0].id)));
}

#[test]
fn what_is_here_already_is_recognised_whatever_its_ids_and_what_differs_gets_new_ids() {
    let place = Place::new();
    let (_, chat, messages, writes) = full_chat();
    write_all(place.store(), writes);
    let file = place.export("out.json", Format::Json);
    let again = place.import(&file).unwrap();
    assert_eq!(again, Imported { duplicates: 1, ..Imported::default() });

    let store = place.store();
    write_all(store, vec![Write::Rename { chat: chat.id, title: "Renamed".to_owned() }]);
    let changed = place.import(&file).unwrap();
    assert_eq!((changed.chats, changed.renewed, changed.duplicates), (1, 1, 0));
    let all = place.everything();
    assert_eq!(all.len(), 2);
    let copy = all.iter().find(|(copy, _)| copy.title == chat.title).unwrap();
    assert_ne!(copy.0.id, chat.id);
    assert_eq!(copy.0.leaf, Some(copy.1[3].id), "the shown branch is the same one");
    for (copied, original) in copy.1.iter().zip(&messages) {
        assert_eq!(
            (&copied.content, &copied.stats, &copied.attachments),
            (&original.content, &original.stats, &original.attachments)
        );
    }
    // The copy has other ids than the file, and is still recognised.
    assert_eq!(place.import(&file).unwrap(), Imported { duplicates: 1, ..Imported::default() });
    assert_eq!(place.everything().len(), 2);
}

/// A chat with many times of which every eighth is another number after a way through JSON that rounds.
fn chat_of_times() -> (Vec<Message>, Vec<Write>) {
    let chat = Chat::new("Times", "starter");
    let messages: Vec<Message> = (1..=200_u32)
        .map(|n| {
            let mut message = Message::complete(chat.id, None, Role::Assistant, "The Neckar");
            message.stats.decode_millis = f64::from(n).sqrt() * 1234.567;
            message.stats.prefill_millis = f64::from(n).ln() * 98.765;
            message
        })
        .collect();
    let mut writes = vec![Write::PutChat(chat)];
    writes.extend(messages.iter().cloned().map(Write::AddMessage));
    (messages, writes)
}

#[test]
fn a_chat_is_recognised_whatever_its_times_are() {
    let place = Place::new();
    write_all(place.store(), chat_of_times().1);
    let file = place.export("out.json", Format::Json);
    assert_eq!(place.import(&file).unwrap(), Imported { duplicates: 1, ..Imported::default() });
}

#[test]
fn times_come_back_to_the_last_bit() {
    let (messages, writes) = chat_of_times();
    let (place, there) = (Place::new(), Place::new());
    write_all(place.store(), writes);
    let file = place.export("out.json", Format::Json);
    there.import(&file).unwrap();
    let imported = there.everything().remove(0).1;
    assert_eq!(imported.len(), messages.len());
    for (imported, message) in imported.iter().zip(&messages) {
        let bits = |message: &Message| {
            (message.stats.decode_millis.to_bits(), message.stats.prefill_millis.to_bits())
        };
        assert_eq!(bits(imported), bits(message), "{:?}", message.stats);
    }
}

#[test]
fn an_answer_that_is_being_written_is_exported_as_interrupted() {
    let place = Place::new();
    let chat = Chat::new("Growing", "starter");
    let question = Message::complete(chat.id, None, Role::User, "Count.");
    let answer = Message::answer(chat.id, question.id);
    let store = place.store();
    let id = answer.id;
    for write in [Write::PutChat(chat), Write::AddMessage(question), Write::AddMessage(answer)] {
        store.write(write).unwrap();
    }
    let ticket = store.write(Write::Extend { message: id, text: "one two".to_owned() }).unwrap();
    while store.try_next() != Some(Event::Saved(ticket)) {
        std::thread::sleep(Duration::from_millis(1));
    }
    // The store is open: an export reads beside a running app.
    let text = std::fs::read_to_string(place.export("out.json", Format::Json)).unwrap();
    assert!(text.contains("\"interrupted\"") && text.contains("one two"), "{text}");
}

#[test]
fn markdown_holds_the_shown_branch_with_fences_that_hold() {
    let place = Place::new();
    let (_, _, _, writes) = full_chat();
    write_all(place.store(), writes);
    let text = std::fs::read_to_string(place.export("out.md", Format::Markdown)).unwrap();
    let expected = "# Rivers \"&\" lakes \u{1f3de}\n\n## System prompt\n\nBe short.\n\n## You\n\nName a river.\n```\ncode ```` here\n```\n\n\
         Attached: notes.md\n\n````\n# Notes\n```rust\nfn main() {}\n```\n````\n\n## starter\n\nThe Neckar\u{0}\n\n## You\n\nAnd a lake?\n\n\
         *(stopped here)*\n";
    assert_eq!(text, expected);
}

#[test]
fn a_file_that_is_not_ours_is_refused_with_what_was_expected_and_nothing_is_imported() {
    let place = Place::new();
    let head = r#"{"format":"onebit-chats","version":1,"chats":["#;
    let chat = |rest: &str| {
        format!(
            r#"{head}{{"id":"1","title":"t","created_millis":1,"updated_millis":1,"pinned":false,"model":"","system":"","sampling":{{}},"persona":null,"leaf":null,"messages":[{rest}]}}]}}"#
        )
    };
    let message = |id: &str, parent: &str| {
        format!(
            r#"{{"id":"{id}","parent":{parent},"role":"user","content":"c","state":"complete","created_millis":1}}"#
        )
    };
    let whole = chat(&message("1", "null"));
    let cases: Vec<(String, &[&str])> = vec![
        (String::new(), &["EOF"]),
        ("\u{0}\u{1}binary".to_owned(), &["line 1"]),
        ("[]".to_owned(), &["expected an object that begins with"]),
        ("[{\"mapping\":{}}]".to_owned(), &["expected an object that begins with"]),
        ("{}".to_owned(), &["expected \"format\""]),
        (r#"{"format":"other"}"#.to_owned(), &["format is \"other\"", "onebit-chats"]),
        (r#"{"format":"onebit-chats","chats":[]}"#.to_owned(), &["version"]),
        (r#"{"format":"onebit-chats","version":9,"chats":[]}"#.to_owned(), &["version is 9", "update"]),
        (r#"{"format":"onebit-chats","version":1}"#.to_owned(), &["chats"]),
        (whole[..whole.len() - 3].to_owned(), &["chat 1"]),
        (whole.clone() + "{}", &["trailing"]),
        (whole.replace("\"pinned\":false", "\"pinned\":7"), &["chat 1", "expected a boolean"]),
        (whole.replace("\"id\":\"1\"", "\"id\":\"one\""), &["chat 1", "expected an id"]),
        (whole.replace("\"role\":\"user\"", "\"role\":\"robot\""), &["chat 1", "robot"]),
        (whole.replace("\"state\":\"complete\"", "\"state\":\"writing\""), &["chat 1", "writing"]),
        (whole.replace("\"sampling\":{}", "\"sampling\":{\"top_p\":3}"), &["sampling", "top_p is 3"]),
        (whole.replace("\"leaf\":null", "\"leaf\":\"77\""), &["leaf is 77"]),
        (whole.replace("\"persona\":null", "\"persona\":\"5\""), &["persona is 5"]),
        (
            whole.replace("\"leaf\":null", "\"leaf\":null,\"folder\":\" x\""),
            &["folder is \" x\"", "expected one line"],
        ),
        (
            whole.replace("\"created_millis\":1,\"updated", "\"created_millis\":-4,\"updated"),
            &["created_millis is -4"],
        ),
        (
            whole.replace("\"title\":\"t\"", &format!("\"title\":\"{}\"", "t".repeat(5000))),
            &["title has 5000 bytes"],
        ),
        (chat(&format!("{},{}", message("1", "\"2\""), message("2", "\"1\""))), &["message 1: parent is 2"]),
        (
            chat(&format!("{},{}", message("1", "null"), message("1", "null"))),
            &["message 2: the id 1 occurs twice"],
        ),
        (chat(&message("3", "\"3\"")), &["parent is 3"]),
        (format!("{head}{}", "[".repeat(100_000)), &["chat 1"]),
        (
            whole.replace("\"sampling\":{}", &format!("\"sampling\":{}", "{\"a\":".repeat(100_000))),
            &["chat 1"],
        ),
    ];
    for (text, words) in cases {
        let problem = place.import_text(text.as_bytes()).unwrap_err();
        for word in words {
            assert!(problem.contains(word), "{word:?} is missing in {problem:?} for {text:.80}");
        }
        assert!(problem.contains("import.json") && problem.contains("exported here"), "{problem}");
    }
    assert_eq!(place.everything(), []);
    let problem = place.import(place.0.path()).unwrap_err();
    assert!(problem.contains("directory"), "{problem}");
    let problem = place.import(&place.file("none.json")).unwrap_err();
    assert!(problem.contains("none.json"), "{problem}");
}

/// The shapes in which other programs export chats.
#[test]
fn exports_of_other_programs_are_refused_with_what_was_expected() {
    let place = Place::new();
    let shapes: [&[u8]; 10] = [
        br#"[{"title":"Rivers","create_time":1.7e9,"mapping":{"a":{"message":null,"parent":null,"children":[]}}}]"#,
        br#"[{"uuid":"1-2","name":"Rivers","chat_messages":[{"sender":"human","text":"Hi"}]}]"#,
        br#"[{"id":"1","title":"Rivers","chat":{"models":["a"],"history":{"messages":{}}}}]"#,
        br#"[{"conv":{"id":"1","name":"Rivers"},"messages":[{"role":"user","content":"Hi"}]}]"#,
        br#"{"name":"Rivers","pinned":false,"createdAt":1,"messages":[{"versions":[]}]}"#,
        br#"{"id":"jan_1","object":"thread","title":"Rivers","assistants":[]}"#,
        br#"{"version":1,"format":"chats","chats":[]}"#,
        b"{\"role\":\"user\",\"content\":\"Hi\"}\n{\"role\":\"assistant\",\"content\":\"Hello\"}\n",
        b"# Rivers\n\n**You**: Hi\n",
        b"PK\x03\x04\x14\x00\x00\x00conversations.json",
    ];
    for shape in shapes {
        let problem = place.import_text(shape).unwrap_err();
        let shape = String::from_utf8_lossy(shape);
        assert!(problem.starts_with("not a whole chat export of 1bit Desktop"), "{shape}: {problem}");
        assert!(problem.contains("choose a JSON file that was exported here"), "{shape}: {problem}");
        // What is JSON at all is told which field was expected.
        let named = problem.contains("\"format\": \"onebit-chats\"") || !shape.starts_with(['[', '{']);
        assert!(named, "{shape}: {problem}");
    }
    assert_eq!(place.everything(), []);
}

#[test]
fn a_file_that_breaks_after_a_thousand_chats_imports_none_of_them() {
    let place = Place::new();
    let store = place.store();
    let mut writes = Vec::new();
    for n in 0..1000 {
        let chat = Chat::new(format!("chat {n}"), "starter");
        writes.push(Write::AddMessage(Message::complete(chat.id, None, Role::User, "hello")));
        writes.insert(writes.len() - 1, Write::PutChat(chat));
    }
    write_all(store, writes);
    let text = std::fs::read(place.export("out.json", Format::Json)).unwrap();
    let other = Place::new();
    let problem = other.import_text(&text[..text.len() - 10]).unwrap_err();
    assert!(problem.contains("EOF") || problem.contains("chat 1000"), "{problem}");
    assert_eq!(other.everything(), []);
    assert_eq!(other.import_text(&text).unwrap().chats, 1000);
}

#[test]
fn a_cancelled_import_or_export_leaves_nothing() {
    let place = Place::new();
    let (_, _, _, writes) = full_chat();
    write_all(place.store(), writes);
    let file = place.export("out.json", Format::Json);
    let progress = Arc::new(Progress::default());
    progress.cancel();
    let cancelled = place.file("cancelled.json");
    let outcome = export_to_file(&place.db(), None, Format::Json, &cancelled, &progress);
    assert!(matches!(outcome, Err(TransferError::Cancelled)));
    let other = Place::new();
    let store = other.store();
    store.import(import_job(file, progress)).unwrap();
    let outcome = loop {
        if let Some(Event::Imported(outcome)) = store.try_next() {
            break outcome;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(outcome, Err("cancelled".to_owned()));
    drop(store);
    assert_eq!(other.everything(), []);
    for entry in place.0.path().read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "out.json" || name.starts_with("chats.db"), "{name} was left");
    }
}

#[test]
fn an_export_that_cannot_be_finished_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    std::fs::write(&path, "the old export").unwrap();
    let outcome = write_whole(&path, |out| {
        std::io::Write::write_all(out, &[b'x'; 200_000]).unwrap();
        let source = std::io::ErrorKind::StorageFull.into();
        Err::<(), _>(TransferError::Io { what: "the export cannot be written", path: path.clone(), source })
    });
    let problem = outcome.unwrap_err().to_string();
    assert!(problem.contains("no storage space") && problem.contains("out.json"), "{problem}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "the old export");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}

/// Random damage to a whole export: never a panic, and either nothing or everything is taken.
#[test]
fn damaged_exports_are_refused_or_read_but_never_half() {
    let place = Place::new();
    let (_, _, _, writes) = full_chat();
    write_all(place.store(), writes);
    let whole = std::fs::read(place.export("out.json", Format::Json)).unwrap();
    let pieces: [&[u8]; 14] = [
        b"null",
        b"{}",
        b"[]",
        b"\"\"",
        b"-1",
        b"1e999",
        b"\\u0000",
        b"\\ud800",
        b"99999999999999999999",
        b",",
        b"}",
        b"{",
        b"\xff",
        b"\"messages\":",
    ];
    for seed in 0..4000_u64 {
        let mut state = seed;
        let mut next = |bound: usize| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
        };
        let mut text = whole.clone();
        for _ in 0..=next(3) {
            let at = next(text.len());
            let until = (at + next(24)).min(text.len());
            let piece = pieces[next(pieces.len())];
            match next(4) {
                0 => drop(text.splice(at..until, piece.iter().copied())),
                1 => text.truncate(at.max(1)),
                2 => text[at] = u8::try_from(next(256)).unwrap(),
                _ => drop(text.splice(at..at, piece.iter().copied())),
            }
        }
        let mut chats = 0;
        let outcome = read_chats(&text[..], |found| {
            if let Found::Chat(chat, messages, _) = found {
                chats += 1;
                for (index, message) in messages.iter().enumerate() {
                    let earlier = |id| messages[..index].iter().any(|known| known.id == id);
                    assert!(message.chat == chat.id && message.parent.is_none_or(earlier), "seed {seed}");
                }
            }
            Ok(())
        });
        match outcome {
            Ok(()) => assert!(chats <= 1, "seed {seed}"),
            Err(err) => assert!(matches!(err, TransferError::Format(_)), "seed {seed}: {err}"),
        }
    }
}

#[test]
fn every_seed_of_the_fuzz_target_is_an_export_and_no_former_finding_panics() {
    for kind in ["seeds", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join("chat_import");
        // A target without findings has no such folder.
        let Ok(files) = folder.read_dir() else { continue };
        for file in files {
            let path = file.unwrap().path();
            let accepted = entries::chat_import(&std::fs::read(&path).unwrap());
            assert!(accepted || kind == "regressions", "{} is a whole export", path.display());
        }
    }
}
