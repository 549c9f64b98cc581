//! The operator's voice in the arbiter, on a thread of its own: it looks all the time, and sends what it is given as long
//! as it is the one that decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arbiter::operator::{Operator, restored};
use arbiter::txn::Txn;
use arbiter::view::View;
use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::restore::life;
use super::{Config, Store, Unanswered, boot, on_own_thread};
use crate::clock::Clock;

/// Between two looks. A verdict takes seconds; this is what a move waits at most for each of its steps.
const LOOK: Duration = Duration::from_millis(400);
/// A look counts for so long: a few missed ones are no blindness.
const FRESH: Duration = Duration::from_secs(3);
/// Transactions that are sent at once.
const AT_ONCE: usize = 64;

/// What the arbiter's thread last saw. None of it counts once `fresh_until` has passed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The store.
    pub view: View,
    /// Places whose beat this operator saw silent, and of which two other places' observers say the same; with the
    /// revision of that beat.
    pub lost: BTreeMap<String, u64>,
    /// Places whose beat is silent while an observer finds their API server alive; with the revision of that beat.
    pub down: BTreeMap<String, u64>,
    /// When this process last saw the beat of a place change, by the wall clock.
    pub alive: BTreeMap<String, Timestamp>,
    /// Places whose beat this operator did not find silent.
    pub beating: Vec<String>,
    /// Whether this operator decides.
    pub decides: bool,
    /// By [`boot`].
    pub fresh_until: Duration,
}

impl Seen {
    /// Whether it counts at that time of [`boot`].
    pub fn is_fresh(&self, now: Duration) -> bool {
        now < self.fresh_until
    }
}

type Make = Box<dyn FnOnce(&Operator, Duration) -> Option<Txn> + Send>;
type Order = (Make, oneshot::Sender<Result<bool, Unanswered>>);

/// The handle of that thread.
#[derive(Clone, Debug)]
pub struct Deciding {
    seen: watch::Receiver<Arc<Seen>>,
    orders: mpsc::Sender<Order>,
    leads: Arc<watch::Sender<bool>>,
}

impl Deciding {
    /// Starts the thread of the operator in that place. What is answered beside the handle ends when the thread does.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn start(place: &str, config: Config, clock: Clock) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let (tell, seen) = watch::channel(Arc::new(Seen::default()));
        let (orders, ordered) = mpsc::channel(AT_ONCE);
        let (leads, leading) = watch::channel(false);
        let session = format!("{place}-{}", uuid::Uuid::new_v4().simple());
        let operator = Operator::new(place, &session, config.timing);
        let ended = on_own_thread("arbiter", move || async move {
            let store = match config.connect().await {
                Ok(store) => store,
                Err(error) => {
                    tracing::error!(%error, "no way to the arbiter");
                    return;
                }
            };
            let mut decider = Decider {
                session,
                operator,
                store,
                clock,
                beats: BTreeMap::new(),
                tell,
                leading,
            };
            decider.run(ordered).await;
        })?;
        let leads = Arc::new(leads);
        Ok((Self { seen, orders, leads }, ended))
    }

    /// What it sees; changes with every look.
    pub fn seen(&self) -> watch::Receiver<Arc<Seen>> {
        self.seen.clone()
    }

    /// Only the process that leads in the hub tries to decide.
    pub fn lead(&self, leads: bool) {
        self.leads.send_replace(leads);
    }

    /// Makes a transaction from the newest view and sends it; false where the view does not allow it, or something that
    /// it compares was no longer so.
    ///
    /// # Errors
    /// Nobody answered: it may land later, and the next look tells.
    pub async fn commit(
        &self,
        make: impl FnOnce(&Operator, Duration) -> Option<Txn> + Send + 'static,
    ) -> Result<bool, Unanswered> {
        let (answer, answered) = oneshot::channel();
        if self.orders.send((Box::new(make), answer)).await.is_err() {
            return Err(Unanswered::NoEndpoint);
        }
        answered.await.unwrap_or(Err(Unanswered::NoEndpoint))
    }
}

struct Decider {
    session: String,
    operator: Operator,
    store: Store,
    clock: Clock,
    /// Revision of each place's last beat, and when it was first seen.
    beats: BTreeMap<String, (u64, Timestamp)>,
    tell: watch::Sender<Arc<Seen>>,
    leading: watch::Receiver<bool>,
}

impl Decider {
    async fn run(&mut self, mut ordered: mpsc::Receiver<Order>) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut orders = Vec::new();
            tokio::select! {
                _ = looks.tick() => {}
                taken = ordered.recv_many(&mut orders, AT_ONCE) => {
                    if taken == 0 {
                        return;
                    }
                    self.send(orders).await;
                }
            }
            match self.look().await {
                Ok(()) => {}
                Err(error @ Unanswered::Copied { .. }) => tracing::error!(%error, "not seen"),
                Err(error) => tracing::debug!(%error, "not seen"),
            }
        }
    }

    /// Sends all of them at once, each made from the same view; of two about one scope only one can land.
    async fn send(&self, orders: Vec<Order>) {
        let now = boot();
        let sent = orders.into_iter().map(|(make, answer)| async move {
            let outcome = match make(&self.operator, now) {
                None => Ok(false),
                Some(txn) => self.store.commit(&txn).await.map(|a| a.outcome.succeeded),
            };
            // Whoever asked may have given up.
            drop(answer.send(outcome));
        });
        join_all(sent).await;
    }

    async fn look(&mut self) -> Result<(), Unanswered> {
        let answer = self.store.commit(&View::look()).await?;
        let view = View::of(&answer.outcome);
        let wall = self.clock.now();
        for (place, m) in &view.beats {
            let known = self.beats.entry(place.clone()).or_insert((*m, wall));
            if known.0 != *m {
                *known = (*m, wall);
            }
        }
        self.operator.read(view, answer.returned);
        if *self.leading.borrow() {
            self.lead(answer.store).await?;
        }
        let now = boot();
        let seen = self.sees(now, answer.returned + FRESH);
        self.tell.send_replace(Arc::new(seen));
        Ok(())
    }

    /// Begins the first life of the arbiter, and begins or goes on to decide.
    async fn lead(&self, store: u64) -> Result<(), Unanswered> {
        let view = self.operator.view();
        if view.incarnation.is_none() {
            for txn in restored(view, 0, life(1, store)) {
                let begun = self.store.commit(&txn).await?.outcome.succeeded;
                tracing::info!(begun, "the arbiter's first life");
            }
            return Ok(());
        }
        if let Some(txn) = self.operator.lead(boot()) {
            self.store.commit(&txn).await?;
        }
        Ok(())
    }

    fn sees(&self, now: Duration, fresh_until: Duration) -> Seen {
        let view = self.operator.view().clone();
        let silent = |place: &str| self.operator.observer().silent(place, now);
        let lost = view.beats.keys().filter_map(|place| {
            let m = silent(place)?;
            let others = view
                .verdicts
                .iter()
                .filter(|((observer, about), named)| observer != place && about == place && **named == m);
            (others.count() >= 2).then(|| (place.clone(), m))
        });
        let lost: BTreeMap<String, u64> = lost.collect();
        let down = view.beats.keys().filter_map(|place| {
            let m = silent(place)?;
            let says = view
                .downs
                .iter()
                .any(|((_, about), named)| about == place && *named == m);
            (says && !lost.contains_key(place)).then(|| (place.clone(), m))
        });
        Seen {
            down: down.collect(),
            lost,
            alive: self.beats.iter().map(|(place, (_, at))| (place.clone(), *at)).collect(),
            beating: view
                .beats
                .keys()
                .filter(|place| silent(place).is_none())
                .cloned()
                .collect(),
            decides: view
                .operator
                .as_ref()
                .is_some_and(|(session, _)| *session == self.session),
            fresh_until,
            view,
        }
    }
}
