//! `xiangyun arbiter`: what people do to the arbiter, by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use controllers::centre::read_record;
use controllers::clock::Clock;
use controllers::quorum::{Config, Restored, Sources, restore};

/// Arguments of `xiangyun arbiter`.
#[derive(Args)]
pub(crate) struct ArbiterArgs {
    #[command(subcommand)]
    command: ArbiterCommand,
}

#[derive(Subcommand)]
enum ArbiterCommand {
    /// Begin a new life of the arbiter, after its store was restored from a copy
    Restore(RestoreArgs),
}

#[derive(Args)]
struct RestoreArgs {
    /// Where the arbiter is, as JSON
    #[arg(long, env = "XIANGYUN_ARBITER_CONFIG", value_name = "FILE")]
    arbiter_config: PathBuf,
    /// Kubeconfig of a centre, whose record is read; once for each place of the store
    #[arg(long = "centre", value_name = "NAME=KUBECONFIG", value_parser = named)]
    centres: Vec<(String, PathBuf)>,
    /// A centre whose record cannot be read; two people answer for that
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Who answers for a missing record, by name; twice
    #[arg(long = "person", value_name = "NAME")]
    persons: Vec<String>,
    /// Begin anew although nothing shows that the store is a copy
    #[arg(long)]
    anew: bool,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text
        .split_once('=')
        .ok_or_else(|| "NAME=KUBECONFIG is expected | 格式应为 NAME=KUBECONFIG".to_owned())?;
    Ok((name.to_owned(), file.into()))
}

pub(crate) fn run(args: ArbiterArgs) -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ArbiterCommand::Restore(args) = args.command;
    runtime.block_on(begin(args))
}

async fn begin(args: RestoreArgs) -> anyhow::Result<()> {
    let config = Config::read(&args.arbiter_config)?;
    let mut records = BTreeMap::new();
    for (name, file) in args.centres {
        let about = || format!("the record of {name} | {name} 的记录");
        let cluster = controllers::client::connect(Some(&file)).await.with_context(about)?;
        records.insert(name.clone(), read_record(&cluster).await.with_context(about)?);
    }
    let sources = Sources {
        records,
        without: args.without.into_iter().collect(),
        persons: args.persons.into_iter().collect(),
        anew: args.anew,
    };
    match restore(&config, &sources, Clock::default().now()).await? {
        Restored::Begun(life, scopes) => println!(
            "life {} of the arbiter begins; {scopes} placements go on once their centres said what they held | 仲裁第 {} 代开始，{scopes} 个部署待各中心确认后继续",
            life.number, life.number
        ),
        Restored::NoCopy(life) => println!(
            "nothing to do: life {} began in this very store; --anew begins another one | 无需处理：该存储即为第 {} 代仲裁",
            life.number, life.number
        ),
    }
    Ok(())
}
