//! One namespace: what differs from what is wanted is written, the rest is left alone.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crds::{label, object};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt as _};
use plan::centre::grant::{Answer, Wanted};
use plan::centre::quota::same;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::metrics::Metrics;
use super::objects;
use super::observe::{Centre, texts};
use crate::call::{CallError, call};

/// Why a namespace is not as wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// A call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The namespace is being deleted.
    #[error("it is being deleted; it is made again when it is gone | 正在删除，删除完成后重建")]
    Terminating,
}

/// Writes into the centre.
pub(super) struct Writer {
    pub(super) cluster: Client,
    pub(super) metrics: Metrics,
}

impl Writer {
    /// Makes the namespace as wanted. The binding comes last: nobody gets in before the quota and the network rules.
    pub(super) async fn namespace(&self, name: &str, wanted: &Wanted, centre: &Centre) -> Result<(), WriteError> {
        self.shell(name, wanted, centre.namespaces.get(name)).await?;
        self.quota(name, wanted, centre.quotas.get(name)).await?;
        let limits = objects::limit_range(name, wanted);
        if centre
            .limits
            .get(name)
            .is_none_or(|is| is.spec != limits.spec || !carries(is, &limits))
        {
            self.put("LimitRange", name, &limits).await?;
        }
        let network = objects::network_policy(name, wanted);
        if centre
            .networks
            .get(name)
            .is_none_or(|is| is.spec != network.spec || !carries(is, &network))
        {
            self.put("NetworkPolicy", name, &network).await?;
        }
        Ok(self.binding(name, wanted, centre.bindings.get(name)).await?)
    }

    async fn shell(&self, name: &str, wanted: &Wanted, is: Option<&Namespace>) -> Result<(), WriteError> {
        let api: Api<Namespace> = Api::all(self.cluster.clone());
        let object = objects::namespace(name, wanted);
        match is {
            Some(is) if is.metadata.deletion_timestamp.is_some() => Err(WriteError::Terminating),
            Some(is) if carries(is, &object) => Ok(()),
            Some(_) => Ok(self.apply("Namespace", name, &api, &object).await?),
            // Not by server-side apply, which would take over one that appeared meanwhile.
            None => {
                let params = PostParams {
                    field_manager: Some(object::AGENT.to_owned()),
                    ..PostParams::default()
                };
                match call("create a namespace", api.create(&params, &object)).await {
                    Err(error) if error.is_conflict() => {
                        let found = call("read a namespace", api.get(name)).await?;
                        if carries(&found, &object) {
                            Ok(())
                        } else {
                            Err(error.into())
                        }
                    }
                    answer => {
                        self.metrics.write("Namespace", answer.is_ok());
                        tracing::info!(
                            namespace = name,
                            tenant = wanted.tenant,
                            done = answer.is_ok(),
                            "namespace created"
                        );
                        answer?;
                        Ok(())
                    }
                }
            }
        }
    }

    async fn quota(&self, name: &str, wanted: &Wanted, is: Option<&ResourceQuota>) -> Result<(), CallError> {
        let object = objects::quota(name, wanted);
        let hard = is.map(hard_of).unwrap_or_default();
        if is.is_some_and(|is| carries(is, &object)) && same(&hard, &wanted.hard) {
            return Ok(());
        }
        self.put("ResourceQuota", name, &object).await?;
        tracing::info!(
            namespace = name,
            tenant = wanted.tenant,
            cpu = wanted.hard.get("requests.cpu"),
            memory = wanted.hard.get("requests.memory"),
            grants = wanted.grants.len(),
            epoch = wanted.epoch,
            "quota applied"
        );
        // Server-side apply leaves keys alone that somebody else added; they would bind as well.
        let others = hard.into_keys().filter(|key| !wanted.hard.contains_key(key));
        let extra: serde_json::Map<_, _> = others.map(|key| (key, serde_json::Value::Null)).collect();
        if extra.is_empty() {
            return Ok(());
        }
        let api: Api<ResourceQuota> = Api::namespaced(self.cluster.clone(), name);
        let patch = Patch::Merge(serde_json::json!({"spec": {"hard": extra}}));
        let answer = call("write ResourceQuota", api.patch(object::XIANGYUN, &params(), &patch)).await;
        self.metrics.write("ResourceQuota", answer.is_ok());
        answer.map(drop)
    }

    async fn binding(&self, name: &str, wanted: &Wanted, is: Option<&RoleBinding>) -> Result<(), CallError> {
        let object = objects::role_binding(name, wanted);
        if let Some(is) = is {
            if is.role_ref == object.role_ref && is.subjects == object.subjects && carries(is, &object) {
                return Ok(());
            }
            if is.role_ref != object.role_ref {
                // A role cannot be changed in place.
                let api: Api<RoleBinding> = Api::namespaced(self.cluster.clone(), name);
                let only = Preconditions {
                    uid: is.uid(),
                    resource_version: None,
                };
                let params = DeleteParams::default().preconditions(only);
                call("replace RoleBinding", api.delete(object::XIANGYUN, &params)).await?;
                tracing::warn!(
                    namespace = name,
                    found = is.role_ref.name,
                    "role binding to another role replaced"
                );
            }
        }
        self.put("RoleBinding", name, &object).await
    }

    async fn put<K>(&self, kind: &'static str, ns: &str, object: &K) -> Result<(), CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
    {
        self.apply(
            kind,
            object::XIANGYUN,
            &Api::namespaced(self.cluster.clone(), ns),
            object,
        )
        .await
    }

    async fn apply<K>(&self, kind: &'static str, name: &str, api: &Api<K>, object: &K) -> Result<(), CallError>
    where
        K: Clone + Debug + DeserializeOwned + Serialize,
    {
        let answer = call(kind, api.patch(name, &params().force(), &Patch::Apply(object))).await;
        self.metrics.write(kind, answer.is_ok());
        answer.map(drop)
    }
}

fn params() -> PatchParams {
    PatchParams::apply(object::AGENT)
}

/// `spec.hard` of a quota.
fn hard_of(quota: &ResourceQuota) -> BTreeMap<String, String> {
    quota
        .spec
        .as_ref()
        .and_then(|s| s.hard.as_ref())
        .map(texts)
        .unwrap_or_default()
}

/// Whether a quota that counts the grant as it should is enforced: the API server goes by the status, which the quota's
/// controller writes. It need not be the quota that is wanted by now, or a tenant whose grants change all the time would
/// never get an answer.
pub(super) fn in_force(quota: &ResourceQuota, wanted: &Wanted, answer: &Answer) -> bool {
    let hard = hard_of(quota);
    let enforced = quota
        .status
        .as_ref()
        .and_then(|s| s.hard.as_ref())
        .map(texts)
        .unwrap_or_default();
    let grants = super::observe::grants_of(quota);
    let record = grants.get(&answer.request);
    let counted = if answer.ended {
        record.is_none()
    } else {
        record == Some(&answer.record)
    };
    counted && same(&enforced, &hard) && (grants != wanted.grants || same(&hard, &wanted.hard))
}

/// Whether all labels and annotations of `wanted` stand on `is`; a pool label that is not wanted must not.
fn carries<K: Resource>(is: &K, wanted: &K) -> bool {
    let all = |is: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| is.get(key) == Some(value))
    };
    all(is.labels(), wanted.labels())
        && all(is.annotations(), wanted.annotations())
        && is.labels().contains_key(label::POOL) == wanted.labels().contains_key(label::POOL)
}
