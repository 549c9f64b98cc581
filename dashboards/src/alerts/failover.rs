//! Moves between centres, and what would not move by itself.

use super::Severity::{Critical, Warning};
use super::{Alert, alert};
use crate::text::t;

pub(super) fn all() -> Vec<Alert> {
    vec![
        lost(),
        witness(),
        agents(),
        degraded(),
        not_armed(),
        no_fence(),
        waits(),
        late(),
    ]
}

fn lost() -> Alert {
    alert(
        Critical,
        "CentreLost",
        "0s",
        "max by (centre) (xiangyun_centre_witness{state=\"Lost\"}) == 1",
        t(
            "Two observers saw {{ $labels.centre }} silent for the whole time; placements move as their policies say",
            "两个观察方确认 {{ $labels.centre }} 失联，各部署按策略切换",
        ),
        t(
            "`kubectl get fo -A` shows what moves and what waits for people; repair {{ $labels.centre }}, nothing there was taken away",
            "kubectl get fo -A 查看切换进度与待确认项，并修复 {{ $labels.centre }}，原有对象未被删除",
        ),
    )
}

fn witness() -> Alert {
    alert(
        Critical,
        "WitnessLost",
        "1m",
        "sum(max by (reason, criticality) (xiangyun_failover_armed{reason=\"WitnessLost\"})) > 0",
        t(
            "{{ $value }} placements would not fail over: too few observers are heard",
            "{{ $value }} 个部署无法自动切换：观察方不足",
        ),
        t(
            "`kubectl get dcn` shows which centre is not Granted; bring it back before the next loss",
            "kubectl get dcn 查看非 Granted 的中心，请尽快恢复",
        ),
    )
}

fn agents() -> Alert {
    alert(
        Critical,
        "CentreAgentDown",
        "1m",
        "max by (centre) (xiangyun_centre_witness{state=\"AgentDown\"}) == 1",
        t(
            "The agents of {{ $labels.centre }} are silent while its API server answers; nothing moves for that",
            "{{ $labels.centre }} 代理失联但接口可达，不自动切换",
        ),
        t(
            "Start the agents of {{ $labels.centre }}; exclusive placements there stop until one beats again",
            "请恢复 {{ $labels.centre }} 的代理，期间其独占部署处于停止状态",
        ),
    )
}

fn degraded() -> Alert {
    alert(
        Critical,
        "CentreDegraded",
        "10s",
        "max by (centre) (xiangyun_centre_witness{state=\"Degraded\"}) == 1",
        t(
            "{{ $labels.centre }} beats, but its agents do not reach its API server; it is given up when that lasts",
            "{{ $labels.centre }} 心跳正常但接口不可达，持续则判定失联",
        ),
        t(
            "Repair the API server of {{ $labels.centre }} within the minute that its agents beat on without it",
            "请在一分钟内恢复 {{ $labels.centre }} 的 API server",
        ),
    )
}

fn not_armed() -> Alert {
    alert(
        Warning,
        "FailoverNotArmed",
        "10m",
        "max by (reason) (xiangyun_failover_armed{criticality=\"Key\",reason!~\"Armed|ManualOnly|Moving|FenceUnavailable|WitnessLost\"}) > 0",
        t(
            "{{ $value }} key placements would not fail over: {{ $labels.reason }}",
            "{{ $value }} 个关键部署无法自动切换：{{ $labels.reason }}",
        ),
        t(
            "The condition FailoverArmed of each says what is missing; `kubectl get dap -A -o yaml` shows it",
            "各部署的 FailoverArmed 条件说明所缺条件，可用 kubectl get dap -A -o yaml 查看",
        ),
    )
}

fn no_fence() -> Alert {
    alert(
        Warning,
        "FenceUnavailable",
        "10m",
        "sum(max by (reason, criticality) (xiangyun_failover_armed{reason=\"FenceUnavailable\"})) > 0",
        t(
            "{{ $value }} exclusive placements run on nodes without a gate: after a loss they wait for two people",
            "{{ $value }} 个独占部署所在节点无闸门，失联后须双人确认",
        ),
        t(
            "Look at xiangyun-gate on the nodes that the condition FailoverArmed names",
            "请检查 FailoverArmed 条件所述节点上的 xiangyun-gate",
        ),
    )
}

fn waits() -> Alert {
    alert(
        Critical,
        "FencingUnconfirmed",
        "1m",
        "sum(max by (reason) (xiangyun_failovers_waiting{reason=\"FencingUnconfirmed\"})) > 0",
        t(
            "{{ $value }} moves wait: nothing proves that the old side is silent, so the new one does not start",
            "{{ $value }} 个切换待隔离确认，目标侧不会启动",
        ),
        t(
            "Two people of two organisations look at the lost centre and write a FailoverApproval with word ConfirmFence",
            "请两个单位的两人现场确认后创建 FailoverApproval（ConfirmFence）",
        ),
    )
}

fn late() -> Alert {
    alert(
        Warning,
        "RTOExceeded",
        "0s",
        "max by (type) (increase(xiangyun_failover_rto_exceeded_total[1h])) > 0",
        t(
            "A move ({{ $labels.type }}) took longer than its placement declares",
            "有切换（{{ $labels.type }}）用时超过声明的 RTO",
        ),
        t(
            "`kubectl get fo -A` shows the measured RTO; status.timeline says where the time went",
            "kubectl get fo -A 查看实测 RTO，status.timeline 说明各步耗时",
        ),
    )
}
