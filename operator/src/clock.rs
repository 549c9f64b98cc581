//! Arguments that move a process in time; for drills in a playground.

use std::path::PathBuf;

use clap::Args;
use controllers::clock::Clock;

/// Arguments about the clock.
#[derive(Args)]
pub(crate) struct ClockArgs {
    /// This process is part of a playground
    #[arg(long, hide = true)]
    playground: bool,
    /// File with an offset in seconds that is added to the wall clock
    #[arg(long, hide = true, requires = "playground", value_name = "FILE")]
    clock_offset_file: Option<PathBuf>,
}

impl From<ClockArgs> for Clock {
    fn from(args: ClockArgs) -> Self {
        Self::moved_by(args.clock_offset_file.filter(|_| args.playground))
    }
}
