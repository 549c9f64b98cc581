//! `diff dap/…`: what each centre should hold by the templates and its share, against what it holds as far as the hub knows,
//! or as it was read there.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Assignment, DualActivePlacement, PlacedObject, PlacementRow, TemplateKind, placement_reason as reason};
use plan::placement::decide::key;
use serde::Serialize;

use super::confirmation::{Confirmation, confirmation};
use super::live::{Live, autoscaled, compare};
use super::scene::Scene;
use super::seen::Seen;
use super::{has_newest, named};
use crate::lang::both;

/// The answer.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Centre by centre.
    pub centres: Vec<CentreDiff>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Diff {
    /// Whether something differs somewhere.
    pub fn differs(&self) -> bool {
        self.centres.iter().any(|c| !c.differences.is_empty())
    }
}

/// One centre.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CentreDiff {
    /// Centre.
    pub name: String,
    /// Reason of its row; `None` before it said anything.
    pub reason: Option<String>,
    /// Number of the decision that it carried out, and of the newest.
    pub decision: [Option<i64>; 2],
    /// Whether its objects were read there.
    pub live: bool,
    /// What differs.
    pub differences: Vec<Difference>,
    /// What is otherwise than in the template and meant to be so, `English | 中文`.
    pub meant: Vec<String>,
    /// Of a member cloud at stage Advised: whether its people confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// One difference; where a side has nothing, it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `Deployment web`; empty where it is about the centre as a whole.
    pub object: String,
    /// By the templates, `English | 中文`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// In the centre, `English | 中文`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centre: Option<String>,
}

/// Objects that were read in centres, by name of the centre.
pub type Looked = BTreeMap<String, Live>;

fn stored(placement: &DualActivePlacement) -> Assignment {
    let assignment = placement.status.as_ref().and_then(|s| s.assignment.clone());
    assignment.unwrap_or_default()
}

/// What should be: by spec, templates and grants, or the last decision where that cannot be told; with notes on why.
pub fn target(placement: &DualActivePlacement, seen: &Seen) -> (Assignment, Vec<String>) {
    // Whoever may not read templates sees whether the newest decision is carried out.
    let Some(scene) = Scene::new(seen) else {
        return (stored(placement), seen.notes());
    };
    match scene.target(placement) {
        Ok(target) => (target, seen.broken()),
        Err(obstacle) => {
            let note = both(
                format!(
                    "{}: compared with the last decision, which stays until then",
                    obstacle.reason
                ),
                format!("{}：在其解决前以最近一次分派为准", obstacle.reason),
            );
            (stored(placement), vec![note])
        }
    }
}

/// Compares.
pub fn diff(placement: &DualActivePlacement, seen: &Seen, looked: &Looked) -> Diff {
    let (namespace, name) = key(placement);
    let (target, notes) = target(placement, seen);
    let stored = stored(placement);
    let sides = Sides {
        placement,
        seen,
        target: &target,
        stored: &stored,
        autoscaled: autoscaled(placement, seen, &target),
    };
    let mut names: BTreeSet<&str> = target.centres.iter().map(|c| c.name.as_str()).collect();
    names.extend(stored.centres.iter().map(|c| c.name.as_str()));
    names.extend(
        placement
            .rows()
            .iter()
            .filter(|r| r.reason != reason::REMOVED)
            .map(|r| r.name.as_str()),
    );
    let mut out = Diff {
        centres: names.iter().map(|name| sides.centre(name)).collect(),
        notes,
        name,
        namespace,
    };
    for (centre, live) in looked {
        sides.look(centre, live, &mut out);
    }
    out
}

struct Sides<'a> {
    placement: &'a DualActivePlacement,
    seen: &'a Seen,
    target: &'a Assignment,
    stored: &'a Assignment,
    autoscaled: BTreeSet<PlacedObject>,
}

impl Sides<'_> {
    fn centre(&self, name: &str) -> CentreDiff {
        let row = self.placement.row(name);
        let mut out = CentreDiff {
            name: name.to_owned(),
            reason: row.map(|r| r.reason.clone()),
            decision: [
                row.map(|r| r.number),
                (self.stored.number > 0).then_some(self.stored.number),
            ],
            ..CentreDiff::default()
        };
        self.objects(name, row, &mut out);
        for object in &self.target.objects {
            self.copies(name, object, row, &mut out);
            self.version(name, object, row, &mut out);
            if row.is_some() {
                self.meant(name, object, &mut out);
            }
        }
        out.differences.extend(row.and_then(trouble));
        let undecided = self.undecided(name);
        out.confirmation = confirmation(self.placement, self.seen, name, undecided);
        out
    }

    /// Whether what is shown of a centre is otherwise than the last decision.
    fn undecided(&self, centre: &str) -> bool {
        let of = |all: &Assignment| {
            let here = all.centre(centre).filter(|_| all.leaving.is_none())?;
            let objects: BTreeSet<PlacedObject> = all.objects.iter().cloned().collect();
            let copies: BTreeSet<(String, String, i64)> = here
                .copies
                .iter()
                .map(|w| (w.kind.name().to_owned(), w.name.clone(), w.copies))
                .collect();
            Some((objects, copies, here.jobs))
        };
        of(self.target) != of(self.stored)
    }

    fn holds(assignment: &Assignment, centre: &str) -> bool {
        assignment.centre(centre).is_some()
    }

    /// Objects that only one side has.
    fn objects(&self, centre: &str, row: Option<&PlacementRow>, out: &mut CentreDiff) {
        let of = |assignment: &Assignment| -> BTreeSet<PlacedObject> {
            let here = Self::holds(assignment, centre);
            assignment.objects.iter().filter(|_| here).cloned().collect()
        };
        let (target, mut stored) = (of(self.target), of(self.stored));
        if row.is_none() {
            stored.clear();
        }
        let one = |o: &PlacedObject, hub: bool| {
            let there = Some(both("there", "有"));
            Difference {
                object: named(&o.kind, &o.name),
                hub: there.clone().filter(|_| hub),
                centre: there.filter(|_| !hub),
            }
        };
        out.differences.extend(target.difference(&stored).map(|o| one(o, true)));
        out.differences
            .extend(stored.difference(&target).map(|o| one(o, false)));
    }

    fn share(assignment: &Assignment, centre: &str, object: &PlacedObject) -> Option<i64> {
        assignment.centre(centre)?.copies_of(object)
    }

    fn copies(&self, centre: &str, object: &PlacedObject, row: Option<&PlacementRow>, out: &mut CentreDiff) {
        let Some(share) = Self::share(self.target, centre, object).filter(|_| !self.autoscaled.contains(object)) else {
            return;
        };
        let workload = row.and_then(|r| r.workload(object));
        let Some(workload) = workload.filter(|w| w.wanted != share) else {
            return;
        };
        let decided = Self::share(self.stored, centre, object).filter(|n| *n != workload.wanted && *n != share);
        let (en, zh) = decided.map_or_else(Default::default, |n| {
            (
                format!(" (decision {}: {n})", self.stored.number),
                format!("（第 {} 号分派：{n}）", self.stored.number),
            )
        });
        out.differences.push(Difference {
            object: named(&object.kind, &object.name),
            hub: Some(both(format!("{share} copies"), format!("副本 {share}"))),
            centre: Some(both(
                format!("{} copies{en}", workload.wanted),
                format!("副本 {}{zh}", workload.wanted),
            )),
        });
    }

    fn version(&self, centre: &str, object: &PlacedObject, row: Option<&PlacementRow>, out: &mut CentreDiff) {
        let workload = row.and_then(|r| r.workload(object));
        let template = self
            .seen
            .template(self.placement, object)
            .filter(|_| Self::holds(self.target, centre));
        let (Some(workload), Some(template)) = (workload, template) else {
            return;
        };
        let newest = plan::placement::template::read(&object.kind, template);
        let generation = |n: i64| both(format!("generation {n} of the template"), format!("模板版本 {n}"));
        let revision = |r: &str| both(format!("revision {r} of the template"), format!("模板指纹 {r}"));
        let (hub, centre) = match has_newest(self.placement, workload, &newest) {
            Some(false) => (revision(&newest.revision), revision(&workload.revision)),
            None if workload.generation < newest.generation => {
                (generation(newest.generation), generation(workload.generation))
            }
            Some(true) | None => return,
        };
        out.differences.push(Difference {
            object: named(&object.kind, &object.name),
            hub: Some(hub),
            centre: Some(centre),
        });
    }

    /// What differs from the template because this is one centre of several.
    fn meant(&self, centre: &str, object: &PlacedObject, out: &mut CentreDiff) {
        let Some(here) = self.target.centre(centre) else {
            return;
        };
        let what = named(&object.kind, &object.name);
        if object.kind.is_job() && !here.jobs {
            let runs = self
                .target
                .centres
                .iter()
                .find(|c| c.jobs)
                .map_or("-", |c| c.name.as_str());
            out.meant.push(both(
                format!("{what}: suspended here, runs in {runs}"),
                format!("{what}：此处暂停，在 {runs} 运行"),
            ));
        }
        if self.autoscaled.contains(object) {
            out.meant.push(both(
                format!("{what}: its autoscaler sets the copies in each centre"),
                format!("{what}：副本数由各中心的弹性伸缩决定"),
            ));
        }
        let template = self.seen.template(self.placement, object);
        let all = template.map(|t| plan::placement::template::read(&object.kind, t).copies);
        if let (Some(share), Some(all)) = (Self::share(self.target, centre, object), all)
            && share != all
            && !self.autoscaled.contains(object)
        {
            out.meant.push(both(
                format!("{what}: {share} of the template's {all} copies"),
                format!("{what}：模板副本 {all} 中的 {share} 个"),
            ));
        }
    }

    /// What was read in a centre takes the place of what the hub knows of it.
    fn look(&self, centre: &str, live: &Live, out: &mut Diff) {
        let Some(slot) = out.centres.iter_mut().find(|c| c.name == centre) else {
            out.notes.push(both(
                format!("{centre}: the placement has nothing there"),
                format!("{centre}：该部署在此没有对象"),
            ));
            return;
        };
        slot.live = true;
        slot.differences = compare(self.placement, self.seen, self.target, centre, live);
        if !live.hidden.is_empty() {
            let kinds: Vec<&str> = live.hidden.iter().map(TemplateKind::name).collect();
            let kinds = kinds.join(", ");
            out.notes.push(both(
                format!("{centre}: you may not read {kinds} there"),
                format!("{centre}：无权在该中心查看 {kinds}"),
            ));
        }
    }
}

/// What a centre reports besides copies: drift with its paths, or why something is not applied.
fn trouble(row: &PlacementRow) -> Option<Difference> {
    let message = row.message.clone().filter(|_| row.reason != reason::APPLIED)?;
    Some(Difference {
        object: row.reason.clone(),
        hub: None,
        centre: Some(message),
    })
}
