//! Objects for the tests of this folder.

use std::collections::BTreeMap;

use crds::{CentreRole, Ownership, Resources};

use super::decide::Centre;

pub(crate) fn cpu(whole: i128) -> Resources {
    Resources {
        cpu: whole * 1000,
        ..Resources::ZERO
    }
}

pub(crate) fn centre(reports: bool, role: CentreRole) -> Centre {
    Centre {
        reports,
        role,
        ownership: Ownership::Government,
        lends: None,
        nodes: BTreeMap::new(),
    }
}
