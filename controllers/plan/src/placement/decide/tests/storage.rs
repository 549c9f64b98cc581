//! Storage that is claimed fits into what the tenant holds in the storage pools, or nothing is placed.

use crds::Resources;
use serde_json::{Value, json};

use super::*;

const GI: i128 = 1 << 30;

fn put(s: &mut Stage, kind: TemplateKind, name: &str, spec: &Value) {
    let value = json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec});
    let facts = crate::placement::template::read(&kind, &value);
    s.templates
        .insert(("dept".to_owned(), object(kind, name)), Arc::new(facts));
}

fn claim(class: &str, size: &str) -> Value {
    json!({"storageClassName": class, "resources": {"requests": {"storage": size}}})
}

/// A StatefulSet with a claim for each copy.
fn set(s: &mut Stage, name: &str, copies: i64, class: &str, size: &str) {
    let spec = json!({"replicas": copies, "volumeClaimTemplates": [{"spec": claim(class, size)}],
        "template": {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1", "memory": "0"}}}]}}});
    put(s, TemplateKind::StatefulSet, name, &spec);
}

/// `gi` of the pool of class `hot` in each centre.
fn holding(gi: i128) -> Stage {
    let mut s = stage(10);
    let room = Room {
        in_force: Resources {
            storage: gi * GI,
            ..Resources::ZERO
        },
        survival: Resources::ZERO,
    };
    let hot = Granted {
        centres: ["a", "b"].map(|c| (c.to_owned(), room)).into(),
        ..Granted::default()
    };
    s.grants.insert(("dept".to_owned(), "hot".to_owned()), hot);
    s
}

fn said(decision: &Decision) -> String {
    decision
        .obstacle
        .as_ref()
        .map(|o| o.message.clone())
        .unwrap_or_default()
}

#[test]
fn claims_of_every_copy_are_held_against_the_share() {
    let mut s = holding(10);
    set(&mut s, "db", 6, "hot", "4Gi");
    s.placement("p", "db", BOTH);
    let refused = s.store("p", true);
    assert_eq!(
        (why(&refused), &refused.assignment),
        (Some(reason::GRANT_TOO_SMALL), &None)
    );
    let message = said(&refused);
    assert!(
        message.contains("a: claims 12Gi of StorageClass hot, granted there to namespace dept 10Gi")
            && message.contains("short of 2Gi"),
        "{message}"
    );
    set(&mut s, "db", 6, "hot", "3Gi");
    assert_eq!(why(&s.store("p", true)), None);
    // What is claimed already needs no room of its own.
    assert_eq!(why(&s.store("p", true)), None);
}

#[test]
fn others_of_the_namespace_are_counted_and_a_shared_claim_once() {
    let mut s = holding(10);
    put(
        &mut s,
        TemplateKind::PersistentVolumeClaim,
        "data",
        &claim("hot", "6Gi"),
    );
    let data = object(TemplateKind::PersistentVolumeClaim, "data");
    for name in ["one", "two"] {
        s.template(
            object(TemplateKind::Deployment, name),
            2,
            name,
            std::slice::from_ref(&data),
        );
        s.placement(name, name, BOTH);
        assert_eq!(why(&s.store(name, true)), None, "{name}");
    }
    set(&mut s, "db", 2, "hot", "5Gi");
    s.placement("third", "db", BOTH);
    let refused = s.store("third", true);
    assert_eq!(why(&refused), Some(reason::GRANT_TOO_SMALL));
    assert!(
        said(&refused).contains("other placements claim 6Gi: short of 1Gi"),
        "{}",
        said(&refused)
    );
}

#[test]
fn two_new_ones_of_one_pass_do_not_both_get_the_last_of_it() {
    let mut s = holding(10);
    for name in ["one", "two"] {
        set(&mut s, name, 2, "hot", "6Gi");
        s.placement(name, name, BOTH);
    }
    let refused = s
        .decide()
        .into_values()
        .filter(|d| why(d) == Some(reason::GRANT_TOO_SMALL));
    assert_eq!(refused.count(), 1);
}

/// The quota of the centre bounds the sum of all classes, too.
#[test]
fn a_class_of_no_pool_counts_in_the_sum() {
    let run = |gi: i128, class: &str| {
        let mut s = holding(gi);
        set(&mut s, "db", 2, class, "1Gi");
        s.placement("p", "db", BOTH);
        let decision = s.store("p", true);
        (why(&decision), said(&decision))
    };
    assert_eq!(run(1, "local").0, None);
    let (why, message) = run(0, "");
    assert_eq!(why, Some(reason::GRANT_TOO_SMALL));
    assert!(message.contains("claims 1Gi of storage in all"), "{message}");
}

/// Storage is granted to the tenant's own namespace; one of a pool's own has none.
#[test]
fn a_separate_namespace_has_no_storage() {
    let mut s = holding(10);
    let arm = s.grants[&("dept".to_owned(), "x86".to_owned())].clone();
    s.grants.insert(("dept".to_owned(), "arm".to_owned()), arm);
    set(&mut s, "db", 2, "hot", "1Gi");
    s.placement("p", "db", BOTH);
    s.placements[0].spec.pool = "arm".to_owned();
    let refused = s.store("p", true);
    assert_eq!(why(&refused), Some(reason::GRANT_TOO_SMALL));
    assert!(said(&refused).contains("to namespace dept-arm 0"), "{}", said(&refused));
}

#[test]
fn what_claims_more_than_is_granted_may_become_less() {
    let mut s = holding(10);
    set(&mut s, "db", 4, "hot", "5Gi");
    s.placement("p", "db", BOTH);
    assert_eq!(why(&s.store("p", true)), None);
    for room in s.grants.values_mut().flat_map(|g| g.centres.values_mut()) {
        room.in_force.storage = room.in_force.storage.min(4 * GI);
    }
    let same = s.store("p", true);
    let message = &same.note.as_ref().unwrap().message;
    assert!(
        same.follows && message.contains("short of 6Gi; what runs stays and may become less"),
        "{message}"
    );
    // Neither larger claims of fewer copies nor more of them.
    for (copies, size) in [(2, "11Gi"), (6, "5Gi")] {
        set(&mut s, "db", copies, "hot", size);
        let refused = s.store("p", true);
        assert_eq!((refused.follows, why(&refused)), (false, Some(reason::GRANT_TOO_SMALL)));
    }
    set(&mut s, "db", 2, "hot", "5Gi");
    let fewer = s.store("p", true);
    assert_eq!((fewer.follows, copies(&fewer)), (true, both(1, 1)));
    set(&mut s, "db", 4, "hot", "5Gi");
    assert!(!s.store("p", true).follows, "what was given up is not taken back");
}
