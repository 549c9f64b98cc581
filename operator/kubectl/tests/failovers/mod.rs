//! Moves: what one would do, what each waits for, and what is fenced.

use crds::{CentreWitness, DataCenter, DualActivePlacement, Failover, FailoverType, WitnessState};
use kubectl_xiangyun::failover::act::failover;
use kubectl_xiangyun::failover::fence::fences_of;
use kubectl_xiangyun::failover::page::{page, pages};
use kubectl_xiangyun::failover::print;
use kubectl_xiangyun::failover::scheme::{Scheme, scheme};
use serde_json::json;

use super::{golden, now, objects, province};

const FILE: &str = "failovers.yaml";

fn placements() -> Vec<DualActivePlacement> {
    objects(FILE, "DualActivePlacement")
}

fn moves() -> Vec<Failover> {
    objects(FILE, "Failover")
}

fn centres(lost: &str) -> Vec<DataCenter> {
    let mut all = province().centres.unwrap();
    let found = all.iter_mut().find(|c| c.metadata.name.as_deref() == Some(lost));
    if let Some(centre) = found {
        centre.status.get_or_insert_default().witness = Some(CentreWitness {
            state: WitnessState::Lost,
            since: "2026-11-25T01:59:29Z".into(),
            last_seen: None,
            incident: None,
        });
    }
    all
}

fn of(name: &str, to: Option<&str>, lost: &str, moves: &[Failover]) -> Scheme {
    let placements = placements();
    let found = placements.iter().find(|p| p.metadata.name.as_deref() == Some(name));
    scheme(found.unwrap(), to, Some(&centres(lost)), moves)
}

#[test]
fn what_a_move_would_do() {
    let there = Some("jiyidong");
    let possible = [of("loans", there, "", &[]), of("portal", None, "", &[])];
    golden("failover-plan", |style| {
        possible
            .iter()
            .map(|s| print::scheme(s, style))
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert_eq!(
        (possible[1].from.as_str(), possible[1].to.as_str()),
        ("jiyidong", "jishi")
    );
    let moves = moves();
    let held = [
        of("loans", Some("jishi"), "", &[]),
        of("loans", Some("baicheng"), "", &[]),
        of("loans", there, "", &moves),
        of("loans", there, "jiyidong", &[]),
        of("loans", there, "jishi", &[]),
        of("shop", there, "", &[]),
        of("fresh", there, "", &[]),
    ];
    assert!(
        held.iter().all(|s| s.obstacles.len() == 1 && s.steps.is_empty()),
        "{held:#?}"
    );
    golden("failover-plan-held", |style| {
        held.iter()
            .map(|s| print::scheme(s, style))
            .collect::<Vec<_>>()
            .join("\n")
    });
    // One that is over stands in nobody's way.
    assert!(of("portal", None, "", &moves).obstacles.is_empty());
}

#[test]
fn what_is_asked_for() {
    let asked = serde_json::to_value(failover(&of("portal", None, "", &[]), Some("drill".into()))).unwrap();
    assert_eq!(asked["metadata"]["generateName"], "portal-back-");
    assert_eq!(
        asked["spec"],
        json!({"placementRef": {"name": "portal"}, "type": "Failback", "from": "jiyidong", "to": "jishi",
            "comment": "drill", "requester": {"username": "", "groups": []}})
    );
}

#[test]
fn moves_and_what_they_wait_for() {
    let all = pages(&moves(), None, now());
    golden("failovers", |style| print::moves(&all, style));
    let back = pages(&moves(), Some(FailoverType::Failback), now());
    assert_eq!(
        back.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
        ["fresh-back-q7"]
    );
    golden("failovers-none", |style| print::moves(&[], style));
    let declared = [Some("120s"), Some("300s"), None];
    let each: Vec<_> = moves()
        .iter()
        .zip(declared)
        .map(|(m, declared)| page(m, declared, now()))
        .collect();
    golden("failover-one", |style| {
        each.iter().map(|m| print::one(m, style)).collect::<Vec<_>>().join("\n")
    });
    assert_eq!(each[1].rto_kept, Some(false));
    let json = serde_json::to_value(&each[0]).unwrap();
    assert_eq!(json["timeline"][1]["afterMillis"], 14_250);
    assert_eq!(json["complete"]["reason"], "FencingUnconfirmed");
}

#[test]
fn what_is_fenced() {
    let all = fences_of(&placements());
    golden("fences", |style| print::fences(&all, style));
    golden("fences-none", |style| print::fences(&[], style));
    assert_eq!(all.len(), 2);
}
