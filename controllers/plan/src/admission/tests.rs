//! Who is asked when amounts are lowered, and for whom it is too late.

use std::sync::Arc;

use crds::{DataCenter, LedgerState, Resources};
use serde_json::{Value, json};

use super::*;
use crate::ceilings::Ceiling;
use crate::cycle::{CyclePlan, Snapshot, cycle};
use crate::ledger::Ledger;
use crate::tenants::TenantFacts;

/// Ten past eight in the morning of 1 March in the province.
const NOW: &str = "2026-03-01T00:10:00Z";
const CENTRES: [&str; 2] = ["jishi", "jiyidong"];

/// A pool that can commit so many vCPU in each centre, and a Gi for each.
fn pool(name: &str, architecture: &str, vcpu: u32, approval: &Value) -> (String, Pool) {
    let amounts = json!({"cpu": vcpu.to_string(), "memory": format!("{vcpu}Gi")});
    let centre = |name: &str| json!({"name": name, "source": "Declared", "amounts": amounts});
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": name},
        "spec": {"displayName": name, "architecture": architecture, "zone": "GovExtranet",
            "centres": CENTRES.map(centre), "approval": approval}});
    let known = |name: &str| -> DataCenter {
        let spec = json!({"displayName": name, "role": "Primary", "operator": "JishiMedia"});
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": name},
            "spec": spec});
        serde_json::from_value(object).unwrap()
    };
    let object = serde_json::from_value(object).unwrap();
    let pool = Pool::read(&object, &CENTRES.map(known), &[], NOW.parse().unwrap()).unwrap();
    (name.to_owned(), pool)
}

/// Amd64 with 210 vCPU and two levels, arm64 with 300 and one.
fn two_pools() -> Snapshot {
    let first = json!({"level": 1, "groups": ["l1"]});
    let second = json!({"level": 2, "above": {"cpu": "128"}, "groups": ["l2"]});
    let pools = [
        pool("x86", "amd64", 210, &json!({"levels": [first, second]})),
        pool("arm", "arm64", 300, &json!({"levels": [first]})),
    ];
    let wide = Resources {
        cpu: 1_000_000,
        memory: 1 << 40,
        ..Resources::ZERO
    };
    let tenant = TenantFacts {
        generation: 1,
        ceilings: Arc::new(["arm", "x86"].map(|name| (name, Ceiling::plain(wide))).into()),
        ..TenantFacts::default()
    };
    Snapshot {
        now: NOW.parse().unwrap(),
        epoch: 1,
        ledger: Ledger {
            state: LedgerState::Open,
            ..Ledger::default()
        },
        pools: pools.into(),
        tenants: [("dept".to_owned(), tenant)].into(),
        standing: [("dept".to_owned(), Ok(()))].into(),
        ..Snapshot::default()
    }
}

/// The same without anybody who is to be asked.
fn automatic() -> Snapshot {
    let mut snapshot = two_pools();
    snapshot.pools.values_mut().for_each(|p| p.policy = Policy::default());
    snapshot
}

/// A request of 20 February, and what its status says.
fn asks(snapshot: &mut Snapshot, spec: &Value, status: &Value) {
    let mut whole = json!({"displayName": "r", "requestedBy": "li.na"});
    let fields = whole.as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "r", "namespace": "dept", "uid": "u", "finalizers": ["xiangyun.io/charged"],
            "creationTimestamp": "2026-02-20T00:00:00Z"},
        "spec": whole, "status": status});
    let request = Request::read(serde_json::from_value(object).unwrap(), false).unwrap();
    snapshot.requests = vec![Arc::new(request)];
}

fn agrees(snapshot: &mut Snapshot, level: i32, amounts: &Value) {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
        "metadata": {"name": format!("a{level}"), "namespace": "dept",
            "creationTimestamp": format!("2026-02-2{level}T00:00:00Z")},
        "spec": {"requestRef": {"name": "r", "uid": "u"}, "level": level, "decision": "Approved", "comment": "c",
            "amounts": amounts, "approver": {"username": format!("p{level}"), "groups": [format!("l{level}")]}}});
    let approval: RequestApproval = serde_json::from_value(object).unwrap();
    snapshot.approvals.push(Arc::new(approval));
}

fn refused(plan: &CyclePlan) -> Option<&'static str> {
    plan.assessment(0).unwrap().refusal.as_ref().map(|r| r.reason)
}

#[test]
fn a_lower_amount_from_another_pool_needs_the_levels_of_that_pool() {
    let mut snapshot = two_pools();
    let amounts = json!({"cpu": "256", "memory": "256Gi"});
    let spec = json!({"type": "New", "resources": amounts, "term": {"months": 12}});
    asks(&mut snapshot, &spec, &Value::Null);
    // All of it has room in arm64 alone, which asks one level.
    assert_eq!(cycle(&snapshot).assessment(0).unwrap().outcome.missing, [1]);
    let mut whole = snapshot.clone();
    agrees(&mut whole, 1, &json!({}));
    assert!(cycle(&whole).swap.unwrap().records["u"].to.contains_key("arm"));
    // Less has room in amd64, which goes first, and asks two.
    agrees(&mut snapshot, 1, &json!({"cpu": "200", "memory": "200Gi"}));
    let plan = cycle(&snapshot);
    let found = plan.assessment(0).unwrap();
    assert_eq!(refused(&plan), Some(reason::AWAITING_APPROVAL));
    assert_eq!(
        (found.outcome.given, found.outcome.missing.as_slice()),
        (1, [2].as_slice())
    );
    agrees(&mut snapshot, 2, &json!({}));
    let plan = cycle(&snapshot);
    assert_eq!(plan.assessment(0).unwrap().outcome.counted["a2"], Ok(()));
    let record = plan.swap.unwrap().records["u"].clone();
    assert_eq!(record.to["x86"].n.cpu, 200_000);
}

#[test]
fn an_emergency_is_refused_from_the_day_after_its_last() {
    for (until, wanted) in [
        ("2026-02-28", Some(reason::MISCONFIGURED)),
        ("2026-03-01", None),
        ("2026-03-02", None),
    ] {
        let mut snapshot = automatic();
        let amounts = json!({"cpu": "8", "memory": "8Gi"});
        let spec = json!({"type": "Emergency", "resources": amounts, "until": until});
        asks(&mut snapshot, &spec, &Value::Null);
        let plan = cycle(&snapshot);
        assert_eq!(refused(&plan), wanted, "{until}");
        let opened = plan.swap.is_some_and(|next| next.records.contains_key("u"));
        assert_eq!(opened, wanted.is_none(), "{until}");
    }
}

#[test]
fn an_exception_that_was_agreed_to_too_late_never_began() {
    let (yesterday, today) = ("2026-02-28", "2026-03-01");
    for (until, agreed, wanted) in [
        (yesterday, Value::Null, Some(reason::MISCONFIGURED)),
        (
            yesterday,
            json!({"approvedAt": "2026-02-28T16:00:00Z"}),
            Some(reason::MISCONFIGURED),
        ),
        // It was in force, and ended: its status says so.
        (yesterday, json!({"approvedAt": "2026-02-28T15:59:59Z"}), None),
        (today, Value::Null, None),
    ] {
        let mut snapshot = automatic();
        asks(&mut snapshot, &json!({"type": "Exception", "until": until}), &agreed);
        assert_eq!(refused(&cycle(&snapshot)), wanted, "{until}, {agreed}");
    }
}

#[test]
fn a_policy_that_names_nobody_frees_no_emergency_and_no_exception() {
    let amounts = json!({"cpu": "8", "memory": "8Gi"});
    let table = [
        (
            json!({"type": "New", "resources": amounts, "term": {"months": 12}}),
            None,
        ),
        (
            json!({"type": "Emergency", "resources": amounts, "until": "2026-03-10"}),
            Some(reason::AWAITING_APPROVAL),
        ),
        (
            json!({"type": "Exception", "until": "2026-03-10"}),
            Some(reason::AWAITING_APPROVAL),
        ),
    ];
    for (spec, wanted) in table {
        for (mut snapshot, wanted) in [(two_pools(), wanted), (automatic(), None)] {
            snapshot.tenants.get_mut("dept").unwrap().policy = Some(Policy::default());
            asks(&mut snapshot, &spec, &Value::Null);
            assert_eq!(refused(&cycle(&snapshot)), wanted, "{spec}");
        }
    }
}

#[test]
fn an_exception_that_nobody_could_agree_to_is_not_granted() {
    let exception = json!({"type": "Exception", "until": "2026-03-10"});
    let levels = json!({"levels": [{"level": 1, "groups": ["l1"]}]});
    let of_its_own = Policy::read(&serde_json::from_value(levels).unwrap()).unwrap();
    let agreed = json!({"approvedAt": "2026-02-28T00:00:00Z"});
    for (policy, status, wanted) in [
        (None, Value::Null, Some(reason::NO_MATCHING_POOL)),
        (Some(Policy::default()), Value::Null, Some(reason::NO_MATCHING_POOL)),
        (Some(of_its_own), Value::Null, Some(reason::AWAITING_APPROVAL)),
        // The pools were closed to the tenant later.
        (None, agreed, None),
    ] {
        let mut snapshot = two_pools();
        let tenant = snapshot.tenants.get_mut("dept").unwrap();
        (tenant.ceilings, tenant.policy) = (Arc::default(), policy);
        asks(&mut snapshot, &exception, &status);
        assert_eq!(refused(&cycle(&snapshot)), wanted, "{status}");
    }
}
