//! The program around the engine: one process with equal front ends over `onebit_engine::session`.
//!
//! `folders` says where files live, `models` turns a name into a file, `store` keeps conversations, `transfer` moves them into files
//! and back, `anywhere` has the desktop keep keys, `settings` is the table of settings and their file, `whole_file` replaces files safely, `logbook` is the log, `instance` answers for the running app, `cli` is
//! the terminal front end. `window` is the graphical one: `shell` is its frame, `panes` its pages, `chat` the controller between
//! them, the engine and the store, `ui`, `markdown` and `theme` how it is drawn. Front ends know the engine's session layer and never
//! a lane.

pub mod anywhere;
pub mod autostart;
pub mod bus;
pub mod chat;
pub mod cli;
pub mod folders;
pub mod instance;
pub mod logbook;
pub mod markdown;
pub mod models;
pub mod notification;
pub mod panes;
pub mod portal;
pub mod settings;
pub mod shell;
pub mod store;
pub mod theme;
pub mod transfer;
pub mod tray;
pub mod ui;
pub mod whole_file;
pub mod window;
