//! Much at once: one template near the largest that a server takes, and many placements.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{LI, NS, config_map, deployment, placement};
use crate::witness::{Witness, agent};
use crate::world::{METRO, World, condition};

/// Placements at once.
const MANY: usize = 300;
/// How long they may take on a small machine.
const LONG: Duration = Duration::from_secs(240);

/// 1,000,000 bytes of data, a thousand times what is usual, and 200,000 bytes of an annotation: a store takes one and a half
/// million, a ConfigMap at most 1,048,576 of data.
fn large(fill: &str) -> Value {
    let mut map = config_map("large", "large");
    map["data"]["key"] = json!(fill.repeat(1_000_000));
    map["metadata"]["annotations"] = json!({"example.org/note": "n".repeat(200_000)});
    map
}

pub(crate) async fn a_template_of_more_than_a_megabyte(w: &World) -> Result<()> {
    // Applied on the client's side it would be stored twice, once as the last one applied, which no server takes.
    let file = w.file(&large("x"))?;
    w.ok("hub", LI, &["apply", "--server-side", "-f", &file]).await?;
    w.put(&placement("large", "large", json!({}))).await?;
    w.placement_reason("large", "Running").await?;
    let begin = Instant::now();
    let file = w.file(&large("y"))?;
    w.ok("hub", LI, &["apply", "--server-side", "-f", &file]).await?;
    for centre in METRO {
        eventually(LONG, &format!("all of it is in {centre}"), || async {
            let found = w.get(centre, &["configmap", "large", "-n", NS]).await?;
            let text = found["data"]["key"].as_str().unwrap_or_default();
            ensure!(text.len() == 1_000_000 && text.starts_with('y'), "{} bytes", text.len());
            let note = found["metadata"]["annotations"]["example.org/note"].as_str();
            ensure!(note.is_some_and(|n| n.len() == 200_000), "the note is cut");
            Ok(())
        })
        .await?;
    }
    println!("1.2 MB in both centres after {:.1} s", begin.elapsed().as_secs_f32());
    // An edit by hand in there is found all the same.
    w.patch(
        "jishi",
        None,
        &["configmap", "large"],
        &json!({"data": {"key": "short"}}),
    )
    .await?;
    eventually(LONG, "it is put right", || async {
        let found = w.get("jishi", &["configmap", "large", "-n", NS]).await?;
        ensure!(
            found["data"]["key"].as_str().is_some_and(|t| t.len() == 1_000_000),
            "short"
        );
        Ok(())
    })
    .await?;
    w.delete(&["dap", "large"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["configmap", "large"]).await?;
    }
    w.delete(&["configmap", "large"]).await
}

/// Deployments and their placements, all of one label. Every second one has no copy, so that the grant has room for all.
fn crowd() -> [Value; 2] {
    let all = |make: &dyn Fn(usize, &str) -> Value| {
        let items: Vec<Value> = (0..MANY)
            .map(|i| {
                let mut object = make(i, &format!("crowd-{i:03}"));
                object["metadata"]["labels"]["crowd"] = json!("yes");
                object
            })
            .collect();
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "crowd"}, "items": items})
    };
    let amounts = json!({"cpu": "50m", "memory": "64Mi"});
    let templates = all(&|i, name| {
        let mut object = deployment(name, name, i64::from(i % 2 == 1));
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        container["resources"] = json!({"requests": amounts, "limits": amounts});
        object
    });
    [templates, all(&|_, name| placement(name, name, json!({})))]
}

pub(crate) async fn three_hundred_at_once(w: &World) -> Result<()> {
    let logs = [Witness::of(w, METRO[0])?, Witness::of(w, METRO[1])?];
    for objects in crowd() {
        let file = w.file(&objects)?;
        w.ok("hub", LI, &["apply", "--server-side", "-f", &file]).await?;
    }
    let begin = Instant::now();
    eventually(LONG, "all of them run", || async {
        let found = w.get("hub", &["dap", "-n", NS, "-l", "crowd=yes"]).await?;
        let all = found["items"].as_array().context("a list")?;
        let runs = all
            .iter()
            .filter(|p| condition(p, "Ready").is_some_and(|c| c["reason"] == "Running"));
        let runs = runs.count();
        ensure!(runs == MANY, "{runs} of {MANY}");
        Ok(())
    })
    .await?;
    println!(
        "{MANY} placements run {:.1} s after the last was made",
        begin.elapsed().as_secs_f32()
    );
    for (centre, log) in METRO.into_iter().zip(logs) {
        let found = w.get(centre, &["deploy", "-n", NS, "-l", "crowd=yes"]).await?;
        let there = found["items"].as_array().context("a list")?.len();
        ensure!(there == MANY, "{there} in {centre}");
        let writes = log.by(&agent(centre))?;
        let stored = writes.iter().filter(|w| w.stored("deployments")).count();
        println!("{stored} writes for {MANY} Deployments in {centre}");
        ensure!(
            stored <= MANY * 11 / 10,
            "{stored} writes for {MANY} objects in {centre}"
        );
    }
    w.ok(
        "hub",
        LI,
        &["delete", "dap", "-n", NS, "-l", "crowd=yes", "--wait=false"],
    )
    .await?;
    for centre in METRO {
        eventually(LONG, &format!("none is left in {centre}"), || async {
            ensure!(!w.is_there(centre, &["deploy", "-l", "crowd=yes"]).await?, "some are");
            Ok(())
        })
        .await?;
    }
    let templates = ["delete", "deploy", "-n", NS, "-l", "crowd=yes", "--wait=false"];
    w.ok("hub", LI, &templates).await.map(drop)
}
