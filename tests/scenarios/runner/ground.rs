//! The cloud of the steps, and its words.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{ListParams, PostParams};
use playground::{Cloud, Options, Place, Profile, eventually};
use serde_json::json;

pub(crate) const NS: &str = "drill";
pub(crate) const NODE: &str = "run-001";
/// Nobody waits longer for anything.
pub(crate) const SOON: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) client: kube::Client,
}

impl World {
    /// One node with real processes and a gate in each metro centre.
    pub(crate) async fn up() -> Result<Self> {
        let options = Options {
            profile: Profile::Full,
            nodes: Some(5),
            runners: 1,
            gates: true,
            operators: false,
            ..Options::default()
        };
        let cloud = Cloud::up(options).await?;
        let client = cloud.client("jishi", None).await?;
        let namespace = serde_json::from_value(json!({"metadata": {"name": NS}}))?;
        let api: Api<Namespace> = Api::all(client.clone());
        api.create(&PostParams::default(), &namespace).await?;
        Ok(Self { cloud, client })
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), NS)
    }

    /// A Deployment of one pod on the node with real processes.
    pub(crate) async fn deploy(&self, name: &str, run: &str, exclusive: bool) -> Result<()> {
        let mut labels = json!({"app": name, "playground.xiangyun.io/run": run});
        if exclusive {
            labels["xiangyun.io/exclusive"] = json!(name);
        }
        let deployment = json!({
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels, "annotations": {"xiangyun.io/right": "1.3"}},
                    "spec": {
                        "nodeSelector": {"playground.xiangyun.io/runner": "true"},
                        "containers": [{"name": "c", "image": "registry.invalid/c:1"}],
                    },
                },
            },
        });
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), NS);
        api.create(&PostParams::default(), &serde_json::from_value(deployment)?)
            .await?;
        Ok(())
    }

    /// The one pod of a Deployment that is not leaving.
    pub(crate) async fn pod(&self, app: &str) -> Result<Pod> {
        let all = self
            .pods()
            .list(&ListParams::default().labels(&format!("app={app}")))
            .await?;
        let mut all = all
            .items
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let pod = all.next().with_context(|| format!("no pod of {app}"))?;
        ensure!(all.next().is_none(), "two pods of {app}");
        Ok(pod)
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self, app: &str) -> Result<Pod> {
        eventually(SOON, &format!("{app} is ready"), || async {
            let pod = self.pod(app).await?;
            ensure!(is_ready(&pod), "{:?}", pod.status);
            Ok(pod)
        })
        .await
    }

    /// What a GET in the network of a place is answered.
    pub(crate) fn get(&self, from: Place, address: SocketAddr, path: &str) -> Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n");
        let asked = self.cloud.within(from, move || {
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })?;
        let Ok(answer) = asked.join() else {
            bail!("the thread ended badly")
        };
        let answer = answer?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Ok(body.to_owned())
    }

    /// How many records of a scope landed so far.
    pub(crate) fn landed(&self, app: &str) -> Result<usize> {
        let verdicts = self.cloud.judge_writes()?;
        Ok(verdicts.get(&format!("{NS}/{app}")).map_or(0, |verdict| verdict.writes))
    }

    /// Waits until so many more records of a scope landed.
    pub(crate) async fn lands(&self, app: &str, more: usize) -> Result<()> {
        let wanted = self.landed(app)? + more;
        eventually(SOON, &format!("{app} writes"), || async {
            let landed = self.landed(app)?;
            ensure!(landed >= wanted, "{landed} of {wanted} landed");
            Ok(())
        })
        .await
    }
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

pub(crate) fn name(pod: &Pod) -> Result<&str> {
    pod.metadata.name.as_deref().context("a name")
}

/// Where a pod answers.
pub(crate) fn address(pod: &Pod) -> Result<SocketAddr> {
    let ip = pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.as_deref())
        .context("an address")?;
    Ok(SocketAddr::new(ip.parse()?, 8080))
}

/// Name of the process of a pod of jishi.
pub(crate) fn process(pod: &Pod) -> Result<String> {
    Ok(format!("pod-{NS}.{}@jishi", name(pod)?))
}
