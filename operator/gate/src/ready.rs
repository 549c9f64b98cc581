//! GateReady: whether the fence of this node stands. Whether agents answer is no part of it, because the fence is needed
//! exactly when they do not.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::bounds::PERMIT_MS;
use crate::clock::BootTime;

/// A check older than this counts as none, in milliseconds: the gate is stopped or stuck.
const STALE_MS: u64 = 2 * PERMIT_MS;

/// Why the fence of a node cannot be counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Nothing was checked yet, or not lately.
    NotChecked,
    /// The table is not ours and could not be restored.
    TableDiffers,
    /// What was held cannot be read.
    HeldUnknown,
    /// The file that nftables.service loads at boot is missing or says something else.
    BootFileDiffers,
    /// A pod of an exclusive scope has an address that is not governed.
    OutsideRange,
    /// A flowtable lets established streams pass the hooks by.
    FlowOffload,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NotChecked,
        Self::TableDiffers,
        Self::HeldUnknown,
        Self::BootFileDiffers,
        Self::OutsideRange,
        Self::FlowOffload,
    ];

    /// Its name, as in `/readyz`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotChecked => "NotChecked",
            Self::TableDiffers => "TableDiffers",
            Self::HeldUnknown => "HeldUnknown",
            Self::BootFileDiffers => "BootFileDiffers",
            Self::OutsideRange => "OutsideRange",
            Self::FlowOffload => "FlowOffload",
        }
    }
}

/// What `/readyz` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether the fence stands: the table is exactly ours, and what was held is known.
    pub ready: bool,
    /// The node.
    pub node: String,
    /// Age of the last check in milliseconds, absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_ms: Option<u64>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Fault>,
}

/// The last check, for the port to read.
#[derive(Debug)]
pub struct Status {
    node: String,
    last: Mutex<Option<(BootTime, Option<Fault>)>>,
}

impl Status {
    /// Of a gate that has checked nothing yet.
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            last: Mutex::new(None),
        }
    }

    /// The outcome of a check.
    pub fn checked(&self, at: BootTime, fault: Option<Fault>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, fault));
    }

    /// What to say now.
    pub fn report(&self, now: BootTime) -> Report {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let checked_ms = last.map(|(at, _)| now.since(at));
        let reason = match last {
            Some((at, fault)) if now.since(at) <= STALE_MS => fault,
            _ => Some(Fault::NotChecked),
        };
        Report {
            ready: reason.is_none(),
            node: self.node.clone(),
            checked_ms,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_stands_still_is_not_ready() {
        let status = Status::new("node-1");
        assert_eq!(status.report(BootTime(5)).reason, Some(Fault::NotChecked));
        status.checked(BootTime(100), None);
        let report = status.report(BootTime(350));
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"ready":true,"node":"node-1","checkedMs":250}"#
        );
        assert_eq!(status.report(BootTime(4_101)).reason, Some(Fault::NotChecked));
        status.checked(BootTime(5_000), Some(Fault::FlowOffload));
        let report = serde_json::to_value(status.report(BootTime(5_000))).unwrap();
        assert_eq!(
            (&report["ready"], &report["reason"]),
            (&false.into(), &"FlowOffload".into())
        );
    }
}
