//! What placements need to see, and asking the hub itself whether a template is gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::{DualActivePlacement, QuotaLedger, TemplateKind, object};
use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::{Api, Client};
use plan::placement::template::{Key, pod_of};

use super::AT_ONCE;
use crate::call::{CallError, call};
use crate::templates::resource;

/// Kinds of which a placement may take something: those that it names, any kind for a label, and what pods refer to.
pub(super) fn kinds(placements: &[Arc<DualActivePlacement>]) -> BTreeSet<TemplateKind> {
    let mut kinds = BTreeSet::new();
    for placement in placements {
        let assignment = placement.status.as_ref().and_then(|s| s.assignment.as_ref());
        kinds.extend(assignment.iter().flat_map(|a| &a.objects).map(|o| o.kind));
        kinds.extend(placement.spec.select.refs.iter().map(|r| r.kind));
        if !placement.spec.select.match_labels.is_empty() {
            kinds.extend(TemplateKind::ALL);
        }
    }
    if kinds.iter().any(|kind| pod_of(*kind).is_some()) {
        kinds.extend(TemplateKind::REFERRED);
    }
    kinds
}

/// Uid of the ledger, whose leaderships epochs count; nothing before the first one is made.
pub(super) async fn ledger(client: &Client) -> Result<Option<String>, CallError> {
    let api: Api<QuotaLedger> = Api::all(client.clone());
    let found = call("read the ledger", api.get_metadata_opt(object::PROVINCE)).await?;
    Ok(found.and_then(|l| l.metadata.uid))
}

/// Which of these do not exist. Whatever could not be asked is not among them.
pub(super) async fn gone(client: &Client, confirm: &BTreeSet<Key>) -> BTreeSet<Key> {
    let asked = confirm.iter().map(|(namespace, object)| async move {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource(object.kind));
        // An answer 404 that does not name the object says that the kind is missing, which is no answer.
        match call("ask for a template", api.get_metadata(&object.name)).await {
            Err(error) if error.names(&object.name) => Some((namespace.clone(), object.clone())),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(namespace, object.name, %error, "cannot ask whether a template is gone");
                None
            }
        }
    });
    let answers: Vec<_> = futures::stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    answers.into_iter().flatten().collect()
}
