//! The centre's rights to run exclusive placements: a thread of its own beats for the centre, keeps the record, stops what
//! may no longer run, acknowledges, answers the gates, and says who else is silent. The loops of the process ask here what
//! may run; nothing that they compute delays a beat.

mod beats;
mod fencing;
mod observing;
mod permits;
mod pods;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arbiter::agent::{Agent, Barred};
use crds::{RightEpoch, placement_reason as reason};
use plan::placement::exclusive::Held;
use tokio::sync::{Notify, oneshot, watch};

use crate::lease::Leads;
use crate::quorum::{Config, boot, on_own_thread};

pub use record::{Unknown as RecordUnknown, read_record};

/// The arbiter was restored, and not begun anew.
const COPIED: &str = "the arbiter's store was restored from a copy and not begun anew (StoreCopied): run `xiangyun arbiter restore` | 仲裁存储恢复自副本，请执行 `xiangyun arbiter restore`";
/// A gate that has not asked for so long is not counted on.
const GATE_SEEN: Duration = Duration::from_secs(5);

/// What the thread needs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the arbiter is.
    pub config: Config,
    /// Where the gates of the nodes ask; without it there are none.
    pub permits: Option<SocketAddr>,
    /// Kubeconfig of the centre's cluster: the thread has a client of its own.
    pub kubeconfig: Option<PathBuf>,
}

/// What the thread knows, and what it is asked to do.
#[derive(Debug, Default)]
struct Known {
    /// `None` while this process does not lead.
    agent: Option<Agent>,
    /// Leadership to which that agent belongs.
    epoch: i64,
    /// Whether that agent beats for the place.
    claimed: bool,
    /// When a beat was last sent that was answered: no right was lost unnoticed before.
    sure: Duration,
    /// When a beat was last sent that was answered, or given up.
    asked: Duration,
    /// What answers is a copy of the arbiter's store, which counts for nothing.
    copied: bool,
    /// When each gate asked last, and whether its fence stood.
    gates: BTreeMap<String, (Duration, bool)>,
    /// When a permit of a scope was last answered; of one that is missing when this process began to lead.
    answered: BTreeMap<String, Duration>,
    /// Objects of exclusive placements that must be known to the record before they are made.
    guarded: BTreeSet<String>,
    /// Those that it knows.
    guards: BTreeSet<String>,
}

/// The centre's rights, as every loop sees them.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    centre: String,
    known: Arc<Mutex<Known>>,
    leads: watch::Receiver<Leads>,
    gated: bool,
    /// How long a right lasts after the beat that it came with.
    left: Duration,
}

impl Rights {
    /// Starts the thread; `changed` is notified when what may run is another. What is answered beside the handle ends
    /// when the thread does.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub(super) fn start(
        centre: &str,
        options: Options,
        leads: watch::Receiver<Leads>,
        changed: Arc<Notify>,
    ) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let rights = Self {
            centre: centre.to_owned(),
            known: Arc::default(),
            leads,
            gated: options.permits.is_some(),
            left: options.config.timing.left(),
        };
        let handle = rights.clone();
        let ended = on_own_thread("rights", move || beats::run(handle, options, changed))?;
        Ok((rights, ended))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leads(&self) -> Leads {
        *self.leads.borrow()
    }

    /// Whether it is not known what may run, so that nothing is stopped for it. Without the lease it is the next leader that
    /// stops. A right that was held before outlives the process, or the connection, until its own deadline. Nobody asked for
    /// as long as a right lasts: this process slept, and the next beat tells; gates were closed meanwhile all the same.
    fn waits(&self, known: &Known, now: Duration) -> bool {
        let leads = self.leads();
        let heard = known.claimed && known.epoch == leads.epoch;
        let slept = self.gated && now >= known.asked + self.left;
        leads.until <= now
            || if heard {
                slept
            } else {
                now < known.sure.max(leads.since) + self.left
            }
    }

    /// Whether exclusive pods run on nodes with a gate alone.
    pub(super) fn gated(&self) -> bool {
        self.gated
    }

    /// What may be done with each of these scopes now.
    pub(super) fn held<'a>(
        &self,
        scopes: impl Iterator<Item = &'a (String, String)>,
    ) -> BTreeMap<(String, String), Held> {
        let (known, leads, now) = (self.known(), self.leads(), boot());
        let (until, waits) = (leads.until, self.waits(&known, now));
        let agent = known.agent.as_ref().filter(|_| known.epoch == leads.epoch && !waits);
        let held = |key: &(String, String)| {
            let scope = scope(key);
            let Some(agent) = agent else {
                let message = "the centre is not heard by the arbiter yet | 尚未与仲裁建立联系".to_owned();
                return Held {
                    unknown: waits,
                    why: Some((reason::NO_RIGHT, message)),
                    ..Held::default()
                };
            };
            let right = agent.right(&scope, now, until);
            let new = agent.row(&scope).is_none() && !agent.stored().scopes.contains_key(&scope);
            Held {
                epoch: epoch(right.map_or_else(|| agent.floor(&scope), |r| r.epoch)),
                runs: right.is_some(),
                // Nobody was ever granted it: what ran before there was an arbiter runs on.
                unknown: new,
                why: right.is_none().then(|| {
                    let copied = known.copied.then(|| (reason::FENCED, COPIED.to_owned()));
                    copied.unwrap_or_else(|| why(agent, &scope))
                }),
            }
        };
        scopes.map(|key| (key.clone(), held(key))).collect()
    }

    /// Objects that are about to be made: the record names them, so that nobody scales them by hand. Answers those that
    /// it names already.
    pub(super) fn guard(&self, objects: BTreeSet<String>) -> BTreeSet<String> {
        let mut known = self.known();
        known.guarded = objects;
        known.guards.clone()
    }

    /// Nodes whose gate asked a moment ago and said that its fence stands.
    pub(super) fn gates(&self) -> BTreeSet<String> {
        let (known, now) = (self.known(), boot());
        let ready = known
            .gates
            .iter()
            .filter(|(_, (at, ready))| *ready && now.saturating_sub(*at) < GATE_SEEN);
        ready.map(|(node, _)| node.clone()).collect()
    }
}

/// The scope of a placement.
pub(super) fn scope((namespace, placement): &(String, String)) -> String {
    format!("{namespace}/{placement}")
}

/// The arbiter's epoch as the API writes it.
pub(super) fn epoch(epoch: arbiter::row::Epoch) -> RightEpoch {
    let arbiter::row::Epoch { incarnation, counter } = epoch;
    RightEpoch { incarnation, counter }
}

/// Why a scope may not run here.
fn why(agent: &Agent, scope: &str) -> (&'static str, String) {
    let words = match agent.barred() {
        Some(Barred::IncarnationFork) => {
            "two lives of the arbiter have one number (IncarnationFork): nothing exclusive runs; restore it anew | 仲裁存在两个同号实例，独占部署不运行，请重新恢复"
        }
        Some(Barred::SessionLost) => "another agent beats for this centre | 另有代理代表本中心",
        None if agent.restored() => {
            "the centre's record is older than what its gates remember (CentreRestored): it waits for the arbiter | 中心记录早于闸门所记，等待仲裁确认"
        }
        None => {
            let row = agent.row(scope);
            let holder = row.and_then(|row| row.holder.clone());
            return match (row, holder) {
                (None, _) => (
                    reason::NO_RIGHT,
                    "the arbiter has not granted it yet | 仲裁尚未授权".to_owned(),
                ),
                (Some(row), Some(holder)) if !row.lets(agent.place()) => {
                    let at = row.epoch;
                    (
                        reason::NO_RIGHT,
                        format!("{holder} runs it under epoch {at} | 由 {holder} 运行，epoch {at}"),
                    )
                }
                (Some(row), None) => {
                    let at = row.epoch;
                    (
                        reason::FENCED,
                        format!(
                            "nobody may run it at epoch {at} until it is proven silent | epoch {at} 下均不得运行，待确认原侧停止"
                        ),
                    )
                }
                (Some(row), Some(_)) => {
                    let at = row.epoch;
                    (
                        reason::FENCED,
                        format!(
                            "the right of epoch {at} ran out: the arbiter was not heard in time | epoch {at} 的独占权已到期：未及时收到仲裁应答"
                        ),
                    )
                }
            };
        }
    };
    (reason::FENCED, words.to_owned())
}
