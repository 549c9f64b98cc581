//! What a planned move would do, before anybody asks for it. Pure.

use crds::{DataCenter, DualActivePlacement, Failover, FailoverType, FenceRow, PlacementMode, WitnessState, condition};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Said, said};
use crate::lang::both;

/// What would happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheme {
    /// The placement.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// How it runs.
    pub mode: PlacementMode,
    /// `Planned` or `Failback`.
    #[serde(rename = "type")]
    pub type_: FailoverType,
    /// Centre that runs it now; empty where nothing is decided, or every centre does.
    pub from: String,
    /// Centre that would.
    pub to: String,
    /// Copies that run where it runs now.
    pub copies: Option<i64>,
    /// Declared time.
    pub rto: String,
    /// People of different organisations who must agree first.
    pub approvals: i32,
    /// What would prove that the old side is silent, `English | 中文`; nothing where none is needed.
    pub proof: Option<String>,
    /// Gates in each centre, of exclusive placements.
    pub fences: Vec<FenceHere>,
    /// Whether each centre has room for all of it.
    pub room: Option<Said>,
    /// Whether a loss would be answered.
    pub armed: Option<Said>,
    /// In this order, `English | 中文`.
    pub steps: Vec<String>,
    /// What is in the way, `English | 中文`; such a move is not asked for.
    pub obstacles: Vec<String>,
}

/// Gates in a centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FenceHere {
    /// Centre.
    pub centre: String,
    /// Nodes on which it may run, and those with a gate; `None` where the centre does not say.
    pub gates: Option<FenceRow>,
}

/// Gates of every centre of a placement.
pub(super) fn fences(placement: &DualActivePlacement) -> Vec<FenceHere> {
    let centres = placement.spec.centres.iter();
    let here = centres.map(|c| FenceHere {
        centre: c.name.clone(),
        gates: placement.row(&c.name).and_then(|r| r.fence),
    });
    here.collect()
}

/// The centre that runs it; `None` where nothing is decided, or every centre does.
pub(crate) fn active(placement: &DualActivePlacement) -> Option<&str> {
    if placement.spec.mode == PlacementMode::ActiveActive {
        return None;
    }
    let assignment = placement.assignment()?;
    assignment.active.as_deref().or(placement.spec.active.as_deref())
}

/// The scheme of a move to that centre; of one back to where it belongs where none is named.
pub fn scheme(
    placement: &DualActivePlacement,
    to: Option<&str>,
    centres: Option<&[DataCenter]>,
    moves: &[Failover],
) -> Scheme {
    let spec = &placement.spec;
    let from = active(placement).unwrap_or_default().to_owned();
    let home = spec.active.clone().unwrap_or_default();
    let type_ = if to.is_none() {
        FailoverType::Failback
    } else {
        FailoverType::Planned
    };
    let to = to.map_or(home, str::to_owned);
    let policy = spec.failover.clone().unwrap_or_default();
    let conditions = placement
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    let exclusive = spec.mode == PlacementMode::Exclusive;
    let proof = (exclusive && !from.is_empty()).then(|| {
        both(
            format!("Acked: the agent of {from} sees every container terminated, or the last permit run out"),
            format!("Acked：{from} 的代理确认容器全部终止，或最后的许可到期"),
        )
    });
    let mut scheme = Scheme {
        name: placement.name_any(),
        namespace: placement.namespace().unwrap_or_default(),
        mode: spec.mode,
        type_,
        copies: placement.row(&from).map(|r| r.ready),
        rto: policy.rto,
        approvals: policy.approvals,
        proof,
        fences: if exclusive { fences(placement) } else { Vec::new() },
        room: said(conditions, condition::SURVIVABLE),
        armed: said(conditions, condition::FAILOVER_ARMED),
        steps: Vec::new(),
        obstacles: Vec::new(),
        from,
        to,
    };
    scheme.obstacles = obstacles(&scheme, placement, centres, moves);
    scheme.steps = steps(&scheme);
    scheme
}

fn obstacles(
    scheme: &Scheme,
    placement: &DualActivePlacement,
    centres: Option<&[DataCenter]>,
    moves: &[Failover],
) -> Vec<String> {
    let Scheme { name, from, to, .. } = scheme;
    if scheme.mode == PlacementMode::ActiveActive {
        return vec![both(
            format!("dap/{name} runs in every centre: nothing of it moves; change the weights of spec.centres instead"),
            format!("dap/{name} 各中心同时运行，无需切换；请改用 spec.centres 的权重"),
        )];
    }
    let mut all = Vec::new();
    if from.is_empty() {
        all.push(both(
            format!("nothing is decided on dap/{name} yet; see kubectl xiangyun why dap/{name}"),
            format!("dap/{name} 尚未分派，见 kubectl xiangyun why dap/{name}"),
        ));
    } else if from == to {
        all.push(both(
            format!("dap/{name} runs in {to} already"),
            format!("dap/{name} 已在 {to} 运行"),
        ));
    }
    let names: Vec<&str> = placement.spec.centres.iter().map(|c| c.name.as_str()).collect();
    if !names.contains(&to.as_str()) {
        let listed = names.join(", ");
        all.push(both(
            format!("{to} is no centre of dap/{name}; name one of {listed}"),
            format!("{to} 不是 dap/{name} 的中心，可选：{listed}"),
        ));
    }
    let short = placement.status.iter().flat_map(|s| &s.short);
    all.extend(short.filter(|s| s.name == *to).map(|s| s.message.clone()));
    let open = moves
        .iter()
        .find(|m| m.spec.placement_ref.name == *name && !m.phase().is_over());
    all.extend(open.map(|m| {
        let other = m.name_any();
        both(
            format!("fo/{other} of the same placement is under way; wait for it, or abort it"),
            format!("同一部署的 fo/{other} 正在进行，请等待或中止"),
        )
    }));
    let state = |centre: &str| {
        let found = centres?.iter().find(|c| c.name_any() == centre)?;
        Some(found.status.as_ref()?.witness.as_ref()?.state)
    };
    if state(to) == Some(WitnessState::Lost) {
        all.push(both(format!("{to} is lost itself"), format!("{to} 已失联")));
    }
    if state(from) == Some(WitnessState::Lost) {
        all.push(both(
            format!("{from} is lost and cannot acknowledge anything; the operator moves what may move by itself"),
            format!("{from} 已失联，无法应答；可自动切换的由控制器处理"),
        ));
    }
    all
}

fn steps(scheme: &Scheme) -> Vec<String> {
    let Scheme {
        from, to, approvals, ..
    } = scheme;
    if !scheme.obstacles.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    if *approvals > 0 {
        all.push(both(
            format!("{approvals} people of different organisations agree"),
            format!("{approvals} 名不同单位的人员批准"),
        ));
    }
    let exclusive = [
        both(
            format!("{from} is given no traffic any more and stops; what it holds stays as objects with 0 copies"),
            format!("{from} 不再引流并停止，对象保留、副本为 0"),
        ),
        both(
            format!("{from} acknowledges, and only then the right goes to {to}"),
            format!("{from} 确认后，独占权方转至 {to}"),
        ),
        both(
            format!("{to} starts it under the next epoch"),
            format!("{to} 以新 epoch 启动"),
        ),
    ];
    let standby = [
        both(
            format!("{to} is raised to all copies and becomes ready"),
            format!("{to} 增至全部副本并就绪"),
        ),
        both(
            format!("traffic follows from {from} to {to}, and only then {from} is lowered"),
            format!("流量由 {from} 转至 {to}，其后 {from} 才减少"),
        ),
    ];
    if scheme.mode == PlacementMode::Exclusive {
        all.extend(exclusive);
    } else {
        all.extend(standby);
    }
    all.push(both(
        format!(
            "{to} is seen ready, and its traffic published; the time is held against {}",
            scheme.rto
        ),
        format!("核验 {to} 就绪并发布流量，耗时与 {} 对比", scheme.rto),
    ));
    all
}
