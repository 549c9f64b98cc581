//! What a decision needs to know of a template: a handful of facts instead of the object.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Amount, PlacedObject, Resources, TemplateKind, label};
use serde_json::Value;

use super::write_back::{self, Shown};
use super::{architecture, job, object as here};
use crate::centre::quota::{CPU, MEMORY};

/// Namespace and object.
pub type Key = (String, PlacedObject);

/// A template of a hub namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Uid.
    pub uid: String,
    /// Version of the object.
    pub version: String,
    /// Generation; 0 for kinds without one.
    pub generation: i64,
    /// With a workload: fingerprint of everything that an agent applies but the number of copies.
    pub revision: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Copies of a workload; 1 where it says nothing. With a Job or CronJob: pods of one run that run at the same time. A
    /// CronJob with `concurrencyPolicy: Allow` may have several runs at once; one is counted, because nobody knows how many.
    pub copies: i64,
    /// What one pod of it may use, as the scheduler and a quota count it: the larger of request and limit, because a quota
    /// bounds both alike. What a `RuntimeClass` of the centre adds counts where the template says it (`spec.overhead`).
    pub each: Amounts,
    /// What its pods cannot start without.
    pub needs: BTreeSet<PlacedObject>,
    /// What its pods use if it is there.
    pub likes: BTreeSet<PlacedObject>,
    /// Processors that its pods can run on, and who says so; `None` where nobody does.
    pub architectures: Option<(BTreeSet<String>, String)>,
    /// Pool that the node selector of its pods names.
    pub pool: Option<String>,
    /// Node that its pods name themselves.
    pub node: Option<String>,
    /// Bytes of storage that one copy of it claims, by StorageClass; the empty one is the cluster's default.
    pub claims: BTreeMap<String, i128>,
    /// With an autoscaler: the workload whose copies it sets.
    pub scales: Option<PlacedObject>,
    /// Whether it can be placed: what a cluster makes for itself cannot.
    pub placeable: bool,
    /// With a Service: whether it leads to pods of its namespace.
    pub serves: bool,
    /// With a workload: what its status says.
    pub shown: Option<Shown>,
    /// With a Job or CronJob: what its status says.
    pub job: Option<job::Shown>,
}

/// Resources of a pod: `cpu`, `memory`, and extended resources by their own names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Milli-vCPU.
    pub cpu: i128,
    /// Bytes.
    pub memory: i128,
    /// Cards and the like.
    pub extended: BTreeMap<String, i128>,
}

impl Amounts {
    /// In a pool whose cards are called `card`.
    pub fn in_pool(&self, card: Option<&str>) -> Resources {
        Resources {
            cpu: self.cpu,
            memory: self.memory,
            storage: 0,
            accelerators: card.and_then(|c| self.extended.get(c)).copied().unwrap_or_default(),
        }
    }

    fn join(mut self, other: Self, f: fn(i128, i128) -> i128) -> Self {
        self.cpu = f(self.cpu, other.cpu);
        self.memory = f(self.memory, other.memory);
        for (name, amount) in other.extended {
            let mine = self.extended.entry(name).or_default();
            *mine = f(*mine, amount);
        }
        self
    }
}

/// The object of that kind and name.
pub fn object(kind: TemplateKind, name: impl Into<String>) -> PlacedObject {
    PlacedObject {
        kind,
        name: name.into(),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The pod template of a workload.
pub fn pod_of(kind: &TemplateKind) -> Option<&'static str> {
    match kind {
        TemplateKind::Deployment | TemplateKind::StatefulSet | TemplateKind::DaemonSet | TemplateKind::Job => {
            Some("/spec/template")
        }
        TemplateKind::CronJob => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// Reads the facts of an object.
pub fn read(kind: &TemplateKind, value: &Value) -> Template {
    let own = |pointer: &str| text(value, pointer).unwrap_or_default().to_owned();
    let labels = value
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let mut template = Template {
        uid: own("/metadata/uid"),
        version: own("/metadata/resourceVersion"),
        generation: value
            .pointer("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or_default(),
        labels: labels
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect(),
        copies: 1,
        placeable: placeable(kind, value),
        shown: write_back::read(kind, value),
        job: job::shown(kind, value),
        ..Template::default()
    };
    // Of custom kinds nobody says here whether copies are divided; the decision knows.
    if kind.has_copies() || kind.is_custom() {
        template.copies = value.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    }
    if kind.is_job() {
        template.copies = at_once(kind, value);
    }
    if let Some(spec) = pod_of(kind).and_then(|p| value.pointer(&format!("{p}/spec"))) {
        template.each = amounts(spec);
        template.architectures = architecture::declared(spec);
        let selector = spec.pointer("/nodeSelector").and_then(|s| s.get(label::POOL)?.as_str());
        template.pool = selector.map(ToOwned::to_owned);
        template.node = text(spec, "/nodeName").filter(|n| !n.is_empty()).map(ToOwned::to_owned);
        references(spec, &mut template);
    }
    template.claims = claims(kind, value);
    if *kind == TemplateKind::Service {
        let selector = value.pointer("/spec/selector").and_then(Value::as_object);
        template.serves = selector.is_some_and(|s| !s.is_empty()) && text(value, "/spec/type") != Some("ExternalName");
    }
    if kind.rolls() {
        template.revision = revision(kind, value);
    }
    if *kind == TemplateKind::ServiceAccount {
        let secrets = list(value, "/imagePullSecrets").filter_map(|s| text(s, "/name"));
        template
            .likes
            .extend(secrets.map(|name| object(TemplateKind::Secret, name)));
    }
    if *kind == TemplateKind::HorizontalPodAutoscaler {
        let target = |kind: TemplateKind| {
            (text(value, "/spec/scaleTargetRef/kind") == Some(kind.name()))
                .then(|| object(kind, own("/spec/scaleTargetRef/name")))
        };
        template.scales = target(TemplateKind::Deployment).or_else(|| target(TemplateKind::StatefulSet));
    }
    template
}

fn revision(kind: &TemplateKind, value: &Value) -> String {
    let name = text(value, "/metadata/name").unwrap_or_default();
    here::revision(&object(kind.clone(), name), value)
}

/// What a cluster makes by itself, and what another object owns, is nobody's template.
fn placeable(kind: &TemplateKind, value: &Value) -> bool {
    let name = text(value, "/metadata/name").unwrap_or_default();
    let owned = list(value, "/metadata/ownerReferences").any(|o| o.pointer("/controller") == Some(&Value::Bool(true)));
    let made = match kind {
        TemplateKind::ServiceAccount => name == "default",
        TemplateKind::ConfigMap => name == "kube-root-ca.crt",
        TemplateKind::Secret => text(value, "/type") == Some("kubernetes.io/service-account-token"),
        _ => false,
    };
    !owned && !made
}

/// What a pod refers to. A reference that may be missing only comes along.
fn references(spec: &Value, template: &mut Template) {
    let mut add = |kind: TemplateKind, name: Option<&str>, optional: bool| {
        let Some(name) = name.filter(|n| !n.is_empty() && *n != "kube-root-ca.crt") else {
            return;
        };
        if optional {
            template.likes.insert(object(kind, name));
        } else {
            template.needs.insert(object(kind, name));
        }
    };
    let optional = |v: &Value| v.pointer("/optional") == Some(&Value::Bool(true));
    let account = text(spec, "/serviceAccountName").filter(|n| *n != "default");
    add(TemplateKind::ServiceAccount, account, false);
    for secret in list(spec, "/imagePullSecrets") {
        add(TemplateKind::Secret, text(secret, "/name"), false);
    }
    for volume in list(spec, "/volumes") {
        let projected = list(volume, "/projected/sources");
        for source in std::iter::once(volume).chain(projected) {
            if let Some(map) = source.get("configMap") {
                add(TemplateKind::ConfigMap, text(map, "/name"), optional(map));
            }
            if let Some(secret) = source.get("secret") {
                let name = text(secret, "/secretName").or_else(|| text(secret, "/name"));
                add(TemplateKind::Secret, name, optional(secret));
            }
        }
        add(
            TemplateKind::PersistentVolumeClaim,
            text(volume, "/persistentVolumeClaim/claimName"),
            false,
        );
    }
    let containers = list(spec, "/containers").chain(list(spec, "/initContainers"));
    for container in containers {
        for env in list(container, "/env").filter_map(|e| e.get("valueFrom")) {
            if let Some(key) = env.get("configMapKeyRef") {
                add(TemplateKind::ConfigMap, text(key, "/name"), optional(key));
            }
            if let Some(key) = env.get("secretKeyRef") {
                add(TemplateKind::Secret, text(key, "/name"), optional(key));
            }
        }
        for from in list(container, "/envFrom") {
            if let Some(map) = from.get("configMapRef") {
                add(TemplateKind::ConfigMap, text(map, "/name"), optional(map));
            }
            if let Some(secret) = from.get("secretRef") {
                add(TemplateKind::Secret, text(secret, "/name"), optional(secret));
            }
        }
    }
}

/// Pods of one run of a job that run at the same time: `parallelism`, but no more than have to complete.
fn at_once(kind: &TemplateKind, value: &Value) -> i64 {
    let job = if *kind == TemplateKind::CronJob {
        "/spec/jobTemplate/spec"
    } else {
        "/spec"
    };
    let number = |field: &str| value.pointer(&format!("{job}/{field}")).and_then(Value::as_i64);
    let parallel = number("parallelism").unwrap_or(1);
    number("completions").map_or(parallel, |all| all.min(parallel))
}

/// What one pod may use, as `PodRequests` and `PodLimits` of Kubernetes add it up (`component-helpers/resource`). Init
/// containers start one after the other, beside the sidecars (`restartPolicy: Always`) that were started before them; then
/// all containers run beside all sidecars. What the pod bounds as a whole (`spec.resources`) counts instead of its containers.
fn amounts(spec: &Value) -> Amounts {
    let add = |a: i128, b: i128| a + b;
    let (mut sidecars, mut starting) = (Amounts::default(), Amounts::default());
    for init in list(spec, "/initContainers") {
        let step = sidecars.clone().join(container(init), add);
        if text(init, "/restartPolicy") == Some("Always") {
            sidecars.clone_from(&step);
        }
        starting = starting.join(step, i128::max);
    }
    let running = list(spec, "/containers").map(container);
    let running = running.fold(sidecars, |all, one| all.join(one, add));
    let all = running.join(starting, i128::max);
    let whole = |name: &str, of_containers: i128| {
        let asked = stated(spec, "/resources/requests", name).unwrap_or_default();
        let bound = stated(spec, "/resources/limits", name).unwrap_or_else(|| of_containers.max(asked));
        bound + stated(spec, "/overhead", name).unwrap_or_default()
    };
    Amounts {
        cpu: whole("cpu", all.cpu),
        memory: whole("memory", all.memory),
        ..all
    }
}

/// The amount of a resource in a map of a pod or a container; `None` where it says nothing that can be read.
fn stated(value: &Value, map: &str, name: &str) -> Option<i128> {
    let found = value.pointer(map)?.get(name)?;
    let amount: Amount = serde_json::from_value(found.clone()).ok()?;
    amount.parse(if name == "cpu" { "cpu" } else { "memory" }).ok()
}

/// What one copy claims: a claim itself, those of a StatefulSet, and those that live as long as a pod.
fn claims(kind: &TemplateKind, value: &Value) -> BTreeMap<String, i128> {
    let own = (*kind == TemplateKind::PersistentVolumeClaim).then_some(value);
    let of_set = list(value, "/spec/volumeClaimTemplates").filter(|_| *kind == TemplateKind::StatefulSet);
    let pod = pod_of(kind).and_then(|p| value.pointer(&format!("{p}/spec")));
    let of_pod = pod.into_iter().flat_map(|spec| list(spec, "/volumes"));
    let of_pod = of_pod.filter_map(|v| v.pointer("/ephemeral/volumeClaimTemplate"));
    let mut all: BTreeMap<String, i128> = BTreeMap::new();
    for claim in own.into_iter().chain(of_set).chain(of_pod) {
        let class = text(claim, "/spec/storageClassName").unwrap_or_default();
        let asked = claim.pointer("/spec/resources/requests/storage");
        let asked = asked.and_then(|v| serde_json::from_value::<Amount>(v.clone()).ok());
        let asked = asked.and_then(|amount| amount.parse("storage").ok());
        *all.entry(class.to_owned()).or_default() += asked.unwrap_or_default();
    }
    all
}

fn container(container: &Value) -> Amounts {
    let read = |part: &str, name: &str| stated(container, &format!("/resources/{part}"), name);
    // As the namespace's LimitRange and the API server fill in what is left out.
    let larger = |name: &'static str, defaults: (&str, &str)| {
        let (asked, bound) = (read("requests", name), read("limits", name));
        let default = |text: &str| Amount::from(text).parse(name).unwrap_or_default();
        let limit = bound.unwrap_or_else(|| default(defaults.1));
        asked.or(bound).unwrap_or_else(|| default(defaults.0)).max(limit)
    };
    let keys = ["requests", "limits"].iter().filter_map(|part| {
        let map = container.pointer(&format!("/resources/{part}"))?.as_object()?;
        Some(map.keys().filter(|k| k.contains('/')).cloned().collect::<Vec<_>>())
    });
    let extended: BTreeSet<String> = keys.flatten().collect();
    let of = |name: String| {
        let amount = read("limits", &name)
            .or_else(|| read("requests", &name))
            .unwrap_or_default();
        (name, amount)
    };
    Amounts {
        cpu: larger("cpu", CPU),
        memory: larger("memory", MEMORY),
        extended: extended.into_iter().map(of).collect(),
    }
}

#[cfg(test)]
mod tests;
