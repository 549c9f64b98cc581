//! The plugin on placements, as a department and as the platform team.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{LI, NS, deployment, placement};
use crate::world::{PATIENCE, World};

/// Exit code and answer of a command, as that person.
async fn ask(w: &World, person: &str, args: &[&str]) -> Result<(i32, Value)> {
    let output = w.plugin(person, &[args, &["-n", NS, "-o", "json"]].concat()).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout).with_context(|| format!("{args:?} as {person}: {error}"))?;
    Ok((output.status.code().context("it was killed")?, answer))
}

pub(crate) async fn the_plugin_explains(w: &World) -> Result<()> {
    w.put(&deployment("told", "told", 80)).await?;
    w.put(&placement("told", "told", json!({"drift": "Report"}))).await?;
    w.placement_reason("told", "GrantTooSmall").await?;
    let (code, why) = ask(w, "li.na", &["why", "dap/told"]).await?;
    ensure!((code, &why["state"]) == (1, &json!("HELD")), "{code}: {why}");
    let (room, options) = (&why["rooms"][0], why["options"].as_array().context("options")?);
    ensure!(room["wanted"] == 80 && room["fits"] == 64, "{room}");
    ensure!(
        options
            .iter()
            .any(|o| o.as_str().is_some_and(|o| o.contains("64 instead of 80"))),
        "{options:?}"
    );
    w.put(&deployment("told", "told", 4)).await?;
    w.copies("told", "told", [2, 2]).await?;
    let (code, why) = ask(w, "li.na", &["why", "dap/told"]).await?;
    ensure!((code, &why["state"]) == (0, &json!("RUNNING")), "{code}: {why}");
    let (_, page) = ask(w, "li.na", &["status", "dap/told"]).await?;
    ensure!(page["centres"].as_array().is_some_and(|c| c.len() == 2), "{page}");
    ensure!(page["objects"][0]["follows"] == false, "{}", page["objects"]);
    let (_, page) = ask(w, "zhao.min", &["status", "dap/told"]).await?;
    ensure!(
        page["objects"][0]["follows"].is_null() && !page["notes"].is_null(),
        "{page}"
    );
    for person in ["li.na", "zhao.min"] {
        lost(w, person).await?;
    }
    differs(w).await?;
    w.delete(&["dap", "told"]).await?;
    w.delete(&["deploy", "told"]).await
}

/// What is left without a centre, what the other may raise to, and that it fits.
async fn lost(w: &World, person: &str) -> Result<()> {
    let (_, loss) = ask(w, person, &["simulate", "--lose", "jishi"]).await?;
    let hits = loss["placements"].as_array().context("placements")?;
    let told = hits.iter().find(|h| h["name"] == "told").context("it is not touched")?;
    let found = [&told["wanted"], &told["left"], &told["raisedTo"], &told["fits"]];
    ensure!(
        found == [&json!(4), &json!(2), &json!(4), &json!(true)],
        "{person}: {told}"
    );
    Ok(())
}

/// Nothing, and then an edit by hand, as the hub knows it and as it is read in the centre.
async fn differs(w: &World) -> Result<()> {
    let live = ["diff", "dap/told", "--centre-context", "jiyidong=jiyidong"];
    for args in [&live[..2], &live] {
        eventually(PATIENCE, "nothing differs", || async {
            let (code, diff) = ask(w, "li.na", args).await?;
            ensure!(code == 0, "{diff}");
            Ok(())
        })
        .await?;
    }
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "registry.invalid/c:by-hand"}]}}}});
    let patch = image.to_string();
    let edit = ["patch", "deploy", "told", "-n", NS, "--type=strategic", "-p", &patch];
    w.ok("jiyidong", LI, &edit).await?;
    w.placement_reason("told", "Drifted").await?;
    for args in [&live[..2], &live] {
        let (code, diff) = ask(w, "li.na", args).await?;
        ensure!(code == 1, "{code}: {diff}");
        ensure!(
            diff.to_string().contains("spec.template.spec.containers[c].image"),
            "{diff}"
        );
    }
    Ok(())
}
