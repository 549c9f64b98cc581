//! What an object costs that is only watched: ten thousand templates of a kind that no placement wants. The operator keeps
//! a few facts of each; an agent keeps its text, from which it would apply it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use crds::{ResourceRequest, TemplateKind, condition, condition_is_true};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use playground::{Cloud, created, eventually};
use serde_json::{Map, Value, json};

use crate::cloud::{granted, province};

const TENANT: &str = "dept-jyt";
/// Objects of each kind.
const OBJECTS: usize = 10_000;
/// Those that are measured; the other replicas are stopped, so that nobody else leads.
const OPERATOR: &str = "operator@jishi";
const AGENT: &str = "agent-1@jishi";
const OTHERS: [&str; 3] = ["operator@jiyidong", "agent-2@jishi", "agent-2@jiyidong"];
const AT_ONCE: usize = 16;
const LONG: Duration = Duration::from_secs(900);

/// `smaller`: so many objects, to see that it works.
pub(crate) async fn run(smaller: Option<usize>) -> Result<Map<String, Value>> {
    let number = smaller.unwrap_or(OBJECTS);
    let cloud = province(5).await?;
    granted(&cloud).await?;
    some_storage(&cloud).await?;
    for process in OTHERS {
        cloud.stop_process(process).await?;
    }
    let bench = Bench {
        cloud: &cloud,
        hub: cloud.client("hub", None).await?,
        centre: cloud.client("jishi", None).await?,
    };
    let mut figures = Map::new();
    for kind in TemplateKind::ALL {
        let (facts, full) = bench.measure(&kind, number).await?;
        let name = kind.name().to_lowercase();
        figures.insert(format!("{name}_facts_bytes"), json!(facts.round()));
        figures.insert(format!("{name}_full_bytes"), json!(full.round()));
    }
    Ok(figures)
}

/// For the claims that are placed.
async fn some_storage(cloud: &Cloud) -> Result<()> {
    let requests: Api<ResourceRequest> = Api::namespaced(cloud.client("hub", Some("wu.gang")).await?, TENANT);
    let request = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "storage", "namespace": TENANT},
        "spec": {"displayName": "基准", "type": "New", "project": {"approvalNo": "1", "funding": "AnnualBudget"},
            "resources": {"storage": [{"tier": "Hot", "size": "1Ti"}]},
            "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}}});
    let request = serde_json::from_value(request)?;
    requests.create(&PostParams::default(), &request).await?;
    eventually(LONG, "the storage is granted", || async {
        let status = requests.get("storage").await?.status.unwrap_or_default();
        let ready = condition_is_true(&status.conditions, condition::READY);
        ensure!(ready, "{:?}", status.conditions);
        Ok(())
    })
    .await
}

struct Bench<'a> {
    cloud: &'a Cloud,
    hub: Client,
    centre: Client,
}

fn resource(kind: &TemplateKind) -> Result<ApiResource> {
    Ok(kind.address().context("no built-in kind")?.resource())
}

fn api(client: &Client, kind: &TemplateKind) -> Result<Api<DynamicObject>> {
    Ok(Api::namespaced_with(client.clone(), TENANT, &resource(kind)?))
}

impl Bench<'_> {
    /// Bytes an object in the operator and in the agent.
    async fn measure(&self, kind: &TemplateKind, number: usize) -> Result<(f64, f64)> {
        // Anew, so that memory which an earlier kind left free is not taken for none.
        for process in [OPERATOR, AGENT] {
            self.cloud.stop_process(process).await?;
            self.cloud.start_process(process).await?;
        }
        let placements: Api<crds::DualActivePlacement> = Api::namespaced(self.hub.clone(), TENANT);
        placements.create(&PostParams::default(), &placement()?).await?;
        let templates = api(&self.hub, kind)?;
        // From the first one on the kind is watched; a watch tells in order, so that the last one says that all were seen.
        self.placed(&templates, kind, "first").await?;
        let before = [self.resident(OPERATOR)?, self.resident(AGENT)?];
        let templates = &templates;
        stream::iter(0..number)
            .map(|i| async move { created(templates, &template(kind, &format!("idle-{i:05}"), "no")?, LONG).await })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| async { Ok(()) })
            .await?;
        self.placed(templates, kind, "last").await?;
        let after = [self.resident(OPERATOR)?, self.resident(AGENT)?];
        self.clear(&placements, kind).await?;
        let each = |i: usize| -> Result<f64> {
            let (before, after) = (before.get(i).context("before")?, after.get(i).context("after")?);
            Ok((after - before).max(0.0) / f64::from(u32::try_from(number)?))
        };
        println!(
            "{}: {:.0} bytes in the operator, {:.0} in the agent",
            kind.name(),
            each(0)?,
            each(1)?
        );
        Ok((each(0)?, each(1)?))
    }

    /// Makes a template that is wanted, and waits until it is in the centre.
    async fn placed(&self, templates: &Api<DynamicObject>, kind: &TemplateKind, name: &str) -> Result<()> {
        created(templates, &template(kind, name, "yes")?, LONG).await?;
        let there = api(&self.centre, kind)?;
        eventually(LONG, &format!("{name} {} is in the centre", kind.name()), || async {
            ensure!(there.get_metadata_opt(name).await?.is_some(), "not yet");
            Ok(())
        })
        .await
    }

    async fn clear(&self, placements: &Api<crds::DualActivePlacement>, kind: &TemplateKind) -> Result<()> {
        let deleted = placements.delete("watched", &DeleteParams::default()).await;
        deleted.context("delete the placement")?;
        eventually(LONG, "the placement is gone", || async {
            ensure!(placements.get_metadata_opt("watched").await?.is_none(), "it is there");
            Ok(())
        })
        .await?;
        let templates = api(&self.hub, kind)?;
        let ours = ListParams::default().labels("wanted");
        eventually(LONG, "the templates are gone", || async {
            // A server ends a call after a minute, and ten thousand take longer.
            templates.delete_collection(&DeleteParams::default(), &ours).await?;
            let left = templates.list_metadata(&ours.clone().limit(1)).await?.items.len();
            ensure!(left == 0, "some are left");
            Ok(())
        })
        .await
    }

    /// Bytes of a process in memory (proc(5) says KiB).
    fn resident(&self, process: &str) -> Result<f64> {
        let pid = self.cloud.pid(process).context("it does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0)
    }
}

fn placement() -> Result<crds::DualActivePlacement> {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement",
        "metadata": {"name": "watched", "namespace": TENANT},
        "spec": {"displayName": "基准", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"wanted": "yes"}},
            "centres": [{"name": "jishi"}, {"name": "jiyidong"}]}});
    Ok(serde_json::from_value(object)?)
}

/// An ordinary one of that kind, about as large as they are. None of them starts a pod.
fn template(kind: &TemplateKind, name: &str, wanted: &str) -> Result<DynamicObject> {
    let mut object = match kind {
        TemplateKind::ServiceAccount => json!({"imagePullSecrets": [{"name": "registry"}]}),
        TemplateKind::ConfigMap => json!({"data": settings()}),
        TemplateKind::Secret => json!({"stringData": settings()}),
        TemplateKind::PersistentVolumeClaim => json!({"spec": claim()}),
        TemplateKind::Service => json!({"spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}),
        TemplateKind::PodDisruptionBudget => json!({"spec": {"maxUnavailable": 1, "selector": selector(name)}}),
        TemplateKind::Deployment => json!({"spec": workload(name, &json!({"replicas": 0}))}),
        TemplateKind::StatefulSet => {
            let claims = json!([{"metadata": {"name": "data"}, "spec": claim()}]);
            let own = json!({"replicas": 0, "serviceName": name, "volumeClaimTemplates": claims});
            json!({"spec": workload(name, &own)})
        }
        TemplateKind::DaemonSet => json!({"spec": workload(name, &json!({}))}),
        TemplateKind::Job => json!({"spec": job()}),
        TemplateKind::CronJob => {
            json!({"spec": {"schedule": "0 3 * * *", "suspend": true, "jobTemplate": {"spec": job()}}})
        }
        TemplateKind::HorizontalPodAutoscaler => json!({"spec": scaling(name)}),
        TemplateKind::Ingress => json!({"spec": {"rules": [route(name)]}}),
        TemplateKind::Custom(_) => bail!("no built-in kind"),
    };
    let metadata = json!({"name": name, "namespace": TENANT, "labels": {"wanted": wanted, "app": name}});
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".into(), json!(resource(kind)?.api_version));
        fields.insert("kind".into(), json!(kind.name()));
        fields.insert("metadata".into(), metadata);
    }
    Ok(serde_json::from_value(object)?)
}

fn settings() -> Value {
    json!({"ADDRESS": "http://api.internal:8080/v1", "LEVEL": "info", "REGION": "jilin", "NOTE": "n".repeat(200)})
}

fn selector(name: &str) -> Value {
    json!({"matchLabels": {"app": name}})
}

/// Of a pod that finds no node.
fn pod() -> Value {
    let amounts = json!({"cpu": "100m", "memory": "64Mi"});
    let container = json!({"name": "c", "image": "registry.invalid/c:1", "ports": [{"containerPort": 8080}],
        "env": [{"name": "STAGE", "value": "bench"}], "resources": {"requests": amounts, "limits": amounts}});
    json!({"containers": [container], "nodeSelector": {"bench": "nowhere"}})
}

/// A selector with its pods, and what else the kind has.
fn workload(name: &str, own: &Value) -> Value {
    let mut spec = json!({"selector": selector(name),
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod()}});
    if let (Some(spec), Some(own)) = (spec.as_object_mut(), own.as_object()) {
        spec.extend(own.clone());
    }
    spec
}

fn job() -> Value {
    let mut pod = pod();
    if let Some(pod) = pod.as_object_mut() {
        pod.insert("restartPolicy".into(), json!("Never"));
    }
    json!({"suspend": true, "template": {"spec": pod}})
}

fn claim() -> Value {
    json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "hot", "resources": {"requests": {"storage": "1Gi"}}})
}

fn scaling(name: &str) -> Value {
    let load = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}});
    json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1,
        "maxReplicas": 9, "metrics": [load]})
}

fn route(name: &str) -> Value {
    let backend = json!({"service": {"name": name, "port": {"number": 80}}});
    json!({"host": format!("{name}.invalid"), "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}})
}
