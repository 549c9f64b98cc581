//! Objects for the tests of this folder.

use crds::Resources;

pub(crate) fn cpu(whole: i128) -> Resources {
    Resources {
        cpu: whole * 1000,
        ..Resources::ZERO
    }
}
