//! Versions of a workload on their way through the centres: in order, with a pause, a stop, and a way back.
//!
//! A revision is the template's content without its number of copies. The operator stores each one in the hub before a
//! decision names it; an agent applies the revision that its centre was given, whatever the template says meanwhile. Copies
//! are no revision: they follow the split at once, also while a rollout is paused or stopped.

use crds::{CentreRevision, CentreRole, OnFailure, PlacedObject, PlacementRow, Rollout, RolloutOrder, WorkloadRollout};
use jiff::{SignedDuration, Timestamp};

/// A Deployment's own default, where a deadline cannot be read.
const DEADLINE: SignedDuration = SignedDuration::from_mins(10);

/// What a step is decided from.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// How the placement wants it.
    pub rollout: &'a Rollout,
    /// The workload.
    pub object: &'a PlacedObject,
    /// Revision of its template now.
    pub newest: &'a str,
    /// The centres that hold it, in the order in which they get a revision.
    pub centres: &'a [&'a str],
    /// What was decided before.
    pub old: Option<&'a WorkloadRollout>,
    /// What the centres say; only those that are heard.
    pub rows: &'a [&'a PlacementRow],
    /// Now.
    pub now: Timestamp,
}

/// Where a rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Every centre runs the newest revision and is healthy.
    Done,
    /// This centre has a new revision and is not healthy yet; so many of its copies are.
    Going(String, i64, i64),
    /// A centre has not got the newest revision because the placement is paused.
    Paused,
    /// The newest revision was not healthy in time in this centre, with so many of its copies.
    Stopped(String, i64, i64),
    /// The same, and the centres run the revision before.
    Returned,
    /// Nothing is heard of this centre: nobody else is touched meanwhile.
    Blind(String),
}

/// Ranks centres as an order asks: the smallest first.
pub const fn rank(order: RolloutOrder, role: Option<CentreRole>) -> u8 {
    match (order, role) {
        (RolloutOrder::BackupFirst, Some(CentreRole::Primary)) => 2,
        (RolloutOrder::BackupFirst, Some(CentreRole::DisasterRecovery)) => 1,
        (RolloutOrder::Together | RolloutOrder::BackupFirst, _) => 0,
    }
}

/// How far a centre is with a revision.
struct Health {
    healthy: bool,
    available: i64,
    wanted: i64,
}

fn health(look: &Look<'_>, centre: &str, revision: &str) -> Option<Health> {
    let row = look.rows.iter().find(|r| r.name == centre)?;
    let found = row.workload(look.object);
    let Some(w) = found else {
        // The centre is heard and has nothing of it yet.
        return Some(Health {
            healthy: false,
            available: 0,
            wanted: 0,
        });
    };
    let there = w.revision == revision;
    Some(Health {
        healthy: there && w.updated >= w.wanted && w.available >= w.wanted && w.replicas <= w.wanted.max(w.updated),
        available: if there { w.available.min(w.updated) } else { 0 },
        wanted: w.wanted,
    })
}

/// The next step of one workload, and where it is.
pub fn next(look: &Look<'_>) -> (WorkloadRollout, Phase) {
    let mut state = begin(look);
    if state.failed.as_deref() == Some(look.newest) {
        return after_failure(look, state);
    }
    let behind = |state: &WorkloadRollout, centre: &str| state.of(centre) != Some(look.newest);
    if look.rollout.paused && look.centres.iter().any(|c| behind(&state, c)) {
        return (state, Phase::Paused);
    }
    if look.rollout.order == RolloutOrder::Together {
        for centre in look
            .centres
            .iter()
            .filter(|c| behind(&state, c))
            .copied()
            .collect::<Vec<_>>()
        {
            release(&mut state, centre, look);
        }
    }
    for centre in look.centres {
        if behind(&state, centre) {
            release(&mut state, centre, look);
            return (state, Phase::Going((*centre).to_owned(), 0, 0));
        }
        match health(look, centre, look.newest) {
            None => return (state, Phase::Blind((*centre).to_owned())),
            Some(health) if health.healthy => {}
            Some(health) if overdue(&state, look) && state.good.as_deref() != Some(look.newest) => {
                state.failed = Some(look.newest.to_owned());
                let stopped = Phase::Stopped((*centre).to_owned(), health.available, health.wanted);
                let (state, phase) = after_failure(look, state);
                return (state, if phase == Phase::Returned { phase } else { stopped });
            }
            Some(health) => {
                return (
                    state,
                    Phase::Going((*centre).to_owned(), health.available, health.wanted),
                );
            }
        }
    }
    state.good = Some(look.newest.to_owned());
    (state, Phase::Done)
}

/// The state before the step: what was decided, without centres that left; or what the centres run already.
fn begin(look: &Look<'_>) -> WorkloadRollout {
    let mut state = look.old.cloned().unwrap_or_else(|| {
        let runs = |row: &&PlacementRow| {
            // Nobody else knows the content of another revision, so only this one can be kept.
            let found = row.workload(look.object);
            look.centres.contains(&row.name.as_str()) && found.is_some_and(|w| w.revision == look.newest)
        };
        let mut state = WorkloadRollout {
            kind: look.object.kind.clone(),
            name: look.object.name.clone(),
            newest: String::new(),
            good: None,
            failed: None,
            since: None,
            centres: Vec::new(),
        };
        for row in look.rows.iter().copied().filter(|r| runs(r)) {
            give(&mut state, &row.name, look.newest);
        }
        state
    });
    let stays = |c: &CentreRevision| look.centres.contains(&c.name.as_str());
    let mut left = state.centres.iter().filter(|c| !stays(c)).map(|c| &c.revision);
    let proven = state
        .good
        .as_ref()
        .or_else(|| left.find(|r| *r != look.newest))
        .cloned();
    state.centres.retain(stays);
    // A centre that takes over runs at once what ran: that is no upgrade, and waits for nothing.
    if let Some(proven) = proven {
        for centre in look.centres {
            if state.of(centre).is_none() {
                give(&mut state, centre, &proven);
            }
        }
    }
    look.newest.clone_into(&mut state.newest);
    if state.failed.as_deref() != Some(look.newest) {
        state.failed = None;
    }
    state
}

/// Lets a centre run that revision.
fn give(state: &mut WorkloadRollout, centre: &str, revision: &str) {
    state.centres.retain(|c| c.name != centre);
    state.centres.push(CentreRevision {
        name: centre.to_owned(),
        revision: revision.to_owned(),
    });
    state.centres.sort_by(|a, b| a.name.cmp(&b.name));
}

/// The same with the newest one, whose deadline begins.
fn release(state: &mut WorkloadRollout, centre: &str, look: &Look<'_>) {
    give(state, centre, look.newest);
    state.since = Some(look.now.to_string());
}

fn overdue(state: &WorkloadRollout, look: &Look<'_>) -> bool {
    let since = state.since.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
    let deadline = crate::pool::duration(&look.rollout.deadline).unwrap_or(DEADLINE);
    since.is_some_and(|since| look.now.duration_since(since) > deadline)
}

/// A failed revision goes to nobody else; with a way back, every centre runs the last good one.
fn after_failure(look: &Look<'_>, mut state: WorkloadRollout) -> (WorkloadRollout, Phase) {
    let good = state.good.clone().filter(|good| good != look.newest);
    if let (OnFailure::Return, Some(good)) = (look.rollout.on_failure, good) {
        for centre in look.centres {
            give(&mut state, centre, &good);
        }
        return (state, Phase::Returned);
    }
    let late = look.centres.iter().find_map(|c| {
        let health = health(look, c, look.newest).filter(|h| !h.healthy && state.of(c) == Some(look.newest))?;
        Some(Phase::Stopped((*c).to_owned(), health.available, health.wanted))
    });
    let first = look.centres.first().copied().unwrap_or_default();
    let phase = late.unwrap_or_else(|| Phase::Stopped(first.to_owned(), 0, 0));
    (state, phase)
}

#[cfg(test)]
mod tests;
