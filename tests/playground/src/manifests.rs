//! What is shipped in `charts/`, applied to the hub and the centres, and proof that its admission policies act.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::access::eventually;
use crate::cluster::kubeconfig;
use crate::state::State;
use crate::users::ADMIN;

/// How long an API server may refuse or not yet know what was just applied.
const APPLY: Duration = Duration::from_secs(120);
/// How long a policy may take to act after it was applied.
const POLICY: Duration = Duration::from_secs(30);

/// The `charts` folder of this repository, unless another one is named.
pub(crate) fn charts_dir(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        if !named.is_dir() {
            bail!("no folder {}", named.display());
        }
        return Ok(std::path::absolute(named)?);
    }
    Ok(crate::repository().join("charts"))
}

/// A chart and the clusters that it belongs in. The hub's data is shared by its servers, but each of them has to
/// learn of a policy by itself, so all of them are probed.
struct Target {
    chart: PathBuf,
    /// Applied through the first one, probed through all.
    clusters: Vec<String>,
}

/// Applies the hub's chart to the hub and the agent's chart to each centre, and waits until the policies in them act.
/// Returns what was skipped because it does not exist (yet).
pub(crate) async fn apply_all(state: &State, charts: &Path) -> Result<Vec<String>> {
    let hub = state
        .profile
        .hub_places()
        .iter()
        .map(|place| format!("hub@{place}"))
        .collect();
    let mut targets = vec![Target {
        chart: charts.join("xiangyun"),
        clusters: hub,
    }];
    for place in state.profile.centres() {
        targets.push(Target {
            chart: charts.join("agent"),
            clusters: vec![place.to_string()],
        });
    }
    let applied = futures::future::try_join_all(targets.iter().map(|target| apply(state, target))).await?;
    let mut notices: Vec<String> = applied.into_iter().flatten().collect();
    notices.dedup();
    Ok(notices)
}

async fn apply(state: &State, target: &Target) -> Result<Vec<String>> {
    let first = target.clusters.first().context("a chart without a cluster")?;
    let mut notices = Vec::new();
    let crds = target.chart.join("crds");
    if yaml_files(&crds)?.is_empty() {
        if target.chart.ends_with("xiangyun") {
            notices.push(format!("no CRDs in {}: skipped", crds.display()));
        }
    } else {
        apply_folder(state, first, &crds).await?;
        let wait = [
            "wait",
            "--for=condition=Established",
            "customresourcedefinitions",
            "--all",
            "--timeout=30s",
        ];
        kubectl_ok(state, first, ADMIN, &wait).await?;
    }
    let templates = target.chart.join("templates");
    if yaml_files(&templates)?.is_empty() {
        notices.push(format!("no manifests in {}: skipped", templates.display()));
    } else {
        apply_folder(state, first, &templates).await?;
    }
    for probe in yaml_files(&target.chart.join("probe"))? {
        for cluster in &target.clusters {
            refused(state, cluster, &probe).await?;
        }
    }
    Ok(notices)
}

/// Repeats until it succeeds: applying is idempotent, and what a later file brings (a namespace, a kind) makes an
/// earlier one acceptable.
async fn apply_folder(state: &State, cluster: &str, folder: &Path) -> Result<()> {
    let shown = folder.display().to_string();
    eventually(APPLY, &format!("{shown} is applied to {cluster}"), || async {
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", &shown];
        kubectl_ok(state, cluster, ADMIN, &apply).await
    })
    .await
}

/// Waits until the creation of a probe is refused by an admission policy. A probe may begin with the line
/// `# as: USER`; `CENTRE` in it stands for the centre's name.
async fn refused(state: &State, cluster: &str, probe: &Path) -> Result<()> {
    let text = std::fs::read_to_string(probe).with_context(|| format!("cannot read {}", probe.display()))?;
    let user = probe_user(&text).map_or_else(|| ADMIN.to_owned(), |user| user.replace("CENTRE", cluster));
    let shown = probe.display().to_string();
    eventually(POLICY, &format!("{cluster} refuses {shown}"), || async {
        let create = ["create", "--dry-run=server", "-f", &shown];
        let output = kubectl(state, cluster, &user, &create)
            .output()
            .await
            .context("cannot run kubectl")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            bail!("it was accepted: the policy does not act yet");
        }
        if !said.contains("denied request") {
            bail!("it failed, but not by a policy: {}", said.trim());
        }
        Ok(())
    })
    .await
}

fn probe_user(text: &str) -> Option<&str> {
    Some(text.lines().next()?.strip_prefix("# as:")?.trim())
}

/// The YAML files of a folder, sorted; none when it does not exist.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    Ok(files)
}

/// A kubectl of the cloud's own version, for one cluster and user.
pub(crate) fn kubectl(state: &State, cluster: &str, user: &str, args: &[&str]) -> Command {
    let mut command = Command::new(state.tools.join("kubectl"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig(state, cluster, user).display()))
        .args(args);
    // Addresses return in the next cloud, so what was discovered in this one must not stay in the home folder.
    command
        .env("KUBECACHEDIR", state.dir.join("cache"))
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    command
}

async fn kubectl_ok(state: &State, cluster: &str, user: &str, args: &[&str]) -> Result<()> {
    let output = kubectl(state, cluster, user, args)
        .output()
        .await
        .context("cannot run kubectl")?;
    if !output.status.success() {
        let shown = args.join(" ");
        bail!(
            "`kubectl {shown}` in {cluster}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_names_its_user_in_the_first_line() {
        assert_eq!(probe_user("# as: li.na\nkind: X\n"), Some("li.na"));
        assert_eq!(probe_user("kind: X\n# as: li.na\n"), None);
    }
}
