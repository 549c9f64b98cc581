//! What most steps stand on: one Deployment placed in both centres, which must come through as the same object.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::witness::{Witness, agent};
use crate::world::{METRO, World};

/// A Deployment and its placement, both of that name, and what was there before the fault.
pub(crate) struct Ground<'a> {
    w: &'a World,
    pub(crate) name: &'a str,
    uids: Vec<Value>,
    pub(crate) logs: [Witness; 2],
}

impl<'a> Ground<'a> {
    /// Four copies, two in each centre.
    pub(crate) async fn lay(w: &'a World, name: &'a str) -> Result<Self> {
        w.put(&deployment(name, name, 4)).await?;
        w.put(&placement(name, name, json!({}))).await?;
        w.copies(name, name, [2, 2]).await?;
        let logs = [Witness::of(w, METRO[0])?, Witness::of(w, METRO[1])?];
        let uids = uids(w, name).await?;
        Ok(Self { w, name, uids, logs })
    }

    pub(crate) fn what(&self) -> [&'a str; 2] {
        ["deploy", self.name]
    }

    pub(crate) async fn template(&self, copies: i64) -> Result<()> {
        self.w.put(&deployment(self.name, self.name, copies)).await
    }

    pub(crate) async fn copies(&self, copies: [i64; 2]) -> Result<()> {
        self.w.copies(self.name, self.name, copies).await
    }

    /// Stored changes of the Deployment by the agents of each centre.
    pub(crate) fn changes(&self) -> Result<[usize; 2]> {
        let mut all = [0; 2];
        for ((centre, log), count) in METRO.into_iter().zip(&self.logs).zip(&mut all) {
            let writes = log.by(&agent(centre))?;
            let ours = |w: &&crate::witness::Write| w.stored("deployments") && w.name == self.name;
            *count = writes.iter().filter(ours).count();
        }
        Ok(all)
    }

    /// The same objects as before, and no agent asked to delete anything of the department's.
    pub(crate) async fn same(&self) -> Result<()> {
        let now = uids(self.w, self.name).await?;
        ensure!(now == self.uids, "uids went from {:?} to {now:?}", self.uids);
        for (centre, log) in METRO.into_iter().zip(&self.logs) {
            let mut deleted = log.by(&agent(centre))?;
            deleted.retain(crate::witness::Write::deletes);
            ensure!(deleted.is_empty(), "in {centre}: {deleted:?}");
        }
        Ok(())
    }

    /// The same objects still; then the placement takes them away.
    pub(crate) async fn clear(self) -> Result<()> {
        self.same().await?;
        remove(self.w, self.name).await
    }
}

/// Takes a placement away with what it placed, and the Deployment that was its template.
pub(crate) async fn remove(w: &World, name: &str) -> Result<()> {
    w.delete(&["dap", name]).await?;
    for centre in METRO {
        w.is_gone(centre, &["deploy", name]).await?;
    }
    w.ok("hub", None, &["delete", "deploy", name, "-n", NS, "--wait=false"])
        .await
        .map(drop)
}

async fn uids(w: &World, name: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for centre in METRO {
        all.push(w.uid(centre, &["deploy", name]).await?);
    }
    Ok(all)
}
