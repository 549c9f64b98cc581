//! The one loop behind every controller: wait for a change, make a pass over the whole state, try again after an error.
//!
//! A pass is level-triggered: it observes everything of its kind, so that a missed event costs time, not truth.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Timing of a loop.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// Changes that arrive within this time of the first one share a pass.
    pub gather: Duration,
    /// A pass is made at least this often.
    pub resync: Duration,
    /// First wait after an error; it doubles up to [`Rhythm::resync`].
    pub retry: Duration,
    /// Longest rest after a long pass.
    pub rest: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(50),
            resync: Duration::from_secs(30),
            retry: Duration::from_millis(200),
            rest: Duration::from_secs(1),
        }
    }
}

/// What a pass that did not fail came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It looked at everything. It wants to be called again then at the latest, if earlier than the resync.
    Whole(Option<Duration>),
    /// It decided nothing, because a list that it goes by is not complete. Whatever completes it asks for the next pass.
    Waiting,
}

impl Made {
    /// When the pass wants to be called again.
    const fn again(self) -> Option<Duration> {
        match self {
            Self::Whole(again) => again,
            Self::Waiting => None,
        }
    }

    /// As the figures count it.
    const fn label(self) -> &'static str {
        match self {
            Self::Whole(_) => "done",
            Self::Waiting => "waiting",
        }
    }
}

impl From<Option<Duration>> for Made {
    fn from(again: Option<Duration>) -> Self {
        Self::Whole(again)
    }
}

/// Figures of every loop of a process.
#[derive(Clone, Debug)]
pub struct Passes {
    total: IntCounterVec,
    seconds: HistogramVec,
}

impl Passes {
    /// Registers them.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let total = Opts::new("xiangyun_passes_total", "Passes of a controller by outcome");
        let total = IntCounterVec::new(total, &["controller", "outcome"])?;
        let seconds = HistogramOpts::new("xiangyun_pass_seconds", "Duration of a controller's passes");
        let seconds = HistogramVec::new(seconds, &["controller"])?;
        registry.register(Box::new(total.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { total, seconds })
    }

    fn count(&self, name: &'static str, took: Duration, outcome: &'static str) {
        self.total.with_label_values(&[name, outcome]).inc();
        self.seconds.with_label_values(&[name]).observe(took.as_secs_f64());
    }
}

/// Under a stream of changes passes begin this far apart: each of them looks at everything.
const INTERVAL: Duration = Duration::from_millis(200);

/// Few of something are told at once; many, or what is about to change again, gather for a while.
#[derive(Debug, Default)]
pub struct Crowd {
    since: Option<Instant>,
}

impl Crowd {
    /// How long they still wait; `None`: they are told now. The wait counts from the first that had to.
    pub fn waits(&mut self, crowded: bool, longest: Duration) -> Option<Duration> {
        let since = self.since.take().filter(|_| crowded);
        let since = crowded.then(|| since.unwrap_or_else(Instant::now))?;
        let left = longest.saturating_sub(since.elapsed());
        self.since = (!left.is_zero()).then_some(since);
        self.since.map(|_| left)
    }
}

/// Calls `pass` until `stop`. A pass answers what it came to, or when it wants to be called again: see [`Made`].
/// An error is logged once and retried with growing waits; it never ends the loop.
///
/// A change after some quiet is answered at once. Under a stream of changes passes begin [`INTERVAL`] apart, and after a
/// long one the loop rests as long as it took, but never longer than the pass itself asked for.
pub async fn drive<A: Into<Made>, E: Display>(
    name: &'static str,
    rhythm: Rhythm,
    passes: &Passes,
    changed: Arc<Notify>,
    stop: CancellationToken,
    mut pass: impl AsyncFnMut() -> Result<A, E>,
) {
    let mut failures = 0u32;
    loop {
        let begin = Instant::now();
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = pass() => outcome.map(Into::<Made>::into),
        };
        let took = begin.elapsed();
        passes.count(name, took, outcome.as_ref().map_or("failed", |made| made.label()));
        let wait = match outcome {
            Ok(made) => {
                failures = 0;
                made.again().unwrap_or(rhythm.resync).min(rhythm.resync)
            }
            Err(error) => {
                tracing::warn!(controller = name, %error, failures, "pass failed");
                failures = failures.saturating_add(1);
                rhythm.retry.saturating_mul(1 << failures.min(10)).min(rhythm.resync)
            }
        };
        let end = Instant::now();
        let (deadline, earliest) = (end + wait, (begin + INTERVAL).max(end + took.min(rhythm.rest)));
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(deadline) => {}
            () = changed.notified(), if failures == 0 => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep_until((Instant::now() + rhythm.gather).max(earliest).min(deadline)) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pass that saw half of everything is no proof of what passes do.
    #[tokio::test]
    async fn a_pass_that_waits_for_a_list_is_not_done() {
        let registry = Registry::new();
        let passes = Passes::new(&registry).unwrap();
        let (changed, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let mut left = [Ok(Made::Waiting), Err("no"), Ok(Made::Whole(None))].into_iter();
        let rhythm = Rhythm {
            resync: Duration::ZERO,
            ..Rhythm::default()
        };
        let pass = async || {
            let Some(made) = left.next() else {
                stop.cancel();
                return std::future::pending().await;
            };
            made
        };
        drive("test", rhythm, &passes, changed, stop.clone(), pass).await;
        let counted = |outcome| passes.total.with_label_values(&["test", outcome]).get();
        assert_eq!(["waiting", "failed", "done"].map(counted), [1, 1, 1]);
    }

    #[test]
    fn many_wait_and_few_do_not() {
        let (long, none) = (Duration::from_secs(3600), Duration::ZERO);
        let mut crowd = Crowd::default();
        assert_eq!(crowd.waits(false, long), None);
        let first = crowd.waits(true, long);
        assert!(first.is_some_and(|left| left > none));
        // The wait goes on from the first, and whoever is told begins anew.
        assert!(crowd.waits(true, long) <= first);
        assert_eq!(crowd.waits(true, none), None);
        assert!(crowd.waits(true, long).is_some());
        assert_eq!(crowd.waits(false, long), None);
    }
}
