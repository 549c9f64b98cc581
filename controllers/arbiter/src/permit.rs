//! What an agent answers to `GET /permits/{node}`: the current epoch of each exclusive scope, and for each pod of such a
//! scope on that node how long it may still communicate.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use crate::row::Epoch;

/// The current epoch of a scope, as the agent knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeEpoch {
    /// Tenant and placement, such as `dept-rsj/exam`.
    pub scope: String,
    /// Its epoch.
    #[serde(flatten)]
    pub epoch: Epoch,
}

/// One address of a pod of an exclusive scope. A pod with an IPv4 and an IPv6 address has two rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodPermit {
    /// The pod's scope.
    pub scope: String,
    /// The address.
    pub address: IpAddr,
    /// UID of the pod.
    pub uid: String,
    /// The epoch that the pod was created under, from the annotation of its template.
    #[serde(flatten)]
    pub epoch: Epoch,
    /// Milliseconds that it may still communicate, counted from when the agent answers. Absent and 0 are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
}

/// What a gate says of itself as it asks: `GET /permits/{node}?record=7&ready=true`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The highest number of a record that it was ever answered; left out while it cannot read what it remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// GateReady.
    #[serde(default)]
    pub ready: bool,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Number of the centre's record. It only grows; a lower one than before is a centre that was restored from a copy.
    #[serde(default)]
    pub record: u64,
    /// Current epochs of all scopes that `pods` names; others may be in it.
    #[serde(default)]
    pub epochs: Vec<ScopeEpoch>,
    /// Pods on the node that was asked for.
    #[serde(default)]
    pub pods: Vec<PodPermit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_reads_as_it_is_documented() {
        let text = r#"{"epochs":[{"scope":"dept-rsj/exam","incarnation":1,"counter":7}],
            "pods":[{"scope":"dept-rsj/exam","address":"198.18.3.20","uid":"u","incarnation":1,"counter":7,"leftMs":5400},
                    {"scope":"dept-rsj/exam","address":"fd00::14","uid":"u","incarnation":1,"counter":7}]}"#;
        let answer: Answer = serde_json::from_str(text).unwrap();
        let epoch = Epoch {
            incarnation: 1,
            counter: 7,
        };
        assert_eq!(answer.epochs[0].epoch, epoch);
        assert_eq!(answer.pods[0].left_ms, Some(5400));
        assert_eq!(answer.pods[1].left_ms, None);
        let again: Answer = serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
        assert_eq!(again, answer);
    }

    #[test]
    fn incarnation_goes_before_counter() {
        let epoch = |incarnation, counter| Epoch { incarnation, counter };
        assert!(epoch(1, 9) < epoch(2, 1));
        assert_eq!(epoch(1, 7).against(epoch(1, 8)), ("7".into(), "8".into()));
        assert_eq!(epoch(1, 9).against(epoch(2, 1)), ("1.9".into(), "2.1".into()));
    }
}
