//! What each fuzz target does with its bytes. Compiled into the targets and into the tests of `app::transfer`, which run every seed
//! and every regression. Nothing here may panic, whatever the bytes. Each returns whether the bytes were accepted.

use std::collections::HashSet;

use crate::store::{Chat, Folder, Message, PersonaId};
use crate::transfer::{Found, TransferError, read_chats};

/// A chat export. What is handed over keeps every promise that the store relies on.
pub fn chat_import(data: &[u8]) -> bool {
    let mut personas = HashSet::new();
    let read = read_chats(data, |found| {
        match found {
            Found::Persona(persona) => {
                assert!(persona.sampling.check().is_ok() && personas.insert(persona.id));
            }
            Found::Chat(chat, messages, folder) => {
                assert!(folder.is_none_or(|name| Folder::is_name(&name)) && chat.folder.is_none());
                check_chat(&chat, &messages, &personas);
            }
        }
        Ok(())
    });
    match read {
        Ok(()) => true,
        Err(TransferError::Format(problem)) => {
            assert!(problem.ends_with("choose a JSON file that was exported here"));
            false
        }
        Err(other) => panic!("nobody refused anything: {other:?}"),
    }
}

fn check_chat(chat: &Chat, messages: &[Message], personas: &HashSet<PersonaId>) {
    assert!(chat.sampling.check().is_ok());
    assert!(chat.persona.is_none_or(|persona| personas.contains(&persona)));
    assert!(chat.created_millis >= 0 && chat.updated_millis >= 0);
    let mut earlier = HashSet::new();
    for message in messages {
        assert_eq!(message.chat, chat.id);
        assert!(message.parent.is_none_or(|parent| earlier.contains(&parent)));
        assert!(message.created_millis >= 0 && message.stats.decode_millis >= 0.0);
        assert!(earlier.insert(message.id));
    }
    assert!(chat.leaf.is_none_or(|leaf| earlier.contains(&leaf)));
}
