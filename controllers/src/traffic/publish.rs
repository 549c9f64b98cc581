//! Publishes what differs of each placement, and takes back what none wants any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DualActivePlacement, Gateway};
use plan::traffic::gateway::{Backend, Route, Routed, routed};
use plan::traffic::publish::{Names, Owner, Published, Slice, published, slices};
use plan::traffic::{Hindrance, Said, Site, Weights, said, weigh};

use super::apply::Stored;
use super::{Controller, Seen};
use crate::call::CallError;

/// By namespace and name.
type All<T> = BTreeMap<(String, String), Arc<Stored<T>>>;
type Sites = BTreeMap<String, Site>;
/// What is known of a placement after its traffic was published.
pub(super) type Outcome = ((String, String), Option<Weights>, Said, Result<(), CallError>);

/// What stands in the hub.
pub(super) struct Standing {
    pub(super) slices: Vec<Arc<Stored<Slice>>>,
    pub(super) names: All<Names>,
    pub(super) routes: All<Route>,
    pub(super) backends: All<Backend>,
}

impl Controller {
    /// Publishes what differs of one placement. A write that the server refuses is said, and is no reason to hurry.
    pub(super) async fn one(&self, placement: &DualActivePlacement, sites: &Sites, standing: &Standing) -> Outcome {
        let (key, owner) = (plan::placement::decide::key(placement), Owner::of(placement));
        let own = standing.slices.iter().filter_map(|s| s.says.as_ref());
        let own: Vec<&Slice> = own.filter(|s| s.owner == owner).collect();
        let leads = standing.names.get(&key).and_then(|n| n.says.as_ref());
        let leads = leads.filter(|n| n.owner == owner);
        let before = published(&owner, own.iter().copied(), leads);
        let Some(weights) = weigh(placement, sites, &before) else {
            return (key, None, said(None, &Hindrance::default()), Ok(()));
        };
        let entered = |centre: &str| sites.get(centre).is_some_and(|s| !s.ingress.is_empty());
        let mut hindrance = Hindrance {
            without_ingress: weights.keys().filter(|c| !entered(c)).cloned().collect(),
            ..Hindrance::default()
        };
        let routed = routed(placement, &weights, sites);
        let mut outcome = self.lay(&slices(placement, &weights, sites), &own).await;
        let leads = self.lead(placement, (&weights, sites, leads), standing, &mut hindrance);
        outcome = outcome.and(leads.await);
        if let Some(routed) = &routed {
            outcome = outcome.and(self.route(routed, (&own, standing), &mut hindrance).await);
        }
        let was = |centre: &String| before.get(centre).copied().unwrap_or_default();
        if weights.iter().any(|(centre, weight)| was(centre) != *weight) {
            let (namespace, name) = &key;
            tracing::info!(namespace, placement = name, ?weights, ?before, "traffic");
        }
        if let Err(error) = &outcome {
            hindrance.failed = Some(error.to_string());
        }
        let outcome = outcome.or_else(|error| if error.is_refused() { Ok(()) } else { Err(error) });
        let said = said(Some(&weights), &hindrance);
        (key, Some(weights), said, outcome)
    }

    /// The slices that do not stand already.
    async fn lay(&self, wanted: &[Slice], own: &[&Slice]) -> Result<(), CallError> {
        let mut first = Ok(());
        for slice in wanted.iter().filter(|s| !own.contains(s)) {
            first = first.and(self.hub.apply(slice).await);
        }
        first
    }

    /// The records of its name.
    async fn lead(
        &self,
        placement: &DualActivePlacement,
        (weights, sites, leads): (&Weights, &Sites, Option<&Names>),
        standing: &Standing,
        hindrance: &mut Hindrance,
    ) -> Result<(), CallError> {
        let Some(traffic) = &placement.spec.traffic else {
            return Ok(());
        };
        hindrance.unseen = hindrance.unseen.take().or(self.names.unseen());
        if self.names.unseen().is_some() {
            return Ok(());
        }
        let wanted = Names::of(placement, traffic, weights, sites, leads);
        if wanted.records.is_empty() {
            return Ok(());
        }
        self.stand(&wanted, &standing.names, hindrance).await.map(drop)
    }

    /// The route of a Gateway, after what it leads to. A Service that is somebody else's is given no slices either.
    async fn route(
        &self,
        routed: &Routed,
        (own, standing): (&[&Slice], &Standing),
        hindrance: &mut Hindrance,
    ) -> Result<(), CallError> {
        let unseen = hindrance.unseen.take().or(self.routes.unseen());
        hindrance.unseen = unseen.or(self.backends.unseen());
        if self.routes.unseen().is_some() || self.backends.unseen().is_some() {
            return Ok(());
        }
        for backend in &routed.backends {
            if !self.stand(backend, &standing.backends, hindrance).await? {
                return Ok(());
            }
        }
        self.lay(&routed.slices, own).await?;
        self.stand(&routed.route, &standing.routes, hindrance).await.map(drop)
    }

    /// Writes it where it does not stand already. An object of that name that is somebody else's stays: answers whether ours
    /// stands.
    async fn stand<T: Published + PartialEq>(
        &self,
        wanted: &T,
        standing: &All<T>,
        hindrance: &mut Hindrance,
    ) -> Result<bool, CallError> {
        let (kind, name) = (T::KIND.2, wanted.name());
        let of = |says: &T| says.owner().name == wanted.owner().name;
        match standing.get(&(wanted.owner().namespace.clone(), name.clone())) {
            Some(stored) if !stored.says.as_ref().is_some_and(of) => {
                hindrance.failed = Some(format!(
                    "a {kind} of the name {name} is somebody else's; rename the placement or delete it"
                ));
                Ok(false)
            }
            Some(stored) if stored.says.as_ref() == Some(wanted) => Ok(true),
            _ => self.hub.apply(wanted).await.map(|()| true),
        }
    }

    /// Deletes what a placement that is there does not want any more; what is of one that is gone goes with it.
    pub(super) async fn forget(
        &self,
        placements: &[Arc<Seen>],
        sites: &Sites,
        standing: &Standing,
    ) -> Result<(), CallError> {
        let there = placements.iter().map(|p| (&p.owner, p.steers.as_ref())).collect();
        let slices = standing.slices.iter();
        let slices = self.take_back(slices, &there, |placement, slice| wants(placement, slice, sites));
        let mut first = slices.await;
        first = first.and(self.take_back(standing.names.values(), &there, |_, _| true).await);
        let routes = standing.routes.values();
        first = first.and(self.take_back(routes, &there, |p, _| gateway(p).is_some()).await);
        let backends = standing.backends.values();
        first.and(self.take_back(backends, &there, serves).await)
    }

    async fn take_back<'a, T: Published + 'a>(
        &self,
        stored: impl Iterator<Item = &'a Arc<Stored<T>>>,
        there: &BTreeMap<&Owner, Option<&DualActivePlacement>>,
        wants: impl Fn(&DualActivePlacement, &T) -> bool,
    ) -> Result<(), CallError> {
        let mut first = Ok(());
        for stored in stored {
            let Some(says) = &stored.says else { continue };
            let kept = match there.get(says.owner()) {
                None => true,
                Some(placement) => placement.is_some_and(|placement| wants(placement, says)),
            };
            if !kept {
                first = first.and(self.hub.delete(stored).await);
            }
        }
        first
    }
}

pub(super) fn gateway(placement: &DualActivePlacement) -> Option<&Gateway> {
    placement.spec.traffic.as_ref()?.gateway.as_ref()
}

/// Whether that Service still stands for a centre of the decision; before there is one, whatever stands there does.
fn serves(placement: &DualActivePlacement, backend: &Backend) -> bool {
    let Some(gateway) = gateway(placement) else {
        return false;
    };
    let is = |centre: &str| backend.name == format!("{}-{centre}", gateway.service);
    let decided = placement.assignment();
    decided.is_none_or(|assignment| assignment.centres.iter().any(|centre| is(&centre.name)))
}

/// Whether a slice of that name is still wanted. Before anything is decided, whatever stands there is.
fn wants(placement: &DualActivePlacement, slice: &Slice, sites: &Sites) -> bool {
    let Some(weights) = weigh(placement, sites, &Weights::new()) else {
        return true;
    };
    // A centre that is not known at all may be known again.
    if weights.contains_key(&slice.centre) && !sites.contains_key(&slice.centre) {
        return true;
    }
    let routed = routed(placement, &weights, sites);
    let more = routed.iter().flat_map(|r| &r.slices);
    let wanted = slices(placement, &weights, sites);
    wanted.iter().chain(more).any(|s| s.name() == slice.name())
}
