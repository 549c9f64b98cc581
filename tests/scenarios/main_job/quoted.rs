//! `kubectl apply --dry-run=server` and `kubectl xiangyun quote` say what the real thing then does, and charge nothing.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::ledger::{is_quiet, version};
use crate::life::released;
use crate::world::{World, small_request};

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
