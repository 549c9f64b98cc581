//! What must come out right whatever happens on the way: the scenarios of the quota's design, by name.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};
use serde_json::{Value, json};

use crate::world::{FIFTY, FIVE, OPERATORS, PATIENCE, TENANT, World};

pub(crate) async fn ten_at_once_for_room_for_five(w: &World) -> Result<()> {
    w.ask_for(FIVE, "ten", 10).await?;
    w.granted("ten", 5, 5).await?;
    w.clear("ten").await
}

/// A request is taken back between the swap that gives it room and the write of its grant.
pub(crate) async fn failed_write_frees(w: &World) -> Result<()> {
    let (leader, _) = w.leader().await?;
    w.cloud.arm(leader, Some("after-swap stop"))?;
    w.ask_for(FIVE, "frees", 10).await?;
    w.frozen(leader).await?;
    // The history may be a moment behind the leader, who stops as soon as its swap is answered.
    w.until("somebody has room", |judge| {
        ensure!(!judge.under_way().is_empty(), "nobody has");
        Ok(())
    })
    .await?;
    let chosen = w.ask(crate::judge::Judge::under_way)?;
    let chosen = chosen.get(..1).context("somebody has room")?;
    w.ask_to_delete(chosen).await?;
    w.cloud.thaw(leader).await?;
    w.gone(chosen).await?;
    w.granted("frees", 5, 4).await?;
    w.clear("frees").await
}

/// Fifty of a hundred fit; the leader dies when it has granted some of them, and comes back later.
pub(crate) async fn hundred_writers_two_replicas_leader_killed(w: &World) -> Result<()> {
    let (leader, _) = w.leader().await?;
    let killed = async {
        w.until("some are granted", |judge| {
            ensure!(judge.live("hundred").len() >= 5, "not yet");
            Ok(())
        })
        .await?;
        w.cloud.kill(leader).await
    };
    futures::future::try_join(w.ask_for(FIFTY, "hundred", 100), killed).await?;
    w.cloud.start_process(leader).await?;
    w.granted("hundred", 50, 50).await?;
    w.clear("hundred").await
}

pub(crate) async fn server_restarted_midway(w: &World) -> Result<()> {
    let restarted = async {
        w.until("something is under way", |judge| {
            ensure!(!judge.under_way().is_empty(), "not yet");
            Ok(())
        })
        .await?;
        w.cloud.kill("hub-apiserver@hub").await?;
        w.cloud.start_process("hub-apiserver@hub").await
    };
    futures::future::try_join(w.ask_for(FIVE, "server", 10), restarted).await?;
    w.granted("server", 5, 5).await?;
    w.clear("server").await
}

/// The ledger is deleted while grants are under way, and its successor while it recounts or soon after.
pub(crate) async fn ledger_deleted_midway(w: &World) -> Result<()> {
    let lost = async {
        w.until("something is under way", |judge| {
            ensure!(!judge.under_way().is_empty(), "not yet");
            Ok(())
        })
        .await?;
        let first = w.ask(|judge| judge.ledger().map(|(uid, _)| uid.to_owned()))?;
        w.lose_ledger().await?;
        w.until("there is another ledger", |judge| {
            let uid = judge.ledger().map(|(uid, _)| uid.to_owned());
            ensure!(uid.is_some() && uid != first, "not yet");
            Ok(())
        })
        .await?;
        w.lose_ledger().await
    };
    futures::future::try_join(w.ask_for(FIVE, "ledger", 10), lost).await?;
    w.granted("ledger", 5, 5).await?;
    w.clear("ledger").await
}

/// Both operators die while grants are under way, and the ledger is gone when they come back.
pub(crate) async fn restart_rebuild(w: &World) -> Result<()> {
    let (leader, _) = w.leader().await?;
    w.cloud.arm(leader, Some("after-apply stop"))?;
    w.ask_for(FIVE, "rebuild", 10).await?;
    w.frozen(leader).await?;
    for (operator, _) in OPERATORS {
        w.cloud.kill(operator).await?;
    }
    w.lose_ledger().await?;
    for (operator, _) in OPERATORS {
        w.cloud.start_process(operator).await?;
    }
    w.granted("rebuild", 5, 5).await?;
    w.clear("rebuild").await
}

/// A leader an hour ahead grants as any other; the one that follows it has the right time. An hour behind is the same.
pub(crate) async fn clock_an_hour_off(w: &World) -> Result<()> {
    for (prefix, offset) in [("ahead", 3600), ("behind", -3600)] {
        let (leader, place) = w.leader().await?;
        w.cloud.clock(place, offset)?;
        w.ask_for(FIVE, prefix, 10).await?;
        w.granted(prefix, 5, 5).await?;
        w.cloud.kill(leader).await?;
        w.forget_lease().await?;
        w.cloud.clock(place, 0)?;
        w.cloud.start_process(leader).await?;
        w.clear(prefix).await?;
    }
    Ok(())
}

/// With no operator at all what was granted goes on: pods start within the quota, and none beyond it.
pub(crate) async fn operator_down_tenants_unaffected(w: &World) -> Result<()> {
    w.ask_for(FIVE, "down", 1).await?;
    w.granted("down", 1, 0).await?;
    let quota = async |centre: &str| -> Result<Value> {
        let args = ["get", "resourcequota", "xiangyun", "-n", TENANT, "-o", "json"];
        Ok(serde_json::from_str(&w.kubectl(centre, None, &args).await?)?)
    };
    let before = eventually(PATIENCE, "the grant is a quota", || async {
        let found = quota("jishi").await?;
        ensure!(
            found["spec"]["hard"]["requests.cpu"] == "2",
            "{}",
            found["spec"]["hard"]
        );
        Ok(found)
    })
    .await?;
    for (operator, _) in OPERATORS {
        w.cloud.kill(operator).await?;
    }
    w.ask_for(FIVE, "unserved", 1).await?;
    eventually(PATIENCE, "a pod is let in", || pod(w, "within", "1")).await?;
    let refused = pod(w, "beyond", "2").await.map_err(|e| e.to_string());
    ensure!(
        refused.as_ref().is_err_and(|e| e.contains("exceeded quota")),
        "{refused:?}"
    );
    ensure!(
        quota("jishi").await?["metadata"]["uid"] == before["metadata"]["uid"],
        "made anew"
    );
    ensure!(w.ask(|judge| judge.live("unserved").is_empty())?, "nobody decides");
    let delete = ["delete", "pod", "within", "-n", TENANT, "--grace-period=0", "--force"];
    w.kubectl("jishi", None, &delete).await?;
    for (operator, _) in OPERATORS {
        w.cloud.start_process(operator).await?;
    }
    w.granted("unserved", 1, 0).await?;
    w.clear("unserved").await?;
    w.clear("down").await
}

/// Starts a pod in the tenant's namespace in jishi.
pub(crate) async fn pod(w: &World, name: &str, cpu: &str) -> Result<()> {
    let amounts = json!({"cpu": cpu, "memory": "1Gi"});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": TENANT},
        "spec": {"containers": [{"name": "c", "image": "registry.invalid/c:1",
            "resources": {"requests": amounts, "limits": amounts}}]}});
    let file = w.cloud.dir().join(format!("{name}.json"));
    std::fs::write(&file, pod.to_string())?;
    let create = ["create", "-f", &file.to_string_lossy()];
    w.kubectl(Place::Jishi.name(), Some("li.na"), &create).await.map(drop)
}
