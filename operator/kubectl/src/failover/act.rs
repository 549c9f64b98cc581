//! Asking for a move, agreeing to one, confirming its fence, giving it up.

use std::time::Duration;

use crds::{
    Approver, DataCenter, DualActivePlacement, Failover, FailoverApproval, FailoverApprovalSpec, FailoverPhase,
    FailoverRef, FailoverSpec, FailoverType, FailoverWord, PlacementRef, condition, find_condition, label,
};
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde_json::json;

use super::scheme::{Scheme, scheme};
use crate::connect::{Hub, within};
use crate::failure::Failure;
use crate::lang::both;
use crate::read::all;
use crate::word::word;

/// How long to wait for the operator's word.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest comment, as the definition says.
const LONGEST: usize = 1024;

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// Name of what was written; empty where nothing was stored.
    pub name: String,
    /// Whether the operator took it up; `None` where it has not said so in time, or nothing was stored.
    pub counted: Option<bool>,
    /// In words, `English | 中文`.
    pub message: String,
}

fn moves(hub: &Hub) -> Api<Failover> {
    Api::namespaced(hub.client.clone(), &hub.namespace)
}

/// What a move of that placement would do.
///
/// # Errors
/// The placement is not there, or the hub is not reachable.
pub async fn look(hub: &Hub, name: &str, to: Option<&str>) -> Result<Scheme, Failure> {
    let placements = Api::<DualActivePlacement>::namespaced(hub.client.clone(), &hub.namespace);
    let (centres, open) = (Api::<DataCenter>::all(hub.client.clone()), moves(hub));
    let (placement, centres, open) = tokio::join!(within(placements.get(name)), all(&centres), all(&open));
    let open = open?.unwrap_or_default();
    Ok(scheme(&placement?, to, centres?.as_deref(), &open))
}

fn checked(option: &str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(Failure::Usage(both(
            format!("{option}: say it in 1 to {LONGEST} characters"),
            format!("{option}：请用 1 至 {LONGEST} 个字符说明"),
        )));
    }
    Ok(text.to_owned())
}

/// Asks for a move to that centre, or back where none is named.
///
/// # Errors
/// Something is in the way, or the server refuses.
pub async fn start(
    hub: &Hub,
    name: &str,
    to: Option<&str>,
    comment: Option<&str>,
    dry_run: bool,
) -> Result<Done, Failure> {
    let comment = comment.map(|c| checked("--comment", c)).transpose()?;
    let scheme = look(hub, name, to).await?;
    if !scheme.obstacles.is_empty() {
        return Err(Failure::Refused(scheme.obstacles.join("\n")));
    }
    let wanted = failover(&scheme, comment);
    let params = PostParams {
        dry_run,
        ..PostParams::default()
    };
    let made = within(moves(hub).create(&params, &wanted)).await?;
    let Scheme { from, to, .. } = &scheme;
    if dry_run {
        return Ok(Done {
            name: String::new(),
            counted: None,
            message: both(
                format!("the server would take it: {name} from {from} to {to}; nothing is stored"),
                format!("服务器校验通过：{name} 由 {from} 至 {to}，未保存"),
            ),
        });
    }
    let name = made.metadata.name.unwrap_or_default();
    let message = both(
        format!("asked: {from} to {to}; follow it with kubectl xiangyun failover status {name}"),
        format!("已提交：{from} 至 {to}，可用 kubectl xiangyun failover status {name} 跟踪"),
    );
    let counted = None;
    Ok(Done { name, counted, message })
}

/// The move that a scheme asks for.
pub fn failover(scheme: &Scheme, comment: Option<String>) -> Failover {
    let word = if scheme.type_ == FailoverType::Failback {
        "back"
    } else {
        "planned"
    };
    let spec = FailoverSpec {
        placement_ref: PlacementRef {
            name: scheme.name.clone(),
        },
        type_: scheme.type_,
        from: scheme.from.clone(),
        to: scheme.to.clone(),
        incident: None,
        comment,
        requester: Approver::default(),
    };
    Failover {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-{word}-", scheme.name)),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// Says a word about a move, and waits shortly for the operator to count it.
///
/// # Errors
/// The move is not there, the server refuses, or the operator says that it does not count.
pub async fn say(hub: &Hub, name: &str, what: FailoverWord, comment: Option<&str>) -> Result<Done, Failure> {
    let comment = comment.map(|c| checked("--comment", c)).transpose()?;
    let found = within(moves(hub).get(name)).await?;
    let approval = FailoverApproval {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", name.chars().take(200).collect::<String>())),
            ..ObjectMeta::default()
        },
        spec: FailoverApprovalSpec {
            failover_ref: FailoverRef {
                name: name.to_owned(),
                uid: found.metadata.uid.unwrap_or_default(),
            },
            word: what,
            comment,
            approver: Approver::default(),
        },
        status: None,
    };
    let api = Api::<FailoverApproval>::namespaced(hub.client.clone(), &hub.namespace);
    let made = within(api.create(&PostParams::default(), &approval)).await?;
    let name = made.metadata.name.unwrap_or_default();
    let said = |approval: FailoverApproval| {
        let status = approval.status.unwrap_or_default();
        find_condition(&status.conditions, condition::COUNTED).cloned()
    };
    match word(&api, &name, PATIENCE, said).await {
        Some(word) if word.status == "True" => Ok(Done {
            name,
            counted: Some(true),
            message: word.message,
        }),
        Some(word) => {
            let (en, zh) = word.message.split_once(" | ").unwrap_or((&word.message, &word.message));
            Err(Failure::Refused(both(
                format!("foappr/{name} does not count ({}): {en}", word.reason),
                format!("foappr/{name} 无效（{}）：{zh}", word.reason),
            )))
        }
        // It is written; only the word on it is missing.
        None => Ok(Done {
            name,
            counted: None,
            message: both("written; the operator has not counted it yet", "已提交，控制器尚未计入"),
        }),
    }
}

/// Asks the operator to give a move up.
///
/// # Errors
/// The move is not there or past that, or the server refuses.
pub async fn abort(hub: &Hub, name: &str, reason: &str) -> Result<Done, Failure> {
    let reason = checked("--reason", reason)?;
    let api = moves(hub);
    let found = within(api.get(name)).await?;
    let phase = found.phase();
    if phase.is_over() || matches!(phase, FailoverPhase::Promoting | FailoverPhase::Verifying) {
        return Err(Failure::Refused(both(
            format!(
                "fo/{name} is {phase:?}: the new side runs it, or nothing is left to give up; the way back is kubectl xiangyun failback start {}",
                found.spec.placement_ref.name
            ),
            format!(
                "fo/{name} 处于 {phase:?}，已无法中止；如需返回请用 kubectl xiangyun failback start {}",
                found.spec.placement_ref.name
            ),
        )));
    }
    let patch = json!({"metadata": {"uid": found.metadata.uid, "annotations": {label::ABORT: reason}}});
    within(api.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await?;
    Ok(Done {
        name: name.to_owned(),
        counted: None,
        message: both(
            "asked; the operator gives it up unless the new side runs by then",
            "已提交，目标侧尚未启动时由控制器中止",
        ),
    })
}
