//! Ten thousand requests at the hub: how little they cost while they wait, how soon the operator is back, how fast they
//! are granted, and how long one of a steady stream takes.

pub(crate) mod measure;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crds::{ResourceRequest, Resources, condition, condition_is_true};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt as _};
use playground::eventually;
use serde_json::{Map, Value, json};

use crate::grant::percentile;
use crate::report::record;
use measure::{operator_peak, operator_seconds, sample, writes, written_since};
use world::{AT_ONCE, Hub, LONG, OPERATOR, POOLS, waiting};

/// Requests that wait.
const REQUESTS: usize = 10_000;
/// Events that change nothing, one after the other.
const EVENTS: usize = 20;
/// Between two of them, and the length of a window: longer than the operator gathers and rests.
const APART: Duration = Duration::from_millis(500);
/// Requests a second of the stream, and its length.
const RATE: usize = 50;
const SECONDS: usize = 60;
/// The same of a slower one before it.
const SLOW_RATE: usize = 20;
const SLOW_SECONDS: usize = 20;
/// vCPU of each pool at the end: the streams fill every second pool to its last one.
const ROOM: usize = 690;
const PASSES: &str = "xiangyun_passes_total{controller=\"admission\",outcome=\"done\"}";

/// All four on one cloud; each is recorded as soon as it is known.
pub(crate) async fn run() -> Result<()> {
    let hub = Hub::full().await?;
    hub.create(waiting("wait", 0..REQUESTS)?).await?;
    hub.all_say("WaitingForQuota", REQUESTS).await?;
    record("quota-idle", &hub.idle().await?)?;
    record("restart", &hub.restart().await?)?;
    record("quota-backlog", &hub.backlog().await?)?;
    record("quota-stream", &hub.streams().await?)
}

impl Hub {
    async fn all_say(&self, reason: &str, number: usize) -> Result<()> {
        let name = format!("xiangyun_requests{{reason=\"{reason}\"}}");
        let wanted = f64::from(u32::try_from(number)?);
        eventually(LONG, "every request has its status", || async {
            let found = sample(&self.cloud, &name).await?;
            ensure!(found >= wanted, "{found}");
            Ok(())
        })
        .await?;
        self.rest().await
    }

    /// Waits until a whole window passes without a write but those of leases. Events are paced, so that those of ten
    /// thousand requests go on for minutes; what is measured does not count them.
    async fn rest(&self) -> Result<()> {
        eventually(LONG, "nothing is written any more", || async {
            let before = writes(&self.client).await?;
            tokio::time::sleep(APART * 4).await;
            let mut more = without_leases(written_since(&self.client, &before).await?);
            more.remove("events");
            ensure!(more.is_empty(), "{more:?}");
            Ok(())
        })
        .await
    }

    /// A label on one request, which nobody here reads, and what the operator does about it.
    async fn idle(&self) -> Result<Map<String, Value>> {
        let window = APART * u32::try_from(EVENTS)?;
        let begin = operator_seconds(&self.cloud)?;
        tokio::time::sleep(window).await;
        let quiet = operator_seconds(&self.cloud)? - begin;
        let one = self.all().await?.into_iter().next().context("no request")?;
        let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), &one.namespace().unwrap_or_default());
        let (before, begin) = (writes(&self.client).await?, operator_seconds(&self.cloud)?);
        for event in 0..EVENTS {
            let patch = json!({"metadata": {"labels": {"bench": event.to_string()}}});
            api.patch(&one.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
                .await?;
            tokio::time::sleep(APART).await;
        }
        let spent = operator_seconds(&self.cloud)? - begin;
        let written = without_leases(written_since(&self.client, &before).await?);
        let events = f64::from(u32::try_from(EVENTS)?);
        let passes = sample(&self.cloud, PASSES).await?;
        let statuses = written
            .iter()
            .filter(|(name, _)| name.ends_with("/status"))
            .map(|(_, n)| n);
        Ok(figures([
            // The sum of nothing is -0.
            ("status_writes", 0.0 + statuses.sum::<f64>()),
            ("cpu_ms_per_event", (spent - quiet).max(0.0) * 1000.0 / events),
            ("cpu_ms_quiet_per_s", quiet * 1000.0 / window.as_secs_f64()),
            (
                "mean_pass_ms",
                sample(&self.cloud, "xiangyun_pass_seconds_sum{controller=\"admission\"}").await? * 1000.0 / passes,
            ),
            ("peak_mb", operator_peak(&self.cloud)?),
        ]))
    }

    async fn restart(&self) -> Result<Map<String, Value>> {
        self.cloud.stop_process(OPERATOR).await?;
        let before = writes(&self.client).await?;
        let begin = Instant::now();
        self.cloud.start_process(OPERATOR).await?;
        let ready = begin.elapsed();
        self.first_pass().await?;
        let passed = begin.elapsed();
        self.rest().await?;
        let written = without_leases(written_since(&self.client, &before).await?);
        // A new leader puts its epoch into the ledger, once.
        let ledger = written.get("quotaledgers").copied().unwrap_or_default();
        Ok(figures([
            ("ready_s", ready.as_secs_f64()),
            ("first_pass_s", passed.as_secs_f64()),
            ("ledger_writes", ledger),
            ("other_writes", written.values().sum::<f64>() - ledger),
            ("peak_mb", operator_peak(&self.cloud)?),
        ]))
    }

    async fn first_pass(&self) -> Result<()> {
        eventually(LONG, "the first pass", || async {
            ensure!(sample(&self.cloud, PASSES).await? > 0.0, "none");
            Ok(())
        })
        .await
    }

    /// Room for everybody, then the operator.
    async fn backlog(&self) -> Result<Map<String, Value>> {
        self.cloud.stop_process(OPERATOR).await?;
        for pool in 0..POOLS {
            self.size(pool, ROOM).await?;
        }
        let before = writes(&self.client).await?;
        let begin = Instant::now();
        self.cloud.start_process(OPERATOR).await?;
        self.charged(POOLS * 10 + REQUESTS).await?;
        let took = begin.elapsed().as_secs_f64();
        let written = without_leases(written_since(&self.client, &before).await?);
        let peak = operator_peak(&self.cloud)?;
        let seconds = operator_seconds(&self.cloud)?;
        let all = self.all().await?;
        let granted = |r: &&ResourceRequest| {
            let status = r.status.as_ref();
            status
                .is_some_and(|s| s.allocation.is_some() && condition_is_true(&s.conditions, condition::QUOTA_RESERVED))
        };
        ensure!(
            all.iter().filter(granted).count() == REQUESTS + POOLS,
            "not all are granted"
        );
        self.rest().await?;
        self.cloud.stop_process(OPERATOR).await?;
        let raw = self.raw().await?.as_secs_f64();
        let number = f64::from(u32::try_from(REQUESTS)?);
        let of_requests = written
            .iter()
            .filter(|(name, _)| name.starts_with("resourcerequests"))
            .map(|(_, n)| n);
        let (of_requests, all) = (of_requests.sum::<f64>(), written.values().sum::<f64>());
        println!("quota-backlog writes {written:?}");
        Ok(figures([
            ("seconds", took),
            ("raw_seconds", raw),
            ("ratio", raw / took),
            ("writes_per_request", of_requests / number),
            ("other_writes_per_request", (all - of_requests) / number),
            ("operator_cpu_s", seconds),
            ("rss_mb", peak),
        ]))
    }

    /// The same number of status patches of the same size, by a bare loop, while the operator is stopped.
    async fn raw(&self) -> Result<Duration> {
        let all = self.all().await?;
        let begin = Instant::now();
        stream::iter(all.into_iter().take(REQUESTS))
            .map(|request| async move {
                let ns = request.namespace().unwrap_or_default();
                let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), &ns);
                let mut status = request.status.clone().unwrap_or_default();
                status.centres.clear();
                // The one field that the operator leaves as it finds it.
                for condition in &mut status.conditions {
                    condition.last_transition_time.0 = jiff::Timestamp::UNIX_EPOCH;
                }
                let metadata = json!({"uid": request.uid(), "resourceVersion": request.resource_version()});
                let mut patch = json!({"metadata": metadata, "status": status});
                if let Some(status) = patch.pointer_mut("/status").and_then(Value::as_object_mut) {
                    status.remove("centres");
                }
                let (name, params) = (request.name_any(), PatchParams::default());
                anyhow::Ok(api.patch_status(&name, &params, &Patch::Merge(patch)).await?)
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        Ok(begin.elapsed())
    }

    /// What the machine is short of shows in the writes a second, beside those of the bare patches.
    async fn streams(&self) -> Result<Map<String, Value>> {
        self.cloud.start_process(OPERATOR).await?;
        self.first_pass().await?;
        self.rest().await?;
        let (slow, number) = (SLOW_RATE * SLOW_SECONDS, RATE * SECONDS);
        let mut slowly = self.stream("slow", SLOW_RATE, slow).await?;
        self.charged(POOLS * 10 + REQUESTS + slow).await?;
        self.rest().await?;
        let (before, begin) = (writes(&self.client).await?, Instant::now());
        let mut seconds = self.stream("stream", RATE, number).await?;
        let took = begin.elapsed().as_secs_f64();
        let written: f64 = written_since(&self.client, &before).await?.values().sum();
        self.charged(POOLS * 10 + REQUESTS + slow + number).await?;
        Ok(figures([
            ("p50_s", percentile(&mut seconds, 50)?),
            ("p99_s", percentile(&mut seconds, 99)?),
            ("writes_per_s", written / took),
            ("slow_p50_s", percentile(&mut slowly, 50)?),
            ("slow_p99_s", percentile(&mut slowly, 99)?),
            ("oversold", self.oversold().await?),
        ]))
    }

    /// So many new requests, so many a second; seconds until each was seen with its allocation.
    async fn stream(&self, name: &str, rate: usize, number: usize) -> Result<Vec<f64>> {
        let version = self
            .requests
            .list_metadata(&kube::api::ListParams::default().limit(1))
            .await?;
        let version = version.metadata.resource_version.context("no version")?;
        let watched = tokio::spawn(granted_at(self.requests.clone(), version, format!("{name}-"), number));
        let mut created: BTreeMap<String, Instant> = BTreeMap::new();
        let mut beat = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
        let mut calls = Vec::new();
        for request in waiting(name, 0..number)? {
            beat.tick().await;
            let ns = request.namespace().unwrap_or_default();
            let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), &ns);
            created.insert(request.name_any(), Instant::now());
            calls.push(tokio::spawn(async move {
                api.create(&kube::api::PostParams::default(), &request).await
            }));
        }
        for call in calls {
            call.await??;
        }
        let granted = tokio::time::timeout(LONG, watched).await???;
        let seconds = |(name, at): (&String, &Instant)| Some(granted.get(name)?.duration_since(*at).as_secs_f64());
        let seconds: Vec<f64> = created.iter().filter_map(seconds).collect();
        ensure!(seconds.len() == number, "{} of {number} were seen", seconds.len());
        Ok(seconds)
    }
}

impl Hub {
    /// Pools of which the allocations charge more in a centre than was declared there.
    async fn oversold(&self) -> Result<f64> {
        let mut charged: BTreeMap<(String, String), i128> = BTreeMap::new();
        for request in self.all().await? {
            let allocation = request.status.and_then(|s| s.allocation);
            for pool in allocation.into_iter().flat_map(|a| a.pools) {
                for centre in pool.centres {
                    let (share, survival) = (
                        Resources::try_from(&centre.share)?,
                        Resources::try_from(&centre.survival)?,
                    );
                    *charged.entry((pool.name.clone(), centre.name)).or_default() += share.each_max(survival).cpu;
                }
            }
        }
        let room = i128::try_from(ROOM)? * 1000;
        ensure!(charged.values().max() == Some(&room), "no pool is full");
        Ok(f64::from(u32::try_from(
            charged.values().filter(|sum| **sum > room).count(),
        )?))
    }
}

/// When each of so many requests was seen with its allocation.
async fn granted_at(
    api: Api<ResourceRequest>,
    version: String,
    of: String,
    number: usize,
) -> Result<BTreeMap<String, Instant>> {
    let mut at = BTreeMap::new();
    let mut watch = Box::pin(api.watch(&WatchParams::default().timeout(290), &version).await?);
    while let Some(event) = watch.next().await {
        if let WatchEvent::Added(request) | WatchEvent::Modified(request) = event?
            && request.name_any().starts_with(&of)
            && request.status.as_ref().is_some_and(|s| s.allocation.is_some())
        {
            at.entry(request.name_any()).or_insert_with(Instant::now);
            if at.len() == number {
                break;
            }
        }
    }
    Ok(at)
}

fn without_leases(mut written: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    written.remove("leases");
    written
}

fn figures<const N: usize>(figures: [(&str, f64); N]) -> Map<String, Value> {
    let rounded = |(name, value): (&str, f64)| (name.to_owned(), json!((value * 1000.0).round() / 1000.0));
    figures.into_iter().map(rounded).collect()
}
