use serde_json::json;

use super::*;

/// A pool of one member cloud with 128 vCPU found, and what is read of it.
fn member(stage: &str, lend: &serde_json::Value) -> Capacity {
    member_at(stage, lend, Timestamp::UNIX_EPOCH)
}

/// The same, read at that time; its report is of 1970.
fn member_at(stage: &str, lend: &serde_json::Value, now: Timestamp) -> Capacity {
    let spec = json!({"displayName": "p", "architecture": "amd64", "zone": "GovExtranet", "reserve": {"percent": 10},
        "centres": [{"name": "yanbian", "source": "Nodes"}]});
    let pool = QuotaPool::new("lent", serde_json::from_value(spec).unwrap());
    let centre = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": "yanbian"},
        "spec": {"displayName": "x", "operator": "x", "role": "Member", "member": {"type": "City", "stage": stage, "lend": lend}},
        "status": {"report": {"number": 3, "reportedAt": "1970-01-01T00:00:00Z", "pools": [
            {"name": "lent", "readyNodes": 1, "allocatable": {"cpu": "128", "memory": "512Gi"}}]}}});
    let centres = [serde_json::from_value(centre).unwrap()];
    let read = Pool::read(&pool, &centres, &[], now).unwrap();
    read.capacity["yanbian"].clone()
}

#[test]
fn of_a_member_cloud_at_most_what_it_lends_is_sold() {
    let lend = json!([{"pool": "lent", "amounts": {"cpu": "20", "memory": "1Ti"}}]);
    let scheduled = member("Scheduled", &lend);
    assert!(scheduled.known);
    assert_eq!(
        (scheduled.gross.cpu, scheduled.gross.memory),
        (20_000, 512 << 30),
        "the less of both"
    );
    assert_eq!(scheduled.committable().cpu, 18_000);
    assert!(member("Advised", &lend).known);
    let nothing = member("Scheduled", &json!([]));
    assert_eq!(nothing.gross, Resources::ZERO);
    // What was granted before stays: its capacity is unknown, and not nothing.
    let observed = member("Observed", &lend);
    assert!(!observed.known && observed.gross == scheduled.gross);
}

#[test]
fn a_report_that_is_old_or_of_a_time_to_come_is_no_ground_to_sell_on() {
    let lend = json!([{"pool": "lent", "amounts": {"cpu": "20", "memory": "1Ti"}}]);
    for (seconds, known) in [(-61, false), (-60, true), (0, true), (60, true), (61, false)] {
        let now = Timestamp::from_second(seconds).unwrap();
        assert_eq!(member_at("Scheduled", &lend, now).known, known, "{seconds}");
    }
}

#[test]
fn an_accepted_phase_does_not_raise_what_is_lent() {
    let lend = json!([{"pool": "lent", "amounts": {"cpu": "20", "memory": "1Ti"}}]);
    let mut pool = testing::cards();
    pool.capacity = [("yanbian".to_owned(), member("Scheduled", &lend))].into();
    let more = Resources {
        cpu: 64_000,
        ..Resources::ZERO
    };
    pool.set_phase("yanbian", "phase-2", more);
    assert_eq!(pool.capacity["yanbian"].gross.cpu, 20_000);
}
