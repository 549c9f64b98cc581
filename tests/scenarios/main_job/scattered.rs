//! Cards that are wanted in one node while they are free in several: a pool of two nodes of eight cards, in one centre.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::ledger::charged;
use crate::life::released;
use crate::world::{PATIENCE, World, condition, pod, small_request};

const NS: &str = "dept-suanli";
const POOL: &str = "scattered";
const CENTRE: &str = "jishi";
const REQUESTER: &str = "li.na";

fn node(number: usize) -> Value {
    let name = format!("{POOL}-{number}");
    let has = json!({"cpu": "108", "memory": "527343750Ki", "pods": "110", "nvidia.com/gpu": "8"});
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
                "xiangyun.io/pool": POOL}},
        "status": {"capacity": has, "allocatable": has}})
}

/// A pool with 16 cards, and a department that it alone is open to.
async fn ground(w: &World) -> Result<()> {
    for number in [1, 2] {
        w.apply(CENTRE, None, &node(number)).await?;
    }
    let pool = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": POOL},
        "spec": {"displayName": "零散卡池", "architecture": "amd64", "zone": "GovExtranet", "separateNamespace": true,
            "accelerator": {"vendor": "nvidia", "model": "H20", "use": "Training", "resourceName": "nvidia.com/gpu",
                "perUnit": {"cpu": "12", "memory": "60Gi"}},
            "centres": [{"name": CENTRE, "source": "Nodes"}]}});
    w.apply("hub", Some("zhao.min"), &pool).await?;
    let ceiling = json!({"pool": POOL, "amounts": {"accelerators": "100"}});
    let add = json!([{"op": "add", "path": "/spec/ceilings/-", "value": ceiling}]).to_string();
    let patch = ["patch", "dept", "jilin", "--type=json", "-p", &add];
    w.ok("hub", Some("zhao.min"), &patch).await?;
    let tenant = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": NS},
        "spec": {"displayName": "算力演练", "level": "City", "parentRef": "jilin", "ceilings": [ceiling],
            "administrators": [{"kind": "User", "name": REQUESTER}]}});
    w.apply("hub", Some("zhao.min"), &tenant).await?;
    w.ready_reason(&["dept", NS], "Established").await?;
    eventually(PATIENCE, "the pool has 16 cards", || async {
        let pool = w.get("hub", &["qpool", POOL]).await?;
        let total = &pool["status"]["total"]["committable"];
        ensure!(total["accelerators"] == "16", "{total}");
        Ok(())
    })
    .await
}

/// So many cards in the one centre, `together` of them in one node.
fn asking(name: &str, cards: i64, together: i64) -> Value {
    let mut request = small_request(NS, name, 0);
    request["spec"]["resources"] = json!({"accelerators": [{"use": "Training", "count": cards, "perNode": together}]});
    request["spec"]["survival"] = json!("None");
    request
}

fn namespace() -> String {
    format!("{NS}-{POOL}")
}

/// Starts a pod with so many cards, and waits until it runs on that node.
async fn runs(w: &World, name: &str, cards: i64, chosen: &Value, on: usize) -> Result<()> {
    let (ns, cards) = (namespace(), cards.to_string());
    let amounts = json!({"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": cards});
    let container = json!({"name": "c", "image": "registry.invalid/c:1",
        "resources": {"requests": amounts, "limits": amounts}});
    let mut spec = json!({"containers": [container]});
    if !chosen.is_null() {
        spec["nodeSelector"] = chosen.clone();
    }
    let pod = pod(name, &ns, "1", &spec);
    // The quota has to be counted once before anything is let in.
    eventually(PATIENCE, "a pod is let in", || w.apply(CENTRE, Some(REQUESTER), &pod)).await?;
    eventually(PATIENCE, &format!("{name} runs"), || async {
        let found = w.get(CENTRE, &["pod", name, "-n", &ns]).await?;
        let (phase, node) = (&found["status"]["phase"], &found["spec"]["nodeName"]);
        ensure!(
            *phase == "Running" && *node == format!("{POOL}-{on}"),
            "{phase} on {node}"
        );
        Ok(())
    })
    .await
}

/// Waits until the centre reports that so many cards are free on its nodes, the fewest first.
async fn free(w: &World, expected: &Value) -> Result<()> {
    eventually(PATIENCE, &format!("its nodes are {expected}"), || async {
        let centre = w.get("hub", &["dcn", CENTRE]).await?;
        let pools = centre["status"]["report"]["pools"].as_array().context("pools")?;
        let pool = pools.iter().find(|p| p["name"] == POOL).context("the pool")?;
        ensure!(pool["cards"] == *expected, "{}", pool["cards"]);
        Ok(())
    })
    .await
}

/// A card is in use on each node: fourteen are free, and eight on one node are not. Four are, and are granted meanwhile. When a
/// node is empty the eight are granted, and a pod takes them there.
pub(crate) async fn eight_on_one_node_wait_for_a_node(w: &World) -> Result<()> {
    ground(w).await?;
    w.apply("hub", Some(REQUESTER), &asking("two", 2, 1)).await?;
    w.request_reason(NS, "two", "Active").await?;
    for (number, name) in [(1, "on-1"), (2, "on-2")] {
        let chosen = json!({"kubernetes.io/hostname": format!("{POOL}-{number}")});
        runs(w, name, 1, &chosen, number).await?;
    }
    free(w, &json!([{"cards": 8, "free": 7, "nodes": 2}])).await?;
    w.apply("hub", Some(REQUESTER), &asking("eight", 8, 8)).await?;
    let waits = w.request_reason(NS, "eight", "Fragmented").await?;
    let message = condition(&waits, "Ready").and_then(|c| c["message"].as_str());
    let words = [
        format!("{POOL}: asked 8 cards, 8 in one node; {CENTRE} has the cards, but not 8 free ones on enough nodes; "),
        format!(" | {POOL}：申请 8 卡、单节点 8 卡，{CENTRE} 余卡分散在多个节点"),
    ];
    let said = |m: &str| words.iter().all(|part| m.contains(part));
    ensure!(message.is_some_and(said), "{message:?}");
    ensure!(waits["status"]["allocation"].is_null(), "{}", waits["status"]);
    let [here, _] = charged(w, POOL).await?;
    ensure!(here.accelerators == 2, "{here}");
    w.apply("hub", Some(REQUESTER), &asking("four", 4, 4)).await?;
    w.request_reason(NS, "four", "Active").await?;
    w.request_reason(NS, "eight", "Fragmented").await?;
    let ns = namespace();
    let delete = async |name: &str| {
        let args = ["delete", "pod", name, "-n", &ns, "--wait=false"];
        w.ok(CENTRE, Some(REQUESTER), &args).await
    };
    delete("on-2").await?;
    free(
        w,
        &json!([{"cards": 8, "free": 7, "nodes": 1}, {"cards": 8, "free": 8, "nodes": 1}]),
    )
    .await?;
    w.request_reason(NS, "eight", "Active").await?;
    w.quota_is(CENTRE, &ns, "requests.nvidia.com/gpu", "14", PATIENCE)
        .await?;
    runs(w, "on-both-hands", 8, &Value::Null, 2).await?;
    for name in ["on-1", "on-both-hands"] {
        delete(name).await?;
    }
    for name in ["two", "four", "eight"] {
        released(w, REQUESTER, NS, name).await?;
    }
    Ok(())
}
