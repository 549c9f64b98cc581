//! Placements.

use super::Severity::Warning;
use super::{Alert, alert};
use crate::text::t;

pub(super) fn all() -> Vec<Alert> {
    [deciding(), serving(), vec![fought()]].concat()
}

/// What is decided, and whether it runs.
fn deciding() -> Vec<Alert> {
    vec![
        alert(
            Warning,
            "PlacementHeld",
            "15m",
            "max by (reason) (xiangyun_placements{reason!~\"Running|Applying|Starting|Rebalancing|RollingOut|RolloutPaused|Leaving|CentreUnknown|AwaitingConfirmation\"}) > 0",
            t(
                "{{ $value }} placements wait with {{ $labels.reason }}",
                "{{ $value }} 个双活部署处于 {{ $labels.reason }}",
            ),
            t(
                "`kubectl get dap -A`, then `kubectl xiangyun why dap/NAME`: what is in the way and what helps",
                "kubectl get dap -A 后 kubectl xiangyun why dap/NAME，说明原因与处理办法",
            ),
        ),
        alert(
            Warning,
            "MemberAwaitingConfirmation",
            "24h",
            "max by (centre) (xiangyun_member_waiting) > 0",
            t(
                "{{ $value }} placements wait for a day for a person of {{ $labels.centre }}",
                "{{ $value }} 个双活部署待 {{ $labels.centre }} 人员确认超过24小时",
            ),
            t(
                "Tell the people of {{ $labels.centre }}; `kubectl get dap -A` shows AwaitingConfirmation, `kubectl xiangyun diff dap/NAME` what they confirm and how",
                "请联系 {{ $labels.centre }} 人员；kubectl get dap -A 查看 AwaitingConfirmation，kubectl xiangyun diff dap/NAME 查看待确认内容与命令",
            ),
        ),
        alert(
            Warning,
            "PlacementNotReady",
            "15m",
            "max by (reason) (xiangyun_placements{reason=~\"Applying|Starting|Rebalancing\"}) > 0",
            t(
                "{{ $value }} placements have not got all their copies for 15 minutes ({{ $labels.reason }})",
                "{{ $value }} 个双活部署超过15分钟未全部就绪（{{ $labels.reason }}）",
            ),
            t(
                "`kubectl get dap -A` shows ready of wanted in each centre; look at the pods of the centre that is behind",
                "kubectl get dap -A 查看各中心就绪数，检查滞后中心的容器组",
            ),
        ),
    ]
}

/// What is changed in a centre again and again.
fn fought() -> Alert {
    alert(
        Warning,
        "CorrectedAgainAndAgain",
        "15m",
        "sum by (place, kind) (increase(xiangyun_agent_drift_corrected_total[10m])) > 10",
        t(
            "Something in {{ $labels.place }} changes a {{ $labels.kind }} again and again that a placement declares",
            "{{ $labels.place }} 有写入方反复修改部署所声明的 {{ $labels.kind }}",
        ),
        t(
            "The messages of the centres in `kubectl get dap -A -o yaml` name object, fields and writer (again and again); end that writer, leave the field out of the template, or set drift: Report",
            "kubectl get dap -A -o yaml 中各中心的说明含对象、字段与写入方（反复修改）；请停止该写入方、从模板中去除该字段，或将 drift 设为 Report",
        ),
    )
}

/// Whether every side serves.
fn serving() -> Vec<Alert> {
    vec![
        alert(
            Warning,
            "OneSidedTraffic",
            "10m",
            "max by (reason) (xiangyun_placements_serving{reason=\"OneSidedTraffic\"}) > 0",
            t(
                "{{ $value }} placements get requests in one centre and none in another that is ready",
                "{{ $value }} 个双活部署仅一侧有请求，另一侧就绪却无请求",
            ),
            t(
                "`kubectl get dap -A -o wide` names them, `kubectl xiangyun status dap/NAME` the Service and the centre; see what leads users there",
                "kubectl get dap -A -o wide 查看部署，kubectl xiangyun status dap/NAME 查看服务与中心，检查该中心的入口与域名权重",
            ),
        ),
        alert(
            Warning,
            "CentreDoesNotServe",
            "15m",
            "max by (reason) (xiangyun_placements_serving{reason=\"CentreDoesNotServe\"}) > 0",
            t(
                "{{ $value }} placements that are to run in every centre serve nobody in one of them",
                "{{ $value }} 个双活部署在某一中心不提供服务",
            ),
            t(
                "`kubectl get dap -A -o wide` names them, `kubectl xiangyun status dap/NAME` the Service or the copies and the centre; look at selector and pods there",
                "kubectl get dap -A -o wide 查看部署，kubectl xiangyun status dap/NAME 查看服务或副本与中心，检查该中心的选择器与容器组",
            ),
        ),
    ]
}
