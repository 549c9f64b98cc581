//! What the gate counts. Label values are closed lists; no scope, pod or address is one.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::ready::Fault;

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer was carried out.
    Answered,
    /// No agent answered; nothing was extended.
    Unanswered,
    /// The table or what was held is not in order; nothing was extended.
    Shut,
    /// Some permits were not written: a ticket or a permit had run out, or nft failed.
    Unwritten,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Answered, Self::Unanswered, Self::Shut, Self::Unwritten];

    const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::Shut => "shut",
            Self::Unwritten => "unwritten",
        }
    }
}

/// The metrics of a gate.
#[derive(Clone, Debug)]
pub struct Metrics {
    ready: IntGauge,
    pub(crate) permits: IntGauge,
    pub(crate) restored: IntCounter,
    rounds: IntCounterVec,
    refused: IntCounterVec,
    pub(crate) answer_seconds: Histogram,
}

impl Metrics {
    /// All of them at 0, in that registry.
    ///
    /// # Errors
    /// They are in it already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let opts = |name: &str, help: &str| Opts::new(name, help);
        let metrics = Self {
            ready: IntGauge::with_opts(opts("xiangyun_gate_ready", "Whether the fence of this node stands"))?,
            permits: IntGauge::with_opts(opts("xiangyun_gate_permits", "Addresses that may communicate"))?,
            restored: IntCounter::with_opts(opts(
                "xiangyun_gate_restored_total",
                "Times that the table was not ours and was restored closed",
            ))?,
            rounds: IntCounterVec::new(opts("xiangyun_gate_rounds_total", "Rounds by outcome"), &["outcome"])?,
            refused: IntCounterVec::new(
                opts(
                    "xiangyun_gate_refused_total",
                    "Pods without a permit in an answer, by reason",
                ),
                &["reason"],
            )?,
            answer_seconds: Histogram::with_opts(
                HistogramOpts::new("xiangyun_gate_answer_seconds", "How long agents took to answer")
                    .buckets(vec![0.005, 0.02, 0.1, 0.3, 0.6, 1.0, 1.5]),
            )?,
        };
        registry.register(Box::new(metrics.ready.clone()))?;
        registry.register(Box::new(metrics.permits.clone()))?;
        registry.register(Box::new(metrics.restored.clone()))?;
        registry.register(Box::new(metrics.rounds.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.answer_seconds.clone()))?;
        for outcome in Outcome::ALL {
            metrics.rounds.with_label_values(&[outcome.word()]).reset();
        }
        Ok(metrics)
    }

    pub(crate) fn round(&self, outcome: Outcome) {
        self.rounds.with_label_values(&[outcome.word()]).inc();
    }

    /// `reason` is a word of [`crate::plan::Refusal`].
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    pub(crate) fn ready(&self, fault: Option<Fault>) {
        self.ready.set(fault.is_none().into());
    }
}
