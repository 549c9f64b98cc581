//! The cloud of a benchmark.

use anyhow::{Result, ensure};
use playground::{Cloud, Options, Profile};
use tests::repository;

/// A full cloud with so many nodes in each metro centre, and the examples' centres, pools and tenants.
pub(crate) async fn province(nodes: u32) -> Result<Cloud> {
    let options = Options {
        profile: Profile::Full,
        nodes: Some(nodes),
        progress: true,
        ..Options::default()
    };
    let cloud = Cloud::up(options).await?;
    for file in ["00-centres.yaml", "10-pools.yaml", "20-tenants.yaml"] {
        let file = repository().join("examples").join(file);
        must(&cloud, Some("zhao.min"), &["apply", "-f", &file.to_string_lossy()]).await?;
    }
    for (object, condition) in [("qpool/x86", "Ready"), ("dept/dept-jyt", "Ready")] {
        let condition = format!("--for=condition={condition}");
        must(&cloud, None, &["wait", object, &condition, "--timeout=90s"]).await?;
    }
    Ok(cloud)
}

async fn must(cloud: &Cloud, user: Option<&str>, args: &[&str]) -> Result<()> {
    let output = cloud.kubectl("hub", user, args).await?;
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {args:?}: {err}");
    Ok(())
}
