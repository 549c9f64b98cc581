//! The programs that run in pods, and those that stand against them: the sink that writers write to, and the client that
//! counts every answer.

mod client;
mod http;
mod record;
mod sink;
mod traffic;
mod verdict;
mod writer;

use std::net::SocketAddrV4;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::time::{ClockId, clock_gettime};

use crate::place::{Place, port};
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::state::State;
use crate::workers;

pub use self::client::{CentreCount, Counted};
pub(crate) use self::client::{ClientArgs, run as run_client};
pub use self::record::{Landed, RightEpoch, Write};
pub(crate) use self::sink::{SinkArgs, run as run_sink};
pub use self::verdict::{Silence, Turn, Verdict, Violation, judge, read_writes};

/// Where the sink stands: no cut hides it from any writer.
pub(crate) const SINK_PLACE: Place = Place::Hub;

/// What `playground pod` is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct PodArgs {
    #[arg(long)]
    place: Place,
    /// Namespace and placement
    #[arg(long)]
    scope: String,
    /// UID of the pod
    #[arg(long)]
    pod: String,
    /// Name of the pod
    #[arg(long)]
    name: String,
    /// Epoch of the right that the pod was made under
    #[arg(long)]
    epoch: RightEpoch,
    /// Address to answer HTTP at
    #[arg(long)]
    serve: Option<SocketAddrV4>,
    /// Address of the sink to write to
    #[arg(long, requires = "log")]
    sink: Option<SocketAddrV4>,
    /// A writer's own log
    #[arg(long)]
    log: Option<PathBuf>,
}

/// Runs what a pod asked for, until it is asked to end.
pub(crate) async fn run_pod(args: PodArgs) -> Result<()> {
    match (&args.serve, &args.sink, &args.log) {
        (Some(address), None, _) => http::serve(*address, &args).await,
        (None, Some(sink), Some(log)) => writer::write(*sink, log, &args).await,
        _ => bail!("either --serve, or --sink and --log"),
    }
}

/// The sink's process.
pub(crate) fn sink_spec(state: &State) -> Result<Spec> {
    let address = state.address(SINK_PLACE)?;
    Ok(Spec {
        name: format!("sink@{SINK_PLACE}"),
        place: SINK_PLACE,
        stage: Stage::Machinery,
        program: workers::own()?,
        args: vec![
            "sink".to_owned(),
            format!("--listen={address}:{}", port::SINK),
            format!("--log={}", state.dir.join("writes").join(sink::FILE).display()),
        ],
        ready: Ready::Port(address, port::SINK),
        restart: true,
        netns: None,
        pod: None,
    })
}

/// Milliseconds on CLOCK_BOOTTIME, the same in all places of a cloud.
pub(crate) fn boot_ms() -> Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).context("CLOCK_BOOTTIME")?;
    let time = std::time::Duration::from(time);
    Ok(u64::try_from(time.as_millis())?)
}
