//! The status of a request, from what it holds and what was found out about it. Durable facts only: a figure that
//! changes while nothing happens to the request is left to those who read.

mod amounts;
mod approvals;
mod quote;

use std::sync::Arc;

use crds::{
    LedgerState, RequestType, ResourceRequestStatus, condition, reclaim_reason, request_reason as reason, set_condition,
};
use jiff::{SignedDuration, Timestamp};

use crate::admission::Assessment;
use crate::centre::rows::Reason;
use crate::cycle::Snapshot;
use crate::metering;
use crate::reclaim;
use crate::request::{Request, date_at};
use crate::retention;
use crate::terms::{Stage, stage};

pub use quote::quoted;

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

/// The whole status that the operator stands for; rows of the centres are taken over as they are.
pub fn status(request: &Request, assessment: Option<&Assessment>, snapshot: &Snapshot) -> ResourceRequestStatus {
    let mut status = request.object().status.clone().unwrap_or_default();
    let (generation, now) = (request.object().metadata.generation, snapshot.now);
    metering::record(&mut status, now);
    if !matches!(request.kind(), RequestType::Release | RequestType::Keep) {
        approvals::count(&mut status, request, assessment, now);
    }
    let stage = current_stage(request, snapshot);
    let summary = match request.kind() {
        RequestType::Release => release(request, snapshot),
        RequestType::Change | RequestType::Renew => change(request, assessment, snapshot),
        RequestType::Exception => exception(request, assessment, now),
        RequestType::Keep => keep(request, &snapshot.requests),
        _ if uncounted(request, snapshot) => recounting(),
        RequestType::New | RequestType::Trial | RequestType::Emergency => new(request, assessment, stage, now),
    };
    if request.asks_grant() {
        grant_conditions(&mut status, (request, assessment), &summary, now);
        ending(&mut status, request, stage, now);
        reclaim::status(&mut status, request, snapshot);
    }
    status.phase = Some(summary.phase.to_owned());
    amounts::show(&mut status, request, snapshot);
    let until = request.until().map(|d| d.to_string());
    status.until = until.or_else(|| request.object().spec.until.clone().filter(|_| !request.asks_grant()));
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

/// Where a live grant stands in its term. Where the tenant cannot be read its days of grace are not known.
fn current_stage(request: &Request, snapshot: &Snapshot) -> Stage {
    let grace = snapshot.tenants.get(request.tenant()).map(|t| t.grace_days);
    let live = grace.filter(|_| request.is_live());
    live.map_or(Stage::Running, |days| stage(request, days, date_at(snapshot.now)))
}

/// `QuotaReserved`, which keeps why the pool was chosen, and `Provisioned`.
fn grant_conditions(
    status: &mut ResourceRequestStatus,
    (request, assessment): (&Request, Option<&Assessment>),
    summary: &Summary,
    now: Timestamp,
) {
    let reserved = !request.holds.is_empty() && !request.ended();
    let provisioned = reserved && everywhere_applied(request);
    let before = crds::find_condition(&status.conditions, condition::QUOTA_RESERVED);
    let held = match (reserved, before) {
        (false, _) => "no charge | 未占用配额".to_owned(),
        (true, Some(before)) if before.status == "True" => before.message.clone(),
        (true, _) => {
            let held = "charged in the ledger | 已计入台账".to_owned();
            let why = assessment.and_then(quote::chosen);
            quote::joined([held].into_iter().chain(why)).unwrap_or_default()
        }
    };
    let in_force = if provisioned {
        "in force in every centre | 各中心均已生效"
    } else {
        summary.message.as_str()
    };
    let rows = [
        (condition::QUOTA_RESERVED, reserved, held),
        (condition::PROVISIONED, provisioned, in_force.to_owned()),
    ];
    for (kind, value, words) in rows {
        set_condition(
            &mut status.conditions,
            kind,
            Some(value),
            summary.reason,
            words,
            request.object().metadata.generation,
            now,
        );
    }
}

/// `Expiring`: absent until there is something to say.
fn ending(status: &mut ResourceRequestStatus, request: &Request, stage: Stage, now: Timestamp) {
    let ends = matches!(stage, Stage::Ends(..) | Stage::Grace(_));
    let known = crds::find_condition(&status.conditions, condition::EXPIRING).is_some();
    let (why, words) = match stage.in_words(request.name()).filter(|_| ends) {
        Some((why, words)) => (why, words),
        None if known => (reason::ACTIVE, "its term goes on | 期限内".to_owned()),
        None => return,
    };
    set_condition(
        &mut status.conditions,
        condition::EXPIRING,
        Some(ends),
        why,
        words,
        request.object().metadata.generation,
        now,
    );
}

fn new(request: &Request, assessment: Option<&Assessment>, stage: Stage, now: Timestamp) -> Summary {
    if request.ended() {
        return ended(request, now);
    }
    if !request.holds.is_empty() {
        return granted(request, stage);
    }
    waiting(assessment)
}

/// Whether it waits for a grant while the ledger is being counted anew.
fn uncounted(request: &Request, snapshot: &Snapshot) -> bool {
    snapshot.ledger.state == LedgerState::Recounting && request.asks_grant() && request.allocation().is_none()
}

fn recounting() -> Summary {
    Summary::new(
        "PendingQuota",
        reason::RECOUNTING,
        "the ledger was lost and is being counted anew; nothing is granted until that is done | 台账遗失，正在重新清点，完成前暂停授予",
    )
}

/// What stands in the way of what is not granted yet.
fn waiting(assessment: Option<&Assessment>) -> Summary {
    let Some(refusal) = assessment.and_then(|a| a.refusal.as_ref()) else {
        return Summary::new(
            "PendingQuota",
            reason::QUOTA_RESERVED,
            "the ledger decided; the allocation follows | 台账已决策，正在写入",
        );
    };
    let phase = match refusal.reason {
        reason::REJECTED => "Rejected",
        // Nothing is pending: no waiting makes it fit.
        reason::EXCEEDS_MAX_QUOTA => "Refused",
        reason::AWAITING_APPROVAL => "PendingApproval",
        reason::MISCONFIGURED | reason::TENANT_SUSPENDED | reason::NO_MATCHING_POOL | reason::TARGET_NOT_FOUND => {
            "Submitted"
        }
        _ => "PendingQuota",
    };
    Summary::new(phase, refusal.reason, refusal.message())
}

/// Whether every centre of the grant reports exactly this record as applied.
fn everywhere_applied(request: &Request) -> bool {
    let record = request.record().unwrap_or_default();
    let mut centres = request.holds.values().flat_map(|g| g.centres.keys());
    centres.all(|c| {
        request
            .rows()
            .iter()
            .any(|r| r.name == **c && r.record == record && r.reason == "Applied")
    })
}

fn granted(request: &Request, stage: Stage) -> Summary {
    let record = request.record().unwrap_or_default();
    // A centre that could not apply it names no record of ours, or an older one.
    let held_there = |row: &crds::CentreRow| request.holds.values().any(|g| g.centres.contains_key(&row.name));
    let trouble = request.rows().iter().find(|r| r.reason != "Applied" && held_there(r));
    if let Some(row) = trouble {
        let words = row.message.clone().unwrap_or_else(|| row.reason.clone());
        let waits = [Reason::AwaitingConfirmation, Reason::StageObserved].map(Reason::as_str);
        let why = if waits.contains(&row.reason.as_str()) {
            reason::PROVISIONING
        } else {
            reason::CENTRE_CONFLICT
        };
        return Summary::new("Provisioning", why, format!("{}: {words}", row.name));
    }
    if everywhere_applied(request) {
        let until = request.until().map_or_else(|| "-".to_owned(), |d| d.to_string());
        if let Some((why, words)) = stage.in_words(request.name()) {
            let phase = if why == reason::TRIAL_RUN { "Active" } else { "Expiring" };
            return Summary::ready(phase, why, words);
        }
        return Summary::ready(
            "Active",
            reason::ACTIVE,
            format!("in force until {until} | 已生效，至 {until}"),
        );
    }
    let all = request.holds.values().flat_map(|g| g.centres.keys());
    let missing: std::collections::BTreeSet<_> = all
        .filter(|c| !request.rows().iter().any(|r| r.name == ***c && r.record == record))
        .map(|c| &**c)
        .collect();
    let names = missing.into_iter().collect::<Vec<_>>().join(", ");
    Summary::new(
        "Provisioning",
        reason::PROVISIONING,
        format!("granted; waiting for the agent of {names} to apply it | 已授予，等待 {names} 落实"),
    )
}

fn ended(request: &Request, now: Timestamp) -> Summary {
    // By when it ended, and not by today: what was given back early did not expire.
    let ended = request.allocation().and_then(|a| a.ended.as_ref()?.parse().ok());
    let expired = request
        .until()
        .is_some_and(|until| until < date_at(ended.unwrap_or(now)));
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

/// Whether it did its work; what was completed stays so after the target's history is gone.
fn completed_before(request: &Request) -> bool {
    crds::find_condition(request.conditions(), condition::READY)
        .is_some_and(|c| c.reason == reason::COMPLETED && c.status == "True")
}

/// By then every cache and every API server's clock has caught up with what was there before a request.
const CAUGHT_UP: SignedDuration = SignedDuration::from_hours(1);

/// Whether no grant will ever be what it speaks of: what that was is over, or there is none that is older, and what comes
/// later is not meant. A target that still waits for its grant may get it.
fn in_vain(request: &Request, target: Option<&Arc<Request>>, now: Timestamp) -> bool {
    let caught_up = request.created().is_some_and(|at| now.duration_since(at) >= CAUGHT_UP);
    target.map_or(caught_up, |t| {
        t.holds.is_empty() && (t.ended() || retention::over(t.object()))
    })
}

/// The phase of what has no target now.
fn without_target(request: &Request, target: Option<&Arc<Request>>, now: Timestamp) -> &'static str {
    if in_vain(request, target, now) {
        "Rejected"
    } else {
        "Submitted"
    }
}

/// A change of another request's grant.
fn change(request: &Request, assessment: Option<&Assessment>, snapshot: &Snapshot) -> Summary {
    let name = request.target().unwrap_or_default();
    let target = snapshot.requests.iter().find(|t| request.speaks_of(t));
    if completed_before(request) || target.is_some_and(|t| t.was_altered_by(request.uid())) {
        let words = format!("{name} was altered; its status says what it holds now | {name} 已变更，现有配额见其状态");
        return Summary::ready("Completed", reason::COMPLETED, words);
    }
    let summary = waiting(assessment);
    if summary.reason != reason::TARGET_NOT_FOUND {
        return summary;
    }
    Summary {
        phase: without_target(request, target, snapshot.now),
        ..summary
    }
}

/// Leave to build apart from this cloud: it takes no quota.
fn exception(request: &Request, assessment: Option<&Assessment>, now: Timestamp) -> Summary {
    if assessment.is_none_or(|a| a.refusal.is_some()) {
        return waiting(assessment);
    }
    let until = request.object().spec.until.as_deref().unwrap_or_default();
    if until.parse().is_ok_and(|until: jiff::civil::Date| until < date_at(now)) {
        let words = format!(
            "the leave ended on {until}; move it to this cloud, or ask for a new exception | 例外已于 {until} 到期，请迁入本云或重新申请"
        );
        return Summary::new("Expired", reason::EXPIRED, words);
    }
    let words = format!("leave to build apart until {until}; no quota is taken | 准予自行建设至 {until}，不占用配额");
    Summary::ready("Active", reason::ACTIVE, words)
}

/// An appeal against what is taken back because it is idle. What it kept once, it kept.
fn keep(request: &Request, all: &[Arc<Request>]) -> Summary {
    let name = request.target().unwrap_or_default();
    let target = all.iter().find(|t| request.speaks_of(t));
    let decided = if completed_before(request) {
        Some(true)
    } else {
        reclaim::kept(request, target.map(|t| &**t))
    };
    match decided {
        Some(true) => {
            let words = format!(
                "{name} is kept for one window; its status says until when | {name} 已保留一个统计窗口，期限见其状态"
            );
            Summary::ready("Completed", reason::COMPLETED, words)
        }
        Some(false) => {
            let words = format!(
                "{name} has no notice that is older than this; wait for its condition Idle to say Notified | {name} 无可申诉的回收通知，请在收到通知后申诉"
            );
            // A later notice is another one.
            Summary::new("Rejected", reclaim_reason::NOTHING_TO_KEEP, words)
        }
        None => Summary::new(
            "Submitted",
            reclaim_reason::NOTIFIED,
            format!("the clock of {name} is being stopped | 正在暂停 {name} 的回收"),
        ),
    }
}

fn release(request: &Request, snapshot: &Snapshot) -> Summary {
    let wanted = request.target().unwrap_or_default();
    let target = snapshot.requests.iter().find(|t| request.speaks_of(t));
    let completed = || {
        let words = format!("{wanted} was given back | {wanted} 已归还");
        Summary::ready("Released", reason::COMPLETED, words)
    };
    match target {
        _ if completed_before(request) => completed(),
        Some(t) if t.ended() && t.holds.is_empty() => completed(),
        Some(t) if !t.holds.is_empty() => Summary::new(
            "Expiring",
            reason::RELEASING,
            format!("{wanted} is being given back | {wanted} 正在归还"),
        ),
        _ => {
            let words = format!(
                "{wanted} holds no grant in this namespace; name a granted request in allocationRef | {wanted} 无可释放的配额，请检查 allocationRef"
            );
            let phase = without_target(request, target, snapshot.now);
            Summary::new(phase, reason::TARGET_NOT_FOUND, words)
        }
    }
}
