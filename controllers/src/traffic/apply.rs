//! Writes of what publishes traffic: server-side apply under fixed names, deletes only of what was looked at.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Resource, ResourceExt as _};
use plan::traffic::publish::{NAMES, Names, Slice};
use serde::Serialize;
use serde_json::Value;

use crds::object;

use crate::call::{CallError, call};

/// How a DNSEndpoint is addressed.
pub(super) fn names_resource() -> ApiResource {
    let (group, version, kind) = NAMES;
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), "dnsendpoints")
}

/// An object as it stands in the hub; `says` is `None` where it is not ours, or cannot be read.
#[derive(Debug)]
pub(super) struct Stored<T> {
    pub says: Option<T>,
    namespace: String,
    name: String,
    precondition: Preconditions,
}

impl<T> Stored<T> {
    /// What is kept of an object.
    pub(super) fn read<K: Resource + Serialize>(found: &K, read: fn(&Value) -> Option<T>) -> Result<Self, String> {
        let whole = serde_json::to_value(found).map_err(|e| e.to_string())?;
        Ok(Self {
            says: read(&whole),
            namespace: found.namespace().unwrap_or_default(),
            name: found.name_any(),
            precondition: Preconditions {
                uid: found.uid(),
                resource_version: found.resource_version(),
            },
        })
    }

    /// Its namespace and name.
    pub(super) fn place(&self) -> (&String, &String) {
        (&self.namespace, &self.name)
    }
}

/// Writes to the hub.
pub(super) struct Hub {
    client: Client,
}

impl Hub {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    fn api(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, resource)
    }

    /// Applies a slice.
    pub(super) async fn slice(&self, slice: &Slice) -> Result<(), CallError> {
        let api = self.api(&slice.owner.namespace, &ApiResource::erase::<EndpointSlice>(&()));
        apply(&api, &slice.name(), &slice.object()).await
    }

    /// Applies the records of a name.
    pub(super) async fn names(&self, names: &Names) -> Result<(), CallError> {
        let api = self.api(&names.owner.namespace, &names_resource());
        apply(&api, &names.owner.name, &names.object()).await
    }

    /// Deletes a slice, unless it changed meanwhile.
    pub(super) async fn delete_slice(&self, stored: &Stored<Slice>) -> Result<(), CallError> {
        let api = self.api(&stored.namespace, &ApiResource::erase::<EndpointSlice>(&()));
        delete(&api, &stored.name, &stored.precondition).await
    }

    /// Deletes the records of a name, unless they changed meanwhile.
    pub(super) async fn delete_names(&self, stored: &Stored<Names>) -> Result<(), CallError> {
        let api = self.api(&stored.namespace, &names_resource());
        delete(&api, &stored.name, &stored.precondition).await
    }
}

async fn apply(api: &Api<DynamicObject>, name: &str, object: &Value) -> Result<(), CallError> {
    let params = PatchParams::apply(object::CONTROLLER).force();
    let patch = Patch::Apply(object);
    call("publish traffic", api.patch(name, &params, &patch))
        .await
        .map(drop)
}

async fn delete(api: &Api<DynamicObject>, name: &str, precondition: &Preconditions) -> Result<(), CallError> {
    let params = DeleteParams::default().preconditions(precondition.clone());
    match call("take back traffic", api.delete(name, &params)).await {
        Err(error) if error.is_conflict() || error.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}
