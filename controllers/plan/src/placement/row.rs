//! The row with which a centre answers for a placement.

use std::collections::BTreeMap;

use crds::{
    FenceRow, JobRow, PlacedObject, PlacementRow, ServiceRow, TemplateKind, WorkloadRow, placement_reason as reason,
};
use jiff::{SignedDuration, Timestamp};

use super::centre::{Part, Spot};
use super::kinds::Why;
use super::message::{all_of, halves, within};
use crate::centre::requests::{self, Known};

mod notes;
mod trouble;

pub use trouble::trouble;

/// Longest message, in characters.
const LONGEST: usize = 512;
/// Counts that change alone are told this often at the most.
const APART: SignedDuration = SignedDuration::from_secs(1);

/// What a centre's controllers say of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Generation of the object, and the one that its controller has taken up.
    pub generation: (i64, i64),
    /// Copies in its spec.
    pub asked: i64,
    /// Copies there.
    pub replicas: i64,
    /// Of the newest template.
    pub updated: i64,
    /// Ready.
    pub ready: i64,
    /// Available.
    pub available: i64,
}

/// Which state of a template was carried out; empty where nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Generation of the template.
    pub generation: i64,
    /// Its revision.
    pub revision: String,
    /// Uid of the template.
    pub template: String,
}

/// How an object stands after the writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As wanted, from this state of the template.
    Done(Version),
    /// Not yet; the next pass goes on.
    Waits(String),
    /// Not, and why: reason and message.
    Failed(&'static str, String),
}

/// Reads what an object says of itself.
pub fn progress(kind: &TemplateKind, value: &serde_json::Value) -> Progress {
    let number = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(serde_json::Value::as_i64)
            .unwrap_or_default()
    };
    let newest = number("/metadata/generation");
    // Controllers of custom kinds need not say which generation they have taken up.
    let silent = kind.is_custom() && value.pointer("/status/observedGeneration").is_none();
    let seen = if silent {
        newest
    } else {
        number("/status/observedGeneration")
    };
    let generation = (newest, seen);
    if *kind == TemplateKind::DaemonSet {
        return Progress {
            generation,
            asked: number("/status/desiredNumberScheduled"),
            replicas: number("/status/currentNumberScheduled"),
            updated: number("/status/updatedNumberScheduled"),
            ready: number("/status/numberReady"),
            available: number("/status/numberAvailable"),
        };
    }
    Progress {
        generation,
        asked: number("/spec/replicas"),
        replicas: number("/status/replicas"),
        updated: number("/status/updatedReplicas"),
        ready: number("/status/readyReplicas"),
        available: number("/status/availableReplicas"),
    }
}

/// What the agent sees of its centre.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// How objects stand after the writes.
    pub states: &'a BTreeMap<Spot, State>,
    /// What their controllers say of them.
    pub progress: &'a BTreeMap<Spot, Progress>,
    /// How far Jobs and CronJobs are.
    pub jobs: &'a BTreeMap<Spot, JobRow>,
    /// Ready endpoints by namespace and service.
    pub ready: &'a BTreeMap<(String, String), i64>,
    /// Requests by service.
    pub requests: &'a Known,
    /// Objects that are not ready, and why: custom resources by their policy, built-in kinds that need a person.
    pub unready: &'a BTreeMap<Spot, String>,
    /// Custom kinds that may not be read here: what stands of them is not known.
    pub forbidden: &'a BTreeMap<TemplateKind, Why>,
    /// Objects that something else changes again and again, and what.
    pub fought: &'a BTreeMap<Spot, String>,
    /// Objects on their way out.
    pub left: usize,
    /// With an exclusive placement, where an arbiter is: what could prove that it is silent here.
    pub fence: Option<FenceRow>,
}

/// The row of a placement. `None`: nothing of it was ever here, and nothing is to be said.
pub fn row(
    centre: &str,
    part: &Part,
    old: Option<&PlacementRow>,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Option<PlacementRow> {
    let left = seen.left;
    if !part.here && old.is_none() && left == 0 && part.assignment.centre(centre).is_none() {
        return None;
    }
    let workloads = workloads(centre, part, old, seen);
    let (why, message) = outcome(part, old, seen);
    let ends = [
        reason::APPLIED,
        reason::STARTING,
        reason::OBJECT_FAILED,
        reason::REMOVED,
        reason::DRIFTED,
    ];
    let done = ends.contains(&why) || notes::kinds_missing_alone(part, seen);
    let held = part.held.as_ref();
    // It concerns the centre that is meant to run it; in the others everything is as it should be.
    let meant = part.assignment.active.as_deref() == Some(centre);
    let (why, message) = match held.and_then(|held| held.why.clone()) {
        Some((why, message)) if (done || held.is_some_and(|h| h.unknown)) && meant => (why, Some(message)),
        _ => (why, message),
    };
    let (number, epoch) = match old {
        _ if done => (part.assignment.number, part.assignment.epoch),
        Some(old) => (old.number, old.epoch),
        None => (0, 0),
    };
    Some(PlacementRow {
        name: centre.to_owned(),
        number,
        epoch,
        wanted: workloads.iter().map(|w| w.wanted).sum(),
        applied: workloads.iter().map(|w| w.replicas).sum(),
        ready: workloads.iter().map(|w| w.ready.min(w.wanted)).sum(),
        workloads,
        jobs: jobs(part, old, seen),
        services: services(part, old, seen),
        right: match held {
            Some(held) if held.unknown => old.and_then(|old| old.right),
            held => held.filter(|held| held.runs).map(|held| held.epoch),
        },
        fenced_since: (why == reason::FENCED).then(|| {
            let before = old.and_then(|old| old.fenced_since.clone());
            before.unwrap_or_else(|| now.to_string())
        }),
        fence: seen.fence.filter(|_| held.is_some()),
        confirm: part.content.clone().filter(|_| part.unconfirmed),
        content: match old {
            _ if done => part.content.clone(),
            old => old.and_then(|o| o.content.clone()),
        },
        reason: why.to_owned(),
        message: message.map(|m| within(&m, LONGEST)),
        reported_at: now.to_string(),
    })
}

fn services(part: &Part, old: Option<&PlacementRow>, seen: &Seen<'_>) -> Vec<ServiceRow> {
    let objects = part
        .assignment
        .objects
        .iter()
        .filter(|o| part.here && o.kind == TemplateKind::Service);
    let row = |object: &PlacedObject| {
        let key = (part.namespace.clone(), object.name.clone());
        let mut before = old.iter().flat_map(|r| &r.services);
        let before = before.find(|s| s.name == object.name);
        let before = before.and_then(|s| s.requests_per_second.as_ref());
        ServiceRow {
            name: object.name.clone(),
            ready: seen.ready.get(&key).copied().unwrap_or_default(),
            requests_per_second: seen.requests.told(&key, before),
        }
    };
    objects.map(row).collect()
}

fn workloads(centre: &str, part: &Part, old: Option<&PlacementRow>, seen: &Seen<'_>) -> Vec<WorkloadRow> {
    let Seen {
        states,
        progress,
        unready,
        forbidden,
        ..
    } = *seen;
    let mine = part.assignment.centre(centre);
    // Without its right a centre is to run none.
    let runs = part.held.as_ref().is_none_or(|held| held.runs);
    let decided = |o: &PlacedObject| mine.filter(|_| runs).and_then(|c| c.copies_of(o)).unwrap_or_default();
    // Of a custom kind those whose copies were divided.
    let divided = |o: &PlacedObject| o.kind.is_custom() && mine.is_some_and(|c| c.copies_of(o).is_some());
    let counted = |o: &PlacedObject| o.kind.has_copies() || o.kind == TemplateKind::DaemonSet || divided(o);
    let objects = part.assignment.objects.iter().filter(|o| part.here && counted(o));
    let row = |object: &PlacedObject| {
        let spot = (part.namespace.clone(), object.clone());
        let found = progress.get(&spot).copied();
        let is = match found {
            Some(is) if object.kind.is_custom() => by_policy(is, unready.contains_key(&spot)),
            found => found.unwrap_or_default(),
        };
        let gone = found.is_none() && !forbidden.contains_key(&object.kind);
        let before = old.and_then(|r| r.workload(object));
        // The copies of an object are its controller's word only once that has read the object.
        let heard = is.generation.1 >= is.generation.0;
        let Version {
            generation, revision, ..
        } = match states.get(&spot) {
            // What does not stand is of no version, whatever it was of before.
            _ if gone => Version::default(),
            Some(State::Done(version)) if heard => version.clone(),
            _ => before.map_or_else(Version::default, |w| Version {
                generation: w.generation,
                revision: w.revision.clone(),
                ..Version::default()
            }),
        };
        WorkloadRow {
            kind: object.kind.clone(),
            name: object.name.clone(),
            generation,
            revision,
            // Of what does not stand the decision says it.
            wanted: found.map_or_else(|| decided(object), |is| is.asked),
            replicas: is.replicas,
            updated: if heard { is.updated } else { 0 },
            ready: is.ready,
            available: is.available,
        }
    };
    objects.map(row).collect()
}

fn jobs(part: &Part, old: Option<&PlacementRow>, seen: &Seen<'_>) -> Vec<JobRow> {
    let objects = part.assignment.objects.iter().filter(|_| part.here);
    let row = |object: &PlacedObject| {
        let spot = (part.namespace.clone(), object.clone());
        let job = seen.jobs.get(&spot)?;
        let template = match seen.states.get(&spot) {
            Some(State::Done(version)) if !version.template.is_empty() => version.template.clone(),
            _ => old
                .and_then(|r| r.job(object))
                .map(|j| j.template.clone())
                .unwrap_or_default(),
        };
        Some(JobRow {
            template,
            ..job.clone()
        })
    };
    objects.filter_map(row).collect()
}

/// Copies of a custom resource: all of them are there and ready once its policy says that it is.
const fn by_policy(is: Progress, unready: bool) -> Progress {
    if unready {
        return is;
    }
    let asked = is.asked;
    Progress {
        replicas: asked,
        updated: asked,
        ready: asked,
        available: asked,
        ..is
    }
}

fn outcome(part: &Part, old: Option<&PlacementRow>, seen: &Seen<'_>) -> (&'static str, Option<String>) {
    let Seen {
        states,
        unready,
        forbidden,
        left,
        ..
    } = *seen;
    if let Some((why, message)) = &part.refusal {
        return (why, Some(message.clone()));
    }
    let objects = &part.assignment.objects;
    // What may stand here unseen is not reported as removed.
    let unseen = objects.iter().find_map(|o| forbidden.get(&o.kind));
    if let Some((why, message)) = unseen.filter(|_| !part.here && old.is_some_and(|r| r.reason != reason::REMOVED)) {
        return (why, Some(message.clone()));
    }
    let mine = || objects.iter().filter(|_| part.here);
    let mut waits = None;
    let mut drifted = Vec::new();
    for object in mine() {
        match states.get(&(part.namespace.clone(), object.clone())) {
            Some(State::Done(_)) => {}
            Some(State::Failed(reason::DRIFTED, message)) => drifted.push(message.clone()),
            Some(State::Failed(why, message)) => return (why, Some(message.clone())),
            Some(State::Waits(message)) => waits = waits.or(Some(message.clone())),
            None => waits = waits.or_else(|| Some("not looked at yet | 尚未处理".to_owned())),
        }
    }
    if left > 0 {
        waits = waits.or_else(|| Some(format!("{left} objects are on their way out | {left} 个对象正在移除")));
    }
    let unready = mine().filter_map(|o| Some((o, unready.get(&(part.namespace.clone(), o.clone()))?)));
    let unready: Vec<_> = unready.collect();
    // What needs a person before what takes time.
    let first = unready.iter().find(|(o, _)| !o.kind.is_custom()).or(unready.first());
    match (waits, drifted.as_slice(), first) {
        (Some(message), ..) => (reason::APPLYING, Some(message)),
        (None, [_, ..], _) => {
            let stays = ("; it stays until the template changes", "，仅报告");
            (reason::DRIFTED, Some(all_of(&drifted, stays, LONGEST)))
        }
        (None, [], Some((object, why))) => {
            let (en, zh) = halves(why);
            let why = if object.kind.is_custom() {
                reason::STARTING
            } else {
                reason::OBJECT_FAILED
            };
            (why, Some(format!("{object}: {en} | {object}：{zh}")))
        }
        (None, [], None) if part.here => (reason::APPLIED, notes::notes(part, seen.fought)),
        (None, [], None) => (reason::REMOVED, None),
    }
}

/// Whether a controller has yet to read what was written here: its word comes within a moment, and belongs into the row.
pub fn unheard(part: &Part, seen: &Seen<'_>) -> bool {
    let rolling = part.assignment.objects.iter().filter(|o| part.here && o.kind.rolls());
    let progress = rolling.filter_map(|o| seen.progress.get(&(part.namespace.clone(), o.clone())));
    progress.into_iter().any(|is| is.generation.1 < is.generation.0)
}

/// Whether a row says what somebody waits for: that something is wrong, or that a right to run came or went.
pub fn urgent(old: Option<&PlacementRow>, new: &PlacementRow) -> bool {
    let calm = [reason::APPLIED, reason::APPLYING, reason::STARTING, reason::REMOVED];
    !calm.contains(&new.reason.as_str()) || old.and_then(|r| r.right) != new.right
}

/// When a row is due; `None` where nothing changed.
pub fn due(old: Option<&PlacementRow>, new: &PlacementRow, now: Timestamp) -> Option<SignedDuration> {
    let Some(old) = old else {
        return Some(SignedDuration::ZERO);
    };
    let untimed = PlacementRow {
        reported_at: old.reported_at.clone(),
        ..new.clone()
    };
    if untimed == *old {
        return None;
    }
    if (old.number, &old.reason, &old.message) != (new.number, &new.reason, &new.message) {
        return Some(SignedDuration::ZERO);
    }
    let only_moved = requests::only_moved(&old.services, &new.services)
        && *old
            == PlacementRow {
                services: old.services.clone(),
                ..untimed
            };
    let apart = if only_moved { requests::FIGURES } else { APART };
    let age = old
        .reported_at
        .parse::<Timestamp>()
        .map_or(apart, |at| now.duration_since(at));
    Some((apart - age).max(SignedDuration::ZERO).min(apart))
}

#[cfg(test)]
mod tests;
