//! Templates of the hub, and those that ask for something that no decision has looked at yet: this loop may see a template
//! before the operator does, and nothing of what the operator then refuses is to be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Assignment, PlacedObject, TemplateKind};
use plan::placement::asks::{asks, is_known, tried, waits};
use plan::placement::centre::{Plan, Source, Spot, Want};
use plan::placement::confirm;
use plan::placement::row::State;
use plan::placement::template::{self, Template};
use serde_json::Value;

use super::Placements;
use super::apply::Outcome;
use super::around::Around;
use super::revisions::Sources;
use super::trial::{Refused, owner};
use crate::templates::{Found, plain};

/// A template of the hub: what a decision needs of it, its text, and of a member cloud its content.
pub(super) struct HubTemplate {
    pub(super) facts: Template,
    /// What it asks for, overrides aside.
    pub(super) asks: String,
    pub(super) text: String,
    pub(super) content: String,
}

impl HubTemplate {
    pub(super) fn read(kind: &TemplateKind, value: &Value, content: String) -> Self {
        let facts = template::read(kind, value);
        Self {
            asks: asks(kind, &facts),
            facts,
            text: value.to_string(),
            content,
        }
    }

    pub(super) fn of_own((kind, resource, object): Found<'_>) -> Self {
        Self::read(kind, &plain(object, resource), String::new())
    }

    pub(super) fn of_member((kind, resource, object): Found<'_>) -> Self {
        let value = plain(object, resource);
        let content = confirm::content(kind, &value);
        Self::read(kind, &value, content)
    }
}

/// By namespace and placement: its templates that ask for something that was not found to fit.
pub(super) type Unheard = BTreeMap<(String, String), BTreeSet<PlacedObject>>;

impl Placements {
    /// Looks at every template as it is in the hub now.
    pub(super) fn unheard(&self, plan: &Plan, sources: &Sources) -> Unheard {
        let mut all = Unheard::new();
        // What is exclusive follows its right in the same write, which nothing may hold up.
        let may_wait = |(_, want): &(&Spot, &Want)| !want.kept && want.here.exclusive.is_none();
        for (spot, want) in plan.wants.iter().filter(may_wait) {
            let template = sources.now.get(&(want.tenant.clone(), spot.1.clone()));
            if template.is_some_and(|template| !self.is_heard(plan, spot, want, template)) {
                all.entry(owner(spot, want)).or_default().insert(spot.1.clone());
            }
        }
        all
    }

    /// Whether what a template asks for, with the overrides of every centre, is what was found to fit.
    fn is_heard(&self, plan: &Plan, spot: &Spot, want: &Want, template: &HubTemplate) -> bool {
        let (kind, name) = (&spot.1.kind, &spot.1.name);
        let part = plan.parts.get(&(want.tenant.clone(), want.here.placement.clone()));
        // Decided before decisions said what they looked at, or by an operator that says it in another way.
        let silent = |a: &Assignment| a.checked.is_empty() && a.needs.is_empty();
        if part.is_some_and(|p| silent(&p.assignment) || !is_known(&p.assignment.checked)) {
            return true;
        }
        let overrides = part
            .map(|part| part.assignment.overrides.as_slice())
            .unwrap_or_default();
        if !overrides.iter().any(|o| o.concerns(&o.centre, kind, name)) {
            return template.asks == want.asks;
        }
        // What it was held against since was found to fit before.
        if self.checked.get(spot).is_some_and(|checked| checked.is_of(template)) {
            return true;
        }
        let parsed: Value = serde_json::from_str(&template.text).unwrap_or_default();
        tried(&spot.1, &template.asks, &parsed, overrides) == want.asks
    }

    /// Makes one object as wanted, unless something of its placement stands in the way.
    pub(super) async fn one(
        &self,
        (spot, want): (&Spot, &Want),
        template: Option<&Arc<HubTemplate>>,
        around: &Around<'_>,
        (unheard, refused): (&Unheard, &Refused),
    ) -> Outcome {
        let owner = owner(spot, want);
        if let Some(objects) = unheard.get(&owner) {
            if objects.contains(&spot.1) && want.source == Source::Template {
                return State::Waits(waits(&spot.1)).into();
            }
            let held = objects.first().map(|first| want.held(first));
            return self.object(spot, held.as_ref().unwrap_or(want), template, around).await;
        }
        match refused.get(&owner) {
            None => self.object(spot, want, template, around).await,
            Some((object, why)) if *object == spot.1 => why.clone().into(),
            Some(_) => self.object(spot, &want.left(), template, around).await,
        }
    }
}
