//! `why`: the verdict on one request.

use crds::{
    AllocationPool, CentreRow, RequestApproval, RequestType, ResourceRequest, condition, find_condition,
    reclaim_reason, request_reason as reason,
};
use jiff::civil::Date;
use plan::admission::{assess, choices, under_ceilings};
use plan::approvals::Entitled;
use plan::market::Choice;
use plan::request::Request;
use serde::Serialize;

use crate::floor::{Floor, Province};
use crate::lang::both;
use crate::options::options;
use crate::wait::{Wait, for_room};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It waits for a person, for quota or for the platform team.
    Pending,
    /// It holds its grant, or did what it was for.
    Granted,
    /// It will never be granted as it is.
    Refused,
    /// Its grant ended.
    Ended,
}

impl State {
    /// As it is printed; the same word in both languages, for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Granted => "GRANTED",
            Self::Refused => "REFUSED",
            Self::Ended => "ENDED",
        }
    }

    /// Exit code of `why`.
    pub fn exit(self) -> u8 {
        match self {
            Self::Granted => 0,
            Self::Pending => 4,
            Self::Refused | Self::Ended => 1,
        }
    }
}

/// The verdict.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Where it stands.
    pub state: State,
    /// Reason of its condition `Ready`.
    pub reason: String,
    /// Message of that condition, `English | 中文`.
    pub message: String,
    /// What it waits for, by pool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Why it would be served from that pool and no other, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<String>,
    /// Who may give what is missing: level and groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Level>,
    /// What would fit now instead, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The grant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<AllocationPool>,
    /// What the centres say of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub centres: Vec<CentreRow>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A level of approval and who may decide there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// Level.
    pub level: i32,
    /// Groups whose members may decide.
    pub groups: Vec<String>,
    /// Persons who may.
    pub users: Vec<String>,
}

impl Level {
    pub(crate) fn of((level, entitled): (&i32, &Entitled)) -> Self {
        Self {
            level: *level,
            groups: entitled.groups.clone(),
            users: entitled.users.clone(),
        }
    }
}

/// The verdict on a request, from its conditions, the queues and the published figures. `approvals` is `None` where the
/// reader may not see them.
pub fn verdict(
    request: &ResourceRequest,
    approvals: Option<&[RequestApproval]>,
    province: &Province,
    today: Date,
) -> Verdict {
    let namespace = request.metadata.namespace.clone().unwrap_or_default();
    let status = request.status.clone().unwrap_or_default();
    let ready = find_condition(&status.conditions, condition::READY);
    let unseen = || both("the operator has not looked at it yet", "控制器尚未处理");
    let mut out = Verdict {
        name: request.metadata.name.clone().unwrap_or_default(),
        namespace: namespace.clone(),
        state: state(request, ready.map(|c| c.reason.as_str())),
        reason: ready.map_or_else(|| "-".to_owned(), |c| c.reason.clone()),
        message: ready.map_or_else(unseen, |c| c.message.clone()),
        waits: Vec::new(),
        chosen: Vec::new(),
        approvals: Vec::new(),
        options: Vec::new(),
        pools: status.allocation.iter().flat_map(|a| a.pools.clone()).collect(),
        centres: status.centres.clone(),
        notes: Vec::new(),
    };
    // How little is used, and what becomes of it, is said where there is something to say.
    let idle = find_condition(&status.conditions, condition::IDLE);
    out.notes
        .extend(idle.filter(|c| c.status == "True").map(|c| c.message.clone()));
    let plain = matches!(request.spec.type_, RequestType::Release | RequestType::Keep);
    // A phase of expansion may make room even for what will never fit as things are.
    let refused = out.reason == reason::EXCEEDS_MAX_QUOTA;
    if (out.state == State::Pending || refused) && !plain {
        let floor = Floor::new(province, &namespace, request.metadata.uid.as_deref(), today);
        out.notes.clone_from(&floor.notes);
        if approvals.is_none() {
            out.notes
                .push(both("approvals: you may not read them", "审批意见：无查看权限"));
        }
        explain(&mut out, request, approvals, province, &floor);
    }
    out
}

fn state(request: &ResourceRequest, reason: Option<&str>) -> State {
    let allocation = request.status.as_ref().and_then(|s| s.allocation.as_ref());
    match (allocation, reason) {
        (Some(a), _) if a.ended.is_some() => State::Ended,
        (Some(_), _) | (None, Some(reason::COMPLETED | reason::ACTIVE)) => State::Granted,
        (
            None,
            Some(
                reason::REJECTED
                | reason::MISCONFIGURED
                | reason::EXCEEDS_MAX_QUOTA
                | reason::TARGET_NOT_FOUND
                | reclaim_reason::NOTHING_TO_KEEP,
            ),
        ) => State::Refused,
        (None, Some(reason::RELEASED | reason::EXPIRED)) => State::Ended,
        (None, _) => State::Pending,
    }
}

fn explain(
    out: &mut Verdict,
    request: &ResourceRequest,
    approvals: Option<&[RequestApproval]>,
    province: &Province,
    floor: &Floor,
) {
    let Ok(read) = Request::read(request.clone(), false) else {
        return;
    };
    let case = floor.case(&read, approvals.unwrap_or_default());
    let assessment = assess(&case, floor.market());
    out.chosen = assessment.choices.iter().filter_map(Choice::reason).collect();
    if out.reason == reason::AWAITING_APPROVAL {
        // Without the decisions, the levels that are needed are no news of those that are missing.
        let is_missing = |level| approvals.is_some() && assessment.outcome.missing.contains(level);
        let missing = assessment.needed.0.iter().filter(|(level, _)| is_missing(level));
        out.approvals = missing.map(Level::of).collect();
        return;
    }
    let choices = choices(&case, &assessment.outcome.lowered, floor.market()).unwrap_or_default();
    if for_room(&out.reason) {
        out.waits = waits(request, &choices, province, floor);
    }
    if out.reason == reason::CEILING_REACHED
        && let Err(refusal) = under_ceilings(&case.tenant, &choices, floor.market())
    {
        out.message = refusal.explained();
    }
    // Other amounts do not help a tenant that gets nothing; who may not read it cannot find that out.
    if out.reason != reason::TENANT_SUSPENDED {
        out.options = options(floor, &case, &choices, province);
    }
}

/// The pools that are in the way; where none is, those in whose queue it stands.
fn waits(request: &ResourceRequest, choices: &[Choice], province: &Province, floor: &Floor) -> Vec<Wait> {
    let uid = request.metadata.uid.as_deref();
    let all: Vec<Wait> = choices
        .iter()
        .map(|c| Wait::new(c, floor, province, uid.or(Some(""))))
        .collect();
    if all.iter().all(|w| w.lacks.is_empty() && w.unknown.is_empty()) {
        return all.into_iter().filter(|w| w.queue.is_some()).collect();
    }
    all.into_iter()
        .filter(|w| !w.lacks.is_empty() || !w.unknown.is_empty())
        .collect()
}
