//! Servers that refuse: too many requests, and somebody else who writes the same objects at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use playground::eventually;
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::stage::NS;
use crate::witness::{Witness, agent, figure};
use crate::world::{METRO, PATIENCE, World};

/// So many requests of the agents are refused before the storm ends.
const REFUSED: f64 = 30.0;
/// Two agents with a dozen watches each, a lease and a report may try so often at once, and then so often a second: whoever
/// goes round without a pause sends hundreds.
const AT_ONCE: f64 = 20.0;
const PER_SECOND: f64 = 4.0;
/// The race lasts until the operator has been answered 409, and the agent has corrected, so often.
const CONFLICTS: usize = 20;
const CORRECTIONS: usize = 20;
const SERVER: &str = "flowcontrol.apiserver.k8s.io/v1";
const REJECTED: &str = "apiserver_flowcontrol_rejected_requests_total";

/// A priority level without a seat, and the schema that sends a user's requests there. One request may wait for a seat, and
/// does so in vain: a level without a queue would let one through at a time.
fn storm(user: &str) -> [Value; 2] {
    let metadata = json!({"name": "storm"});
    let limited = json!({"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 1}}});
    let all =
        json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true});
    let rule = json!({"subjects": [{"kind": "User", "user": {"name": user}}], "resourceRules": [all],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]});
    [
        json!({"apiVersion": SERVER, "kind": "PriorityLevelConfiguration", "metadata": metadata,
            "spec": {"type": "Limited", "limited": limited}}),
        json!({"apiVersion": SERVER, "kind": "FlowSchema", "metadata": metadata,
            "spec": {"priorityLevelConfiguration": {"name": "storm"}, "matchingPrecedence": 50, "rules": [rule]}}),
    ]
}

/// Every request of the centre's agents is answered 429 for a while.
pub(crate) async fn too_many_requests(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "crowd").await?;
    let client = w.cloud.client("jishi", None).await?;
    let rejected = || figure(&client, REJECTED, "flow_schema=\"storm\"");
    for object in storm(&agent("jishi")) {
        w.apply("jishi", None, &object).await?;
    }
    eventually(PATIENCE, "the first request is refused", || async {
        ensure!(rejected().await? > 0.0, "none");
        Ok(())
    })
    .await?;
    let (begin, before) = (Instant::now(), rejected().await?);
    ground.template(6).await?;
    w.field("jiyidong", &ground.what(), "/spec/replicas", &json!(3), PATIENCE)
        .await?;
    let more = eventually(PATIENCE, "requests are refused", || async {
        let more = rejected().await? - before;
        ensure!(more >= REFUSED, "{more}");
        Ok(more)
    })
    .await?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{more} requests refused in {seconds:.1} s");
    ensure!(
        more < AT_ONCE + PER_SECOND * seconds,
        "{more} requests in {seconds:.1} s against a server that refuses"
    );
    ensure!(ground.changes()?[0] == 0, "it was written all the same");
    for kind in ["flowschema", "prioritylevelconfiguration"] {
        w.ok("jishi", None, &["delete", kind, "storm"]).await?;
    }
    ground.copies([3, 3]).await?;
    let changes = ground.changes()?;
    ensure!(changes[0] <= 2, "one change took {} writes", changes[0]);
    ground.clear().await
}

/// Others write the Deployment in the centre and its template in the hub as fast as they can. The operator, which writes on
/// the version that it read, is answered 409 again and again; the agent applies without one, and must win instead. Neither
/// chases them.
pub(crate) async fn concurrent_writers(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "race").await?;
    let hub = [Witness::of(w, "hub@jishi")?, Witness::of(w, "hub@jiyidong")?];
    let stop = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let mut writers = Vec::new();
    for n in 0..6 {
        let client = w.cloud.client("jishi", None).await?;
        let edit =
            move |i| json!({"metadata": {"annotations": {"n": format!("{n}-{i}")}}, "spec": {"replicas": 3 + i % 2}});
        writers.push(tokio::spawn(write(client, stop.clone(), edit)));
    }
    let client = w.cloud.client("hub@jishi", None).await?;
    let note = |i: usize| json!({"metadata": {"annotations": {"n": i.to_string()}}});
    writers.push(tokio::spawn(write(client, stop.clone(), note)));
    let conflicts = lasts(&ground, &hub).await;
    stop.store(true, Ordering::Relaxed);
    let mut others = 0;
    for writer in writers {
        others += writer.await??;
    }
    let (conflicts, seconds) = (conflicts?, begin.elapsed().as_secs_f64());
    let tries = ground.logs[0].by(&agent("jishi"))?;
    let tries = tries.iter().filter(|w| w.is_of("deployments", "race")).count();
    let rate = f64::from(u32::try_from(tries)?) / seconds;
    println!(
        "{others} writes of others in {seconds:.1} s, {conflicts} times 409, the agent wrote {rate:.1} times a second"
    );
    // Passes begin a fifth of a second apart.
    ensure!(rate < 7.0, "the agent wrote {rate} times a second");
    ground.template(6).await?;
    ground.copies([3, 3]).await?;
    let quiet = Witness::of(w, METRO[0])?;
    quiet.renewed(&agent("jishi"), 4).await?;
    let late = quiet.by(&agent("jishi"))?;
    ensure!(late.is_empty(), "it goes on writing: {late:?}");
    ground.clear().await
}

/// Waits until the race has lasted. Answers how often the operator was answered 409.
async fn lasts(ground: &Ground<'_>, hub: &[Witness]) -> Result<usize> {
    let mut copies = [4, 6].into_iter().cycle();
    eventually(2 * PATIENCE, "the race has lasted", || {
        let copies = copies.next().unwrap_or(4);
        async move {
            // Something to decide, so that the operator writes into the race of the hub.
            ground.template(copies).await?;
            let mut conflicts = 0;
            for log in hub {
                let writes = log.by("xiangyun:controller")?;
                conflicts += writes.iter().filter(|w| w.refused(409)).count();
            }
            let corrections = ground.changes()?[0];
            ensure!(
                conflicts >= CONFLICTS && corrections >= CORRECTIONS,
                "{conflicts} conflicts, {corrections} corrections"
            );
            Ok(conflicts)
        }
    })
    .await
}

/// Patches the Deployment `race` again and again. Answers how often that was stored.
async fn write(client: Client, stop: Arc<AtomicBool>, patch: impl Fn(usize) -> Value) -> Result<usize> {
    let api: Api<Deployment> = Api::namespaced(client, NS);
    let mut stored = 0;
    for i in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match api
            .patch("race", &PatchParams::default(), &Patch::Merge(patch(i)))
            .await
        {
            Ok(_) => stored += 1,
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error).context("a writer"),
        }
    }
    Ok(stored)
}
