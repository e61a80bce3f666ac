//! The `dvt` command.
fn main() {}
