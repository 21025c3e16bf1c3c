//! The program around the engine: one process with equal front ends over `onebit_engine::session`.
//!
//! `folders` says where files live, `models` turns a name into a file, `store` keeps conversations, `instance` answers for the
//! running app, `cli` is the terminal front end. Front ends know the engine's session layer and never a lane.

pub mod cli;
pub mod folders;
pub mod instance;
pub mod models;
pub mod store;
