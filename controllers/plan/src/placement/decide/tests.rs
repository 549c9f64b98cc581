use crds::{CentreRole, DualActivePlacementStatus, TemplateKind, WorkloadRow};
use jiff::Timestamp;
use proptest::prelude::*;

use super::super::fit::Room;
use super::super::template::{Amounts, object};
use super::super::testing::{centre, cpu};
use super::*;
use crate::centre::catalogue::Catalogue;
use crate::centre::testing::pools;
use crate::failover::facts::Known;
use crate::placement::fit::Scope;
use crate::placement::kinds::{Blind, Kinds};
use crate::placement::template::Template;
use serde_json::Value;

mod custom;
mod differences;
mod handed;
mod moves;
mod room;
mod storage;
mod stored;
mod suits;

/// One tenant, two centres, and whatever a test puts into them.
struct Stage {
    placements: Vec<DualActivePlacement>,
    templates: BTreeMap<Key, Arc<Template>>,
    grants: BTreeMap<Scope, Granted>,
    centres: BTreeMap<String, Centre>,
    kinds: Kinds,
    blind: Blind,
    texts: BTreeMap<Key, Arc<Value>>,
    failover: Known,
    level: i32,
    now: i64,
    epoch: i64,
}

fn stage(granted: i128) -> Stage {
    let room = Room {
        in_force: cpu(granted),
        survival: cpu(2 * granted),
    };
    let centres = ["a", "b"].map(|c| (c.to_owned(), room)).into();
    let granted = Granted {
        amounts: cpu(2 * granted),
        centres,
        level: 2,
    };
    Stage {
        placements: Vec::new(),
        templates: BTreeMap::new(),
        grants: [(("dept".to_owned(), "x86".to_owned()), granted)].into(),
        centres: [("a", CentreRole::Primary), ("b", CentreRole::Backup)]
            .map(|(c, role)| (c.to_owned(), centre(true, role)))
            .into(),
        kinds: Kinds::default(),
        blind: Blind::new(),
        texts: BTreeMap::new(),
        failover: Known::default(),
        level: 0,
        now: 0,
        epoch: 7,
    }
}

impl Stage {
    fn template(&mut self, object: PlacedObject, copies: i64, app: &str, needs: &[PlacedObject]) {
        let template = Template {
            labels: [("app".to_owned(), app.to_owned())].into(),
            copies,
            each: Amounts {
                cpu: 1000,
                ..Amounts::default()
            },
            needs: needs.iter().cloned().collect(),
            placeable: true,
            ..Template::default()
        };
        self.templates.insert(("dept".to_owned(), object), Arc::new(template));
    }

    fn placement(&mut self, name: &str, app: &str, rest: &str) {
        let centres = r#"[{"name": "a"}, {"name": "b"}]"#;
        let rest = if rest.contains("centres") {
            rest.to_owned()
        } else {
            format!(r#"{rest}, "centres": {centres}"#)
        };
        let text = format!(
            r#"{{"displayName": "p", "pool": "x86", "select": {{"matchLabels": {{"app": "{app}"}}}}, {rest}}}"#
        );
        let mut placement = DualActivePlacement::new(name, serde_json::from_str(&text).unwrap());
        placement.metadata.namespace = Some("dept".to_owned());
        self.placements.push(placement);
    }

    fn decide(&self) -> BTreeMap<(String, String), Decision> {
        let mut catalogue_pools = pools();
        for pool in &mut catalogue_pools {
            pool.spec.centres =
                serde_json::from_str(r#"[{"name": "a", "source": "Nodes"}, {"name": "b", "source": "Nodes"}]"#)
                    .unwrap();
        }
        let placements: Vec<_> = self.placements.iter().cloned().map(Arc::new).collect();
        decide(&World {
            placements: &placements,
            templates: &self.templates,
            grants: &self.grants,
            catalogue: &Catalogue::read(&catalogue_pools),
            tenants: &[("dept".to_owned(), self.level)].into(),
            centres: &self.centres,
            kinds: &self.kinds,
            blind: &self.blind,
            texts: &self.texts,
            failover: &self.failover,
            now: Timestamp::from_second(self.now).unwrap(),
            gone: &BTreeSet::new(),
            ledger: "l",
            epoch: self.epoch,
        })
    }

    /// Decides for one and stores it, as the operator would; the centres then answer that everything is ready.
    fn store(&mut self, name: &str, ready: bool) -> Decision {
        let decision = self.decide().remove(&("dept".to_owned(), name.to_owned())).unwrap();
        let placement = self
            .placements
            .iter_mut()
            .find(|p| p.metadata.name.as_deref() == Some(name))
            .unwrap();
        let status = placement.status.get_or_insert_with(DualActivePlacementStatus::default);
        status.assignment.clone_from(&decision.assignment);
        if let Some(assignment) = decision.assignment.as_ref().filter(|_| ready) {
            status.centres = assignment
                .centres
                .iter()
                .map(|c| answered(c, assignment.number))
                .collect();
        }
        decision
    }
}

fn answered(centre: &CentreAssignment, number: i64) -> PlacementRow {
    let workload = |w: &WorkloadCopies| WorkloadRow {
        kind: w.kind.clone(),
        name: w.name.clone(),
        generation: 0,
        revision: String::new(),
        wanted: w.copies,
        replicas: w.copies,
        updated: w.copies,
        ready: w.copies,
        available: w.copies,
    };
    let workloads = centre.copies.iter().map(workload).collect();
    PlacementRow {
        name: centre.name.clone(),
        number,
        workloads,
        reason: "Applied".into(),
        ..PlacementRow::default()
    }
}

fn copies(decision: &Decision) -> Vec<(String, i64)> {
    let centres = decision.assignment.iter().flat_map(|a| &a.centres);
    centres
        .map(|c| (c.name.clone(), c.copies.iter().map(|w| w.copies).sum()))
        .collect()
}

fn both(a: i64, b: i64) -> Vec<(String, i64)> {
    vec![("a".to_owned(), a), ("b".to_owned(), b)]
}

fn why(decision: &Decision) -> Option<&'static str> {
    decision.obstacle.as_ref().map(|o| o.reason)
}

fn web() -> PlacedObject {
    object(TemplateKind::Deployment, "web")
}

const BOTH: &str = r#""mode": "ActiveActive""#;

#[test]
fn a_placement_is_divided_and_numbered_once() {
    let mut s = stage(10);
    s.template(web(), 5, "web", &[]);
    s.placement("p", "web", BOTH);
    let first = s.store("p", true);
    assert_eq!((copies(&first), why(&first)), (both(3, 2), None));
    assert_eq!(first.assignment.as_ref().unwrap().number, 1);
    assert_eq!(first.survivable.as_ref().map(|s| s.0), Some(Some(true)));
    let again = s.store("p", true);
    assert_eq!(again.assignment, first.assignment);
}

#[test]
fn a_grant_that_is_too_small_changes_nothing() {
    let mut s = stage(3);
    s.template(web(), 5, "web", &[]);
    s.template(object(TemplateKind::Deployment, "api"), 4, "api", &[]);
    s.placement("p", "web", BOTH);
    s.placement("q", "api", BOTH);
    s.store("p", true);
    let second = s.store("q", true);
    assert_eq!(
        (second.assignment.clone(), why(&second)),
        (None, Some(reason::GRANT_TOO_SMALL))
    );
    let message = second.obstacle.unwrap().message;
    assert!(
        message.contains("needs cpu 2") && message.contains("short of cpu 2"),
        "{message}"
    );
    s.template(web(), 50, "web", &[]);
    let kept = s.store("p", true);
    assert_eq!((copies(&kept), why(&kept)), (both(3, 2), Some(reason::GRANT_TOO_SMALL)));
}

#[test]
fn two_claimants_name_each_other_and_nothing_flaps() {
    let mut s = stage(10);
    s.template(web(), 4, "web", &[]);
    s.placement("p", "web", BOTH);
    s.store("p", true);
    s.placement("q", "web", BOTH);
    let all = s.decide();
    let of = |name: &str| &all[&("dept".to_owned(), name.to_owned())];
    assert_eq!(
        (why(of("p")), why(of("q"))),
        (Some(reason::CLAIMED_TWICE), Some(reason::CLAIMED_TWICE))
    );
    assert!(of("p").obstacle.as_ref().unwrap().message.contains("dap/q"));
    assert!(of("q").obstacle.as_ref().unwrap().message.contains("dap/p"));
    assert_eq!((copies(of("p")), copies(of("q"))), (both(2, 2), vec![]));
}

#[test]
fn standby_hot_warm_none_and_exclusive() {
    let run = |rest: &str| {
        let mut s = stage(10);
        s.template(web(), 4, "web", &[]);
        s.placement("p", "web", rest);
        copies(&s.store("p", true))
    };
    let standby = |how: &str| format!(r#""mode": "ActiveStandby", "active": "b", "standby": "{how}""#);
    assert_eq!(run(&standby("Hot")), both(4, 4));
    assert_eq!(run(&standby("Warm")), both(0, 4));
    let least = r#", "centres": [{"name": "a", "min": 2}, {"name": "b"}]"#;
    assert_eq!(run(&(standby("Warm") + least)), both(1, 4));
    assert_eq!(run(&standby("None")), vec![("b".to_owned(), 4)]);
    assert_eq!(run(r#""mode": "Exclusive", "active": "a""#), vec![("a".to_owned(), 4)]);
}

#[test]
fn the_active_side_moves_without_a_gap() {
    let mut s = stage(10);
    s.template(web(), 4, "web", &[]);
    s.placement("p", "web", r#""mode": "ActiveStandby", "active": "a""#);
    s.store("p", true);
    s.placements[0].spec.active = Some("b".to_owned());
    let raised = s.store("p", false);
    assert_eq!((copies(&raised), raised.rebalancing), (both(4, 4), true));
    assert_eq!(copies(&s.store("p", true)), both(4, 4));
    let lowered = s.store("p", true);
    assert_eq!(
        (copies(&lowered), lowered.rebalancing),
        (vec![("b".to_owned(), 4)], false)
    );
}

#[test]
fn a_template_that_is_only_unseen_stays() {
    let mut s = stage(10);
    let map = object(TemplateKind::ConfigMap, "map");
    s.template(web(), 4, "web", std::slice::from_ref(&map));
    s.template(map.clone(), 1, "other", &[]);
    s.placement("p", "web", BOTH);
    let first = s.store("p", true);
    s.templates.clear();
    let blind = s.store("p", true);
    assert_eq!(blind.assignment, first.assignment);
    assert_eq!(blind.confirm.len(), 2);
}

#[test]
fn what_an_unseen_workload_needs_stays_with_it() {
    let mut s = stage(10);
    let map = object(TemplateKind::ConfigMap, "map");
    s.template(web(), 4, "web", std::slice::from_ref(&map));
    s.template(map.clone(), 1, "other", &[]);
    s.placement("p", "web", BOTH);
    s.store("p", true);
    s.templates.retain(|(_, object), _| *object == map);
    let unseen = s.store("p", true);
    assert!(unseen.assignment.unwrap().objects.contains(&map));
    assert_eq!(unseen.confirm.len(), 1);
}

#[test]
fn a_newer_leader_confirms_what_was_not_carried_out() {
    let mut s = stage(10);
    s.template(web(), 4, "web", &[]);
    s.placement("p", "web", BOTH);
    s.store("p", false);
    s.epoch = 8;
    let confirmed = s.store("p", true).assignment.unwrap();
    assert_eq!((confirmed.epoch, confirmed.number), (8, 1));
    s.epoch = 9;
    assert_eq!(s.store("p", true).assignment.unwrap().epoch, 8);
}

#[test]
fn a_placement_leaves_when_every_centre_let_go() {
    let mut s = stage(10);
    s.template(web(), 4, "web", &[]);
    s.placement("p", "web", BOTH);
    s.store("p", true);
    s.placements[0].metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        jiff::Timestamp::UNIX_EPOCH,
    ));
    s.placements[0].spec.removal = crds::Removal::Orphan;
    let leaving = s.store("p", false);
    assert!(!leaving.release);
    let message = leaving.obstacle.unwrap().message;
    assert!(
        message.contains("are let go of (removal: Orphan); 2 centres still hold some: a, b"),
        "{message}"
    );
    let number = leaving.assignment.unwrap().number;
    for row in &mut s.placements[0].status.as_mut().unwrap().centres {
        row.number = number;
        row.reason = reason::REMOVED.to_owned();
    }
    assert!(s.store("p", false).release);
}

#[test]
fn free_capacity_decides_where_it_is_asked_to() {
    let mut s = stage(10);
    let scope = ("dept".to_owned(), "x86".to_owned());
    s.grants.get_mut(&scope).unwrap().centres.get_mut("a").unwrap().in_force = cpu(2);
    s.template(web(), 6, "web", &[]);
    s.placement("p", "web", r#""mode": "ActiveActive", "split": "Free""#);
    assert_eq!(copies(&s.store("p", true)), both(1, 5));
}

proptest! {
    /// However replicas and weights change, and whatever is ready by then: each step keeps at least the lesser of old and new
    /// total running, and it ends at the exact division.
    #[test]
    fn changes_end_where_they_should(changes in proptest::collection::vec((0i64..12, 1i32..5, 1i32..5), 1..5)) {
        let mut s = stage(1000);
        s.template(web(), 3, "web", &[]);
        s.placement("p", "web", BOTH);
        s.store("p", true);
        let mut before = 3;
        for (replicas, a, b) in changes {
            s.template(web(), replicas, "web", &[]);
            s.placements[0].spec.centres[0].weight = a;
            s.placements[0].spec.centres[1].weight = b;
            for _ in 0..3 {
                let running = s.store("p", true);
                prop_assert!(copies(&running).iter().map(|c| c.1).sum::<i64>() >= replicas.min(before));
            }
            let last = s.store("p", true);
            prop_assert!(!last.rebalancing);
            prop_assert_eq!(copies(&last).iter().map(|c| c.1).sum::<i64>(), replicas);
            before = replicas;
        }
    }
}
