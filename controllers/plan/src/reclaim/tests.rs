use crds::{
    Appeal, PoolAmounts, Reclaim, ReclaimPolicy, ReclaimStage, ReclaimStep, Resources, reclaim_reason as reason,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::judge::Verdict;
use super::policy::{Policy, PolicyError, by_precedence};
use super::stage::{Seen, next};
use super::survey::{Keep, oldest};
use crate::quota::Grant;

fn policy(change: &Value) -> Policy {
    let mut spec =
        json!({"displayName": "p", "window": "30d", "cpuP95Below": "10%", "memP95Below": "30%", "action": "Shrink"});
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let policy: ReclaimPolicy = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
    Policy::read(&policy).unwrap()
}

fn at(day: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
}

fn cpu(vcpu: i128) -> Vec<PoolAmounts> {
    let amounts = Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    }
    .to_amounts();
    vec![PoolAmounts {
        pool: "x86".into(),
        amounts,
    }]
}

/// Everything that is seen, at rest and idle.
struct Eyes {
    day: i64,
    policy: Policy,
    verdict: Verdict,
    to: Vec<PoolAmounts>,
    holds: Vec<PoolAmounts>,
    changed: i64,
    ended: bool,
    keep: Option<Keep>,
}

impl Eyes {
    fn idle(day: i64) -> Self {
        Self {
            day,
            policy: policy(&json!({})),
            verdict: Verdict::Idle(Grant::new()),
            to: cpu(16),
            holds: cpu(64),
            changed: -100,
            ended: false,
            keep: None,
        }
    }

    fn next(&self, now: Option<&Reclaim>) -> Option<Reclaim> {
        let seen = Seen {
            now: at(self.day),
            policy: &self.policy,
            verdict: &self.verdict,
            to: &self.to,
            holds: &self.holds,
            changed: Some(at(self.changed)),
            ended: self.ended,
            keep: self.keep.as_ref(),
        };
        next(now, seen)
    }
}

fn reclaim(stage: ReclaimStage, day: i64) -> Reclaim {
    Reclaim {
        stage,
        since: at(day).to_string(),
        due: Some(at(day + 21).to_string()),
        to: cpu(16),
        ..Reclaim::default()
    }
}

fn stage(reclaim: Option<Reclaim>) -> Option<ReclaimStage> {
    reclaim.map(|r| r.stage)
}

const ALL: [ReclaimStage; 6] = [
    ReclaimStage::Observed,
    ReclaimStage::Notified,
    ReclaimStage::Due,
    ReclaimStage::Appealed,
    ReclaimStage::Shrunk,
    ReclaimStage::Released,
];

#[test]
fn unknown_moves_no_stage() {
    for now in ALL {
        let mut before = reclaim(now, 0);
        before.appeal = Some(Appeal {
            until: at(30).to_string(),
            ..Appeal::default()
        });
        let eyes = Eyes {
            verdict: Verdict::Unknown(reason::NO_METRICS, None),
            ..Eyes::idle(20)
        };
        assert_eq!(eyes.next(Some(&before)), Some(before), "{now:?}");
    }
    let eyes = Eyes {
        verdict: Verdict::Unknown(reason::NO_METRICS, None),
        ..Eyes::idle(20)
    };
    assert_eq!(eyes.next(None), None);
}

#[test]
fn use_ends_every_way_that_has_not_come_to_its_end() {
    for now in [
        ReclaimStage::Observed,
        ReclaimStage::Notified,
        ReclaimStage::Due,
        ReclaimStage::Appealed,
    ] {
        let eyes = Eyes {
            verdict: Verdict::Busy(reason::IN_USE),
            ..Eyes::idle(20)
        };
        assert_eq!(eyes.next(Some(&reclaim(now, 0))), None, "{now:?}");
        let eyes = Eyes {
            changed: 5,
            ..Eyes::idle(20)
        };
        assert_eq!(
            eyes.next(Some(&reclaim(now, 0))),
            None,
            "{now:?}: what it holds is another thing now"
        );
    }
}

#[test]
fn notice_grace_and_the_day_itself() {
    let told = Eyes::idle(0).next(Some(&reclaim(ReclaimStage::Observed, 0))).unwrap();
    assert_eq!(
        (told.stage, told.day.as_deref()),
        (ReclaimStage::Notified, Some("1970-01-22"))
    );
    assert_eq!(stage(Eyes::idle(13).next(Some(&told))), Some(ReclaimStage::Notified));
    let due = Eyes::idle(14).next(Some(&told)).unwrap();
    assert_eq!(
        (due.stage, &due.since, &due.due),
        (ReclaimStage::Due, &told.since, &told.due)
    );
    assert_eq!(
        stage(Eyes::idle(400).next(Some(&due))),
        Some(ReclaimStage::Due),
        "only the ledger takes"
    );
    let taken = Eyes {
        holds: cpu(16),
        changed: 21,
        ..Eyes::idle(21)
    };
    assert_eq!(stage(taken.next(Some(&due))), Some(ReclaimStage::Shrunk));
}

#[test]
fn what_was_announced_is_only_raised() {
    let more = Eyes {
        to: cpu(20),
        ..Eyes::idle(3)
    }
    .next(Some(&reclaim(ReclaimStage::Notified, 0)))
    .unwrap();
    assert_eq!(more.to, cpu(20));
    let less = Eyes {
        to: cpu(8),
        ..Eyes::idle(3)
    }
    .next(Some(&more))
    .unwrap();
    assert_eq!(less.to, cpu(20));
}

#[test]
fn an_appeal_lasts_one_window() {
    let keep = Keep {
        uid: "k".into(),
        name: "k".into(),
        by: "li.na".into(),
        reason: "r".into(),
        created: at(2),
    };
    for now in [ReclaimStage::Notified, ReclaimStage::Due] {
        let eyes = Eyes {
            keep: Some(keep.clone()),
            ..Eyes::idle(3)
        };
        let kept = eyes.next(Some(&reclaim(now, 0))).unwrap();
        assert_eq!(
            (kept.stage, kept.day.as_deref(), kept.due.as_deref()),
            (ReclaimStage::Appealed, None, None)
        );
        assert_eq!(kept.appeal.as_ref().unwrap().until, at(33).to_string());
        assert_eq!(Eyes::idle(32).next(Some(&kept)), Some(kept.clone()));
        assert_eq!(Eyes::idle(33).next(Some(&kept)), None);
    }
}

#[test]
fn what_shrank_is_given_back_whole_only_where_the_policy_says_so() {
    let shrunk = reclaim(ReclaimStage::Shrunk, 0);
    let again = |action: &str| {
        let eyes = Eyes {
            policy: policy(&json!({"action": action})),
            ..Eyes::idle(40)
        };
        eyes.next(Some(&shrunk)).unwrap()
    };
    assert_eq!(again("Shrink").step, ReclaimStep::Shrink);
    assert_eq!(
        (again("Release").stage, again("Release").step),
        (ReclaimStage::Observed, ReclaimStep::Release)
    );
    let mut due = reclaim(ReclaimStage::Due, 0);
    due.step = ReclaimStep::Release;
    let eyes = Eyes {
        ended: true,
        ..Eyes::idle(22)
    };
    assert_eq!(stage(eyes.next(Some(&due))), Some(ReclaimStage::Released));
    assert_eq!(
        eyes.next(Some(&reclaim(ReclaimStage::Due, 0))),
        None,
        "it ended for another reason"
    );
}

#[test]
fn a_policy_that_only_proposes_takes_its_notices_back() {
    for (now, verdict) in [
        (ReclaimStage::Notified, Verdict::Idle(Grant::new())),
        (ReclaimStage::Due, Verdict::Idle(Grant::new())),
        (ReclaimStage::Due, Verdict::Unknown(reason::NO_METRICS, None)),
    ] {
        let eyes = Eyes {
            policy: policy(&json!({"action": "Propose"})),
            verdict,
            ..Eyes::idle(30)
        };
        let back = eyes.next(Some(&reclaim(now, 0))).unwrap();
        assert_eq!(
            (back.stage, back.day.as_deref(), back.due.as_deref()),
            (ReclaimStage::Observed, None, None),
            "{now:?}"
        );
        assert_eq!(stage(eyes.next(Some(&back))), Some(ReclaimStage::Observed), "and stays");
    }
    let taken = Eyes {
        policy: policy(&json!({"action": "Propose"})),
        holds: cpu(16),
        changed: 21,
        ..Eyes::idle(21)
    };
    assert_eq!(
        stage(taken.next(Some(&reclaim(ReclaimStage::Due, 0)))),
        Some(ReclaimStage::Shrunk),
        "what was taken before is told"
    );
}

#[test]
fn who_shrinks_and_gives_nothing_back_is_told_so_anew() {
    let mut due = reclaim(ReclaimStage::Due, 0);
    due.step = ReclaimStep::Release;
    let back = Eyes::idle(20).next(Some(&due)).unwrap();
    assert_eq!(back.stage, ReclaimStage::Observed);
    let told = Eyes::idle(20).next(Some(&back)).unwrap();
    assert_eq!(
        (told.stage, told.step, told.day.as_deref()),
        (ReclaimStage::Notified, ReclaimStep::Shrink, Some("1970-02-11"))
    );
    let release = Eyes {
        policy: policy(&json!({"action": "Release"})),
        ..Eyes::idle(20)
    };
    assert_eq!(stage(release.next(Some(&due))), Some(ReclaimStage::Due));
}

#[test]
fn policies_are_asked_by_how_much_they_name() {
    let named = |name: &str, tenants: Value, pools: Value| Policy {
        name: name.into(),
        ..policy(&json!({"tenants": tenants, "pools": pools}))
    };
    let mut all = [
        named("b", json!([]), json!([])),
        named("a", json!([]), json!([])),
        named("pool", json!([]), json!(["x86"])),
        named("tenant", json!(["dept"]), json!([])),
        named("both", json!(["dept"]), json!(["x86"])),
    ];
    all.sort_by(by_precedence);
    assert_eq!(all.map(|p| p.name), ["both", "tenant", "pool", "a", "b"]);
}

#[test]
fn a_spec_that_cannot_be_read_is_named() {
    let policy =
        |spec: Value| Policy::read(&serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap());
    let spec = json!({"displayName": "p", "window": "a month", "cpuP95Below": "10%", "memP95Below": "30%"});
    assert_eq!(policy(spec.clone()), Err(PolicyError::Duration("a month".into())));
    let mut spec = spec;
    spec["window"] = json!("30d");
    spec["cpuP95Below"] = json!("little");
    assert_eq!(policy(spec), Err(PolicyError::Percent("little".into())));
}

#[test]
fn figures_may_be_a_tenth_of_the_window_old() {
    assert_eq!(oldest(SignedDuration::from_hours(720)), SignedDuration::from_hours(1));
    assert_eq!(oldest(SignedDuration::from_mins(50)), SignedDuration::from_mins(5));
    assert_eq!(oldest(SignedDuration::from_secs(30)), SignedDuration::from_secs(60));
}
