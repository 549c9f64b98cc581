//! What runs in both centres, and what keeps placements from it.

use super::{SOME, label, panel, row, stat};
use crate::board::{Kind, Row, Unit};
use crate::text::t;

pub(super) fn placements() -> Row {
    row(
        t("Placements", "双活部署"),
        vec![
            stat(
                t("Placements that wait for somebody", "待处理的部署"),
                t(
                    "Held back by something that does not pass by itself: a claim, a grant, a template, an object in the way",
                    "因选取冲突、配额不足、缺少模板或对象已存在而停滞",
                ),
            )
            .query(
                "sum(max by (reason) (xiangyun_placements{reason!~\"Running|Applying|Starting|Rebalancing|RollingOut|Leaving\"})) or vector(0)",
                label("-"),
            )
            .colours(SOME),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Placements by reason", "部署状态"),
                t("The reason of their condition Ready", "按 Ready 条件的原因统计"),
            )
            .query("max by (reason) (xiangyun_placements) or on () vector(0)", label("{{reason}}")),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Do both sides serve", "实际双活"),
                t(
                    "Placements that run in every centre, by the reason of their condition EffectivelyActiveActive; OneSidedTraffic: ready, and no requests",
                    "各中心同时运行的部署，按 EffectivelyActiveActive 条件的原因统计；OneSidedTraffic 为就绪但无请求",
                ),
            )
            .query("max by (reason) (xiangyun_placements_serving) or on () vector(0)", label("{{reason}}")),
            panel(
                Kind::TimeSeries,
                Unit::PerSecond,
                t("Edits in the centres put right", "中心侧改动纠正"),
                t(
                    "What somebody changes by hand and the agent puts right; a line that stays up is something that writes the same fields",
                    "人工改动由代理纠正；持续不降表示有写入方反复修改同一字段",
                ),
            )
            .query(
                "sum by (place) (rate(xiangyun_agent_drift_corrected_total[$__rate_interval])) or on () vector(0)",
                label("{{place}}"),
            ),
        ],
    )
}
