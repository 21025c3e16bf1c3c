//! Ternary language models: text in, events out.
//!
//! Data flow: `session` takes a [`session::Request`] to the engine thread, `tokenizer` turns its text into ids, `arch` runs
//! the forward pass over a [`lane::Lane`] with pages from `kv`, `sampler` picks an id, `tokenizer` turns ids back into
//! whole characters, and a [`session::Event`] goes out. This crate knows nothing of windows, HTTP or audio.

pub mod arch;
pub mod calendar;
pub mod kv;
pub mod lane;
pub mod model;
pub mod quant;
pub mod sampler;
pub mod session;
pub mod telemetry;
pub mod tokenizer;
