//! Whether both sides really serve, and the layers: each measured, each broken once, and then it alone.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use playground::{Cut, Fault, Place, eventually};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{PATIENCE, World, condition};

const NAME: &str = "layers";
/// Port of the hub's API servers.
const HUB: u16 = 7443;

/// A state and its reason.
type State = (&'static str, &'static str);

const ALL_NORMAL: [(&str, State); 6] = [
    ("Storage", ("Unknown", "NotMeasured")),
    ("Compute", ("Normal", "Normal")),
    ("Application", ("Normal", "Normal")),
    ("Network", ("Normal", "Normal")),
    ("Security", ("Unknown", "NotMeasured")),
    ("Transport", ("Normal", "Normal")),
];

/// What the layers say, as they stand in the status.
type Layers = Vec<Value>;

/// Waits until these layers are in these states, the others as in [`ALL_NORMAL`], and it is said whether both sides serve.
async fn shows(w: &World, broken: &[(&str, State)], serves: &str) -> Result<Layers> {
    eventually(PATIENCE, &format!("{broken:?} and {serves}"), || async {
        let found = w.get("hub", &["dap", NAME, "-n", NS]).await?;
        let all = found["status"]["layers"].as_array().context("no layers")?;
        ensure!(all.len() == ALL_NORMAL.len(), "{} layers", all.len());
        for ((name, normal), layer) in ALL_NORMAL.iter().zip(all) {
            let (state, reason) = broken.iter().find(|(n, _)| n == name).map_or(*normal, |b| b.1);
            ensure!(
                layer["name"] == *name && layer["state"] == state && layer["reason"] == reason,
                "{layer}"
            );
        }
        let said = condition(&found, "EffectivelyActiveActive").map(|c| c["status"].clone());
        ensure!(said == Some(json!(serves)), "EffectivelyActiveActive is {said:?}");
        Ok(all.clone())
    })
    .await
}

/// The same, after what it was before: those that turned say a later time, and the others have not turned meanwhile.
async fn turns(w: &World, before: &Layers, broken: &[(&str, State)], serves: &str) -> Result<Layers> {
    let after = shows(w, broken, serves).await?;
    for (was, is) in before.iter().zip(&after) {
        let [old, new] = [was, is].map(|l| l["since"].as_str().unwrap_or_default().parse::<Timestamp>());
        if was["state"] == is["state"] {
            ensure!(was["since"] == is["since"], "it turned and came back: {was} {is}");
        } else {
            ensure!(new? > old?, "{was} became {is}");
        }
    }
    Ok(after)
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NS, "labels": {"app": NAME}},
        "spec": {"selector": {"name": NAME}, "ports": [{"port": 80}]}})
}

pub(crate) async fn effectively_active_active_lost(w: &World) -> Result<()> {
    w.put(&service()).await?;
    w.put(&deployment(NAME, NAME, 4)).await?;
    w.put(&placement(NAME, NAME, json!({}))).await?;
    w.copies(NAME, NAME, [2, 2]).await?;
    let normal = shows(w, &[], "True").await?;
    // The copies in jiyidong stay ready, and nobody reaches them.
    let elsewhere = json!({"op": "replace", "path": "/spec/selector", "value": {"name": "nobody"}});
    let target = json!({"kind": "Service", "name": NAME});
    let overrides = json!({"overrides": [{"centre": "jiyidong", "target": target, "jsonPatch": [elsewhere]}]});
    w.put(&placement(NAME, NAME, overrides)).await?;
    let broken = turns(w, &normal, &[("Network", ("Degraded", "NoEndpoints"))], "False").await?;
    w.put(&placement(NAME, NAME, json!({"overrides": null}))).await?;
    turns(w, &broken, &[], "True").await.map(drop)
}

/// The network was broken in the step before, whose placement this one needs.
pub(crate) async fn each_layer_broken(w: &World) -> Result<()> {
    let normal = shows(w, &[], "True").await?;
    let nodes = ["nodes", "-l", "xiangyun.io/pool=x86", "-o", "name"];
    let nodes = w.ok("jiyidong", None, &[&["get"], nodes.as_slice()].concat()).await?;
    let nodes: Vec<&str> = nodes.split_whitespace().collect();
    let on_nodes = async |verb: &str| {
        let args = [&[verb], nodes.as_slice()].concat();
        w.ok("jiyidong", None, &args).await
    };
    on_nodes("cordon").await?;
    let broken = turns(w, &normal, &[("Compute", ("Degraded", "NoReadyNodes"))], "True").await?;
    on_nodes("uncordon").await?;
    let normal = turns(w, &broken, &[], "True").await?;
    let normal = a_copy_is_not_ready(w, normal).await?;
    nothing_reaches_the_hub(w, normal).await?;
    w.delete(&["dap", NAME]).await?;
    w.delete(&["deploy", NAME]).await?;
    w.delete(&["service", NAME]).await
}

/// One copy of two is not ready, so that the Service has an endpoint still. Kwok looks at pods that are pending, and leaves
/// this one as it is.
async fn a_copy_is_not_ready(w: &World, normal: Layers) -> Result<Layers> {
    let selector = format!("name={NAME}");
    let all = w.get("jiyidong", &["pods", "-n", NS, "-l", &selector]).await?;
    let pod = all["items"][0]["metadata"]["name"]
        .as_str()
        .context("a pod")?
        .to_owned();
    let ready = async |is: &str| {
        let kinds = ["Ready", "ContainersReady"].map(|kind| json!({"type": kind, "status": is}));
        let patch = json!({"status": {"conditions": kinds}}).to_string();
        let status = ["--subresource=status", "--type=strategic", "-p", &patch];
        let args = [&["patch", "pod", &pod, "-n", NS], status.as_slice()].concat();
        w.ok("jiyidong", None, &args).await
    };
    ready("False").await?;
    let missing = [("Application", ("Degraded", "CopiesMissing"))];
    let broken = turns(w, &normal, &missing, "True").await?;
    let words = |layers: &Layers| layers[2]["message"].as_str().unwrap_or_default().to_owned();
    ensure!(
        words(&broken).starts_with("1 of 2 copies are ready in jiyidong"),
        "{broken:?}"
    );
    // It stays, in other words, since when it was.
    w.put(&deployment(NAME, NAME, 6)).await?;
    eventually(PATIENCE, "the words follow", || async {
        let still = turns(w, &broken, &missing, "True").await?;
        ensure!(
            words(&still).starts_with("2 of 3 copies are ready in jiyidong"),
            "{still:?}"
        );
        Ok(())
    })
    .await?;
    ready("True").await?;
    turns(w, &broken, &[], "True").await
}

/// Nothing passes between the agents of jiyidong and the hub. They live and beat, so that the centre is not lost; what else
/// they would have to say is unknown.
async fn nothing_reaches_the_hub(w: &World, normal: Layers) -> Result<()> {
    let link = Cut {
        port: Some(HUB),
        ..Cut::pair(Place::Jiyidong, Place::Jiyidong)
    };
    w.cloud.fault(Fault::Blackhole, link).await?;
    let unknown = ("Unknown", "CentreUnknown");
    let silent = [
        ("Compute", unknown),
        ("Application", unknown),
        ("Network", unknown),
        ("Transport", ("Degraded", "ReportStale")),
    ];
    let broken = turns(w, &normal, &silent, "Unknown").await?;
    let heard = "3 of 6 copies are available; nothing is heard of jiyidong, what runs there goes on";
    template_says(w, ("False", "CentreUnknown"), 3, heard).await?;
    let running = w.get("jiyidong", &["deploy", NAME, "-n", NS]).await?;
    ensure!(running["status"]["readyReplicas"] == 3, "{}", running["status"]);
    w.cloud.heal(Some(Place::Jiyidong)).await?;
    turns(w, &broken, &[], "True").await?;
    let all = "6 of 6 copies are available in 2 centres";
    template_says(w, ("True", "MinimumReplicasAvailable"), 6, all).await
}

/// Waits for what the template in the hub says, by which `kubectl wait` and `rollout status` go: whether it is available and
/// why, and how many copies are.
async fn template_says(w: &World, (available, why): State, copies: i64, words: &str) -> Result<()> {
    eventually(PATIENCE, &format!("the template says {words:?}"), || async {
        let found = w.get("hub", &["deploy", NAME, "-n", NS]).await?;
        let said = condition(&found, "Available").context("no condition Available")?;
        ensure!(said["status"] == available && said["reason"] == why, "{said}");
        ensure!(said["message"].as_str().is_some_and(|m| m.starts_with(words)), "{said}");
        let status = &found["status"];
        ensure!(status["availableReplicas"] == copies, "{status}");
        ensure!(
            status["observedGeneration"] == found["metadata"]["generation"],
            "{status}"
        );
        Ok(())
    })
    .await
}
