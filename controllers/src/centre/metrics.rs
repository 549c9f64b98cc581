//! Figures of an agent. Labels come from closed sets: kinds and outcomes.

use crds::TemplateKind;
use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

/// What a metric source is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    /// What pods use.
    Use,
    /// What requests Services get.
    Requests,
}

impl About {
    const fn word(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Requests => "requests",
        }
    }
}

/// Metrics of an agent.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    reports: IntCounterVec,
    writes: IntCounterVec,
    corrected: IntCounterVec,
    reported: Gauge,
    reachable: IntGauge,
    epoch: IntGauge,
    held: IntGauge,
    asked: IntCounterVec,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new;
        let metrics = Self {
            reports: IntCounterVec::new(
                opts("xiangyun_agent_reports_total", "Reports of the centre by outcome"),
                &["outcome"],
            )?,
            writes: IntCounterVec::new(
                opts(
                    "xiangyun_agent_writes_total",
                    "Objects written, and rows in the hub, by kind and outcome",
                ),
                &["kind", "outcome"],
            )?,
            corrected: IntCounterVec::new(
                opts(
                    "xiangyun_agent_drift_corrected_total",
                    "Objects of placements that somebody changed in the centre and that were put right, by kind",
                ),
                &["kind"],
            )?,
            reported: Gauge::with_opts(opts(
                "xiangyun_agent_last_report_timestamp_seconds",
                "Time of the last report that the hub took",
            ))?,
            reachable: IntGauge::with_opts(opts(
                "xiangyun_agent_hub_reachable",
                "1 when the last call to the hub was answered",
            ))?,
            epoch: IntGauge::with_opts(opts("xiangyun_agent_epoch", "Highest epoch seen"))?,
            held: IntGauge::with_opts(opts(
                "xiangyun_agent_held_namespaces",
                "Namespaces that stay as they are until the hub is understood",
            ))?,
            asked: IntCounterVec::new(
                opts(
                    "xiangyun_agent_metric_questions_total",
                    "Windows of use, or requests, that the centre's metric source was asked about, by outcome",
                ),
                &["about", "outcome"],
            )?,
        };
        // A series that starts at its first failure shows no increase.
        for done in [true, false] {
            for about in [About::Use, About::Requests] {
                metrics.asked.with_label_values(&[about.word(), outcome(done)]);
            }
        }
        for kind in TemplateKind::ALL.iter().map(TemplateKind::label).chain(["custom"]) {
            metrics.corrected.with_label_values(&[kind]);
        }
        for counters in [&metrics.reports, &metrics.writes, &metrics.corrected, &metrics.asked] {
            registry.register(Box::new(counters.clone()))?;
        }
        registry.register(Box::new(metrics.reported.clone()))?;
        registry.register(Box::new(metrics.reachable.clone()))?;
        registry.register(Box::new(metrics.epoch.clone()))?;
        registry.register(Box::new(metrics.held.clone()))?;
        Ok(metrics)
    }

    pub(super) fn report(&self, now: jiff::Timestamp, done: bool) {
        self.reports.with_label_values(&[outcome(done)]).inc();
        self.reachable.set(done.into());
        if done {
            self.reported.set(now.as_duration().as_secs_f64());
        }
    }

    pub(super) fn write(&self, kind: &'static str, done: bool) {
        self.writes.with_label_values(&[kind, outcome(done)]).inc();
    }

    pub(super) fn corrected(&self, kind: &'static str) {
        self.corrected.with_label_values(&[kind]).inc();
    }

    pub(super) fn asked(&self, about: About, done: bool) {
        self.asked.with_label_values(&[about.word(), outcome(done)]).inc();
    }

    pub(super) fn epoch(&self, epoch: i64) {
        self.epoch.set(epoch);
    }

    pub(super) fn held(&self, count: usize) {
        self.held.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

const fn outcome(done: bool) -> &'static str {
    if done { "done" } else { "failed" }
}
