//! Figures of admission. Labels come from closed sets: pools, centres, resources, reasons, outcomes.

use std::collections::BTreeMap;

use crds::{Amounts, Resources, condition, find_condition};
use kube::Resource;
use plan::cycle::Snapshot;
use plan::published::Figures;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Metrics of the admission controller.
#[derive(Clone, Debug)]
pub struct AdmissionMetrics {
    swaps: IntCounterVec,
    writes: IntCounterVec,
    repairs: IntCounter,
    records: IntGauge,
    requests: IntGaugeVec,
    pool: GaugeVec,
    unreadable: IntGaugeVec,
}

impl AdmissionMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let opts = |name: &str, help: &str| Opts::new(name, help);
        let metrics = Self {
            swaps: IntCounterVec::new(
                opts("xiangyun_ledger_swaps_total", "Swaps of the ledger by outcome"),
                &["outcome"],
            )?,
            writes: IntCounterVec::new(
                opts(
                    "xiangyun_admission_writes_total",
                    "Writes of the admission controller by kind and outcome",
                ),
                &["kind", "outcome"],
            )?,
            repairs: IntCounter::with_opts(opts(
                "xiangyun_ledger_repairs_total",
                "Recounts that found a difference",
            ))?,
            records: IntGauge::with_opts(opts("xiangyun_ledger_open_records", "Changes under way in the ledger"))?,
            requests: IntGaugeVec::new(
                opts("xiangyun_requests", "Requests by the reason of their condition Ready"),
                &["reason"],
            )?,
            pool: GaugeVec::new(
                opts("xiangyun_pool", "Figures of a pool in one centre: vCPU, bytes or cards"),
                &["pool", "centre", "resource", "figure"],
            )?,
            unreadable: IntGaugeVec::new(
                opts("xiangyun_unreadable_objects", "Objects that do not parse"),
                &["kind"],
            )?,
        };
        registry.register(Box::new(metrics.swaps.clone()))?;
        registry.register(Box::new(metrics.writes.clone()))?;
        registry.register(Box::new(metrics.repairs.clone()))?;
        registry.register(Box::new(metrics.records.clone()))?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.pool.clone()))?;
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
        let mut by_reason: BTreeMap<&str, i64> = BTreeMap::new();
        for request in &snapshot.requests {
            let conditions = request
                .object
                .status
                .as_ref()
                .map(|s| s.conditions.as_slice())
                .unwrap_or_default();
            let reason = find_condition(conditions, condition::READY).map_or("Submitted", |c| c.reason.as_str());
            *by_reason.entry(reason).or_default() += 1;
        }
        self.requests.reset();
        for (reason, count) in by_reason {
            self.requests.with_label_values(&[reason]).set(count);
        }
        self.records
            .set(i64::try_from(snapshot.ledger.records.len()).unwrap_or(i64::MAX));
    }

    /// The six figures of a pool.
    pub(super) fn pool(&self, name: &str, figures: &Figures) {
        for centre in &figures.centres {
            let f = &centre.figures;
            let rows = [
                ("gross", &f.gross),
                ("reserved", &f.reserved),
                ("committable", &f.committable),
                ("charged", &f.charged),
                ("free", &f.free),
                ("used", &f.used),
            ];
            for (figure, amounts) in rows {
                self.amounts(name, &centre.name, figure, amounts);
            }
        }
    }

    fn amounts(&self, pool: &str, centre: &str, figure: &str, amounts: &Amounts) {
        let Ok(resources) = Resources::try_from(amounts) else {
            return;
        };
        for (resource, value) in resources.iter() {
            // A gauge is a float; figures up to 2^53 are exact, which is 9 PB in bytes.
            #[allow(clippy::cast_precision_loss, reason = "a gauge is a float by definition")]
            let value = value as f64;
            let value = if resource == "cpu" { value / 1000.0 } else { value };
            self.pool
                .with_label_values(&[pool, centre, resource, figure])
                .set(value);
        }
    }
}
