//! What is granted and not used, and how it comes back.

use super::{label, panel, row};
use crate::board::{Kind, Row, Unit};
use crate::text::t;

pub(super) fn idle() -> Row {
    row(
        t("Use and reclaim", "利用与回收"),
        vec![
            panel(
                Kind::BarGauge,
                Unit::Number,
                t("Reclaimable, $resource", "可回收 $resource"),
                t(
                    "What idle grants hold beyond what they could shrink to, counted once. Nothing where no policy looks",
                    "闲置配额超出缩减目标的部分，不重复计；无策略则不显示",
                ),
            )
            .query(
                "max by (pool) (xiangyun_reclaimable{resource=\"$resource\",pool=~\"$pool\"}) or on () vector(0)",
                label("{{pool}}"),
            ),
            panel(
                Kind::TimeSeries,
                Unit::Number,
                t("Idle grants", "闲置配额数"),
                t(
                    "Below the thresholds of a policy over its whole window; unknown is never idle",
                    "整个窗口内低于策略阈值；未知不判闲置",
                ),
            )
            .query(
                "max by (pool) (xiangyun_idle_grants{pool=~\"$pool\"}) or on () vector(0)",
                label("{{pool}}"),
            ),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Ways back by stage", "回收阶段"),
                t(
                    "Observed, Notified, Due (days of grace), Appealed, Shrunk",
                    "发现、通知、宽限、申诉、缩减",
                ),
            )
            .query("max by (stage) (xiangyun_reclaim_grants) or on () vector(0)", label("{{stage}}")),
            panel(
                Kind::TimeSeries,
                Unit::PerSecond,
                t("Questions about use", "利用率查询"),
                t(
                    "Of the agents to their centres' metric sources; none without a source or a policy",
                    "代理向中心指标来源的查询；无来源或策略则为零",
                ),
            )
            .query(
                "sum by (place, outcome) (rate(xiangyun_agent_metric_questions_total{about=\"use\"}[$__rate_interval])) or on () vector(0)",
                label("{{place}} {{outcome}}"),
            ),
        ],
    )
}
