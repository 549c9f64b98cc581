//! `xiangyun agent`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use controllers::centre::{self, Options, RightOptions};
use controllers::fail_point::FailPoints;
use controllers::quorum::Config;
use controllers::serve::Port;
use tokio_util::sync::CancellationToken;

use crate::clock::ClockArgs;
use crate::process::beside_port;

/// Arguments of `xiangyun agent`.
#[derive(Args)]
pub(crate) struct AgentArgs {
    /// Name of the centre, as its DataCenter is called in the hub
    #[arg(long, env = "XIANGYUN_CENTRE", value_name = "NAME")]
    centre: String,
    /// Kubeconfig of the hub
    #[arg(long, env = "XIANGYUN_HUB_KUBECONFIG", value_name = "FILE")]
    hub_kubeconfig: PathBuf,
    /// Kubeconfig of the centre's own cluster; without it the pod's service account
    #[arg(long, env = "XIANGYUN_CENTRE_KUBECONFIG", value_name = "FILE")]
    centre_kubeconfig: Option<PathBuf>,
    /// Address of /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "XIANGYUN_METRICS_ADDR",
        default_value = "0.0.0.0:9401",
        value_name = "IP:PORT"
    )]
    metrics_addr: SocketAddr,
    #[command(flatten)]
    clock: ClockArgs,
    /// Where the arbiter is, as JSON; without it exclusive placements never move
    #[arg(long, env = "XIANGYUN_ARBITER_CONFIG", value_name = "FILE")]
    arbiter_config: Option<PathBuf>,
    /// Address at which the gates of the nodes ask; with it exclusive pods run only on nodes with a gate
    #[arg(
        long,
        env = "XIANGYUN_PERMITS_ADDR",
        requires = "arbiter_config",
        value_name = "IP:PORT"
    )]
    permits_addr: Option<SocketAddr>,
    /// File that names a step at which this process ends or stops
    #[arg(long, hide = true, requires = "playground", value_name = "FILE")]
    fail_point_file: Option<PathBuf>,
}

pub(crate) async fn run(args: AgentArgs, port: Port, stop: CancellationToken) -> anyhow::Result<()> {
    let arbiter = args.arbiter_config.as_deref().map(Config::read).transpose()?;
    let options = Options {
        rights: arbiter.map(|config| RightOptions {
            config,
            permits: args.permits_addr,
            kubeconfig: args.centre_kubeconfig.clone(),
        }),
        centre: args.centre,
        hub: controllers::client::connect(Some(&args.hub_kubeconfig)).await?,
        cluster: controllers::client::connect(args.centre_kubeconfig.as_deref()).await?,
        registry: port.registry.clone(),
        ready: Arc::clone(&port.ready),
        clock: args.clock.into(),
        fail_points: FailPoints {
            file: args.fail_point_file,
        },
    };
    let work = async { Ok(Box::pin(centre::run(options, stop)).await?) };
    beside_port(args.metrics_addr, port, work).await
}
