//! One reason at a time: each case has everything in the way that stands later in the order, and one thing more.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{DataCenter, LedgerState, QuotaPool, RequestApproval, ResourceRequest, Resources, request_reason as reason};
use jiff::Timestamp;
use plan::ceilings::Ceiling;
use plan::cycle::{Reading, Snapshot, cycle};
use plan::ledger::Ledger;
use plan::pool::Pool;
use plan::request::Request;
use plan::tenants::TenantFacts;
use serde_json::{Value, json};

const NOW: &str = "2026-03-01T00:00:00Z";

/// A world in which the request waits for a person: the pool is declared, open to the tenant and large enough.
struct World {
    pool: Value,
    ceiling: Option<&'static str>,
    standing: Option<Result<(), String>>,
    resources: Value,
    approvals: Vec<Value>,
}

impl World {
    fn new() -> Self {
        let centre =
            |name: &str| json!({"name": name, "source": "Declared", "amounts": {"cpu": "100", "memory": "100Gi"}});
        Self {
            pool: json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": "x86"},
                "spec": {"displayName": "池", "architecture": "amd64", "zone": "GovExtranet",
                    "centres": [centre("jishi"), centre("jiyidong")],
                    "approval": {"levels": [{"level": 1, "groups": ["l1"]}]}}}),
            ceiling: Some("1"),
            standing: Some(Ok(())),
            resources: json!({"cpu": "8", "memory": "8Gi"}),
            approvals: Vec::new(),
        }
    }

    fn reason(&self) -> &'static str {
        let pool: QuotaPool = serde_json::from_value(self.pool.clone()).unwrap();
        let pool = Pool::read(&pool, &centres(), &[], NOW.parse().unwrap()).unwrap();
        let cpu = |text: &str| Resources {
            cpu: text.parse::<i128>().unwrap() * 1000,
            memory: 1 << 40,
            ..Resources::ZERO
        };
        let ceilings = self
            .ceiling
            .map(|c| ("x86", Ceiling::plain(cpu(c))))
            .into_iter()
            .collect();
        let ceilings = Arc::new(ceilings);
        let tenant = TenantFacts {
            generation: 1,
            ceilings,
            ..TenantFacts::default()
        };
        let snapshot = Snapshot {
            reading: Reading::Nominate,
            now: NOW.parse::<Timestamp>().unwrap(),
            epoch: 1,
            ledger: Ledger {
                state: LedgerState::Open,
                ..Ledger::default()
            },
            pools: BTreeMap::from([("x86".to_owned(), pool)]),
            tenants: BTreeMap::from([("dept".to_owned(), tenant)]),
            standing: self
                .standing
                .clone()
                .map(|s| ("dept".to_owned(), s))
                .into_iter()
                .collect(),
            requests: vec![Request::read(request(&self.resources), false).unwrap().into()],
            approvals: self
                .approvals
                .iter()
                .map(|a| serde_json::from_value::<RequestApproval>(a.clone()).unwrap().into())
                .collect(),
            ..Snapshot::default()
        };
        cycle(&snapshot).assessment(0).unwrap().refusal.as_ref().unwrap().reason
    }

    fn decided(mut self, decision: &str, counted: bool) -> Self {
        let status = if counted {
            json!({"conditions": [{"type": "Counted", "status": "True", "reason": "Counted", "message": "",
                "lastTransitionTime": NOW}]})
        } else {
            Value::Null
        };
        self.approvals
            .push(json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
            "metadata": {"name": decision.to_lowercase(), "namespace": "dept"},
            "spec": {"requestRef": {"name": "r", "uid": "u"}, "level": 1, "decision": decision, "comment": "c",
                "approver": {"username": "zhang.wei", "groups": ["l1"]}}, "status": status}));
        self
    }
}

fn centres() -> Vec<DataCenter> {
    let centre = |name: &str| {
        json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": name},
            "spec": {"displayName": name, "role": "Primary", "operator": "JishiMedia"}})
    };
    ["jishi", "jiyidong"]
        .map(|name| serde_json::from_value(centre(name)).unwrap())
        .to_vec()
}

fn request(resources: &Value) -> ResourceRequest {
    serde_json::from_value(json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "r", "namespace": "dept", "uid": "u", "finalizers": ["xiangyun.io/charged"]},
        "spec": {"displayName": "r", "type": "New", "requestedBy": "li.na",
            "project": {"approvalNo": "1", "funding": "AnnualBudget"}, "resources": resources,
            "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}}}))
    .unwrap()
}

#[test]
fn a_ceiling_stands_behind_the_approval() {
    assert_eq!(World::new().reason(), reason::AWAITING_APPROVAL);
    assert_eq!(
        World::new().decided("Approved", false).reason(),
        reason::CEILING_REACHED
    );
}

#[test]
fn what_no_waiting_mends_stands_before_the_approval() {
    let mut world = World::new();
    world.resources = json!({"cpu": "101", "memory": "8Gi"});
    assert_eq!(world.reason(), reason::EXCEEDS_MAX_QUOTA);
    world.ceiling = None;
    assert_eq!(world.reason(), reason::NO_MATCHING_POOL);
    world.standing = Some(Err("a cycle".to_owned()));
    assert_eq!(world.reason(), reason::TENANT_SUSPENDED);
    world.standing = None;
    assert_eq!(world.reason(), reason::TENANT_SUSPENDED);
    world.resources = json!({"cpu": "0.00001", "memory": "8Gi"});
    assert_eq!(world.reason(), reason::MISCONFIGURED);
}

#[test]
fn a_rejection_that_was_counted_stands_whatever_becomes_of_the_pools() {
    assert_eq!(World::new().decided("Rejected", false).reason(), reason::REJECTED);
    let mut world = World::new();
    world.ceiling = None;
    world.standing = None;
    world.resources = json!({"cpu": "0.00001", "memory": "8Gi"});
    assert_eq!(world.decided("Rejected", false).reason(), reason::MISCONFIGURED);
    let mut world = World::new();
    world.ceiling = None;
    assert_eq!(world.decided("Rejected", true).reason(), reason::REJECTED);
}
