//! `xiangyun-gate`: the gate of one node, and the ruleset that shuts the node at boot.

mod cli;

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    cli::run(cli::Cli::parse())
}
