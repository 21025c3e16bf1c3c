//! 1bit Desktop: one process, equal front ends over one engine.
pub mod theme;
pub mod ui;
