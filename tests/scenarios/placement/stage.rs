//! What the steps have in common: a tenant with a grant, and the words for templates and placements.

use std::time::Duration;

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::world::{METRO, PATIENCE, World, condition, small_request};

pub(crate) const NS: &str = "dept-yibao";
pub(crate) const LI: Option<&str> = Some("li.na");

/// 64 vCPU: 32 in each centre while both serve; and some storage.
pub(crate) async fn a_grant_makes_room(w: &World) -> Result<()> {
    w.ready_reason(&["dept", NS], "Established").await?;
    w.ready_reason(&["qpool", "x86"], "Available").await?;
    let mut request = small_request(NS, "room", 64);
    request["spec"]["resources"]["storage"] = json!([{"tier": "Hot", "size": "1Ti"}]);
    w.apply("hub", LI, &request).await?;
    w.request_reason(NS, "room", "AwaitingApproval").await?;
    w.decide("zhang.wei", NS, "room", 1).await?;
    w.request_reason(NS, "room", "Active").await.map(drop)
}

/// A Deployment of pods with one vCPU.
pub(crate) fn deployment(name: &str, app: &str, replicas: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": NS, "labels": {"app": app}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"name": name}},
            "template": {"metadata": {"labels": {"name": name}}, "spec": {"containers": [{"name": "c",
                "image": "registry.invalid/c:1", "resources": {
                    "requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}}]}}}})
}

/// An autoscaler of the Deployment of that name, selected with it.
pub(crate) fn autoscaler(name: &str) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": NS, "labels": {"app": name}},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1,
            "maxReplicas": 9, "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 60}}}]}})
}

pub(crate) fn config_map(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NS, "labels": {"app": app}},
        "data": {"key": "value"}})
}

/// A placement of everything with that label in both centres; `spec` is merged in.
pub(crate) fn placement(name: &str, app: &str, spec: Value) -> Value {
    let mut all = json!({"displayName": name, "pool": "x86", "mode": "ActiveActive",
        "select": {"matchLabels": {"app": app}}, "centres": [{"name": "jishi"}, {"name": "jiyidong"}]});
    if let (Some(all), Value::Object(spec)) = (all.as_object_mut(), spec) {
        all.extend(spec);
    }
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement",
        "metadata": {"name": name, "namespace": NS}, "spec": all})
}

impl World {
    pub(crate) async fn put(&self, object: &Value) -> Result<()> {
        self.apply("hub", LI, object).await
    }

    pub(crate) async fn placement_reason(&self, name: &str, reason: &str) -> Result<Value> {
        self.ready_reason(&["dap", name, "-n", NS], reason).await
    }

    /// Waits until the Deployment has so many copies in each centre, all ready, and the placement says that it runs.
    pub(crate) async fn copies(&self, placement: &str, deployment: &str, copies: [i64; 2]) -> Result<()> {
        for (centre, copies) in METRO.into_iter().zip(copies) {
            eventually(PATIENCE, &format!("{deployment} has {copies} in {centre}"), || async {
                let found = self.get(centre, &["deploy", deployment, "-n", NS]).await?;
                let ready = found["status"]["readyReplicas"].as_i64().unwrap_or_default();
                let asked = found["spec"]["replicas"].as_i64().unwrap_or_default();
                ensure!((asked, ready) == (copies, copies), "{asked} asked, {ready} ready");
                Ok(())
            })
            .await?;
        }
        self.placement_reason(placement, "Running").await.map(drop)
    }

    pub(crate) async fn is_there(&self, cluster: &str, what: &[&str]) -> Result<bool> {
        let args = [&["get", "-n", NS, "--ignore-not-found", "-o", "name"], what].concat();
        Ok(!self.ok(cluster, None, &args).await?.trim().is_empty())
    }

    pub(crate) async fn is_gone(&self, cluster: &str, what: &[&str]) -> Result<()> {
        eventually(PATIENCE, &format!("{what:?} is gone from {cluster}"), || async {
            ensure!(!self.is_there(cluster, what).await?, "it is there");
            Ok(())
        })
        .await
    }

    pub(crate) async fn delete(&self, what: &[&str]) -> Result<()> {
        let args = [&["delete", "-n", NS, "--timeout=60s"], what].concat();
        self.ok("hub", LI, &args).await.map(drop)
    }

    pub(crate) async fn patch(&self, cluster: &str, user: Option<&str>, what: &[&str], patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        let args = [&["patch", "-n", NS, "--type=merge", "-p", &patch], what].concat();
        self.ok(cluster, user, &args).await.map(drop)
    }

    pub(crate) async fn uid(&self, cluster: &str, what: &[&str]) -> Result<Value> {
        let object = self.get(cluster, &[what, &["-n", NS]].concat()).await?;
        Ok(object["metadata"]["uid"].clone())
    }

    /// Waits until a field of an object in a centre has that value.
    pub(crate) async fn field(
        &self,
        centre: &str,
        what: &[&str],
        pointer: &str,
        value: &Value,
        within: Duration,
    ) -> Result<()> {
        eventually(
            within,
            &format!("{pointer} of {what:?} in {centre} is {value}"),
            || async {
                let object = self.get(centre, &[what, &["-n", NS]].concat()).await?;
                let found = object.pointer(pointer);
                ensure!(found == Some(value), "it is {found:?}");
                Ok(())
            },
        )
        .await
    }

    /// What the condition Ready of a placement says in words.
    pub(crate) async fn message(&self, name: &str) -> Result<String> {
        let object = self.get("hub", &["dap", name, "-n", NS]).await?;
        let message = condition(&object, "Ready").and_then(|c| c["message"].as_str());
        Ok(message.unwrap_or_default().to_owned())
    }
}
