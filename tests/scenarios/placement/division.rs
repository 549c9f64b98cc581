//! How many copies run where.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, autoscaler, deployment, placement};
use crate::world::{METRO, PATIENCE, World};

async fn both(w: &World, name: &str, replicas: i64, spec: Value) -> Result<()> {
    w.put(&deployment(name, name, replicas)).await?;
    w.put(&placement(name, name, spec)).await
}

async fn end(w: &World, name: &str) -> Result<()> {
    w.delete(&["dap", name]).await?;
    w.delete(&["deploy", name]).await?;
    for centre in METRO {
        w.is_gone(centre, &["deploy", name]).await?;
    }
    Ok(())
}

pub(crate) async fn weights_and_the_odd_copy(w: &World) -> Result<()> {
    both(w, "odd", 7, json!({})).await?;
    w.copies("odd", "odd", [4, 3]).await?;
    let weights = json!({"centres": [{"name": "jishi", "weight": 2}, {"name": "jiyidong"}]});
    both(w, "odd", 9, weights.clone()).await?;
    w.copies("odd", "odd", [6, 3]).await?;
    both(w, "odd", 4, weights).await?;
    w.copies("odd", "odd", [3, 1]).await?;
    // What nobody changed keeps its generation.
    let generation = |o: Value| o["metadata"]["generation"].clone();
    let before = generation(w.get("jishi", &["deploy", "odd", "-n", NS]).await?);
    w.patch(
        "hub",
        None,
        &["dap", "odd"],
        &json!({"metadata": {"labels": {"touched": "yes"}}}),
    )
    .await?;
    both(
        w,
        "odd",
        5,
        json!({"centres": [{"name": "jishi", "weight": 2}, {"name": "jiyidong"}]}),
    )
    .await?;
    w.copies("odd", "odd", [3, 2]).await?;
    let after = generation(w.get("jishi", &["deploy", "odd", "-n", NS]).await?);
    ensure!(before == after, "generation went from {before} to {after}");
    end(w, "odd").await
}

pub(crate) async fn min_and_max(w: &World) -> Result<()> {
    let centres =
        |min: i64, max: i64| json!({"centres": [{"name": "jishi", "max": max}, {"name": "jiyidong", "min": min}]});
    both(w, "bounds", 8, centres(0, 2)).await?;
    w.copies("bounds", "bounds", [2, 6]).await?;
    both(w, "bounds", 8, centres(5, 8)).await?;
    w.copies("bounds", "bounds", [3, 5]).await?;
    both(w, "bounds", 8, centres(9, 9)).await?;
    w.placement_reason("bounds", "BoundsConflict").await?;
    let said = w.message("bounds").await?;
    ensure!(said.contains("has 8 copies") && said.contains("at least 9"), "{said}");
    end(w, "bounds").await
}

pub(crate) async fn hot_warm_and_none(w: &World) -> Result<()> {
    let standby = |active: &str, how: &str| json!({"mode": "ActiveStandby", "active": active, "standby": how});
    both(w, "standby", 4, standby("jishi", "Hot")).await?;
    w.copies("standby", "standby", [4, 4]).await?;
    both(w, "standby", 4, standby("jishi", "Warm")).await?;
    w.copies("standby", "standby", [4, 0]).await?;
    // The side moves: up there first, down here when that is ready.
    both(w, "standby", 4, json!({"mode": "ActiveStandby", "active": "jiyidong"})).await?;
    w.is_gone("jishi", &["deploy", "standby"]).await?;
    let moved = w.placement_reason("standby", "Running").await?;
    ensure!(
        moved["status"]["active"] == json!(["jiyidong"]),
        "{}",
        moved["status"]["active"]
    );
    end(w, "standby").await
}

/// An autoscaler does nothing about a standby at none: the move starts it with what was decided, and stops what it left.
pub(crate) async fn a_standby_with_an_autoscaler(w: &World) -> Result<()> {
    w.put(&autoscaler("waits")).await?;
    let warm = json!({"mode": "ActiveStandby", "active": "jishi", "standby": "Warm"});
    both(w, "waits", 3, warm).await?;
    w.copies("waits", "waits", [3, 0]).await?;
    // As the autoscaler would.
    w.ok("jishi", None, &["scale", "deploy/waits", "--replicas=5", "-n", NS])
        .await?;
    w.copies("waits", "waits", [5, 0]).await?;
    let failover = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Failover",
        "metadata": {"name": "waits", "namespace": NS},
        "spec": {"placementRef": {"name": "waits"}, "type": "Planned", "from": "jishi", "to": "jiyidong"}});
    w.put(&failover).await?;
    w.field(
        "hub",
        &["failover", "waits"],
        "/status/phase",
        &json!("Succeeded"),
        PATIENCE,
    )
    .await?;
    w.copies("waits", "waits", [0, 3]).await?;
    end(w, "waits").await?;
    w.delete(&["hpa", "waits"]).await?;
    w.ok("hub", None, &["delete", "failover", "waits", "-n", NS])
        .await
        .map(drop)
}

pub(crate) async fn exclusive_on_one_side(w: &World) -> Result<()> {
    both(w, "single", 2, json!({"mode": "Exclusive", "active": "jiyidong"})).await?;
    let found = w.placement_reason("single", "Running").await?;
    ensure!(
        found["status"]["total"] == json!({"wanted": 2, "ready": 2}),
        "{}",
        found["status"]["total"]
    );
    ensure!(
        !w.is_there("jishi", &["deploy", "single"]).await?,
        "it runs on both sides"
    );
    let other = placement("single", "single", json!({"mode": "Exclusive", "active": "jishi"}));
    let file = w.file(&other)?;
    w.refused(
        "hub",
        crate::stage::LI,
        &["apply", "-f", &file],
        "does not move by an edit",
    )
    .await?;
    end(w, "single").await
}

pub(crate) async fn a_grant_too_small(w: &World) -> Result<()> {
    both(w, "large", 80, json!({})).await?;
    w.placement_reason("large", "GrantTooSmall").await?;
    let said = w.message("large").await?;
    ensure!(
        said.contains("needs cpu 40") && said.contains("granted there cpu 32") && said.contains("short of cpu 8"),
        "{said}"
    );
    for centre in METRO {
        ensure!(
            !w.is_there(centre, &["deploy", "large"]).await?,
            "half-placed in {centre}"
        );
    }
    both(w, "large", 60, json!({})).await?;
    w.copies("large", "large", [30, 30]).await?;
    // A second one finds what the first has left.
    both(w, "late", 6, json!({})).await?;
    w.placement_reason("late", "GrantTooSmall").await?;
    let said = w.message("late").await?;
    ensure!(
        said.contains("other placements hold cpu 30") && said.contains("short of cpu 1"),
        "{said}"
    );
    end(w, "large").await?;
    w.copies("late", "late", [3, 3]).await?;
    end(w, "late").await
}
