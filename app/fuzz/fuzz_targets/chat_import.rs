//! The reader of chat exports on arbitrary bytes. Its modules are compiled in here, because the whole program with its window is
//! no place for a fuzzer.
#![no_main]
#![allow(dead_code, reason = "of the store's records only what an export holds is used")]

#[path = "../entries.rs"]
mod entries;

#[path = "../../src/store"]
mod store {
    mod record;
    mod sampling;

    pub use record::{
        AnswerStats, Attachment, Chat, ChatId, Folder, FolderId, Message, MessageId, MessageState, Persona,
        PersonaId, Role,
    };
    pub use sampling::ChatSampling;
}

#[path = "../../src/transfer"]
mod transfer {
    mod document;
    mod reading;

    pub use reading::{Found, read_chats};

    /// The part of the program's own that reading needs.
    #[derive(Debug)]
    pub enum TransferError {
        Store(String),
        Format(String),
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    entries::chat_import(data);
});
