//! operator/kubectl
fn main() {}
