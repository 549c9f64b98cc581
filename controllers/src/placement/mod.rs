//! Placements in the hub: what is selected, how it is divided and whether it fits is decided here and stored as the
//! placement's assignment; the agents carry it out.

mod apply;
pub(crate) mod kinds;
mod observe;
mod pace;
mod revisions;
mod write_back;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{
    DataCenter, DualActivePlacement, DualActivePlacementStatus, PlaceableKind, QuotaPool, ResourceRequest, Tenant,
    condition, find_condition, placement_reason,
};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::centre::catalogue::Catalogue;
use plan::failover::facts::Known;
use plan::failover::status::{describe, is_told_elsewhere};
use plan::placement::confirm::waiting;
use plan::placement::decide::{Centre, Decision, World, decide, key};
use plan::placement::fit;
use plan::placement::kinds::{Kinds, Placeable};
use plan::placement::status::status;
use plan::placement::template::{self, Key, Template};
use prometheus::Registry;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cache::{Cache, NotReady, Reader};
use crate::call::CallError;
use crate::clock::Clock;
use crate::events::Events;
use crate::fail_point::FailPoints;
use crate::failover::Sight;
use crate::operator::Common;
use crate::pass::{Made, Rhythm, drive};
use crate::rows::{Rows, count};
use crate::templates::{Found, Templates, plain};
use crate::traffic::Word;
use pace::Pace;

/// Writes under way at once; more than the rows of one agent, which report on them.
const AT_ONCE: usize = 32;
/// Statuses that only show something, written before the next look at what is to be decided: as many as are under way at once.
const SHOWN_AT_ONCE: usize = AT_ONCE;
/// How long an own write is believed over a watch that does not show it.
const LAG: Duration = Duration::from_secs(10);
/// How often ages of reports are looked at while something is placed.
const LOOK: Duration = Duration::from_secs(5);

struct Controller {
    client: Client,
    epoch: i64,
    ledger: Option<String>,
    events: Events,
    clock: Clock,
    figures: Figures,
    fail_points: FailPoints,
    sight: Sight,
    requests: Cache<ResourceRequest, fit::Read>,
    pools: Cache<QuotaPool>,
    tenants: Cache<Tenant>,
    kinds: Cache<PlaceableKind, Placeable>,
    templates: Templates<Template>,
    traffic: Word,
    texts: observe::Texts,
    pace: Pace,
    /// Versions of placements that were written on, and since when: another write on one is refused.
    spent: BTreeMap<(String, String), (String, Instant)>,
}

/// A placement, what was decided on it, and what its status says then.
type Outcome<'a> = (&'a Arc<DualActivePlacement>, &'a Decision, DualActivePlacementStatus);

/// Figures of placements.
#[derive(Clone, Debug)]
pub struct Figures {
    /// By the reason of their condition Ready.
    reasons: Rows,
    /// By the reason of their condition EffectivelyActiveActive.
    serving: Rows,
    /// By member cloud.
    waiting: Rows,
}

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let reasons = "Placements by the reason of their condition Ready";
        let serving = "Placements that run in every centre, by the reason of their condition EffectivelyActiveActive";
        let waiting =
            "Placements that wait for a person of the member cloud; without the label where there is no member";
        Ok(Self {
            reasons: Rows::new(registry, "xiangyun_placements", reasons, &["reason"])?,
            serving: Rows::new(registry, "xiangyun_placements_serving", serving, &["reason"])?,
            waiting: Rows::new(registry, "xiangyun_member_waiting", waiting, &["centre"])?,
        })
    }

    /// Counts what the statuses say.
    fn observe(&self, statuses: &[&DualActivePlacementStatus]) {
        let by = |kind: &str, none: &str| {
            // A rule about a figure that is not there would stay silent.
            let mut by_reason: BTreeMap<String, usize> = [(none.to_owned(), 0)].into();
            let said = statuses.iter().filter_map(|s| find_condition(&s.conditions, kind));
            for said in said {
                *by_reason.entry(said.reason.clone()).or_default() += 1;
            }
            by_reason.into_iter().map(|(why, number)| (vec![why], count(number)))
        };
        let (running, serves) = (placement_reason::RUNNING, placement_reason::SERVES_EVERYWHERE);
        self.reasons.replace(by(condition::READY, running));
        self.serving.replace(by(condition::EFFECTIVELY_ACTIVE_ACTIVE, serves));
    }

    fn waiting(&self, waiting: BTreeMap<String, usize>) {
        // A rule about a figure that is not there would stay silent. An empty label is none.
        let none = waiting.is_empty().then(|| (vec![String::new()], 0.0));
        let rows = waiting.into_iter().map(|(centre, n)| (vec![centre], count(n)));
        self.waiting.replace(rows.chain(none));
    }
}

/// Runs until it is stopped. `sight` tells `changed` of what is new.
///
/// # Errors
/// A cache that never filled.
pub async fn run(
    common: Common,
    epoch: i64,
    (sight, changed): (Sight, Arc<Notify>),
    (figures, traffic): (Figures, Word),
    fail_points: FailPoints,
) -> Result<(), NotReady> {
    let Common {
        client,
        events,
        clock,
        passes,
        stop,
    } = common;
    let all = Config::default;
    let grants = Reader {
        read: |request: ResourceRequest| Ok(fit::read(&request)),
        news: |a: &fit::Read, b| a != b,
    };
    let (requests, requests_task) = Cache::read(client.clone(), all(), vec![Arc::clone(&changed)], grants);
    let (pools, pools_task) = Cache::start(client.clone(), all(), Arc::clone(&changed));
    let (tenants, tenants_task) = Cache::start(client.clone(), all(), Arc::clone(&changed));
    let (kinds, kinds_task) = kinds::watch(client.clone(), Arc::clone(&changed));
    let read = |(kind, resource, object): Found<'_>| template::read(kind, &plain(object, resource));
    let templates = Templates::new(client.clone(), all(), Arc::clone(&changed), read);
    let tasks = [requests_task, pools_task, tenants_task, kinds_task];
    let mut controller = Controller {
        client,
        epoch,
        ledger: None,
        events,
        clock,
        figures,
        fail_points,
        sight,
        requests,
        pools,
        tenants,
        kinds,
        templates,
        traffic,
        texts: observe::Texts::default(),
        pace: Pace::new(),
        spent: BTreeMap::new(),
    };
    controller.ready().await?;
    // A pass waits for the API server most of the time, and what came meanwhile waits for the next.
    let rhythm = Rhythm {
        rest: Duration::from_millis(100),
        ..Rhythm::default()
    };
    tokio::select! {
        () = drive("placement", rhythm, &passes, changed, stop, async || controller.pass().await) => Ok(()),
        _ = futures::future::select_all(tasks) => Ok(()),
    }
}

impl Controller {
    async fn ready(&self) -> Result<(), NotReady> {
        self.sight.ready().await?;
        self.requests.ready().await?;
        self.pools.ready().await?;
        self.tenants.ready().await?;
        self.kinds.ready().await
    }

    /// One pass over all placements, and over the kinds that they may take.
    async fn pass(&mut self) -> Result<Made, CallError> {
        let (placements, all) = (self.sight.placements.shared(), self.kinds.shared());
        self.figures.waiting(waiting(&self.sight.centres.shared(), &placements));
        let kinds = Kinds::new(&all);
        self.templates.watch(&kinds, &observe::kinds(&placements, &kinds));
        let next = self.place(&placements, &kinds).await;
        let blind = self.templates.blind();
        let told = self.tell(&all, (&kinds, &blind), &placements, self.clock.now()).await;
        next.and_then(|next| told.map(|()| next))
    }

    async fn place(&mut self, placements: &[Arc<DualActivePlacement>], kinds: &Kinds) -> Result<Made, CallError> {
        if placements.is_empty() {
            self.figures.observe(&[]);
            return Ok(Made::Whole(None));
        }
        if !self.templates.complete() {
            return Ok(Made::Waiting);
        }
        if self.ledger.is_none() {
            self.ledger = observe::ledger(&self.client).await?;
        }
        let now = self.clock.now();
        let known = self.sight.known(now);
        let centres = self.known_centres(&known, now);
        let templates = self.templates.all();
        self.texts.read(&self.client, kinds, placements, &templates).await;
        let decisions = self
            .decide((placements, kinds), &templates, (&centres, &known), now)
            .await;
        let next = placements.iter().filter_map(|placement| {
            let decision = decisions.get(&key(placement))?;
            let mut status = status(placement, decision, &centres, now);
            describe(placement, &known, decision.survivable.as_ref(), &mut status, now);
            Some((placement, decision, self.traffic.tell(placement, status, now)))
        });
        let next: Vec<_> = next.collect();
        self.figures
            .observe(&next.iter().map(|(_, _, status)| status).collect::<Vec<_>>());
        let (first, wait) = self.put(next, &known, now).await;
        if first.is_ok() && wait.is_some() {
            // What is decided meanwhile comes first.
            return Ok(Made::Whole(wait));
        }
        let untold = placements.iter().filter(|p| !is_told_elsewhere(p, &known, now));
        let heard = (&centres, &known.lost());
        let shown = self.write_back(untold, &decisions, &templates, heard, now).await;
        let next = shown?.map_or(LOOK, |due| due.min(LOOK));
        first.map(|()| Made::Whole(Some(next)))
    }

    /// Writes what differs, what others wait for first. Answers how long what is only shown still waits.
    async fn put(
        &mut self,
        mut all: Vec<Outcome<'_>>,
        known: &Known,
        now: Timestamp,
    ) -> (Result<(), CallError>, Option<Duration>) {
        let before = std::mem::take(&mut self.spent);
        all.retain(|(placement, ..)| {
            let (key, seen) = (key(placement), placement.metadata.resource_version.as_ref());
            let found = before
                .get(&key)
                .filter(|(version, at)| Some(version) == seen && at.elapsed() < LAG);
            // The watch is behind.
            self.spent.extend(found.map(|found| (key, found.clone())));
            found.is_none()
        });
        // What grows is written first: an object that changes hands is wanted by the next before the last lets it go.
        let (grows, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(p, d, _)| apply::grows(p, d));
        let (decides, mut shows): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(p, d, _)| apply::decides(p, d));
        let first = self.write_all(&grows).await;
        let first = first.and(self.write_all(&decides).await);
        shows.retain(|(placement, _, status)| {
            placement.status.as_ref() != Some(status) && !is_told_elsewhere(placement, known, now)
        });
        let busy = !(grows.is_empty() && decides.is_empty());
        // Others may come meanwhile, and the API server has only so many writes a second.
        let mut wait = self.pace.waits(shows.len(), busy);
        if wait.is_some() {
            shows.retain(|(placement, _, status)| apply::urgent(placement, status));
        }
        let begin = Instant::now();
        let more = shows.len() > SHOWN_AT_ONCE;
        shows.truncate(SHOWN_AT_ONCE);
        let first = first.and(self.write_all(&shows).await);
        if more {
            self.pace.left_over(begin.elapsed());
            wait = Some(Rhythm::default().gather);
        }
        (first, wait)
    }

    /// Writes what differs of each. The first error is answered after all were tried.
    async fn write_all(&mut self, all: &[Outcome<'_>]) -> Result<(), CallError> {
        let this = &*self;
        let writes = all.iter().map(|(placement, decision, status)| async move {
            let outcome = this.write(placement, decision, status).await;
            (key(placement), placement.metadata.resource_version.clone(), outcome)
        });
        let outcomes: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let mut first = Ok(());
        for (key, version, outcome) in outcomes {
            let spent = version.filter(|_| matches!(outcome, Ok(true)));
            self.spent.extend(spent.map(|version| (key, (version, Instant::now()))));
            first = first.and(outcome.map(drop));
        }
        first
    }

    fn known_centres(&self, known: &Known, now: Timestamp) -> BTreeMap<String, Centre> {
        let centres = self.sight.centres.shared();
        let fact = |c: &Arc<DataCenter>| {
            let name = c.metadata.name.clone()?;
            let mut facts = facts(c, now);
            // Its last report may be younger than its loss.
            facts.reports &= !known.is_lost(&name);
            Some((name, facts))
        };
        centres.iter().filter_map(fact).collect()
    }

    /// Decides, asks the hub about templates that are missing, and decides again with its answers.
    async fn decide(
        &self,
        (placements, kinds): (&[Arc<DualActivePlacement>], &Kinds),
        templates: &BTreeMap<Key, Arc<Template>>,
        (centres, known): (&BTreeMap<String, Centre>, &Known),
        now: Timestamp,
    ) -> BTreeMap<(String, String), Decision> {
        let grants = self.requests.shared();
        let grants = fit::sum_while(grants.iter().map(Arc::as_ref), &known.away());
        let catalogue = Catalogue::read(&self.pools.list());
        let own = |t: Tenant| Some((t.metadata.name?, t.spec.mlps_level.unwrap_or_default()));
        let tenants: BTreeMap<String, i32> = self.tenants.list().into_iter().filter_map(own).collect();
        let world = World {
            placements,
            templates,
            grants: &grants,
            catalogue: &catalogue,
            tenants: &tenants,
            centres,
            kinds,
            blind: &self.templates.blind(),
            texts: self.texts.all(),
            failover: known,
            now,
            gone: &BTreeSet::new(),
            ledger: self.ledger.as_deref().unwrap_or_default(),
            epoch: self.epoch,
        };
        let decisions = decide(&world);
        let confirm: BTreeSet<_> = decisions.values().flat_map(|d| d.confirm.iter().cloned()).collect();
        if confirm.is_empty() {
            return decisions;
        }
        let gone = observe::gone(&self.client, kinds, &confirm).await;
        if gone.is_empty() {
            decisions
        } else {
            decide(&World { gone: &gone, ..world })
        }
    }
}

/// What a decision needs to know of a centre.
fn facts(centre: &DataCenter, now: Timestamp) -> Centre {
    let report = centre.status.as_ref().and_then(|s| s.report.as_ref());
    let pools = report.into_iter().flat_map(|r| &r.pools);
    Centre {
        reports: plan::centre_health::health(centre, now).0 == crds::centre_reason::REPORTING,
        role: centre.spec.role,
        ownership: centre.spec.ownership,
        lends: plan::centre::stage::all_lent(centre),
        nodes: pools
            .map(|p| (p.name.clone(), plan::placement::layers::usable(p)))
            .collect(),
    }
}
