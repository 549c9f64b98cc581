//! Clouds of cities, industries and others: how far they have joined, what they lend, and what waits for their people.

use super::{SOME, label, panel, row, stat};
use crate::board::{Kind, Row, Unit};
use crate::text::t;

/// A figure of the pools where a member lends them. What a silent centre uses is not known, and is not shown.
fn figure(name: &str) -> String {
    format!(
        "(max by (pool, centre) (xiangyun_pool{{figure=\"{name}\",resource=\"$resource\"}}) and on (pool, centre) {LENT} \
         and on (centre) (max by (centre) (xiangyun_centre_ready) == 1)) or on () vector(0)"
    )
}

const LENT: &str = "max by (pool, centre) (xiangyun_member_lent{resource=\"$resource\"})";

pub(super) fn members() -> Row {
    row(
        t("Member clouds", "成员云"),
        vec![
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Member clouds by stage", "各阶段成员云"),
                t(
                    "Observed: reads only; Advised: their people confirm each decision; Scheduled: as a centre, within what they lend",
                    "Observed 仅观测；Advised 由其人员逐项确认；Scheduled 在出借范围内自动调度",
                ),
            )
            .query("max by (stage) (xiangyun_members)", label("{{stage}}")),
            stat(
                t("Wait for a member's person", "待成员云确认"),
                t(
                    "Placements of which a decision waits in a member cloud; what runs there goes on",
                    "分派待成员云人员确认的部署，已运行的不受影响",
                ),
            )
            .query("max by (centre) (xiangyun_member_waiting)", label("{{centre}}"))
            .colours(SOME),
            panel(
                Kind::TimeSeries,
                Unit::Number,
                t("Lent and used, $resource", "出借与使用 $resource"),
                t(
                    "What a member lends of a pool, what is charged against it, and what its pods use; of a member that does not report only what it lends",
                    "成员云出借量、已占用与容器组在用；未上报的成员云仅显示出借量",
                ),
            )
            .query(
                format!("{LENT} or on () vector(0)"),
                t("lent {{pool}} {{centre}}", "出借 {{pool}} {{centre}}"),
            )
            .query(figure("charged"), t("charged {{pool}} {{centre}}", "已占用 {{pool}} {{centre}}"))
            .query(figure("used"), t("used {{pool}} {{centre}}", "在用 {{pool}} {{centre}}")),
        ],
    )
}
