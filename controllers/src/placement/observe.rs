//! What placements need to see, and asking the hub itself whether a template is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{DualActivePlacement, Override, QuotaLedger, TemplateKind, object};
use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::{Api, Client};
use plan::placement::kinds::Kinds;
use plan::placement::template::{Key, Template, pod_of};
use serde_json::Value;

use super::AT_ONCE;
use crate::call::{CallError, call};
use crate::templates::{plain, resource};

/// Kinds of which a placement may take something: those that it names, any kind for a label, and what pods refer to.
pub(super) fn kinds(placements: &[Arc<DualActivePlacement>], custom: &Kinds) -> BTreeSet<TemplateKind> {
    let mut kinds = BTreeSet::new();
    for placement in placements {
        let assignment = placement.assignment();
        kinds.extend(assignment.iter().flat_map(|a| &a.objects).map(|o| o.kind.clone()));
        kinds.extend(placement.spec.select.refs.iter().map(|r| r.kind.clone()));
        if !placement.spec.select.match_labels.is_empty() {
            kinds.extend(TemplateKind::ALL.iter().chain(custom.all()).cloned());
        }
    }
    if kinds.iter().any(|kind| pod_of(kind).is_some()) {
        kinds.extend(TemplateKind::REFERRED);
    }
    kinds
}

/// Whole templates, where an override is to be tried on them; read once for each version.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<Key, Arc<Value>>);

impl Texts {
    /// Those that were read.
    pub(super) const fn all(&self) -> &BTreeMap<Key, Arc<Value>> {
        &self.0
    }

    /// Reads what is new, and forgets what no override concerns any more. One that cannot be read is missing, which the
    /// decision says.
    pub(super) async fn read(
        &mut self,
        client: &Client,
        kinds: &Kinds,
        placements: &[Arc<DualActivePlacement>],
        templates: &BTreeMap<Key, Arc<Template>>,
    ) {
        let wanted: BTreeMap<&Key, &str> = concerned(placements, templates).collect();
        self.0.retain(|key, _| wanted.contains_key(key));
        let read = |key: &Key| self.0.get(key)?.pointer("/metadata/resourceVersion")?.as_str();
        let due = wanted.iter().filter(|(key, version)| read(key) != Some(**version));
        let reads = due.map(|(key, _)| async move {
            let resource = resource(kinds, &key.1.kind)?;
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.0, &resource);
            let found = call("read a template", api.get(&key.1.name)).await;
            if let Err(error) = &found {
                tracing::warn!(namespace = key.0, name = key.1.name, %error, "a template with overrides cannot be read");
            }
            Some(((*key).clone(), found.ok().map(|o| plain(o, &resource))))
        });
        let found: Vec<_> = futures::stream::iter(reads).buffer_unordered(AT_ONCE).collect().await;
        for (key, text) in found.into_iter().flatten() {
            match text {
                Some(text) => drop(self.0.insert(key, Arc::new(text))),
                None => drop(self.0.remove(&key)),
            }
        }
    }
}

/// Templates that an override of a spec or of a decision concerns, and their versions.
fn concerned<'a>(
    placements: &'a [Arc<DualActivePlacement>],
    templates: &'a BTreeMap<Key, Arc<Template>>,
) -> impl Iterator<Item = (&'a Key, &'a str)> {
    let overrides = placements.iter().flat_map(|p| {
        let decided = p.assignment();
        let all = p
            .spec
            .overrides
            .iter()
            .chain(decided.into_iter().flat_map(|a| &a.overrides));
        all.map(move |o| (p.metadata.namespace.as_deref().unwrap_or_default(), o))
    });
    let by_namespace = overrides.fold(BTreeMap::<&str, Vec<&Override>>::new(), |mut all, (ns, one)| {
        all.entry(ns).or_default().push(one);
        all
    });
    templates.iter().filter_map(move |(key, template)| {
        let mine = by_namespace.get(key.0.as_str())?;
        let about = |o: &&Override| o.concerns(&o.centre, &key.1.kind, &key.1.name);
        mine.iter().any(about).then_some((key, template.version.as_str()))
    })
}

/// Uid of the ledger, whose leaderships epochs count; nothing before the first one is made.
pub(super) async fn ledger(client: &Client) -> Result<Option<String>, CallError> {
    let api: Api<QuotaLedger> = Api::all(client.clone());
    let found = call("read the ledger", api.get_metadata_opt(object::PROVINCE)).await?;
    Ok(found.and_then(|l| l.metadata.uid))
}

/// Which of these do not exist. Whatever could not be asked is not among them.
pub(super) async fn gone(client: &Client, kinds: &Kinds, confirm: &BTreeSet<Key>) -> BTreeSet<Key> {
    let asked = confirm.iter().map(|(namespace, object)| async move {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource(kinds, &object.kind)?);
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
