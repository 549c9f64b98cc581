//! Moves as they are. Pure.

use crds::{
    ApprovalCount, Failover, FailoverPhase, FailoverStep, FailoverType, FencingProof, RightEpoch, condition, label,
};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Said, said};

/// One move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The placement.
    pub placement: String,
    /// Why.
    #[serde(rename = "type")]
    pub type_: FailoverType,
    /// Where it ran.
    pub from: String,
    /// Where it shall run.
    pub to: String,
    /// One name for everything of one cause.
    pub incident: Option<String>,
    /// Who asked for it.
    pub requester: String,
    /// How far it is.
    pub phase: FailoverPhase,
    /// What the operator says of it; nothing before it was looked at.
    pub complete: Option<Said>,
    /// Why it is to be given up.
    pub abort: Option<String>,
    /// Epoch of the new side.
    pub epoch: Option<RightEpoch>,
    /// That the old side is silent.
    pub proof: Option<FencingProof>,
    /// People who agreed.
    pub approvals: Option<ApprovalCount>,
    /// Measured, in seconds.
    pub rto_seconds: Option<String>,
    /// Declared; `None` where the placement cannot be read.
    pub rto_declared: Option<String>,
    /// Whether the measured time is within the declared one.
    pub rto_kept: Option<bool>,
    /// Steps that were reached.
    pub timeline: Vec<Reached>,
    /// Age in seconds.
    pub age_seconds: Option<i64>,
}

/// A step that was reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// Which.
    pub step: FailoverStep,
    /// When, as it was written.
    pub at: String,
    /// Milliseconds after the first step.
    pub after_millis: Option<i64>,
}

/// A move as it is. `declared` is the time that its placement declares.
pub fn page(failover: &Failover, declared: Option<&str>, now: Timestamp) -> Move {
    let (spec, status) = (&failover.spec, failover.status.clone().unwrap_or_default());
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let first = status.timeline.iter().filter_map(|s| at(&s.at)).min();
    let reached = |stamp: &crds::FailoverStamp| Reached {
        step: stamp.step,
        at: stamp.at.clone(),
        after_millis: first
            .zip(at(&stamp.at))
            .and_then(|(first, at)| i64::try_from(at.duration_since(first).as_millis()).ok()),
    };
    let mut timeline: Vec<Reached> = status.timeline.iter().map(reached).collect();
    timeline.sort_by_key(|r| (r.after_millis, r.step));
    let measured = status.rto_seconds.as_deref().and_then(|t| t.parse::<f64>().ok());
    let allowed = declared.and_then(|d| d.parse::<SignedDuration>().ok());
    Move {
        name: failover.name_any(),
        namespace: failover.namespace().unwrap_or_default(),
        placement: spec.placement_ref.name.clone(),
        type_: spec.type_,
        from: spec.from.clone(),
        to: spec.to.clone(),
        incident: spec.incident.clone(),
        requester: spec.requester.username.clone(),
        phase: status.phase,
        complete: said(&status.conditions, condition::COMPLETE),
        abort: failover.annotations().get(label::ABORT).cloned(),
        epoch: status.epoch,
        proof: status.proof,
        approvals: status.approvals,
        rto_kept: measured.zip(allowed).map(|(m, a)| m <= a.as_secs_f64()),
        rto_seconds: status.rto_seconds,
        rto_declared: declared.map(str::to_owned),
        timeline,
        age_seconds: failover.creation_timestamp().map(|t| now.duration_since(t.0).as_secs()),
    }
}

/// Moves, those under way first, then the newest.
pub fn pages(failovers: &[Failover], only: Option<FailoverType>, now: Timestamp) -> Vec<Move> {
    let wanted = |f: &&Failover| only.is_none_or(|only| f.spec.type_ == only);
    let mut all: Vec<Move> = failovers.iter().filter(wanted).map(|f| page(f, None, now)).collect();
    all.sort_by(|a, b| {
        let key = |m: &Move| (m.phase.is_over(), m.age_seconds.unwrap_or(i64::MAX));
        (key(a), &a.namespace, &a.name).cmp(&(key(b), &b.namespace, &b.name))
    });
    all
}
