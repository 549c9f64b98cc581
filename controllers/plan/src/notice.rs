//! What a tenant's contacts are told of its moves: that one began, waits for somebody, is done or was given up. Each is told
//! once; what was told stands on the move itself, so that a restart repeats nothing.

use crds::{Failover, FailoverPhase, condition, failover_reason as reason, find_condition, label};
use serde_json::{Value, json};

/// Reasons for which somebody has to act, or to wait longer than a move takes.
const WAITS: [&str; 7] = [
    reason::AWAITING_APPROVAL,
    reason::FENCING_UNCONFIRMED,
    reason::NO_CAPACITY,
    reason::TARGET_LOST,
    reason::ARBITER_SILENT,
    reason::FLAP_GUARD,
    reason::MASS_GUARD,
];
/// That it began.
pub const BEGUN: &str = "Begun";

/// What there is to tell now; nothing before anything was done.
pub fn due(failover: &Failover) -> Option<&'static str> {
    let conditions = failover
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    let why = find_condition(conditions, condition::COMPLETE).map(|c| c.reason.as_str());
    match failover.phase() {
        FailoverPhase::Succeeded => return Some("Succeeded"),
        FailoverPhase::Aborted => return Some("Aborted"),
        _ => {}
    }
    if let Some(waits) = WAITS.into_iter().find(|w| Some(*w) == why) {
        return Some(waits);
    }
    match failover.phase() {
        FailoverPhase::Draining | FailoverPhase::Fencing | FailoverPhase::Promoting | FailoverPhase::Verifying => {
            Some(BEGUN)
        }
        _ => None,
    }
}

/// What was told already.
pub fn told(failover: &Failover) -> impl Iterator<Item = &str> {
    let annotations = failover.metadata.annotations.as_ref();
    let told = annotations
        .and_then(|a| a.get(label::NOTIFIED))
        .map_or("", String::as_str);
    told.split(',').filter(|t| !t.is_empty())
}

/// What there is to tell and was not told.
pub fn untold(failover: &Failover) -> Option<&'static str> {
    due(failover).filter(|due| told(failover).all(|t| t != *due))
}

/// The annotation once that was told, too.
pub fn marked(failover: &Failover, event: &str) -> String {
    told(failover).chain([event]).collect::<Vec<_>>().join(",")
}

/// What is posted. `rto` is the declared one, as the placement has it.
pub fn body(failover: &Failover, event: &str, rto: Option<&str>) -> Value {
    let (spec, metadata) = (&failover.spec, &failover.metadata);
    let status = failover.status.clone().unwrap_or_default();
    let complete = find_condition(&status.conditions, condition::COMPLETE);
    let message = complete.map_or("", |c| c.message.as_str());
    let (en, zh) = message.split_once(" | ").unwrap_or((message, message));
    let (place, from, to) = (&spec.placement_ref.name, &spec.from, &spec.to);
    let (what_en, what_zh) = words(event);
    json!({
        "incident": spec.incident,
        "namespace": metadata.namespace,
        "failover": metadata.name,
        "uid": metadata.uid,
        "placement": place,
        "type": spec.type_,
        "from": from,
        "to": to,
        "event": event,
        "phase": status.phase,
        "reason": complete.map(|c| c.reason.clone()),
        "at": complete.map(|c| c.last_transition_time.0.to_string()),
        "rto": {"declared": rto, "measuredSeconds": status.rto_seconds},
        "message": {
            "en": format!("{place}: the move from {from} to {to} {what_en}: {en}"),
            "zh": format!("{place}：{from} 至 {to} 的切换{what_zh}：{zh}"),
        },
    })
}

fn words(event: &str) -> (&'static str, &'static str) {
    match event {
        BEGUN => ("has begun", "已开始"),
        "Succeeded" => ("is done", "已完成"),
        "Aborted" => ("was given up", "已中止"),
        _ => ("waits", "等待处理"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failover(phase: &str, why: &str, told: &str) -> Failover {
        serde_json::from_value(json!({
            "metadata": {"name": "shop-jishi-4711", "namespace": "dept-yibao", "uid": "u1",
                "annotations": {label::NOTIFIED: told}},
            "spec": {"placementRef": {"name": "shop"}, "type": "Unplanned", "from": "jishi", "to": "jiyidong",
                "incident": "jishi-4711"},
            "status": {"phase": phase, "rtoSeconds": "41.250", "conditions": [{"type": "Complete", "status": "False",
                "reason": why, "message": "2 words | 两个词", "lastTransitionTime": "2026-11-25T02:00:00Z"}]},
        }))
        .unwrap()
    }

    #[test]
    fn each_turn_is_told_once() {
        let turns = [
            ("Pending", "Queued", None),
            ("AwaitingApproval", "AwaitingApproval", Some("AwaitingApproval")),
            ("Draining", "Draining", Some("Begun")),
            ("Fencing", "FencingUnconfirmed", Some("FencingUnconfirmed")),
            ("Promoting", "Starting", None),
            ("Promoting", "NoCapacity", Some("NoCapacity")),
            ("Verifying", "Starting", None),
            ("Succeeded", "Verified", Some("Succeeded")),
            ("Succeeded", "Verified", None),
        ];
        let mut told = String::new();
        for (phase, why, event) in turns {
            let now = failover(phase, why, &told);
            assert_eq!(untold(&now), event, "{phase} {why} after {told:?}");
            if let Some(event) = event {
                told = marked(&now, event);
            }
        }
        assert_eq!(told, "AwaitingApproval,Begun,FencingUnconfirmed,NoCapacity,Succeeded");
        assert_eq!(untold(&failover("Aborted", "Aborted", &told)), Some("Aborted"));
    }

    #[test]
    fn a_notice_speaks_both_languages() {
        let body = body(&failover("Succeeded", "Verified", ""), "Succeeded", Some("300s"));
        assert_eq!(
            body["message"]["en"],
            "shop: the move from jishi to jiyidong is done: 2 words"
        );
        assert_eq!(body["message"]["zh"], "shop：jishi 至 jiyidong 的切换已完成：两个词");
        assert_eq!(body["rto"], json!({"declared": "300s", "measuredSeconds": "41.250"}));
        assert_eq!(
            (&body["incident"], &body["reason"]),
            (&json!("jishi-4711"), &json!("Verified"))
        );
    }
}
