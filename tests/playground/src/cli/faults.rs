//! What can be broken, as verbs.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use futures::future::try_join_all;

use crate::cloud::Cloud;
use crate::fault::{Cut, Fault};
use crate::place::Place;

#[derive(Debug, Subcommand)]
pub(super) enum FaultVerb {
    /// SIGKILL a process, or all of a place, until `heal`
    Kill(Target),
    /// SIGSTOP
    Freeze(Target),
    /// SIGCONT
    Thaw(Target),
    /// Cut a place off; the host still reaches it
    Cut(Between),
    /// Lose so many percent of the packets
    Drop {
        #[command(flatten)]
        between: Between,
        #[arg(value_parser = clap::value_parser!(u8).range(1..=100))]
        percent: u8,
    },
    /// Hold everything back for so long, such as 40ms, in each direction; what was connected is reset first
    Delay {
        #[command(flatten)]
        between: Between,
        #[arg(value_parser = delay)]
        duration: Duration,
    },
    /// Accept connections and keep them open, but let nothing through
    Blackhole(Between),
}

#[derive(Debug, Args)]
pub(super) struct Between {
    place: Place,
    /// Only between it and this place; the place itself with --port: between the programs in there
    #[arg(long)]
    from: Option<Place>,
    /// Lose only the packets that arrive in the place (cut and drop)
    #[arg(long)]
    one_way: bool,
    /// Only TCP connections to this port
    #[arg(long)]
    port: Option<u16>,
}

impl From<Between> for Cut {
    fn from(between: Between) -> Self {
        let Between {
            place,
            from,
            one_way,
            port,
        } = between;
        Self {
            place,
            from,
            one_way,
            port,
        }
    }
}

/// `40ms` or `2s`.
fn delay(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{text} is no duration such as 40ms"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(format!("{text} is no duration such as 40ms or 2s")),
    }
}

#[derive(Debug, Args)]
pub(super) struct Target {
    place: Place,
    /// Such as `etcd`, `apiserver`, `hub-etcd-1`, `operator`; all of the place if not given
    process: Option<String>,
}

impl FaultVerb {
    pub(super) async fn run(self, cloud: &Cloud) -> Result<()> {
        // A place fails at once, not one process after the other.
        match self {
            Self::Kill(target) => all(target.processes(cloud)?.iter().map(|p| cloud.kill(p))).await,
            Self::Freeze(target) => all(target.processes(cloud)?.iter().map(|p| cloud.freeze(p))).await,
            Self::Thaw(target) => all(target.processes(cloud)?.iter().map(|p| cloud.thaw(p))).await,
            Self::Cut(between) => cloud.cut(between.into()).await,
            Self::Drop { between, percent } => cloud.fault(Fault::Drop(percent), between.into()).await,
            Self::Delay { between, duration } => cloud.fault(Fault::Delay(duration), between.into()).await,
            Self::Blackhole(between) => cloud.fault(Fault::Blackhole, between.into()).await,
        }
    }
}

async fn all(done: impl Iterator<Item = impl Future<Output = Result<()>>>) -> Result<()> {
    try_join_all(done).await.map(drop)
}

impl Target {
    fn processes(&self, cloud: &Cloud) -> Result<Vec<String>> {
        match &self.process {
            Some(process) => Ok(vec![format!("{process}@{}", self.place)]),
            // What is dead already stays as it is.
            None => Ok(cloud
                .processes(self.place)?
                .into_iter()
                .filter(|p| cloud.pid(p).is_some())
                .collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read() {
        assert_eq!(delay("40ms"), Ok(Duration::from_millis(40)));
        assert!(delay("40").is_err() && delay("-1s").is_err());
    }
}
