//! What moves are decided from: caches that several loops share, and what the arbiter's thread last saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{DataCenter, DualActivePlacement, Failover, ProofKind, RightEpoch, centre_reason};
use futures::future::select_all;
use jiff::Timestamp;
use kube::Client;
use kube::runtime::watcher::Config;
use plan::failover::facts::{Arbiter, Centre, Known, Proof, Right, Stage};
use plan::failover::witness::Beats;
use tokio::sync::Notify;

use arbiter::row::{self, Phase, Row};

use crate::cache::{Cache, NotReady, Reader};
use crate::quorum::{Deciding, Seen, boot};

/// What every loop looks at that follows moves.
#[derive(Clone)]
pub struct Sight {
    /// Every placement.
    pub placements: Cache<DualActivePlacement>,
    /// Every centre.
    pub centres: Cache<DataCenter>,
    /// Every move.
    pub failovers: Cache<Failover>,
    /// The arbiter, where one is configured.
    pub deciding: Option<Deciding>,
}

/// Begins to watch. Placements follow rights, witnesses and moves; moves follow all of that and the placements. The task
/// beside never ends by itself.
pub fn watch(
    client: &Client,
    deciding: Option<Deciding>,
    placing: &Arc<Notify>,
    moving: &Arc<Notify>,
) -> (
    Sight,
    impl Future<Output = Result<(), std::convert::Infallible>> + use<>,
) {
    let both = || vec![Arc::clone(placing), Arc::clone(moving)];
    let all = Config::default;
    // Reports of centres come all the time and concern only by their age, which is looked at anyway.
    let centre = Reader {
        read: Ok,
        news: |a: &DataCenter, b| {
            let witness = |c: &DataCenter| c.status.as_ref().and_then(|s| s.witness.clone());
            witness(a) != witness(b)
        },
    };
    let (placements, p) = Cache::read(client.clone(), all(), both(), Reader::AS_IT_IS);
    let (centres, c) = Cache::read(client.clone(), all(), both(), centre);
    let (failovers, f) = Cache::read(client.clone(), all(), both(), Reader::AS_IT_IS);
    let told = deciding.clone();
    let notified = (Arc::clone(placing), Arc::clone(moving));
    let tasks = async move {
        let follow = async {
            match told {
                Some(deciding) => follow(&deciding, &notified.0, &notified.1).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = follow => Ok(()),
            _ = select_all([p, c, f]) => Ok(()),
        }
    };
    let sight = Sight {
        placements,
        centres,
        failovers,
        deciding,
    };
    (sight, tasks)
}

/// Tells of what changed in the arbiter; it is looked at several times a second, and mostly nothing did.
async fn follow(deciding: &Deciding, placing: &Notify, moving: &Notify) {
    let mut seen = deciding.seen();
    let mut before = Arc::clone(&seen.borrow_and_update());
    while seen.changed().await.is_ok() {
        let now = Arc::clone(&seen.borrow_and_update());
        if now.view.rows != before.view.rows {
            placing.notify_one();
            moving.notify_one();
        } else if (&now.lost, &now.down, now.decides) != (&before.lost, &before.down, before.decides)
            || now.view.ailing != before.view.ailing
            || now.view.verdicts != before.view.verdicts
        {
            moving.notify_one();
        }
        before = now;
    }
}

impl Sight {
    /// Waits for the first complete lists.
    ///
    /// # Errors
    /// One that does not come in time.
    pub async fn ready(&self) -> Result<(), NotReady> {
        self.placements.ready().await?;
        self.centres.ready().await?;
        self.failovers.ready().await
    }

    /// What the arbiter's thread last saw, where that still counts.
    pub(crate) fn fresh(&self) -> Option<Arc<Seen>> {
        let seen = Arc::clone(&self.deciding.as_ref()?.seen().borrow());
        seen.is_fresh(boot()).then_some(seen)
    }

    /// Everything that is known about moves.
    pub fn known(&self, now: Timestamp) -> Known {
        let arbiter = match (&self.deciding, self.fresh()) {
            (None, _) => Arbiter::Absent,
            (Some(_), None) => Arbiter::Silent,
            (Some(_), Some(seen)) => {
                let rows = seen.view.rows.iter();
                Arbiter::Seen(rows.map(|(scope, (row, _))| (scope.clone(), right(row))).collect())
            }
        };
        let centre = |c: &Arc<DataCenter>| {
            let centre = Centre {
                role: c.spec.role,
                witness: c.status.as_ref().and_then(|s| s.witness.clone()),
                reports: plan::centre_health::health(c, now).0 == centre_reason::REPORTING,
            };
            Some((c.metadata.name.clone()?, centre))
        };
        let centres = self.centres.shared().iter().filter_map(centre).collect();
        Known::new(arbiter, centres, &self.failovers.shared())
    }
}

/// What was last read of the beats.
pub(super) fn beats(seen: &Seen) -> Beats {
    let named: BTreeSet<&str> = seen
        .view
        .verdicts
        .iter()
        .chain(&seen.view.downs)
        .filter(|((_, place), m)| seen.view.beats.get(place) == Some(m))
        .map(|((_, place), _)| place.as_str())
        .collect();
    // The beat that an observer says was the last one is no sign of life, whenever this process first saw it.
    let alive: BTreeMap<String, Timestamp> = seen
        .alive
        .iter()
        .filter(|(place, _)| !named.contains(place.as_str()) || seen.lost.contains_key(*place))
        .map(|(place, at)| (place.clone(), *at))
        .collect();
    Beats {
        lost: seen.lost.clone(),
        down: seen.down.keys().cloned().collect(),
        ailing: seen.view.ailing.clone(),
        alive,
    }
}

/// The arbiter's row as plain data.
fn right(row: &Row) -> Right {
    let stage = match row.phase {
        Phase::Held => Stage::Held,
        Phase::Draining => Stage::Draining,
        Phase::Pinned => Stage::Pinned,
        Phase::Unpinning => Stage::Unpinning,
        Phase::Released => Stage::Released,
        Phase::Fencing => Stage::Fencing,
        Phase::Regrant => Stage::Regrant,
    };
    Right {
        epoch: RightEpoch {
            incarnation: row.epoch.incarnation,
            counter: row.epoch.counter,
        },
        holder: row.holder.clone(),
        stage,
        from: row.from.clone(),
        proof: row.proof.as_ref().map(proof),
    }
}

fn proof(proof: &row::Proof) -> Proof {
    let plain = |kind| Proof {
        kind,
        persons: Vec::new(),
    };
    match proof {
        row::Proof::Acked => plain(ProofKind::Acked),
        row::Proof::PermitExpired => plain(ProofKind::PermitExpired),
        row::Proof::StorageFenced => plain(ProofKind::StorageFenced),
        row::Proof::PoweredOff => plain(ProofKind::PoweredOff),
        row::Proof::TwoPersons(persons) => Proof {
            kind: ProofKind::TwoPersons,
            persons: persons.to_vec(),
        },
    }
}

/// The same the other way round; `None` where it names no two people.
pub(super) fn recorded(proof: &Proof) -> Option<row::Proof> {
    Some(match proof.kind {
        ProofKind::Acked => row::Proof::Acked,
        ProofKind::PermitExpired => row::Proof::PermitExpired,
        ProofKind::StorageFenced => row::Proof::StorageFenced,
        ProofKind::PoweredOff => row::Proof::PoweredOff,
        ProofKind::TwoPersons => row::Proof::TwoPersons(proof.persons.clone().try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_proofs_are_carried_over_whole() {
        let persons = ["li".to_owned(), "zhao".to_owned()];
        let all = [
            row::Proof::Acked,
            row::Proof::PermitExpired,
            row::Proof::StorageFenced,
            row::Proof::PoweredOff,
            row::Proof::TwoPersons(persons),
        ];
        for one in all {
            assert_eq!(recorded(&proof(&one)), Some(one));
        }
        let alone = Proof {
            kind: ProofKind::TwoPersons,
            persons: vec!["li".into()],
        };
        assert_eq!(recorded(&alone), None);
    }

    #[test]
    fn a_beat_that_was_judged_is_no_life_of_a_process_that_just_began() {
        let mut seen = Seen::default();
        let start = Timestamp::UNIX_EPOCH;
        seen.view.beats = [("a".to_owned(), 17), ("b".to_owned(), 30)].into();
        seen.view.verdicts = [
            (("b".to_owned(), "a".to_owned()), 17),
            (("c".to_owned(), "b".to_owned()), 21),
        ]
        .into();
        seen.alive = ["a", "b"].map(|c| (c.to_owned(), start)).into();
        let alive: Vec<_> = beats(&seen).alive.into_keys().collect();
        assert_eq!(alive, ["b"]);
    }
}
