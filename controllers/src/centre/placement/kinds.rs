//! Custom kinds in a centre: whether it serves them and lets the agent in, and whether their objects are ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{PlacedObject, TemplateKind};
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use plan::placement::centre::{Plan, Spot};
use plan::placement::kinds::{self, Blind, Kinds, Placeable, Unseen, Why};
use plan::placement::row::State;

use super::{Placements, Standing};
use crate::call::CallError;
use crate::templates::resource;

/// What is known of custom kinds in a pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Custom {
    pub(super) kinds: Kinds,
    /// Those of which the hub shows no templates.
    pub(super) hub: Blind,
    /// Those of which the centre shows no objects.
    pub(super) here: Blind,
    pub(super) centre: String,
}

/// The state of an object that cannot stand, and why.
pub(super) fn failed_by((reason, message): Why) -> State {
    State::Failed(reason, message)
}

impl Custom {
    /// What the centre lacks for objects of that kind.
    pub(super) fn lacks(&self, kind: &TemplateKind) -> Option<Why> {
        kinds::lacking_in_centre(&self.kinds, &self.here, &self.centre, kind)
    }

    /// Why the hub shows no template of that kind.
    pub(super) fn template_unseen(&self, kind: &TemplateKind) -> Option<Why> {
        kinds::template_unseen(&self.kinds, &self.hub, kind)
    }

    /// Kinds that cannot be read here: what stands of them is not known.
    pub(super) fn forbidden(&self) -> BTreeMap<TemplateKind, Why> {
        let forbidden = self.here.iter().filter(|(_, unseen)| **unseen != Unseen::Missing);
        forbidden
            .filter_map(|(kind, _)| Some((kind.clone(), self.lacks(kind)?)))
            .collect()
    }

    /// What a refused write says about the kind, which the watch may not have noticed.
    pub(super) fn refused(&self, object: &PlacedObject, error: &CallError) -> Option<Why> {
        let placeable = self.kinds.get(&object.kind)?;
        let said = error.to_string();
        match error.code()? {
            404 if said.contains("could not find the requested resource") || said.contains("page not found") => {
                Some(kinds::kind_missing(placeable, &self.centre))
            }
            // As RBAC says it; a policy refuses in other words, and for other reasons.
            403 if said.contains(" cannot ") => Some(kinds::role_missing(placeable, &self.centre)),
            _ => None,
        }
    }
}

impl Placements {
    /// Where an object is written.
    pub(super) fn at(&self, spot: &Spot) -> Result<(Api<DynamicObject>, ApiResource), State> {
        let kind = &spot.1.kind;
        match resource(&self.custom.kinds, kind) {
            Some(resource) => {
                let api = Api::namespaced_with(self.cluster.clone(), &spot.0, &resource);
                Ok((api, resource))
            }
            None => Err(self
                .custom
                .lacks(kind)
                .map_or_else(|| State::Waits(kind.name().to_owned()), failed_by)),
        }
    }
}

/// Of which copy of the object, by which policy, and what came of it.
type Verdict = (u64, (String, i64), Option<String>);

/// What was made of objects, so that each copy is judged once.
#[derive(Default)]
pub(super) struct Judged(BTreeMap<Spot, Verdict>);

impl Judged {
    /// Objects that are wanted, stand, and are not ready.
    pub(super) fn unready(&mut self, kinds: &Kinds, plan: &Plan, standing: &Standing) -> BTreeMap<Spot, String> {
        let wanted = || standing.iter().filter(|(spot, _)| plan.wants.contains_key(*spot));
        let mut now = BTreeMap::new();
        for (spot, live) in wanted().filter(|(spot, _)| spot.1.kind.is_custom()) {
            let Some(placeable) = kinds.get(&spot.1.kind) else {
                continue;
            };
            let before = self.0.remove(spot);
            let same = before.filter(|b| (b.0, &b.1) == (live.version, &placeable.revision));
            let verdict = same.unwrap_or_else(|| {
                let lacks = judge(placeable, &live.text);
                (live.version, placeable.revision.clone(), lacks)
            });
            now.insert(spot.clone(), verdict);
        }
        self.0 = now;
        let lacks = self.0.iter().filter_map(|(spot, v)| Some((spot.clone(), v.2.clone()?)));
        let trouble = wanted().filter_map(|(spot, live)| Some((spot.clone(), live.trouble.clone()?)));
        lacks.chain(trouble).collect()
    }
}

fn judge(placeable: &Arc<Placeable>, text: &str) -> Option<String> {
    match &placeable.policy {
        Ok(policy) => policy.lacks(&serde_json::from_str(text).unwrap_or_default()),
        Err(wrong) => Some(wrong.clone()),
    }
}
