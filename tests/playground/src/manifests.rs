//! The charts in `charts/`, as `helm template` prints them, applied to the hub and the centres, and proof that their
//! admission policies act.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::access::eventually;
use crate::cluster::kubeconfig;
use crate::state::State;
use crate::tools::KUBERNETES_VERSION;
use crate::users::ADMIN;

/// How long an API server may refuse or not yet know what was just applied.
const APPLY: Duration = Duration::from_secs(120);
/// How long a policy may take to act after it was applied.
const POLICY: Duration = Duration::from_secs(120);

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
    /// Operators and agents run as processes of the cloud, not as pods.
    values: String,
    /// Applied through the first one, probed through all.
    clusters: Vec<String>,
}

/// Applies the hub's chart to the hub and the agent's chart to each centre, and waits until the policies in them act.
pub(crate) async fn apply_all(state: &State, charts: &Path) -> Result<()> {
    let hub = state.profile.hub_places().iter();
    let mut targets = vec![Target {
        chart: charts.join("xiangyun"),
        values: "operator.replicas=0".to_owned(),
        clusters: hub.map(|place| format!("hub@{place}")).collect(),
    }];
    for place in state.profile.centres() {
        targets.push(Target {
            chart: charts.join("agent"),
            values: format!("replicas=0,centre={place}"),
            clusters: vec![place.to_string()],
        });
    }
    let applied = targets.iter().map(|target| apply(state, target));
    futures::future::try_join_all(applied).await.map(drop)
}

async fn apply(state: &State, target: &Target) -> Result<()> {
    let first = target.clusters.first().context("a chart without a cluster")?;
    let manifests = template(state, target, first).await?;
    let shown = manifests.display().to_string();
    // Repeated until it succeeds: applying is idempotent, and what a later object brings (a namespace, a kind) makes an
    // earlier one acceptable.
    eventually(APPLY, &format!("{shown} is applied to {first}"), || async {
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", &shown];
        kubectl_ok(state, first, ADMIN, &apply).await
    })
    .await?;
    for probe in probes(&target.chart)? {
        for cluster in &target.clusters {
            refused(state, cluster, &probe).await?;
        }
    }
    Ok(())
}

/// Renders a chart into a file of the cloud.
async fn template(state: &State, target: &Target, cluster: &str) -> Result<PathBuf> {
    let name = target.chart.file_name().context("a chart without a name")?;
    let version = format!("--kube-version={KUBERNETES_VERSION}");
    let set = format!("--set={}", target.values);
    let output = Command::new(state.tools.join("helm"))
        .arg("template")
        .arg(name)
        .arg(&target.chart)
        .args(["--include-crds", "--namespace=xiangyun-system", &version, &set])
        .envs(
            ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|home| (home, state.dir.join("cache/helm"))),
        )
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run helm")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`helm template {}`: {}", target.chart.display(), said.trim());
    }
    let folder = state.dir.join("manifests");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = folder.join(format!("{cluster}.yaml"));
    std::fs::write(&file, output.stdout).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
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

/// Objects beside a chart that its policies must refuse.
fn probes(chart: &Path) -> Result<Vec<PathBuf>> {
    let folder = chart.join("probe");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
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
        // It ends before its garbage matters.
        .env("GOGC", "off")
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
