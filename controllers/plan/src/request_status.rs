//! The status of a request, from what it holds and what was found out about it. Durable facts only: a figure that
//! changes while nothing happens to the request is left to those who read.

use crds::{
    ApprovalCount, RequestType, ResourceRequestStatus, condition, condition_is_true, request_reason as reason,
    set_condition,
};
use jiff::Timestamp;

use crate::admission::Assessment;
use crate::request::{Request, date_at};

/// What the summary says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Summary {
    phase: &'static str,
    ready: bool,
    reason: &'static str,
    message: String,
}

impl Summary {
    fn new(phase: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            phase,
            ready: false,
            reason,
            message: message.into(),
        }
    }

    fn ready(phase: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            ready: true,
            ..Self::new(phase, reason, message)
        }
    }
}

/// The whole status that the operator stands for; rows of the centres are taken over as they are. `target` is the request
/// that a Release names, where there is one in its namespace.
pub fn status(
    request: &Request,
    assessment: Option<&Assessment>,
    target: Option<&Request>,
    now: Timestamp,
) -> ResourceRequestStatus {
    let mut status = request.object.status.clone().unwrap_or_default();
    let generation = request.object.metadata.generation;
    let summary = match request.object.spec.type_ {
        RequestType::Release => release(request, target),
        RequestType::New => {
            approvals(&mut status, request, assessment, now);
            new(request, assessment, now)
        }
    };
    let reserved = !request.holds.is_empty() && !request.ended();
    let provisioned = reserved && everywhere_applied(request);
    if request.is_new() {
        let words = if reserved {
            "charged in the ledger | 已计入台账"
        } else {
            "no charge | 未计费"
        };
        set_condition(
            &mut status.conditions,
            condition::QUOTA_RESERVED,
            Some(reserved),
            summary.reason,
            words,
            generation,
            now,
        );
        let words = if provisioned {
            "in force in every centre | 各中心均已生效"
        } else {
            summary.message.as_str()
        };
        let words = words.to_owned();
        set_condition(
            &mut status.conditions,
            condition::PROVISIONED,
            Some(provisioned),
            summary.reason,
            words,
            generation,
            now,
        );
    }
    status.phase = Some(summary.phase.to_owned());
    status.gpu = gpu(request);
    status.until = request.until().map(|d| d.to_string());
    status.observed_generation = generation;
    set_condition(
        &mut status.conditions,
        condition::READY,
        Some(summary.ready),
        summary.reason,
        summary.message,
        generation,
        now,
    );
    status
}

fn gpu(request: &Request) -> Option<String> {
    let cards = request.object.spec.resources.as_ref()?.accelerators.as_ref()?;
    Some(
        cards
            .iter()
            .map(|c| format!("{:?}:{}", c.use_, c.count))
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn approvals(status: &mut ResourceRequestStatus, request: &Request, assessment: Option<&Assessment>, now: Timestamp) {
    // Only what waits is assessed: after the grant the counts stay as they were decided.
    let Some(assessment) = assessment else { return };
    let outcome = &assessment.outcome;
    let missing = i32::try_from(outcome.missing.len()).unwrap_or(i32::MAX);
    let resolved = assessment.refusal.as_ref().is_none_or(|r| {
        [
            reason::AWAITING_APPROVAL,
            reason::REJECTED,
            reason::CEILING_REACHED,
            reason::WAITING_FOR_QUOTA,
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
        let at = outcome.decided_at.clone().unwrap_or_else(|| request.created());
        status.approved_at = Some(at);
    }
    let generation = request.object.metadata.generation;
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

fn new(request: &Request, assessment: Option<&Assessment>, now: Timestamp) -> Summary {
    if request.ended() {
        return ended(request, now);
    }
    if !request.holds.is_empty() {
        return granted(request);
    }
    let Some(refusal) = assessment.and_then(|a| a.refusal.as_ref()) else {
        return Summary::new(
            "PendingQuota",
            reason::QUOTA_RESERVED,
            "the ledger decided; the allocation follows | 台账已决策，正在写入",
        );
    };
    let phase = match refusal.reason {
        reason::REJECTED => "Rejected",
        reason::AWAITING_APPROVAL => "PendingApproval",
        reason::MISCONFIGURED | reason::TENANT_SUSPENDED | reason::NO_MATCHING_POOL => "Submitted",
        _ => "PendingQuota",
    };
    Summary::new(phase, refusal.reason, refusal.message.clone())
}

/// Whether every centre of the grant reports exactly this record as applied.
fn everywhere_applied(request: &Request) -> bool {
    let record = request.record().unwrap_or_default();
    let mut centres = request.holds.values().flat_map(|g| g.centres.keys());
    centres.all(|c| {
        request
            .rows()
            .iter()
            .any(|r| r.name == *c && r.record == record && r.reason == "Applied")
    })
}

fn granted(request: &Request) -> Summary {
    let record = request.record().unwrap_or_default();
    // A centre that could not apply it names no record of ours, or an older one.
    let held_there = |row: &crds::CentreRow| request.holds.values().any(|g| g.centres.contains_key(&row.name));
    let trouble = request.rows().iter().find(|r| r.reason != "Applied" && held_there(r));
    if let Some(row) = trouble {
        let words = row.message.clone().unwrap_or_else(|| row.reason.clone());
        return Summary::new(
            "Provisioning",
            reason::CENTRE_CONFLICT,
            format!("{}: {words}", row.name),
        );
    }
    if everywhere_applied(request) {
        let until = request.until().map_or_else(|| "-".to_owned(), |d| d.to_string());
        return Summary::ready(
            "Active",
            reason::ACTIVE,
            format!("in force until {until} | 已生效，至 {until}"),
        );
    }
    let all = request.holds.values().flat_map(|g| g.centres.keys());
    let missing: std::collections::BTreeSet<_> = all
        .filter(|c| !request.rows().iter().any(|r| r.name == **c && r.record == record))
        .map(String::as_str)
        .collect();
    let names = missing.into_iter().collect::<Vec<_>>().join(", ");
    Summary::new(
        "Provisioning",
        reason::PROVISIONING,
        format!("granted; waiting for the agent of {names} to apply it | 已授予，等待 {names} 落实"),
    )
}

fn ended(request: &Request, now: Timestamp) -> Summary {
    let expired = request.until().is_some_and(|until| until < date_at(now));
    let (phase, why) = if expired {
        ("Expired", reason::EXPIRED)
    } else {
        ("Released", reason::RELEASED)
    };
    if request.holds.is_empty() {
        return Summary::new(
            phase,
            why,
            "the quota was given back; nothing was deleted in the centres | 配额已归还，各中心数据与工作负载未删除",
        );
    }
    let words =
        "ended; charged until no more is in use than the tenant still holds | 已结束，待在用量降至其余配额之内后归还";
    Summary::new("Expiring", reason::RELEASING, words)
}

fn release(request: &Request, target: Option<&Request>) -> Summary {
    let wanted = request
        .object
        .spec
        .allocation_ref
        .as_ref()
        .map(|r| r.name.as_str())
        .unwrap_or_default();
    let target = target.filter(|t| t.is_new());
    let done = condition_is_true(
        request
            .object
            .status
            .as_ref()
            .map(|s| s.conditions.as_slice())
            .unwrap_or_default(),
        condition::READY,
    );
    let completed = || {
        let words = format!("{wanted} was given back | {wanted} 已归还");
        Summary::ready("Released", reason::COMPLETED, words)
    };
    match target {
        Some(t) if t.ended() && t.holds.is_empty() => completed(),
        Some(t) if !t.holds.is_empty() => Summary::new(
            "Expiring",
            reason::RELEASING,
            format!("{wanted} is being given back | {wanted} 正在归还"),
        ),
        // What was completed stays so after the target's history is gone.
        _ if done => completed(),
        _ => {
            let words = format!(
                "{wanted} holds no grant in this namespace; name a granted request in allocationRef | {wanted} 无可释放的配额，请检查 allocationRef"
            );
            Summary::new("Submitted", reason::TARGET_NOT_FOUND, words)
        }
    }
}
