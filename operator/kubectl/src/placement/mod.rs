//! `status`, `why` and `diff` of a placement, and what the loss of a centre means for it: decided by the operator's own code
//! from what the user may read.

pub mod confirmation;
pub mod diff;
pub mod live;
pub mod page;
pub mod print;
pub mod room;
pub(crate) mod run;
pub mod scene;
pub mod seen;
pub mod verdict;
mod versions;
mod ways;

use crds::{Condition, DualActivePlacement, TemplateKind, find_condition};

/// A workload or any other object, as people name it.
fn named(kind: &TemplateKind, name: &str) -> String {
    format!("{} {name}", kind.name())
}

/// A condition of the placement.
pub(crate) fn condition_of<'a>(placement: &'a DualActivePlacement, kind: &str) -> Option<&'a Condition> {
    find_condition(&placement.status.as_ref()?.conditions, kind)
}
