//! Where users' traffic goes: a weight for each centre of a placement. What is not known stays as it was published; a centre
//! that came back is the last to be given any.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use crds::{
    Assignment, DataCenter, DualActivePlacement, PlacementMode, PlacementRow, TemplateKind, WitnessState,
    centre_reason, placement_reason as reason,
};
use jiff::Timestamp;

use crate::centre_health::health;
use crate::placement::kinds::Unseen;

pub mod gateway;
pub mod publish;
#[cfg(test)]
mod tests;

/// Weight by centre; a centre that is not among them was never given any.
pub type Weights = BTreeMap<String, i64>;

/// What traffic needs to know of a centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Where traffic enters it.
    pub ingress: BTreeSet<IpAddr>,
    /// What the arbiter says of it; `None` where there is no arbiter.
    pub witness: Option<WitnessState>,
    /// Whether its agent reports.
    pub reports: bool,
}

impl Site {
    /// From the centre's object. What is no address is left out: the definition lets only the characters of one pass.
    pub fn of(centre: &DataCenter, now: Timestamp) -> Self {
        let witness = centre.status.as_ref().and_then(|s| s.witness.as_ref());
        Self {
            ingress: centre.spec.ingress.iter().filter_map(|a| a.parse().ok()).collect(),
            witness: witness.map(|w| w.state),
            reports: health(centre, now).0 == centre_reason::REPORTING,
        }
    }
}

/// The services of the decision.
pub fn services(assignment: &Assignment) -> impl Iterator<Item = &str> {
    let services = assignment.objects.iter().filter(|o| o.kind == TemplateKind::Service);
    services.map(|o| o.name.as_str())
}

/// The centre that alone may be given traffic; `None` where every centre may.
fn only<'a>(placement: &'a DualActivePlacement, assignment: &'a Assignment) -> Option<&'a str> {
    if placement.spec.mode == PlacementMode::ActiveActive {
        return None;
    }
    assignment.active.as_deref().or(placement.spec.active.as_deref())
}

/// The weight of each centre of the decision, given what was published last. Nothing where nothing is decided: then what was
/// published stays.
pub fn weigh(placement: &DualActivePlacement, sites: &BTreeMap<String, Site>, published: &Weights) -> Option<Weights> {
    let assignment = placement.assignment().filter(|a| !a.centres.is_empty())?;
    let only = only(placement, assignment);
    let is_lost = |site: &Site| site.witness == Some(WitnessState::Lost);
    let serving = only.filter(|name| {
        let site = sites.get(*name).filter(|site| !is_lost(site));
        let copies = site.and_then(|site| serves(placement, assignment, name, site));
        copies.is_some_and(|copies| copies > 0)
    });
    let weights = assignment.centres.iter().map(|centre| {
        let name = &centre.name;
        let before = published.get(name).copied().unwrap_or_default();
        let leaves = only.is_some_and(|only| only != name);
        // Until the new side serves, users stay where they are led; an exclusive one serves nowhere meanwhile.
        let stays = placement.spec.mode == PlacementMode::ActiveStandby && serving.is_none();
        let known = match sites.get(name) {
            Some(site) if is_lost(site) => Some(0),
            Some(site) if leaves && stays => serves(placement, assignment, name, site).map(|copies| copies.min(before)),
            _ if leaves => Some(0),
            Some(site) => serves(placement, assignment, name, site),
            None => None,
        };
        (name.clone(), known.unwrap_or(before))
    });
    Some(weights.collect())
}

/// How many copies serve in a centre that may be given traffic; `None` where nobody knows.
fn serves(placement: &DualActivePlacement, assignment: &Assignment, name: &str, site: &Site) -> Option<i64> {
    if matches!(site.witness, Some(WitnessState::AgentDown | WitnessState::Degraded)) || !site.reports {
        return None;
    }
    let row = placement.row(name)?;
    // What it said before it was lost says nothing of what runs there now: it keeps the 0 of its loss. One that carried out a
    // decision since then is given traffic, and keeps it while the next decision is on its way there.
    if site.witness == Some(WitnessState::Returned) && row.number != assignment.number {
        return None;
    }
    let ready = |row: &PlacementRow, service: &str| {
        let found = row.services.iter().find(|s| s.name == service);
        found.map_or(0, |s| s.ready)
    };
    let services: Vec<&str> = services(assignment).collect();
    if services.is_empty() {
        return Some(row.ready);
    }
    // A service without anything behind it in any centre is not what users come for; one that lacks here alone is missed.
    let elsewhere = |service| placement.rows().iter().any(|r| ready(r, service) > 0);
    if services.iter().any(|s| ready(row, s) == 0 && elsewhere(s)) {
        return Some(0);
    }
    Some(services.iter().map(|s| ready(row, s)).sum())
}

/// What the condition TrafficPublished says.
pub type Said = (bool, &'static str, String);

/// What hinders it to be published as it was weighed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hindrance {
    /// A write failed, with these words.
    pub failed: Option<String>,
    /// Centres that do not say where traffic enters them.
    pub without_ingress: Vec<String>,
    /// A kind that the hub does not serve, or that the operator may not read.
    pub unseen: Option<(&'static str, Unseen)>,
}

/// What is published, or what hinders it; the worst first.
pub fn said(weights: Option<&Weights>, hindrance: &Hindrance) -> Said {
    let Some(weights) = weights else {
        let words = "nothing is decided, so no centre is given traffic yet | 尚未分派，暂不引流";
        return (false, reason::APPLYING, words.to_owned());
    };
    let each = weights.iter().map(|(centre, weight)| format!("{centre} {weight}"));
    let each = each.collect::<Vec<_>>().join(", ");
    if let Some(error) = &hindrance.failed {
        let message = format!("{each} is not published: {error}; it is tried again | {each} 未能发布，将重试：{error}");
        return (false, reason::APPLY_FAILED, message);
    }
    if let Some(centre) = hindrance.without_ingress.first() {
        let message = format!(
            "{each}; nobody knows where traffic enters {centre}; write its addresses into spec.ingress of the DataCenter | {each}；{centre} 未登记业务入口，请填写 DataCenter 的 spec.ingress"
        );
        return (false, reason::INGRESS_MISSING, message);
    }
    match &hindrance.unseen {
        Some((kind, Unseen::Missing)) => {
            let message = format!(
                "{each} stands without {kind}: the hub does not serve it; install its definition | {each} 未发布 {kind}：省级控制面未安装该类型，请安装其定义"
            );
            (false, reason::KIND_MISSING, message)
        }
        Some((kind, Unseen::Forbidden)) => {
            let message = format!(
                "{each} stands without {kind}: the operator may not read it; give it the shipped role | {each} 未发布 {kind}：控制器无权读取，请授予随附角色"
            );
            (false, reason::ROLE_MISSING, message)
        }
        Some((kind, Unseen::Failing(said))) => {
            let message = format!(
                "{each} stands without {kind}: the hub answers {said}; see its definition and what converts it | {each} 未发布 {kind}：省级控制面返回 {said}，请检查其定义与转换服务"
            );
            (false, reason::KIND_MISSING, message)
        }
        None if weights.values().all(|w| *w == 0) => {
            let message = format!(
                "{each}: no centre is ready to serve; names stay as they were | {each}：无可用中心，域名保持不变"
            );
            (true, reason::CENTRE_DOES_NOT_SERVE, message)
        }
        None => (true, reason::PUBLISHED, format!("{each} | 权重：{each}")),
    }
}
