//! Down and back for placements: the templates that were assigned to this centre stand here as assigned, and the
//! centre's [`rows`] say how far they are. A hub that is silent stops the rows and nothing else.

mod apply;
mod around;
mod checked;
mod endpoints;
mod hub;
mod kinds;
mod live;
mod revisions;
mod rows;
mod scalers;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{DualActivePlacement, FenceRow, PlacementMode, TemplateKind, label};
use futures::StreamExt as _;
use kube::Client;
use kube::runtime::watcher;
use plan::centre::catalogue::Catalogue;
use plan::centre::epoch::Floors;
use plan::centre::stage::Stage;
use plan::placement::centre::{self, Plan, Snapshot, Spot, Want, plan};
use plan::placement::confirm::{self, Contents};
use plan::placement::decide::key;
use plan::placement::exclusive;
use plan::placement::fights::Fights;
use plan::placement::kinds::{Kinds, Why};
use plan::placement::row::State;
use tokio::sync::{Notify, watch};

use super::metrics::Metrics;
use super::observe::Caches;
use super::right::Rights;
use super::{AT_ONCE, epoch};
use crate::call::CallError;
use crate::fail_point::FailPoints;
use crate::pass::Made;
use crate::quorum::boot;
use crate::templates::Templates;
use around::Around;
use checked::Checked;
pub(super) use endpoints::wanted as places_services;
use endpoints::{Endpoints, Ready};
use hub::HubTemplate;
use kinds::{Custom, Judged};
use live::Live;
use revisions::{Revisions, Sources};
pub(super) use rows::Rows;
use scalers::Scalers;

/// First wait after an object failed; it doubles up to the pass's own rhythm.
const RETRY: Duration = Duration::from_millis(500);

/// What the agent knows of each object.
type Standing = BTreeMap<Spot, Arc<Live>>;

/// What the last pass came to; the rows in the hub are made from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    placements: Vec<Arc<DualActivePlacement>>,
    plan: Plan,
    states: BTreeMap<Spot, State>,
    standing: Standing,
    ready: Ready,
    unready: BTreeMap<Spot, String>,
    forbidden: BTreeMap<TemplateKind, Why>,
    fought: BTreeMap<Spot, String>,
    fences: BTreeMap<String, FenceRow>,
}

impl Outcome {
    /// Namespaces in which a person of the cloud confirmed a placement of the tenant.
    pub(super) fn open(&self, centre: &str, placements: &[Arc<DualActivePlacement>]) -> BTreeSet<String> {
        confirm::namespaces(centre, placements, &self.plan.parts)
    }
}

/// The loop's state.
pub(super) struct Placements {
    pub(super) centre: String,
    pub(super) stage: Stage,
    pub(super) cluster: Client,
    pub(super) caches: Caches,
    pub(super) metrics: Metrics,
    rights: Option<Rights>,
    /// Exclusive objects of which the record knows.
    guards: BTreeSet<String>,
    fail_points: FailPoints,
    templates: Templates<HubTemplate>,
    revisions: Revisions,
    endpoints: Endpoints,
    scalers: Scalers,
    live: Templates<Live>,
    custom: Custom,
    judged: Judged,
    fights: Fights,
    floors: Option<Floors>,
    /// What was found in order, so that it is not compared again while nothing changed.
    checked: BTreeMap<Spot, Checked>,
    /// Answers to own writes that the watch may not show yet.
    own: BTreeMap<Spot, Arc<Live>>,
    outcome: watch::Sender<Arc<Outcome>>,
    decided: Arc<Notify>,
    failures: u32,
}

impl Placements {
    pub(super) fn new(
        (centre, stage): (String, Stage),
        (hub, cluster): (Client, Client),
        (caches, metrics, fail_points): (Caches, Metrics, FailPoints),
        rights: Option<Rights>,
        changed: &Arc<Notify>,
        (outcome, decided): (watch::Sender<Arc<Outcome>>, Arc<Notify>),
    ) -> Self {
        let ours = watcher::Config::default().labels(label::PLACEMENT);
        let all = watcher::Config::default();
        let revisions = revisions::revisions(hub.clone(), Arc::clone(changed));
        let endpoints = endpoints::endpoints(cluster.clone(), Arc::clone(changed));
        let scalers = scalers::scalers(cluster.clone(), Arc::clone(changed));
        let read = match stage {
            Stage::Own => HubTemplate::of_own,
            Stage::Member(_) => HubTemplate::of_member,
        };
        let templates = Templates::new(hub, all, Arc::clone(changed), read);
        let mut live = Templates::new(cluster.clone(), ours, Arc::clone(changed), Live::read);
        // What an earlier process left behind may be of any kind.
        let kinds = Kinds::new(&caches.kinds.shared());
        let all = TemplateKind::ALL.iter().chain(kinds.all()).cloned();
        live.watch(&kinds, &looked_at(stage, all));
        Self {
            centre,
            stage,
            cluster,
            caches,
            metrics,
            rights,
            guards: BTreeSet::new(),
            fail_points,
            templates,
            revisions,
            endpoints,
            scalers,
            live,
            custom: Custom::default(),
            judged: Judged::default(),
            fights: Fights::default(),
            floors: None,
            checked: BTreeMap::new(),
            own: BTreeMap::new(),
            outcome,
            decided,
            failures: 0,
        }
    }

    /// One pass over all placements. Answers when it wants to be called again.
    pub(super) async fn pass(&mut self) -> Result<Made, CallError> {
        let placements = self.caches.placements.shared();
        let (custom, kinds) = (Kinds::new(&self.caches.kinds.shared()), centre::kinds(&placements));
        // Where nothing is written, the hub's templates are nobody's business.
        let templates = if self.stage.read_only() {
            &BTreeSet::new()
        } else {
            &kinds
        };
        self.templates.watch(&custom, templates);
        self.revisions
            .watch(!self.stage.read_only() && revisions::wanted(&placements));
        self.endpoints.watch(endpoints::wanted(&placements));
        self.scalers.watch(!self.stage.read_only() && scalers::wanted(&kinds));
        if !self.live.complete() {
            return Ok(Made::Waiting);
        }
        let found = self.live.kinds();
        let kinds = kinds.union(&found).cloned();
        self.live.watch(&custom, &looked_at(self.stage, kinds));
        let complete = self.templates.complete() && self.revisions.complete() && self.live.complete();
        if !complete || !self.scalers.complete() {
            return Ok(Made::Waiting);
        }
        self.custom = Custom {
            kinds: custom,
            hub: self.templates.blind(),
            here: self.live.blind(),
            centre: self.centre.clone(),
        };
        let stored = match self.floors.take() {
            Some(floors) => floors,
            None => epoch::read(&self.cluster).await?,
        };
        let standing = self.standing();
        let sources = Sources {
            now: self.templates.all(),
            stored: revisions::by_revision(&self.revisions),
        };
        let plan = self.decide(&placements, &standing, &stored, &sources);
        if plan.floors != stored {
            self.floors = Some(epoch::raise(&self.cluster, &plan.floors).await?);
            // Decided again before anything is written: somebody may have seen more.
            return Ok(Made::Whole(Some(Duration::ZERO)));
        }
        self.floors = Some(stored);
        self.guard(&plan);
        let states = self.carry_out(&plan, &standing, &sources).await;
        let gone = self.take_away(&plan, &standing).await;
        let failed = !gone
            || states
                .values()
                .any(|s| matches!(s, State::Failed(crds::placement_reason::APPLY_FAILED, _)));
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        self.report(placements, plan, states);
        let again = failed.then(|| RETRY.saturating_mul(1 << self.failures.min(10)));
        Ok(Made::Whole(again))
    }

    /// Hands what came of the pass to whoever writes the rows.
    fn report(&mut self, placements: Vec<Arc<DualActivePlacement>>, plan: Plan, states: BTreeMap<Spot, State>) {
        let standing = self.standing();
        let unready = self.judged.unready(&self.custom.kinds, &plan, &standing);
        self.outcome.send_replace(Arc::new(Outcome {
            placements,
            plan,
            states,
            standing,
            ready: endpoints::ready(&self.endpoints),
            unready,
            forbidden: self.custom.forbidden(),
            fought: self.fights.told(boot()),
            fences: self.fences(),
        }));
        self.decided.notify_one();
    }

    fn decide(
        &self,
        placements: &[Arc<DualActivePlacement>],
        standing: &Standing,
        floors: &Floors,
        sources: &Sources,
    ) -> Plan {
        let contents = match self.stage {
            Stage::Own => Contents::new(),
            Stage::Member(_) => sources.contents(),
        };
        let labelled = standing
            .iter()
            .map(|(spot, live)| (spot.clone(), live.placement.clone()))
            .collect();
        let exclusive = placements.iter().filter(|p| p.spec.mode == PlacementMode::Exclusive);
        let exclusive: Vec<_> = exclusive.map(|p| key(p)).collect();
        let held = self.rights.as_ref().map(|rights| rights.held(exclusive.iter()));
        let gated = self.rights.as_ref().is_some_and(Rights::gated);
        let own = self.caches.centre_of(&self.centre);
        plan(&Snapshot {
            centre: &self.centre,
            placements,
            catalogue: &Catalogue::read(&self.caches.pools.list()),
            standing: &labelled,
            namespaces: &self.caches.centre().tenants(),
            floors,
            stage: self.stage,
            ownership: own.map(|c| c.spec.ownership).unwrap_or_default(),
            contents: &contents,
            rights: held.as_ref().map(|held| centre::Rights { held, gated }),
        })
    }

    /// Tells the record which exclusive objects there are to be, so that nobody scales them by hand.
    fn guard(&mut self, plan: &Plan) {
        let Some(rights) = &self.rights else { return };
        let exclusive = plan.wants.iter().filter(|(_, want)| want.here.exclusive.is_some());
        self.guards = rights.guard(exclusive.filter_map(|(spot, _)| exclusive::guard(spot)).collect());
    }

    /// By pool: nodes on which exclusive pods may run, and how many of their gates stand.
    fn fences(&self) -> BTreeMap<String, FenceRow> {
        let Some(rights) = self.rights.as_ref().filter(|rights| rights.gated()) else {
            return BTreeMap::new();
        };
        let gates = rights.gates();
        let mut fences: BTreeMap<String, FenceRow> = BTreeMap::new();
        for node in self.caches.nodes.shared() {
            let facts = node.facts();
            let (Some(pool), true) = (facts.pool, facts.gate) else {
                continue;
            };
            let row = fences.entry(pool).or_default();
            row.nodes += 1;
            row.ready += i64::from(gates.contains(&facts.name));
        }
        fences
    }

    /// What stands here under our label, own writes first where the watch is behind.
    fn standing(&mut self) -> Standing {
        let mut standing = self.live.all();
        standing.retain(|_, live| live.ours);
        self.own
            .retain(|spot, own| standing.get(spot).is_none_or(|seen| seen.version < own.version) && !own.is_old());
        standing.extend(self.own.iter().map(|(spot, own)| (spot.clone(), Arc::clone(own))));
        standing
    }

    /// Applies what differs, kind after kind: what pods refer to stands before them.
    async fn carry_out(&mut self, plan: &Plan, standing: &Standing, sources: &Sources) -> BTreeMap<Spot, State> {
        let mut states: BTreeMap<Spot, State> = BTreeMap::new();
        self.checked.retain(|spot, _| plan.wants.contains_key(spot));
        let scaled = scalers::scaled(&self.scalers);
        let template = |spot: &Spot, want: &Want| sources.of(spot, want);
        let (scaled, nothing) = (&scaled, BTreeMap::new());
        let before = Around {
            scaled,
            standing,
            done: &nothing,
        };
        let unheard = self.unheard(plan, sources);
        let heard = |spot: &Spot, want: &Want| {
            template(spot, want).filter(|_| !unheard.contains_key(&trial::owner(spot, want)))
        };
        let refused = self.refused(plan, &before, heard).await;
        let kinds: BTreeSet<&TemplateKind> = plan.wants.keys().map(|(_, object)| &object.kind).collect();
        for kind in kinds {
            let wants: Vec<_> = plan
                .wants
                .iter()
                .filter(|((_, object), _)| object.kind == *kind)
                .collect();
            let (this, done, stops) = (&*self, &states, (&unheard, &refused));
            let applied = wants.into_iter().map(|(spot, want)| async move {
                let template = template(spot, want);
                let all = Around { scaled, standing, done };
                (spot, this.one((spot, want), template, &all, stops).await)
            });
            let outcomes: Vec<_> = futures::stream::iter(applied).buffer_unordered(AT_ONCE).collect().await;
            for (spot, outcome) in outcomes {
                if let Some(words) = &outcome.corrected {
                    self.fights.corrected(spot, words, boot());
                }
                if let Some(own) = outcome.own {
                    self.own.insert(spot.clone(), Arc::new(own));
                }
                match outcome.checked {
                    Some(checked) => drop(self.checked.insert(spot.clone(), checked)),
                    None => drop(self.checked.remove(spot)),
                }
                states.insert(spot.clone(), outcome.state);
            }
        }
        states
    }
}

/// Of these kinds those that are looked at in the cluster.
fn looked_at(stage: Stage, kinds: impl IntoIterator<Item = TemplateKind>) -> BTreeSet<TemplateKind> {
    kinds.into_iter().filter(|kind| stage.looks_at(kind)).collect()
}

/// Objects that no decision wants any more, by namespace and placement.
fn unwanted(plan: &Plan, standing: &Standing) -> BTreeMap<(String, String), usize> {
    let mut left = BTreeMap::new();
    for (spot, live) in standing.iter().filter(|(spot, _)| !plan.wants.contains_key(*spot)) {
        *left.entry((spot.0.clone(), live.placement.clone())).or_default() += 1;
    }
    left
}
