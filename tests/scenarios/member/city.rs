//! Words about the member cloud: how it joins, what its agent wrote there, and what its people confirm.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::NS;
use crate::world::{PATIENCE, World};

/// The cluster that plays the member cloud, its agent, and one of its people.
pub(crate) const CITY: &str = "baicheng";
pub(crate) const AGENT: &str = "agent-1@baicheng";
pub(crate) const JIN: Option<&str> = Some("jin.shan");
/// The platform team.
pub(crate) const ZHAO: Option<&str> = Some("zhao.min");

/// Its DataCenter, as the platform team writes it.
pub(crate) fn data_center(stage: &str, cpu: i64) -> Value {
    let amounts = json!({"cpu": cpu.to_string(), "memory": "4Ti"});
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": CITY},
        "spec": {"displayName": "白城市政务云", "role": "Member", "operator": "BaichengCity",
            "member": {"type": "City", "stage": stage, "lend": [{"pool": "lent", "amounts": amounts}]}}})
}

/// A pool of what the city has; 64 vCPU need nobody.
pub(crate) fn pool() -> Value {
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": "lent"},
        "spec": {"displayName": "出借池", "architecture": "amd64", "zone": "GovExtranet",
            "centres": [{"name": CITY, "source": "Nodes"}],
            "approval": {"automaticUpTo": {"cpu": "64", "memory": "1Ti"}, "levels": []}}})
}

impl World {
    /// The tenant may have something of the pool.
    pub(crate) async fn opens(&self, tenant: &str) -> Result<()> {
        let ceiling = json!({"pool": "lent", "amounts": {"cpu": "1000", "memory": "10Ti"}});
        let patch = json!([{"op": "add", "path": "/spec/ceilings/-", "value": ceiling}]).to_string();
        let args = ["patch", "dept", tenant, "--type=json", "-p", &patch];
        self.ok("hub", ZHAO, &args).await.map(drop)
    }

    /// The city applies what `join` prints for that stage.
    pub(crate) async fn city_applies(&self, stage: &str) -> Result<()> {
        let printed = self
            .plugin("zhao.min", &["join", CITY, "--stage", stage, "--lang", "zh"])
            .await?;
        let text = String::from_utf8_lossy(&printed.stdout).into_owned();
        ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        ensure!(!text.contains("PRIVATE KEY"), "a key is printed");
        let file = self.cloud.dir().join(format!("join-{stage}.yaml"));
        std::fs::write(&file, text)?;
        self.ok(CITY, None, &["apply", "-f", &file.to_string_lossy()])
            .await
            .map(drop)
    }

    /// The platform team sets stage and lend; waits until the agent goes by them.
    pub(crate) async fn stage_is(&self, stage: &str, lends: i64) -> Result<()> {
        self.apply("hub", ZHAO, &data_center(stage, lends)).await?;
        eventually(PATIENCE, &format!("the agent goes by {stage}"), || async {
            let found = self.get("hub", &["dcn", CITY]).await?;
            let report = &found["status"]["report"];
            ensure!(
                report["stage"] == stage && report["readyNodes"] == 5,
                "it reports {report}"
            );
            Ok(())
        })
        .await
    }

    /// Lines of the city's audit log.
    pub(crate) fn audited(&self) -> Result<usize> {
        Ok(std::fs::read_to_string(self.cloud.audit_log(CITY)?)?.lines().count())
    }

    /// What our user tried to write in the city since then, by the city's own audit log; the agent's own namespace aside
    /// where it may write there.
    pub(crate) fn written(&self, since: usize, aside: Option<&str>) -> Result<Vec<String>> {
        let log = std::fs::read_to_string(self.cloud.audit_log(CITY)?)?;
        let mut found = Vec::new();
        // The last line may be half written.
        let whole = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        for line in whole.skip(since) {
            let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let ours = event["user"]["username"] == "xiangyun:centre:baicheng";
            let reads = ["get", "list", "watch"].iter().any(|verb| event["verb"] == *verb);
            let apart = aside.is_some_and(|ns| event["objectRef"]["namespace"] == ns);
            if ours && !reads && !apart {
                found.push(format!("{} {}", event["verb"], event["requestURI"]));
            }
        }
        Ok(found)
    }

    /// Waits for the placement's row of the city to say that. Answers the row.
    pub(crate) async fn row(&self, placement: &str, reason: &str) -> Result<Value> {
        self.placement_reason(placement, reason).await?;
        let found = self.get("hub", &["dap", placement, "-n", NS]).await?;
        Ok(found["status"]["centres"][0].clone())
    }

    /// Waits until the city's row of the placement asks for something else than that row did. Answers the new one.
    pub(crate) async fn another_row(&self, placement: &str, before: &Value) -> Result<Value> {
        eventually(PATIENCE, "it asks for something else", || async {
            let row = self.row(placement, "AwaitingConfirmation").await?;
            ensure!(row["confirm"] != before["confirm"], "{row}");
            Ok(row)
        })
        .await
    }

    /// Waits for the city's row of a grant to say that.
    pub(crate) async fn grant_row(&self, request: &str, reason: &str) -> Result<()> {
        eventually(PATIENCE, &format!("the row of {request} says {reason}"), || async {
            let found = self.get("hub", &["rreq", request, "-n", NS]).await?;
            let rows = &found["status"]["centres"];
            ensure!(rows[0]["name"] == CITY && rows[0]["reason"] == reason, "{rows}");
            Ok(())
        })
        .await
    }

    /// Waits for `diff` to say of the city that its people are that far with that content.
    pub(crate) async fn diff_says(&self, placement: &str, state: &str, content: &Value) -> Result<()> {
        eventually(PATIENCE, &format!("diff says {state}"), || async {
            let what = format!("dap/{placement}");
            let printed = self.plugin("li.na", &["diff", &what, "-n", NS, "-o", "json"]).await?;
            let found: Value = serde_json::from_slice(&printed.stdout)?;
            let said = &found["centres"][0]["confirmation"];
            ensure!(said["state"] == state && said["content"] == *content, "{found}");
            ensure!(said["group"] == "xiangyun:member:baicheng", "{said}");
            Ok(())
        })
        .await
    }

    /// Confirms what the row asks, as the row says how.
    pub(crate) async fn confirm(&self, person: Option<&str>, placement: &str, row: &Value) -> Result<String> {
        let name = row["confirm"].as_str().context("nothing to confirm")?;
        let annotation = format!("confirmed.xiangyun.io/{CITY}={name}");
        let message = row["message"].as_str().unwrap_or_default();
        ensure!(message.contains(&annotation), "{message}");
        let args = [
            "annotate",
            &format!("dap/{placement}"),
            "-n",
            NS,
            &annotation,
            "--overwrite",
        ];
        self.ok("hub", person, &args).await
    }

    /// Uids of the Deployment and its pods in the city, those on their way out aside.
    pub(crate) async fn standing(&self, name: &str) -> Result<Vec<Value>> {
        let mut all = vec![self.uid(CITY, &["deploy", name]).await?];
        let pods = self
            .get(CITY, &["pods", "-n", NS, "-l", &format!("name={name}")])
            .await?;
        let pods = pods["items"].as_array().into_iter().flatten();
        let pods = pods.filter(|p| p["metadata"]["deletionTimestamp"].is_null());
        all.extend(pods.map(|p| p["metadata"]["uid"].clone()));
        Ok(all)
    }
}
