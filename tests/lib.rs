//! Shared parts of the scenario tests.

use std::path::{Path, PathBuf};

/// The root of the repository that the tests were built from.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
