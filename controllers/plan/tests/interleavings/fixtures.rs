//! What the world is made of: two pools over two centres, two levels of tenants, and what departments ask.

use crds::{RequestType, ResourceRequest, Resources, label};
use jiff::{SignedDuration, Timestamp};
use plan::ceilings::Ceiling;
use plan::pool::{Capacity, Pool, Sort};
use plan::quota::Slot;
use plan::tenants::TenantFacts;
use serde_json::json;

pub(crate) const CENTRES: [&str; 2] = ["jishi", "jiyidong"];
pub(crate) const POOLS: [&str; 2] = ["arm", "x86"];
/// vCPU of each pool in each centre.
pub(crate) const GROSS: i128 = 20;
/// Parents and children. The parent's ceiling is the lower one, so that ancestors count.
const TENANTS: [(&str, Option<&str>, i128); 2] = [("p", None, 26), ("t", Some("p"), 34)];

pub(crate) fn vcpu(n: i128) -> Resources {
    Resources {
        cpu: n * 1000,
        memory: n << 30,
        ..Resources::ZERO
    }
}

pub(crate) fn pool(name: &str) -> Pool {
    let capacity = Capacity {
        gross: vcpu(GROSS),
        known: true,
        ..Capacity::default()
    };
    let architecture = if name == "arm" {
        crds::Architecture::Arm64
    } else {
        crds::Architecture::Amd64
    };
    Pool {
        name: name.into(),
        generation: 1,
        sort: Sort::Compute(architecture),
        zone: crds::Zone::GovExtranet,
        slots: CENTRES
            .map(|c| Slot {
                name: c.into(),
                weight: 1,
                primary: c == "jishi",
            })
            .to_vec(),
        capacity: CENTRES.map(|c| (c.to_owned(), capacity.clone())).into(),
        overcommit: 1000,
        reserve: None,
        policy: plan::approvals::Policy::default(),
        intake: crds::Intake::Open,
        hold_after: SignedDuration::from_hours(72),
    }
}

pub(crate) fn tenants() -> impl Iterator<Item = (String, TenantFacts)> {
    TENANTS.into_iter().map(|(name, parent, ceiling)| {
        let facts = TenantFacts {
            generation: 1,
            parent: parent.map(str::to_owned),
            ceilings: POOLS.map(|p| (p.to_owned(), Ceiling::plain(vcpu(ceiling)))).into(),
            ..TenantFacts::default()
        };
        (name.to_owned(), facts)
    })
}

/// A request for a grant of its own. Every third one lives in one centre, every fourth one takes from both pools.
pub(crate) fn asks(i: usize, n: u8, version: u64) -> ResourceRequest {
    let amounts = json!({"cpu": n.to_string(), "memory": format!("{n}Gi")});
    let survival = if n.is_multiple_of(3) { "None" } else { "Full" };
    let mut spec = json!({"displayName": "x", "type": "New", "survival": survival});
    if n.is_multiple_of(4) {
        spec["pools"] = POOLS.map(|p| json!({"name": p, "amounts": amounts})).into();
    } else {
        spec["resources"] = amounts;
    }
    let name = format!("r{i}");
    object(&name, version, &spec, &json!([label::CHARGED]))
}

/// A request that speaks of another one's grant.
pub(crate) fn speaks_of(i: usize, kind: RequestType, n: Option<u8>, version: u64) -> ResourceRequest {
    let resources = n.map(|n| json!({"cpu": n.to_string(), "memory": format!("{n}Gi")}));
    let term = (kind == RequestType::Renew).then(|| json!({"months": 1}));
    let spec = json!({"displayName": "x", "type": kind, "allocationRef": {"name": format!("r{i}")},
        "resources": resources, "term": term});
    let name = format!("{kind:?}{i}").to_lowercase();
    object(&name, version, &spec, &json!([]))
}

fn object(name: &str, version: u64, spec: &serde_json::Value, finalizers: &serde_json::Value) -> ResourceRequest {
    let created = Timestamp::from_second(version.cast_signed()).unwrap().to_string();
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest", "spec": spec,
        "metadata": {"name": name, "namespace": "t", "uid": format!("{name}-{version}"), "creationTimestamp": created,
            "resourceVersion": version.to_string(), "finalizers": finalizers}});
    serde_json::from_value(object).unwrap()
}
