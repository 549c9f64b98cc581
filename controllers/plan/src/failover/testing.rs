//! Objects for the tests of this folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{
    Approver, CentreRole, CentreWitness, DualActivePlacement, Failover, FailoverApproval, FailoverApprovalSpec,
    FailoverRef, FailoverSpec, FailoverStamp, FailoverStep, FailoverType, FailoverWord, PlacementRef, RightEpoch,
    WitnessState, group,
};
use jiff::Timestamp;

use super::facts::{Arbiter, Centre, Known, Right, Stage, stamp};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn failover(name: &str, type_: FailoverType, from: &str, to: &str) -> Failover {
    let mut one = Failover::new(
        name,
        FailoverSpec {
            placement_ref: PlacementRef { name: "p".into() },
            type_,
            from: from.into(),
            to: to.into(),
            incident: (type_ == FailoverType::Unplanned).then(|| format!("{from}-17")),
            comment: None,
            requester: Approver::default(),
        },
    );
    one.metadata.namespace = Some("dept".into());
    one.metadata.uid = Some(format!("uid-{name}"));
    one
}

pub(crate) fn stamped(failover: &mut Failover, step: FailoverStep, second: i64) {
    let at = stamp(at(second));
    let status = failover.status.get_or_insert_default();
    status.timeline.push(FailoverStamp { step, at });
}

pub(crate) fn word(failover: &Failover, name: &str, word: FailoverWord, person: &str, org: &str) -> FailoverApproval {
    FailoverApproval::new(
        name,
        FailoverApprovalSpec {
            failover_ref: FailoverRef {
                name: failover.metadata.name.clone().unwrap_or_default(),
                uid: failover.metadata.uid.clone().unwrap_or_default(),
            },
            word,
            comment: Some("seen | 已看".into()),
            approver: Approver {
                username: person.into(),
                groups: vec![group::APPROVERS.into(), org.into()],
            },
        },
    )
}

/// A placement `p` of tenant `dept` in a and b.
pub(crate) fn placement(rest: &str) -> DualActivePlacement {
    let text = format!(
        r#"{{"displayName": "p", "pool": "x86", "select": {{"matchLabels": {{"a": "b"}}}}, "centres": [{{"name": "a"}}, {{"name": "b"}}], {rest}}}"#
    );
    let mut one = DualActivePlacement::new("p", serde_json::from_str(&text).unwrap());
    one.metadata.namespace = Some("dept".into());
    one
}

pub(crate) fn centre(role: CentreRole, state: WitnessState) -> Centre {
    let lost = state != WitnessState::Granted;
    Centre {
        role,
        witness: Some(CentreWitness {
            state,
            since: stamp(at(16)),
            last_seen: lost.then(|| stamp(at(5))),
            incident: None,
        }),
        reports: state != WitnessState::Lost,
    }
}

/// Centres a and b and the witness c, in these states.
pub(crate) fn centres(a: WitnessState, b: WitnessState, c: WitnessState) -> BTreeMap<String, Centre> {
    let mut all = BTreeMap::from([
        ("a".to_owned(), centre(CentreRole::Primary, a)),
        ("b".to_owned(), centre(CentreRole::Backup, b)),
        ("c".to_owned(), centre(CentreRole::DisasterRecovery, c)),
    ]);
    for (name, one) in &mut all {
        let witness = one.witness.as_mut().unwrap();
        if witness.state != WitnessState::Granted {
            witness.incident = Some(format!("{name}-17"));
        }
    }
    all
}

pub(crate) const GRANTED: WitnessState = WitnessState::Granted;
pub(crate) const LOST: WitnessState = WitnessState::Lost;
pub(crate) const RETURNED: WitnessState = WitnessState::Returned;

pub(crate) fn right(counter: u64, holder: Option<&str>, stage: Stage) -> Right {
    Right {
        epoch: RightEpoch {
            incarnation: 1,
            counter,
        },
        holder: holder.map(ToOwned::to_owned),
        stage,
        from: holder.is_none().then(|| "a".to_owned()),
        proof: None,
    }
}

pub(crate) fn seen(right: Option<Right>) -> Arbiter {
    Arbiter::Seen(right.map(|r| ("dept/p".to_owned(), r)).into_iter().collect())
}

pub(crate) fn known(arbiter: Arbiter, centres: BTreeMap<String, Centre>, moves: &[Failover]) -> Known {
    let moves: Vec<_> = moves.iter().cloned().map(Arc::new).collect();
    Known::new(arbiter, centres, &moves)
}
