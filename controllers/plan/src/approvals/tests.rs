//! Which decisions count, and what they make of the request.

use super::*;
use serde_json::{Value, json};

const UID: &str = "u-1";

/// Level 1 of the group `finance`, level 2 of `platform` and of Wu Gang, who is in no group.
fn two_levels() -> Needed {
    let entitled = |group: &str, users: &[&str]| Entitled {
        groups: vec![group.to_owned()],
        users: users.iter().map(|u| (*u).to_owned()).collect(),
    };
    Needed([(1, entitled("finance", &[])), (2, entitled("platform", &["wu.gang"]))].into())
}

fn wish(spec: &Value) -> Wish {
    let mut whole = json!({"displayName": "x", "type": "New", "term": {"months": 12}});
    let fields = whole.as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    Wish::read(&serde_json::from_value(whole).unwrap())
}

fn compute() -> Wish {
    wish(&json!({"resources": {"cpu": "64", "memory": "64Gi"}}))
}

/// A decision of `person` at a level, in that second.
fn decision(second: i64, level: i32, person: &str, groups: &[&str], more: &Value) -> RequestApproval {
    let created = Timestamp::from_second(second).unwrap().to_string();
    let mut object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
        "metadata": {"name": format!("a{second}"), "namespace": "dept", "creationTimestamp": created},
        "spec": {"requestRef": {"name": "r", "uid": UID}, "level": level, "decision": "Approved",
            "approver": {"username": person, "groups": groups}}});
    let fields = object["spec"].as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn plain(second: i64, level: i32, person: &str, groups: &[&str]) -> RequestApproval {
    decision(second, level, person, groups, &json!({}))
}

fn lowers(amounts: &Value) -> RequestApproval {
    let more = json!({"amounts": amounts, "comment": "as budgeted"});
    decision(1, 1, "zhang.wei", &["finance"], &more)
}

fn counted(wish: &Wish, approvals: &[RequestApproval]) -> Outcome {
    let all: Vec<&RequestApproval> = approvals.iter().collect();
    count(UID, "li.na", wish, &[], &two_levels(), &all)
}

/// What is said of each, in their order.
fn verdicts(approvals: &[RequestApproval]) -> Vec<Result<(), &'static str>> {
    let outcome = counted(&compute(), approvals);
    let name = |a: &RequestApproval| a.metadata.name.clone().unwrap();
    approvals.iter().map(|a| outcome.counted[&name(a)]).collect()
}

#[test]
fn what_counts_and_what_does_not() {
    let first = || plain(1, 1, "zhang.wei", &["finance", "org:finance"]);
    let second = |person: &str, groups: &[&str]| plain(2, 2, person, groups);
    let other = json!({"requestRef": {"name": "r", "uid": "u-0"}});
    let table = [
        (
            "two people of two organisations",
            second("sun.li", &["platform", "org:ops"]),
            Ok(()),
        ),
        ("a person by name", second("wu.gang", &[]), Ok(())),
        (
            "the requester",
            second("li.na", &["platform"]),
            Err(reason::SELF_APPROVAL),
        ),
        (
            "one person twice",
            second("zhang.wei", &["platform"]),
            Err(reason::SAME_PERSON),
        ),
        (
            "one organisation twice",
            second("sun.li", &["platform", "org:finance"]),
            Err(reason::SAME_ORGANISATION),
        ),
        (
            "another group",
            second("sun.li", &["finance"]),
            Err(reason::NOT_ENTITLED),
        ),
        (
            "a level that is not needed",
            plain(2, 3, "sun.li", &["platform"]),
            Err(reason::NOT_ENTITLED),
        ),
        (
            "a level that decided",
            plain(2, 1, "sun.li", &["finance"]),
            Err(reason::ALREADY_DECIDED),
        ),
        (
            "a request that had the name before",
            decision(2, 2, "sun.li", &["platform"], &other),
            Err(reason::UID_MISMATCH),
        ),
    ];
    for (what, approval, wanted) in table {
        assert_eq!(verdicts(&[first(), approval]), [Ok(()), wanted], "{what}");
    }
}

#[test]
fn levels_are_missing_until_each_has_agreed() {
    let (finance, platform) = (
        plain(1, 1, "zhang.wei", &["finance"]),
        plain(5, 2, "sun.li", &["platform"]),
    );
    let one = counted(&compute(), std::slice::from_ref(&finance));
    assert_eq!((one.given, one.missing), (1, vec![2]));
    // The order in which they are listed says nothing, the time does.
    let both = counted(&compute(), &[platform, finance]);
    assert_eq!((both.given, both.missing), (2, vec![]));
    assert_eq!(both.decided_at, Timestamp::from_second(5).ok());
    assert_eq!(both.rejected, None);
}

#[test]
fn a_rejection_ends_it_and_says_why() {
    let no = json!({"decision": "Rejected", "comment": "no funding"});
    let no = decision(1, 1, "zhang.wei", &["finance"], &no);
    let late = plain(2, 2, "sun.li", &["platform"]);
    assert_eq!(verdicts(&[no.clone(), late]), [Ok(()), Err(reason::ALREADY_DECIDED)]);
    let outcome = counted(&compute(), &[no]);
    assert_eq!(
        outcome.rejected,
        Some(("zhang.wei".to_owned(), "no funding".to_owned()))
    );
    assert_eq!(outcome.given, 0);
    // Who may not decide does not reject, either.
    let foreign = json!({"decision": "Rejected"});
    let foreign = decision(1, 1, "li.na", &["finance"], &foreign);
    assert_eq!(counted(&compute(), &[foreign]).rejected, None);
}

#[test]
fn the_lowest_amount_of_all_levels_is_granted() {
    let second = json!({"amounts": {"cpu": "48", "memory": "16Gi"}, "comment": "less memory"});
    let second = decision(2, 2, "sun.li", &["platform"], &second);
    let outcome = counted(&compute(), &[lowers(&json!({"cpu": "32", "memory": "64Gi"})), second]);
    let lowered = BTreeMap::from([("cpu".to_owned(), 32_000), ("memory".to_owned(), 16 << 30)]);
    assert_eq!(outcome.lowered, lowered);
    let wish = compute();
    let (needs, _) = wish.with(&outcome.lowered).unwrap();
    assert_eq!(needs[0].amounts().cpu, 32_000);
}

#[test]
fn amounts_that_lower_nothing_do_not_count() {
    let pools = |names: &[&str]| {
        let rows: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "amounts": {"cpu": "8", "memory": "8Gi"}}))
            .collect();
        wish(&json!({ "pools": rows }))
    };
    let card = |use_: &str| json!({"use": use_, "count": 4});
    let cards = |uses: &[&str]| {
        let rows: Vec<Value> = uses.iter().map(|u| card(u)).collect();
        wish(&json!({"resources": {"cpu": "8", "memory": "8Gi", "accelerators": rows}}))
    };
    let blocks = json!({"use": "Training", "count": 16, "perNode": 8});
    let blocks = wish(&json!({"resources": {"accelerators": [blocks]}}));
    let renewal = wish(&json!({"type": "Renew", "allocationRef": {"name": "r"}}));
    let table = [
        (pools(&["x86"]), json!({"cpu": "4"}), true),
        (pools(&["x86", "arm"]), json!({"cpu": "4"}), false),
        (cards(&["Training"]), json!({"accelerators": 2}), true),
        (cards(&["Training"]), json!({"cpu": "4"}), true),
        (cards(&["Training", "Inference"]), json!({"accelerators": 2}), false),
        (cards(&["Training", "Inference"]), json!({"cpu": "4"}), true),
        (blocks.clone(), json!({"accelerators": 8}), true),
        (blocks, json!({"accelerators": 12}), false),
        (compute(), json!({"cpu": "64"}), true),
        (compute(), json!({"cpu": "65"}), false),
        (compute(), json!({"cpu": "0"}), false),
        (compute(), json!({"cpu": "4", "storage": "1Gi"}), false),
        (compute(), json!({"cpu": "four"}), false),
        (renewal, json!({"cpu": "4"}), false),
    ];
    for (wish, amounts, counts) in table {
        let outcome = counted(&wish, &[lowers(&amounts)]);
        let wanted = if counts { Ok(()) } else { Err(reason::AMOUNTS_INVALID) };
        assert_eq!(outcome.counted["a1"], wanted, "{amounts}");
        assert_eq!(outcome.missing.contains(&1), !counts, "{amounts}");
        assert_eq!(outcome.lowered.is_empty(), !counts, "{amounts}");
    }
}

/// Levels that a policy needs for so much.
fn levels(policy: &Value, n: &Value) -> Vec<i32> {
    let policy = Policy::read(&serde_json::from_value(policy.clone()).unwrap()).unwrap();
    let n = Resources::try_from(&serde_json::from_value::<crds::Amounts>(n.clone()).unwrap()).unwrap();
    needed([(&policy, n)]).0.into_keys().collect()
}

#[test]
fn above_what_is_automatic_somebody_is_always_asked() {
    let level = |level: i32, above: Value| json!({"level": level, "above": above, "groups": [format!("l{level}")]});
    let cpu_alone = json!({"automaticUpTo": {"cpu": "32"},
        "levels": [level(2, json!({"cpu": "128"})), level(1, json!({"cpu": "32"}))]});
    let cards = json!({"automaticUpTo": {"accelerators": "4"}, "levels": [level(1, json!({"accelerators": "4"}))]});
    let nobody = json!({"automaticUpTo": {"cpu": "32"}});
    let upper = json!({"levels": [level(2, json!({"cpu": "128"}))]});
    let table = [
        (&cpu_alone, json!({"cpu": "32"}), vec![]),
        (&cpu_alone, json!({"cpu": "1", "memory": "10Ti"}), vec![1]),
        (&cpu_alone, json!({"cpu": "33", "memory": "1Gi"}), vec![1]),
        (&cpu_alone, json!({"cpu": "129", "memory": "1Gi"}), vec![1, 2]),
        // What cards bring was not asked for.
        (
            &cards,
            json!({"accelerators": "4", "cpu": "48", "memory": "240Gi"}),
            vec![],
        ),
        (
            &cards,
            json!({"accelerators": "5", "cpu": "60", "memory": "300Gi"}),
            vec![1],
        ),
        (&nobody, json!({"cpu": "33"}), vec![]),
        (&upper, json!({"cpu": "1"}), vec![2]),
    ];
    for (policy, n, wanted) in table {
        assert_eq!(levels(policy, &n), wanted, "{n} by {policy}");
    }
}
