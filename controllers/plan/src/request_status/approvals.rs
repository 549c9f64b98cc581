//! What the status says of approvals.

use crds::{ApprovalCount, ResourceRequestStatus, condition, request_reason as reason, set_condition};
use jiff::Timestamp;

use crate::admission::Assessment;
use crate::request::Request;

/// How many were needed and given, and whether that is enough.
pub(super) fn count(
    status: &mut ResourceRequestStatus,
    request: &Request,
    assessment: Option<&Assessment>,
    now: Timestamp,
) {
    // Only what waits is assessed: after the grant the counts stay as they were decided.
    let Some(assessment) = assessment else { return };
    let outcome = &assessment.outcome;
    let missing = i32::try_from(outcome.missing.len()).unwrap_or(i32::MAX);
    let resolved = assessment.refusal.as_ref().is_none_or(|r| {
        [
            reason::AWAITING_APPROVAL,
            reason::REJECTED,
            reason::CEILING_REACHED,
            reason::ON_HOLD,
            reason::WAITING_FOR_QUOTA,
            reason::FRAGMENTED,
            reason::CAPACITY_UNKNOWN,
        ]
        .contains(&r.reason)
    });
    if !resolved {
        return;
    }
    // A rejection that was counted earlier is not counted again; the numbers stay as they were.
    if outcome.rejected.is_none() || !assessment.needed.0.is_empty() {
        status.approvals = Some(ApprovalCount {
            needed: outcome.given + missing,
            given: outcome.given,
        });
    }
    let approved = missing == 0 && outcome.rejected.is_none();
    let (why, words) = match (&outcome.rejected, approved) {
        (Some((person, comment)), _) => (
            reason::REJECTED,
            format!("rejected by {person}: {comment} | 已被 {person} 驳回：{comment}"),
        ),
        (None, true) if outcome.given == 0 => ("Automatic", "within the automatic limit | 在自动批准额度内".to_owned()),
        (None, true) => (
            "AllGiven",
            format!("{} approvals given | 已批 {}", outcome.given, outcome.given),
        ),
        (None, false) => (
            reason::AWAITING_APPROVAL,
            format!("{missing} approvals missing | 尚缺 {missing} 个审批"),
        ),
    };
    if approved {
        let at = outcome.decided_at.or_else(|| request.created());
        status.approved_at = Some(at.map(|at| at.to_string()).unwrap_or_default());
    }
    let generation = request.object().metadata.generation;
    set_condition(
        &mut status.conditions,
        condition::APPROVED,
        Some(approved),
        why,
        words,
        generation,
        now,
    );
}
