//! The command line of the playground.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match playground::cli::Cli::parse().run() {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
