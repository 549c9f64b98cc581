//! What it must stand.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::world::{METRO, World};

/// An edit or a deletion in a centre is corrected within this time.
const CORRECTED: Duration = Duration::from_secs(5);

pub(crate) async fn drift_is_corrected(w: &World) -> Result<()> {
    let ns = "dept-yibao";
    for centre in METRO {
        let before = w.quota(centre, ns).await?["requests.cpu"]
            .as_str()
            .context("a quota")?
            .to_owned();
        let edit = r#"{"spec":{"hard":{"requests.cpu":"9999"}}}"#;
        w.ok(
            centre,
            None,
            &[
                "patch",
                "resourcequota",
                "xiangyun",
                "-n",
                ns,
                "--type=merge",
                "-p",
                edit,
            ],
        )
        .await?;
        w.quota_is(centre, ns, "requests.cpu", &before, CORRECTED).await?;
        w.ok(centre, None, &["delete", "resourcequota", "xiangyun", "-n", ns])
            .await?;
        w.quota_is(centre, ns, "requests.cpu", &before, CORRECTED).await?;
    }
    Ok(())
}
