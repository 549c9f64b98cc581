//! What a tenant becomes in the hub: a namespace and a role binding.

use crds::{AdministratorKind, Tenant, label, object, role, tenant_reason as reason};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};

use super::{Controller, Outcome};
use crate::call::{CallError, call};

const RBAC: &str = "rbac.authorization.k8s.io";

impl Controller {
    pub(super) async fn establish(&self, tenant: &Tenant) -> Result<Outcome, CallError> {
        let name = tenant.name_any();
        if let Some(owner) = self.owner_of(&name).await? {
            let message = format!(
                "namespace {name} exists and belongs to {owner}; rename the tenant, or label the namespace {}={name} to hand it over | 命名空间 {name} 已存在且属于 {owner}，请更名或加标签移交",
                label::TENANT
            );
            return Ok(Outcome {
                reason: reason::NAMESPACE_CONFLICT,
                message,
            });
        }
        let wanted = binding(tenant);
        let known = self
            .bindings
            .list()
            .into_iter()
            .find(|b| b.metadata.namespace == wanted.metadata.namespace && b.metadata.name == wanted.metadata.name);
        if known.is_none_or(|b| b.subjects != wanted.subjects || b.role_ref != wanted.role_ref) {
            let api: Api<RoleBinding> = Api::namespaced(self.client.clone(), &name);
            let params = PatchParams::apply(object::CONTROLLER).force();
            call(
                "bind administrators",
                api.patch(object::XIANGYUN, &params, &Patch::Apply(&wanted)),
            )
            .await?;
            tracing::info!(
                tenant = name,
                administrators = tenant.spec.administrators.len(),
                "administrators bound"
            );
        }
        Ok(Outcome {
            reason: reason::ESTABLISHED,
            message: format!("namespace {name} is ready | 命名空间 {name} 已就绪"),
        })
    }

    /// Makes the namespace where there is none; answers the owner of one that is not ours.
    async fn owner_of(&self, name: &str) -> Result<Option<String>, CallError> {
        let known = self.namespaces.list().into_iter().find(|n| n.name_any() == name);
        let found = if let Some(found) = known {
            found
        } else {
            // A create, not an apply: an apply would take over a namespace that the cache does not show yet.
            let api: Api<Namespace> = Api::all(self.client.clone());
            match call(
                "create a namespace",
                api.create(&PostParams::default(), &namespace(name)),
            )
            .await
            {
                Ok(made) => made,
                Err(error) if error.is_conflict() => call("read a namespace", api.get(name)).await?,
                Err(error) => return Err(error),
            }
        };
        if found.labels().get(label::TENANT).is_some_and(|t| t == name) {
            return Ok(None);
        }
        let owner = found
            .labels()
            .get(label::MANAGED_BY)
            .or_else(|| found.labels().get(label::TENANT));
        Ok(Some(owner.cloned().unwrap_or_else(|| "somebody else".to_owned())))
    }
}

fn namespace(name: &str) -> Namespace {
    let labels = [(label::MANAGED_BY, object::CONTROLLER), (label::TENANT, name)];
    Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

fn binding(tenant: &Tenant) -> RoleBinding {
    let subject = |a: &crds::Administrator| Subject {
        api_group: Some(RBAC.to_owned()),
        kind: match a.kind {
            AdministratorKind::User => "User",
            AdministratorKind::Group => "Group",
        }
        .to_owned(),
        name: a.name.clone(),
        namespace: None,
    };
    let subjects: Vec<Subject> = tenant.spec.administrators.iter().map(subject).collect();
    let mut metadata = namespace(&tenant.name_any()).metadata;
    metadata.namespace = metadata.name.replace(object::XIANGYUN.to_owned());
    RoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: Some(RBAC.to_owned()),
            kind: "ClusterRole".to_owned(),
            name: role::REQUESTER.to_owned(),
        },
        subjects: (!subjects.is_empty()).then_some(subjects),
    }
}
