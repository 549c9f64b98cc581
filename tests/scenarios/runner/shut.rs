//! A pod of an exclusive placement, and the gate of its node.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, eventually};

use crate::ground::{NODE, SOON, World, address, process};

/// Records of the ordinary writer while the exclusive one is looked at: two seconds.
const MEANWHILE: usize = 40;

pub(crate) async fn without_a_permit_nothing_lands(w: &World) -> Result<()> {
    w.deploy("exam", "writer", true).await?;
    let pod = w.ready("exam").await?;
    w.lands("writer", MEANWHILE).await?;
    ensure!(w.landed("exam")? == 0, "nobody permitted it");
    // Only the gate holds it back: with a permit it gets through, and no longer than that lasts. On a busy machine one may
    // be over before the writer tries again.
    let ip = address(&pod)?.ip();
    let permit = format!("add element inet xiangyun_gate permits4 {{ {ip} timeout 1500ms }}");
    eventually(SOON, "the permit lets it through", || async {
        let done = w.cloud.exec_on_node(Place::Jishi, NODE, "nft", &[&permit]).await?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        ensure!(w.landed("exam")? > 0, "nothing landed");
        Ok(())
    })
    .await?;
    closes(w).await
}

/// Waits until nothing of the exclusive writer lands any more.
async fn closes(w: &World) -> Result<()> {
    eventually(SOON, "the permit runs out", || async {
        let before = w.landed("exam")?;
        w.lands("writer", MEANWHILE).await?;
        let after = w.landed("exam")?;
        ensure!(after == before, "{} landed meanwhile", after - before);
        Ok(())
    })
    .await
}

pub(crate) async fn a_rebooted_node_is_shut(w: &World) -> Result<()> {
    let exam = w.ready("exam").await?;
    let before = (w.cloud.pid(&process(&exam)?), w.landed("exam")?);
    ensure!(before.0.is_some(), "it does not run");
    w.cloud.reboot_node(Place::Jishi, NODE).await?;
    let web = eventually(SOON, "the pod was started again", || async {
        let web = w.ready("web").await?;
        let statuses = web
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_deref());
        let started = statuses
            .and_then(|all| all.first())
            .context("no container")?
            .restart_count;
        ensure!(started > 0, "started {started} times again");
        Ok(web)
    })
    .await?;
    w.get(Place::Jiyidong, address(&web)?, "/")?;
    w.lands("writer", MEANWHILE).await?;
    let after = (w.cloud.pid(&process(&exam)?), w.landed("exam")?);
    ensure!(after.0.is_some() && after.0 != before.0, "{before:?}, then {after:?}");
    ensure!(after.1 == before.1, "the gate was open after the start");
    for (scope, verdict) in w.cloud.judge_writes()? {
        ensure!(verdict.violations.is_empty(), "{scope}: {:?}", verdict.violations);
    }
    Ok(())
}
