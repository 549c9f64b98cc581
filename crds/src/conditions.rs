//! Conditions: one per type, with a time that moves only when the status does.

use jiff::Timestamp;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Sets a condition by its type. `lastTransitionTime` moves to `now` only when the status changes, so that writing the
/// same fact twice changes nothing.
pub fn set(
    conditions: &mut Vec<Condition>,
    kind: &str,
    status: Option<bool>,
    reason: &str,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) {
    let status = match status {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let since = conditions
        .iter()
        .find(|c| c.type_ == kind && c.status == status)
        .map_or_else(|| Time(now), |c| c.last_transition_time.clone());
    let next = Condition {
        last_transition_time: since,
        message: message.into(),
        observed_generation: generation,
        reason: reason.to_owned(),
        status: status.to_owned(),
        type_: kind.to_owned(),
    };
    match conditions.iter_mut().find(|c| c.type_ == kind) {
        Some(slot) => *slot = next,
        None => conditions.push(next),
    }
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == kind)
}

/// Whether the condition of that type says `True`.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|c| c.status == "True")
}
