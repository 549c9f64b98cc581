//! A running cloud and the words in which the steps speak to it. Everything goes through kubectl, under the person's or
//! the program's own credential.

use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use playground::{Cloud, Options, Place, Profile, eventually};
use serde_json::{Value, json};
use tests::repository;

pub(crate) const METRO: [&str; 2] = ["jishi", "jiyidong"];
/// Nobody waits longer than this for anything in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// An edit or a deletion in a centre is corrected within this time.
pub(crate) const CORRECTED: Duration = Duration::from_secs(5);

pub(crate) struct World {
    pub(crate) cloud: Cloud,
}

impl World {
    /// Three centres with ten nodes in each metro centre, two operators, two agents a centre, and the examples' centres,
    /// pools and tenants.
    pub(crate) async fn up() -> Result<Self> {
        let options = Options {
            profile: Profile::Full,
            nodes: Some(10),
            ..Options::default()
        };
        Self::with(options).await
    }

    /// That cloud, with the examples' centres, pools and tenants.
    pub(crate) async fn with(options: Options) -> Result<Self> {
        let world = Self {
            cloud: Cloud::up(options).await?,
        };
        for file in ["00-centres.yaml", "10-pools.yaml", "20-tenants.yaml"] {
            let path = repository().join("examples").join(file);
            world
                .ok("hub", Some("zhao.min"), &["apply", "-f", &path.to_string_lossy()])
                .await?;
        }
        Ok(world)
    }

    /// What kubectl printed; fails when it was refused.
    pub(crate) async fn ok(&self, cluster: &str, user: Option<&str>, args: &[&str]) -> Result<String> {
        let output = self.cloud.kubectl(cluster, user, args).await?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(
            output.status.success(),
            "kubectl {args:?} as {user:?} on {cluster}: {err}"
        );
        Ok(out.into_owned())
    }

    /// Must be refused, in words that contain `needle`.
    pub(crate) async fn refused(&self, cluster: &str, user: Option<&str>, args: &[&str], needle: &str) -> Result<()> {
        let output = self.cloud.kubectl(cluster, user, args).await?;
        let err = String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success(),
            "kubectl {args:?} as {user:?} on {cluster} was accepted"
        );
        ensure!(err.contains(needle), "kubectl {args:?}: expected {needle:?}, got {err}");
        Ok(())
    }

    /// The plugin as that person, who reaches the hub and those centres where there is a certificate for it; the exit code
    /// is the caller's to judge.
    pub(crate) async fn plugin(&self, person: &str, args: &[&str]) -> Result<Output> {
        let folder = std::env::current_exe()?;
        let folder = folder.parent().and_then(|deps| deps.parent());
        let plugin = folder.context("the folder of the programs")?.join("kubectl-xiangyun");
        let mut configs = vec![self.cloud.kubeconfig("hub", Some(person))?];
        configs.extend(METRO.iter().filter_map(|c| self.cloud.kubeconfig(c, Some(person)).ok()));
        let configs: Vec<_> = configs.iter().map(|c| c.to_string_lossy()).collect();
        let (config, plugin) = (format!("KUBECONFIG={}", configs.join(":")), plugin.to_string_lossy());
        let line = [&[config.as_str(), &plugin], args].concat();
        self.cloud.exec(Place::Jishi, "env", &line).await
    }

    /// A file with that object.
    pub(crate) fn file(&self, object: &Value) -> Result<String> {
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .context("a name")?;
        let kind = object.get("kind").and_then(Value::as_str).context("a kind")?;
        let path = self.cloud.dir().join(format!("{kind}-{name}.json"));
        std::fs::write(&path, object.to_string())?;
        Ok(path.to_string_lossy().into_owned())
    }

    pub(crate) async fn apply(&self, cluster: &str, user: Option<&str>, object: &Value) -> Result<()> {
        let file = self.file(object)?;
        self.ok(cluster, user, &["apply", "-f", &file]).await.map(drop)
    }

    pub(crate) async fn get(&self, cluster: &str, args: &[&str]) -> Result<Value> {
        let args: Vec<&str> = ["get", "-o", "json"].into_iter().chain(args.iter().copied()).collect();
        Ok(serde_json::from_str(&self.ok(cluster, None, &args).await?)?)
    }

    /// Waits until the reason of the object's condition Ready is `reason`.
    pub(crate) async fn ready_reason(&self, args: &[&str], reason: &str) -> Result<Value> {
        let what = format!("{args:?} says {reason}");
        eventually(PATIENCE, &what, || async {
            let object = self.get("hub", args).await?;
            let found = condition(&object, "Ready");
            ensure!(
                found.and_then(|c| c["reason"].as_str()) == Some(reason),
                "it says {:?}",
                found.map(|c| (&c["reason"], &c["message"]))
            );
            Ok(object)
        })
        .await
    }

    pub(crate) async fn request_reason(&self, ns: &str, name: &str, reason: &str) -> Result<Value> {
        self.ready_reason(&["rreq", name, "-n", ns], reason).await
    }

    /// One person decides on a request at one level.
    pub(crate) async fn decide(&self, person: &str, ns: &str, name: &str, level: i64) -> Result<()> {
        let request = self.get("hub", &["rreq", name, "-n", ns]).await?;
        let approval = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "RequestApproval",
            "metadata": {"name": format!("{name}-{level}"), "namespace": ns},
            "spec": {"requestRef": {"name": name, "uid": request["metadata"]["uid"]}, "level": level,
                "decision": "Approved", "comment": "同意",
                "approver": {"username": "somebody.else", "groups": ["xiangyun:approvers:l2"]}}});
        let file = self.file(&approval)?;
        self.ok("hub", Some(person), &["create", "-f", &file]).await.map(drop)
    }

    /// The quota of a tenant's namespace in a centre.
    pub(crate) async fn quota(&self, centre: &str, ns: &str) -> Result<Value> {
        let quota = self.get(centre, &["resourcequota", "xiangyun", "-n", ns]).await?;
        Ok(quota["spec"]["hard"].clone())
    }

    pub(crate) async fn quota_is(
        &self,
        centre: &str,
        ns: &str,
        key: &str,
        value: &str,
        within: Duration,
    ) -> Result<()> {
        eventually(within, &format!("{key} of {ns} in {centre} is {value}"), || async {
            let hard = self.quota(centre, ns).await?;
            ensure!(hard[key] == value, "it is {}", hard[key]);
            Ok(())
        })
        .await
    }
}

pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|c| c["type"] == kind)
}

/// A request of so many vCPU with four times the GiB, small enough to need nobody.
pub(crate) fn small_request(ns: &str, name: &str, cpu: i64) -> Value {
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": name, "namespace": ns},
        "spec": {"displayName": name, "type": "New", "requestedBy": "somebody.else",
            "project": {"approvalNo": "1", "funding": "AnnualBudget"},
            "resources": {"cpu": cpu.to_string(), "memory": format!("{}Gi", cpu * 4)},
            "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}}})
}

pub(crate) fn pod(name: &str, ns: &str, cpu: &str, extra: &Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "registry.invalid/c:1",
        "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}, "limits": {"cpu": cpu, "memory": "1Gi"}}}]});
    if let (Some(spec), Some(extra)) = (spec.as_object_mut(), extra.as_object()) {
        spec.extend(extra.clone());
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": ns}, "spec": spec})
}

/// Sum over the nodes of a centre, in whole vCPU and in bytes.
pub(crate) fn sum_of_nodes(nodes: &Value, pool: &str) -> Result<(i128, i128)> {
    let mut sum = (0, 0);
    for node in nodes["items"].as_array().context("nodes")? {
        if node["metadata"]["labels"]["xiangyun.io/pool"] != pool {
            continue;
        }
        let amount = |key: &str| -> Result<crds::Amount> {
            let Some(text) = node["status"]["allocatable"][key].as_str() else {
                bail!("a node without {key}")
            };
            Ok(crds::Amount::from(text))
        };
        sum.0 += amount("cpu")?.parse("cpu")?;
        sum.1 += amount("memory")?.parse("memory")?;
    }
    Ok(sum)
}
