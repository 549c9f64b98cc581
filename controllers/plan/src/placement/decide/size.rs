//! Whether what is decided of a placement, and what its centres say of it, can be stored in its object.

use std::collections::BTreeSet;

use crds::{PlacedObject, TemplateKind, placement_reason as reason};

use super::{Obstacle, One};

/// Most objects of one placement, as its definition says.
pub(super) const MOST: usize = 2000;
/// Most bytes of decision and rows. The store takes 1.5 MB of an object; the rest of it has the spec, conditions, and who
/// wrote what.
const BYTES: usize = 1_000_000;

/// Bytes that an object takes beside its kind and name: in the list, with its copies in a centre, in a centre's row, as it
/// was found to fit, and with its versions.
const LISTED: usize = 24;
const DIVIDED: usize = 42;
const ROW: usize = 190;
const JOB: usize = 500;
const SERVICE: usize = 60;
const CHECKED: usize = 50;
const ROLLOUT: usize = 160;
const REVISION: usize = 100;

impl One<'_> {
    /// Refuses what could not be stored, before anything of it is written.
    pub(super) fn can_be_stored(&self, objects: &BTreeSet<PlacedObject>) -> Result<(), Obstacle> {
        let number = objects.len();
        if number > MOST {
            return Err(too_many(format!(
                "{number} objects, at most {MOST}; nothing was changed; make several placements | 共 {number} 个对象，上限 {MOST}，未作变更，请拆分为多个部署"
            )));
        }
        let bytes = self.bytes(objects);
        if bytes <= BYTES {
            return Ok(());
        }
        let (is, most, centres) = (bytes.div_ceil(1000), BYTES / 1000, self.placement.spec.centres.len());
        Err(too_many(format!(
            "{number} objects in {centres} centres take about {is} kB in its status, at most {most}; nothing was changed; make several placements, or shorten overrides | {number} 个对象分派至 {centres} 个中心，状态约 {is} kB，上限 {most}；未作变更，请拆分为多个部署或精简 overrides"
        )))
    }

    /// About so many bytes.
    fn bytes(&self, objects: &BTreeSet<PlacedObject>) -> usize {
        let spec = &self.placement.spec;
        let (centres, rolls) = (spec.centres.len(), spec.rollout.is_some());
        let one = |object: &PlacedObject| {
            let kind = &object.kind;
            let named = kind.name().len() + object.name.len();
            let workload = kind.rolls() || self.world.kinds.divides(kind);
            let in_each = match kind {
                TemplateKind::Service => named + SERVICE,
                kind if kind.is_job() => named + JOB,
                _ if workload => 2 * named + DIVIDED + ROW,
                _ => 0,
            };
            let checked = if workload || kind.is_job() { named + CHECKED } else { 0 };
            let versions = if rolls && kind.rolls() {
                named + ROLLOUT + centres * REVISION
            } else {
                0
            };
            named + LISTED + centres * in_each + checked + versions
        };
        // They stand in the spec, and again in the decision.
        let overrides = serde_json::to_string(&spec.overrides).map_or(0, |text| 2 * text.len());
        objects.iter().map(one).sum::<usize>() + overrides
    }
}

const fn too_many(message: String) -> Obstacle {
    Obstacle {
        reason: reason::TOO_MANY_OBJECTS,
        message,
    }
}
