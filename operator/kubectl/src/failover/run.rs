//! The commands about moves.

use crds::{DualActivePlacement, Failover, FailoverType, FailoverWord};
use kube::Api;

use super::args::{FailbackCommand, FailoverCommand, FenceCommand, WhichArgs};
use super::{act, fence, page, print};
use crate::clock::now;
use crate::connect::{Hub, if_allowed, within};
use crate::failure::Failure;
use crate::lang::both;
use crate::read::all;
use crate::run::Out;

pub(crate) async fn failover(hub: &Hub, command: FailoverCommand, out: Out) -> Result<u8, Failure> {
    let done = match command {
        FailoverCommand::Plan { placement, to } => {
            let scheme = act::look(hub, &placement, Some(&to)).await?;
            out.put(&scheme, print::scheme)?;
            return Ok(u8::from(!scheme.obstacles.is_empty()));
        }
        FailoverCommand::Status(which) => return status(hub, which, None, out).await,
        FailoverCommand::Start { placement, to, how } => {
            act::start(hub, &placement, Some(&to), how.comment.as_deref(), how.dry_run).await?
        }
        FailoverCommand::Approve { name, comment } => {
            act::say(hub, &name, FailoverWord::Approve, comment.as_deref()).await?
        }
        FailoverCommand::Reject { name, comment } => {
            act::say(hub, &name, FailoverWord::Reject, comment.as_deref()).await?
        }
        FailoverCommand::ConfirmFence { name, comment } => {
            act::say(hub, &name, FailoverWord::ConfirmFence, Some(&comment)).await?
        }
        FailoverCommand::Abort { name, reason } => act::abort(hub, &name, &reason).await?,
    };
    out.put(&done, print::done)?;
    Ok(0)
}

pub(crate) async fn failback(hub: &Hub, command: FailbackCommand, out: Out) -> Result<u8, Failure> {
    match command {
        FailbackCommand::Start { placement, how } => {
            let done = act::start(hub, &placement, None, how.comment.as_deref(), how.dry_run).await?;
            out.put(&done, print::done)?;
            Ok(0)
        }
        FailbackCommand::Status(which) => status(hub, which, Some(FailoverType::Failback), out).await,
    }
}

pub(crate) async fn fence(hub: &Hub, command: FenceCommand, out: Out) -> Result<u8, Failure> {
    let FenceCommand::Status { all_namespaces } = command;
    let api: Api<DualActivePlacement> = place(hub, all_namespaces);
    let placements = all(&api).await?.ok_or_else(|| hidden("placements", "部署"))?;
    out.put(&fence::fences_of(&placements), |all, style| print::fences(all, style))?;
    Ok(0)
}

fn place<K>(hub: &Hub, everywhere: bool) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    if everywhere {
        Api::all(hub.client.clone())
    } else {
        Api::namespaced(hub.client.clone(), &hub.namespace)
    }
}

fn hidden(en: &str, zh: &str) -> Failure {
    Failure::Refused(both(
        format!("you may not read {en} there; leave out -A, or name your own namespace with -n"),
        format!("无权查看该范围的{zh}，请去掉 -A 或用 -n 指定本部门"),
    ))
}

async fn status(hub: &Hub, which: WhichArgs, only: Option<FailoverType>, out: Out) -> Result<u8, Failure> {
    let api: Api<Failover> = place(hub, which.all_namespaces);
    let Some(name) = which.name else {
        let moves = all(&api).await?.ok_or_else(|| hidden("moves", "切换"))?;
        out.put(&page::pages(&moves, only, now()), |all, style| print::moves(all, style))?;
        return Ok(0);
    };
    let found = within(api.get(&name)).await?;
    let placements: Api<DualActivePlacement> = place(hub, false);
    let placement = if_allowed(placements.get_opt(&found.spec.placement_ref.name))
        .await?
        .flatten();
    let declared = placement.map(|p| p.spec.failover.unwrap_or_default().rto);
    out.put(&page::page(&found, declared.as_deref(), now()), print::one)?;
    Ok(0)
}
