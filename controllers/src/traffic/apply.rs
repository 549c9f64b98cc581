//! Writes of what publishes traffic: server-side apply under fixed names, deletes only of what was looked at.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Resource, ResourceExt as _};
use plan::traffic::publish::Published;
use serde::Serialize;

use crds::object;

use crate::call::{CallError, call};

/// How objects of that kind are addressed.
pub(super) fn resource<T: Published>() -> ApiResource {
    let (group, version, kind, plural) = T::KIND;
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// An object as it stands in the hub; `says` is `None` where it is not ours, or cannot be read.
#[derive(Debug)]
pub(super) struct Stored<T> {
    pub says: Option<T>,
    namespace: String,
    name: String,
    precondition: Preconditions,
}

impl<T: Published> Stored<T> {
    /// What is kept of an object.
    pub(super) fn read<K: Resource + Serialize>(found: &K) -> Result<Self, String> {
        let whole = serde_json::to_value(found).map_err(|e| e.to_string())?;
        Ok(Self {
            says: T::read(&whole),
            namespace: found.namespace().unwrap_or_default(),
            name: found.name_any(),
            precondition: Preconditions {
                uid: found.uid(),
                resource_version: found.resource_version(),
            },
        })
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

    fn api<T: Published>(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource::<T>())
    }

    pub(super) async fn apply<T: Published>(&self, wanted: &T) -> Result<(), CallError> {
        let params = PatchParams::apply(object::CONTROLLER).force();
        let (api, name) = (self.api::<T>(&wanted.owner().namespace), wanted.name());
        let patch = Patch::Apply(wanted.object());
        call("publish traffic", api.patch(&name, &params, &patch))
            .await
            .map(drop)
    }

    /// Deletes it, unless it changed meanwhile.
    pub(super) async fn delete<T: Published>(&self, stored: &Stored<T>) -> Result<(), CallError> {
        let params = DeleteParams::default().preconditions(stored.precondition.clone());
        let api = self.api::<T>(&stored.namespace);
        match call("take back traffic", api.delete(&stored.name, &params)).await {
            Err(error) if error.is_outdated() => Ok(()),
            other => other.map(drop),
        }
    }
}
