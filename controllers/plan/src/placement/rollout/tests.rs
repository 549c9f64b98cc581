use crds::{TemplateKind, WorkloadRow};
use proptest::prelude::*;

use super::super::template::object;
use super::*;

/// A placement in two centres, the backup `b` first, that answers as a test says.
struct Stage {
    rollout: Rollout,
    state: Option<WorkloadRollout>,
    rows: Vec<PlacementRow>,
    now: i64,
}

const CENTRES: [&str; 2] = ["b", "a"];

impl Stage {
    fn new(order: RolloutOrder, on_failure: OnFailure) -> Self {
        let rollout = Rollout {
            order,
            paused: false,
            deadline: "60s".into(),
            on_failure,
        };
        Self {
            rollout,
            state: None,
            rows: Vec::new(),
            now: 0,
        }
    }

    /// One step; the decision is stored.
    fn step(&mut self, newest: &str) -> Phase {
        let rows: Vec<&PlacementRow> = self.rows.iter().collect();
        let (state, phase) = next(&Look {
            rollout: &self.rollout,
            object: &object(TemplateKind::Deployment, "web"),
            newest,
            centres: &CENTRES,
            old: self.state.as_ref(),
            rows: &rows,
            now: Timestamp::from_second(self.now).unwrap(),
        });
        self.state = Some(state);
        phase
    }

    /// A centre runs what it was given, with so many of two copies.
    fn answers(&mut self, centre: &str, available: i64) {
        let revision = self.at(centre).unwrap_or_default();
        self.rows.retain(|r| r.name != centre);
        let workload = WorkloadRow {
            kind: TemplateKind::Deployment,
            name: "web".into(),
            generation: 1,
            revision,
            wanted: 2,
            replicas: 2,
            updated: 2,
            ready: available,
            available,
        };
        self.rows.push(PlacementRow {
            name: centre.into(),
            workloads: vec![workload],
            ..PlacementRow::default()
        });
    }

    fn at(&self, centre: &str) -> Option<String> {
        self.state.as_ref()?.of(centre).map(str::to_owned)
    }

    fn both(&self) -> [Option<String>; 2] {
        CENTRES.map(|c| self.at(c))
    }

    /// Everything runs that revision.
    fn runs(&mut self, revision: &str) {
        for _ in 0..4 {
            self.step(revision);
            for centre in CENTRES {
                self.answers(centre, 2);
            }
        }
        assert_eq!(self.step(revision), Phase::Done);
    }
}

fn is(b: &str, a: &str) -> [Option<String>; 2] {
    [b, a].map(|r| Some(r.to_owned()).filter(|r| !r.is_empty()))
}

/// Neither a pause nor a version that failed keeps a centre from taking over what ran.
#[test]
fn who_takes_over_runs_what_ran() {
    let object = object(TemplateKind::Deployment, "web");
    for (paused, failed) in [(true, None), (false, Some("2".to_owned()))] {
        let mut stage = Stage::new(RolloutOrder::BackupFirst, OnFailure::Stop);
        stage.runs("1");
        stage.rollout.paused = paused;
        let mut before = stage.state.unwrap();
        before.centres.retain(|c| c.name == "b");
        before.failed = failed;
        let (next, _) = next(&Look {
            rollout: &stage.rollout,
            object: &object,
            newest: "2",
            centres: &["a"],
            old: Some(&before),
            rows: &[],
            now: Timestamp::UNIX_EPOCH,
        });
        assert_eq!((next.of("a"), next.of("b")), (Some("1"), None), "{paused}");
    }
}

#[test]
fn the_backup_comes_first_and_the_primary_when_it_is_healthy() {
    let mut stage = Stage::new(RolloutOrder::BackupFirst, OnFailure::Stop);
    stage.runs("1");
    assert_eq!(stage.step("2"), Phase::Going("b".into(), 0, 0));
    assert_eq!(stage.both(), is("2", "1"));
    stage.answers("b", 1);
    assert_eq!(stage.step("2"), Phase::Going("b".into(), 1, 2));
    assert_eq!(stage.both(), is("2", "1"));
    stage.answers("b", 2);
    stage.step("2");
    assert_eq!(stage.both(), is("2", "2"));
    stage.answers("a", 2);
    assert_eq!(stage.step("2"), Phase::Done);
    assert_eq!(stage.state.as_ref().unwrap().good.as_deref(), Some("2"));
}

#[test]
fn together_is_at_once() {
    let mut stage = Stage::new(RolloutOrder::Together, OnFailure::Stop);
    stage.runs("1");
    stage.step("2");
    assert_eq!(stage.both(), is("2", "2"));
}

#[test]
fn paused_gives_nobody_anything_and_goes_on_afterwards() {
    let mut stage = Stage::new(RolloutOrder::BackupFirst, OnFailure::Stop);
    stage.runs("1");
    stage.step("2");
    stage.answers("b", 2);
    stage.rollout.paused = true;
    assert_eq!(stage.step("2"), Phase::Paused);
    assert_eq!(stage.both(), is("2", "1"));
    stage.rollout.paused = false;
    stage.step("2");
    assert_eq!(stage.both(), is("2", "2"));
}

#[test]
fn a_late_version_stops_or_returns() {
    for (on_failure, expected) in [(OnFailure::Stop, is("2", "1")), (OnFailure::Return, is("1", "1"))] {
        let mut stage = Stage::new(RolloutOrder::BackupFirst, on_failure);
        stage.runs("1");
        stage.step("2");
        stage.answers("b", 1);
        stage.now = 61;
        let phase = stage.step("2");
        let said = match on_failure {
            OnFailure::Stop => Phase::Stopped("b".into(), 1, 2),
            OnFailure::Return => Phase::Returned,
        };
        assert_eq!((phase, stage.both()), (said.clone(), expected.clone()));
        stage.now = 1000;
        assert_eq!((stage.step("2"), stage.both()), (said, expected), "and stays so");
        // A corrected template is a new version.
        stage.step("3");
        assert_eq!(stage.at("b").as_deref(), Some("3"));
        assert_eq!(stage.state.as_ref().unwrap().failed, None);
    }
}

#[test]
fn nothing_is_concluded_from_silence() {
    let mut stage = Stage::new(RolloutOrder::BackupFirst, OnFailure::Return);
    stage.runs("1");
    stage.step("2");
    stage.rows.retain(|r| r.name != "b");
    stage.now = 10_000;
    assert_eq!(stage.step("2"), Phase::Blind("b".into()));
    assert_eq!(stage.both(), is("2", "1"));
}

#[test]
fn a_good_version_that_falls_ill_later_is_no_failed_rollout() {
    let mut stage = Stage::new(RolloutOrder::BackupFirst, OnFailure::Return);
    stage.runs("1");
    stage.answers("b", 0);
    stage.now = 10_000;
    assert_eq!(stage.step("1"), Phase::Going("b".into(), 0, 2));
    assert_eq!(stage.state.as_ref().unwrap().failed, None);
}

proptest! {
    /// With an order, never do both centres run a version that was not healthy in the first.
    #[test]
    fn the_second_centre_only_gets_what_was_healthy_in_the_first(
        steps in proptest::collection::vec((0u8..3, 0i64..3, 0i64..3, 0i64..90, any::<bool>()), 1..40),
        returns in any::<bool>(),
    ) {
        let on_failure = if returns { OnFailure::Return } else { OnFailure::Stop };
        let mut stage = Stage::new(RolloutOrder::BackupFirst, on_failure);
        let mut healthy = std::collections::BTreeSet::new();
        for (version, b, a, later, paused) in steps {
            stage.rollout.paused = paused;
            stage.now += later;
            let before = stage.at("a");
            stage.step(&version.to_string());
            let after = stage.at("a");
            if after != before {
                let after = after.unwrap();
                prop_assert!(healthy.contains(&after), "{after} was never healthy in b");
                prop_assert!(!paused || stage.state.as_ref().unwrap().failed.is_some());
            }
            stage.answers("b", b);
            stage.answers("a", a);
            if b == 2 {
                healthy.extend(stage.at("b"));
            }
        }
    }
}
