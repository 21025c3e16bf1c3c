//! The `onebit` binary.
fn main() {}
