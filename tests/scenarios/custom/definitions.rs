//! Definitions of custom kinds, and the roles and objects that go with them.

use anyhow::Result;
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::NS;
use crate::world::{PATIENCE, World};

pub(crate) const HUB_READS: [&str; 2] = ["aggregate-to-controller", "aggregate-to-centre"];
pub(crate) const REQUESTER: [&str; 1] = ["aggregate-to-requester"];
pub(crate) const CENTRE: [&str; 1] = ["aggregate-to-centre"];

/// A CustomResourceDefinition with a status that is written apart from the rest.
pub(crate) fn definition(kind: &str, group: &str) -> Value {
    let singular = kind.to_lowercase();
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": any, "status": any}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{singular}s.{group}"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, the fields that a test needs"}},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": format!("{singular}s"), "singular": singular},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema}}]}})
}

/// A kind of two versions, stored in the one that nobody asks for: each answer has to be converted.
pub(crate) fn converted(kind: &str, conversion: Value) -> Value {
    let mut all = definition(kind, "example.org");
    let mut stored = all["spec"]["versions"][0].clone();
    stored["name"] = json!("v2");
    all["spec"]["versions"][0]["storage"] = json!(false);
    if let Some(versions) = all["spec"]["versions"].as_array_mut() {
        versions.push(stored);
    }
    all["spec"]["conversion"] = conversion;
    all
}

/// The same by a webhook where nobody listens.
pub(crate) fn converted_by_nobody(kind: &str) -> Value {
    let client = json!({"url": "https://127.0.0.1:1/convert"});
    let webhook = json!({"conversionReviewVersions": ["v1"], "clientConfig": client});
    converted(kind, json!({"strategy": "Webhook", "webhook": webhook}))
}

/// A role for that kind, which the shipped roles with the labels take in.
pub(crate) fn role(name: &str, kind: &str, labels: &[&str], verbs: &[&str]) -> Value {
    let labels: serde_json::Map<String, Value> = labels
        .iter()
        .map(|l| (format!("xiangyun.io/{l}"), json!("true")))
        .collect();
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels},
        "rules": [{"apiGroups": ["example.org"], "resources": [format!("{}s", kind.to_lowercase())], "verbs": verbs}]})
}

/// What the platform team says of a kind of the group example.org; `spec` is merged in.
pub(crate) fn placeable(kind: &str, spec: Value) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let mut all = json!({"displayName": kind, "group": "example.org", "version": "v1", "kind": kind, "plural": plural});
    if let (Some(all), Value::Object(spec)) = (all.as_object_mut(), spec) {
        all.extend(spec);
    }
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "PlaceableKind",
        "metadata": {"name": format!("{plural}.example.org")}, "spec": all})
}

pub(crate) fn object(api: &str, kind: &str, name: &str, app: &str, spec: &Value) -> Value {
    json!({"apiVersion": api, "kind": kind,
        "metadata": {"name": name, "namespace": NS, "labels": {"app": app}}, "spec": spec})
}

impl World {
    /// The roles that let operator and agents read the kind in the hub, and departments write it.
    pub(crate) async fn hub_roles(&self, kind: &str) -> Result<()> {
        let name = kind.to_lowercase();
        let reads = role(&format!("{name}-read"), kind, &HUB_READS, &["get", "list", "watch"]);
        self.apply("hub", None, &reads).await?;
        let verbs = ["create", "update", "patch", "delete", "get", "list", "watch"];
        let writes = role(&format!("{name}-write"), kind, &REQUESTER, &verbs);
        self.apply("hub", None, &writes).await
    }

    /// The role of the agent in a centre.
    pub(crate) async fn centre_role(&self, centre: &str, kind: &str) -> Result<()> {
        let verbs = ["create", "patch", "delete", "get", "list", "watch"];
        let role = role(&kind.to_lowercase(), kind, &CENTRE, &verbs);
        self.apply(centre, None, &role).await
    }

    /// Applies a template of a kind or a right that is new, which the API server takes a moment to know.
    pub(crate) async fn put_new(&self, object: &Value) -> Result<()> {
        eventually(PATIENCE, &format!("{} is taken", object["kind"]), || self.put(object)).await
    }

    /// Waits until the condition Ready of the placement has that reason, and says so.
    pub(crate) async fn says(&self, placement: &str, reason: &str, words: &str) -> Result<()> {
        eventually(PATIENCE, &format!("{placement} says {reason}, {words:?}"), || async {
            let found = self.get("hub", &["dap", placement, "-n", NS]).await?;
            let ready = crate::world::condition(&found, "Ready").cloned().unwrap_or_default();
            let said = ready["message"].as_str().unwrap_or_default();
            anyhow::ensure!(ready["reason"] == reason && said.contains(words), "{ready}");
            Ok(())
        })
        .await
    }

    /// Writes the status of an object in a centre, as its controller would.
    pub(crate) async fn answer(&self, centre: &str, what: &str, status: &Value) -> Result<()> {
        let patch = json!({ "status": status });
        let args = [what, "--subresource=status"];
        eventually(PATIENCE, &format!("{what} in {centre} takes a status"), || {
            self.patch(centre, None, &args, &patch)
        })
        .await
    }
}
