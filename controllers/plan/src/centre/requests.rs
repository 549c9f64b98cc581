//! What requests the Services of a centre get: one question about all of them, and what a row says of the answer.

use std::collections::BTreeMap;

use crds::{Amount, MetricSource, ServiceRow};
use jiff::SignedDuration;

use super::answer::{AnswerError, read};
use super::usage::{Window, matchers};

/// Before a label that the scrape has a label of its own for (`honor_labels: false`, the default of Prometheus).
const EXPORTED: &str = "exported_";
/// Bounds of the time between two questions: a tenth of the window.
const ASKED: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(5), SignedDuration::from_mins(1));
/// A figure that moved by less, in thousandths of a request a second, is no news.
const LEAST: i128 = 100;
/// A figure that moved is told this often at the most: with a thousand placements in two centres seven writes a second.
pub const FIGURES: SignedDuration = SignedDuration::from_mins(5);

/// What a source is asked, and how its answer is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    window: Window,
    namespace: String,
    service: String,
    /// Requests a second by namespace and service.
    pub rates: String,
    /// How many samples of the window have what counts them.
    pub samples: String,
}

impl Question {
    /// About every Service of the centre; `None` where its window cannot be read.
    pub fn new(source: &MetricSource) -> Option<Self> {
        let counter = &source.requests;
        let window = Window::read(&counter.window)?;
        let select = format!("{{{}}}", matchers(source));
        let (namespace, service) = (counter.namespace_label.clone(), counter.service_label.clone());
        let by = format!("{namespace},{service},{EXPORTED}{namespace},{EXPORTED}{service}");
        let series = &counter.series;
        let rates = format!("sum by ({by}) (rate({series}{select}[{}s]))", window.seconds());
        let alive = counter.alive.as_ref().unwrap_or(series);
        let samples = window.samples(&format!("{alive}{select}"));
        Some(Self {
            window,
            namespace,
            service,
            rates,
            samples,
        })
    }

    /// How long until it is asked again.
    pub fn pause(&self) -> SignedDuration {
        SignedDuration::from_secs(self.window.seconds() / 10).clamp(ASKED.0, ASKED.1)
    }

    /// How long an answer counts when none follows it: after a whole window nothing of what it speaks of is left.
    pub fn oldest(&self) -> SignedDuration {
        SignedDuration::from_secs(self.window.seconds())
    }

    /// A label of a series, as whoever counts wrote it.
    fn label(labels: &BTreeMap<String, String>, name: &str) -> Option<String> {
        let exported = labels.get(&format!("{EXPORTED}{name}")).filter(|v| !v.is_empty());
        exported.or_else(|| labels.get(name).filter(|v| !v.is_empty())).cloned()
    }
}

/// Thousandths of a request a second by namespace and Service; one that is no number is known to be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<(String, String), Option<i128>>);

impl Requests {
    /// From the two answers. Nothing while the window is not covered, and where requests are counted of which none names a
    /// Service: then the labels are others.
    ///
    /// # Errors
    /// One of them says nothing.
    pub fn read(question: &Question, rates: &[u8], samples: &[u8]) -> Result<Option<Self>, AnswerError> {
        let seen = read(samples)?.first().and_then(|s| s.value(1.0)).unwrap_or(0);
        let seen = i64::try_from(seen).unwrap_or(i64::MAX);
        let (mut all, mut nameless) = (BTreeMap::new(), false);
        for one in read(rates)? {
            let label = |name| Question::label(&one.metric, name);
            let (Some(namespace), Some(service)) = (label(&question.namespace), label(&question.service)) else {
                nameless |= one.value(1000.0) != Some(0);
                continue;
            };
            let sum = all.entry((namespace, service)).or_insert(Some(0));
            *sum = sum.zip(one.value(1000.0)).map(|(a, b): (i128, i128)| a + b);
        }
        let understood = !(nameless && all.is_empty());
        Ok((question.window.covered(seen) && understood).then_some(Self(all)))
    }

    /// Of one Service: one without a series had none.
    fn of(&self, service: &(String, String)) -> Option<i128> {
        self.0.get(service).copied().unwrap_or(Some(0))
    }
}

/// What an agent knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Nobody has asked yet; what was told before stands.
    #[default]
    NotAsked,
    /// No source, no answer, or one that is too old or covers too little.
    Nothing,
    /// What was answered.
    Of(Requests),
}

impl Known {
    /// What the row says of a Service: what it said before, unless that moved by more than a tenth, to nothing, or from it.
    pub fn told(&self, service: &(String, String), before: Option<&Amount>) -> Option<Amount> {
        let new = match self {
            Self::NotAsked => return before.cloned(),
            Self::Nothing => return None,
            Self::Of(requests) => requests.of(service)?,
        };
        let near = |old: &&Amount| thousandths(old).is_some_and(|old| !moved(old, new));
        Some(before.filter(near).cloned().unwrap_or_else(|| spelled(new)))
    }
}

fn moved(old: i128, new: i128) -> bool {
    (old == 0) != (new == 0) || (old - new).abs() > (old.max(new) / 10).max(LEAST)
}

/// Thousandths of a request a second; `None` where it is no number.
pub fn thousandths(rate: &Amount) -> Option<i128> {
    // Thousandths are to the parser what vCPU are counted in.
    rate.parse("cpu").ok()
}

/// As people write it: `12.4`.
fn spelled(thousandths: i128) -> Amount {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    Amount(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// Whether two lists say the same but for figures that moved: nothing became known or unknown, nothing began or ended.
pub fn only_moved(old: &[ServiceRow], new: &[ServiceRow]) -> bool {
    let sort = |row: &ServiceRow| row.requests_per_second.as_ref().map(|r| thousandths(r) == Some(0));
    let same = |(a, b): (&ServiceRow, &ServiceRow)| (&a.name, a.ready, sort(a)) == (&b.name, b.ready, sort(b));
    old.len() == new.len() && old.iter().zip(new).all(same)
}

#[cfg(test)]
#[path = "requests/tests.rs"]
mod tests;
