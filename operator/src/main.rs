//! The `xiangyun` binary: operator of the hub, agent of a centre, and the files generated from the code.

mod agent;
mod arbiter;
mod clock;
mod crds;
mod dashboards;
mod operator;
mod process;
mod reference;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Control plane of a dual-active provincial cloud | 省级双活云控制面
#[derive(Parser)]
#[command(name = "xiangyun", version, propagate_version = true)]
struct Cli {
    /// How to log
    #[arg(long, global = true, env = "XIANGYUN_LOG_FORMAT", default_value = "json")]
    log_format: process::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator against the hub
    Operator(operator::OperatorArgs),
    /// Run the agent of one centre
    Agent(agent::AgentArgs),
    /// Look after the arbiter of exclusive placements
    Arbiter(arbiter::ArbiterArgs),
    /// Print the CustomResourceDefinitions as YAML
    Crds(crds::CrdsArgs),
    /// Write the Grafana boards and the Prometheus alerts
    Dashboards(dashboards::DashboardsArgs),
    /// Write a page about each kind
    Reference(reference::ReferenceArgs),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Command::Operator(args) => process::run(cli.log_format, |port, stop| operator::run(args, port, stop)),
        Command::Agent(args) => process::run(cli.log_format, |port, stop| agent::run(args, port, stop)),
        Command::Arbiter(args) => arbiter::run(args),
        Command::Crds(args) => crds::run(&args),
        Command::Dashboards(args) => dashboards::run(&args),
        Command::Reference(args) => reference::run(&args),
    }
}
