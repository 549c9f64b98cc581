//! Figures of admission. Labels come from closed sets: pools, centres, resources, reasons, outcomes.

use std::collections::BTreeMap;

use crds::{ReclaimStage, RequestType, Resources, condition, find_condition, request_reason as reason};
use kube::{Resource, ResourceExt as _};
use plan::cycle::Snapshot;
use plan::phase::Totals;
use plan::published::Figures;
use plan::reclaim;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::rows::{Rows, count, in_unit};

/// Metrics of the admission controller.
#[derive(Clone, Debug)]
pub struct AdmissionMetrics {
    swaps: IntCounterVec,
    writes: IntCounterVec,
    repairs: IntCounter,
    records: IntGauge,
    bytes: IntGauge,
    requests: Rows,
    oldest: Rows,
    exceptions: Rows,
    pools: Rows,
    plan_target: Rows,
    plan_accepted: Rows,
    idle: Idle,
    unreadable: IntGaugeVec,
}

/// Figures of idle grants.
#[derive(Clone, Debug)]
struct Idle {
    grants: Rows,
    reclaimable: Rows,
    stages: Rows,
}

impl Idle {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            grants: Rows::new(registry, "xiangyun_idle_grants", "Grants that are idle", &["pool"])?,
            reclaimable: Rows::new(
                registry,
                "xiangyun_reclaimable",
                "What idle grants hold beyond what they could shrink to, counted once: vCPU or bytes",
                &["pool", "resource"],
            )?,
            stages: Rows::new(
                registry,
                "xiangyun_reclaim_grants",
                "Live grants on their way back, by stage",
                &["stage"],
            )?,
        })
    }

    fn show(&self, pools: &BTreeMap<String, reclaim::Figures>, stages: &BTreeMap<ReclaimStage, usize>) {
        let grants = pools.iter().map(|(pool, f)| (vec![pool.clone()], count(f.idle)));
        self.grants.replace(grants);
        let row = |pool: &String, resource: &'static str, f: &reclaim::Figures| {
            let value = in_unit(resource, f.reclaimable[resource]);
            (vec![pool.clone(), resource.to_owned()], value)
        };
        let rows = pools
            .iter()
            .flat_map(|(pool, f)| ["cpu", "memory"].map(|r| row(pool, r, f)));
        self.reclaimable.replace(rows);
        let stages = stages.iter().map(|(stage, n)| (vec![format!("{stage:?}")], count(*n)));
        self.stages.replace(stages);
    }
}

impl AdmissionMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, says: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, says), labels);
        let metrics = Self {
            swaps: counters(
                "xiangyun_ledger_swaps_total",
                "Swaps of the ledger by outcome",
                &["outcome"],
            )?,
            writes: counters(
                "xiangyun_admission_writes_total",
                "Writes of the admission controller by kind and outcome",
                &["kind", "outcome"],
            )?,
            repairs: IntCounter::new("xiangyun_ledger_repairs_total", "Recounts that found a difference")?,
            records: IntGauge::new("xiangyun_ledger_open_records", "Changes under way in the ledger")?,
            bytes: IntGauge::new("xiangyun_ledger_bytes", "Length of the ledger as it is stored")?,
            requests: Rows::new(
                registry,
                "xiangyun_requests",
                "Requests by the reason of their condition Ready",
                &["reason"],
            )?,
            oldest: Rows::new(
                registry,
                "xiangyun_requests_oldest_timestamp_seconds",
                "Creation of the oldest request with that reason",
                &["reason"],
            )?,
            exceptions: exceptions(registry)?,
            pools: Rows::new(
                registry,
                "xiangyun_pool",
                "Figures of a pool in one centre: vCPU, bytes or cards",
                &["pool", "centre", "resource", "figure"],
            )?,
            plan_target: Rows::new(
                registry,
                "xiangyun_plan_target",
                "What the plan foresees: vCPU or bytes",
                &["resource"],
            )?,
            plan_accepted: Rows::new(
                registry,
                "xiangyun_plan_accepted",
                "Sum of the accepted phases of expansion: vCPU or bytes",
                &["resource"],
            )?,
            idle: Idle::new(registry)?,
            unreadable: IntGaugeVec::new(
                Opts::new("xiangyun_unreadable_objects", "Objects that do not parse"),
                &["kind"],
            )?,
        };
        registry.register(Box::new(metrics.swaps.clone()))?;
        registry.register(Box::new(metrics.writes.clone()))?;
        registry.register(Box::new(metrics.repairs.clone()))?;
        registry.register(Box::new(metrics.records.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.unreadable.clone()))?;
        Ok(metrics)
    }

    pub(super) fn swap(&self, outcome: &'static str) {
        self.swaps.with_label_values(&[outcome]).inc();
    }

    pub(super) fn write(&self, kind: &'static str, outcome: &'static str) {
        self.writes.with_label_values(&[kind, outcome]).inc();
    }

    pub(super) fn repaired(&self) {
        self.repairs.inc();
    }

    pub(super) fn unreadable<K: Resource<DynamicType = ()>>(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.unreadable.with_label_values(&[K::kind(&()).as_ref()]).set(count);
    }

    /// Requests by reason, and open records.
    pub(super) fn observe(&self, snapshot: &Snapshot) {
        let mut by_reason: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        // Both are shown where there is none: an alert about a name that nobody exports would stay silent for ever.
        let mut exceptions: BTreeMap<&str, usize> = [(reason::ACTIVE, 0), (reason::EXPIRED, 0)].into();
        for request in &snapshot.requests {
            let ready = find_condition(request.conditions(), condition::READY);
            let reason = ready.map_or(SUBMITTED, |c| c.reason.as_str());
            if request.kind() == RequestType::Exception {
                *exceptions.entry(reason).or_default() += 1;
            }
            let (number, oldest) = by_reason.entry(reason).or_insert((0, f64::INFINITY));
            *number += 1;
            if let Some(created) = request.object().creation_timestamp() {
                *oldest = oldest.min(created.0.as_duration().as_secs_f64());
            }
        }
        let row = |reason: &str, value| (vec![reason.to_owned()], value);
        self.requests.replace(
            by_reason
                .iter()
                .map(|(reason, (number, _))| row(reason, count(*number))),
        );
        self.exceptions
            .replace(exceptions.iter().map(|(reason, number)| row(reason, count(*number))));
        let known = by_reason.iter().filter(|(_, (_, oldest))| oldest.is_finite());
        self.oldest
            .replace(known.map(|(reason, (_, oldest))| row(reason, *oldest)));
        self.records
            .set(i64::try_from(snapshot.ledger.records.len()).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(snapshot.ledger_bytes).unwrap_or(i64::MAX));
    }

    /// How far the plan is; nothing is shown of a resource that no phase has a target for.
    pub(super) fn plan(&self, totals: Totals) {
        let shown = |sum: Resources| {
            let planned = PLANNED.into_iter().filter(|r| totals.target[r] > 0);
            planned.map(move |r| (vec![r.to_owned()], in_unit(r, sum[r])))
        };
        self.plan_target.replace(shown(totals.target));
        self.plan_accepted.replace(shown(totals.accepted));
    }

    /// Idle grants by pool, and how far they are.
    pub(super) fn idle(&self, pools: &BTreeMap<String, reclaim::Figures>, stages: &BTreeMap<ReclaimStage, usize>) {
        self.idle.show(pools, stages);
    }

    /// The six figures of every pool.
    pub(super) fn pools(&self, pools: &[(String, Figures)]) {
        self.pools
            .replace(pools.iter().flat_map(|(name, figures)| pool_rows(name, figures)));
    }
}

fn exceptions(registry: &Registry) -> prometheus::Result<Rows> {
    let says = "Exceptions from the common cloud by the reason of their condition Ready";
    Rows::new(registry, "xiangyun_exceptions", says, &["reason"])
}

/// Resources that the plan speaks of.
const PLANNED: [&str; 3] = ["cpu", "memory", "storage"];
/// Reason of a request that no pass has seen yet.
const SUBMITTED: &str = "Submitted";

fn pool_rows<'a>(pool: &'a str, figures: &'a Figures) -> impl Iterator<Item = (Vec<String>, f64)> + 'a {
    figures.centres.iter().flat_map(move |centre| {
        let f = &centre.figures;
        let figures = [
            ("gross", &f.gross),
            ("reserved", &f.reserved),
            ("committable", &f.committable),
            ("charged", &f.charged),
            ("free", &f.free),
            ("used", &f.used),
        ];
        figures.into_iter().flat_map(move |(figure, amounts)| {
            let row = move |(resource, value): (&'static str, i128)| {
                let labels = [pool, &centre.name, resource, figure].map(str::to_owned);
                (labels.to_vec(), in_unit(resource, value))
            };
            // What cannot be read is not shown: unknown is not zero.
            let known = Resources::try_from(amounts).ok();
            known
                .into_iter()
                .flat_map(move |r| r.iter().map(row).collect::<Vec<_>>())
        })
    })
}
