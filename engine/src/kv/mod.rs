//! KV bookkeeping: which page belongs to which sequence, and which prefix of a conversation is already cached.
//!
//! Pure counting over page numbers: the lane owns the bytes, and this module knows neither lanes nor models.
//! [`Pages`] hands out page numbers, [`Slots`] gives them to conversations and takes them back under pressure.

mod pages;
mod slots;

pub use pages::Pages;
pub use slots::{Claim, Slot, Slots};

#[cfg(test)]
mod tests;
