//! What every long-running subcommand shares: logs, signals, and an end with an exit code.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::ValueEnum;
use controllers::serve::{Port, serve};
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// Runs `body` until it ends or a signal asks it to, on a runtime of its own. The level is taken from `RUST_LOG`.
pub(crate) fn run<F>(format: LogFormat, body: impl FnOnce(Port, CancellationToken) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    // Two TLS providers can be linked in; name the one that is meant.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let port = Port {
            registry: registry()?,
            ready: Arc::new(AtomicBool::new(false)),
        };
        let signals = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to stop");
            stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = body(port, stop.clone()) => outcome,
            () = signals => Ok(()),
        }
    })
}

/// A registry that knows which build this is.
fn registry() -> prometheus::Result<Registry> {
    let registry = Registry::new();
    let build =
        Opts::new("xiangyun_build_info", "Version of this program").const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(build)?;
    build.set(1);
    registry.register(Box::new(build))?;
    // Memory, CPU, open files: process_resident_memory_bytes and its like.
    registry.register(Box::new(ProcessCollector::for_self()))?;
    Ok(registry)
}

/// Serves the port beside `work`; ends when either does.
pub(crate) async fn beside_port(
    address: SocketAddr,
    port: Port,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        outcome = work => outcome,
        Err(error) = serve(address, port) => Err(error).with_context(|| format!("serving {address}")),
    }
}
