#![no_main]

#[path = "../text_entries.rs"]
mod text_entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    text_entries::chat_template(data);
});
