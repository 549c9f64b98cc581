//! What a placement says of itself: sums, one line for people, and conditions with reasons and numbers.

use std::collections::BTreeMap;

use crds::{
    Assignment, CentreAssignment, DualActivePlacement, DualActivePlacementStatus, PlacedObject, PlacementMode,
    PlacementRow, PlacementTotal, condition, placement_reason as reason, set_condition,
};
use jiff::Timestamp;

use super::decide::{Centre, Decision};
use super::layers;
use super::message::{halves, of_centre};
use super::rollout::Phase;

/// The status without the agents' rows, which are kept as they are.
pub fn status(
    placement: &DualActivePlacement,
    decision: &Decision,
    centres: &BTreeMap<String, Centre>,
    now: Timestamp,
) -> DualActivePlacementStatus {
    let mut status = placement.status.clone().unwrap_or_default();
    let generation = placement.metadata.generation;
    status.assignment.clone_from(&decision.assignment);
    status.short.clone_from(&decision.short);
    let none = Assignment::default();
    let assignment = decision.assignment.as_ref().unwrap_or(&none);
    let sides: Vec<Side<'_>> = assignment
        .centres
        .iter()
        .map(|c| side(c, &status.centres, centres))
        .collect();
    let total = PlacementTotal {
        wanted: sides.iter().map(|s| s.wanted).sum(),
        ready: sides.iter().filter_map(|s| s.ready).sum(),
    };
    let spread = sides.iter().map(|s| {
        let ready = s.ready.map_or_else(|| "?".to_owned(), |n| n.to_string());
        format!("{} {ready}/{}", s.name, s.wanted)
    });
    status.spread = Some(spread.collect::<Vec<_>>().join(", ")).filter(|s| !s.is_empty());
    status.total = Some(total);
    status.active = match placement.spec.mode {
        PlacementMode::ActiveActive => assignment.centres.iter().map(|c| c.name.clone()).collect(),
        PlacementMode::ActiveStandby | PlacementMode::Exclusive => assignment
            .active
            .iter()
            .chain(placement.spec.active.iter().filter(|_| assignment.active.is_none()))
            .filter(|a| sides.iter().any(|s| s.name == *a))
            .cloned()
            .collect(),
    };
    let (why, message) = ready(decision, assignment, &sides, total);
    let ready = (Some(why == reason::RUNNING), why, message);
    say(&mut status, condition::READY, Some(ready), generation, now);
    let survivable = decision.survivable.clone().map(|(survives, message)| {
        let why = match survives {
            Some(true) => reason::SURVIVES,
            Some(false) => reason::SURVIVAL_TOO_SMALL,
            None => reason::NODES_UNKNOWN,
        };
        (survives, why, message)
    });
    say(&mut status, condition::SURVIVABLE, survivable, generation, now);
    layers::describe(placement, decision, centres, &mut status, now);
    status.observed_generation = generation;
    status
}

/// What a condition says: status, reason, message.
pub(super) type Said = (Option<bool>, &'static str, String);

/// Sets a condition; takes it away where there is nothing to say.
pub(super) fn say(
    status: &mut DualActivePlacementStatus,
    kind: &str,
    said: Option<Said>,
    generation: Option<i64>,
    now: Timestamp,
) {
    match said {
        Some((is, why, message)) => set_condition(&mut status.conditions, kind, is, why, message, generation, now),
        None => status.conditions.retain(|c| c.type_ != kind),
    }
}

/// One centre of the decision, as far as it is known.
struct Side<'a> {
    name: &'a str,
    wanted: i64,
    /// `None`: nobody knows.
    ready: Option<i64>,
    row: Option<&'a PlacementRow>,
    fresh: bool,
}

fn side<'a>(centre: &'a CentreAssignment, rows: &'a [PlacementRow], centres: &BTreeMap<String, Centre>) -> Side<'a> {
    let row = rows.iter().find(|r| r.name == centre.name);
    let fresh = centres.get(&centre.name).is_some_and(|c| c.reports);
    Side {
        name: &centre.name,
        wanted: row.map_or_else(|| centre.copies.iter().map(|w| w.copies).sum(), |r| r.wanted),
        ready: row.filter(|_| fresh).map(|r| r.ready),
        row,
        fresh,
    }
}

/// Where a version is, in words.
fn rolling(what: &PlacedObject, phase: &Phase) -> (&'static str, String) {
    match phase {
        Phase::Going(centre, available, wanted) => (
            reason::ROLLING_OUT,
            format!(
                "{what}: {available} of {wanted} copies in {centre} run the new version | {what}：{centre} 已有 {available}/{wanted} 副本为新版本"
            ),
        ),
        Phase::Blind(centre) => (
            reason::ROLLING_OUT,
            format!(
                "{what}: nothing is heard of {centre}, no other centre gets the new version meanwhile | {what}：{centre} 未上报，期间其他中心不升级"
            ),
        ),
        Phase::Paused => (
            reason::ROLLOUT_PAUSED,
            format!(
                "{what} has a new version that not every centre runs; set rollout.paused to false to go on | {what} 有新版本尚未到达全部中心，将 rollout.paused 设为 false 后继续"
            ),
        ),
        Phase::Stopped(centre, available, wanted) => (
            reason::ROLLOUT_STOPPED,
            format!(
                "{what}: {available} of {wanted} copies in {centre} were healthy when the deadline passed; no other centre gets this version; correct the template, or put the old one back | {what}：超过时限时 {centre} 仅 {available}/{wanted} 副本正常，其他中心不升级，请修正或恢复模板"
            ),
        ),
        Phase::Returned | Phase::Done => (
            reason::ROLLOUT_RETURNED,
            format!(
                "{what}: the new version was not healthy in time; every centre runs the one before; correct the template | {what}：新版本未按时就绪，各中心已退回上一版本，请修正模板"
            ),
        ),
    }
}

/// What a row may say that people have to know, the worst first.
const TROUBLES: [&str; 12] = [
    reason::NAMESPACE_MISSING,
    reason::OBJECT_EXISTS,
    reason::OVERRIDE_FAILED,
    reason::KIND_MISSING,
    reason::ROLE_MISSING,
    reason::APPLY_FAILED,
    reason::STALE_EPOCH,
    reason::FENCED,
    reason::NO_RIGHT,
    reason::DRIFTED,
    reason::AWAITING_CONFIRMATION,
    reason::STAGE_OBSERVED,
];

/// What a centre that is heard says is wrong.
fn troubled(sides: &[Side<'_>]) -> Option<(&'static str, String)> {
    let heard = || sides.iter().filter(|s| s.fresh).filter_map(|s| s.row);
    TROUBLES.into_iter().find_map(|trouble| {
        let row = heard().find(|r| r.reason == trouble)?;
        let message = row.message.as_deref().unwrap_or_default();
        Some((trouble, of_centre(&row.name, message)))
    })
}

/// One reason at a time, the first that holds.
fn ready(
    decision: &Decision,
    assignment: &Assignment,
    sides: &[Side<'_>],
    total: PlacementTotal,
) -> (&'static str, String) {
    if let Some(obstacle) = &decision.obstacle {
        return (obstacle.reason, obstacle.message.clone());
    }
    if let Some(found) = troubled(sides) {
        return found;
    }
    if let Some(silent) = sides.iter().find(|s| !s.fresh) {
        let name = silent.name;
        let message = format!(
            "{name} does not report; what runs there goes on, its copies are not counted as ready | {name} 未上报，业务不受影响，其副本不计入就绪"
        );
        return (reason::CENTRE_UNKNOWN, message);
    }
    if let Some((object, phase)) = &decision.rolling {
        return rolling(object, phase);
    }
    if let Some(message) = late(sides, assignment.number) {
        return (reason::APPLYING, message);
    }
    let PlacementTotal { wanted, ready } = total;
    if decision.rebalancing {
        let message = format!(
            "{ready} of {wanted} copies are ready; what is lowered waits for what was raised | {ready}/{wanted} 副本就绪，先增后减"
        );
        return (reason::REBALANCING, message);
    }
    if let Some(note) = &decision.note {
        return (note.reason, note.message.clone());
    }
    if let Some(starting) = told(sides, reason::STARTING) {
        return starting;
    }
    if ready < wanted {
        return (
            reason::STARTING,
            format!("{ready} of {wanted} copies are ready | {ready}/{wanted} 副本就绪"),
        );
    }
    if let Some(failed) = told(sides, reason::OBJECT_FAILED) {
        return failed;
    }
    let all = format!("all {wanted} copies are ready | 全部 {wanted} 个副本就绪");
    (reason::RUNNING, with_note(all, sides))
}

/// What the first centre says that gives this reason.
fn told(sides: &[Side<'_>], why: &'static str) -> Option<(&'static str, String)> {
    let row = sides.iter().filter_map(|s| s.row).find(|r| r.reason == why)?;
    Some((why, of_centre(&row.name, row.message.as_deref().unwrap_or_default())))
}

/// What a centre has yet to do: it has not carried the decision out, or not all of it stands any more.
fn late(sides: &[Side<'_>], number: i64) -> Option<String> {
    let behind = |row: &PlacementRow| row.number != number || row.reason == reason::APPLYING;
    let side = sides.iter().find(|s| s.row.is_none_or(behind))?;
    let name = side.name;
    let said = side.row.filter(|r| r.number == number);
    let said = said.and_then(|r| r.message.as_deref());
    let waits = || format!("{name} has not carried out decision {number} yet | {name} 尚未落实第 {number} 号分派");
    Some(said.map_or_else(waits, |message| of_centre(name, message)))
}

/// What runs, with what a centre notes beside it.
fn with_note(running: String, sides: &[Side<'_>]) -> String {
    let mut rows = sides.iter().filter_map(|s| s.row);
    let noted = rows.find_map(|row| {
        let message = row.message.as_deref().filter(|_| row.reason == reason::APPLIED)?;
        Some(of_centre(&row.name, message))
    });
    let Some(noted) = noted else { return running };
    let ((en, zh), (note, note_zh)) = (halves(&running), halves(&noted));
    format!("{en}; {note} | {zh}；{note_zh}")
}

#[cfg(test)]
mod tests {
    use crds::CentreRole;

    use super::super::testing::centre as centre_of;
    use super::*;

    fn row(name: &str, number: i64, ready: i64, why: &str) -> PlacementRow {
        PlacementRow {
            name: name.into(),
            number,
            wanted: 2,
            ready,
            reason: why.into(),
            ..PlacementRow::default()
        }
    }

    fn side(row: &PlacementRow) -> Side<'_> {
        Side {
            name: &row.name,
            wanted: row.wanted,
            ready: Some(row.ready),
            row: Some(row),
            fresh: true,
        }
    }

    fn said(rows: Vec<PlacementRow>, fresh: bool) -> (String, Option<String>) {
        let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}},
            "centres": [{"name": "a"}, {"name": "b"}]}"#;
        let mut placement = DualActivePlacement::new("p", serde_json::from_str(text).unwrap());
        placement.status = Some(DualActivePlacementStatus {
            centres: rows,
            ..DualActivePlacementStatus::default()
        });
        let centre = |name: &str| CentreAssignment {
            name: name.into(),
            ..CentreAssignment::default()
        };
        let assignment = Assignment {
            number: 3,
            centres: vec![centre("a"), centre("b")],
            ..Assignment::default()
        };
        let decision = Decision {
            assignment: Some(assignment),
            ..Decision::default()
        };
        let centres = [("a", true, CentreRole::Primary), ("b", fresh, CentreRole::Backup)];
        let centres = centres
            .map(|(name, fresh, role)| (name.to_owned(), centre_of(fresh, role)))
            .into();
        let status = status(&placement, &decision, &centres, Timestamp::UNIX_EPOCH);
        (status.conditions[0].reason.clone(), status.spread)
    }

    #[test]
    fn the_definition_names_every_reason_of_a_row() {
        let all = serde_json::to_value(crds::all()).unwrap();
        let mut all = all.as_array().unwrap().iter();
        let crd = all.find(|c| c["spec"]["names"]["kind"] == "DualActivePlacement");
        let crd = crd.unwrap();
        let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
        let reason = format!("{status}/centres/items/properties/reason/description");
        let words = crd.pointer(&reason).and_then(serde_json::Value::as_str).unwrap();
        let calm = [
            reason::APPLIED,
            reason::APPLYING,
            reason::STARTING,
            reason::OBJECT_FAILED,
            reason::REMOVED,
        ];
        for why in calm.into_iter().chain(TROUBLES) {
            assert!(words.contains(&format!("`{why}`")), "{why} is missing: {words}");
        }
    }

    #[test]
    fn the_first_reason_that_holds() {
        let both = |a, b| vec![a, b];
        let (good, late) = (row("a", 3, 2, "Applied"), row("b", 2, 2, "Applied"));
        let (slow, bad) = (row("b", 3, 1, "Applied"), row("b", 3, 1, "ObjectExists"));
        assert_eq!(said(both(good.clone(), row("b", 3, 2, "Applied")), true).0, "Running");
        assert_eq!(said(both(good.clone(), slow.clone()), true).0, "Starting");
        let custom = |why: &str| row("b", 3, 2, why);
        assert_eq!(said(both(good.clone(), custom("Starting")), true).0, "Starting");
        assert_eq!(said(both(good.clone(), custom("ObjectFailed")), true).0, "ObjectFailed");
        // Copies that are on their way back hold a centre's return up; what has failed for good does not.
        let failed = row("b", 3, 1, "ObjectFailed");
        assert_eq!(said(both(good.clone(), failed), true).0, "Starting");
        assert_eq!(said(both(good.clone(), custom("KindMissing")), true).0, "KindMissing");
        assert_eq!(said(both(good.clone(), custom("RoleMissing")), true).0, "RoleMissing");
        assert_eq!(said(both(good.clone(), custom("Fenced")), true).0, "Fenced");
        assert_eq!(said(both(good.clone(), late), true).0, "Applying");
        assert_eq!(said(both(good.clone(), bad), true).0, "ObjectExists");
        let deleting = PlacementRow {
            message: Some("PersistentVolumeClaim d is being deleted | PersistentVolumeClaim d 正在删除".to_owned()),
            ..row("b", 3, 2, "Applying")
        };
        assert_eq!(said(both(good.clone(), deleting.clone()), true).0, "Applying");
        assert_eq!(
            super::late(&[side(&good), side(&deleting)], 3).as_deref(),
            Some("b: PersistentVolumeClaim d is being deleted | b：PersistentVolumeClaim d 正在删除")
        );
        let noted = PlacementRow {
            message: Some("ConfigMap m is b's | ConfigMap m 归 b".to_owned()),
            ..row("b", 3, 2, "Applied")
        };
        let all = with_note("all | 全部".to_owned(), &[side(&noted)]);
        assert_eq!(all, "all; b: ConfigMap m is b's | 全部；b：ConfigMap m 归 b");
        let silent = said(both(good, slow), false);
        assert_eq!(
            (silent.0.as_str(), silent.1.as_deref()),
            ("CentreUnknown", Some("a 2/2, b ?/2"))
        );
    }
}
