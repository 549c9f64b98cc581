//! `xiangyun dashboards`: Grafana boards in two languages, and the alerts.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

/// Arguments of `xiangyun dashboards`.
#[derive(Args)]
pub(crate) struct DashboardsArgs {
    /// Folder to write them into
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &DashboardsArgs) -> anyhow::Result<()> {
    ::dashboards::write(&args.dir).with_context(|| format!("writing into {}", args.dir.display()))
}
