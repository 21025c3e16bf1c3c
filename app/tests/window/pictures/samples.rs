//! What the pictures show besides the starter's own answers: a few chats written by hand. No figure stands under an answer that no
//! model has given.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onebit::store::{
    Chat, ChatId, ChatSampling, Folder, Message, MessageId, Persona, Role, Saving, Store, Write, now_millis,
    state,
};

const DAY_MILLIS: i64 = 86_400_000;

/// Title of the chat that is open when the window opens.
const OPEN: &str = "Unpack TQ2_0 in Rust";
/// What the starter is asked there.
pub const ASKED: &str = "What is the capital of France?";
/// Title of a chat of few words, for what stands over the page.
pub const SHORT: &str = "Letter to the landlord";
/// Title of the chat with a folded thought and an edited question.
pub const BRANCHES: &str = "A week of dinners";
/// A title that is cut in the list.
const LONG_TITLE: &str = "How the tides of the North Sea follow the moon, and why they come later every day";

const UNPACK: &str = "The two bits of a weight are a digit from 0 to 2; one less gives the trit.

```rust
fn unpack(qs: &[u8; 64], d: f32) -> Vec<f32> {
    let digit = |byte: u8, shift| f32::from(byte >> shift & 3);
    let half = |half: &[u8]| {
        let shifts = [0, 2, 4, 6].into_iter();
        shifts.flat_map(|s| half.iter().map(move |&b| (digit(b, s) - 1.0) * d)).collect::<Vec<_>>()
    };
    qs.chunks_exact(32).flat_map(half).collect()
}
```

| Packing | Bits per weight | Block | Scale |
|---|--:|--:|---|
| `TQ2_0` | 2.0625 | 256 | f16 |
| `TQ1_0` | 1.6875 | 256 | f16 |
";

const DINNERS: &str = "<think>Five evenings, two people, no oven on two of them. Lentils keep, so they can come twice; the fish has to \
    be eaten on the day it is bought.</think>Three of the five need one pan only, and the list is short enough for one walk to the shop.

1. **Monday:** lentil soup with lemon, enough for two evenings
2. **Tuesday:** the soup again, with fried halloumi and bread
3. **Wednesday:** noodles with peanut sauce and cucumber
4. **Thursday:** baked potatoes, herb quark, a green salad
5. **Friday:** trout in butter, bought on the way home

> Soak nothing overnight: red lentils are done in twenty minutes.";

const PATTERN: &str = "`^\\d{4}-\\d{2}-\\d{2}T` finds lines that begin with a date; a **model** of the log line is safer than one long pattern.";

/// Titles of the other chats, with the days since they were touched.
const OTHERS: [(&str, i64); 6] = [
    (SHORT, 0),
    ("Regex for log timestamps", 1),
    ("systemd unit for the backup", 1),
    (LONG_TITLE, 2),
    ("Names for a small boat", 3),
    ("Questions for the model railway club", 40),
];

/// Title of the last chat of the last folder.
pub const FILED: &str = "Packing list for a week";
/// Folders with the titles of their chats.
const FOLDERS: [(&str, &[&str]); 2] = [
    ("Garden", &["When to cut the hedge", "Tomatoes on a balcony", "A modest bed for herbs", "Slugs"]),
    ("Sailing", &["Knots worth knowing", FILED]),
];

struct Filler {
    store: Store,
    /// Chats touched on the same day keep their order.
    filled: i64,
}

impl Filler {
    fn write(&self, write: Write) {
        while self.store.write(write.clone()).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn chat(&mut self, title: &str, days: i64, change: impl FnOnce(&mut Chat)) -> ChatId {
        let mut chat = Chat::new(title, "starter");
        self.filled += 1;
        chat.updated_millis = now_millis() - days * DAY_MILLIS - self.filled * 60_000;
        change(&mut chat);
        let id = chat.id;
        self.write(Write::PutChat(chat));
        id
    }

    fn say(&self, chat: ChatId, parent: Option<MessageId>, role: Role, text: &str, days: i64) -> MessageId {
        let mut message = Message::complete(chat, parent, role, text);
        message.created_millis = now_millis() - days * DAY_MILLIS - self.filled * 60_000;
        let id = message.id;
        self.write(Write::AddMessage(message));
        id
    }
}

/// Writes the chats into `chats.db` of a folder.
pub fn fill(folder: &Path) {
    let store = Store::open(&folder.join("chats.db"), Arc::new(|| {})).expect("the folder can be written");
    let mut filler = Filler { store, filled: 0 };
    let seeded = ChatSampling { seed: Some(7), ..ChatSampling::default() };
    let concise = Persona::new("Concise engineer", "Answer in at most three sentences.", seeded.clone());
    filler.write(Write::PutPersona(concise.clone()));
    let open = filler.chat(OPEN, 0, |chat| {
        chat.system = concise.system.clone();
        chat.sampling = ChatSampling { temperature: Some(0.6), ..seeded };
        chat.persona = Some(concise.id);
    });
    let question = filler.say(open, None, Role::User, "Unpack one TQ2_0 block, and compare the packings.", 0);
    filler.say(open, Some(question), Role::Assistant, UNPACK, 0);
    let dinners = filler.chat(BRANCHES, 0, |_| {});
    let first = filler.say(dinners, None, Role::User, "Plan a week of dinners.", 0);
    filler.say(dinners, Some(first), Role::Assistant, "For how many people?", 0);
    let second = filler.say(dinners, None, Role::User, "Plan dinners for two, quick ones.", 0);
    filler.say(dinners, Some(second), Role::Assistant, "How many evenings?", 0);
    let third = filler.say(dinners, None, Role::User, "Plan five quick dinners for two.", 0);
    filler.say(dinners, Some(third), Role::Assistant, DINNERS, 0);
    for (title, days) in OTHERS {
        let chat = filler.chat(title, days, |_| {});
        let question = filler.say(chat, None, Role::User, title, days);
        let answer = if title.starts_with("Regex") { PATTERN } else { "It depends on the place." };
        filler.say(chat, Some(question), Role::Assistant, answer, days);
    }
    let filed = FOLDERS.map(|(name, titles)| {
        let folder = Folder::new(name);
        filler.write(Write::PutFolder(folder.clone()));
        for title in titles {
            let chat = filler.chat(title, 12, |chat| chat.folder = Some(folder.id));
            filler.say(chat, None, Role::User, title, 12);
        }
        folder.id
    });
    // The second is open.
    let open_folders =
        Write::SetState { name: state::OPEN_FOLDERS.to_owned(), value: filed[1].0.to_string() };
    filler.write(open_folders);
    let pinned = filler.chat("Notes on models", 9, |chat| chat.pinned = true);
    filler.say(pinned, None, Role::User, "Keep what I learn about models here.", 9);
    filler.write(Write::SetState { name: state::LAST_CHAT.to_owned(), value: open.0.to_string() });
    assert_eq!(filler.store.close(), Saving::Yes);
}
