//! Whether a centre's agent reports.

use crds::{DataCenter, WitnessState, centre_reason as reason};
use jiff::{SignedDuration, Timestamp};

/// A report older than this is stale, as the default of a pool's `staleAfter`.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Whether something that was written at that time is of the last while. A time that is to come proves nothing: whoever has
/// such a clock would look fresh long after it fell silent.
pub fn is_recent(at: Timestamp, now: Timestamp, limit: SignedDuration) -> bool {
    now.duration_since(at).abs() <= limit
}

/// Reason and message of the condition Ready. No age in the message: it would change while nothing happens.
pub fn health(centre: &DataCenter, now: Timestamp) -> (&'static str, String) {
    let report = centre.status.as_ref().and_then(|s| s.report.as_ref());
    let Some(report) = report else {
        let words = "its agent never reported; start it in the centre | 代理从未上报，请在该中心启动代理";
        return (reason::NEVER_REPORTED, words.to_owned());
    };
    let at = report.reported_at.parse::<Timestamp>();
    let fresh = at.is_ok_and(|at| is_recent(at, now, STALE_AFTER));
    if fresh {
        return (reason::REPORTING, "its agent reports | 代理上报正常".to_owned());
    }
    let words = format!(
        "no report of the last {} s; nothing is sold there, what runs goes on; look at its agent and its clock | 近 {} 秒无有效上报，暂停授予，已有业务不受影响，请检查代理与时钟",
        STALE_AFTER.as_secs(),
        STALE_AFTER.as_secs()
    );
    (reason::REPORT_STALE, words)
}

/// What the condition Ready says: that it is lost is known long before its report is stale.
pub fn ready(centre: &DataCenter, now: Timestamp) -> (&'static str, String) {
    let witness = centre.status.as_ref().and_then(|s| s.witness.as_ref());
    match witness.filter(|w| w.state == WitnessState::Lost) {
        Some(witness) => {
            let incident = witness.incident.as_deref().unwrap_or_default();
            let words = format!(
                "[{incident}] two observers saw it silent; what ran there is carried by the others: kubectl get failovers -A | 两处见证均判定失联，业务由其他中心承载，详见 kubectl get failovers -A"
            );
            (reason::LOST, words)
        }
        None => health(centre, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::{CentreReport, CentreRole, CentreWitness, DataCenterSpec, DataCenterStatus, Ownership};

    #[test]
    fn a_report_ages() {
        let spec = DataCenterSpec {
            display_name: "x".into(),
            role: CentreRole::Primary,
            operator: "x".into(),
            ownership: Ownership::Government,
            member: None,
            ingress: Vec::new(),
            site_code: None,
            metric_sources: Vec::new(),
        };
        let mut centre = DataCenter::new("jishi", spec);
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(health(&centre, start).0, reason::NEVER_REPORTED);
        let report = CentreReport {
            reported_at: start.to_string(),
            ..CentreReport::default()
        };
        centre.status = Some(DataCenterStatus {
            report: Some(report),
            ..DataCenterStatus::default()
        });
        assert_eq!(
            health(&centre, start + SignedDuration::from_secs(60)).0,
            reason::REPORTING
        );
        assert_eq!(
            health(&centre, start + SignedDuration::from_secs(61)).0,
            reason::REPORT_STALE
        );
        assert_eq!(
            health(&centre, start - SignedDuration::from_secs(61)).0,
            reason::REPORT_STALE
        );
        assert_eq!(ready(&centre, start).0, reason::REPORTING);
        let witness = CentreWitness {
            state: WitnessState::Lost,
            since: start.to_string(),
            last_seen: None,
            incident: Some("jishi-17".into()),
        };
        centre.status.as_mut().unwrap().witness = Some(witness);
        let (why, words) = ready(&centre, start);
        assert!(why == reason::LOST && words.starts_with("[jishi-17] "), "{words}");
        assert_eq!(health(&centre, start).0, reason::REPORTING);
    }
}
