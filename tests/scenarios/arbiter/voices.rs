//! Who speaks to the arbiter, each from the network of its place.

use std::fs::read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ::arbiter::agent::{Agent, Right};
use ::arbiter::observer::Observer;
use ::arbiter::operator::Operator;
use ::arbiter::record::Record;
use ::arbiter::row::{Incarnation, Row};
use ::arbiter::timing::Timing;
use ::arbiter::txn::Txn;
use ::arbiter::view::View;
use anyhow::{Context as _, Result, bail};
use controllers::quorum::{Identity, Store, boot};
use playground::{Cloud, Options, Place, Profile, eventually};
use tokio::time::{Interval, interval};

pub(crate) const SCOPE: &str = "dept-rsj/exam";
/// Of the voices that only look.
const LOOK: Duration = Duration::from_millis(400);
/// A call that has to open its connection first may go unanswered; within this one is answered.
const ANSWERED: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) timing: Timing,
}

impl World {
    /// Three places with their share of the hub, without operators and agents of ours.
    pub(crate) async fn up() -> Result<Self> {
        let options = Options {
            profile: Profile::Full,
            nodes: Some(5),
            operators: false,
            ..Options::default()
        };
        let timing = Timing::default();
        timing.validate()?;
        let world = Self {
            cloud: Cloud::up(options).await?,
            timing,
        };
        // The first life of the arbiter.
        let life = Incarnation {
            number: 1,
            ..Incarnation::default()
        };
        let first = ::arbiter::operator::restored(&View::default(), 0, life).remove(0);
        let begun = world.at(Place::Jishi, async move |store| {
            // The one below is to land once and to be answered: by then there is a connection.
            eventually(ANSWERED, "the store answers", || async {
                store.commit(&View::look()).await.context("a look")
            })
            .await?;
            Ok(store.commit(&first).await?.outcome.succeeded)
        })?;
        anyhow::ensure!(ended(begun)?, "the arbiter had begun before");
        Ok(world)
    }

    /// Does something with the store on a thread of its own in a place.
    pub(crate) fn at<T: Send + 'static>(
        &self,
        place: Place,
        work: impl AsyncFnOnce(Store) -> Result<T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let (voters, timing) = (self.cloud.voters()?, self.timing);
        let [authority, certificate, key] = self.cloud.arbiter_files()?;
        let identity = Identity {
            authority: read(authority)?,
            certificate: read(certificate)?,
            key: read(key)?,
        };
        self.cloud.within(place, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move { work(Store::connect(&voters, &identity, &timing).await?).await })
        })
    }

    /// The row as a linearizable read from that place shows it.
    pub(crate) fn row(&self, from: Place) -> Result<Row> {
        let read = self.at(from, async |store| {
            eventually(ANSWERED, "the row is read", || async {
                Ok(View::of(&store.commit(&View::look()).await?.outcome))
            })
            .await
        })?;
        let (row, _) = ended(read)?.rows.remove(SCOPE).context("no row")?;
        Ok(row)
    }
}

/// What a thread came to.
pub(crate) fn ended<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(_) => bail!("a thread ended by a panic"),
    }
}

/// A voice that goes on until it is told to stop.
pub(crate) struct Voice<T> {
    stop: Arc<AtomicBool>,
    said: Arc<Mutex<T>>,
    thread: JoinHandle<Result<()>>,
}

impl<T: Clone> Voice<T> {
    pub(crate) fn said(&self) -> T {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        ended(self.thread)
    }
}

/// What an agent says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) right: Option<Right>,
    /// The latest deadline that it ever had.
    pub(crate) until: Duration,
    pub(crate) beats: u32,
    pub(crate) unanswered: u32,
    pub(crate) slowest: Duration,
}

/// An agent of a place: its beats, with a record that is stored at once and a lease that never ends.
pub(crate) fn agent(w: &World, place: Place) -> Result<Voice<Said>> {
    let (stop, said) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Said::default())));
    let (ending, saying, timing) = (Arc::clone(&stop), Arc::clone(&said), w.timing);
    let thread = w.at(place, async move |store| {
        let session = format!("{place}-{}", boot().as_nanos());
        let mut agent = Agent::new(&place.to_string(), &session, timing, Record::default(), false);
        let mut tries = interval(timing.call());
        // As the real one: until both are answered.
        while !ending.load(Ordering::Relaxed) {
            tries.tick().await;
            let Ok(seen) = store.commit(&agent.look()).await else {
                continue;
            };
            if let Ok(claimed) = store.commit(&agent.claim(&seen.outcome)).await {
                agent.answered(&claimed.outcome, claimed.sent);
                break;
            }
        }
        let mut rounds = interval(timing.beat());
        while !ending.load(Ordering::Relaxed) {
            rounds.tick().await;
            let answer = store.commit(&agent.beat()).await;
            if let Ok(answer) = &answer {
                agent.answered(&answer.outcome, answer.sent);
            }
            if let Some(record) = agent.to_record().cloned() {
                agent.recorded(record);
            }
            let right = agent.right(SCOPE, boot(), Duration::MAX);
            {
                let mut said = saying.lock().unwrap_or_else(PoisonError::into_inner);
                said.right = right;
                said.until = said.until.max(right.map_or(Duration::ZERO, |right| right.until));
                said.beats += u32::from(answer.is_ok());
                said.unanswered += u32::from(answer.is_err());
                said.slowest = said
                    .slowest
                    .max(answer.map_or(Duration::ZERO, |a| a.returned.saturating_sub(a.sent)));
            }
        }
        Ok(())
    })?;
    Ok(Voice { stop, said, thread })
}

/// The witness: it looks, and says whom it sees silent.
pub(crate) fn witness(w: &World) -> Result<Voice<()>> {
    let (stop, said) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(())));
    let (ending, timing) = (Arc::clone(&stop), w.timing);
    let thread = w.at(Place::Baicheng, async move |store| {
        let mut observer = Observer::new(&Place::Baicheng.to_string(), timing);
        let mut rounds = interval(LOOK);
        while !ending.load(Ordering::Relaxed) {
            rounds.tick().await;
            if let Ok(answer) = store.commit(&View::look()).await {
                observer.read(&View::of(&answer.outcome), answer.returned);
            }
            for place in [Place::Jishi, Place::Jiyidong] {
                if let Some(verdict) = observer.verdict(&place.to_string(), boot()) {
                    // One that has no answer is said again.
                    store.commit(&verdict).await.ok();
                }
            }
        }
        Ok(())
    })?;
    Ok(Voice { stop, said, thread })
}

/// An operator that decides, on its own thread with its own store.
pub(crate) struct Decider {
    pub(crate) operator: Operator,
    store: Store,
    pace: Interval,
}

impl Decider {
    pub(crate) fn new(place: Place, store: Store, timing: Timing) -> Self {
        let session = format!("operator-{place}-{}", boot().as_nanos());
        let operator = Operator::new(&place.to_string(), &session, timing);
        Self {
            operator,
            store,
            pace: interval(LOOK),
        }
    }

    /// Reads, and leads or goes on leading. What has no answer is tried again in the next round.
    pub(crate) async fn look(&mut self) -> Result<()> {
        self.pace.tick().await;
        if let Ok(answer) = self.store.commit(&View::look()).await {
            self.operator.read(View::of(&answer.outcome), answer.returned);
        }
        let verdicts =
            [Place::Jishi, Place::Jiyidong].map(|p| self.operator.observer().verdict(&p.to_string(), boot()));
        for txn in verdicts.into_iter().flatten().chain(self.operator.lead(boot())) {
            self.store.commit(&txn).await.ok();
        }
        Ok(())
    }

    /// Whether the transaction landed; `None` where nobody answered.
    pub(crate) async fn landed(&self, txn: &Txn) -> Option<bool> {
        self.store.commit(txn).await.ok().map(|answer| answer.outcome.succeeded)
    }

    /// Goes on until `decide` gives a transaction, and that lands.
    pub(crate) async fn until(&mut self, what: &str, decide: impl Fn(&Operator) -> Option<Txn>) -> Result<Duration> {
        let end = boot() + Duration::from_secs(60);
        while boot() < end {
            self.look().await?;
            let Some(txn) = decide(&self.operator) else { continue };
            let sent = boot();
            if self.landed(&txn).await == Some(true) {
                return Ok(sent);
            }
        }
        bail!(
            "{what}: not within a minute; {:?}",
            self.operator.view().rows.get(SCOPE)
        )
    }
}
