//! `why dap/…`: the verdict on one placement.

use crds::{DualActivePlacement, condition, placement_reason as reason};
use jiff::Timestamp;
use jiff::civil::Date;
use plan::placement::decide::key;
use serde::Serialize;

use super::condition_of;
use super::room::{Room, rooms};
use super::scene::Scene;
use super::seen::Seen;
use super::ways::ways;
use crate::floor::Floor;
use crate::lang::both;

/// Where a placement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// All of it is ready in every centre.
    Running,
    /// It goes on by itself.
    Pending,
    /// Somebody has to do something; what runs goes on.
    Held,
}

/// Reasons that do not pass by themselves.
const HELD: [&str; 25] = [
    reason::TENANT_MISSING,
    reason::POOL_MISSING,
    reason::CLAIMED_TWICE,
    reason::TEMPLATE_MISSING,
    reason::TOO_MANY_OBJECTS,
    reason::NOTHING_SELECTED,
    reason::OVERRIDE_FAILED,
    reason::DATA_NOT_ALLOWED,
    reason::ARCHITECTURE_MISMATCH,
    reason::POOL_MISMATCH,
    reason::BOUNDS_CONFLICT,
    reason::GRANT_TOO_SMALL,
    reason::LEND_EXCEEDED,
    reason::AWAITING_CONFIRMATION,
    reason::STAGE_OBSERVED,
    reason::NAMESPACE_MISSING,
    reason::OBJECT_EXISTS,
    reason::KIND_MISSING,
    reason::ROLE_MISSING,
    reason::APPLY_FAILED,
    reason::DRIFTED,
    reason::OBJECT_FAILED,
    reason::ROLLOUT_PAUSED,
    reason::ROLLOUT_STOPPED,
    reason::ROLLOUT_RETURNED,
];

impl State {
    fn of(reason: &str) -> Self {
        match reason {
            reason::RUNNING => Self::Running,
            other if HELD.contains(&other) => Self::Held,
            _ => Self::Pending,
        }
    }

    /// As it is printed; the same word in both languages, for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Pending => "PENDING",
            Self::Held => "HELD",
        }
    }

    /// Exit code of `why`.
    pub fn exit(self) -> u8 {
        match self {
            Self::Running => 0,
            Self::Pending => 4,
            Self::Held => 1,
        }
    }
}

/// The verdict. Amounts are exact.
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
    /// With `GrantTooSmall`: how many copies there is room for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<Room>,
    /// What helps, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The verdict on a placement, from its conditions and rows, and what helps, by the operator's own rules.
pub fn verdict(placement: &DualActivePlacement, seen: &Seen, now: Timestamp, today: Date) -> Verdict {
    let (namespace, name) = key(placement);
    let ready = condition_of(placement, condition::READY);
    let unseen = || both("the operator has not looked at it yet", "控制器尚未处理");
    let reason = ready.map_or("-", |c| c.reason.as_str());
    let state = State::of(reason);
    let scene = Scene::new(seen).filter(|_| state != State::Running);
    let mut out = Verdict {
        state,
        reason: reason.to_owned(),
        message: ready.map_or_else(unseen, |c| c.message.clone()),
        rooms: Vec::new(),
        options: Vec::new(),
        notes: Vec::new(),
        name,
        namespace,
    };
    if state == State::Running {
        let survivable = condition_of(placement, condition::SURVIVABLE).filter(|c| c.status != "True");
        out.notes.extend(survivable.map(|c| c.message.clone()));
        return out;
    }
    out.notes = if scene.is_none() { seen.notes() } else { seen.broken() };
    if reason == reason::GRANT_TOO_SMALL {
        out.rooms = scene
            .as_ref()
            .and_then(|s| rooms(s, placement).ok())
            .unwrap_or_default();
    }
    let floor = Floor::new(&seen.province, &out.namespace, None, today);
    out.options = ways(
        placement,
        reason,
        &super::ways::Around {
            seen,
            scene: scene.as_ref(),
            floor: &floor,
            rooms: &out.rooms,
            now,
        },
    );
    out
}
