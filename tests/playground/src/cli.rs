//! The command line. Scripts and drills use it, so verbs and flags are stable.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use futures::future::try_join_all;

use crate::cloud::{Cloud, Options};
use crate::fault::Cut;
use crate::place::{Place, Profile};
use crate::state::State;
use crate::{status, supervisor, teardown, tools};

/// A real three-centre cloud on one Linux machine.
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
    /// Break something
    #[command(subcommand)]
    Fault(Fault),
    /// Lift cuts, thaw and restart, in one place or everywhere
    Heal { place: Option<Place> },
    /// Build the programs of the cloud and print the folder that holds them
    Tools {
        /// Folder with ready binaries
        #[arg(long)]
        tools_dir: Option<PathBuf>,
    },
    #[command(hide = true)]
    Supervise,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Json,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Net {
    /// One network namespace a place; needs root
    Netns,
    /// All on 127.0.0.1 (not yet)
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

#[derive(Debug, Subcommand)]
enum Fault {
    /// SIGKILL a process, or all of a place, until `heal`
    Kill(Target),
    /// SIGSTOP
    Freeze(Target),
    /// SIGCONT
    Thaw(Target),
    /// Cut a place off; the host still reaches it
    Cut {
        place: Place,
        /// Only from this place
        #[arg(long)]
        from: Option<Place>,
        /// Drop only the packets that arrive in the place
        #[arg(long)]
        one_way: bool,
        /// Only TCP connections to this port
        #[arg(long)]
        port: Option<u16>,
    },
}

#[derive(Debug, Args)]
struct Target {
    place: Place,
    /// Such as `etcd`, `apiserver`, `hub-etcd-1`, `operator`; all of the place if not given
    process: Option<String>,
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode> {
        if matches!(self.verb, Verb::Supervise) {
            return supervise(&self.dir);
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
                let state = state(dir)?;
                teardown::teardown(&state.dir).await?;
                eprintln!("removed the cloud in {}", state.dir.display());
            }
            Verb::Kubeconfig { cluster, user } => {
                println!(
                    "{}",
                    Cloud::attach(dir)?.kubeconfig(&cluster, user.as_deref())?.display()
                );
            }
            Verb::Exec { place, command } => return exec(&state(dir)?, place, &command),
            Verb::Fault(fault) => fault.run(&Cloud::attach(dir)?).await?,
            Verb::Heal { place } => Cloud::attach(dir)?.heal(place).await?,
            Verb::Tools { tools_dir } => {
                let folder = tokio::task::spawn_blocking(move || tools::ensure(tools_dir.as_deref())).await??;
                println!("{}", folder.display());
            }
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
    async fn run(self, dir: &Path) -> Result<()> {
        if matches!(self.net, Net::Loopback) {
            bail!("--net loopback does not exist yet: use --net netns as root");
        }
        let options = Options {
            profile: self.profile,
            dir: Some(dir.to_owned()),
            nodes: self.nodes,
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

/// Becomes the command, in the network of the place, with the place's administrator and tools at hand.
fn exec(state: &State, place: Place, command: &[String]) -> Result<ExitCode> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(state.tools.clone()).chain(std::env::split_paths(&path)))?;
    let own = state.dir.join("kubeconfigs").join(format!("{place}.yaml"));
    let mut ip = Command::new("ip");
    ip.args(["netns", "exec", &state.net(place)?.netns])
        .args(command)
        .env("PATH", path)
        .env("KUBECONFIG", own);
    Err(ip.exec()).context("cannot run `ip`")
}

impl Fault {
    async fn run(self, cloud: &Cloud) -> Result<()> {
        // A place fails at once, not one process after the other.
        match self {
            Self::Kill(target) => try_join_all(target.processes(cloud)?.iter().map(|p| cloud.kill(p)))
                .await
                .map(drop),
            Self::Freeze(target) => try_join_all(target.processes(cloud)?.iter().map(|p| cloud.freeze(p)))
                .await
                .map(drop),
            Self::Thaw(target) => try_join_all(target.processes(cloud)?.iter().map(|p| cloud.thaw(p)))
                .await
                .map(drop),
            Self::Cut {
                place,
                from,
                one_way,
                port,
            } => {
                cloud
                    .cut(Cut {
                        place,
                        from,
                        one_way,
                        port,
                    })
                    .await
            }
        }
    }
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
