//! The command line. Scripts and drills use it, so verbs and flags are stable. Values go to standard output, all else to
//! standard error.

mod faults;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use self::faults::FaultVerb;
use crate::cloud::{Cloud, Options};
use crate::mode::{self, Mode};
use crate::place::{Place, Profile};
use crate::relay::{self, RelayArgs};
use crate::runner::{self, RunnerArgs};
use crate::state::{State, absolute};
use crate::work::{self, ClientArgs, PodArgs, SinkArgs};
use crate::{status, supervisor, teardown, tools};

/// A real three-centre cloud on one Linux machine
///
/// `up` starts it, `status` shows it, `fault` breaks it, `heal` mends it, `down` removes it. As root each place is a
/// network namespace that this machine reaches. For an ordinary user the same lives in a user namespace, which `shell`
/// and `exec` enter; where that is not allowed there is `up --net loopback`.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Where the cloud's state lives
    #[arg(long, global = true, default_value = ".playground")]
    dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a cloud
    Up(Up),
    /// Show what runs
    Status {
        /// `json` for programs
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// End the cloud and remove every trace of it
    Down,
    /// Print the path of a kubeconfig
    Kubeconfig {
        /// `hub`, a centre, or `hub@PLACE` for the hub's server in one place
        cluster: String,
        /// The user; the administrator if not given
        #[arg(long = "as")]
        user: Option<String>,
    },
    /// Run a command in the network of a place
    Exec {
        place: Place,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Run a shell, or a command, where the cloud can be reached, with its kubectl and the hub's administrator
    Shell {
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Move the wall clock of operator and agents in a place, such as +1h or -90s; `heal` moves it back
    Clock {
        place: Place,
        #[arg(allow_hyphen_values = true, value_parser = clock_offset)]
        offset: i64,
    },
    /// Break something
    #[command(subcommand)]
    Fault(FaultVerb),
    /// Lift network faults, set clocks right, thaw and restart, in one place or everywhere
    Heal { place: Option<Place> },
    /// Build the programs of the cloud and print the folder that holds them
    Tools {
        /// Folder with ready binaries
        #[arg(long)]
        tools_dir: Option<PathBuf>,
    },
    #[command(hide = true)]
    Supervise,
    #[command(hide = true)]
    Relay(RelayArgs),
    /// Switch a node with real processes off and on
    Reboot {
        place: Place,
        /// Such as `run-001`
        node: String,
    },
    /// Ask a placement from outside at a steady rate and count every answer
    Client(ClientArgs),
    /// Judge what the writers of exclusive placements wrote: who, when, and whether two places ever did
    Writes,
    #[command(hide = true)]
    Runner(RunnerArgs),
    #[command(hide = true)]
    Pod(PodArgs),
    #[command(hide = true)]
    Sink(SinkArgs),
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Json,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Net {
    /// One network namespace a place
    Netns,
    /// One address of 127.0.0.0/8 a place; needs nothing, but has no network faults
    Loopback,
}

#[derive(Debug, Args)]
struct Up {
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    #[arg(long, value_enum, default_value = "netns")]
    net: Net,
    /// Nodes of each metro centre in profile `full`, 5 at least: every pool keeps its share of the baseline's 125
    #[arg(long)]
    nodes: Option<u32>,
    /// Nodes of each metro centre, of pool x86, whose pods labelled `playground.xiangyun.io/run` are real processes
    #[arg(long, default_value_t = 0)]
    runners: u8,
    /// A gate on each of these nodes
    #[arg(long, requires = "runners")]
    gates: bool,
    /// Start no operators and agents
    #[arg(long)]
    no_operator: bool,
    /// Folder of the charts; the repository's own if not given
    #[arg(long)]
    charts: Option<PathBuf>,
    /// The `xiangyun` program; the one beside this program if not given
    #[arg(long)]
    xiangyun_bin: Option<PathBuf>,
    /// Folder with ready binaries (also `KUBEBUILDER_ASSETS`); what is missing there is built
    #[arg(long)]
    tools_dir: Option<PathBuf>,
}

/// `1h`, `-90s`, `+2m`: seconds.
fn clock_offset(text: &str) -> Result<i64, String> {
    let (sign, amount) = match text.strip_prefix('-') {
        Some(amount) => (-1, amount),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (number, unit) = amount.split_at(amount.trim_end_matches(char::is_alphabetic).len());
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("{unit} is no unit: s, m, h or d")),
    };
    let number: i64 = number
        .parse()
        .map_err(|_| format!("{text} is no duration such as +1h"))?;
    number.checked_mul(seconds * sign).ok_or_else(|| "too far".to_owned())
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode> {
        match &self.verb {
            Verb::Supervise => return supervise(&self.dir),
            Verb::Up(up) => mode::enter_new(up.mode(), up.tools_dir.as_deref())?,
            Verb::Tools { .. } | Verb::Relay(_) | Verb::Pod(_) | Verb::Sink(_) => {}
            _ => mode::enter(&self.dir)?,
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        runtime.block_on(self.dispatch())
    }

    async fn dispatch(self) -> Result<ExitCode> {
        let dir = self.dir.as_path();
        match self.verb {
            Verb::Up(up) => up.run(dir).await?,
            Verb::Status { output } => status::print(&state(dir)?, output.is_some()).await?,
            Verb::Down => {
                let dir = absolute(dir)?;
                teardown::down(&dir).await?;
                eprintln!("removed the cloud in {}", dir.display());
            }
            Verb::Kubeconfig { cluster, user } => {
                println!(
                    "{}",
                    Cloud::attach(dir)?.kubeconfig(&cluster, user.as_deref())?.display()
                );
            }
            Verb::Exec { place, command } => return exec(&state(dir)?, Some(place), &command),
            Verb::Shell { command } => return exec(&state(dir)?, None, &command),
            Verb::Clock { place, offset } => Cloud::attach(dir)?.clock(place, offset)?,
            Verb::Fault(fault) => fault.run(&Cloud::attach(dir)?).await?,
            Verb::Heal { place } => Cloud::attach(dir)?.heal(place).await?,
            Verb::Tools { tools_dir } => {
                let folder = tokio::task::spawn_blocking(move || tools::ensure(tools_dir.as_deref())).await??;
                println!("{}", folder.display());
            }
            Verb::Relay(args) => relay::run(args).await?,
            Verb::Reboot { place, node } => Cloud::attach(dir)?.reboot_node(place, &node).await?,
            Verb::Client(args) => work::run_client(dir, args).await?,
            Verb::Writes => println!("{:#}", serde_json::to_value(Cloud::attach(dir)?.judge_writes()?)?),
            Verb::Runner(args) => runner::run(dir, args).await?,
            Verb::Pod(args) => work::run_pod(args).await?,
            Verb::Sink(args) => work::run_sink(args).await?,
            Verb::Supervise => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The state in `dir`, whether its supervisor lives or not.
fn state(dir: &Path) -> Result<State> {
    State::load(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()))
}

impl Up {
    fn mode(&self) -> Mode {
        match self.net {
            Net::Netns => Mode::of_namespaces(),
            Net::Loopback => Mode::Loopback,
        }
    }

    async fn run(self, dir: &Path) -> Result<()> {
        let mode = self.mode();
        let options = Options {
            profile: self.profile,
            mode,
            dir: Some(dir.to_owned()),
            nodes: self.nodes,
            runners: self.runners,
            gates: self.gates,
            timing: None,
            operators: !self.no_operator,
            charts: self.charts,
            xiangyun_bin: self.xiangyun_bin,
            tools_dir: self.tools_dir,
            progress: true,
        };
        // Dropping the unfinished start on Ctrl-C removes what there is.
        let cloud = tokio::select! {
            cloud = Cloud::up_detached(options, detach) => cloud?,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        };
        eprintln!("\nThe cloud runs in {}. Use it:\n", cloud.dir().display());
        if mode == Mode::Rootless {
            eprintln!("playground shell     # it lives in namespaces of its own; kubectl works in there");
            return Ok(());
        }
        println!("export KUBECONFIG={}", cloud.kubeconfig("hub", None)?.display());
        println!("export PATH={}:$PATH", cloud.state()?.tools.display());
        eprintln!("\nAs somebody else: playground kubeconfig hub --as li.na\nThe end: playground down");
        Ok(())
    }
}

/// Starts the supervisor as a process of its own session, which goes on when the terminal is closed.
fn detach(dir: &Path) -> Result<()> {
    let log = std::fs::File::create(dir.join("logs/supervisor.log")).context("cannot create the supervisor's log")?;
    let mut command = Command::new(std::env::current_exe().context("where am I?")?);
    command.arg("--dir").arg(dir).arg("supervise").stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log);
    command.spawn().context("cannot start the supervisor")?;
    Ok(())
}

fn supervise(dir: &Path) -> Result<ExitCode> {
    nix::unistd::setsid().context("cannot leave the terminal's session")?;
    // Nobody sends: this one ends by being killed.
    let (_end, ended) = tokio::sync::oneshot::channel();
    supervisor::block_on_this_thread(dir, ended)?;
    Ok(ExitCode::SUCCESS)
}

/// Becomes the command, with the cloud's tools at hand: in the network of a place as its administrator, or where the whole
/// cloud is reached as the hub's.
fn exec(state: &State, place: Option<Place>, command: &[String]) -> Result<ExitCode> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(state.tools.clone()).chain(std::env::split_paths(&path)))?;
    let name = place.map_or_else(|| "hub".to_owned(), |place| place.to_string());
    let own = state.dir.join("kubeconfigs").join(format!("{name}.yaml"));
    let mut line = place.map(|place| state.prefix(place)).transpose()?.unwrap_or_default();
    line.extend_from_slice(command);
    if line.is_empty() {
        line.push(std::env::var("SHELL").unwrap_or_else(|_| "sh".to_owned()));
    }
    let (first, rest) = line.split_first().context("nothing to run")?;
    let mut becomes = Command::new(first);
    becomes.args(rest).env("PATH", path).env("KUBECONFIG", own);
    Err(becomes.exec()).with_context(|| format!("cannot run `{first}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(clock_offset("+1h"), Ok(3600));
        assert_eq!(clock_offset("-90s"), Ok(-90));
        assert_eq!(clock_offset("2m"), Ok(120));
        assert!(clock_offset("1y").is_err() && clock_offset("h").is_err());
    }
}
