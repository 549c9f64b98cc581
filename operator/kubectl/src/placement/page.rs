//! `status dap/…`: one placement on one page.

use crds::{
    Amount, Drift, DualActivePlacement, Layer, PlacedObject, PlacementRow, ServiceRow, TemplateKind, WorkloadRollout,
    WorkloadRow, condition, placement_reason as reason,
};
use jiff::Timestamp;
use plan::placement::decide::key;
use serde::Serialize;

use super::scene::Scene;
use super::seen::Seen;
use super::{condition_of, has_newest};
use crate::lang::both;

/// The page.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Name for people.
    pub display_name: String,
    /// Who runs at the same time.
    pub mode: String,
    /// Centres that run it.
    pub active: Vec<String>,
    /// Pool.
    pub pool: String,
    /// Its condition `Ready`.
    pub ready: Said,
    /// Its condition `Survivable`; `None` where that is not asked.
    pub survivable: Option<Said>,
    /// Its condition `EffectivelyActiveActive`; `None` where that is not asked.
    pub serves: Option<Said>,
    /// Its condition `RestartOnly`; `None` where nothing holds devices.
    pub restart_only: Option<Said>,
    /// Its six layers.
    pub layers: Vec<Layer>,
    /// Versions of workloads, where they reach the centres in an order.
    pub rollouts: Vec<WorkloadRollout>,
    /// Number of the decision.
    pub decision: Option<i64>,
    /// Centre by centre.
    pub centres: Vec<CentreLine>,
    /// Workload by workload in each centre.
    pub workloads: Vec<WorkloadLine>,
    /// Service by service in each centre.
    pub services: Vec<ServiceLine>,
    /// What the decision places.
    pub objects: Vec<ObjectLine>,
    /// What becomes of an edit by hand.
    pub drift_policy: Drift,
    /// Edits by hand that the centres report.
    pub drift: Vec<DriftLine>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A condition.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Reason.
    pub reason: String,
    /// `English | 中文`.
    pub message: String,
}

/// A centre.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CentreLine {
    /// Centre.
    pub name: String,
    /// Copies that the decision gives it.
    pub assigned: i64,
    /// Copies that should be there, as the centre says; `None` before it said anything.
    pub wanted: Option<i64>,
    /// Copies that are there.
    pub applied: Option<i64>,
    /// Copies that are ready.
    pub ready: Option<i64>,
    /// Number of the decision that it carried out.
    pub decision: Option<i64>,
    /// Reason.
    pub reason: String,
    /// In words where it is not `Applied`, `English | 中文`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Seconds since a fact last changed, by this machine's clock.
    pub changed_seconds_ago: Option<i64>,
}

/// A workload in a centre.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadLine {
    /// Kind.
    pub kind: TemplateKind,
    /// Its name.
    pub name: String,
    /// Centre.
    pub centre: String,
    /// Generation of the template that was taken up there.
    pub generation: i64,
    /// Generation of the template in the hub; `None` where it may not be read.
    pub template: Option<i64>,
    /// Whether that is another version than the centre's; `None` where it may not be read.
    pub behind: Option<bool>,
    /// Copies that should be there.
    pub wanted: i64,
    /// Copies that are ready.
    pub ready: i64,
    /// Copies of the newest template.
    pub updated: i64,
}

/// A Service in a centre.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLine {
    /// Its name.
    pub name: String,
    /// Centre.
    pub centre: String,
    /// Endpoints that are ready to serve.
    pub ready: i64,
    /// Requests a second over the window of the centre's metric source; `None` where nobody knows.
    pub requests_per_second: Option<Amount>,
}

/// An object of the decision.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectLine {
    /// Kind.
    pub kind: TemplateKind,
    /// Its name.
    pub name: String,
    /// Whether it is not selected and only follows because pods refer to it; `None` where templates may not be read.
    pub follows: Option<bool>,
}

/// An edit by hand.
#[derive(Clone, Debug, Serialize)]
pub struct DriftLine {
    /// Centre.
    pub centre: String,
    /// What was changed and by whom, `English | 中文`.
    pub message: String,
}

/// Puts the page together.
pub fn page(placement: &DualActivePlacement, seen: &Seen, now: Timestamp) -> Page {
    let (namespace, name) = key(placement);
    let status = placement.status.clone().unwrap_or_default();
    let said = |kind: &str| {
        condition_of(placement, kind).map(|c| Said {
            status: c.status.clone(),
            reason: c.reason.clone(),
            message: c.message.clone(),
        })
    };
    let unseen = || Said {
        status: "-".to_owned(),
        reason: "-".to_owned(),
        message: both("the operator has not looked at it yet", "控制器尚未处理"),
    };
    let scene = Scene::new(seen);
    let drift = placement.rows().iter().filter(|r| r.reason == reason::DRIFTED);
    Page {
        display_name: placement.spec.display_name.clone(),
        mode: format!("{:?}", placement.spec.mode),
        active: status.active.clone(),
        pool: placement.spec.pool.clone(),
        ready: said(condition::READY).unwrap_or_else(unseen),
        survivable: said(condition::SURVIVABLE),
        serves: said(condition::EFFECTIVELY_ACTIVE_ACTIVE),
        restart_only: said(condition::RESTART_ONLY),
        layers: status.layers.clone(),
        rollouts: status
            .assignment
            .as_ref()
            .map(|a| a.rollouts.clone())
            .unwrap_or_default(),
        decision: status.assignment.as_ref().map(|a| a.number),
        centres: centres(placement, now),
        workloads: workloads(placement, seen),
        services: services(placement),
        objects: objects(placement, scene.as_ref()),
        drift_policy: placement.spec.drift,
        drift: drift
            .map(|r| DriftLine {
                centre: r.name.clone(),
                message: r.message.clone().unwrap_or_default(),
            })
            .collect(),
        notes: scene
            .is_none()
            .then(unmarked)
            .into_iter()
            .chain(seen.broken())
            .collect(),
        name,
        namespace,
    }
}

fn unmarked() -> String {
    both(
        "you may not read all that the selection is made from, so what only follows is not marked",
        "无权查看选取所依据的全部对象，未标出随行对象",
    )
}

fn centres(placement: &DualActivePlacement, now: Timestamp) -> Vec<CentreLine> {
    let assignment = placement.assignment();
    let assigned = assignment.map(|a| a.centres.as_slice()).unwrap_or_default();
    let mut names: Vec<&str> = assigned.iter().map(|c| c.name.as_str()).collect();
    // A centre that holds nothing of the decision may still have something to say.
    for row in placement.rows() {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    let line = |name: &str| {
        let row = placement.row(name);
        let here = assigned.iter().find(|c| c.name == name);
        CentreLine {
            name: name.to_owned(),
            assigned: here.map_or(0, |c| c.copies.iter().map(|w| w.copies).sum()),
            wanted: row.map(|r| r.wanted),
            applied: row.map(|r| r.applied),
            ready: row.map(|r| r.ready),
            decision: row.map(|r| r.number),
            reason: row.map_or_else(|| "-".to_owned(), |r| r.reason.clone()),
            message: row.and_then(|r| r.message.clone()),
            changed_seconds_ago: row.and_then(|r| age(r, now)),
        }
    };
    names.into_iter().map(line).collect()
}

fn age(row: &PlacementRow, now: Timestamp) -> Option<i64> {
    let at = row.reported_at.parse::<Timestamp>().ok()?;
    Some(now.duration_since(at).as_secs().max(0))
}

fn workloads(placement: &DualActivePlacement, seen: &Seen) -> Vec<WorkloadLine> {
    let template = |w: &WorkloadRow| {
        let object = PlacedObject {
            kind: w.kind.clone(),
            name: w.name.clone(),
        };
        let template = seen.template(placement, &object)?;
        Some(plan::placement::template::read(&w.kind, template))
    };
    let rows = placement
        .rows()
        .iter()
        .flat_map(|r| r.workloads.iter().map(move |w| (r, w)));
    let line = |(row, w): (&PlacementRow, &WorkloadRow)| {
        let newest = template(w);
        let behind = newest.as_ref().map(|t| {
            let has = has_newest(placement, w, t);
            !has.unwrap_or(t.generation == w.generation)
        });
        WorkloadLine {
            kind: w.kind.clone(),
            name: w.name.clone(),
            centre: row.name.clone(),
            generation: w.generation,
            template: newest.map(|t| t.generation),
            behind,
            wanted: w.wanted,
            ready: w.ready,
            updated: w.updated,
        }
    };
    let mut all: Vec<WorkloadLine> = rows.map(line).collect();
    // The sides of one workload stand together; the order of the centres stays.
    all.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    all
}

fn services(placement: &DualActivePlacement) -> Vec<ServiceLine> {
    let line = |centre: &str, s: &ServiceRow| ServiceLine {
        name: s.name.clone(),
        centre: centre.to_owned(),
        ready: s.ready,
        requests_per_second: s.requests_per_second.clone(),
    };
    let rows = placement.rows().iter();
    let mut all: Vec<_> = rows.flat_map(|r| r.services.iter().map(|s| line(&r.name, s))).collect();
    // As workloads.
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn objects(placement: &DualActivePlacement, scene: Option<&Scene>) -> Vec<ObjectLine> {
    let selected = scene.map(|s| s.selected(placement));
    let assignment = placement.assignment();
    let line = |object: &PlacedObject| ObjectLine {
        kind: object.kind.clone(),
        name: object.name.clone(),
        // A template that is gone from the hub says nothing any more of why it was taken.
        follows: scene
            .filter(|s| s.has(placement, object))
            .and(selected.as_ref())
            .map(|s| !s.contains(object)),
    };
    assignment.iter().flat_map(|a| &a.objects).map(line).collect()
}
