//! Figures of pools and tenants, the largest possible grants, and the queues: written when a fact changed.

use std::collections::BTreeMap;

use crds::{
    AdmissionLimits, DataCenter, ExpansionPhase, Intake, PoolQueue, QuotaPool, QuotaPoolStatus, RequestApproval,
    ResourceRequest, Tenant, condition, find_condition, object, pool_reason, set_condition, tenant_reason,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use plan::cycle::{CyclePlan, Snapshot};
use plan::pool::{Pool, PoolError};
use plan::published::{self, Figures};
use plan::subtree::Subtrees;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::observe::Caches;
use super::{AdmissionMetrics, Error, Write};
use crate::call::call;

/// Everything that is published besides the statuses of requests.
pub(super) async fn all(
    client: &Client,
    caches: &Caches,
    snapshot: &Snapshot,
    plan: &CyclePlan,
    metrics: &AdmissionMetrics,
) -> Result<(), Error> {
    let mut writes = Vec::new();
    let (centres, phases) = (caches.centres.list(), caches.phases.list());
    let mut shown = Vec::new();
    for pool in caches.pools.shared() {
        let read = Pool::read(&pool, &centres, &phases, snapshot.now);
        writes.extend(pool_status(client, &pool, read, snapshot, &mut shown));
    }
    metrics.pools(&shown);
    let subtrees = Subtrees::of(&snapshot.ledger);
    for tenant in caches.tenants.shared() {
        writes.extend(tenant_status(client, &tenant, &subtrees, snapshot, plan));
    }
    let limits = published::limits(snapshot, &snapshot.ledger);
    if caches.limits.shared().iter().all(|l| l.spec != limits) {
        writes.push(apply(client, AdmissionLimits::new(object::PROVINCE, limits)));
    }
    let queues = caches.queues.shared();
    let queues: BTreeMap<String, _> = queues.iter().map(|q| (q.name_any(), &q.spec)).collect();
    for (name, queue) in published::queues(snapshot, plan) {
        if queues.get(&name) != Some(&&queue) {
            writes.push(apply(client, PoolQueue::new(&name, queue)));
        }
    }
    metrics.unreadable::<ResourceRequest>(caches.requests.unreadable().len());
    metrics.unreadable::<RequestApproval>(caches.approvals.unreadable().len());
    metrics.unreadable::<Tenant>(caches.tenants.unreadable().len());
    metrics.unreadable::<QuotaPool>(caches.pools.unreadable().len());
    metrics.unreadable::<ExpansionPhase>(caches.phases.unreadable().len());
    metrics.unreadable::<DataCenter>(caches.centres.unreadable().len());
    super::all(writes, metrics, "published").await?;
    Ok(())
}

fn apply<K>(client: &Client, object: K) -> Write<'_>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    Box::pin(async move {
        let api: Api<K> = Api::all(client.clone());
        let params = PatchParams::apply(object::CONTROLLER).force();
        call(
            "publish",
            api.patch(&object.name_any(), &params, &Patch::Apply(&object)),
        )
        .await?;
        Ok(())
    })
}

fn pool_status<'a>(
    client: &'a Client,
    pool: &QuotaPool,
    read: Result<Pool, PoolError>,
    snapshot: &Snapshot,
    shown: &mut Vec<(String, Figures)>,
) -> Option<Write<'a>> {
    let mut status = pool.status.clone().unwrap_or_default();
    let said = find_condition(&status.conditions, condition::DRAINED).is_some();
    let mut set = |kind, value, reason, words: String| {
        set_condition(
            &mut status.conditions,
            kind,
            value,
            reason,
            words,
            pool.metadata.generation,
            snapshot.now,
        );
    };
    match read {
        Err(error) => set(
            condition::READY,
            Some(false),
            pool_reason::MISCONFIGURED,
            error.to_string(),
        ),
        Ok(read) => {
            let figures = published::figures(&read, &snapshot.ledger);
            shown.push((read.name.to_string(), figures.clone()));
            let (ready, reason, words) = readiness(&figures, &read);
            set(condition::READY, Some(ready), reason, words);
            if let Some((drained, words)) = published::drained(&read, snapshot, said) {
                set(condition::DRAINED, Some(drained), pool_reason::ON_HOLD, words);
            }
            let (over, reason, words) = published::commitment(&read, &snapshot.ledger);
            set(condition::OVER_COMMITTED, Some(over), reason, words);
            let (waits, reason, words) = published::nodes_that_wait(&read);
            set(condition::AWAITING_ACCEPTANCE, Some(waits), reason, words);
            status.centres = figures.centres;
            status.total = Some(figures.total);
            status.free_dual_active = Some(figures.free_dual_active);
        }
    }
    write_pool(client, pool, status)
}

/// The write of a pool's status, where a fact changed.
fn write_pool<'a>(client: &'a Client, pool: &QuotaPool, mut status: QuotaPoolStatus) -> Option<Write<'a>> {
    status.observed_generation = pool.metadata.generation;
    if pool
        .status
        .as_ref()
        .is_some_and(|old| without_times(old) == without_times(&status))
    {
        return None;
    }
    let (name, uid, version) = (pool.name_any(), pool.uid(), pool.resource_version());
    Some(Box::pin(async move {
        let api: Api<QuotaPool> = Api::all(client.clone());
        let patch = json!({"status": status, "metadata": {"uid": uid, "resourceVersion": version}});
        call(
            "write a pool's status",
            api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
        )
        .await?;
        Ok(())
    }))
}

fn readiness(figures: &Figures, pool: &Pool) -> (bool, &'static str, String) {
    let never: Vec<&str> = figures
        .unknown
        .iter()
        .map(String::as_str)
        .filter(|c| !pool.capacity.contains_key(*c))
        .collect();
    if !never.is_empty() {
        let names = never.join(", ");
        return (
            false,
            pool_reason::CENTRE_MISSING,
            format!(
                "{names}: no such centre, or its agent never reported; nothing is sold there | {names}：中心不存在或代理从未上报，暂不授予"
            ),
        );
    }
    if !figures.unknown.is_empty() {
        let names = figures.unknown.join(", ");
        return (
            false,
            pool_reason::CAPACITY_UNKNOWN,
            format!(
                "{names}: the report is too old, or it is a member that is only observed; nothing is sold, nothing is taken away | {names}：上报过期或为 Observed 阶段的成员云，暂停授予，已授予不受影响"
            ),
        );
    }
    if pool.intake != Intake::Open {
        let words = format!(
            "intake is {:?}: nothing new is granted; what is granted stays | intake 为 {:?}：暂停新增，已授予不受影响",
            pool.intake, pool.intake
        );
        return (false, pool_reason::ON_HOLD, words);
    }
    (
        true,
        pool_reason::AVAILABLE,
        "every centre reports | 各中心均在上报".to_owned(),
    )
}

/// The status without the times that change while nothing happens.
fn without_times(status: &QuotaPoolStatus) -> QuotaPoolStatus {
    let mut status = status.clone();
    status.centres.iter_mut().for_each(|c| c.reported_at = None);
    status
}

/// What the subtree holds, and whether the ledger counts the tenant as its spec says.
fn tenant_status<'a>(
    client: &'a Client,
    tenant: &Tenant,
    subtrees: &Subtrees,
    snapshot: &Snapshot,
    plan: &CyclePlan,
) -> Option<Write<'a>> {
    let name = tenant.name_any();
    let mut status = tenant.status.clone().unwrap_or_default();
    status.charged = published::tenant_charged(&name, subtrees);
    let adopted = match plan.overshoot.get(&name) {
        Some(why) => (false, tenant_reason::OVERSHOOT, format!("not moved yet: {why}")),
        None => (
            true,
            tenant_reason::ADOPTED,
            "counted as its spec says | 已按其配置计数".to_owned(),
        ),
    };
    // Of a tenant whose place is not valid its own condition says why nothing is adopted.
    if snapshot.tenants.contains_key(&name) {
        set_condition(
            &mut status.conditions,
            condition::ADOPTED,
            Some(adopted.0),
            adopted.1,
            adopted.2,
            tenant.metadata.generation,
            snapshot.now,
        );
    }
    if tenant.status.as_ref() == Some(&status) {
        return None;
    }
    let metadata = json!({"uid": tenant.uid(), "resourceVersion": tenant.resource_version()});
    Some(Box::pin(async move {
        let api: Api<Tenant> = Api::all(client.clone());
        let status = json!({"charged": status.charged, "conditions": status.conditions});
        let patch = json!({"metadata": metadata, "status": status});
        call(
            "write a tenant's charges",
            api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)),
        )
        .await?;
        Ok(())
    }))
}
