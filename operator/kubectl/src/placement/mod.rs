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

use crds::{Condition, DualActivePlacement, PlacedObject, TemplateKind, WorkloadRow, find_condition};
use plan::placement::template::Template;

/// A workload or any other object, as people name it.
fn named(kind: &TemplateKind, name: &str) -> String {
    format!("{} {name}", kind.name())
}

/// A condition of the placement.
pub(crate) fn condition_of<'a>(placement: &'a DualActivePlacement, kind: &str) -> Option<&'a Condition> {
    find_condition(&placement.status.as_ref()?.conditions, kind)
}

/// Whether a centre has taken up the template as it is now, where its versions reach the centres in an order: a stored
/// version keeps the generation that the template had then, so generations say nothing there. `None` where versions come at
/// once, and where the centre says no revision.
fn has_newest(placement: &DualActivePlacement, row: &WorkloadRow, template: &Template) -> Option<bool> {
    let object = PlacedObject {
        kind: row.kind.clone(),
        name: row.name.clone(),
    };
    let in_order = placement.assignment().is_some_and(|a| a.rollout(&object).is_some());
    (in_order && !row.revision.is_empty()).then(|| row.revision == template.revision)
}
