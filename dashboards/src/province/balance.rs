//! Balance between the centres.

use super::{GREEN, YELLOW, label, panel, row};
use crate::balance::{MOST_SKEW, MOST_STRANDED, skew, stranded};
use crate::board::{Kind, Row, Unit};
use crate::text::t;

pub(super) fn balance() -> Row {
    row(
        t("Balance", "均衡"),
        vec![
            panel(
                Kind::TimeSeries,
                Unit::Ratio,
                t("Skew between the centres", "中心间负载差"),
                t(
                    "How much fuller the fullest centre of a pool is than the emptiest, by what pods request. Move it by the weights of placements",
                    "同一资源池最忙与最闲中心的使用率之差，可调整放置权重",
                ),
            )
            .query(skew(), label("{{pool}} {{resource}}"))
            .colours(&[(0.0, GREEN), (MOST_SKEW, YELLOW)]),
            panel(
                Kind::BarGauge,
                Unit::Ratio,
                t("Stranded memory", "搁浅内存"),
                t(
                    "Free memory without free vCPU beside it, 4 GiB each, as a part of what can be committed",
                    "无配套空闲 vCPU 的空闲内存（每 vCPU 4 GiB）占可承诺量的比例",
                ),
            )
            .query(stranded(), label("{{pool}} {{centre}}"))
            .colours(&[(0.0, GREEN), (MOST_STRANDED, YELLOW)]),
        ],
    )
}
