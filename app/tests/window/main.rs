//! The window, driven by accessible names without a display: a scripted engine, the real store.

mod accessibility;
mod branches;
mod chatting;
mod composing;
mod deleted;
mod folders;
mod history;
mod inspector;
mod layout;
mod looks;
mod models;
mod palette;
mod personas;
mod pictures;
mod presence;
mod script;
mod settings;
mod starter;
mod trouble;
