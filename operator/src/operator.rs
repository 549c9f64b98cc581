//! `xiangyun operator`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use controllers::fail_point::FailPoints;
use controllers::operator::Options;
use controllers::quorum::Config;
use controllers::serve::Port;
use tokio_util::sync::CancellationToken;

use crate::clock::ClockArgs;
use crate::process::beside_port;

/// Arguments of `xiangyun operator`.
#[derive(Args)]
pub(crate) struct OperatorArgs {
    /// Kubeconfig of the hub; without it the pod's service account
    #[arg(long, env = "XIANGYUN_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Address of /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "XIANGYUN_METRICS_ADDR",
        default_value = "0.0.0.0:9400",
        value_name = "IP:PORT"
    )]
    metrics_addr: SocketAddr,
    #[command(flatten)]
    clock: ClockArgs,
    /// Where the arbiter is, as JSON; without it nothing fails over
    #[arg(long, env = "XIANGYUN_ARBITER_CONFIG", requires = "place", value_name = "FILE")]
    arbiter_config: Option<PathBuf>,
    /// Name of the centre in which this operator runs
    #[arg(long, env = "XIANGYUN_PLACE", value_name = "NAME")]
    place: Option<String>,
    /// File that names a step at which this process ends or stops
    #[arg(long, hide = true, requires = "playground", value_name = "FILE")]
    fail_point_file: Option<PathBuf>,
    /// Namespace of the leader lease
    #[arg(long, env = "XIANGYUN_LEASE_NAMESPACE", default_value = crds::object::SYSTEM, value_name = "NAMESPACE")]
    lease_namespace: String,
    /// File with the key under which notices of moves are signed; without it the tenants' contacts are told nothing
    #[arg(long, env = "XIANGYUN_NOTIFY_KEY_FILE", value_name = "FILE")]
    notify_key_file: Option<PathBuf>,
    /// Days for which requests that have ended are kept, with the decisions about them; 0 keeps them for ever
    #[arg(long, env = "XIANGYUN_RETENTION_DAYS", default_value_t = 1095, value_name = "DAYS")]
    retention_days: u16,
}

pub(crate) async fn run(args: OperatorArgs, port: Port, stop: CancellationToken) -> anyhow::Result<()> {
    let client = controllers::client::connect(args.kubeconfig.as_deref()).await?;
    let arbiter = args.arbiter_config.as_deref().map(Config::read).transpose()?;
    let options = Options {
        client,
        namespace: args.lease_namespace,
        registry: port.registry.clone(),
        ready: Arc::clone(&port.ready),
        clock: args.clock.into(),
        arbiter: arbiter.zip(args.place),
        fail_points: FailPoints {
            file: args.fail_point_file,
        },
        notify_key: args.notify_key_file,
        retention_days: args.retention_days,
    };
    let work = async { Ok(controllers::operator::run(options, stop).await?) };
    beside_port(args.metrics_addr, port, work).await
}
