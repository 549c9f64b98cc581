//! A cloud with so many placements that run in one centre and stand by in the other.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use crds::{CentreWitness, DataCenter, DualActivePlacement, Failover, condition, condition_is_true};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use playground::{Cloud, Options, Place, Profile, eventually};
use serde_json::{Value, json};

use crate::cloud::{province_of, room};
use crate::quota::measure;

pub(super) const TENANT: &str = "dept-yibao";
/// Placements whose pods are real processes behind a service, so that somebody can ask for them.
pub(super) const REAL: usize = 5;
/// Requests a second to each of them.
const RATE: u32 = 20;
/// Calls under way at once, as many as the operator has.
const AT_ONCE: usize = 16;
/// What a benchmark waits for at most.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// Servers of the hub that outlive jishi.
const SERVERS: [&str; 2] = ["hub@jiyidong", "hub@baicheng"];

pub(super) struct Ground {
    pub(super) cloud: Cloud,
    pub(super) number: usize,
    pub(super) placements: Api<DualActivePlacement>,
    pub(super) failovers: Api<Failover>,
    centres: Api<DataCenter>,
    servers: Vec<Client>,
}

/// Does that for each number, so many at once.
pub(super) async fn at_once<F: Future<Output = Result<()>>>(
    numbers: std::ops::Range<usize>,
    each: impl Fn(usize) -> F,
) -> Result<()> {
    let all = stream::iter(numbers).map(each).buffer_unordered(AT_ONCE);
    all.try_for_each(|()| async { Ok(()) }).await
}

/// The first ones are those that are asked.
pub(super) fn name(i: usize) -> String {
    format!("move-{i:04}")
}

impl Ground {
    /// Everything runs, and would be moved.
    pub(super) async fn lay(number: usize) -> Result<Self> {
        ensure!(number >= REAL, "at least {REAL} placements");
        let options = Options {
            profile: Profile::Full,
            // 110 pods a node, for the placements' and the bare loop's; 5 nodes are of other pools, and more with many.
            nodes: Some(12 + u32::try_from(number / 45)?),
            runners: 1,
            progress: true,
            ..Options::default()
        };
        let cloud = province_of(options).await?;
        room(&cloud, "64", "256Gi").await?;
        let mut servers = Vec::new();
        for server in SERVERS {
            servers.push(cloud.client(server, None).await?);
        }
        let hub = servers.first().context("a server")?.clone();
        let ground = Self {
            cloud,
            number,
            placements: Api::namespaced(hub.clone(), TENANT),
            failovers: Api::namespaced(hub.clone(), TENANT),
            centres: Api::all(hub.clone()),
            servers,
        };
        for place in [Place::Jishi, Place::Jiyidong] {
            let patch = json!({"spec": {"ingress": [ground.cloud.address(place)?]}});
            let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
            ground.centres.patch(place.name(), &params, &patch).await?;
        }
        at_once(0..number, |i| ground.place(&hub, i)).await?;
        let ready = |p: &DualActivePlacement| {
            let conditions = p.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
            let is = |kind| condition_is_true(conditions, kind);
            is(condition::READY) && is(condition::FAILOVER_ARMED)
        };
        ground
            .until(&ground.placements, "every placement is armed", number, ready)
            .await?;
        Ok(ground)
    }

    /// A template and its placement.
    async fn place(&self, hub: &Client, i: usize) -> Result<()> {
        let params = PostParams::default();
        let templates: Api<Deployment> = Api::namespaced(hub.clone(), TENANT);
        templates
            .create(&params, &deployment(&name(i), TENANT, 1, i < REAL)?)
            .await?;
        if i < REAL {
            let service = json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name(i), "namespace": TENANT, "labels": {"app": name(i)}},
                "spec": {"selector": {"app": name(i)}, "ports": [{"port": 80}]}});
            let services: Api<Service> = Api::namespaced(hub.clone(), TENANT);
            services.create(&params, &serde_json::from_value(service)?).await?;
        }
        let mut spec = json!({"displayName": "基准", "pool": "x86", "mode": "ActiveStandby", "active": "jishi",
            "standby": "Warm", "select": {"matchLabels": {"app": name(i)}},
            "centres": [{"name": "jishi"}, {"name": "jiyidong"}]});
        if let (true, Some(spec)) = (i < REAL, spec.as_object_mut()) {
            let traffic = json!({"hostname": format!("{}.jl.gov.cn", name(i)), "ttlSeconds": 2});
            spec.insert("traffic".into(), traffic);
        }
        let placement = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement",
            "metadata": {"name": name(i), "namespace": TENANT}, "spec": spec});
        self.placements
            .create(&params, &serde_json::from_value(placement)?)
            .await?;
        Ok(())
    }

    /// Waits until so many objects of a kind are as they should be, and answers them. It watches: lists of a thousand would
    /// disturb what is measured.
    pub(super) async fn until<K>(
        &self,
        api: &Api<K>,
        what: &str,
        number: usize,
        is: impl Fn(&K) -> bool,
    ) -> Result<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let mut done: BTreeMap<String, K> = BTreeMap::new();
        let all = async {
            loop {
                // Without a place the store chooses another leader first.
                let list = eventually(LONG, what, || async { Ok(api.list(&ListParams::default()).await?) }).await?;
                done = list
                    .items
                    .into_iter()
                    .filter(|o| is(o))
                    .map(|o| (o.name_any(), o))
                    .collect();
                let version = list.metadata.resource_version.context("no version")?;
                let params = WatchParams::default().timeout(290);
                let Ok(watch) = api.watch(&params, &version).await else {
                    continue;
                };
                let mut watch = Box::pin(watch);
                while done.len() < number {
                    let Some(Ok(event)) = watch.next().await else { break };
                    if let WatchEvent::Added(one) | WatchEvent::Modified(one) = event {
                        let name = one.name_any();
                        drop(if is(&one) {
                            done.insert(name, one)
                        } else {
                            done.remove(&name)
                        });
                    }
                }
                if done.len() >= number {
                    return anyhow::Ok(());
                }
            }
        };
        let outcome = tokio::time::timeout(LONG, all).await;
        match outcome {
            Ok(outcome) => outcome?,
            Err(_) => bail!("{what}: {} of {number} within {LONG:?}", done.len()),
        }
        Ok(done.into_values().collect())
    }

    /// Waits until the copies of every placement are in that centre and in no other, as its newest decision says.
    pub(super) async fn runs_in(&self, place: Place, what: &str) -> Result<()> {
        let there = |p: &DualActivePlacement| {
            let Some(assignment) = p.assignment() else { return false };
            let row = |centre: &str, copies| {
                let row = p.row(centre).filter(|r| r.number == assignment.number);
                row.is_some_and(|r| (r.wanted, r.ready) == (copies, copies))
            };
            let both = [Place::Jishi, Place::Jiyidong];
            both.into_iter().all(|one| row(one.name(), i64::from(one == place)))
        };
        self.until(&self.placements, what, self.number, there).await.map(drop)
    }

    /// Waits until the arbiter says that of jishi.
    pub(super) async fn witness(&self, state: &str) -> Result<CentreWitness> {
        eventually(LONG, &format!("jishi is {state}"), || async {
            let witness = self.centres.get("jishi").await?.status.and_then(|s| s.witness);
            let found = witness.as_ref().map(|w| format!("{:?}", w.state));
            ensure!(found.as_deref() == Some(state), "{witness:?}");
            witness.context("a witness")
        })
        .await
    }

    /// Waits until every node of a centre is ready: what stood still is not heard of by its own controllers at first.
    pub(super) async fn has_nodes(&self, place: Place) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.cloud.client(place.name(), None).await?);
        eventually(LONG, &format!("the nodes of {place} are ready"), || async {
            for node in nodes.list(&ListParams::default()).await? {
                let conditions = node
                    .status
                    .as_ref()
                    .and_then(|s| s.conditions.clone())
                    .unwrap_or_default();
                let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
                let tainted = node
                    .spec
                    .as_ref()
                    .is_some_and(|s| s.taints.as_ref().is_some_and(|t| !t.is_empty()));
                ensure!(ready && !tainted, "{} is not", node.name_any());
            }
            Ok(())
        })
        .await
    }

    /// Processes of a place that run.
    pub(super) fn running(&self, place: Place) -> Result<Vec<String>> {
        let all = self.cloud.processes(place)?.into_iter();
        Ok(all.filter(|process| self.cloud.pid(process).is_some()).collect())
    }

    /// Stored writes to the hub so far by way of the servers that outlive jishi, leases and events apart.
    pub(super) async fn hub_writes(&self) -> Result<f64> {
        let mut sum = 0.0;
        for server in &self.servers {
            let all = measure::writes(server).await?;
            let counts = all
                .iter()
                .filter(|(name, _)| !["leases", "events"].contains(&name.as_str()));
            sum += counts.map(|(_, number)| number).sum::<f64>();
        }
        Ok(sum)
    }

    /// Clients that ask for the real ones, each once it was answered.
    pub(super) async fn ask(&self) -> Result<Vec<String>> {
        let names: Vec<String> = (0..REAL).map(name).collect();
        for name in &names {
            self.cloud.start_client(name, &format!("{TENANT}/{name}"), RATE).await?;
        }
        for name in &names {
            let log = self.cloud.writes().join(format!("client-{name}.jsonl"));
            eventually(LONG, &format!("{name} answers"), || async {
                let text = std::fs::read_to_string(&log)?;
                let (answered, last) = (text.matches("\"ok\":true").count(), text.lines().next_back());
                ensure!(answered >= 20, "{answered} answers, last {last:?}");
                Ok(())
            })
            .await?;
        }
        Ok(names)
    }

    /// Ends the clients. Answers how many requests they made, how many of them were not answered after the first good
    /// answer, and how many clients were led to jishi in the end.
    pub(super) async fn asked(&self, clients: Vec<String>) -> Result<(f64, f64, usize)> {
        // What still leads to a copy that is gone shows within a few looks of the client.
        let mut look = tokio::time::interval(Duration::from_secs(1));
        for _ in 0..5 {
            look.tick().await;
        }
        let (mut asked, mut lost, mut switched) = (0, 0, 0);
        for name in clients {
            self.cloud.end_client(&name).await?;
            let log = self.cloud.writes().join(format!("client-{name}.jsonl"));
            let text = std::fs::read_to_string(&log)?;
            let all = text
                .lines()
                .map(serde_json::from_str)
                .collect::<Result<Vec<Value>, _>>()?;
            let good = |line: &&Value| line.get("ok").and_then(Value::as_bool) == Some(true);
            let after: Vec<&Value> = all.iter().skip_while(|line| !good(line)).collect();
            asked += after.len();
            let bad: Vec<&&Value> = after.iter().filter(|line| !good(line)).collect();
            lost += bad.len();
            if let (Some(first), Some(last)) = (bad.first(), bad.last()) {
                println!("{name}: lost {}, the first {first}, the last {last}", bad.len());
            }
            let end = after.last().and_then(|line| line.get("centre")).and_then(Value::as_str);
            switched += usize::from(end == Some("jishi"));
        }
        Ok((
            f64::from(u32::try_from(asked)?),
            f64::from(u32::try_from(lost)?),
            switched,
        ))
    }
}

/// A small Deployment; `real`: its pods are processes that answer.
pub(super) fn deployment(name: &str, namespace: &str, copies: usize, real: bool) -> Result<Deployment> {
    let amounts = json!({"cpu": "10m", "memory": "16Mi"});
    let container = json!({"name": "c", "image": "registry.invalid/c:1", "env": [{"name": "STAGE", "value": "bench"}],
        "ports": [{"containerPort": 8080}], "resources": {"requests": amounts, "limits": amounts}});
    let (mut labels, mut selector) = (json!({"app": name}), json!({}));
    if real {
        labels = json!({"app": name, "playground.xiangyun.io/run": "http"});
        selector = json!({"playground.xiangyun.io/runner": "true"});
    }
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"replicas": copies, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], "nodeSelector": selector}}}});
    Ok(serde_json::from_value(object)?)
}
