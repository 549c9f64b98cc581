//! What a row says of a right to run, and what of that is told first.

use super::super::super::exclusive;
use super::*;

/// What a centre says of an exclusive placement: its right, since when it is fenced, and that only where it is meant to run.
#[test]
fn a_row_says_under_which_right_it_runs_or_why_it_does_not() {
    let epoch = crds::RightEpoch {
        incarnation: 1,
        counter: 7,
    };
    let held = |runs: bool| exclusive::Held {
        epoch,
        runs,
        unknown: false,
        why: (!runs).then(|| (reason::FENCED, "ran out | 到期".to_owned())),
    };
    let with = |runs: bool, active: &str| {
        let mut part = part(true);
        part.held = Some(held(runs));
        part.assignment.active = Some(active.to_owned());
        part
    };
    let running = make(&with(true, "a"), None, done(3), 3);
    assert_eq!((running.right, running.reason.as_str()), (Some(epoch), reason::APPLIED));
    let fenced = make(&with(false, "a"), Some(&running), done(3), 0);
    assert_eq!((fenced.right, fenced.reason.as_str()), (None, reason::FENCED));
    assert!(fenced.fenced_since.is_some());
    assert_eq!(fenced.number, 4, "what was decided is carried out all the same");
    let later = PlacementRow {
        fenced_since: Some("2026-01-01T00:00:00Z".to_owned()),
        ..fenced
    };
    let still = make(&with(false, "a"), Some(&later), done(3), 0);
    assert_eq!(still.fenced_since, later.fenced_since);
    let mut unheard = with(false, "a");
    unheard.held.as_mut().unwrap().unknown = true;
    let same = make(&unheard, Some(&running), done(3), 3);
    assert_eq!(same.right, Some(epoch), "what is not known is not said to have ended");
    let elsewhere = make(&with(false, "b"), Some(&running), done(3), 0);
    assert_eq!(
        (elsewhere.reason.as_str(), elsewhere.fenced_since),
        (reason::APPLIED, None)
    );
}

#[test]
fn what_is_wrong_is_told_before_what_is_well() {
    let part = part(true);
    let well = make(&part, None, done(1), 3);
    let wrong = make(&part, None, State::Failed(reason::OBJECT_EXISTS, "it exists".into()), 3);
    assert!(!urgent(None, &well) && urgent(Some(&well), &wrong));
    let right = PlacementRow {
        right: Some(crds::RightEpoch {
            incarnation: 1,
            counter: 2,
        }),
        ..well.clone()
    };
    assert!(urgent(Some(&well), &right) && !urgent(Some(&right), &right));
}
