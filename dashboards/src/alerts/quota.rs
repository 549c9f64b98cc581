//! Pools, the ledger and requests.

use super::Severity::{Critical, Info, Warning};
use super::{Alert, alert};
use crate::text::t;

pub(super) fn all() -> Vec<Alert> {
    [quota(), ledger(), requests(), terms(), refusals()].concat()
}

/// A figure of every pool, centre and resource.
fn figure(name: &str) -> String {
    format!("max by (pool, centre, resource) (xiangyun_pool{{figure=\"{name}\"}})")
}

fn quota() -> Vec<Alert> {
    vec![
        alert(
            Critical,
            "PoolOverCommitted",
            "1m",
            format!("{} > {}", figure("charged"), figure("committable")),
            t(
                "{{ $labels.pool }} in {{ $labels.centre }}: {{ $value }} of {{ $labels.resource }} charged, more than can be committed",
                "{{ $labels.centre }} 的 {{ $labels.pool }} 已占用 {{ $labels.resource }} {{ $value }}，超出可承诺量",
            ),
            t(
                "capacity was lost after it was sold; nothing is evicted, nothing more is granted; bring nodes back or add some",
                "售出后容量减少；不驱逐也不再授予，请恢复或新增节点",
            ),
        ),
        alert(
            Warning,
            "PoolNearlyFull",
            "15m",
            format!("{} / ({} > 0) < 0.1", figure("free"), figure("committable")),
            t(
                "{{ $labels.pool }} in {{ $labels.centre }}: {{ $value | humanizePercentage }} of {{ $labels.resource }} is free",
                "{{ $labels.centre }} 的 {{ $labels.pool }} 仅余 {{ $labels.resource }} {{ $value | humanizePercentage }}",
            ),
            t(
                "plan the next phase, or look for grants that are not used",
                "规划扩容，或回收未使用的配额",
            ),
        ),
        full_soon(),
    ]
}

fn ledger() -> Vec<Alert> {
    vec![
        alert(
            Critical,
            "LedgerRepaired",
            "0m",
            "increase(xiangyun_ledger_repairs_total[15m]) > 0",
            t(
                "a recount found that the ledger was wrong, and repaired it",
                "复核发现台账有误并已修复",
            ),
            t(
                "this should never be; keep the operator's log line LedgerRepaired and tell the maintainers",
                "不应发生；请保留日志 LedgerRepaired 并联系维护者",
            ),
        ),
        alert(
            Warning,
            "LedgerLarge",
            "5m",
            "max(xiangyun_ledger_bytes) > 512 * 1024",
            t(
                "the ledger is {{ $value | humanize1024 }}B long; from 1 MiB on nothing more is granted",
                "台账已达 {{ $value | humanize1024 }}B，达到 1 MiB 后暂停授予",
            ),
            t(
                "delete tenants and pools that nobody uses: `kubectl get dept,qpool`",
                "请删除无人使用的租户与资源池：kubectl get dept,qpool",
            ),
        ),
        alert(
            Info,
            "LedgerRecordsStuck",
            "1h",
            "max(xiangyun_ledger_open_records) > 0",
            t(
                "{{ $value }} changes have been under way for an hour",
                "{{ $value }} 项变更已进行一小时",
            ),
            t(
                "a grant that ended stays charged until its use is gone: `kubectl get rreq -A | grep Releasing`",
                "到期配额须待用量清退后归还：kubectl get rreq -A | grep Releasing",
            ),
        ),
    ]
}

/// From a week of history on: the first grants of a new pool are no trend.
fn full_soon() -> Alert {
    let (free, charged) = (figure("free"), figure("charged"));
    let known = format!("count_over_time(({charged})[2w:1h]) > 168");
    alert(
        Warning,
        "PoolFullSoon",
        "6h",
        format!("{free} / (deriv(({charged})[2w:1h]) > 0) < 30 * 86400 and {known}"),
        t(
            "{{ $labels.pool }} in {{ $labels.centre }}: {{ $labels.resource }} is sold out in {{ $value | humanizeDuration }} if it goes on like this",
            "{{ $labels.centre }} 的 {{ $labels.pool }} 按当前趋势 {{ $value | humanizeDuration }} 后售罄 {{ $labels.resource }}",
        ),
        t(
            "have the next phase accepted before, or look for grants that are not used",
            "请在此前完成扩容验收，或回收未使用的配额",
        ),
    )
}

fn requests() -> Vec<Alert> {
    let age = |reasons: &str| {
        format!("time() - min by (reason) (xiangyun_requests_oldest_timestamp_seconds{{reason=~\"{reasons}\"}})")
    };
    vec![
        alert(
            Warning,
            "RequestAwaitsPeople",
            "5m",
            format!("{} > 3 * 86400", age("AwaitingApproval")),
            t(
                "a request has been waiting {{ $value | humanizeDuration }} for a person",
                "有申请等待审批已 {{ $value | humanizeDuration }}",
            ),
            t(
                "`kubectl get rreq -A | grep AwaitingApproval`; people have 72 hours",
                "kubectl get rreq -A | grep AwaitingApproval；审批时限72小时",
            ),
        ),
        alert(
            Warning,
            "RequestNotProvisioned",
            "15m",
            format!("{} > 900", age("QuotaReserved|Provisioning|CentreConflict")),
            t(
                "a granted request is not in force in every centre ({{ $labels.reason }})",
                "有已授予申请未在各中心生效（{{ $labels.reason }}）",
            ),
            t(
                "`kubectl xiangyun why rreq/NAME` names the centre that is missing",
                "kubectl xiangyun why rreq/NAME 给出未生效的中心",
            ),
        ),
    ]
}

fn terms() -> Vec<Alert> {
    vec![
        alert(
            Info,
            "GrantInGrace",
            "5m",
            "max(xiangyun_requests{reason=\"InGrace\"}) > 0",
            t(
                "{{ $value }} grants are past their term and live on their days of grace",
                "{{ $value }} 项配额已到期，处于宽限期",
            ),
            t(
                "`kubectl get rreq -A | grep InGrace`; the department asks with type Renew, or the quota admits nothing new and falls with what is in use",
                "kubectl get rreq -A | grep InGrace；请提交 Renew 续期，否则不再接纳新负载，并随在用量减少",
            ),
        ),
        alert(
            Info,
            "ExceptionExpired",
            "5m",
            "max(xiangyun_exceptions{reason=\"Expired\"}) > 0",
            t(
                "{{ $value }} exceptions from the common cloud have expired",
                "{{ $value }} 项自行建设例外已过期",
            ),
            t(
                "`kubectl get rreq -A | grep Exception`; the system moves in, or a new exception is asked; then delete the old one",
                "kubectl get rreq -A | grep Exception；请迁入或另行申请，然后删除旧申请",
            ),
        ),
    ]
}

fn refusals() -> Vec<Alert> {
    vec![
        alert(
            Warning,
            "UseNotKnown",
            "15m",
            "sum by (place, about) (increase(xiangyun_agent_metric_questions_total{outcome=\"failed\"}[15m])) > 0 unless sum by (place, about) (increase(xiangyun_agent_metric_questions_total{outcome=\"done\"}[15m])) > 0",
            t(
                "{{ $labels.place }}: the metric source gives no answer about {{ $labels.about }}, so nothing there is judged by it",
                "{{ $labels.place }} 的指标来源无应答（{{ $labels.about }}），不据此判定闲置或流量",
            ),
            t(
                "the agent's log says why; see metricSources of the DataCenter and that Prometheus",
                "代理日志给出原因，请检查 DataCenter 的 metricSources 与该 Prometheus",
            ),
        ),
        alert(
            Warning,
            "WritesRefused",
            "0m",
            "sum by (kind) (increase(xiangyun_admission_writes_total{outcome=\"refused\"}[10m])) > 0",
            t(
                "the API server refused {{ $value }} writes of {{ $labels.kind }}",
                "API 服务器拒绝 {{ $labels.kind }} 写入 {{ $value }} 次",
            ),
            t(
                "a role or policy differs from the chart; apply the chart again",
                "角色或策略与 chart 不一致，请重新应用",
            ),
        ),
        alert(
            Warning,
            "UnreadableObjects",
            "5m",
            "max by (kind) (xiangyun_unreadable_objects) > 0",
            t(
                "{{ $value }} objects of kind {{ $labels.kind }} do not parse",
                "{{ $value }} 个 {{ $labels.kind }} 无法解析",
            ),
            t(
                "the operator's log names them; they stop nobody else; correct or delete them",
                "控制器日志给出名称，不影响其他对象；请更正或删除",
            ),
        ),
    ]
}
