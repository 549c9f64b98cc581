use super::super::super::testing;
use super::*;

/// None of none is no proof that it runs, whatever the mode: an autoscaler leaves what has no copy as it is.
#[test]
fn no_copy_where_some_were_decided_is_not_ready() {
    for rest in [STANDBY, EXCLUSIVE, r#""mode": "ActiveActive""#] {
        let mut s = scene(FailoverType::Unplanned, rest);
        if let Some(right) = &mut s.right {
            *right = testing::right(5, Some("b"), Stage::Held);
        }
        s.serves();
        (s.row("b").wanted, s.row("b").ready) = (0, 0);
        let status = FailoverStatus {
            phase: FailoverPhase::Promoting,
            ..FailoverStatus::default()
        };
        s.failover.status = Some(status);
        s.look();
        phase_is(&s, FailoverPhase::Promoting, "Starting");
        let said = &s.failover.status.as_ref().unwrap().conditions[0].message;
        assert!(said.contains("Deployment web asks for 0 of 4 copies in b"), "{said}");
        // An autoscaler may want fewer than were decided.
        (s.row("b").wanted, s.row("b").ready) = (1, 1);
        s.look();
        phase_is(&s, FailoverPhase::Verifying, "Starting");
    }
}
