//! 切换: which centres are heard, what moves, how long it took, and what would not move by itself.
//!
//! In a cloud without an arbiter there is none of it; every query answers 0 there.

use crate::board::{Board, Kind, Row, Unit};
use crate::province::{GREEN, NONE, RED, SOME, label, panel, row, stat};
use crate::text::t;

pub(crate) fn board() -> Board {
    Board {
        name: "failover",
        title: t("Failover", "切换"),
        rows: vec![centres(), moves(), armed()],
    }
}

fn centres() -> Row {
    row(
        t("Centres", "中心"),
        vec![
            stat(
                t("Centres lost", "失联中心"),
                t(
                    "Two observers saw a centre silent for the whole time; what ran there moves as its policy says",
                    "两个观察方确认失联的中心，其上部署按策略切换",
                ),
            )
            .query(
                "sum(max by (centre) (xiangyun_centre_witness{state=\"Lost\"})) or vector(0)",
                label("-"),
            )
            .colours(NONE),
            stat(
                t("Centres back, not settled", "已恢复未回切中心"),
                t(
                    "A centre is heard again, and something that was moved away is not back yet",
                    "中心已恢复，迁出的部署尚未回切",
                ),
            )
            .query(
                "sum(max by (centre) (xiangyun_centre_witness{state=\"Returned\"})) or vector(0)",
                label("-"),
            )
            .colours(SOME),
            panel(
                Kind::TimeSeries,
                Unit::Number,
                t("What the arbiter hears", "仲裁见证"),
                t(
                    "1 for the state of each centre: Granted, Lost, Returned, AgentDown, Degraded",
                    "各中心当前状态为 1：Granted、Lost、Returned、AgentDown、Degraded",
                ),
            )
            .query(
                "max by (centre, state) (xiangyun_centre_witness) > 0 or on () vector(0)",
                label("{{centre}} {{state}}"),
            ),
        ],
    )
}

fn moves() -> Row {
    row(
        t("Moves", "切换"),
        vec![
            stat(
                t("Moves that wait for a fence", "待隔离确认的切换"),
                t(
                    "Nothing proves yet that the old side is silent; two people of two organisations may confirm it",
                    "尚无法证明原侧已停止，可由两个单位的两人确认",
                ),
            )
            .query(
                "sum(max by (reason) (xiangyun_failovers_waiting{reason=\"FencingUnconfirmed\"})) or vector(0)",
                label("-"),
            )
            .colours(NONE),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Moves under way, by what they wait for", "进行中的切换"),
                t(
                    "The reason of their condition Complete",
                    "按 Complete 条件的原因统计",
                ),
            )
            .query(
                "max by (reason) (xiangyun_failovers_waiting) or on () vector(0)",
                label("{{reason}}"),
            ),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Moves by type and phase", "各类型与阶段的切换"),
                t(
                    "Unplanned because a centre was lost, Planned and Failback because somebody wanted it",
                    "Unplanned 因中心失联，Planned 与 Failback 为计划切换与回切",
                ),
            )
            .query(
                "max by (type, phase) (xiangyun_failovers) or on () vector(0)",
                label("{{type}} {{phase}}"),
            ),
            panel(
                Kind::TimeSeries,
                Unit::Seconds,
                t("Measured RTO", "实测RTO"),
                t(
                    "Nine of ten moves of the last day took at most this long, from the last sign of life to service again",
                    "近一天九成切换的用时，自最后存活至恢复服务",
                ),
            )
            .query(
                "(histogram_quantile(0.9, sum by (type, le) (increase(xiangyun_failover_rto_seconds_bucket[1d]))) >= 0) \
                 or on () vector(0)",
                label("{{type}}"),
            ),
        ],
    )
}

fn armed() -> Row {
    row(
        t("Armed", "切换就绪"),
        vec![
            panel(
                Kind::Stat,
                Unit::Ratio,
                t("Placements whose loss would be answered", "切换就绪比例"),
                t(
                    "Part of the placements with FailoverArmed=True; the others say what is missing",
                    "FailoverArmed 为 True 的部署比例，其余说明所缺条件",
                ),
            )
            .query(
                "sum(max by (reason, criticality) (xiangyun_failover_armed{reason=\"Armed\"})) \
                 / (sum(max by (reason, criticality) (xiangyun_failover_armed)) > 0) or vector(1)",
                label("-"),
            )
            .colours(&[(0.0, RED), (1.0, GREEN)]),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("What is missing", "未就绪原因"),
                t(
                    "Placements by the reason of their condition FailoverArmed, and by criticality",
                    "按 FailoverArmed 条件的原因与关键程度统计",
                ),
            )
            .query(
                "max by (reason, criticality) (xiangyun_failover_armed) or on () vector(0)",
                label("{{criticality}} {{reason}}"),
            ),
        ],
    )
}
