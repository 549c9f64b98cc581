//! The row with which a centre answers for a placement.

use std::collections::BTreeMap;

use crds::{PlacementRow, ServiceRow, TemplateKind, WorkloadRow, placement_reason as reason};
use jiff::{SignedDuration, Timestamp};

use super::centre::{Part, Spot};

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
pub fn progress(kind: TemplateKind, value: &serde_json::Value) -> Progress {
    let number = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(serde_json::Value::as_i64)
            .unwrap_or_default()
    };
    let generation = (number("/metadata/generation"), number("/status/observedGeneration"));
    if kind == TemplateKind::DaemonSet {
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
    /// Ready endpoints by namespace and service.
    pub ready: &'a BTreeMap<(String, String), i64>,
    /// Objects on their way out.
    pub left: usize,
}

/// The row of a placement. `None`: nothing of it was ever here, and nothing is to be said.
pub fn row(
    centre: &str,
    part: &Part,
    old: Option<&PlacementRow>,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Option<PlacementRow> {
    let Seen {
        states,
        progress,
        ready,
        left,
    } = *seen;
    if !part.here && old.is_none() && left == 0 && !part.assignment.centres.iter().any(|c| c.name == centre) {
        return None;
    }
    let workloads = workloads(part, old, states, progress);
    let (why, message) = outcome(part, states, left);
    let done = matches!(why, reason::APPLIED | reason::REMOVED | reason::DRIFTED);
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
        services: services(part, ready),
        confirm: part.content.clone().filter(|_| part.unconfirmed),
        content: match old {
            _ if done => part.content.clone(),
            old => old.and_then(|o| o.content.clone()),
        },
        reason: why.to_owned(),
        message: message.map(|m| m.chars().take(LONGEST).collect()),
        reported_at: now.to_string(),
    })
}

fn services(part: &Part, ready: &BTreeMap<(String, String), i64>) -> Vec<ServiceRow> {
    let objects = part
        .assignment
        .objects
        .iter()
        .filter(|o| part.here && o.kind == TemplateKind::Service);
    let row = |object: &crds::PlacedObject| {
        let key = (part.namespace.clone(), object.name.clone());
        let (name, ready) = (object.name.clone(), ready.get(&key).copied().unwrap_or_default());
        ServiceRow { name, ready }
    };
    objects.map(row).collect()
}

fn workloads(
    part: &Part,
    old: Option<&PlacementRow>,
    states: &BTreeMap<Spot, State>,
    progress: &BTreeMap<Spot, Progress>,
) -> Vec<WorkloadRow> {
    let counted = |kind: TemplateKind| kind.has_copies() || kind == TemplateKind::DaemonSet;
    let objects = part.assignment.objects.iter().filter(|o| part.here && counted(o.kind));
    let row = |object: &crds::PlacedObject| {
        let spot = (part.namespace.clone(), object.clone());
        let is = progress.get(&spot).copied().unwrap_or_default();
        let before = old
            .iter()
            .flat_map(|r| &r.workloads)
            .find(|w| w.kind == object.kind && w.name == object.name);
        // The copies of an object are its controller's word only once that has read the object.
        let heard = is.generation.1 >= is.generation.0;
        let Version { generation, revision } = match states.get(&spot) {
            Some(State::Done(version)) if heard => version.clone(),
            _ => before.map_or_else(Version::default, |w| Version {
                generation: w.generation,
                revision: w.revision.clone(),
            }),
        };
        WorkloadRow {
            kind: object.kind,
            name: object.name.clone(),
            generation,
            revision,
            wanted: is.asked,
            replicas: is.replicas,
            updated: if heard { is.updated } else { 0 },
            ready: is.ready,
            available: is.available,
        }
    };
    objects.map(row).collect()
}

fn outcome(part: &Part, states: &BTreeMap<Spot, State>, left: usize) -> (&'static str, Option<String>) {
    if let Some((why, message)) = &part.refusal {
        return (why, Some(message.clone()));
    }
    let mine = part.assignment.objects.iter().filter(|_| part.here);
    let mut waits = None;
    let mut drifted = None;
    for object in mine {
        match states.get(&(part.namespace.clone(), object.clone())) {
            Some(State::Done(_)) => {}
            Some(State::Failed(reason::DRIFTED, message)) => drifted = drifted.or(Some(message.clone())),
            Some(State::Failed(why, message)) => return (why, Some(message.clone())),
            Some(State::Waits(message)) => waits = waits.or(Some(message.clone())),
            None => waits = waits.or_else(|| Some("not looked at yet | 尚未处理".to_owned())),
        }
    }
    if left > 0 {
        waits = waits.or_else(|| Some(format!("{left} objects are on their way out | {left} 个对象正在移除")));
    }
    match (waits, drifted) {
        (Some(message), _) => (reason::APPLYING, Some(message)),
        (None, Some(message)) => (reason::DRIFTED, Some(message)),
        (None, None) if part.here => (reason::APPLIED, None),
        (None, None) => (reason::REMOVED, None),
    }
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
    let age = old
        .reported_at
        .parse::<Timestamp>()
        .map_or(APART, |at| now.duration_since(at));
    Some((APART - age).max(SignedDuration::ZERO).min(APART))
}

#[cfg(test)]
mod tests {
    use crds::{Assignment, CentreAssignment};

    use super::super::template::object;
    use super::*;

    fn part(here: bool) -> Part {
        let centre = CentreAssignment {
            name: "a".into(),
            ..CentreAssignment::default()
        };
        let objects = vec![object(TemplateKind::Deployment, "web")];
        let assignment = Assignment {
            number: 4,
            epoch: 2,
            objects,
            centres: vec![centre],
            ..Assignment::default()
        };
        Part {
            assignment,
            namespace: "dept".into(),
            here,
            ..Part::default()
        }
    }

    fn make(part: &Part, old: Option<&PlacementRow>, state: State, ready: i64) -> PlacementRow {
        let spot = ("dept".to_owned(), object(TemplateKind::Deployment, "web"));
        let is = Progress {
            generation: (2, 2),
            asked: 3,
            replicas: 3,
            updated: 3,
            ready,
            available: ready,
        };
        let states = [(spot.clone(), state)].into();
        let (progress, ready) = ([(spot, is)].into(), BTreeMap::new());
        let seen = Seen {
            states: &states,
            progress: &progress,
            ready: &ready,
            left: 0,
        };
        row("a", part, old, &seen, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn done(generation: i64) -> State {
        State::Done(Version {
            generation,
            revision: "r".into(),
        })
    }

    #[test]
    fn a_row_carries_the_number_only_when_all_is_done() {
        let done_row = make(&part(true), None, done(7), 2);
        assert_eq!(
            (
                done_row.number,
                done_row.wanted,
                done_row.ready,
                done_row.reason.as_str()
            ),
            (4, 3, 2, "Applied")
        );
        let workload = &done_row.workloads[0];
        assert_eq!((workload.generation, workload.revision.as_str()), (7, "r"));
        let old = PlacementRow { number: 3, ..done_row };
        let failed = make(
            &part(true),
            Some(&old),
            State::Failed(reason::OBJECT_EXISTS, "there".into()),
            2,
        );
        assert_eq!((failed.number, failed.reason.as_str()), (3, "ObjectExists"));
        assert_eq!(failed.workloads[0].generation, 7);
        assert_eq!(make(&part(false), Some(&old), done(7), 0).reason, "Removed");
    }

    #[test]
    fn counts_alone_are_told_once_a_second() {
        let old = make(&part(true), None, done(7), 1);
        let new = make(&part(true), None, done(7), 2);
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(due(Some(&old), &old, at(5000)), None);
        assert_eq!(due(Some(&old), &new, at(400)), Some(SignedDuration::from_millis(600)));
        assert_eq!(due(Some(&old), &new, at(1500)), Some(SignedDuration::ZERO));
        let other = PlacementRow { number: 5, ..new };
        assert_eq!(due(Some(&old), &other, at(400)), Some(SignedDuration::ZERO));
    }
}
