//! Many placements of one Deployment at once, from their creation to the object in both centres, beside the same number of
//! bare applies of it; then a steady stream. No Deployment has a copy: pods would be measured, and not us.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crds::DualActivePlacement;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt as _};
use playground::{Cloud, eventually};
use serde_json::{Map, Value, json};

use crate::cloud::{granted, province};
use crate::grant::percentile;

const METRO: [&str; 2] = ["jishi", "jiyidong"];
pub(crate) const TENANT: &str = "dept-jyt";
/// Placements of a burst.
const PLACEMENTS: usize = 300;
/// Bursts, each followed by its bare applies.
const ROUNDS: usize = 3;
/// Placements a second of the stream, and its length.
const RATE: usize = 20;
const SECONDS: usize = 30;
/// The same of a slower one before it.
const SLOW_RATE: usize = 4;
const SLOW_SECONDS: usize = 15;
/// Calls of the bench under way at once, as many as an agent has.
const AT_ONCE: usize = 8;
const LONG: Duration = Duration::from_secs(300);

/// `smaller`: so many placements, to see that it works.
pub(crate) async fn run(smaller: Option<usize>) -> Result<Map<String, Value>> {
    let number = smaller.unwrap_or(PLACEMENTS);
    let cloud = province(5).await?;
    granted(&cloud).await?;
    let bench = Bench::new(&cloud).await?;
    let (mut placed, mut raw, mut ratios, mut writes) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..ROUNDS {
        let (seconds, of_busiest) = bench.burst(&format!("burst-{round}"), number).await?;
        let bare = bench.bare(number).await?;
        println!("round {round}: {seconds:.2} s placed, {bare:.2} s bare, {of_busiest:.3} writes an object");
        placed.push(seconds);
        raw.push(bare);
        ratios.push(bare / seconds);
        writes = writes.max(of_busiest);
    }
    let mut slow = bench
        .steady("slow", SLOW_RATE, smaller.unwrap_or(SLOW_RATE * SLOW_SECONDS))
        .await?;
    let mut steady = bench.steady("steady", RATE, smaller.unwrap_or(RATE * SECONDS)).await?;
    let mut figures = Map::new();
    let mut put = |name: &str, value: f64| figures.insert(name.into(), json!((value * 1000.0).round() / 1000.0));
    put("seconds", percentile(&mut placed, 50)?);
    put("raw_seconds", percentile(&mut raw, 50)?);
    put("ratio", percentile(&mut ratios, 50)?);
    put("writes_per_object_and_centre", writes);
    put("steady_p50_s", percentile(&mut steady, 50)?);
    put("steady_p99_s", percentile(&mut steady, 99)?);
    put("slow_p50_s", percentile(&mut slow, 50)?);
    put("slow_p99_s", percentile(&mut slow, 99)?);
    Ok(figures)
}

struct Bench<'a> {
    cloud: &'a Cloud,
    templates: Api<Deployment>,
    placements: Api<DualActivePlacement>,
    centres: Vec<(&'static str, Client)>,
}

impl<'a> Bench<'a> {
    async fn new(cloud: &'a Cloud) -> Result<Self> {
        let hub = cloud.client("hub", None).await?;
        let mut centres = Vec::new();
        for centre in METRO {
            centres.push((centre, cloud.client(centre, None).await?));
        }
        Ok(Self {
            cloud,
            templates: Api::namespaced(hub.clone(), TENANT),
            placements: Api::namespaced(hub, TENANT),
            centres,
        })
    }

    fn there(&self) -> impl Iterator<Item = Api<Deployment>> {
        let clients = self.centres.iter();
        clients.map(|(_, client)| Api::namespaced(client.clone(), TENANT))
    }

    /// Seconds until all are in both centres, and writes an object in the centre that had more.
    async fn burst(&self, name: &str, number: usize) -> Result<(f64, f64)> {
        self.make_templates(name, number).await?;
        let ends: Vec<u64> = METRO.iter().map(|c| self.audit_end(c)).collect::<Result<_>>()?;
        let watches = self.watches(number).await?;
        let begin = Instant::now();
        stream::iter(0..number)
            .map(|i| self.place(name, i))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        let mut last = begin;
        for watch in watches {
            let seen = watch.await??;
            last = seen.into_values().fold(last, Instant::max);
        }
        self.all_run(number).await?;
        let mut writes = 0.0_f64;
        for (centre, end) in METRO.into_iter().zip(ends) {
            writes = writes.max(self.writes(centre, end)?);
        }
        self.clear().await?;
        Ok((
            last.duration_since(begin).as_secs_f64(),
            writes / f64::from(u32::try_from(number)?),
        ))
    }

    async fn make_templates(&self, name: &str, number: usize) -> Result<()> {
        let params = &PostParams::default();
        stream::iter(0..number)
            .map(|i| async move { anyhow::Ok(self.templates.create(params, &deployment(name, i)?).await?) })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    /// Creates a placement. Answers when.
    async fn place(&self, name: &str, i: usize) -> Result<(String, Instant)> {
        let placement = placement(name, i)?;
        let begin = Instant::now();
        self.placements.create(&PostParams::default(), &placement).await?;
        Ok((placement.name_any(), begin))
    }

    /// In each centre, when each of so many Deployments was seen for the first time.
    async fn watches(&self, number: usize) -> Result<Vec<tokio::task::JoinHandle<Result<BTreeMap<String, Instant>>>>> {
        let mut all = Vec::new();
        for api in self.there() {
            let list = api.list_metadata(&ListParams::default().limit(1)).await?;
            let version = list.metadata.resource_version.context("no version")?;
            all.push(tokio::spawn(async move {
                tokio::time::timeout(LONG, seen(api, &version, number)).await?
            }));
        }
        Ok(all)
    }

    /// Also the rows have arrived, so that nothing of it disturbs what is measured next.
    async fn all_run(&self, number: usize) -> Result<()> {
        eventually(LONG, "every placement runs", || async {
            let all = self.placements.list(&ListParams::default()).await?;
            let ready = |p: &&DualActivePlacement| {
                let status = p.status.as_ref();
                status.is_some_and(|s| crds::condition_is_true(&s.conditions, crds::condition::READY))
            };
            let ready = all.iter().filter(ready).count();
            ensure!(ready == number, "{ready} of {number}");
            Ok(())
        })
        .await
    }

    async fn clear(&self) -> Result<()> {
        let (params, all) = (DeleteParams::default(), ListParams::default());
        self.placements.delete_collection(&params, &all).await?;
        eventually(LONG, "all is gone", || async {
            let left = self.placements.list_metadata(&all).await?.items.len();
            ensure!(left == 0, "{left} placements");
            Ok(())
        })
        .await?;
        self.templates.delete_collection(&params, &all).await?;
        Ok(())
    }

    /// The same number of bare applies in each centre, side by side.
    async fn bare(&self, number: usize) -> Result<f64> {
        let scratch = |client: &Client| Api::<Deployment>::namespaced(client.clone(), "default");
        let params = &PatchParams::apply("bench");
        let begin = Instant::now();
        let both = self.centres.iter().map(|(_, client)| async move {
            let api = &scratch(client);
            stream::iter(0..number)
                .map(|i| async move {
                    let mut object = deployment("bare", i)?;
                    object.metadata.namespace = None;
                    object
                        .annotations_mut()
                        .insert("mark".into(), "0123456789abcdef".into());
                    let (name, patch) = (object.name_any(), Patch::Apply(&object));
                    anyhow::Ok(api.patch(&name, params, &patch).await?)
                })
                .buffer_unordered(AT_ONCE)
                .try_for_each(|_| async { Ok(()) })
                .await
        });
        futures::future::try_join_all(both).await?;
        let took = begin.elapsed().as_secs_f64();
        for (_, client) in &self.centres {
            let (params, all) = (DeleteParams::default(), ListParams::default());
            scratch(client).delete_collection(&params, &all).await?;
        }
        Ok(took)
    }

    /// So many a second; seconds of each from its creation to the later of the two centres.
    async fn steady(&self, name: &str, rate: usize, number: usize) -> Result<Vec<f64>> {
        self.make_templates(name, number).await?;
        let watches = self.watches(number).await?;
        let mut beat = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
        let mut created = BTreeMap::new();
        for i in 0..number {
            beat.tick().await;
            let (placed, at) = self.place(name, i).await?;
            created.insert(placed, at);
        }
        let mut took: BTreeMap<String, f64> = BTreeMap::new();
        for watch in watches {
            for (name, at) in watch.await?? {
                let begin = created.get(&name).context("a stranger")?;
                let slot = took.entry(name).or_default();
                *slot = slot.max(at.duration_since(*begin).as_secs_f64());
            }
        }
        ensure!(took.len() == number, "{} of {number} were seen", took.len());
        self.clear().await?;
        Ok(took.into_values().collect())
    }

    fn audit_end(&self, centre: &str) -> Result<u64> {
        Ok(std::fs::metadata(self.cloud.audit_log(centre)?)?.len())
    }

    /// Stored writes of a centre's agent to Deployments since then, by the centre's audit log.
    fn writes(&self, centre: &str, since: u64) -> Result<f64> {
        let mut file = File::open(self.cloud.audit_log(centre)?)?;
        file.seek(SeekFrom::Start(since))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut count = 0;
        for line in whole.lines() {
            let event: Value = serde_json::from_str(line)?;
            let is = |pointer: &str, value: &str| event.pointer(pointer).and_then(Value::as_str) == Some(value);
            let code = event.pointer("/responseStatus/code").and_then(Value::as_i64);
            let stored = code.is_some_and(|code| (200..300).contains(&code));
            let ours = is("/user/username", &format!("xiangyun:centre:{centre}")) && !is("/verb", "delete");
            let object = is("/objectRef/resource", "deployments") && event.pointer("/objectRef/subresource").is_none();
            count += u32::from(stored && ours && object);
        }
        Ok(f64::from(count))
    }
}

async fn seen(api: Api<Deployment>, version: &str, number: usize) -> Result<BTreeMap<String, Instant>> {
    let mut at = BTreeMap::new();
    let mut watch = Box::pin(
        api.watch_metadata(&WatchParams::default().timeout(290), version)
            .await?,
    );
    while let Some(event) = watch.next().await {
        if let WatchEvent::Added(object) = event? {
            at.entry(object.name_any()).or_insert_with(Instant::now);
            if at.len() == number {
                break;
            }
        }
    }
    ensure!(at.len() == number, "{} of {number} were seen", at.len());
    Ok(at)
}

pub(crate) fn deployment(name: &str, i: usize) -> Result<Deployment> {
    let name = format!("{name}-{i:04}");
    let amounts = json!({"cpu": "1", "memory": "1Gi"});
    let container = json!({"name": "c", "image": "registry.invalid/c:1", "env": [{"name": "STAGE", "value": "bench"}],
        "ports": [{"containerPort": 8080}], "resources": {"requests": amounts, "limits": amounts}});
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": TENANT, "labels": {"app": name}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}}});
    Ok(serde_json::from_value(object)?)
}

pub(crate) fn placement(name: &str, i: usize) -> Result<DualActivePlacement> {
    let name = format!("{name}-{i:04}");
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement",
        "metadata": {"name": name, "namespace": TENANT},
        "spec": {"displayName": "基准", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"app": name}},
            "centres": [{"name": "jishi"}, {"name": "jiyidong"}]}});
    Ok(serde_json::from_value(object)?)
}
