//! Kinds that the three tiers do not have, and a placement of five hundred objects.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{LI, NS, placement};
use crate::world::{METRO, PATIENCE, World};

fn pods(name: &str) -> Value {
    json!({"metadata": {"labels": {"name": name}}, "spec": {"nodeSelector": {"xiangyun.io/pool": "x86"},
        "containers": [{"name": "c", "image": "registry.invalid/c:1", "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}}}]}})
}

fn object(api: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": api, "kind": kind,
        "metadata": {"name": "kinds", "namespace": NS, "labels": {"app": "kinds"}}, "spec": spec})
}

fn all() -> Vec<Value> {
    let select = json!({"matchLabels": {"name": "kinds"}});
    let mut job = pods("kinds-job");
    job["spec"]["restartPolicy"] = json!("Never");
    let backend = json!({"service": {"name": "kinds", "port": {"number": 80}}});
    let rule =
        json!({"host": "kinds.invalid", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
    vec![
        object(
            "apps/v1",
            "StatefulSet",
            &json!({"replicas": 3, "serviceName": "kinds", "selector": select, "template": pods("kinds")}),
        ),
        object(
            "apps/v1",
            "DaemonSet",
            &json!({"selector": {"matchLabels": {"name": "kinds-each"}}, "template": pods("kinds-each")}),
        ),
        object("batch/v1", "Job", &json!({ "template": job })),
        object(
            "batch/v1",
            "CronJob",
            &json!({"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": job}}}),
        ),
        object("networking.k8s.io/v1", "Ingress", &json!({"rules": [rule]})),
        object(
            "v1",
            "PersistentVolumeClaim",
            &json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "hot", "resources": {"requests": {"storage": "1Gi"}}}),
        ),
        object(
            "v1",
            "Service",
            &json!({"clusterIP": "None", "selector": {"name": "kinds"}, "ports": [{"port": 80}]}),
        ),
    ]
}

const NAMES: [&str; 7] = [
    "statefulset/kinds",
    "daemonset/kinds",
    "job/kinds",
    "cronjob/kinds",
    "ingress/kinds",
    "pvc/kinds",
    "service/kinds",
];

async fn generations(w: &World, centre: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for name in NAMES {
        all.push(w.get(centre, &[name, "-n", NS]).await?["metadata"]["generation"].clone());
    }
    Ok(all)
}

pub(crate) async fn the_other_kinds(w: &World) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "kinds"}, "items": all()});
    w.put(&list).await?;
    w.put(&placement("kinds", "kinds", json!({}))).await?;
    w.placement_reason("kinds", "Running").await?;
    for (centre, copies, suspended) in [("jishi", 2, false), ("jiyidong", 1, true)] {
        for name in NAMES {
            ensure!(w.is_there(centre, &[name]).await?, "no {name} in {centre}");
        }
        let set = w.get(centre, &["statefulset", "kinds", "-n", NS]).await?;
        ensure!(set["status"]["readyReplicas"] == copies, "{}", set["status"]);
        // What runs to an end runs in one centre.
        for job in ["job", "cronjob"] {
            let found = w.get(centre, &[job, "kinds", "-n", NS]).await?;
            ensure!(
                found["spec"]["suspend"] == suspended,
                "{job} in {centre}: {}",
                found["spec"]["suspend"]
            );
        }
    }
    // An edit of one object brings a look at all; the others are as they were.
    let before = generations(w, "jishi").await?;
    let edit = json!({"metadata": {"labels": {"app": "by-hand"}}});
    w.patch("jishi", LI, &["ingress/kinds"], &edit).await?;
    w.field(
        "jishi",
        &["ingress/kinds"],
        "/metadata/labels/app",
        &json!("kinds"),
        PATIENCE,
    )
    .await?;
    let after = generations(w, "jishi").await?;
    ensure!(before == after, "generations went from {before:?} to {after:?}");
    w.delete(&["dap", "kinds"]).await?;
    for centre in METRO {
        for name in NAMES {
            w.is_gone(centre, &[name]).await?;
        }
    }
    w.delete(&NAMES).await
}

/// A Job of a department, and how it is addressed.
fn once(spec: &Value) -> Value {
    let mut pod = pods("once");
    pod["spec"]["restartPolicy"] = json!("Never");
    let mut all = json!({"template": pod});
    if let (Some(all), Some(spec)) = (all.as_object_mut(), spec.as_object()) {
        all.extend(spec.clone());
    }
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "once", "namespace": NS, "labels": {"app": "once"}}, "spec": all})
}

/// `kubectl wait` on the template in the hub, as the department.
async fn waits_for(w: &World, condition: &str) -> Result<()> {
    let condition = format!("--for=condition={condition}");
    let args = ["wait", &condition, "job/once", "-n", NS, "--timeout=60s"];
    w.ok("hub", LI, &args).await.map(drop)
}

/// A CronJob that is due each minute.
fn often() -> Value {
    let job = once(&json!({}))["spec"].clone();
    json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "often", "namespace": NS, "labels": {"app": "once"}},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job}}})
}

/// The hub says of the CronJob what its centre says.
async fn often_succeeded(w: &World) -> Result<()> {
    // A minute may have to pass before it is due.
    eventually(2 * PATIENCE, "the hub says when the CronJob succeeded last", || async {
        let hub = w.get("hub", &["cronjob", "often", "-n", NS]).await?["status"].clone();
        let there = w.get("jishi", &["cronjob", "often", "-n", NS]).await?["status"].clone();
        for time in ["lastScheduleTime", "lastSuccessfulTime"] {
            ensure!(hub[time].is_string() && hub[time] == there[time], "{hub} {there}");
        }
        Ok(())
    })
    .await
}

pub(crate) async fn jobs_end_in_the_hub(w: &World) -> Result<()> {
    w.put(&often()).await?;
    let kept = json!({"completions": 2, "parallelism": 2, "ttlSecondsAfterFinished": 3600});
    w.put(&once(&kept)).await?;
    w.put(&placement("once", "once", json!({}))).await?;
    waits_for(w, "complete").await?;
    let job = ["job", "once"];
    let hub = w.get("hub", &["job", "once", "-n", NS]).await?;
    let there = w.get("jishi", &["job", "once", "-n", NS]).await?;
    ensure!(hub["status"]["succeeded"] == 2, "{}", hub["status"]);
    for time in ["startTime", "completionTime"] {
        ensure!(
            hub["status"][time] == there["status"][time],
            "{} {}",
            hub["status"],
            there["status"]
        );
    }
    ensure!(there["spec"]["ttlSecondsAfterFinished"].is_null(), "{}", there["spec"]);
    // Made anew in the hub it is another Job, and runs again; of the one before nothing is said.
    let uid = w.uid("jishi", &job).await?;
    w.ok("hub", LI, &["delete", "job", "once", "-n", NS]).await?;
    // No node is of that name, so it fails by its deadline.
    let mut late = once(&json!({"activeDeadlineSeconds": 2}));
    late["spec"]["template"]["spec"]["nodeSelector"]["nobody"] = json!("here");
    w.put(&late).await?;
    waits_for(w, "failed").await?;
    let hub = w.get("hub", &["job", "once", "-n", NS]).await?;
    let failed = hub["status"]["conditions"].as_array().into_iter().flatten();
    let failed: Vec<_> = failed.filter(|c| c["reason"] == "DeadlineExceeded").collect();
    ensure!(
        failed.len() == 2 && hub["status"]["completionTime"].is_null(),
        "{}",
        hub["status"]
    );
    ensure!(w.uid("jishi", &job).await? != uid, "the Job before still stands");
    // Where it stands still nothing ran. That centre may be making it anew only now.
    let other = eventually(PATIENCE, "it stands in jiyidong", || {
        w.get("jiyidong", &["job", "once", "-n", NS])
    })
    .await?;
    ensure!(
        other["spec"]["suspend"] == true && other["status"]["startTime"].is_null(),
        "{other}"
    );
    often_succeeded(w).await?;
    // The time after which it goes counts in the hub: the template goes, and the Job with it, and nothing runs again.
    w.delete(&["job", "once"]).await?;
    w.put(&once(&json!({"ttlSecondsAfterFinished": 1}))).await?;
    waits_for(w, "complete").await?;
    for cluster in ["hub", "jishi", "jiyidong"] {
        w.is_gone(cluster, &job).await?;
    }
    w.delete(&["dap", "once"]).await?;
    w.is_gone("jishi", &["cronjob", "often"]).await?;
    w.delete(&["cronjob/often"]).await
}

pub(crate) async fn five_hundred_and_a_large_one(w: &World) -> Result<()> {
    let map = |name: String, data: String| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": NS, "labels": {"app": "many"}}, "data": {"key": data}})
    };
    let mut items: Vec<Value> = (0..499).map(|i| map(format!("many-{i}"), i.to_string())).collect();
    items.push(map("many-large".to_owned(), "x".repeat(1_000_000)));
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "many"}, "items": items});
    let file = w.file(&list)?;
    w.ok("hub", LI, &["apply", "--server-side", "-f", &file]).await?;
    let started = std::time::Instant::now();
    w.put(&placement("many", "many", json!({}))).await?;
    w.placement_reason("many", "Running").await?;
    println!(
        "500 objects in both centres after {:.1} s",
        started.elapsed().as_secs_f32()
    );
    for centre in METRO {
        let found = w.get(centre, &["configmap", "-n", NS, "-l", "app=many"]).await?;
        let count = found["items"].as_array().context("a list")?.len();
        ensure!(count == 500, "{count} in {centre}");
    }
    w.delete(&["dap", "many"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["configmap", "-l", "app=many"]).await?;
    }
    // Waiting for each of them takes kubectl longer than the deletion.
    let templates = ["delete", "configmap", "-n", NS, "-l", "app=many", "--wait=false"];
    w.ok("hub", LI, &templates).await.map(drop)
}
