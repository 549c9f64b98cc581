//! The flap guard: a placement that moved by itself a moment ago, or twice within a day, is left to people.

use std::sync::Arc;

use crds::{Failover, FailoverPhase, FailoverStep, FailoverType, group};
use jiff::{SignedDuration, Timestamp};

use super::facts::stamp;

/// Between the end of an automatic move and the next one.
const APART: SignedDuration = SignedDuration::from_mins(10);
/// Automatic moves of a placement within [`DAY`].
const MOST: usize = 2;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Whether nobody asked for it.
pub fn automatic(failover: &Failover) -> bool {
    failover.spec.type_ == FailoverType::Unplanned || failover.spec.requester.username == group::CONTROLLER_USER
}

/// When it really began; a move that was given up before that disturbed nothing.
fn began(failover: &Failover) -> Option<Timestamp> {
    failover.reached(FailoverStep::Decided)?.parse().ok()
}

/// When it ended well.
fn ended(failover: &Failover) -> Option<Timestamp> {
    let over = failover.phase() == FailoverPhase::Succeeded;
    failover.reached(FailoverStep::Verified).filter(|_| over)?.parse().ok()
}

/// Why the placement does not move by itself now, in words; `None` where it may. `moves` are those of the placement.
pub fn guarded(moves: &[Arc<Failover>], now: Timestamp) -> Option<String> {
    let automatic = || moves.iter().filter(|f| automatic(f));
    let last = automatic().filter_map(|f| ended(f)).max();
    if let Some(last) = last.filter(|last| now.duration_since(*last) < APART) {
        // No age: it would change while nothing happens.
        let (at, apart) = (stamp(last), APART.as_mins());
        return Some(format!(
            "it moved by itself until {at}, at least {apart} min lie between two such moves | 上次自动切换于 {at} 完成，两次自动切换至少间隔 {apart} 分钟"
        ));
    }
    let today = automatic()
        .filter_map(|f| began(f))
        .filter(|at| now.duration_since(*at) < DAY)
        .count();
    (today >= MOST).then(|| {
        format!(
            "it moved by itself {today} times within 24 h, at most {MOST} are made | 24 小时内已自动切换 {today} 次，上限 {MOST} 次"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failover, stamped};
    use super::*;

    fn moved(name: &str, decided: i64, verified: i64) -> Arc<Failover> {
        let mut one = failover(name, FailoverType::Unplanned, "a", "b");
        stamped(&mut one, FailoverStep::Decided, decided);
        stamped(&mut one, FailoverStep::Verified, verified);
        one.status.get_or_insert_default().phase = FailoverPhase::Succeeded;
        Arc::new(one)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn ten_minutes_and_two_a_day() {
        assert_eq!(guarded(&[], at(0)), None);
        let one = moved("p-1", 0, 60);
        assert!(
            guarded(&[Arc::clone(&one)], at(60 + 599))
                .unwrap()
                .contains("until 1970-01-01T00:01:00.000Z")
        );
        assert_eq!(guarded(&[Arc::clone(&one)], at(60 + 600)), None);
        let two = moved("p-2", 1000, 1060);
        let both = [one, two];
        assert!(guarded(&both, at(2000)).unwrap().contains("2 times"));
        assert_eq!(guarded(&both, at(24 * 3600)), None);
    }

    #[test]
    fn what_people_asked_for_does_not_count() {
        let mut planned = Failover::clone(&moved("p-1", 0, 60));
        planned.spec.type_ = FailoverType::Planned;
        assert_eq!(guarded(&[Arc::new(planned.clone())], at(61)), None);
        planned.spec.type_ = FailoverType::Failback;
        group::CONTROLLER_USER.clone_into(&mut planned.spec.requester.username);
        assert!(guarded(&[Arc::new(planned)], at(61)).is_some());
    }
}
