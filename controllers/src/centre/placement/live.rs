//! An object of the centre as far as it is remembered.

use crds::{JobRow, PlacedObject, RightEpoch, label, object as names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt as _;
use plan::placement::row::{Progress, progress, trouble};
use plan::placement::{exclusive, job};
use tokio::time::{Duration, Instant};

use crate::templates::{Found, plain};

/// How long an own write is believed over a watch that does not show it.
const LAG: Duration = Duration::from_secs(10);

/// What is kept of it.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) uid: String,
    /// As a number: API servers count them up.
    pub(super) version: u64,
    /// Placement in its label; empty without one.
    pub(super) placement: String,
    /// Mark of what was applied last.
    pub(super) mark: Option<String>,
    /// Whether an agent applied it and holds on to it: a label alone can be copied.
    pub(super) ours: bool,
    pub(super) deleting: bool,
    pub(super) progress: Progress,
    /// With a Job or CronJob: how far it is.
    pub(super) job: Option<JobRow>,
    /// Of a built-in kind: why it does not become ready by itself.
    pub(super) trouble: Option<String>,
    /// With a Job: uid of the template that it was made of.
    pub(super) template: Option<String>,
    /// With an exclusive placement: the epoch that is written on its pods.
    pub(super) pods: Option<RightEpoch>,
    /// Who wrote it, in words.
    pub(super) owner: String,
    pub(super) text: String,
    at: Instant,
}

impl Live {
    pub(super) fn read((kind, resource, found): Found<'_>) -> Self {
        let others = found.managed_fields().iter().filter(|m| m.subresource.is_none());
        let others = others.filter(|m| m.manager.as_deref() != Some(names::AGENT));
        let last = others.max_by_key(|m| m.time.clone().map(|t| t.0));
        let owner = last.and_then(|m| m.manager.clone());
        let owner = owner.unwrap_or_else(|| "somebody who is not named on it".to_owned());
        let (uid, version) = (found.uid().unwrap_or_default(), found.resource_version());
        let placement = found.labels().get(label::PLACEMENT).cloned().unwrap_or_default();
        let mark = found.annotations().get(label::APPLIED).cloned();
        let applied = |m: &ManagedFieldsEntry| {
            m.manager.as_deref() == Some(names::AGENT) && m.operation.as_deref() == Some("Apply")
        };
        let ours = found.managed_fields().iter().any(applied) && (mark.is_some() || !placement.is_empty());
        let deleting = found.metadata.deletion_timestamp.is_some();
        let template = found.annotations().get(label::TEMPLATE).cloned();
        let name = found.name_any();
        let value = plain(found, resource);
        let object = PlacedObject {
            kind: kind.clone(),
            name,
        };
        let job = job::row(&object, &value);
        Self {
            uid,
            version: version.and_then(|v| v.parse().ok()).unwrap_or_default(),
            placement,
            mark,
            ours,
            deleting,
            progress: progress(kind, &value),
            job,
            trouble: trouble(kind, &value),
            template,
            pods: exclusive::of_pods(&value),
            owner,
            text: value.to_string(),
            at: Instant::now(),
        }
    }

    /// Whether an own write is too old to be believed over the watch.
    pub(super) fn is_old(&self) -> bool {
        self.at.elapsed() > LAG
    }
}
