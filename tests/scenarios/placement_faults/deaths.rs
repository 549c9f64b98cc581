//! Programs that die or stand still at the worst moment, and history that is gone when they wake.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use playground::eventually;
use serde_json::{Value, json};

use crate::ground::{Ground, remove};
use crate::stage::{NS, config_map, deployment, placement};
use crate::store::{Store, compact};
use crate::witness::{Witness, agent};
use crate::world::{METRO, PATIENCE, World};

const AGENTS: [&str; 4] = ["agent-1@jishi", "agent-2@jishi", "agent-1@jiyidong", "agent-2@jiyidong"];
const OPERATORS: [&str; 2] = ["operator@jishi", "operator@jiyidong"];
const SERVERS: [&str; 4] = [
    "hub-apiserver@jishi",
    "hub-apiserver@jiyidong",
    "hub-apiserver@baicheng",
    "apiserver@jishi",
];

/// Each of these dies by `kill -9` the first time that it comes to the step, and stays away: whoever takes over is another one,
/// and dies there too.
async fn each_dies_at(w: &World, processes: &[&str], step: &str, act: impl Future<Output = Result<()>>) -> Result<()> {
    let mut pids = Vec::new();
    for process in processes {
        pids.push(w.cloud.pid(process).context("it does not run")?);
        w.cloud.arm(process, Some(&format!("{step} exit")))?;
    }
    act.await?;
    let deaths = processes.iter().zip(pids).map(|(process, pid)| async move {
        eventually(PATIENCE, &format!("{process} dies at {step}"), || async {
            let last = last_words(w, process)?;
            ensure!(!w.cloud.armed(process)?, "it did not come there; it said last: {last}");
            ensure!(w.cloud.pid(process) != Some(pid), "it lives");
            Ok(())
        })
        .await?;
        // Started again it would be a candidate like the others.
        w.cloud.kill(process).await
    });
    try_join_all(deaths).await?;
    for process in processes {
        w.cloud.start_process(process).await?;
    }
    Ok(())
}

/// The end of its log, which is gone with the cloud when the step fails.
fn last_words(w: &World, process: &str) -> Result<String> {
    let log = std::fs::read_to_string(w.cloud.log(process)?)?;
    let last: Vec<_> = log.lines().rev().take(3).collect();
    Ok(last.join("\n"))
}

/// Objects of four kinds, one kind after the other, and both agents of a centre die after one of them each. Two kinds more
/// than agents: a write whose answer is lost stands all the same, and nobody comes to its step again.
pub(crate) async fn agents_killed_between_two_applies(w: &World) -> Result<()> {
    let log = Witness::of(w, "jishi")?;
    let all = in_order();
    for (_, template) in &all {
        w.put(template).await?;
    }
    let place = placement("cut-short", "cut-short", json!({}));
    each_dies_at(w, &AGENTS[..2], "object-applied", w.put(&place)).await?;
    let first = w.uid("jishi", &["serviceaccount", "cut-short"]).await?;
    for name in ["cut-short", "cut-short-2"] {
        w.copies("cut-short", name, [2, 2]).await?;
    }
    ensure!(
        w.uid("jishi", &["serviceaccount", "cut-short"]).await? == first,
        "it was made anew"
    );
    let writes = log.by(&agent("jishi"))?;
    for (resource, template) in &all {
        let name = template["metadata"]["name"].as_str().context("a name")?;
        let applied = writes.iter().filter(|w| w.is_of(resource, name) && w.stored(resource));
        let applied = applied.count();
        // Whoever comes next finds in order what the last one made: nobody writes it again.
        ensure!(applied == 1, "{resource} {name} was applied {applied} times");
    }
    ensure!(!writes.iter().any(crate::witness::Write::deletes), "{writes:?}");
    remove(w, "cut-short").await?;
    let left = [
        "deploy/cut-short-2",
        "service/cut-short",
        "configmap/cut-short",
        "serviceaccount/cut-short",
    ];
    w.delete(&left).await
}

/// The templates by resource, in the order in which they are applied; the last two at once.
fn in_order() -> [(&'static str, Value); 5] {
    let plain = |kind: &str| {
        json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": "cut-short", "namespace": NS, "labels": {"app": "cut-short"}}})
    };
    let mut service = plain("Service");
    service["spec"] = json!({"selector": {"name": "cut-short"}, "ports": [{"port": 80}]});
    [
        ("serviceaccounts", plain("ServiceAccount")),
        ("configmaps", config_map("cut-short", "cut-short")),
        ("services", service),
        ("deployments", deployment("cut-short", "cut-short", 4)),
        ("deployments", deployment("cut-short-2", "cut-short", 4)),
    ]
}

/// The leader dies with its decision, the next one too; the third decides the same, once.
pub(crate) async fn operators_killed_between_decision_and_status(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "decided").await?;
    let before = generation(w, "decided").await?;
    each_dies_at(w, &OPERATORS, "placement-decided", ground.template(6)).await?;
    ground.copies([3, 3]).await?;
    let after = generation(w, "decided").await?;
    ensure!(
        after == before + 1,
        "generation went from {before} to {after} for one change"
    );
    ground.clear().await
}

async fn generation(w: &World, name: &str) -> Result<i64> {
    let found = w.get(METRO[0], &["deploy", name, "-n", NS]).await?;
    found["metadata"]["generation"].as_i64().context("a generation")
}

/// While every operator and agent stands still, the hub's store and a centre's forget the history that their watches would
/// go on from; servers that start anew know only what the stores still have.
pub(crate) async fn history_compacted_while_all_stand_still(w: &World) -> Result<()> {
    let ground = Ground::lay(w, "missed").await?;
    let before = interrupted(w)?;
    for process in OPERATORS.iter().chain(&AGENTS) {
        w.cloud.freeze(process).await?;
    }
    ground.template(6).await?;
    let edit = json!({"spec": {"replicas": 0}});
    w.patch("jishi", None, &ground.what(), &edit).await?;
    for store in [Store::Hub, Store::Jishi] {
        compact(w, store).await?;
    }
    for server in SERVERS {
        w.cloud.kill(server).await?;
        w.cloud.start_process(server).await?;
    }
    for process in OPERATORS.iter().chain(&AGENTS) {
        w.cloud.thaw(process).await?;
    }
    ground.copies([3, 3]).await?;
    let lost = interrupted(w)? - before;
    println!("{lost} watches were told that their history is gone");
    ensure!(lost > 0, "no watch noticed, so this shows nothing");
    takes_templates(w).await?;
    ground.clear().await
}

/// How often agents were told 410, by their logs.
fn interrupted(w: &World) -> Result<usize> {
    let count = |agent: &&str| -> Result<usize> {
        let log = std::fs::read_to_string(w.cloud.log(agent)?)?;
        let told = |line: &&str| line.contains("watch interrupted") && line.contains("too old resource version");
        Ok(log.lines().filter(told).count())
    };
    AGENTS.iter().map(count).sum()
}

/// A server that has just started refuses writes until its policies have found what they compare with.
pub(crate) async fn takes_templates(w: &World) -> Result<()> {
    let probe: Value = config_map("never-stored", "none");
    let file = w.file(&probe)?;
    eventually(PATIENCE, "the hub takes templates", || async {
        w.ok("hub", crate::stage::LI, &["apply", "--dry-run=server", "-f", &file])
            .await
            .map(drop)
    })
    .await
}
