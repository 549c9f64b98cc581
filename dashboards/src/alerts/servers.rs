//! Processes, API servers and etcd.

use super::Severity::{Critical, Warning};
use super::{Alert, alert};
use crate::text::t;

pub(super) fn all() -> Vec<Alert> {
    [processes(), stores()].concat()
}

fn processes() -> Vec<Alert> {
    vec![
        alert(
            Warning,
            "OperatorReplicaDown",
            "2m",
            "(sum(up{job=\"operator\"}) or vector(0)) < 2",
            t("{{ $value }} of 2 operators run", "控制器仅 {{ $value }}/2 个在运行"),
            t(
                "one is enough, two survive a failure; start the other",
                "单副本可工作，但无冗余；请恢复另一个",
            ),
        ),
        alert(
            Critical,
            "AgentsDown",
            "1m",
            "sum by (place) (up{job=\"agent\"}) == 0",
            t("no agent runs in {{ $labels.place }}", "{{ $labels.place }} 无代理运行"),
            t(
                "grants stay in force, drift is not corrected; start the agents",
                "已生效配额保持，但不再纠偏；请启动代理",
            ),
        ),
        alert(
            Warning,
            "TargetDown",
            "5m",
            "up{job!~\"operator|agent\"} == 0",
            t("{{ $labels.process }} is not reached", "{{ $labels.process }} 无法抓取"),
            t("see its log, and the network to its place", "查看其日志与网络"),
        ),
        alert(
            Warning,
            "ApiServerErrors",
            "5m",
            "sum by (job, place) (rate(apiserver_request_total{code=~\"5..\"}[5m])) / sum by (job, place) (rate(apiserver_request_total[5m])) > 0.05",
            t(
                "{{ $value | humanizePercentage }} of the answers of {{ $labels.job }} in {{ $labels.place }} are errors",
                "{{ $labels.place }} 的 {{ $labels.job }} 错误率 {{ $value | humanizePercentage }}",
            ),
            t(
                "see whether its etcd has a leader and room",
                "检查其 etcd 是否有主、是否已满",
            ),
        ),
    ]
}

fn stores() -> Vec<Alert> {
    vec![
        alert(
            Critical,
            "HubQuorumAtRisk",
            "1m",
            "(sum(up{job=\"hub-etcd\"}) or vector(0)) <= 3",
            t(
                "{{ $value }} of 5 voters of the hub's etcd run",
                "管理面 etcd 仅 {{ $value }}/5 个成员在运行",
            ),
            t(
                "one more loss and the hub takes no more writes; bring the lost place back",
                "再失一个则管理面停止写入；请恢复失联地点",
            ),
        ),
        alert(
            Critical,
            "EtcdHasNoLeader",
            "1m",
            "etcd_server_has_leader == 0",
            t("{{ $labels.process }} has no leader", "{{ $labels.process }} 无主"),
            t(
                "it is cut off from the majority, or the majority is lost",
                "该成员与多数派隔离，或多数派已失",
            ),
        ),
        alert(
            Warning,
            "EtcdNearlyFull",
            "5m",
            "etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes > 0.8",
            t(
                "{{ $labels.process }} is {{ $value | humanizePercentage }} full",
                "{{ $labels.process }} 已用 {{ $value | humanizePercentage }}",
            ),
            t(
                "compact and defragment it, or raise its quota, before it stops taking writes",
                "请压缩整理或提高配额，以免停止写入",
            ),
        ),
    ]
}
