//! 全省总览: the province at a glance.
//!
//! Only the leader shows pools and requests, but for some seconds after a takeover two replicas may: every such figure is
//! first reduced by `max by`.

mod balance;
mod idle;
mod members;
mod placements;
mod servers;

use crate::board::{Board, Kind, Panel, Row, Unit};
use crate::text::{Text, t};

pub(crate) const GREEN: &str = "green";
const YELLOW: &str = "yellow";
pub(crate) const RED: &str = "red";
/// Nothing may be there.
pub(crate) const NONE: &[(f64, &str)] = &[(0.0, GREEN), (1.0, RED)];
/// Something may be there, and wants to be looked at.
pub(crate) const SOME: &[(f64, &str)] = &[(0.0, GREEN), (1.0, YELLOW)];

pub(crate) fn board() -> Board {
    Board {
        name: "province",
        title: t("Province at a glance", "全省总览"),
        rows: vec![
            now(),
            pools(),
            balance::balance(),
            plan(),
            idle::idle(),
            requests(),
            placements::placements(),
            members::members(),
            servers::control(),
            servers::servers(),
        ],
    }
}

pub(crate) fn panel(kind: Kind, unit: Unit, title: Text, description: Text) -> Panel {
    Panel {
        title,
        description,
        kind,
        unit,
        queries: Vec::new(),
        thresholds: &[],
    }
}

impl Panel {
    pub(crate) fn query(mut self, expr: impl Into<String>, legend: Text) -> Self {
        self.queries.push((expr.into(), legend));
        self
    }

    pub(crate) const fn colours(mut self, thresholds: &'static [(f64, &'static str)]) -> Self {
        self.thresholds = thresholds;
        self
    }
}

pub(crate) fn stat(title: Text, description: Text) -> Panel {
    panel(Kind::Stat, Unit::Number, title, description)
}

pub(crate) fn row(title: Text, panels: Vec<Panel>) -> Row {
    Row { title, panels }
}

/// Legend that is the label's value in both languages.
pub(crate) const fn label(text: &'static str) -> Text {
    t(text, text)
}

fn now() -> Row {
    row(
        t("Now", "此刻"),
        vec![
            stat(
                t("Centres not reporting", "未上报中心"),
                t(
                    "Nothing is sold against a centre whose report is older than a minute",
                    "上报超过一分钟的中心不再授予配额",
                ),
            )
            .query(
                "count(max by (centre) (xiangyun_centre_ready) == 0) or vector(0)",
                label("-"),
            )
            .colours(NONE),
            panel(
                Kind::Stat,
                Unit::Seconds,
                t("Oldest report", "最旧上报"),
                t("Agents report at least every 20 s", "代理至少每20秒上报一次"),
            )
            .query(
                "max(time() - max by (centre) (xiangyun_centre_report_timestamp_seconds))",
                label("-"),
            )
            .colours(&[(0.0, GREEN), (30.0, YELLOW), (60.0, RED)]),
            stat(
                t("Leaders", "主控副本数"),
                t(
                    "One replica of the operator leads; none for a few seconds after a failure",
                    "控制器仅一个副本为主，故障切换需数秒",
                ),
            )
            .query("count(xiangyun_leader_epoch > 0) or vector(0)", label("-"))
            .colours(&[(0.0, RED), (1.0, GREEN), (2.0, RED)]),
        ]
        .into_iter()
        .chain(attention())
        .collect(),
    )
}

/// What wants somebody's attention.
fn attention() -> Vec<Panel> {
    let waiting =
        |reasons: &str| format!("sum(max by (reason) (xiangyun_requests{{reason=~\"{reasons}\"}})) or vector(0)");
    vec![
        stat(
            t("Wait for a person", "待审批"),
            t("Requests in AwaitingApproval", "等待人工审批的申请"),
        )
        .query(waiting("AwaitingApproval"), label("-"))
        .colours(SOME),
        stat(
            t("Wait for capacity", "待容量"),
            t(
                "Requests that are approved and do not fit now",
                "已批准但余量不足的申请",
            ),
        )
        .query(waiting("WaitingForQuota|CeilingReached|CapacityUnknown"), label("-"))
        .colours(SOME),
        stat(
            t("Unreadable objects", "无法解析对象"),
            t(
                "Stored before a change of their definition; they stop nobody else",
                "旧版定义遗留对象，不影响其他对象",
            ),
        )
        .query(
            "sum(max by (kind) (xiangyun_unreadable_objects)) or vector(0)",
            label("-"),
        )
        .colours(NONE),
        stat(
            t("Targets down", "失联目标"),
            t("Processes that Prometheus cannot reach", "Prometheus 无法抓取的进程"),
        )
        .query("count(up == 0) or vector(0)", label("-"))
        .colours(NONE),
        stat(
            t("Alerts firing", "告警"),
            t("See the rules in alerts.yaml", "见 alerts.yaml 规则"),
        )
        .query("count(ALERTS{alertstate=\"firing\"}) or vector(0)", label("-"))
        .colours(NONE),
    ]
}

/// A figure of the chosen pools and resource, by pool and centre.
fn figure(name: &str) -> String {
    format!("max by (pool, centre) (xiangyun_pool{{figure=\"{name}\",resource=\"$resource\",pool=~\"$pool\"}})")
}

fn sum(name: &str) -> String {
    format!("sum by (pool) ({})", figure(name))
}

fn pools() -> Row {
    row(
        t("Pools", "资源池"),
        vec![
            panel(
                Kind::Table { by: "pool" },
                Unit::Number,
                t("Pools, $resource", "资源池 $resource"),
                t(
                    "Sums over the centres. A grant with survival Full is charged in both, so that either centre can carry it alone",
                    "各中心合计。Full 级授予在两中心均全额占用，单中心可独立承载",
                ),
            )
            .query(sum("gross"), t("gross", "总量"))
            .query(sum("committable"), t("committable", "可承诺"))
            .query(sum("charged"), t("charged", "已占用"))
            .query(sum("free"), t("free", "余量"))
            .query(sum("used"), t("used", "在用")),
            panel(
                Kind::BarGauge,
                Unit::Ratio,
                t("Charged of committable", "计量占可承诺比例"),
                t("Above 100 % only after capacity was lost; then nothing more is granted", "仅在容量损失后才会超过100%，此时停止授予"),
            )
            .query(
                format!("{} / ({} > 0)", figure("charged"), figure("committable")),
                label("{{pool}} {{centre}}"),
            )
            .colours(&[(0.0, GREEN), (0.8, YELLOW), (1.0, RED)]),
            panel(
                Kind::TimeSeries,
                Unit::Number,
                t("Fits as dual-active, $resource", "可双活授予余量 $resource"),
                t("The smaller free amount of a pool's centres", "各中心余量的较小者"),
            )
            .query(format!("min by (pool) ({})", figure("free")), label("{{pool}}")),
            panel(
                Kind::TimeSeries,
                Unit::Number,
                t("Charged, $resource", "已占用 $resource"),
                t("What live grants charge, both centres together", "有效授予的计量，两中心合计"),
            )
            .query(sum("charged"), label("{{pool}}")),
            panel(
                Kind::TimeSeries,
                Unit::Number,
                t("Used by pods, $resource", "实际使用 $resource"),
                t("Requests of running pods; what was granted and is not used could be given back", "运行容器组的请求量，未用部分可回收"),
            )
            .query(sum("used"), label("{{pool}}")),
        ],
    )
}

fn plan() -> Row {
    let of = |figure: &str| format!("max by (resource) (xiangyun_plan_{figure})");
    let gross = "sum by (resource) (max by (pool, centre, resource) (xiangyun_pool{figure=\"gross\"}))";
    let progress = t("Progress to the plan", "规划进度");
    let description = t(
        "Accepted phases of expansion, as a part of what the plan foresees",
        "已验收扩容期次占规划总量的比例",
    );
    row(
        t("Plan and expansion", "规划与扩容"),
        vec![
            panel(
                Kind::Table { by: "resource" },
                Unit::Number,
                t("Plan, accepted, there", "规划、已验收、在池"),
                t(
                    "vCPU and bytes. What is there counts ready nodes now, so it may be below what was accepted",
                    "单位 vCPU 与字节；在池为当前就绪节点与声明容量，可能低于已验收量",
                ),
            )
            .query(of("target"), t("plan", "规划"))
            .query(of("accepted"), t("accepted", "已验收"))
            .query(
                format!("{gross} and on (resource) {}", of("target")),
                t("there", "在池"),
            ),
            panel(Kind::BarGauge, Unit::Ratio, progress, description)
                .query(
                    format!("{} / ({} > 0)", of("accepted"), of("target")),
                    label("{{resource}}"),
                )
                .colours(&[(0.0, YELLOW), (1.0, GREEN)]),
            reached(&of),
            sold_out(),
        ],
    )
}

/// When what is accepted reaches the plan, if phases go on as they did.
fn reached(of: &dyn Fn(&str) -> String) -> Panel {
    let missing = format!("({} - {} > 0)", of("target"), of("accepted"));
    panel(
        Kind::Table { by: "resource" },
        Unit::Date,
        t("Plan reached, forecast", "规划达成日期预测"),
        t(
            "The trend of accepted capacity over 90 days, drawn on; empty where nothing was accepted in that time",
            "按近 90 天验收趋势外推；期间无验收则为空",
        ),
    )
    .query(date(&lasts(&missing, &of("accepted"), "90d:6h")), t("reached", "达成"))
}

/// When each pool is sold out, if departments go on asking as they did.
fn sold_out() -> Panel {
    let figure = |name: &str| {
        let selector = format!("figure=\"{name}\", pool=~\"$pool\", resource=\"$resource\"");
        format!("max by (pool, centre) (xiangyun_pool{{{selector}}})")
    };
    let first = format!(
        "min by (pool) ({})",
        lasts(&figure("free"), &figure("charged"), "30d:6h")
    );
    panel(
        Kind::Table { by: "pool" },
        Unit::Date,
        t("Pools sold out, forecast, $resource", "资源池售罄日期预测 $resource"),
        t(
            "The trend of what is charged over 30 days, drawn on to what is free; empty where it does not grow. Accept the next phase before",
            "按近 30 天计量趋势外推至空闲量；未增长则为空。请在此前完成扩容验收",
        ),
    )
    .query(date(&first), t("sold out", "售罄"))
}

/// Seconds until `left` is used up by what `grows` as it did over the window.
fn lasts(left: &str, grows: &str, window: &str) -> String {
    format!("{left} / (deriv(({grows})[{window}]) > 0)")
}

/// The date so many seconds from now, in milliseconds.
fn date(seconds: &str) -> String {
    format!("1000 * (time() + ({seconds}))")
}

fn requests() -> Row {
    let open =
        "AwaitingApproval|CeilingReached|WaitingForQuota|CapacityUnknown|QuotaReserved|Provisioning|CentreConflict";
    row(
        t("Requests and tenants", "申请与租户"),
        vec![
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Requests by reason", "申请状态"),
                t("The reason of their condition Ready", "按 Ready 条件的原因统计"),
            )
            .query("max by (reason) (xiangyun_requests)", label("{{reason}}")),
            panel(
                Kind::TimeSeries,
                Unit::Seconds,
                t("Age of the oldest open request", "最久未结申请"),
                t("By reason; people have 72 hours", "按原因，审批时限72小时"),
            )
            .query(
                format!("time() - min by (reason) (xiangyun_requests_oldest_timestamp_seconds{{reason=~\"{open}\"}})"),
                label("{{reason}}"),
            ),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Exceptions", "自行建设例外"),
                t(
                    "Systems that may stay outside the common cloud until their exception ends",
                    "例外期内可暂不上云的系统",
                ),
            )
            .query(
                "max by (reason) (xiangyun_exceptions) or on () vector(0)",
                label("{{reason}}"),
            ),
            panel(
                Kind::Stacked,
                Unit::Number,
                t("Tenants by reason", "租户状态"),
                t(
                    "Established, or what is wrong with their place in the tree",
                    "已建立，或租户树中的问题",
                ),
            )
            .query("max by (reason) (xiangyun_tenants)", label("{{reason}}")),
        ],
    )
}
