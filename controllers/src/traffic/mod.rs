//! Where users' traffic goes: what each centre of a placement weighs, published in the hub as EndpointSlices and as a
//! DNSEndpoint of ExternalDNS. The placement's status is not written here: its one writer is told.

mod apply;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crds::{DataCenter, DualActivePlacement, DualActivePlacementStatus, condition, object, set_condition};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use kube::runtime::watcher::Config;
use plan::traffic::publish::{Names, Owner, Slice, WRITER, published, slices};
use plan::traffic::{Hindrance, Said, Site, Weights, said, weigh};
use prometheus::Registry;
use tokio::sync::{Notify, watch};

use crate::cache::{Cache, NotReady, Reader};
use crate::call::CallError;
use crate::operator::Common;
use crate::pass::{Rhythm, drive};
use crate::rows::Rows;
use apply::{Hub, Stored};
use names::Watched;

/// Placements published at once.
const AT_ONCE: usize = 8;
/// How often ages of reports are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// While the list of names is on its way.
const SOON: Duration = Duration::from_millis(200);

/// What is said of each placement, by namespace and name.
type Words = BTreeMap<(String, String), Said>;

/// What was published of the placements, for whoever writes their status.
#[derive(Clone, Debug)]
pub struct Word(watch::Receiver<Arc<Words>>);

/// The other end of a [`Word`].
pub type Says = watch::Sender<Arc<Words>>;

impl Word {
    /// Both ends.
    pub fn channel() -> (Says, Self) {
        let (says, word) = watch::channel(Arc::default());
        (says, Self(word))
    }

    /// Sets the condition, or takes it away where the placement steers no traffic. Where nothing was said yet, what stands
    /// there stays.
    pub(crate) fn tell(
        &self,
        placement: &DualActivePlacement,
        mut status: DualActivePlacementStatus,
        now: Timestamp,
    ) -> DualActivePlacementStatus {
        let kind = condition::TRAFFIC_PUBLISHED;
        let conditions = &mut status.conditions;
        if placement.spec.traffic.is_none() {
            conditions.retain(|c| c.type_ != kind);
            return status;
        }
        let words = self.0.borrow();
        if let Some((is, why, message)) = words.get(&plan::placement::decide::key(placement)) {
            let generation = placement.metadata.generation;
            set_condition(conditions, kind, Some(*is), why, message.clone(), generation, now);
        }
        status
    }
}

/// What is known of a placement here. One that steers no traffic is known by name alone.
#[derive(Debug, PartialEq)]
struct Seen {
    owner: Owner,
    steers: Option<DualActivePlacement>,
}

fn seen(placement: DualActivePlacement) -> Seen {
    Seen {
        owner: Owner::of(&placement),
        steers: placement.spec.traffic.is_some().then_some(placement),
    }
}

/// Sum of the weights of each centre.
///
/// # Errors
/// A name that is registered already.
pub fn figures(registry: &Registry) -> prometheus::Result<Rows> {
    let says = "Weight of a centre, summed over the placements whose traffic is steered";
    Rows::new(registry, "xiangyun_traffic_weight", says, &["centre"])
}

struct Controller {
    hub: Hub,
    common: Common,
    figures: Rows,
    says: Says,
    placements: Cache<DualActivePlacement, Seen>,
    centres: Cache<DataCenter>,
    slices: Cache<EndpointSlice, Stored<Slice>>,
    names: Watched,
}

/// Runs until it is stopped.
///
/// # Errors
/// A cache that never filled.
pub async fn run(common: Common, figures: Rows, says: Says) -> Result<(), NotReady> {
    let changed = Arc::new(Notify::new());
    let (client, all) = (common.client.clone(), Config::default);
    let told = || vec![Arc::clone(&changed)];
    let reader = Reader {
        read: |placement| Ok(seen(placement)),
        news: |a: &Seen, b| a != b,
    };
    let (placements, placements_task) = Cache::read(client.clone(), all(), told(), reader);
    // Reports come all the time and concern traffic only by their age, which is looked at anyway.
    let reader = Reader {
        read: Ok,
        news: |a: &DataCenter, b: &DataCenter| {
            let witness = |c: &DataCenter| c.status.as_ref().and_then(|s| s.witness.clone());
            a.spec.ingress != b.spec.ingress || witness(a) != witness(b)
        },
    };
    let (centres, centres_task) = Cache::read(client.clone(), all(), told(), reader);
    let own = all().labels(&format!("{WRITER}={}", object::CONTROLLER));
    let reader = Reader {
        read: |slice: EndpointSlice| Stored::read(&slice, Slice::read),
        news: |a: &Stored<Slice>, b| a.says != b.says,
    };
    let (slices, slices_task) = Cache::read(client.clone(), own, told(), reader);
    let mut controller = Controller {
        hub: Hub::new(client.clone()),
        names: Watched::new(client, Arc::clone(&changed)),
        common: common.clone(),
        figures,
        says,
        placements,
        centres,
        slices,
    };
    controller.placements.ready().await?;
    controller.centres.ready().await?;
    controller.slices.ready().await?;
    let Common { passes, stop, .. } = common;
    let tasks = [placements_task, centres_task, slices_task];
    tokio::select! {
        () = drive("traffic", Rhythm::default(), &passes, changed, stop, async || controller.pass().await) => Ok(()),
        _ = futures::future::select_all(tasks) => Ok(()),
    }
}

/// What stands in the hub.
struct Standing {
    slices: Vec<Arc<Stored<Slice>>>,
    names: Vec<Arc<Stored<Names>>>,
}

impl Controller {
    /// One pass over all placements.
    async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let placements = self.placements.shared();
        let steers = || placements.iter().filter_map(|p| p.steers.as_ref());
        self.names.watch(steers().next().is_some());
        if !self.names.settled() {
            return Ok(Some(SOON));
        }
        let now = self.common.clock.now();
        let centres = self.centres.shared();
        let sites: BTreeMap<String, Site> = centres.iter().map(|c| (c.name_any(), Site::of(c, now))).collect();
        let standing = Standing {
            slices: self.slices.shared(),
            names: self.names.all(),
        };
        let each = steers().map(|placement| self.one(placement, &sites, &standing));
        let outcomes: Vec<_> = futures::stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
        let mut first = self.forget(&placements, &sites, &standing).await;
        let (mut words, mut sums) = (Words::new(), BTreeMap::<String, i64>::new());
        for (key, weights, said, outcome) in outcomes {
            for (centre, weight) in weights.into_iter().flatten() {
                *sums.entry(centre).or_default() += weight;
            }
            words.insert(key, said);
            first = first.and(outcome);
        }
        #[allow(clippy::cast_precision_loss, reason = "no sum of copies reaches 2^53")]
        self.figures
            .replace(sums.into_iter().map(|(c, sum)| (vec![c], sum as f64)));
        self.says.send_if_modified(|stood| {
            let differs = **stood != words;
            *stood = Arc::new(words);
            differs
        });
        first.map(|()| Some(LOOK))
    }

    /// Publishes what differs of one placement. A write that the server refuses is said, and is no reason to hurry.
    async fn one(
        &self,
        placement: &DualActivePlacement,
        sites: &BTreeMap<String, Site>,
        standing: &Standing,
    ) -> ((String, String), Option<Weights>, Said, Result<(), CallError>) {
        let (key, owner) = (plan::placement::decide::key(placement), Owner::of(placement));
        let own = standing.slices.iter().filter_map(|s| s.says.as_ref());
        let stored = standing
            .names
            .iter()
            .find(|n| n.place() == (&owner.namespace, &owner.name));
        let leads = stored.and_then(|n| n.says.as_ref()).filter(|n| n.owner == owner);
        let before = published(&owner, own.clone(), leads);
        let Some(weights) = weigh(placement, sites, &before) else {
            return (key, None, said(None, &Hindrance::default()), Ok(()));
        };
        let entered = |centre: &str| sites.get(centre).is_some_and(|s| !s.ingress.is_empty());
        let mut hindrance = Hindrance {
            failed: None,
            without_ingress: weights.keys().filter(|c| !entered(c)).cloned().collect(),
            names: self.names.unseen(),
        };
        let stands: BTreeSet<&Slice> = own.collect();
        let mut outcome = Ok(());
        for slice in slices(placement, &weights, sites)
            .iter()
            .filter(|s| !stands.contains(s))
        {
            outcome = outcome.and(self.hub.slice(slice).await);
        }
        if let (Some(traffic), None) = (&placement.spec.traffic, hindrance.names) {
            let wanted = Names::of(placement, traffic, &weights, sites, leads);
            if stored.is_some_and(|n| n.says.is_none()) {
                let words = "a DNSEndpoint of that name is somebody else's; rename the placement or delete it";
                hindrance.failed = Some(words.to_owned());
            } else if leads != Some(&wanted) && !wanted.records.is_empty() {
                outcome = outcome.and(self.hub.names(&wanted).await);
            }
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

    /// Deletes what a placement that is there does not want any more; what is of one that is gone goes with it.
    async fn forget(
        &self,
        placements: &[Arc<Seen>],
        sites: &BTreeMap<String, Site>,
        standing: &Standing,
    ) -> Result<(), CallError> {
        let there: BTreeMap<&Owner, Option<&DualActivePlacement>> =
            placements.iter().map(|p| (&p.owner, p.steers.as_ref())).collect();
        let mut first = Ok(());
        for stored in &standing.slices {
            let Some(slice) = &stored.says else { continue };
            let kept = match there.get(&slice.owner) {
                None => true,
                Some(None) => false,
                Some(Some(placement)) => wants(placement, slice, sites),
            };
            if !kept {
                first = first.and(self.hub.delete_slice(stored).await);
            }
        }
        for stored in &standing.names {
            let owner = stored.says.as_ref().map(|n| &n.owner);
            if owner.and_then(|o| there.get(o)).is_some_and(Option::is_none) {
                first = first.and(self.hub.delete_names(stored).await);
            }
        }
        first
    }
}

/// Whether a slice of that name is still wanted. Before anything is decided, whatever stands there is.
fn wants(placement: &DualActivePlacement, slice: &Slice, sites: &BTreeMap<String, Site>) -> bool {
    let Some(weights) = weigh(placement, sites, &Weights::new()) else {
        return true;
    };
    // A centre that is not known at all may be known again.
    let unknown = weights.contains_key(&slice.centre) && !sites.contains_key(&slice.centre);
    unknown
        || slices(placement, &weights, sites)
            .iter()
            .any(|s| s.name() == slice.name())
}
