//! Full-text search.

use super::*;

fn add(store: &Store, title: &str, texts: &[&str]) -> (ChatId, Vec<MessageId>) {
    let chat = Chat::new(title, "starter");
    let id = chat.id;
    store.write(Write::PutChat(chat)).unwrap();
    let mut messages: Vec<MessageId> = Vec::new();
    for text in texts {
        let message = Message::complete(id, messages.last().copied(), Role::User, *text);
        messages.push(message.id);
        store.write(Write::AddMessage(message)).unwrap();
    }
    (id, messages)
}

fn marked(hit: &Hit) -> String {
    let mark = |piece: &Piece| {
        if piece.is_match { format!("[{}]", piece.text) } else { piece.text.clone() }
    };
    hit.snippet.iter().map(mark).collect()
}

#[test]
fn a_chat_is_found_by_what_is_said_in_it_at_the_newest_message() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (rivers, messages) =
        add(&store, "Rivers", &["The Neckar is\n\nshort.", "Größe and café", "neckar again"]);
    let (lakes, _) = add(&store, "Lakes near the Neckar", &["Deep water."]);
    let (hits, more) = super::search(&store, "neck", 10);
    assert!(!more);
    assert_eq!(hits.iter().map(|hit| hit.chat.id).collect::<Vec<_>>(), [lakes, rivers]);
    assert_eq!((hits[0].message, hits[0].snippet.len()), (None, 0), "only the title has it");
    assert_eq!(hits[1].message, Some(messages[2]));
    assert_eq!(marked(&hits[1]), "[neckar] again");

    let (hits, _) = super::search(&store, "short nec", 10);
    assert_eq!(hits[0].message, Some(messages[0]), "words in any order");
    assert_eq!(marked(&hits[0]), "The [Neckar] is [short].");
    for (text, found) in [("CAFE", 1), ("GRÖẞE", 1), ("grosse", 0), ("größe", 1), ("grö", 1), ("GRÖ caf", 1)]
    {
        assert_eq!(super::search(&store, text, 10).0.len(), found, "{text}");
    }
    let (asian, messages) = add(&store, "Asia", &["信濃川は日本一長い川です。"]);
    let (hits, _) = super::search(&store, "日本", 10);
    assert_eq!((hits[0].chat.id, hits[0].message), (asian, Some(messages[0])));
    assert_eq!(marked(&hits[0]), "信濃川は[日本]一長い川です。");
    for nothing in ["", "   ", "\"", "* - ^", "NEAR(", "a:b c", "\u{0}", "zebra"] {
        assert_eq!(super::search(&store, nothing, 10).0, [], "{nothing:?}");
    }
}

#[test]
fn an_answer_is_found_once_it_ended_and_by_its_last_text_only() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    let (_, answer) = converse_with(&store, true);
    assert_eq!(super::search(&store, "neckar", 10).0.len(), 1);
    store.write(Write::Resume { message: answer, content: "The ".to_owned() }).unwrap();
    store.write(Write::Extend { message: answer, text: "Danube".to_owned() }).unwrap();
    assert_eq!(super::search(&store, "danube", 10).0.len(), 0);
    store
        .write(Write::Finish { message: answer, state: MessageState::Complete, stats: stats(), error: None })
        .unwrap();
    assert_eq!(super::search(&store, "danube", 10).0.len(), 1);
    assert_eq!(super::search(&store, "neckar", 10).0.len(), 0);
}

#[test]
fn no_text_that_is_looked_for_breaks_the_search() {
    let folder = Folder::new();
    let store = Store::open(&folder.db(), waker()).unwrap();
    add(&store, "All", &["a b c \" ( ) * : ^ - + { } AND OR NOT NEAR \u{2}\u{3}"]);
    let signs: Vec<char> = "ab \"()*:^-+{}~'\\\u{0}\u{2}\u{3}é漢🏞 ANDORNT\n".chars().collect();
    let mut random = agreement::SplitMix(7);
    for round in 0..400 {
        let text: String = (0..random.below(12)).map(|_| signs[random.below(signs.len())]).collect();
        store.ask(Query::Search { text: text.clone(), limit: 5 }).unwrap();
        wait_for(&store, |event| match event {
            Event::Hits { text: of, .. } => (of == text).then_some(()),
            Event::QueryFailed(problem) => panic!("round {round}, {text:?}: {problem}"),
            _ => None,
        });
    }
}
