//! The `xiangyun` binary: operator of the hub, agent of a centre, and the files generated from the code.

mod crds;

use clap::{Parser, Subcommand};

/// Control plane of a dual-active provincial cloud | 省级双活云控制面
#[derive(Parser)]
#[command(name = "xiangyun", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the CustomResourceDefinitions as YAML
    Crds(crds::CrdsArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crds(args) => crds::run(&args),
    }
}
