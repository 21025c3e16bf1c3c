//! The pages of the window. A pane reads the controller, draws, and sends commands; it changes nothing itself.

pub mod chat;
pub mod palette;
mod sampling;
pub mod settings;
