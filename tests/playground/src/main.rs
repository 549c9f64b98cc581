//! tests/playground
fn main() {}
