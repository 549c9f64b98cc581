//! Moves of placements between centres: what the arbiter says of the centres is written down, moves that must exist are
//! made, and each of them is taken one step further. What is decided stands in [`plan::failover`].

mod apply;
mod figures;
mod observe;
mod orders;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arbiter::timing::Timing;
use crds::{DualActivePlacement, Failover, FailoverApproval, FailoverPhase, PlacementMode, QuotaPool, WitnessState};
use futures::future::select_all;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::failover::approvals::{Outcome, count};
use plan::failover::facts::{Arbiter, Known, key};
use tokio::sync::Notify;

pub use figures::Figures;
pub use observe::{Sight, watch};

use crate::cache::{Cache, NotReady};
use crate::call::CallError;
use crate::clock::Clock;
use crate::events::Events;
use crate::fail_point::FailPoints;
use crate::operator::Common;
use crate::pass::{Rhythm, drive};

/// Writes under way at once.
const AT_ONCE: usize = 16;
/// Moves that take something from one side and give it to another, at the same time: few enough that the critical ones are
/// through first, and so many that a thousand do not wait for each other's last look, which takes a second.
const MOVES_AT_ONCE: usize = 200;
/// How often beats are looked at while all is calm, and while it is not.
const CALM: Duration = Duration::from_secs(2);
const BUSY: Duration = Duration::from_millis(500);

struct Controller {
    client: Client,
    events: Events,
    clock: Clock,
    figures: Figures,
    sight: Sight,
    words: Cache<FailoverApproval>,
    pools: Cache<QuotaPool>,
    restored: orders::Restored,
    fail_points: FailPoints,
}

/// Placements by namespace and name.
type Placements = BTreeMap<(String, String), Arc<DualActivePlacement>>;
/// What people said about each move, by namespace and name.
type Said = BTreeMap<(String, String), Outcome>;

/// Runs until it is stopped. `sight` tells `changed` of what is new.
///
/// # Errors
/// A cache that never filled.
pub async fn run(
    common: Common,
    sight: Sight,
    changed: Arc<Notify>,
    figures: Figures,
    (timing, fail_points): (Timing, FailPoints),
) -> Result<(), NotReady> {
    let Common {
        client,
        events,
        clock,
        passes,
        stop,
    } = common;
    let (words, words_task) = Cache::start(client.clone(), Config::default(), Arc::clone(&changed));
    // Figures of pools change all the time; they are looked at anyway.
    let (pools, pools_task) = Cache::start(client.clone(), Config::default(), Arc::new(Notify::new()));
    let mut controller = Controller {
        client,
        events,
        clock,
        figures,
        sight,
        words,
        pools,
        restored: orders::Restored::new(timing),
        fail_points,
    };
    controller.ready().await?;
    tokio::select! {
        () = drive("failover", Rhythm::default(), &passes, changed, stop, async || controller.pass().await) => Ok(()),
        _ = select_all([words_task, pools_task]) => Ok(()),
    }
}

impl Controller {
    async fn ready(&self) -> Result<(), NotReady> {
        self.sight.ready().await?;
        self.words.ready().await?;
        self.pools.ready().await
    }

    /// One pass: centres first, because whether one is lost is what everything else follows from.
    async fn pass(&mut self) -> Result<Option<Duration>, CallError> {
        let now = self.clock.now();
        let mut known = self.sight.known(now);
        let placements = self.sight.placements.shared();
        self.tell_centres(&mut known, &placements, now).await?;
        let known = self.make(known, &placements, now).await?;
        let by_name: Placements = placements.iter().map(|p| (owned(key(p)), Arc::clone(p))).collect();
        let said = self.said(&known, &by_name);
        let again = self.step(&known, &by_name, &said, now).await;
        let counted = self.tell_approvals(&said, now).await;
        self.keep_rights(&known, &placements).await;
        self.figures.observe(&known, &placements);
        let again = again?;
        counted?;
        Ok(again.into_iter().chain(rhythm(&known)).min())
    }

    /// What people said about each move.
    fn said(&self, known: &Known, placements: &Placements) -> Said {
        let words = self.words.shared();
        let mut by_move: BTreeMap<(&str, &str), Vec<&FailoverApproval>> = BTreeMap::new();
        for word in &words {
            let namespace = word.metadata.namespace.as_deref().unwrap_or_default();
            let about = (namespace, word.spec.failover_ref.name.as_str());
            by_move.entry(about).or_default().push(word);
        }
        let outcome = |failover: &Arc<Failover>| {
            let (namespace, name) = named(failover);
            let words = by_move.get(&(namespace, name));
            let about = placement_of(failover, placements);
            let outcome = words.map(|words| count(failover, about.map(|p| p.spec.mode), words))?;
            Some(((namespace.to_owned(), name.to_owned()), outcome))
        };
        known.all_moves().filter_map(outcome).collect()
    }
}

/// How soon the beats are looked at again; without an arbiter there is nothing to look at.
fn rhythm(known: &Known) -> Option<Duration> {
    if known.arbiter == Arbiter::Absent {
        return None;
    }
    let calm = known
        .places()
        .all(|(_, c)| c.witness.as_ref().is_none_or(|w| w.state == WitnessState::Granted));
    let moving = known.all_moves().any(|f| !f.phase().is_over());
    Some(if calm && !moving { CALM } else { BUSY })
}

/// Namespace and name of a move.
fn named(failover: &Failover) -> (&str, &str) {
    let namespace = failover.metadata.namespace.as_deref().unwrap_or_default();
    (namespace, failover.metadata.name.as_deref().unwrap_or_default())
}

fn owned((namespace, name): (&str, &str)) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

fn placement_of<'a>(failover: &Failover, placements: &'a Placements) -> Option<&'a Arc<DualActivePlacement>> {
    let (namespace, _) = named(failover);
    placements.get(&owned((namespace, &failover.spec.placement_ref.name)))
}

/// Moves that are not over, in the order of their turn, and whether each has one.
fn turns<'a>(known: &'a Known, placements: &Placements) -> Vec<(&'a Arc<Failover>, bool)> {
    let weighs = |f: &Failover| {
        let mode = placement_of(f, placements).map(|p| p.spec.mode);
        let proven = f.status.as_ref().is_some_and(|s| s.proof.is_some());
        let works = match f.phase() {
            FailoverPhase::Draining | FailoverPhase::Promoting | FailoverPhase::Verifying => true,
            // One that waits for a proof may wait for days.
            FailoverPhase::Fencing => proven,
            FailoverPhase::Pending
            | FailoverPhase::AwaitingApproval
            | FailoverPhase::Succeeded
            | FailoverPhase::Aborted => false,
        };
        works && mode != Some(PlacementMode::ActiveActive)
    };
    let mut open: Vec<_> = known.all_moves().filter(|f| !f.phase().is_over()).collect();
    let rank = |f: &Arc<Failover>| {
        let criticality = placement_of(f, placements).map(|p| p.spec.criticality);
        (criticality.unwrap_or_default(), owned(named(f)))
    };
    open.sort_by_cached_key(|f| rank(f));
    let mut free = MOVES_AT_ONCE.saturating_sub(open.iter().filter(|f| weighs(f)).count());
    let waits = |f: &Failover| matches!(f.phase(), FailoverPhase::Pending | FailoverPhase::AwaitingApproval);
    let turn = |f: &'a Arc<Failover>| {
        let grows = placement_of(f, placements).is_some_and(|p| p.spec.mode == PlacementMode::ActiveActive);
        let slot = !waits(f) || grows || free > 0;
        // Whoever waits for people keeps nobody else waiting.
        if f.phase() == FailoverPhase::Pending && !grows {
            free = free.saturating_sub(1);
        }
        (f, slot)
    };
    open.into_iter().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn placement(name: &str, criticality: &str) -> Arc<DualActivePlacement> {
        let text = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement",
            "metadata": {"name": name, "namespace": "dept"}, "spec": {"displayName": "p", "pool": "x86",
            "mode": "ActiveStandby", "active": "a", "criticality": criticality, "select": {"matchLabels": {"a": "b"}},
            "centres": [{"name": "a"}, {"name": "b"}]}});
        Arc::new(serde_json::from_value(text).unwrap())
    }

    fn failover(placement: &str, status: &Value) -> Arc<Failover> {
        let text = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Failover",
            "metadata": {"name": format!("{placement}-a-17"), "namespace": "dept"}, "spec": {"type": "Unplanned",
            "placementRef": {"name": placement}, "from": "a", "to": "b", "incident": "a-17"}, "status": status});
        Arc::new(serde_json::from_value(text).unwrap())
    }

    #[test]
    fn so_many_move_at_once_the_critical_first() {
        let names: Vec<String> = (0..210).map(|n| format!("p{n:03}")).collect();
        // The last ones by name are the critical ones.
        let criticality = |n: usize| if n < 200 { "General" } else { "Key" };
        let all = names
            .iter()
            .enumerate()
            .map(|(n, name)| placement(name, criticality(n)));
        let placements: Placements = all.map(|p| (owned(key(&p)), p)).collect();
        let moves = |first: &Value| {
            let status = |n: usize| {
                if n < 5 {
                    first.clone()
                } else {
                    json!({"phase": "Pending"})
                }
            };
            let all = names.iter().enumerate().map(|(n, name)| failover(name, &status(n)));
            Known::new(Arbiter::Absent, BTreeMap::new(), &all.collect::<Vec<_>>())
        };
        let begin = |known: &Known| -> Vec<String> {
            let all = turns(known, &placements).into_iter().filter(|(_, slot)| *slot);
            all.map(|(f, _)| f.spec.placement_ref.name.clone()).collect()
        };
        let turns = begin(&moves(&json!({"phase": "Pending"})));
        assert_eq!((turns.len(), turns[0].as_str()), (200, "p200"));
        assert!(turns.contains(&"p209".to_owned()) && !turns.contains(&"p190".to_owned()));
        // What works takes a place, what waits for a proof does not.
        assert_eq!(begin(&moves(&json!({"phase": "Promoting"}))).len(), 200);
        assert_eq!(begin(&moves(&json!({"phase": "Fencing"}))).len(), 205);
    }
}
