//! The plugin `kubectl xiangyun`.

use std::process::ExitCode;

use clap::Parser as _;
use kubectl_xiangyun::cli::Cli;
use kubectl_xiangyun::lang::Lang;
use kubectl_xiangyun::run::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let lang = cli
        .global
        .lang
        .unwrap_or_else(|| Lang::from_environment(|name| std::env::var(name).ok()));
    match run(cli, lang).await {
        Ok(code) => code.into(),
        Err(failure) => {
            failure
                .in_words(lang)
                .lines()
                .for_each(|line| eprintln!("error: {line}"));
            failure.code().into()
        }
    }
}
