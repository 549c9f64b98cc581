//! The control plane, and what it stands on.

use super::{label, panel, row};
use crate::board::{Kind, Panel, Row, Unit};
use crate::text::{Text, t};

pub(super) fn control() -> Row {
    row(t("Control plane", "控制面"), [passes(), ledger(), writes()].concat())
}

fn rate(metric: &str, by: &str) -> String {
    format!("sum by ({by}) (rate({metric}[$__rate_interval]))")
}

fn series(unit: Unit, title: Text, description: Text) -> Panel {
    panel(Kind::TimeSeries, unit, title, description)
}

/// How long a controller takes to look at everything.
fn passes() -> Vec<Panel> {
    vec![
        series(
            Unit::Seconds,
            t("Pass duration, p99", "单轮耗时 p99"),
            t("A pass looks at everything of its kind", "每轮检查该类全部对象"),
        )
        .query(
            "histogram_quantile(0.99, sum by (controller, le) (rate(xiangyun_pass_seconds_bucket[$__rate_interval])))",
            label("{{controller}}"),
        ),
        series(
            Unit::PerSecond,
            t("Passes", "轮次"),
            t(
                "Failed ones are tried again with growing waits",
                "失败轮次将逐渐延长间隔重试",
            ),
        )
        .query(
            rate("xiangyun_passes_total", "controller, outcome"),
            label("{{controller}} {{outcome}}"),
        ),
        series(
            Unit::Seconds,
            t("Leader's clock ahead of the hub's", "主控副本时钟超前"),
            t(
                "The earlier of the two counts: nothing ends before both say so",
                "以较早者为准，配额不会提前到期",
            ),
        )
        .query("max(xiangyun_clock_ahead_seconds)", t("ahead", "超前")),
    ]
}

/// What decides every grant.
fn ledger() -> Vec<Panel> {
    vec![
        series(
            Unit::PerSecond,
            t("Swaps of the ledger", "台账交换"),
            t(
                "A conflict costs one pass and decides nothing",
                "冲突仅重试一轮，不作决策",
            ),
        )
        .query(rate("xiangyun_ledger_swaps_total", "outcome"), label("{{outcome}}")),
        series(
            Unit::Number,
            t("Changes under way", "进行中变更"),
            t(
                "Open records of the ledger; one that lowers stays until its centres confirm",
                "台账未结记录，缩减须待中心确认",
            ),
        )
        .query("max(xiangyun_ledger_open_records)", t("records", "记录")),
        series(
            Unit::Bytes,
            t("Length of the ledger", "台账大小"),
            t(
                "From 1 MiB on nothing more is granted: etcd takes no object of more than 1.5 MiB",
                "达到 1 MiB 后暂停授予，etcd 单对象上限 1.5 MiB",
            ),
        )
        .query("max(xiangyun_ledger_bytes)", t("bytes", "字节")),
    ]
}

/// What is written, and how the agents reach the hub.
fn writes() -> Vec<Panel> {
    vec![
        series(
            Unit::PerSecond,
            t("Writes of the operator", "控制器写入"),
            t(
                "By kind and outcome; refused means that a role or policy is wrong",
                "refused 表示角色或策略有误",
            ),
        )
        .query(
            rate("xiangyun_admission_writes_total", "kind, outcome"),
            label("{{kind}} {{outcome}}"),
        ),
        series(
            Unit::PerSecond,
            t("Writes of the agents", "代理写入"),
            t(
                "Objects of grants, corrections, and rows in the hub",
                "授予对象、纠偏与上报",
            ),
        )
        .query(
            rate("xiangyun_agent_writes_total", "place, outcome"),
            label("{{place}} {{outcome}}"),
        ),
        series(
            Unit::Number,
            t("Hub reachable from", "可达管理面"),
            t(
                "1 while the leading agent of the centre reaches the hub",
                "1 表示该中心主代理可达管理面",
            ),
        )
        .query("max by (place) (xiangyun_agent_hub_reachable)", label("{{place}}")),
        series(
            Unit::Number,
            t("Namespaces held", "保持不动的命名空间"),
            t(
                "Left as they are because the hub is not understood",
                "因管理面信息不明而保持原状",
            ),
        )
        .query("max by (place) (xiangyun_agent_held_namespaces)", label("{{place}}")),
        series(
            Unit::Bytes,
            t("Memory of our processes", "进程内存"),
            t("Resident", "常驻内存"),
        )
        .query(
            "process_resident_memory_bytes{job=~\"operator|agent\"}",
            label("{{process}}"),
        ),
    ]
}

pub(super) fn servers() -> Row {
    let series = |unit, title, description| panel(Kind::TimeSeries, unit, title, description);
    let requests = "sum by (job, place) (rate(apiserver_request_total[$__rate_interval]))";
    let failed = "sum by (job, place) (rate(apiserver_request_total{code=~\"5..\"}[$__rate_interval]))";
    row(
        t("API servers and etcd", "API 服务器与 etcd"),
        vec![
            series(
                Unit::PerSecond,
                t("Calls", "请求速率"),
                t("Hub and centres", "管理面与各中心"),
            )
            .query(requests, label("{{job}} {{place}}")),
            series(
                Unit::Ratio,
                t("Errors", "错误率"),
                t("Answers 5xx of all", "5xx 应答占比"),
            )
            .query(format!("({failed} or 0 * {requests}) / {requests}"), label("{{job}} {{place}}")),
            series(
                Unit::Seconds,
                t("Latency, p99", "延迟 p99"),
                t("Without watches", "不含 watch"),
            )
            .query(
                "histogram_quantile(0.99, sum by (job, le) (rate(apiserver_request_duration_seconds_bucket{verb!~\"WATCH|CONNECT\"}[$__rate_interval])))",
                label("{{job}}"),
            ),
            series(
                Unit::Number,
                t("Voters with a leader", "有主的 etcd 成员"),
                t("The hub has five; with two or fewer it stands still", "管理面共五个，少于三个则停止写入"),
            )
            .query("sum by (job) (etcd_server_has_leader)", label("{{job}}")),
            series(
                Unit::Seconds,
                t("Commit to disk, p99", "落盘 p99"),
                t("Above 100 ms the hub becomes slow", "超过100毫秒则管理面变慢"),
            )
            .query(
                "histogram_quantile(0.99, sum by (job, place, le) (rate(etcd_disk_backend_commit_duration_seconds_bucket[$__rate_interval])))",
                label("{{job}} {{place}}"),
            ),
            series(
                Unit::Bytes,
                t("Size of the store", "存储大小"),
                t("etcd stops taking writes at its quota", "达到配额后 etcd 停止写入"),
            )
            .query("max by (job, place) (etcd_mvcc_db_total_size_in_bytes)", label("{{job}} {{place}}")),
        ],
    )
}
