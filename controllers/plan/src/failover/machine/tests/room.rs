//! A target without room.

use crds::ShortCentre;

use super::*;

#[test]
fn what_finds_no_room_stays_where_it_runs() {
    for (type_, alone, phase, why) in [
        (FailoverType::Planned, false, FailoverPhase::Pending, "NoCapacity"),
        (FailoverType::Unplanned, true, FailoverPhase::Pending, "NoCapacity"),
        // A loss may use what the grants keep for one.
        (
            FailoverType::Unplanned,
            false,
            FailoverPhase::Fencing,
            "FencingUnconfirmed",
        ),
    ] {
        let mut s = scene(type_, EXCLUSIVE);
        s.placement.status.as_mut().unwrap().short = vec![ShortCentre {
            name: "b".into(),
            alone,
            message: "short of 2 | 缺 2".into(),
        }];
        s.look();
        phase_is(&s, phase, why);
    }
}
