//! Random changes: what waits in the journal has to look like what the database makes of it.

use super::*;

/// The journal's view must be that of the database after saving, whatever the order of changes.
#[test]
fn what_waits_looks_the_same_as_what_is_saved() {
    for seed in 0..40_u64 {
        let folder = Folder::new();
        let mailbox = Mailbox::new(waker());
        let mut keeper = Keeper::open(folder.db(), &mailbox);
        let mut random = SplitMix(seed);
        let mut made = Made::default();
        for _ in 0..120 {
            let write = random_write(&mut random, &mut made);
            feed(&mut keeper)(write);
            if random.below(9) == 0 {
                keeper.save();
            }
        }
        let before = everything(&mut keeper, &mailbox, &made.chats);
        keeper.save();
        let after = everything(&mut keeper, &mailbox, &made.chats);
        assert_eq!(before, after, "seed {seed}");
        assert_index_is_whole(&folder.db(), seed);
    }
}

/// What the random writes have made so far, deleted or not.
#[derive(Default)]
struct Made {
    chats: Vec<ChatId>,
    messages: Vec<(ChatId, MessageId)>,
    personas: Vec<PersonaId>,
    folders: Vec<FolderId>,
}

fn random_write(random: &mut SplitMix, made: &mut Made) -> Write {
    let kind = random.below(22);
    if made.chats.is_empty() || kind == 0 {
        let mut chat = Chat::new(format!("t{}", random.below(100)), "m");
        if random.below(4) == 0 && !made.chats.is_empty() {
            chat.id = made.chats[random.below(made.chats.len())];
        } else {
            made.chats.push(chat.id);
        }
        return Write::PutChat(chat);
    }
    let chat = made.chats[random.below(made.chats.len())];
    if made.messages.is_empty() || kind <= 5 {
        let parent =
            made.messages.iter().rev().find(|(of, _)| *of == chat && random.below(3) != 0).map(|(_, id)| *id);
        let mut message = Message::complete(chat, parent, Role::User, format!("c{}", random.below(1000)));
        if kind != 1 {
            message.state = MessageState::Writing;
        }
        if kind == 2 {
            let text = format!("a{}", random.below(1000));
            message.attachments =
                vec![Attachment { name: "a.md".to_owned(), media: "text/markdown".to_owned(), text }];
        }
        made.messages.push((chat, message.id));
        return Write::AddMessage(message);
    }
    let message = made.messages[random.below(made.messages.len())].1;
    match kind {
        6 | 7 => Write::Extend { message, text: format!("+{}", random.below(10)) },
        8 => Write::Finish { message, state: MessageState::Stopped, stats: stats(), error: None },
        9 => Write::Rename { chat, title: format!("r{}", random.below(100)) },
        10 => Write::DeleteChat(chat),
        11 => Write::RestoreChat(chat),
        12 => Write::DeleteMessage(message),
        13 => Write::RestoreMessage(message),
        14 => Write::Resume { message, content: format!("again {}", random.below(100)) },
        15 => Write::Pin { chat, pinned: random.below(2) == 0 },
        16 => Write::ShowLeaf { chat, leaf: message },
        17 => Write::SetUp {
            chat,
            system: format!("s{}", random.below(10)),
            sampling: ChatSampling { top_k: Some(random.below(9) as u32), ..ChatSampling::default() },
            persona: made.personas.last().copied(),
        },
        19 => random_folder_write(random, &mut made.folders),
        20 => Write::MoveChat {
            chat,
            // Also into folders that are deleted, and out of any.
            folder: (random.below(4) > 0).then(|| made.folders.last().copied()).flatten(),
        },
        18 => random_persona_write(random, &mut made.personas),
        _ => Write::SetState { name: format!("n{}", random.below(3)), value: "v".repeat(random.below(3)) },
    }
}

fn random_persona_write(random: &mut SplitMix, personas: &mut Vec<PersonaId>) -> Write {
    if personas.is_empty() || random.below(3) == 0 {
        let persona = Persona::new(format!("p{}", random.below(9)), "Be short.", ChatSampling::default());
        personas.push(persona.id);
        return Write::PutPersona(persona);
    }
    let persona = personas[random.below(personas.len())];
    if random.below(2) == 0 { Write::DeletePersona(persona) } else { Write::RestorePersona(persona) }
}

fn random_folder_write(random: &mut SplitMix, folders: &mut Vec<FolderId>) -> Write {
    if folders.is_empty() || random.below(3) == 0 {
        let folder = crate::store::Folder::new(format!("f{}", random.below(9)));
        folders.push(folder.id);
        return Write::PutFolder(folder);
    }
    let folder = folders[random.below(folders.len())];
    match random.below(3) {
        0 => Write::DeleteFolder(folder),
        1 => Write::RestoreFolder(folder),
        _ => Write::RenameFolder { folder, name: format!("g{}", random.below(9)) },
    }
}

fn everything(keeper: &mut Keeper<'_>, mailbox: &Mailbox, chats: &[ChatId]) -> Vec<Event> {
    while mailbox.try_next().is_some() {}
    keeper.take(Command::Ask(Query::Chats { limit: 1000 }));
    keeper.take(Command::Ask(Query::Personas));
    keeper.take(Command::Ask(Query::Folders));
    for chat in chats {
        keeper.take(Command::Ask(Query::Chat(*chat)));
    }
    for name in ["n0", "n1", "n2"] {
        keeper.take(Command::Ask(Query::State(name.to_owned())));
    }
    std::iter::from_fn(|| mailbox.try_next()).collect()
}

/// The index over texts holds exactly the messages that are not growing.
fn assert_index_is_whole(path: &Path, seed: u64) {
    let db = rusqlite::Connection::open(path).unwrap();
    // Growing messages are not indexed, which the check would call damage.
    db.execute("DELETE FROM messages WHERE state = 'writing'", []).unwrap();
    db.execute("INSERT INTO messages_text (messages_text, rank) VALUES ('integrity-check', 1)", [])
        .unwrap_or_else(|err| panic!("seed {seed}: {err}"));
}

pub(super) struct SplitMix(pub u64);

impl SplitMix {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}
