//! Asking the hub itself whether something is gone. A cache never proves it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crds::{DataCenter, ResourceRequest, Tenant};
use futures::StreamExt as _;
use kube::{Api, Client, Resource};
use plan::centre::grant::Absent;
use serde::de::DeserializeOwned;

use super::AT_ONCE;
use crate::call::{CallError, call};

/// Which of these do not exist in the hub. Whatever could not be asked is not among them.
///
/// A hub that does not know this centre is not the hub that granted: nothing it lacks proves anything.
pub(super) async fn gone(hub: &Client, centre: &str, absent: &BTreeSet<Absent>) -> BTreeSet<Absent> {
    let centres: Api<DataCenter> = Api::all(hub.clone());
    match exists_in(&centres, centre).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(
                centre,
                "the hub does not know this centre; nothing is lowered on its word"
            );
            return BTreeSet::new();
        }
        Err(error) => {
            tracing::warn!(%error, "cannot ask the hub what is gone; nothing is lowered");
            return BTreeSet::new();
        }
    }
    let asked = absent.iter().cloned().map(|one| async move {
        match exists(hub, &one).await {
            Ok(false) => {
                tracing::info!(?one, "gone from the hub");
                Some(one)
            }
            Ok(true) => None,
            Err(error) => {
                tracing::warn!(?one, %error, "cannot ask the hub whether it is gone");
                None
            }
        }
    });
    let answers: Vec<_> = futures::stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    answers.into_iter().flatten().collect()
}

async fn exists(hub: &Client, absent: &Absent) -> Result<bool, CallError> {
    match absent {
        Absent::Tenant(name) => exists_in(&Api::<Tenant>::all(hub.clone()), name).await,
        Absent::Request(tenant, name) => {
            exists_in(&Api::<ResourceRequest>::namespaced(hub.clone(), tenant), name).await
        }
    }
}

/// An answer 404 that does not name the object says that the kind is missing, which is no answer.
async fn exists_in<K: Resource + Clone + DeserializeOwned + Debug>(
    api: &Api<K>,
    name: &str,
) -> Result<bool, CallError> {
    match call("ask the hub", api.get_metadata(name)).await {
        Ok(_) => Ok(true),
        Err(error) if error.names(name) => Ok(false),
        Err(error) => Err(error),
    }
}
