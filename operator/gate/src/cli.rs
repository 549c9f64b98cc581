//! The command line.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use gate::alone::Alone;
use gate::ask::{Agent, HttpAgents};
use gate::bounds::Bounds;
use gate::fail_point::FailPoints;
use gate::held::HeldFile;
use gate::metrics::Metrics;
use gate::nft::Nft;
use gate::pass::{Gate, Setup};
use gate::ranges::Ranges;
use gate::ready::Status;
use gate::ruleset;
use gate::serve::{Port, serve};
use prometheus::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Lets pods of exclusive scopes communicate only while a permit stands | 独占工作负载的节点闸门
#[derive(Parser)]
#[command(name = "xiangyun-gate", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the ruleset that shuts this node at boot, or load it
    Boot(BootArgs),
    /// Ask the agents and keep permits alive
    Run(RunArgs),
}

#[derive(Args)]
struct NodeArgs {
    /// Range of this node from which pods of exclusive scopes, and only they, get their addresses; may be repeated
    #[arg(long, value_name = "CIDR")]
    exclusive_range: Vec<String>,
    /// File with such ranges, one a line
    #[arg(long, env = "XIANGYUN_GATE_RANGES", value_name = "FILE")]
    ranges_file: Option<PathBuf>,
    /// The nft program
    #[arg(long, default_value = "/usr/sbin/nft", value_name = "FILE")]
    nft: PathBuf,
}

impl NodeArgs {
    fn ranges(&self) -> anyhow::Result<Ranges> {
        let text = match &self.ranges_file {
            Some(file) => {
                std::fs::read_to_string(file).with_context(|| format!("cannot read {} | 无法读取", file.display()))?
            }
            None => String::new(),
        };
        let given = self.exclusive_range.iter().map(String::as_str);
        Ok(Ranges::new(given.chain(Ranges::lines(&text)))?)
    }
}

#[derive(Args)]
struct BootArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Load it now: a table that is ours already is left alone, permits and all
    #[arg(long)]
    load: bool,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    node_args: NodeArgs,
    /// Name of the node
    #[arg(long, env = "XIANGYUN_NODE", value_name = "NAME", value_parser = node_name)]
    node: String,
    /// Address of an agent, http://HOST:PORT or unix:/PATH; may be repeated, the first that answers counts
    #[arg(
        long,
        env = "XIANGYUN_AGENTS",
        value_delimiter = ',',
        required = true,
        value_name = "ADDRESS"
    )]
    agent: Vec<Agent>,
    /// Folder on the node, kept over restarts, for the epochs that were permitted
    #[arg(long, default_value = "/var/lib/xiangyun/gate", value_name = "DIR")]
    held_dir: PathBuf,
    /// What nftables.service loads at boot; the node is ready only while it is what `boot` prints
    #[arg(long, value_name = "FILE")]
    boot_file: Option<PathBuf>,
    /// From one question to the next, in milliseconds
    #[arg(long, default_value_t = 500, value_name = "MS")]
    cycle_ms: u64,
    /// How long an agent may take to answer, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    call_timeout_ms: u64,
    /// Address of /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "XIANGYUN_METRICS_ADDR",
        default_value = "127.0.0.1:9402",
        value_name = "IP:PORT"
    )]
    metrics_addr: SocketAddr,
    /// This is a drill, not a real node
    #[arg(long, hide = true)]
    playground: bool,
    /// File that names a step at which this process ends or stops
    #[arg(long, hide = true, requires = "playground", value_name = "FILE")]
    fail_point_file: Option<PathBuf>,
}

/// A name that is also a segment of a path (RFC 1123).
fn node_name(text: &str) -> Result<String, String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if (1..=253).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is no name of a node | 不是合法的节点名"))
    }
}

pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).init();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.command {
        Command::Boot(args) => runtime.block_on(boot(&args)),
        Command::Run(args) => runtime.block_on(keep(args)),
    }
}

async fn boot(args: &BootArgs) -> anyhow::Result<()> {
    let ranges = args.node.ranges()?;
    if !args.load {
        std::io::stdout().write_all(ruleset::boot(&ranges).as_bytes())?;
        return Ok(());
    }
    let nft = Nft::new(args.node.nft.clone());
    if let Err(difference) = nft.standing(&ranges).await {
        nft.close(&ranges).await?;
        tracing::info!(%difference, "loaded closed");
    }
    nft.standing(&ranges)
        .await
        .map(drop)
        .context("the table is not ours | 表与预期不符")
}

async fn keep(args: RunArgs) -> anyhow::Result<()> {
    let bounds = Bounds::new(args.cycle_ms, args.call_timeout_ms)?;
    let ranges = args.node_args.ranges()?;
    if let Some(agent) = args.agent.iter().find(|agent| governed(agent, &ranges)) {
        bail!("agent {agent} is in an exclusive range: nobody could ever ask it | 代理地址位于独占地址段内，无法访问");
    }
    let _alone = Alone::claim().context("another gate runs on this node | 本节点已有闸门进程在运行")?;
    let registry = Registry::new();
    let status = Arc::new(Status::new(&args.node));
    let gate = Gate::new(Setup {
        nft: Nft::new(args.node_args.nft),
        ranges,
        bounds,
        held_file: HeldFile::new(&args.held_dir),
        boot_file: args.boot_file,
        agents: HttpAgents::new(args.agent, &args.node, bounds.call_ms()),
        status: Arc::clone(&status),
        metrics: Metrics::new(&registry)?,
        fail_points: FailPoints {
            file: args.fail_point_file,
        },
    });
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        outcome = gate.run() => outcome.context("CLOCK_BOOTTIME"),
        Err(error) = serve(args.metrics_addr, Port { registry, status }) =>
            Err(error).with_context(|| format!("serving {} | 监听失败", args.metrics_addr)),
        // Permits run out by themselves.
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// Whether an agent's address is one that the gate shuts.
fn governed(agent: &Agent, ranges: &Ranges) -> bool {
    match agent {
        Agent::Tcp(host) => host
            .parse::<SocketAddr>()
            .is_ok_and(|address| ranges.contain(address.ip())),
        Agent::Unix(_) => false,
    }
}
