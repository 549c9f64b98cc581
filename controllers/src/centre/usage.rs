//! What pods really use: the centre's own Prometheus is asked about each window of the policies, seldom and with a bound on
//! time and size. Whatever fails is unknown, never nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::{MetricSource, ResourceRequest};
use jiff::SignedDuration;
use plan::centre::usage::{Measured, Usage, Window, windows};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::metrics::{About, Metrics};
use super::observe::Caches;
use super::promql::{AskError, Prometheus};
use crate::call::CallError;

/// Without a source or a policy it is looked at again this soon; a change of either wakes it before.
const NOTHING_TO_ASK: Duration = Duration::from_secs(60);

/// What is known; `None` before anything was asked.
pub(super) type Known = Option<Arc<Usage>>;

/// What became of the questions about a window.
struct Asked {
    window: Window,
    /// When they were asked last, whatever came of it.
    at: Instant,
    /// The last good answer and its time.
    good: Option<(Instant, Option<Measured>)>,
}

/// The loop's state.
pub(super) struct Measurements {
    pub(super) centre: String,
    pub(super) caches: Caches,
    pub(super) known: watch::Sender<Known>,
    pub(super) decided: Arc<Notify>,
    pub(super) metrics: Metrics,
    pub(super) source: Option<(MetricSource, Prometheus)>,
    pub(super) asked: Asks,
}

/// By window.
#[derive(Default)]
pub(super) struct Asks(BTreeMap<String, Asked>);

impl Measurements {
    /// Asks what is due. Answers when it wants to be called again.
    pub(super) async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let own = self.caches.centre_of(&self.centre);
        let source = own.as_ref().and_then(|c| c.spec.metric_sources.first());
        if self.source.as_ref().map(|(s, _)| s) != source {
            // Another source is another truth.
            self.asked.0.clear();
            self.source = source.and_then(|s| Some((s.clone(), Prometheus::new(s)?)));
        }
        // Without any grant nobody would read the answer.
        let wanted = match &self.source {
            Some(_) if self.caches.requests.shared().iter().any(|r| holds(r)) => windows(&self.caches.policies.list()),
            _ => Vec::new(),
        };
        self.asked
            .0
            .retain(|name, asked| wanted.iter().any(|w| w.name == *name && *w == asked.window));
        let mut again = NOTHING_TO_ASK;
        for window in wanted {
            let pause = Duration::try_from(window.pause()).unwrap_or(NOTHING_TO_ASK);
            let left = self
                .asked
                .0
                .get(&window.name)
                .map(|a| pause.saturating_sub(a.at.elapsed()));
            if let Some(left) = left.filter(|l| !l.is_zero()) {
                again = again.min(left);
                continue;
            }
            self.ask(window).await;
            again = again.min(pause);
        }
        self.tell();
        Ok(Some(again))
    }

    async fn ask(&mut self, window: Window) {
        let Some((source, prometheus)) = &mut self.source else {
            return;
        };
        let answer = about(prometheus, source, &window).await;
        self.metrics.asked(About::Use, answer.is_ok());
        if let Err(error) = &answer {
            tracing::warn!(window = window.name, %error, "use is not known");
        }
        let now = Instant::now();
        let before = self.asked.0.remove(&window.name).and_then(|a| a.good);
        let good = match answer {
            Ok(measured) => Some((now, measured)),
            Err(_) => before,
        };
        let name = window.name.clone();
        self.asked.0.insert(name, Asked { window, at: now, good });
    }

    /// What counts now goes to the rows.
    fn tell(&self) {
        let counts = |asked: &Asked| {
            let (at, measured) = asked.good.as_ref()?;
            let age = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
            measured.clone().filter(|_| age <= asked.window.oldest())
        };
        let found = self
            .asked
            .0
            .iter()
            .filter_map(|(name, a)| Some((name.clone(), counts(a)?)));
        let found: Usage = found.collect();
        let news = self.known.send_if_modified(|known| {
            let news = known.as_deref() != Some(&found);
            if news {
                *known = Some(Arc::new(found));
            }
            news
        });
        if news {
            self.decided.notify_one();
        }
    }
}

fn holds(request: &ResourceRequest) -> bool {
    let allocation = request.status.as_ref().and_then(|s| s.allocation.as_ref());
    allocation.is_some_and(|a| a.ended.is_none() && !a.pools.is_empty())
}

async fn about(
    prometheus: &mut Prometheus,
    source: &MetricSource,
    window: &Window,
) -> Result<Option<Measured>, AskError> {
    let questions = window.questions(source);
    let cpu = prometheus.ask(&questions.cpu).await?;
    let memory = prometheus.ask(&questions.memory).await?;
    let samples = prometheus.ask(&questions.samples).await?;
    Ok(Measured::read(window, &cpu, &memory, &samples)?)
}
