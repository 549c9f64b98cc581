//! The row with which a centre answers for one grant: what is applied, how much of it is used, and why not.

use crds::{CentreRow, PoolAmounts};
use jiff::{SignedDuration, Timestamp};

use super::catalogue::Catalogue;
use super::grant::{Answer, Place};
use super::quota::{self, NamespaceUse};
use super::usage::{self, Usage};

/// A use that changed is reported this often at the most, unless somebody waits for it to fall: every grant of a tenant
/// shows the tenant's use, so one new pod must not mean a write for each of them.
const USED_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Soon after a grant was lowered its row is renewed this often, because the operator settles on fresh rows only.
const FRESH: SignedDuration = SignedDuration::from_secs(20);
/// A tenant may go on using what it no longer holds. So the wait between two rows grows with the time since the lowering,
/// to this part of it.
const PART: i32 = 16;
/// Longest message, in characters.
const LONGEST: usize = 512;

/// Reason of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// In force.
    Applied,
    /// Something that is not ours stands in the way.
    Conflict,
    /// The decision is older than one that was seen.
    StaleEpoch,
    /// It could not be read or written; it is tried again.
    ApplyFailed,
    /// A person of the member cloud has to confirm something in the namespace first.
    AwaitingConfirmation,
    /// The member cloud is only observed.
    StageObserved,
}

impl Reason {
    /// As it stands in the row, and as the label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "Applied",
            Self::Conflict => "Conflict",
            Self::StaleEpoch => "StaleEpoch",
            Self::ApplyFailed => "ApplyFailed",
            Self::AwaitingConfirmation => "AwaitingConfirmation",
            Self::StageObserved => "StageObserved",
        }
    }
}

/// How far a grant is in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Force {
    /// The API server enforces it.
    Yes,
    /// Written, but the quota's status does not say so yet, and the status is what the API server enforces.
    NotYet,
    /// A write failed.
    Failed(String),
}

/// What is known of a namespace after the writes.
pub trait Centre {
    /// How far the grant is there.
    fn force(&self, namespace: &str, answer: &Answer) -> Force;
    /// What it uses; `None` where it does not exist.
    fn used(&self, namespace: &str) -> Option<NamespaceUse>;
    /// What pods really use; `None` while that was not asked yet, so that a row goes on saying what it said.
    fn usage(&self) -> Option<&Usage>;
}

/// The row for an answer. `None`: nothing can be said yet, the row stays as it is.
pub fn row(
    centre: &str,
    answer: &Answer,
    old: Option<&CentreRow>,
    state: &impl Centre,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Option<CentreRow> {
    let (reason, message) = match &answer.refusal {
        Some(refusal) => (refusal.reason, Some(refusal.message.clone())),
        None => outcome(answer, state)?,
    };
    let (record, epoch) = match (reason, old) {
        (Reason::Applied, _) => (answer.record.clone(), answer.epoch),
        (_, Some(old)) => (old.record.clone(), old.epoch),
        (_, None) => Default::default(),
    };
    Some(CentreRow {
        name: centre.to_owned(),
        record,
        epoch,
        used: answer
            .places
            .iter()
            .filter_map(|place| used(place, state, catalogue))
            .collect(),
        utilization: utilization(answer, old, state, catalogue),
        reason: reason.as_str().to_owned(),
        message: message.map(|m| m.chars().take(LONGEST).collect()),
        reported_at: now.to_string(),
    })
}

fn outcome(answer: &Answer, state: &impl Centre) -> Option<(Reason, Option<String>)> {
    let mut waits = false;
    for place in &answer.places {
        match state.force(&place.namespace, answer) {
            Force::Yes => {}
            Force::NotYet => waits = true,
            Force::Failed(error) => {
                return Some((
                    Reason::ApplyFailed,
                    Some(format!("namespace {}: {error}", place.namespace)),
                ));
            }
        }
    }
    (!waits).then_some((Reason::Applied, None))
}

/// The tenant's use of the pool in that namespace: a quota knows no single grant.
fn used(place: &Place, state: &impl Centre, catalogue: &Catalogue) -> Option<PoolAmounts> {
    let used = state.used(&place.namespace)?;
    Some(PoolAmounts {
        pool: place.pool.clone(),
        amounts: quota::used_of(&place.pool, catalogue, &used).to_amounts(),
    })
}

/// What the tenant's pods really use of each pool; of what ended nobody asks.
fn utilization(
    answer: &Answer,
    old: Option<&CentreRow>,
    state: &impl Centre,
    catalogue: &Catalogue,
) -> Vec<crds::PoolUse> {
    if answer.ended {
        return Vec::new();
    }
    let Some(usage) = state.usage() else {
        return old.map(|o| o.utilization.clone()).unwrap_or_default();
    };
    let of = |place: &Place| {
        let pool = state.used(&place.namespace).and_then(|ns| ns.pool);
        usage::of_place(usage, place, pool.as_deref(), catalogue)
    };
    answer.places.iter().flat_map(of).collect()
}

/// How long until `new` should be written over `old`; zero is now, `None` is never as things stand.
pub fn due(answer: &Answer, old: Option<&CentreRow>, new: &CentreRow, now: Timestamp) -> Option<SignedDuration> {
    let Some(old) = old else {
        return Some(SignedDuration::ZERO);
    };
    if (&old.record, old.epoch, &old.reason, &old.message) != (&new.record, new.epoch, &new.reason, &new.message) {
        return Some(SignedDuration::ZERO);
    }
    // One from the time before the clock was set back is written anew.
    let age = old.reported_at.parse::<Timestamp>().map(|at| now.duration_since(at));
    let age = age.ok().filter(|age| !age.is_negative()).unwrap_or(SignedDuration::MAX);
    let left = |every: SignedDuration| every.saturating_sub(age).max(SignedDuration::ZERO);
    let changed = old.used != new.used;
    if let Some(since) = answer.pending {
        let part = now.duration_since(since) / PART;
        return Some(left(if changed { part } else { part.max(FRESH) }));
    }
    let used = (changed && !answer.ended).then_some(USED_EVERY);
    let utilization = usage::differs(&old.utilization, &new.utilization).then(|| usage::every(new, old));
    used.into_iter().chain(utilization).min().map(left)
}

#[cfg(test)]
mod tests {
    use super::super::grant::Refusal;
    use super::super::testing::{catalogue, map};
    use super::*;

    struct One(Force);
    impl Centre for One {
        fn force(&self, _: &str, _: &Answer) -> Force {
            self.0.clone()
        }
        fn used(&self, _: &str) -> Option<NamespaceUse> {
            Some(NamespaceUse {
                pool: Some("x86".to_owned()),
                used: map(&[("requests.cpu", "4")]),
            })
        }
        fn usage(&self) -> Option<&Usage> {
            None
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn answer(refusal: Option<Refusal>) -> Answer {
        Answer {
            tenant: "dept".to_owned(),
            request: "r".to_owned(),
            record: "new".to_owned(),
            epoch: 8,
            refusal,
            places: vec![Place {
                pool: "x86".to_owned(),
                namespace: "dept".to_owned(),
            }],
            ended: false,
            pending: None,
        }
    }

    fn make(answer: &Answer, old: Option<&CentreRow>, force: Force) -> Option<CentreRow> {
        row("jishi", answer, old, &One(force), &catalogue(), at(0))
    }

    #[test]
    fn applied_is_said_only_when_it_is_in_force() {
        assert_eq!(make(&answer(None), None, Force::NotYet), None);
        let row = make(&answer(None), None, Force::Yes).unwrap();
        assert_eq!(
            (row.record.as_str(), row.epoch, row.reason.as_str()),
            ("new", 8, "Applied")
        );
        assert_eq!(row.used[0].amounts.0.get("cpu"), Some(&"4".into()));
    }

    #[test]
    fn what_failed_or_was_refused_keeps_the_record_that_is_in_force() {
        let old = CentreRow {
            record: "old".to_owned(),
            epoch: 7,
            ..CentreRow::default()
        };
        let failed = make(&answer(None), Some(&old), Force::Failed("no".to_owned())).unwrap();
        assert_eq!(
            (failed.record.as_str(), failed.epoch, failed.reason.as_str()),
            ("old", 7, "ApplyFailed")
        );
        let refusal = Refusal {
            reason: Reason::StaleEpoch,
            message: "x".repeat(2000),
        };
        let stale = make(&answer(Some(refusal)), None, Force::Yes).unwrap();
        assert_eq!((stale.record.as_str(), stale.reason.as_str()), ("", "StaleEpoch"));
        assert_eq!(stale.message.unwrap().len(), LONGEST);
    }

    #[test]
    fn a_row_is_written_when_a_fact_changed() {
        let live = answer(None);
        let pending = Answer {
            ended: true,
            pending: Some(at(-16)),
            ..live.clone()
        };
        let settled = Answer {
            ended: true,
            ..live.clone()
        };
        let old = make(&live, None, Force::Yes).unwrap();
        let wait = |answer: &Answer, new: &CentreRow, s: i64| due(answer, Some(&old), new, at(s));
        assert_eq!(due(&live, None, &old, at(0)), Some(SignedDuration::ZERO));
        assert_eq!(wait(&live, &old, 3600), None);
        assert_eq!(wait(&pending, &old, 5), Some(SignedDuration::from_secs(15)));
        assert_eq!(wait(&pending, &old, 21), Some(SignedDuration::ZERO));
        let used = CentreRow {
            used: vec![],
            ..old.clone()
        };
        assert_eq!(wait(&live, &used, 4), Some(SignedDuration::from_secs(56)));
        assert_eq!(wait(&live, &used, -7200), Some(SignedDuration::ZERO));
        // What became known does not wait for an amount that moved as well.
        let known = CentreRow {
            utilization: vec![crds::PoolUse::default()],
            ..used.clone()
        };
        assert_eq!(wait(&live, &known, 4), Some(SignedDuration::ZERO));
        assert_eq!(wait(&pending, &used, 4), Some(SignedDuration::ZERO));
        // A day after it: an hour and a half, whatever is used.
        let day = 24 * 3600;
        let late = Answer {
            pending: Some(at(-day)),
            ..pending.clone()
        };
        assert_eq!(wait(&late, &old, 0), Some(SignedDuration::from_secs(day / 16)));
        assert_eq!(wait(&late, &used, 0), Some(SignedDuration::from_secs(day / 16)));
        assert_eq!(wait(&settled, &used, 3600), None);
        let record = CentreRow {
            record: "other".to_owned(),
            ..old.clone()
        };
        assert_eq!(wait(&settled, &record, 0), Some(SignedDuration::ZERO));
    }
}
