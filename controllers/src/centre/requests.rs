//! What requests the centre's Services get: its own Prometheus is asked while a Service is placed, and the rows of placements
//! say it. Whatever fails is unknown, never nothing.

use std::sync::Arc;
use std::time::Duration;

use crds::MetricSource;
use jiff::SignedDuration;
use plan::centre::requests::{Known, Question, Requests};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::metrics::{About, Metrics};
use super::observe::Caches;
use super::placement::places_services;
use super::promql::{AskError, Prometheus};
use crate::call::CallError;

/// Without a source or a Service it is looked at again this soon; a change of either wakes it before.
const NOTHING_TO_ASK: Duration = Duration::from_secs(60);

/// A source, and what it is asked.
struct Source {
    spec: MetricSource,
    prometheus: Prometheus,
    question: Question,
    /// When it was asked last, whatever came of it.
    asked: Option<Instant>,
    /// The last good answer and its time.
    good: Option<(Instant, Option<Requests>)>,
}

impl Source {
    fn new(spec: &MetricSource) -> Option<Self> {
        Some(Self {
            spec: spec.clone(),
            prometheus: Prometheus::new(spec)?,
            question: Question::new(spec)?,
            asked: None,
            good: None,
        })
    }

    async fn ask(&mut self) -> Result<Option<Requests>, AskError> {
        let rates = self.prometheus.ask(&self.question.rates).await?;
        let samples = self.prometheus.ask(&self.question.samples).await?;
        Ok(Requests::read(&self.question, &rates, &samples)?)
    }

    fn known(&self) -> Known {
        let Some((at, requests)) = &self.good else {
            return Known::Nothing;
        };
        let age = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
        let fresh = requests.clone().filter(|_| age <= self.question.oldest());
        fresh.map_or(Known::Nothing, Known::Of)
    }
}

/// The loop's state.
pub(super) struct Counting {
    centre: String,
    caches: Caches,
    metrics: Metrics,
    known: watch::Sender<Arc<Known>>,
    decided: Arc<Notify>,
    source: Option<Source>,
}

impl Counting {
    pub(super) fn new(
        centre: String,
        (caches, metrics): (Caches, Metrics),
        (known, decided): (watch::Sender<Arc<Known>>, Arc<Notify>),
    ) -> Self {
        let source = None;
        Self {
            centre,
            caches,
            metrics,
            known,
            decided,
            source,
        }
    }

    /// Asks what is due. Answers when it wants to be called again.
    pub(super) async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let own = self.caches.centre_of(&self.centre);
        let wanted = own.as_ref().and_then(|c| c.spec.metric_sources.first());
        // Without any Service nobody would read the answer.
        let wanted = wanted.filter(|_| places_services(&self.caches.placements.shared()));
        if self.source.as_ref().map(|s| &s.spec) != wanted {
            // Another source is another truth.
            self.source = wanted.and_then(Source::new);
        }
        let again = match &mut self.source {
            Some(source) => {
                let pause = Duration::try_from(source.question.pause()).unwrap_or(NOTHING_TO_ASK);
                let left = source.asked.map(|at| pause.saturating_sub(at.elapsed()));
                if let Some(left) = left.filter(|left| !left.is_zero()) {
                    left
                } else {
                    ask(source, &self.metrics).await;
                    pause
                }
            }
            None => NOTHING_TO_ASK,
        };
        self.tell();
        Ok(Some(again))
    }

    /// What counts now goes to the rows.
    fn tell(&self) {
        let found = self.source.as_ref().map_or(Known::Nothing, Source::known);
        let news = self.known.send_if_modified(|known| {
            let news = **known != found;
            if news {
                *known = Arc::new(found);
            }
            news
        });
        if news {
            self.decided.notify_one();
        }
    }
}

async fn ask(source: &mut Source, metrics: &Metrics) {
    let answer = source.ask().await;
    metrics.asked(About::Requests, answer.is_ok());
    let now = Instant::now();
    source.asked = Some(now);
    match answer {
        Ok(requests) => source.good = Some((now, requests)),
        Err(error) => tracing::warn!(%error, "requests are not known"),
    }
}
