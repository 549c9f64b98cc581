//! `kubectl apply --dry-run=server` and `kubectl xiangyun quote` say what the real thing then does, and charge nothing.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::ledger::{charged, is_quiet, version};
use crate::life::released;
use crate::world::{METRO, PATIENCE, World, small_request};

const NS: &str = "dept-jyt";
const REQUESTER: &str = "wu.gang";

/// What `quote` says of the request.
pub(crate) async fn quoted(w: &World, user: &str, request: &Value) -> Result<Value> {
    let file = w.file(request)?;
    let output = w.plugin(user, &["quote", "-f", &file, "-o", "json"]).await?;
    let all: Value =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(all[0].clone())
}

/// What the server says to a request that it refuses, in a dry run or not.
async fn refusal(w: &World, dry: &[&str], file: &str) -> Result<String> {
    let args = [["apply", "-f", file].as_slice(), dry].concat();
    let output = w.cloud.kubectl("hub", Some(REQUESTER), &args).await?;
    ensure!(!output.status.success(), "{args:?} was accepted");
    Ok(String::from_utf8(output.stderr)?)
}

pub(crate) async fn refused_and_granted_as_it_was_quoted(w: &World) -> Result<()> {
    let dry = ["--dry-run=server"];
    let before = version(&is_quiet(w).await?)?;
    let never = small_request(NS, "quoted-never", 90_000);
    let file = w.file(&never)?;
    let words = refusal(w, &dry, &file).await?;
    let quote = quoted(w, REQUESTER, &never).await?;
    let [refused] = quote["refusals"].as_array().context("refusals")?.as_slice() else {
        bail!("{quote}")
    };
    let refused = refused.as_str().context("words")?;
    ensure!(
        quote["accepted"] == false && refused.contains("ExceedsMaxQuota"),
        "{quote}"
    );
    ensure!(
        words.trim_end().ends_with(refused),
        "quote: {refused}\ndry run: {words}"
    );
    let really = refusal(w, &[], &file).await?;
    ensure!(really == words, "dry run: {words}\napply: {really}");

    let fits = small_request(NS, "quoted-fits", 5);
    let file = w.file(&fits)?;
    let args = [["apply", "-f", &file].as_slice(), &dry].concat();
    w.ok("hub", Some(REQUESTER), &args).await?;
    let quote = quoted(w, REQUESTER, &fits).await?;
    ensure!(quote["fits"] == true && quote["approvals"] == json!([]), "{quote}");
    let after = version(&is_quiet(w).await?)?;
    ensure!(before == after, "the ledger went from {before} to {after}");
    w.apply("hub", Some(REQUESTER), &fits).await?;
    let granted = w.request_reason(NS, "quoted-fits", "Active").await?;
    let pools = granted["status"]["allocation"]["pools"].as_array().context("pools")?;
    let parts = pools.iter().flat_map(|pool| {
        let centres = pool["centres"].as_array().into_iter().flatten();
        centres.map(|c| json!([pool["name"], c["name"], c["share"], c["survival"]]))
    });
    let promised = quote["pools"].as_array().context("pools")?.iter();
    let promised = promised.map(|row| json!([row["pool"], row["centre"], row["share"], row["survival"]]));
    let (parts, promised): (Vec<_>, Vec<_>) = (parts.collect(), promised.collect());
    ensure!(
        parts == promised && parts.len() == 2,
        "granted {parts:?}, quoted {promised:?}"
    );
    released(w, REQUESTER, NS, "quoted-fits").await
}

/// A change names no architecture. For a new grant amd64 would go first; what is on ARM stays there, as quoted, and takes
/// nothing of x86.
pub(crate) async fn a_change_of_arm_stays_on_arm(w: &World) -> Result<()> {
    let (ns, user, name) = ("dept-yibao", "li.na", "on-arm");
    let before = charged(w, "x86").await?;
    let mut request = small_request(ns, name, 4);
    request["spec"]["architecture"] = json!("arm64");
    w.apply("hub", Some(user), &request).await?;
    w.request_reason(ns, name, "Active").await?;
    let change = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "on-arm-more", "namespace": ns},
        "spec": {"displayName": "变更", "type": "Change", "resources": {"cpu": "8", "memory": "32Gi"},
            "allocationRef": {"name": name}}});
    let quote = quoted(w, user, &change).await?;
    let rows = quote["pools"].as_array().context("pools")?;
    let on_arm = rows.len() == 2 && rows.iter().all(|row| row["pool"] == "arm");
    ensure!(quote["fits"] == true && on_arm, "{quote}");
    w.apply("hub", Some(user), &change).await?;
    w.request_reason(ns, "on-arm-more", "Completed").await?;
    let changed = w.request_reason(ns, name, "Active").await?;
    let pools = changed["status"]["allocation"]["pools"].as_array().context("pools")?;
    let [only] = pools.as_slice() else { bail!("{pools:?}") };
    ensure!(
        only["name"] == "arm" && only["amounts"] == json!({"cpu": "8", "memory": "32Gi"}),
        "{only}"
    );
    for centre in METRO {
        w.quota_is(centre, "dept-yibao-arm", "requests.cpu", "4", PATIENCE)
            .await?;
    }
    let found = charged(w, "arm").await?;
    ensure!(found.iter().all(|c| c.cpu == 8000), "{found:?}");
    ensure!(charged(w, "x86").await? == before, "x86 was charged for it");
    released(w, user, ns, name).await
}
