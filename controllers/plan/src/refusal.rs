//! Why a request does not get its grant now. Of ten thousand that wait hardly one is written to in a cycle, so the reason is
//! kept in names and numbers, and made into words where somebody reads them.

use crds::request_reason as reason;

use crate::by_name::Name;
use crate::ceilings::Breach;
use crate::pool::in_words;

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`crds::request_reason`].
    pub reason: &'static str,
    why: Why,
}

/// Durable facts only, no figure that changes while it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    /// In words already.
    Said(String),
    /// The first level that is missing, how many agreed, and of how many.
    Missing { level: i32, given: i32, total: i32 },
    /// A ceiling.
    Ceiling(Box<Breach>),
    /// The pool takes nothing in.
    Closed { pool: Name },
    /// The pool has too little left in a centre for what is added there.
    Full {
        pool: Name,
        centre: Name,
        resource: &'static str,
        asked: i128,
    },
    /// The centre does not report.
    Unknown { pool: Name, centre: Name },
}

impl Refusal {
    /// In words: `English | 中文`.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        let why = Why::Said(message.into());
        Self { reason, why }
    }

    /// A person has to agree.
    pub(crate) fn missing(level: i32, given: i32, total: i32) -> Self {
        let why = Why::Missing { level, given, total };
        let reason = reason::AWAITING_APPROVAL;
        Self { reason, why }
    }

    /// A ceiling is in the way.
    pub(crate) fn ceiling(breach: Breach) -> Self {
        let why = Why::Ceiling(Box::new(breach));
        let reason = reason::CEILING_REACHED;
        Self { reason, why }
    }

    /// The pool is held or drained.
    pub(crate) fn closed(pool: Name) -> Self {
        let why = Why::Closed { pool };
        let reason = reason::ON_HOLD;
        Self { reason, why }
    }

    /// The ledger may not grow.
    pub(crate) fn ledger_full() -> Self {
        Self::new(
            reason::ON_HOLD,
            "the ledger is as large as it may be (1 MiB) and takes nothing in; it goes on by itself when tenants or pools that nobody uses are deleted | 台账已达上限（1 MiB），暂停授予；删除无人使用的租户或资源池后自动继续",
        )
    }

    /// The pool is full.
    pub(crate) fn full(pool: Name, centre: Name, resource: &'static str, asked: i128) -> Self {
        let why = Why::Full {
            pool,
            centre,
            resource,
            asked,
        };
        let reason = reason::WAITING_FOR_QUOTA;
        Self { reason, why }
    }

    /// Nothing is sold against a centre that does not report.
    pub(crate) fn unknown(pool: Name, centre: Name) -> Self {
        let why = Why::Unknown { pool, centre };
        let reason = reason::CAPACITY_UNKNOWN;
        Self { reason, why }
    }

    /// Whether it stands in the queue of its pools meanwhile: waiting helps.
    pub fn waits(&self) -> bool {
        let queued = [
            reason::CEILING_REACHED,
            reason::ON_HOLD,
            reason::WAITING_FOR_QUOTA,
            reason::FRAGMENTED,
            reason::CAPACITY_UNKNOWN,
        ];
        queued.contains(&self.reason)
    }

    /// The message with figures that change while it waits, for those who ask now; none of it is for a status.
    pub fn explained(&self) -> String {
        match &self.why {
            Why::Ceiling(breach) => breach.with_held(),
            _ => self.message(),
        }
    }

    /// `English | 中文`.
    pub fn message(&self) -> String {
        match &self.why {
            Why::Said(words) => words.clone(),
            Why::Missing { level, given, total } => format!(
                "awaiting approval at level {level} ({given} of {total} given) | 等待{level}级审批（已批{given}/{total}）"
            ),
            Why::Ceiling(breach) => breach.in_words(),
            Why::Closed { pool } => format!(
                "{pool}: the platform team takes nothing in now; it goes on by itself when the pool is open again | {pool}：平台组已暂停准入，恢复后自动继续"
            ),
            Why::Full {
                pool,
                centre,
                resource,
                asked,
            } => {
                let asked = in_words(resource, *asked);
                format!(
                    "{pool}: asked {asked} in {centre}, more than is free now; it waits in the queue, `kubectl xiangyun why` shows its place | {pool}：在 {centre} 申请 {asked}，当前余量不足，排队等待"
                )
            }
            Why::Unknown { pool, centre } => format!(
                "{pool}: the capacity of {centre} is not known now, or it is a member that is only observed; nothing is sold against it; it goes on by itself when the centre reports, or the member lends | {pool}：{centre} 容量未知或为 Observed 阶段的成员云，暂停授予，恢复上报或开始出借后自动继续"
            ),
        }
    }
}
