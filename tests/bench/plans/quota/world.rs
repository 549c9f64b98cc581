//! A province in memory: a tree of tenants in four levels, pools of every sort, and requests that wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use crds::{
    AcceleratorUse, Architecture, Intake, LedgerState, QuotaLedgerSpec, RequestApproval, ResourceRequest, Resources,
    StorageTier, Zone,
};
use jiff::SignedDuration;
use plan::approvals::Policy;
use plan::ceilings::Ceiling;
use plan::cycle::Snapshot;
use plan::ledger::Ledger;
use plan::pool::{Capacity, Pool, Sort};
use plan::quota::Slot;
use plan::request::Request;
use plan::tenants::TenantFacts;
use serde_json::json;

/// Cities under the province; each has pools of its own.
const CITIES: usize = 9;
/// Counties under each city.
const COUNTIES: usize = 10;
/// Sorts of pools that a city has.
const SORTS: usize = 4;
const METRO: [&str; 2] = ["jishi", "jiyidong"];

/// How much room the pools have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// For nobody, but an empty pool would be large enough.
    None,
    /// For everybody.
    Plenty,
}

/// So many waiting requests and tenants over so many pools. One request in five needs a person, and half of these were
/// approved.
pub(crate) fn snapshot(requests: usize, pools: usize, tenants: usize, room: Room) -> Result<Snapshot> {
    let now = "2026-03-01T00:00:00Z".parse()?;
    let facts = tree(tenants, pools);
    let mut ledger = Ledger {
        state: LedgerState::Open,
        ..Ledger::default()
    };
    for (name, facts) in &facts {
        ledger.adopt_tenant(name, facts.generation, facts.parent.as_deref(), &facts.ceilings);
        let entry = ledger.tenants.entry(name.clone()).or_default();
        let held = facts.ceilings.keys().map(|pool| (pool.clone(), amounts(1, 1)));
        entry.charged = held.collect();
    }
    let pools = (0..pools).map(|n| pool(n, room)).collect::<Result<Vec<_>>>()?;
    for pool in &pools {
        ledger.adopt_pool(pool);
        let entry = ledger.pools.entry(pool.name.to_string()).or_default();
        for centre in entry.centres.values_mut() {
            centre.charged = if room == Room::None {
                centre.committable
            } else {
                Resources::ZERO
            };
        }
    }
    // As a pass reads it.
    let ledger = Ledger::try_from(&QuotaLedgerSpec::from(&ledger))?;
    let departments: Vec<&String> = facts.keys().filter(|name| name.starts_with("dept")).collect();
    let asking = departments.iter().cycle().take(requests).enumerate();
    let mut requests = asking
        .map(|(n, tenant)| Ok(Request::read(request(n, tenant)?, true)?.into()))
        .collect::<Result<Vec<Arc<Request>>>>()?;
    // As the cache has them.
    requests.sort_by(|a, b| (a.tenant(), a.name()).cmp(&(b.tenant(), b.name())));
    let approvals = requests.iter().enumerate().filter(|(n, _)| n % 10 == 0);
    Ok(Snapshot {
        now,
        epoch: 1,
        ledger,
        ledger_uid: "11111111-1111-1111-1111-111111111111".into(),
        approvals: approvals.map(|(_, r)| Ok(approval(r)?.into())).collect::<Result<_>>()?,
        pools: pools.into_iter().map(|pool| (pool.name.to_string(), pool)).collect(),
        standing: facts.keys().map(|name| (name.clone(), Ok(()))).collect(),
        tenants: facts,
        requests,
        ..Snapshot::default()
    })
}

/// Province, cities, counties, departments. Each department has one pool of each sort of its city.
fn tree(tenants: usize, pools: usize) -> BTreeMap<String, TenantFacts> {
    let facts = |parent: Option<String>, pools: &mut dyn Iterator<Item = usize>| TenantFacts {
        generation: 1,
        parent,
        ceilings: Arc::new(
            pools
                .map(|n| (pool_name(n), Ceiling::plain(amounts(1 << 30, 1 << 30))))
                .collect(),
        ),
        ..TenantFacts::default()
    };
    let of_city = |city: usize| (0..pools).filter(move |n| n % CITIES == city);
    let mut all = BTreeMap::from([("province".to_owned(), facts(None, &mut (0..pools)))]);
    for city in 0..CITIES {
        let parent = Some("province".to_owned());
        all.insert(format!("city-{city}"), facts(parent, &mut of_city(city)));
        for county in 0..COUNTIES {
            let parent = Some(format!("city-{city}"));
            all.insert(format!("county-{city}-{county}"), facts(parent, &mut of_city(city)));
        }
    }
    for n in 0..tenants.saturating_sub(all.len()) {
        let (city, county) = (n % CITIES, n / CITIES % COUNTIES);
        let parent = Some(format!("county-{city}-{county}"));
        let mut own = of_city(city).take(SORTS);
        all.insert(format!("dept-{n:05}"), facts(parent, &mut own));
    }
    all
}

fn pool_name(number: usize) -> String {
    format!("pool-{number:03}")
}

fn amounts(cpu: i128, cards: i128) -> Resources {
    Resources {
        cpu: cpu * 1000,
        memory: cpu << 32,
        storage: cpu << 32,
        accelerators: cards,
    }
}

fn pool(number: usize, room: Room) -> Result<Pool> {
    let sort = match number / CITIES % SORTS {
        0 => Sort::Compute(Architecture::Amd64),
        1 => Sort::Compute(Architecture::Arm64),
        2 => Sort::Accelerator {
            architecture: Architecture::Amd64,
            use_: AcceleratorUse::Inference,
            per_unit: amounts(12, 0),
        },
        _ => Sort::Storage(StorageTier::Warm),
    };
    let size = if room == Room::None { 1 << 20 } else { 1 << 30 };
    let capacity = Capacity {
        gross: amounts(size, size),
        report: 1,
        reported_at: Some("2026-03-01T00:00:00Z".into()),
        known: true,
        ..Capacity::default()
    };
    let slot = |name: &str| Slot {
        name: name.into(),
        weight: 1,
        primary: name == "jishi",
    };
    let policy = json!({"automaticUpTo": {"cpu": "1024", "memory": "8Ti", "storage": "8Ti", "accelerators": "64"},
        "levels": [{"level": 1, "above": {"cpu": "32"}, "groups": ["approvers"]}]});
    Ok(Pool {
        name: pool_name(number).into(),
        generation: 1,
        sort,
        zone: Zone::GovExtranet,
        slots: METRO.map(slot).to_vec(),
        capacity: METRO.map(|c| (c.to_owned(), capacity.clone())).into(),
        overcommit: 1000,
        reserve: None,
        policy: Policy::read(&serde_json::from_value(policy)?)?,
        intake: Intake::Open,
        hold_after: SignedDuration::from_hours(72),
    })
}

/// A request by number: compute of either architecture, cards, storage, or two of these.
pub(crate) fn request(number: usize, tenant: &str) -> Result<ResourceRequest> {
    let cpu = if number.is_multiple_of(5) { 2000 } else { 8 };
    let compute = json!({"cpu": cpu.to_string(), "memory": "16Gi"});
    let cards = json!([{"use": "Inference", "count": 2}]);
    let storage = json!([{"tier": "Warm", "size": "500Gi"}]);
    let resources = match number % 10 {
        0..=6 => compute,
        7 => json!({"accelerators": cards}),
        8 => json!({"storage": storage}),
        _ => json!({"cpu": "8", "memory": "16Gi", "storage": storage}),
    };
    let architecture = if number.is_multiple_of(3) && number % 10 < 7 {
        "arm64"
    } else {
        "amd64"
    };
    let minute = number % 60;
    Ok(serde_json::from_value(json!({
        "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": format!("request-{number:05}"), "namespace": tenant, "resourceVersion": "1",
            "uid": format!("{:08x}-0000-4000-8000-{number:012}", number.wrapping_mul(2_654_435_761) % (1 << 32)),
            "creationTimestamp": format!("2026-02-01T00:{minute:02}:00Z"), "finalizers": ["xiangyun.io/charged"]},
        "spec": {"displayName": "基准", "type": "New", "requestedBy": "wu.gang", "priority": number % 4,
            "project": {"approvalNo": "1", "funding": "AnnualBudget"}, "resources": resources,
            "architecture": architecture, "compliance": {"classified": false, "mlpsLevel": 2},
            "term": {"months": 12}}}))?)
}

fn approval(request: &Request) -> Result<RequestApproval> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
        "metadata": {"name": format!("{}-1", request.name()), "namespace": request.tenant(),
            "creationTimestamp": "2026-02-02T00:00:00Z"},
        "spec": {"requestRef": {"name": request.name(), "uid": request.uid()}, "level": 1, "decision": "Approved",
            "approver": {"username": "zhang.wei", "groups": ["approvers"]}}}))?)
}
