//! How long history stays: a request that has ended, and the decisions about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::{RequestApproval, ResourceRequest, condition, find_condition};
use jiff::{SignedDuration, Timestamp};

/// Phases after which nothing happens any more. Not `Refused`: what can never fit may fit after an expansion.
const OVER: [&str; 4] = ["Released", "Expired", "Rejected", "Completed"];

/// Whether nothing happens to it any more.
pub(crate) fn over(request: &ResourceRequest) -> bool {
    let phase = request.status.as_ref().and_then(|s| s.phase.as_deref());
    phase.is_some_and(|phase| OVER.contains(&phase))
}

/// Requests that ended before `now - keep`, by index. `None` keeps them for ever.
pub fn outlived(requests: &[Arc<ResourceRequest>], now: Timestamp, keep: Option<SignedDuration>) -> Vec<usize> {
    let Some(before) = keep.and_then(|keep| now.checked_sub(keep).ok()) else {
        return Vec::new();
    };
    let all = requests.iter().enumerate();
    all.filter(|(_, r)| ended(r).is_some_and(|at| at < before))
        .map(|(index, _)| index)
        .collect()
}

/// Decisions as old as that about requests that are not there, or are about to go: all but `staying`, by uid.
pub fn orphaned<'a>(
    approvals: &'a [RequestApproval],
    staying: &BTreeSet<&str>,
    now: Timestamp,
    keep: Option<SignedDuration>,
) -> Vec<&'a RequestApproval> {
    let Some(before) = keep.and_then(|keep| now.checked_sub(keep).ok()) else {
        return Vec::new();
    };
    let old = |a: &RequestApproval| a.metadata.creation_timestamp.as_ref().is_some_and(|at| at.0 < before);
    let all = approvals.iter();
    all.filter(|a| old(a) && !staying.contains(a.spec.request_ref.uid.as_str()))
        .collect()
}

/// When it ended: the last that is known to have happened to it. `None` while it goes on, or where a time cannot be read.
fn ended(request: &ResourceRequest) -> Option<Timestamp> {
    let status = request.status.as_ref().filter(|_| over(request))?;
    let mut last = request.metadata.creation_timestamp.as_ref()?.0;
    if let Some(ready) = find_condition(&status.conditions, condition::READY) {
        last = last.max(ready.last_transition_time.0);
    }
    let given_back = status.history.last().map(|entry| entry.at.as_str());
    let ended = status.allocation.as_ref().and_then(|a| a.ended.as_deref());
    for at in [given_back, ended].into_iter().flatten() {
        last = last.max(at.parse().ok()?);
    }
    Some(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

    fn request(uid: &str, phase: &str, created: &str, gave_back: Option<&str>) -> Arc<ResourceRequest> {
        let history: Vec<_> = gave_back.iter().map(|at| json!({"at": at, "record": "r"})).collect();
        let request = json!({
            "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": uid, "uid": uid, "creationTimestamp": created},
            "spec": {"displayName": "x", "type": "New"},
            "status": {"phase": phase, "history": history},
        });
        Arc::new(serde_json::from_value(request).unwrap())
    }

    fn approval(uid: &str, created: &str) -> RequestApproval {
        let approval = json!({
            "apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
            "metadata": {"name": uid, "creationTimestamp": created},
            "spec": {"requestRef": {"name": uid, "uid": uid}, "level": 1, "decision": "Rejected"},
        });
        serde_json::from_value(approval).unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-30T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_ended_a_year_ago_goes_and_nothing_else() {
        let long_ago = "2024-01-01T00:00:00Z";
        let all = [
            request("released", "Released", long_ago, Some("2025-11-01T00:00:00Z")),
            request("rejected", "Rejected", long_ago, None),
            request("of-this-year", "Released", long_ago, Some("2026-01-01T00:00:00Z")),
            request("active", "Active", long_ago, Some(long_ago)),
            request("refused", "Refused", long_ago, None),
            request("waiting", "PendingQuota", long_ago, None),
            request("unreadable", "Expired", long_ago, Some("soon")),
        ];
        assert_eq!(outlived(&all, now(), Some(YEAR)), [0, 1]);
        assert!(outlived(&all, now(), None).is_empty());
    }

    #[test]
    fn a_decision_goes_with_its_request_and_not_before() {
        let all = [
            approval("gone", "2025-01-01T00:00:00Z"),
            approval("there", "2025-01-01T00:00:00Z"),
            approval("young", "2026-11-01T00:00:00Z"),
        ];
        let staying = BTreeSet::from(["there"]);
        let names = |keep| -> Vec<_> {
            let found = orphaned(&all, &staying, now(), keep);
            found.iter().map(|a| a.metadata.name.clone().unwrap()).collect()
        };
        assert_eq!(names(Some(YEAR)), ["gone"]);
        assert!(names(None).is_empty());
    }
}
