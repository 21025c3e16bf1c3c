//! Development tasks. `cargo xtask tidy` checks the rules of ARCHITECTURE.md that no compiler checks.
fn main() {}
