//! Thousands of placements that nobody touches: what is written meanwhile in the hub and in each centre, and what they cost
//! the operator and the agents. No Deployment has a copy: pods would be measured, and not us.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crds::DualActivePlacement;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;
use playground::{Cloud, eventually};
use serde_json::{Map, Value, json};

use crate::cloud::{granted, province};
use crate::place_burst::{TENANT, deployment, placement};
use crate::quota::measure::{sample, seconds};

const PLACEMENTS: usize = 5_000;
/// Those that are measured; the other replicas are stopped, so that nobody else leads.
const OPERATOR: &str = "operator@jishi";
const AGENTS: [&str; 2] = ["agent-1@jishi", "agent-1@jiyidong"];
const OTHERS: [&str; 3] = ["operator@jiyidong", "agent-2@jishi", "agent-2@jiyidong"];
/// The audit logs that are read. Everything of ours in the hub is written through one of its three servers.
const HUB: [&str; 3] = ["hub@jishi", "hub@jiyidong", "hub@baicheng"];
const METRO: [&str; 2] = ["jishi", "jiyidong"];
/// Renewals of the operator's lease, two seconds each, that make up the window; and those that show that all is at rest.
const WINDOW: usize = 60;
const REST: usize = 5;
/// Calls of the bench under way at once.
const AT_ONCE: usize = 16;
const LONG: Duration = Duration::from_secs(1800);

/// What goes on in any case: that a process leads, and that a centre lives.
const LEASES: &str = "leases";
const REPORTS: &str = "datacenters/status";

/// `smaller`: so many placements, to see that it works.
pub(crate) async fn run(smaller: Option<usize>) -> Result<Map<String, Value>> {
    let number = smaller.unwrap_or(PLACEMENTS);
    let cloud = province(5).await?;
    granted(&cloud).await?;
    for process in OTHERS {
        cloud.stop_process(process).await?;
    }
    place(&cloud, number).await?;
    let bench = Bench { cloud: &cloud };
    bench.rest().await?;
    let begin = Instant::now();
    let (logs, before) = (bench.logs()?, bench.seconds()?);
    renewed(&logs, WINDOW).await?;
    let (took, after) = (begin.elapsed().as_secs_f64(), bench.seconds()?);
    let (hub, centres) = (written(&logs.hub)?, written(&logs.centres)?);
    println!("hub: {hub:?}, centres: {centres:?}");
    let mut figures = Map::new();
    let mut put = |name: &str, value: Value| figures.insert(name.into(), value);
    let rounded = |value: f64| json!((value * 1000.0).round() / 1000.0);
    put("placements", json!(number));
    put("window_s", rounded(took));
    put("hub_writes", json!(without(&hub).values().sum::<usize>()));
    put("hub_reports", json!(hub.get(REPORTS).unwrap_or(&0)));
    put("hub_leases", json!(hub.get(LEASES).unwrap_or(&0)));
    put("centres_writes", json!(without(&centres).values().sum::<usize>()));
    put("centres_leases", json!(centres.get(LEASES).unwrap_or(&0)));
    for (name, of) in [("operator", 0), ("agent_jishi", 1), ("agent_jiyidong", 2)] {
        let spent = after.get(of).context("after")? - before.get(of).context("before")?;
        put(&format!("{name}_cpu_ms_per_s"), rounded(spent * 1000.0 / took));
    }
    Ok(figures)
}

/// Places so many Deployments, each by itself, and waits until all of them run.
async fn place(cloud: &Cloud, number: usize) -> Result<()> {
    let hub = cloud.client("hub", None).await?;
    let templates: &Api<Deployment> = &Api::namespaced(hub.clone(), TENANT);
    let placements: &Api<DualActivePlacement> = &Api::namespaced(hub, TENANT);
    let begin = Instant::now();
    stream::iter(0..number)
        .map(|i| async move {
            templates
                .create(&PostParams::default(), &deployment("idle", i)?)
                .await?;
            anyhow::Ok(
                placements
                    .create(&PostParams::default(), &placement("idle", i)?)
                    .await?,
            )
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    let wanted = f64::from(u32::try_from(number)?);
    eventually(LONG, "every placement runs", || async {
        let running = sample(cloud, "xiangyun_placements{reason=\"Running\"}").await?;
        ensure!(running >= wanted, "{running} of {wanted}");
        Ok(())
    })
    .await?;
    println!("{number} placements run after {:.0} s", begin.elapsed().as_secs_f64());
    Ok(())
}

struct Bench<'a> {
    cloud: &'a Cloud,
}

/// An audit log from some moment on.
struct Log {
    path: PathBuf,
    from: u64,
}

struct Logs {
    hub: Vec<Log>,
    centres: Vec<Log>,
}

impl Bench<'_> {
    /// All of them from now on.
    fn logs(&self) -> Result<Logs> {
        let end = |cluster: &&str| {
            let path = self.cloud.audit_log(cluster)?;
            let from = std::fs::metadata(&path)?.len();
            Ok(Log { path, from })
        };
        Ok(Logs {
            hub: HUB.iter().map(end).collect::<Result<_>>()?,
            centres: METRO.iter().map(end).collect::<Result<_>>()?,
        })
    }

    /// Seconds on a processor so far: of the operator, and of the agents.
    fn seconds(&self) -> Result<Vec<f64>> {
        let all = [OPERATOR].into_iter().chain(AGENTS);
        all.map(|process| seconds(self.cloud, process)).collect()
    }

    /// Waits until nothing is written any more for a while.
    async fn rest(&self) -> Result<()> {
        eventually(LONG, "nothing is written any more", || async {
            let logs = self.logs()?;
            renewed(&logs, REST).await?;
            let more = [without(&written(&logs.hub)?), without(&written(&logs.centres)?)];
            ensure!(more.iter().all(BTreeMap::is_empty), "{more:?}");
            Ok(())
        })
        .await
    }
}

/// Waits until the operator renewed its lease so often, which is a clock of the server's own.
async fn renewed(logs: &Logs, times: usize) -> Result<()> {
    eventually(LONG, "the operator renews its lease", || async {
        let all = by_user(&logs.hub, |user| user == "xiangyun:controller")?;
        let renewed = all.get(LEASES).copied().unwrap_or_default();
        ensure!(renewed >= times, "{renewed}");
        Ok(())
    })
    .await
}

/// What our programs wrote, or tried to, by resource with its subresource.
fn written(logs: &[Log]) -> Result<BTreeMap<String, usize>> {
    by_user(logs, |user| user.starts_with("xiangyun:"))
}

fn by_user(logs: &[Log], is: impl Fn(&str) -> bool) -> Result<BTreeMap<String, usize>> {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for log in logs {
        let mut file = File::open(&log.path)?;
        file.seek(SeekFrom::Start(log.from))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // The last line may be under way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let field = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
            if !field("/user/username").is_some_and(&is) {
                continue;
            }
            let resource = field("/objectRef/resource").unwrap_or_default();
            let name = match field("/objectRef/subresource") {
                Some(sub) => format!("{resource}/{sub}"),
                None => resource.to_owned(),
            };
            *all.entry(name).or_default() += 1;
        }
    }
    Ok(all)
}

fn without(written: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut rest = written.clone();
    rest.retain(|name, _| name != LEASES && name != REPORTS);
    rest
}
