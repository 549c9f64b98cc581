//! A label moves an object from one placement to another: it is handed over, and never without one.

use super::*;
use crds::{condition, set_condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn api() -> PlacedObject {
    object(TemplateKind::Deployment, "api")
}

fn objects(decision: &Decision) -> Vec<PlacedObject> {
    let assignment = decision.assignment.iter();
    assignment.flat_map(|a| a.objects.iter().cloned()).collect()
}

/// `from` runs four copies of web and perhaps an api; `to` selects nothing yet. The grant has no room for web twice.
fn stage_of(to_is_older: bool, beside: bool) -> Stage {
    let mut s = stage(3);
    s.template(web(), 4, "from", &[]);
    if beside {
        s.template(api(), 2, "from", &[]);
    }
    s.placement("from", "from", BOTH);
    s.placement("to", "to", BOTH);
    for (placement, at) in s.placements.iter_mut().zip([1, i64::from(!to_is_older) * 2]) {
        let at = Timestamp::from_second(at).unwrap();
        placement.metadata.creation_timestamp = Some(Time(at));
    }
    assert_eq!(why(&s.store("from", true)), None);
    s.template(web(), 4, "to", &[]);
    s
}

#[test]
fn the_giver_keeps_it_until_the_taker_has_it() {
    for (older, beside) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut s = stage_of(older, beside);
        let pass = s.decide();
        let of = |name: &str| &pass[&("dept".to_owned(), name.to_owned())];
        assert!(
            objects(of("from")).contains(&web()),
            "it would be deleted: {older} {beside}"
        );
        assert_eq!(
            (copies(of("to")), why(of("to"))),
            (both(2, 2), None),
            "{older} {beside}"
        );
        assert_eq!(why(of("from")), None, "{older} {beside}");
        s.store("to", true);
        let given = s.store("from", true);
        let left: Vec<_> = beside.then(api).into_iter().collect();
        assert_eq!(objects(&given), left, "{older} {beside}");
        // Nothing moves any more.
        let pass = s.decide();
        let of = |name: &str| &pass[&("dept".to_owned(), name.to_owned())];
        assert_eq!(of("from").assignment, given.assignment);
        assert_eq!((objects(of("to")), why(of("to"))), (vec![web()], None));
    }
}

#[test]
fn it_stays_where_the_other_one_may_not_take_it() {
    let mut s = stage_of(true, false);
    // As many as nobody was granted.
    s.template(web(), 40, "to", &[]);
    let refused = s.store("to", true);
    assert_eq!(
        (objects(&refused), why(&refused)),
        (vec![], Some(reason::GRANT_TOO_SMALL))
    );
    for _ in 0..2 {
        let kept = s.store("from", true);
        assert_eq!((objects(&kept), copies(&kept)), (vec![web()], both(2, 2)));
    }
}

#[test]
fn what_nobody_else_takes_runs_on() {
    let mut s = stage_of(true, true);
    s.template(api(), 2, "none", &[]);
    s.store("to", true);
    let rest = s.store("from", true);
    assert_eq!(
        (objects(&rest), why(&rest)),
        (vec![api()], Some(reason::NOTHING_SELECTED))
    );
}

/// A third one is not refused because two have the object for a moment.
#[test]
fn its_room_counts_once() {
    let mut s = stage_of(true, false);
    s.template(api(), 2, "third", &[]);
    s.placement("third", "third", BOTH);
    s.store("third", true);
    s.store("to", true);
    let pass = s.decide();
    let third = &pass[&("dept".to_owned(), "third".to_owned())];
    assert_eq!((copies(third), why(third)), (both(1, 1), None));
}

/// A ConfigMap that one refers to and the other selects is handed over for good; what was found to fit does not grow by it.
#[test]
fn a_refused_size_stays_refused_where_something_is_shared() {
    let mut s = stage(3);
    let map = object(TemplateKind::ConfigMap, "map");
    s.template(map.clone(), 0, "to", &[]);
    s.template(web(), 4, "from", &[map]);
    s.placement("from", "from", BOTH);
    s.placement("to", "to", BOTH);
    for name in ["from", "to", "from"] {
        assert_eq!(why(&s.store(name, true)), None, "{name}");
    }
    let template = s.templates.get_mut(&("dept".to_owned(), web())).unwrap();
    Arc::make_mut(template).each.cpu = 100_000;
    for _ in 0..3 {
        let refused = s.store("from", true);
        assert_eq!((refused.follows, why(&refused)), (false, Some(reason::GRANT_TOO_SMALL)));
    }
}

#[test]
fn one_that_is_deleted_waits_for_the_taker_to_be_looked_at() {
    for to_is_older in [true, false] {
        let mut s = stage_of(to_is_older, true);
        s.placements[0].metadata.deletion_timestamp = Some(Time(Timestamp::from_second(5).unwrap()));
        let waits = s.store("from", true);
        assert_eq!((objects(&waits).len(), why(&waits)), (2, Some(reason::LEAVING)));
        assert_eq!(waits.assignment.unwrap().leaving, None);
        let taken = s.store("to", true);
        assert_eq!((objects(&taken), why(&taken)), (vec![web()], None));
        assert!(s.store("from", true).assignment.unwrap().leaving.is_some());
    }
    // Whoever was looked at and cannot take it holds nobody up.
    let mut s = stage_of(true, true);
    s.placements[0].metadata.deletion_timestamp = Some(Time(Timestamp::from_second(5).unwrap()));
    s.template(web(), 40, "to", &[]);
    let status = s.placements[1].status.get_or_insert_default();
    set_condition(
        &mut status.conditions,
        condition::READY,
        Some(false),
        reason::GRANT_TOO_SMALL,
        String::new(),
        None,
        Timestamp::from_second(5).unwrap(),
    );
    assert!(s.store("from", true).assignment.unwrap().leaving.is_some());
}
