//! Where users' traffic goes: what each centre of a placement weighs, published in the hub as EndpointSlices, as a DNSEndpoint
//! of ExternalDNS, and as backends of an HTTPRoute. The placement's status is not written here: its one writer is told.

mod apply;
mod publish;
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::{DataCenter, DualActivePlacement, DualActivePlacementStatus, condition, object, set_condition};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use kube::runtime::watcher::Config;
use plan::traffic::gateway::{Backend, Route};
use plan::traffic::publish::{Names, Owner, Slice, WRITER};
use plan::traffic::{Said, Site};
use prometheus::Registry;
use tokio::sync::{Notify, watch};

use crate::cache::{Cache, NotReady, Reader};
use crate::call::CallError;
use crate::operator::Common;
use crate::pass::{Rhythm, drive};
use crate::rows::Rows;
use apply::{Hub, Stored};
use publish::Standing;
use watched::Watched;

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
    names: Watched<Names>,
    routes: Watched<Route>,
    backends: Watched<Backend>,
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
        read: |slice: EndpointSlice| Stored::read(&slice),
        news: |a: &Stored<Slice>, b| a.says != b.says,
    };
    let (slices, slices_task) = Cache::read(client.clone(), own, told(), reader);
    let mut controller = Controller {
        hub: Hub::new(client.clone()),
        names: Watched::new(client.clone(), Arc::clone(&changed)),
        routes: Watched::new(client.clone(), Arc::clone(&changed)),
        backends: Watched::new(client, Arc::clone(&changed)),
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

impl Controller {
    /// One pass over all placements.
    async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let placements = self.placements.shared();
        let steers = || placements.iter().filter_map(|p| p.steers.as_ref());
        let gated = steers().any(|p| publish::gateway(p).is_some());
        let settled = [
            self.names.watch(steers().next().is_some()),
            self.routes.watch(gated),
            self.backends.watch(gated),
        ];
        if settled.contains(&false) {
            return Ok(Some(SOON));
        }
        let now = self.common.clock.now();
        let centres = self.centres.shared();
        let sites: BTreeMap<String, Site> = centres.iter().map(|c| (c.name_any(), Site::of(c, now))).collect();
        let standing = Standing {
            slices: self.slices.shared(),
            names: self.names.all(),
            routes: self.routes.all(),
            backends: self.backends.all(),
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
}
