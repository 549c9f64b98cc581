//! `simulate`: which waiting requests would start if a phase of expansion were accepted, by the operator's own cycle; whom
//! one more request would leave without room; and what the loss of a centre would mean.

pub mod comes;
pub mod loss;
pub mod placements;
mod print;

use std::collections::BTreeMap;

use crds::{
    Amounts, ExpansionPhase, LedgerState, PoolAmounts, RequestApproval, ResourceRequest, Resources, condition,
    find_condition, request_reason as reason,
};
use jiff::Timestamp;
use plan::cycle::Snapshot;
use plan::phase::simulate::{Start, starts, with};
use plan::pool::Pool;
use plan::request::{Request, date_at};
use serde::Serialize;
use serde_json::Value;

pub use print::print;

use crate::failure::Failure;
use crate::floor::{Floor, Province};
use crate::lang::both;

/// Reasons of those that wait for room.
const ROOM: [&str; 2] = [reason::WAITING_FOR_QUOTA, reason::EXCEEDS_MAX_QUOTA];

/// The answer for one phase of the file. Amounts are exact.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// Name of the phase.
    pub phase: String,
    /// What it would add.
    pub adds: Vec<Added>,
    /// Requests that would start, in the order in which they would be granted.
    pub starts: Vec<Starting>,
    /// How many wait for room now; `None` where requests may not be read.
    pub waiting: Option<usize>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a pool would gain in a centre.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    /// Pool.
    pub pool: String,
    /// Centre.
    pub centre: String,
    /// More that can be committed, after over-commit and reserve.
    pub committable: Amounts,
    /// Free now.
    pub free: Amounts,
    /// Free once those that would start have started.
    pub left: Amounts,
}

/// A request that would start.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Starting {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What it would be granted.
    pub pools: Vec<PoolAmounts>,
}

/// A phase as it stands in a file.
///
/// # Errors
/// `Usage`, saying what cannot be read.
pub fn read(document: Value) -> Result<ExpansionPhase, Failure> {
    let phase: ExpansionPhase = serde_json::from_value(document).map_err(|e| {
        Failure::Usage(both(
            format!("the ExpansionPhase cannot be read: {e}"),
            format!("ExpansionPhase 格式有误：{e}"),
        ))
    })?;
    plan::phase::delivers(&phase).map_err(|e| Failure::Usage(e.to_string()))?;
    Ok(phase)
}

/// What the phase would bring, from what the user may read: requests of all namespaces, or of the one that is named.
pub fn simulate(
    phase: &ExpansionPhase,
    province: &Province,
    requests: Option<(&[ResourceRequest], Option<&str>)>,
    approvals: &[RequestApproval],
    now: Timestamp,
) -> Simulation {
    let (all, only) = requests.unwrap_or_default();
    let floor = Floor::new(province, only.unwrap_or_default(), None, date_at(now));
    let mut notes = Vec::new();
    notes.extend(pools_note(province, &floor));
    notes.extend(requests_note(requests.is_some(), only));
    if province.pools.is_some() {
        notes.extend(unknown_rows(phase, &floor));
    }
    let snapshot = snapshot(&floor, all, approvals, now);
    let pools = with(&floor.pools, phase);
    let started = starts(&snapshot, pools.clone());
    Simulation {
        phase: plan::phase::name(phase).to_owned(),
        adds: added(phase, &floor, &pools, &started),
        starts: started.iter().map(starting).collect(),
        waiting: requests.map(|(all, _)| all.iter().filter(|r| waits(r, &ROOM)).count()),
        notes,
    }
}

fn snapshot(floor: &Floor, requests: &[ResourceRequest], approvals: &[RequestApproval], now: Timestamp) -> Snapshot {
    let mut ledger = floor.ledger.clone();
    ledger.state = LedgerState::Open;
    let readable = |r: &ResourceRequest| Request::read(r.clone(), false).ok();
    Snapshot {
        now,
        ledger,
        pools: floor.pools.clone(),
        tenants: floor.tenants.clone(),
        standing: floor.standing.clone(),
        requests: requests.iter().filter_map(readable).map(Into::into).collect(),
        approvals: approvals.iter().cloned().map(Into::into).collect(),
        ..Snapshot::default()
    }
}

/// That pools may not be read, which the floor says first.
fn pools_note(province: &Province, floor: &Floor) -> Option<String> {
    floor.notes.first().filter(|_| province.pools.is_none()).cloned()
}

fn requests_note(readable: bool, only: Option<&str>) -> Option<String> {
    match (readable, only) {
        (false, _) => Some(both(
            "requests: you may not read them, so none is listed",
            "资源申请：无查看权限，未列出",
        )),
        (true, Some(namespace)) => Some(both(
            format!("only requests of {namespace} were looked at; others that wait may be served first"),
            format!("仅查看了 {namespace} 的申请，其他排队申请可能优先"),
        )),
        (true, None) => None,
    }
}

/// Rows that go to a pool or centre that is not known.
fn unknown_rows(phase: &ExpansionPhase, floor: &Floor) -> Vec<String> {
    let known = |d: &&crds::Delivery| {
        let pool = floor.pools.get(&d.pool);
        pool.is_some_and(|p| p.capacity.contains_key(&d.centre))
    };
    let unknown = phase.spec.delivers.iter().filter(|d| !phase.spec.existing && !known(d));
    unknown
        .map(|d| {
            let at = format!("{}@{}", d.pool, d.centre);
            both(
                format!("{at}: no such pool with a known capacity there, left out"),
                format!("{at}：资源池不存在或容量未知，未计入"),
            )
        })
        .collect()
}

fn added(phase: &ExpansionPhase, floor: &Floor, pools: &BTreeMap<String, Pool>, started: &[Start]) -> Vec<Added> {
    let row = |d: &crds::Delivery| {
        let before = floor.pools.get(&d.pool)?.capacity.get(&d.centre)?.committable();
        let after = pools.get(&d.pool)?.capacity.get(&d.centre)?.committable();
        let free = floor.ledger.free(&d.pool, &d.centre);
        let added = started.iter().map(|s| s.adds(&d.pool, &d.centre));
        let taken = added.fold(Resources::ZERO, Resources::plus);
        Some(Added {
            pool: d.pool.clone(),
            centre: d.centre.clone(),
            committable: after.minus(before).to_amounts(),
            free: free.to_amounts(),
            left: free.plus(after.minus(before)).minus(taken).to_amounts(),
        })
    };
    let rows = phase.spec.delivers.iter().filter(|_| !phase.spec.existing);
    rows.filter_map(row).collect()
}

fn starting(start: &Start) -> Starting {
    let pool = |(pool, grant): (&plan::by_name::Name, &plan::quota::PoolGrant)| PoolAmounts {
        pool: pool.to_string(),
        amounts: grant.n.to_amounts(),
    };
    Starting {
        name: start.name.clone(),
        namespace: start.tenant.clone(),
        pools: start.grant.iter().map(pool).collect(),
    }
}

/// Whether that is why the operator says that a request waits.
fn waits(request: &ResourceRequest, reasons: &[&str]) -> bool {
    let conditions = request.status.as_ref().map(|s| s.conditions.as_slice());
    let ready = find_condition(conditions.unwrap_or_default(), condition::READY);
    ready.is_some_and(|c| reasons.contains(&c.reason.as_str()))
}
