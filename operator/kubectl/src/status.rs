//! `status`: the province on one page.

use std::collections::BTreeMap;

use crds::{
    Amounts, Condition, DataCenter, PoolFigures, QuotaPool, ResourceRequest, Resources, condition, find_condition,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::amount::signed;
use crate::floor::Province;
use crate::lang::both;

/// The page. `None` is what the reader may not see.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Centres.
    pub centres: Option<Vec<Centre>>,
    /// Pools.
    pub pools: Option<Vec<PoolLine>>,
    /// Pools that are not ready, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
    /// Requests by reason.
    pub requests: Option<BTreeMap<String, usize>>,
    /// The only namespace whose requests were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_of: Option<String>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A centre.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Centre {
    /// Name.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Role.
    pub role: String,
    /// The company that runs it.
    pub operator: String,
    /// `True`, `False` or `Unknown`; `-` before the operator looked.
    pub ready: String,
    /// Reason.
    pub reason: String,
    /// Nodes that are ready, of all.
    pub nodes: Option<[i64; 2]>,
    /// Seconds since the last report by this machine's clock.
    pub reported_seconds_ago: Option<i64>,
}

/// One resource of a pool, over all centres or in one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolLine {
    /// Pool.
    pub pool: String,
    /// Centre; `None` for the total.
    pub centre: Option<String>,
    /// Resource.
    pub resource: &'static str,
    /// gross, reserved, committable, charged, free, used; `None` before the operator wrote figures.
    #[serde(skip)]
    pub figures: Option<[i128; 6]>,
    /// The same, exact.
    #[serde(rename = "figures")]
    pub exact: BTreeMap<&'static str, String>,
    /// What still fits as a grant with survival `Full`; for the total only.
    #[serde(skip)]
    pub free_dual_active: Option<i128>,
}

/// A pool that is not ready.
#[derive(Clone, Debug, Serialize)]
pub struct Trouble {
    /// Pool.
    pub pool: String,
    /// Reason.
    pub reason: String,
    /// `English | 中文`.
    pub message: String,
}

/// Names of the six figures.
pub const FIGURES: [&str; 6] = ["gross", "reserved", "committable", "charged", "free", "used"];

/// Puts the page together. `requests` is what was seen, and the only namespace it was seen in.
pub fn status(
    province: &Province,
    requests: Option<(&[ResourceRequest], Option<&str>)>,
    per_centre: bool,
    now: Timestamp,
) -> Status {
    let mut notes = Vec::new();
    let hidden = |en: &str, zh: &str| both(format!("{en}: you may not read them"), format!("{zh}：无查看权限"));
    if province.centres.is_none() {
        notes.push(hidden("centres", "数据中心"));
    }
    if province.pools.is_none() {
        notes.push(hidden("pools", "资源池"));
    }
    let requests_of = requests.and_then(|(_, only)| only).map(ToOwned::to_owned);
    match (&requests, &requests_of) {
        (None, _) => notes.push(hidden("requests", "申请")),
        (_, Some(only)) => notes.push(both(
            format!("requests: those of {only} only, you may not read the others"),
            format!("申请：仅含 {only}，其余无查看权限"),
        )),
        _ => {}
    }
    Status {
        centres: province
            .centres
            .as_ref()
            .map(|all| all.iter().map(|c| centre(c, now)).collect()),
        pools: province
            .pools
            .as_ref()
            .map(|all| all.iter().flat_map(|p| pool_lines(p, per_centre)).collect()),
        troubles: province.pools.iter().flatten().filter_map(trouble).collect(),
        requests: requests.map(|(all, _)| by_reason(all)),
        requests_of,
        notes,
    }
}

fn ready(conditions: &[Condition]) -> (String, String) {
    let dash = || "-".to_owned();
    find_condition(conditions, condition::READY)
        .map_or_else(|| (dash(), dash()), |c| (c.status.clone(), c.reason.clone()))
}

fn centre(object: &DataCenter, now: Timestamp) -> Centre {
    let status = object.status.clone().unwrap_or_default();
    let (ready, reason) = ready(&status.conditions);
    let at = status
        .report
        .as_ref()
        .and_then(|r| r.reported_at.parse::<Timestamp>().ok());
    Centre {
        name: object.metadata.name.clone().unwrap_or_default(),
        display_name: object.spec.display_name.clone(),
        role: format!("{:?}", object.spec.role),
        operator: object.spec.operator.clone(),
        ready,
        reason,
        nodes: status.report.as_ref().map(|r| [r.ready_nodes, r.nodes]),
        reported_seconds_ago: at.map(|at| now.duration_since(at).as_secs().max(0)),
    }
}

fn pool_lines(pool: &QuotaPool, per_centre: bool) -> Vec<PoolLine> {
    let status = pool.status.clone().unwrap_or_default();
    let line = |resource, centre: Option<&str>, figures: Option<[i128; 6]>, free: Option<i128>| PoolLine {
        pool: pool.metadata.name.clone().unwrap_or_default(),
        centre: centre.map(ToOwned::to_owned),
        resource,
        figures,
        exact: exact(resource, figures, free),
        free_dual_active: free,
    };
    let Some(total) = &status.total else {
        return vec![line("-", None, None, None)];
    };
    let free = status.free_dual_active.clone().unwrap_or_default();
    let mut out = Vec::new();
    for resource in Resources::NAMES
        .into_iter()
        .filter(|r| total.gross.0.contains_key(*r) || total.charged.0.contains_key(*r))
    {
        out.push(line(
            resource,
            None,
            Some(figures(total, resource)),
            Some(read(&free, resource)),
        ));
        for row in status.centres.iter().filter(|_| per_centre) {
            out.push(line(
                resource,
                Some(&row.name),
                Some(figures(&row.figures, resource)),
                None,
            ));
        }
    }
    if out.is_empty() {
        vec![line("-", None, None, None)]
    } else {
        out
    }
}

fn trouble(pool: &QuotaPool) -> Option<Trouble> {
    let conditions = pool
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    let (reason, message) = match find_condition(conditions, condition::READY) {
        Some(ready) if ready.status == "True" => return None,
        Some(ready) => (ready.reason.clone(), ready.message.clone()),
        None => (
            "-".to_owned(),
            both("the operator has not looked at it yet", "控制器尚未处理"),
        ),
    };
    Some(Trouble {
        pool: pool.metadata.name.clone().unwrap_or_default(),
        reason,
        message,
    })
}

fn read(amounts: &Amounts, resource: &str) -> i128 {
    signed(amounts).unwrap_or_default()[resource]
}

fn figures(f: &PoolFigures, resource: &str) -> [i128; 6] {
    [&f.gross, &f.reserved, &f.committable, &f.charged, &f.free, &f.used].map(|a| read(a, resource))
}

fn exact(resource: &str, figures: Option<[i128; 6]>, free: Option<i128>) -> BTreeMap<&'static str, String> {
    let spell = |v| Resources::amount(resource, v).0;
    let six = FIGURES
        .into_iter()
        .zip(figures.into_iter().flatten())
        .map(|(n, v)| (n, spell(v)));
    six.chain(free.map(|v| ("freeDualActive", spell(v)))).collect()
}

fn by_reason(requests: &[ResourceRequest]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        let conditions = request
            .status
            .as_ref()
            .map(|s| s.conditions.as_slice())
            .unwrap_or_default();
        let reason = find_condition(conditions, condition::READY).map_or("-", |c| c.reason.as_str());
        *counts.entry(reason.to_owned()).or_default() += 1;
    }
    counts
}
