//! Centres that do not carry alike, and memory that cannot be sold.

use super::Severity::Info;
use super::{Alert, alert};
use crate::balance::{MOST_SKEW, MOST_STRANDED, skew, stranded};
use crate::text::t;

pub(super) fn all() -> Vec<Alert> {
    vec![
        alert(
            Info,
            "CentreSkew",
            "1h",
            format!("{} > {MOST_SKEW}", skew()),
            t(
                "{{ $labels.pool }}: one centre uses {{ $value | humanizePercentage }} more of its {{ $labels.resource }} than another",
                "{{ $labels.pool }} 各中心 {{ $labels.resource }} 使用率相差 {{ $value | humanizePercentage }}",
            ),
            t(
                "raise the weight of the emptier centre in the placements of the largest tenants, or let them split by what is free (split: Free)",
                "请在用量较大的放置中提高空闲中心的权重，或改为按余量拆分（split: Free）",
            ),
        ),
        alert(
            Info,
            "StrandedMemory",
            "1d",
            format!("{} > {MOST_STRANDED}", stranded()),
            t(
                "{{ $labels.pool }} in {{ $labels.centre }}: {{ $value | humanizePercentage }} of the memory is free and has no vCPU beside it",
                "{{ $labels.centre }} 的 {{ $labels.pool }} 有 {{ $value | humanizePercentage }} 内存因无配套 vCPU 而搁浅",
            ),
            t(
                "raise overcommit.cpu of the pool where the load allows it, or move what needs much memory there",
                "请在负载允许时提高该池 overcommit.cpu，或将大内存业务迁入",
            ),
        ),
    ]
}
