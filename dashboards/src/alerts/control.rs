//! Centres, agents, leadership and the clock.

use super::Severity::{Critical, Warning};
use super::{Alert, alert};
use crate::text::t;

pub(super) fn all() -> Vec<Alert> {
    [centres(), leadership(), clock()].concat()
}

fn centres() -> Vec<Alert> {
    vec![
        alert(
            Critical,
            "CentreNotReporting",
            "1m",
            "max by (centre) (xiangyun_centre_ready) == 0",
            t("{{ $labels.centre }} does not report", "{{ $labels.centre }} 未上报"),
            t(
                "nothing is sold against it, nothing running is touched; see whether its agents run and reach the hub",
                "暂停对其授予，运行中的业务不受影响；检查代理及其到管理面的网络",
            ),
        ),
        alert(
            Critical,
            "AgentCutFromHub",
            "2m",
            "max by (place) (xiangyun_agent_hub_reachable) == 0",
            t(
                "no agent of {{ $labels.place }} reaches the hub",
                "{{ $labels.place }} 的代理均无法访问管理面",
            ),
            t(
                "the centre keeps what it has and corrects drift; look at the network between the centre and the hub",
                "该中心维持现状并继续纠偏；检查中心到管理面的网络",
            ),
        ),
        alert(
            Warning,
            "NamespacesHeld",
            "10m",
            "max by (place) (xiangyun_agent_held_namespaces) > 0",
            t(
                "{{ $value }} namespaces of {{ $labels.place }} are held as they are",
                "{{ $labels.place }} 有 {{ $value }} 个命名空间保持原状",
            ),
            t(
                "an object of the hub cannot be read; the agent's log names it",
                "管理面有对象无法解析，代理日志给出名称",
            ),
        ),
    ]
}

fn leadership() -> Vec<Alert> {
    vec![
        alert(
            Critical,
            "NoLeader",
            "1m",
            "(count(xiangyun_leader_epoch > 0) or vector(0)) == 0",
            t("no operator leads", "无主控副本"),
            t(
                "what was granted stays; nothing new is granted; see the operators' logs and the hub's API servers",
                "已授予配额不受影响，暂停新授予；检查控制器日志与管理面 API",
            ),
        ),
        alert(
            Critical,
            "LeaderIsOutdated",
            "1m",
            "max(xiangyun_agent_epoch) > on () max(xiangyun_leader_epoch)",
            t(
                "agents have seen epoch {{ $value }}, newer than the leader's",
                "代理已见纪元 {{ $value }}，高于主控副本",
            ),
            t(
                "its decisions are refused; restart the operators so that they take a new epoch",
                "其决策将被拒绝；重启控制器以取得新纪元",
            ),
        ),
        alert(
            Warning,
            "TwoLeaders",
            "1m",
            "count(xiangyun_leader_epoch > 0) > 1",
            t(
                "{{ $value }} operators say that they lead",
                "{{ $value }} 个副本自称主控",
            ),
            t(
                "the ledger takes the newer one only; look whether one is frozen or cut off",
                "台账仅接受较新者；检查是否有副本被冻结或隔离",
            ),
        ),
        alert(
            Warning,
            "PassesFailing",
            "5m",
            "sum by (controller) (rate(xiangyun_passes_total{outcome=\"failed\"}[5m])) / sum by (controller) (rate(xiangyun_passes_total[5m])) > 0.1",
            t(
                "{{ $value | humanizePercentage }} of the passes of {{ $labels.controller }} fail",
                "{{ $labels.controller }} 有 {{ $value | humanizePercentage }} 的轮次失败",
            ),
            t("its log says why: `pass failed`", "查看日志中的 pass failed"),
        ),
    ]
}

fn clock() -> Vec<Alert> {
    vec![alert(
        Warning,
        "ClockAhead",
        "1m",
        "max(xiangyun_clock_ahead_seconds) > 0",
        t(
            "the leader's clock is {{ $value | humanizeDuration }} ahead of the hub's",
            "主控副本时钟超前管理面 {{ $value | humanizeDuration }}",
        ),
        t(
            "nothing ends early: the hub's clock counts; set that of the leader's machine, or the hub's, which is behind",
            "配额不会提前到期，以管理面时钟为准；请校正主控副本或管理面所在主机的时钟",
        ),
    )]
}
