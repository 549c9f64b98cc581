//! What a centre asks its Prometheus, and what it makes of the answers: the 95th percentile of use by namespace.
//!
//! The names are those of the kubelets (cAdvisor): `container_cpu_usage_seconds_total`, `container_memory_working_set_bytes`.
//! Time in which none of a namespace's pods ran has no samples and does not count; a namespace without any pod in the
//! whole window has used nothing, but that is believed only where the centre's containers were seen all along.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CentreRow, MetricSource, PoolUse, ReclaimPolicy, Resources};
use jiff::SignedDuration;

use super::answer::{AnswerError, Series, read};
use super::catalogue::Catalogue;
use super::grant::Place;
use crate::pool::duration;

/// At most so many windows are asked for, the shortest first; more would be load without a use.
const MOST_WINDOWS: usize = 8;
/// Samples of a window; a longer one is looked at less finely.
const SAMPLES: i64 = 720;
/// Bounds of the step between two samples, and of the time over which a rate is taken, which needs some scrapes.
const STEP: (i64, i64) = (5, 3600);
const RATE: (i64, i64) = (60, 300);
/// Bounds of the time between two questions about a window: a hundredth of it.
const ASKED: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(5), SignedDuration::from_hours(1));
/// Per cent of a window's samples that must be there, and how many at the least.
const COVERED: i64 = 90;
const FEWEST: i64 = 3;

/// A window and how it is looked at, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    seconds: i64,
    step: i64,
    rate: i64,
    /// As the policies write it.
    pub name: String,
}

/// The windows of all policies.
pub fn windows<'a>(policies: impl IntoIterator<Item = &'a ReclaimPolicy>) -> Vec<Window> {
    let named: BTreeSet<&str> = policies.into_iter().map(|p| p.spec.window.as_str()).collect();
    let all: BTreeSet<Window> = named.into_iter().filter_map(Window::read).collect();
    all.into_iter().take(MOST_WINDOWS).collect()
}

/// Three questions about one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questions {
    /// vCPU by namespace.
    pub cpu: String,
    /// Bytes by namespace.
    pub memory: String,
    /// How many samples of the window have any container of the centre.
    pub samples: String,
}

/// The source's labels as matchers, each with a comma. They come from the platform team and are checked by the API server;
/// what could end a quoted text is escaped all the same.
pub(super) fn matchers(source: &MetricSource) -> String {
    let quoted = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"");
    let labels = source.match_labels.iter();
    let all: Vec<String> = labels.map(|(k, v)| format!("{k}=\"{}\",", quoted(&v.0))).collect();
    all.concat()
}

impl Window {
    /// A window as it is written; `None` where it cannot be read.
    pub(super) fn read(name: &str) -> Option<Self> {
        let seconds = duration(name).ok()?.as_secs();
        Some(Self {
            seconds,
            step: (seconds / SAMPLES).clamp(STEP.0, STEP.1),
            rate: (seconds / 6).clamp(RATE.0, RATE.1),
            name: name.to_owned(),
        })
    }

    pub(super) const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// How many samples of the window have any series of that selector.
    pub(super) fn samples(&self, select: &str) -> String {
        format!("count_over_time((count({select}))[{}s:{}s])", self.seconds, self.step)
    }

    /// What is asked of that source. Whoever scrapes a container twice is counted once.
    pub fn questions(&self, source: &MetricSource) -> Questions {
        let select = format!(
            "{{{}namespace!=\"\",container!=\"\",container!=\"POD\"}}",
            matchers(source)
        );
        let cpu = format!("rate(container_cpu_usage_seconds_total{select}[{}s])", self.rate);
        let memory = format!("container_memory_working_set_bytes{select}");
        let range = format!("[{}s:{}s]", self.seconds, self.step);
        let p95 = |each: &str| {
            format!("quantile_over_time(0.95,(sum by (namespace) (max by (namespace,pod,container) ({each}))){range})")
        };
        Questions {
            cpu: p95(&cpu),
            memory: p95(&memory),
            samples: self.samples(&memory),
        }
    }

    /// How long until it is asked again.
    pub fn pause(&self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds / 100).clamp(ASKED.0, ASKED.1)
    }

    /// How long an answer counts when none follows it.
    pub fn oldest(&self) -> SignedDuration {
        crate::reclaim::oldest(SignedDuration::from_secs(self.seconds))
    }

    /// Whether so many samples cover it.
    pub(super) fn covered(&self, samples: i64) -> bool {
        samples >= (self.seconds / self.step * COVERED / 100).max(FEWEST)
    }
}

/// Values by namespace, times `unit` and rounded up; what is no number is known to be unknown.
///
/// # Errors
/// It is no answer, or says that it failed.
pub fn values(answer: &[u8], unit: f64) -> Result<BTreeMap<String, Option<i128>>, AnswerError> {
    let value = |series: Series| {
        let namespace = series.metric.get("namespace").cloned().unwrap_or_default();
        (namespace, series.value(unit))
    };
    Ok(read(answer)?.into_iter().map(value).collect())
}

/// What is known about one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    cpu: BTreeMap<String, Option<i128>>,
    memory: BTreeMap<String, Option<i128>>,
}

impl Measured {
    /// From the three answers; nothing while the window is not covered.
    ///
    /// # Errors
    /// One of them says nothing.
    pub fn read(window: &Window, cpu: &[u8], memory: &[u8], samples: &[u8]) -> Result<Option<Self>, AnswerError> {
        let seen = values(samples, 1.0)?.into_values().flatten().next().unwrap_or(0);
        let measured = Self {
            cpu: values(cpu, 1000.0)?,
            memory: values(memory, 1.0)?,
        };
        let seen = i64::try_from(seen).unwrap_or(i64::MAX);
        Ok(window.covered(seen).then_some(measured))
    }

    /// What the pods of a namespace used. Without any series it is nothing; a series of one sort only is not understood.
    fn of(&self, namespace: &str) -> Option<Resources> {
        match (self.cpu.get(namespace), self.memory.get(namespace)) {
            (None, None) => Some(Resources::ZERO),
            (Some(Some(cpu)), Some(Some(memory))) => Some(Resources {
                cpu: *cpu,
                memory: *memory,
                ..Resources::ZERO
            }),
            _ => None,
        }
    }
}

/// What is known, by window.
pub type Usage = BTreeMap<String, Measured>;

/// What a row says of a place: nothing of pools without vCPU, of cards, and of a namespace whose pods run on another pool.
pub fn of_place(usage: &Usage, place: &Place, pool: Option<&str>, catalogue: &Catalogue) -> Vec<PoolUse> {
    let measurable = catalogue
        .get(&place.pool)
        .is_some_and(|f| f.is_compute() && f.card.is_none());
    if !measurable || pool != Some(place.pool.as_str()) {
        return Vec::new();
    }
    let one = |(window, measured): (&String, &Measured)| {
        Some(PoolUse {
            pool: place.pool.clone(),
            window: window.clone(),
            p95: measured.of(&place.namespace)?.to_amounts(),
        })
    };
    usage.iter().filter_map(one).collect()
}

/// A figure that moved is reported this often at the most: a tenth of the shortest window of both rows. What became known,
/// or unknown, is reported at once.
pub fn every(new: &CentreRow, old: &CentreRow) -> SignedDuration {
    let names = |row: &CentreRow| -> BTreeSet<(String, String)> {
        row.utilization
            .iter()
            .map(|u| (u.pool.clone(), u.window.clone()))
            .collect()
    };
    if names(new) != names(old) {
        return SignedDuration::ZERO;
    }
    let spans = new.utilization.iter().filter_map(|u| duration(&u.window).ok());
    spans
        .min()
        .map_or(SignedDuration::ZERO, |span| (span / 10).clamp(ASKED.0, ASKED.1))
}

/// Whether a row with `new` says something else than one with `old`: other windows, or a figure that moved by more than a
/// tenth. Less than a tenth of a vCPU or of a GiB is no news.
pub fn differs(old: &[PoolUse], new: &[PoolUse]) -> bool {
    let key = |u: &PoolUse| (u.pool.clone(), u.window.clone());
    let figures = |all: &[PoolUse]| -> BTreeMap<_, _> {
        all.iter()
            .map(|u| (key(u), Resources::try_from(&u.p95).unwrap_or_default()))
            .collect()
    };
    let (old, new) = (figures(old), figures(new));
    let moved = |a: i128, b: i128, least: i128| (a - b).abs() > (a.max(b) / 10).max(least);
    !old.keys().eq(new.keys())
        || old
            .values()
            .zip(new.values())
            .any(|(a, b)| moved(a.cpu, b.cpu, 100) || moved(a.memory, b.memory, (1 << 30) / 10))
}

#[cfg(test)]
#[path = "usage/tests.rs"]
mod tests;
