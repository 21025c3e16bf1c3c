//! The window, driven by accessible names without a display: a scripted engine, the real store.

mod chatting;
mod layout;
mod models;
mod presence;
mod script;
mod starter;
