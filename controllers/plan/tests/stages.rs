//! A member cloud through all stages and back: what its agent would write of a placement, and what it would say.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::MemberStage::{Advised, Observed, Scheduled};
use crds::{DualActivePlacement, MemberStage, Ownership, PlacedObject, PlacementRow, QuotaPool, TemplateKind};
use jiff::Timestamp;
use plan::centre::catalogue::Catalogue;
use plan::centre::epoch::Floors;
use plan::centre::requests::Known;
use plan::centre::stage::Stage;
use plan::placement::centre::{Plan, Snapshot, Spot, plan};
use plan::placement::confirm::Contents;
use plan::placement::row::{Progress, Seen, State, Version, row};
use proptest::prelude::*;
use serde_json::json;

/// A member cloud with one placement of one Deployment, and what stands there.
#[derive(Clone)]
struct Cloud {
    stage: MemberStage,
    placement: DualActivePlacement,
    image: String,
    /// Image of what stands, and how often it was made.
    stands: Option<String>,
    made: usize,
    floors: Floors,
}

fn web() -> PlacedObject {
    PlacedObject {
        kind: TemplateKind::Deployment,
        name: "web".to_owned(),
    }
}

fn catalogue() -> Catalogue {
    let spec = json!({"displayName": "p", "architecture": "amd64", "zone": "GovExtranet", "centres": [{"name": "yanbian", "source": "Nodes"}]});
    Catalogue::read(&[QuotaPool::new("x86", serde_json::from_value(spec).unwrap())])
}

impl Cloud {
    fn new() -> Self {
        let placement = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement",
            "metadata": {"name": "p", "namespace": "dept"},
            "spec": {"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}},
                "centres": [{"name": "yanbian"}]},
            "status": {"assignment": {"number": 1, "epoch": 5, "objects": [{"kind": "Deployment", "name": "web"}],
                "centres": [{"name": "yanbian", "copies": [{"kind": "Deployment", "name": "web", "copies": 2}]}]}}});
        Self {
            stage: Observed,
            placement: serde_json::from_value(placement).unwrap(),
            image: "one".to_owned(),
            stands: None,
            made: 0,
            floors: Floors::default(),
        }
    }

    fn decide(&self) -> Plan {
        let spot: Spot = ("dept".to_owned(), web());
        let standing = self.stands.iter().map(|_| (spot.clone(), "p".to_owned())).collect();
        let contents: Contents = [((spot, None), self.image.clone())].into();
        plan(&Snapshot {
            centre: "yanbian",
            placements: &[Arc::new(self.placement.clone())],
            catalogue: &catalogue(),
            standing: &standing,
            namespaces: &[("dept".to_owned(), "dept".to_owned())].into(),
            floors: &self.floors,
            stage: Stage::Member(self.stage),
            ownership: Ownership::Social,
            contents: &contents,
            rights: None,
        })
    }

    /// One pass of the agent, as its writers follow the plan. Answers its row.
    fn pass(&mut self) -> PlacementRow {
        let plan = self.decide();
        assert!(plan.goes.is_empty(), "nothing of it is ever taken away");
        let part = plan.parts.values().next().unwrap();
        let wanted = plan.wants.values().any(|w| !w.kept);
        if self.stage == Observed {
            assert!(!wanted && plan.floors == self.floors);
        }
        self.floors = plan.floors.clone();
        if wanted {
            self.made += usize::from(self.stands.is_none());
            self.stands = Some(self.image.clone());
        }
        let states: BTreeMap<Spot, State> = plan
            .wants
            .keys()
            .filter(|_| wanted || self.stands.is_some())
            .map(|spot| (spot.clone(), State::Done(Version::default())))
            .collect();
        let (progress, ready) = (BTreeMap::<Spot, Progress>::new(), BTreeMap::new());
        let seen = Seen {
            states: &states,
            progress: &progress,
            jobs: &BTreeMap::new(),
            ready: &ready,
            requests: &Known::NotAsked,
            unready: &BTreeMap::new(),
            forbidden: &BTreeMap::new(),
            fought: &BTreeMap::new(),
            left: 0,
            fence: None,
        };
        let rows = &self.placement.status.as_ref().unwrap().centres;
        let row = row("yanbian", part, rows.first(), &seen, Timestamp::UNIX_EPOCH).unwrap();
        self.placement.status.as_mut().unwrap().centres = vec![row.clone()];
        row
    }

    fn confirm(&mut self, name: &str) {
        let annotation = ("confirmed.xiangyun.io/yanbian".to_owned(), name.to_owned());
        self.placement.metadata.annotations = Some([annotation].into());
    }

    fn decided_anew(&mut self) {
        let assignment = self.placement.status.as_mut().unwrap().assignment.as_mut().unwrap();
        assignment.number += 1;
    }
}

#[test]
fn there_and_back_with_a_workload() {
    let mut cloud = Cloud::new();
    let row = cloud.pass();
    assert_eq!((row.reason.as_str(), row.number, cloud.made), ("StageObserved", 0, 0));
    cloud.stage = Advised;
    let row = cloud.pass();
    assert_eq!((row.reason.as_str(), cloud.made), ("AwaitingConfirmation", 0));
    cloud.confirm(row.confirm.as_ref().unwrap());
    let row = cloud.pass();
    assert_eq!((row.reason.as_str(), row.number, cloud.made), ("Applied", 1, 1));
    // Another image under the same decision is another question.
    "two".clone_into(&mut cloud.image);
    let row = cloud.pass();
    assert_eq!(
        (row.reason.as_str(), cloud.stands.as_deref()),
        ("AwaitingConfirmation", Some("one"))
    );
    cloud.stage = Scheduled;
    assert_eq!(cloud.pass().reason, "Applied");
    assert_eq!(cloud.stands.as_deref(), Some("two"));
    // One step back: what was carried out goes on, what is new waits.
    cloud.stage = Advised;
    assert_eq!(cloud.pass().reason, "Applied");
    cloud.decided_anew();
    assert_eq!(cloud.pass().reason, "AwaitingConfirmation");
    cloud.stage = Observed;
    let row = cloud.pass();
    assert_eq!((row.reason.as_str(), row.number), ("StageObserved", 1));
    cloud.stage = Scheduled;
    let row = cloud.pass();
    assert_eq!((row.reason.as_str(), row.number, cloud.made), ("Applied", 2, 1));
}

/// Whatever was in the member before, an unrelated placement causes no write there, not even of an epoch.
#[test]
fn what_does_not_concern_the_member_is_not_recorded() {
    for stage in [Observed, Advised, Scheduled] {
        let mut cloud = Cloud::new();
        cloud.stage = stage;
        let assignment = cloud.placement.status.as_mut().unwrap().assignment.as_mut().unwrap();
        assignment.centres.iter_mut().for_each(|c| c.name = "jishi".to_owned());
        let plan = cloud.decide();
        assert_eq!((plan.floors, plan.wants.len()), (Floors::default(), 0));
        assert!(
            plan.parts.values().all(|p| p.refusal.is_none()),
            "nobody has to allow nothing"
        );
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Stage(MemberStage),
    Decide,
    Image(bool),
    Confirm,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        prop_oneof![Just(Observed), Just(Advised), Just(Scheduled)].prop_map(Step::Stage),
        Just(Step::Decide),
        any::<bool>().prop_map(Step::Image),
        Just(Step::Confirm),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// In any order of stages, decisions, templates and confirmations: made once and never again; without a word of a person
    /// nothing changes below Scheduled; a row that says Applied is true.
    #[test]
    fn any_order_of_steps(steps in steps()) {
        let mut cloud = Cloud::new();
        let mut shown: Option<String> = None;
        for step in steps {
            match step {
                Step::Stage(stage) => cloud.stage = stage,
                Step::Decide => cloud.decided_anew(),
                Step::Image(other) => cloud.image = if other { "two" } else { "one" }.to_owned(),
                Step::Confirm => if let Some(shown) = &shown { cloud.confirm(shown); },
            }
            let before = cloud.stands.clone();
            let row = cloud.pass();
            if cloud.stage == Observed {
                prop_assert_eq!(&cloud.stands, &before);
            }
            if row.reason == "AwaitingConfirmation" {
                prop_assert_eq!(&cloud.stands, &before);
            }
            if row.reason == "Applied" {
                prop_assert_eq!(cloud.stands.as_ref(), Some(&cloud.image));
                prop_assert_eq!(row.number, cloud.placement.status.as_ref().unwrap().assignment.as_ref().unwrap().number);
            }
            prop_assert!(cloud.made <= 1);
            shown = row.confirm;
        }
    }
}
