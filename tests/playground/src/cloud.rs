//! A running cloud, as tests and the command line see it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;

use crate::access;
use crate::fault::{self, Cut, Fault};
use crate::mode::Mode;
use crate::place::{Place, Profile, port};
use crate::process::{Condition, Stage};
use crate::relay::Withhold;
use crate::state::{Held, Process, State};
use crate::supervisor::{self, InThread, Request};
use crate::users::ADMIN;
use crate::{cluster, manifests, teardown, users, workers};

/// How long one stage of processes may take to become ready. Six API servers share the CPUs of one machine.
pub(crate) const READY: Duration = Duration::from_secs(120);

/// How a cloud is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much of it.
    pub profile: Profile,
    /// How its places are kept apart.
    pub mode: Mode,
    /// Where its state lives; a temporary folder if `None`.
    pub dir: Option<PathBuf>,
    /// Nodes of each metro centre in profile `full`; 125 if `None`.
    pub nodes: Option<u32>,
    /// Nodes of each metro centre whose pods are real processes where they ask for that; profile `full`.
    pub runners: u8,
    /// A gate on each of these nodes.
    pub gates: bool,
    /// Times of the arbiter, as its configuration has them; its own if `None`.
    pub timing: Option<serde_json::Value>,
    /// Start our own operators and agents too.
    pub operators: bool,
    /// Folder of the charts; the repository's own if `None`.
    pub charts: Option<PathBuf>,
    /// The `xiangyun` program; the one that cargo built beside this program if `None`.
    pub xiangyun_bin: Option<PathBuf>,
    /// Folder with ready binaries, instead of built ones.
    pub tools_dir: Option<PathBuf>,
    /// Say on standard error what is going on.
    pub progress: bool,
}

impl Default for Options {
    /// Profile `quota` in a temporary folder, with operators and agents, silent.
    fn default() -> Self {
        Self {
            profile: Profile::Quota,
            mode: Mode::Netns,
            dir: None,
            nodes: None,
            runners: 0,
            gates: false,
            timing: None,
            operators: true,
            charts: None,
            xiangyun_bin: None,
            tools_dir: None,
            progress: false,
        }
    }
}

/// A running cloud. One that came from [`Cloud::up`] is torn down when it is dropped.
#[derive(Debug)]
pub struct Cloud {
    pub(crate) dir: PathBuf,
    /// Thread with the processes; empty when a detached supervisor has them.
    pub(crate) supervisor: Option<InThread>,
    /// Whether the end of this value is the end of the cloud.
    pub(crate) owned: bool,
}

impl Cloud {
    /// Starts a cloud that lives as long as the returned value, and no longer than this process.
    ///
    /// Fails when anything real cannot be started; it is never a part of a cloud that is returned.
    pub async fn up(options: Options) -> Result<Self> {
        Self::start(options, |dir| Ok(Some(InThread::start(dir)?))).await
    }

    /// Starts a cloud that goes on after this process, under the supervisor that `detach` starts.
    pub(crate) async fn up_detached(options: Options, detach: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let mut cloud = Self::start(options, |dir| detach(dir).map(|()| None)).await?;
        cloud.owned = false;
        Ok(cloud)
    }

    /// The cloud that runs in `dir`; dropping the value leaves it alone.
    pub fn attach(dir: &Path) -> Result<Self> {
        let dir = dir
            .canonicalize()
            .with_context(|| format!("no cloud in {}", dir.display()))?;
        let state = State::load(&dir)?;
        if !state.supervisor_alive() {
            bail!(
                "the cloud in {} has lost its supervisor: `playground down` cleans up",
                dir.display()
            );
        }
        Ok(Self {
            dir,
            supervisor: None,
            owned: false,
        })
    }

    pub(crate) fn state(&self) -> Result<State> {
        State::load(&self.dir)
    }

    pub(crate) fn process(&self, name: &str) -> Result<Process> {
        let mut state = self.state()?;
        let Some(process) = state.processes.remove(name) else {
            let known: Vec<String> = state.processes.into_keys().collect();
            bail!("no process {name}; there are: {}", known.join(" "));
        };
        Ok(process)
    }

    /// The folder with everything of this cloud.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kubeconfig of `user` (the administrator if `None`) for `cluster`: `hub`, the name of a centre, or
    /// `hub@PLACE` for the hub's server in one place.
    pub fn kubeconfig(&self, cluster: &str, user: Option<&str>) -> Result<PathBuf> {
        let user = user.unwrap_or(ADMIN);
        let file = cluster::kubeconfig(&self.state()?, cluster, user);
        if users::find(user).is_none() || !file.is_file() {
            bail!(
                "no kubeconfig of {user} for {cluster}: see {}",
                self.dir.join("kubeconfigs").display()
            );
        }
        Ok(file)
    }

    /// A client for `cluster` as `user`. It does not retry by itself: put a deadline around calls, or use
    /// [`crate::eventually`].
    pub async fn client(&self, cluster: &str, user: Option<&str>) -> Result<kube::Client> {
        access::client(&self.kubeconfig(cluster, user)?).await
    }

    /// Runs kubectl of the cloud's version to its end; the exit code is the caller's to judge.
    pub async fn kubectl(&self, cluster: &str, user: Option<&str>, args: &[&str]) -> Result<Output> {
        self.kubeconfig(cluster, user)?;
        let mut kubectl = manifests::kubectl(&self.state()?, cluster, user.unwrap_or(ADMIN), args);
        kubectl.output().await.context("cannot run kubectl")
    }

    /// Path of one of the programs that the cloud is made of, such as `etcdctl`.
    pub fn tool(&self, name: &str) -> Result<PathBuf> {
        let path = self.state()?.tools.join(name);
        if !path.is_file() {
            bail!("no tool {name}");
        }
        Ok(path)
    }

    /// Runs a command in the network of a place to its end; the exit code is the caller's to judge.
    pub async fn exec(&self, place: Place, program: &str, args: &[&str]) -> Result<Output> {
        let mut line = self.state()?.prefix(place)?;
        line.push(program.to_owned());
        let (first, rest) = line.split_first().context("nothing to run")?;
        let mut command = tokio::process::Command::new(first);
        command.args(rest).args(args);
        command
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run `{first}`"))
    }

    /// SIGKILL. The process stays dead until [`Cloud::heal`] or [`Cloud::start_process`].
    pub async fn kill(&self, process: &str) -> Result<()> {
        supervisor::ask(&self.state()?, &Request::Kill(self.process(process)?.spec.name)).await
    }

    /// SIGTERM, and SIGKILL two seconds later. Only [`Cloud::start_process`] brings the process back.
    pub async fn stop_process(&self, process: &str) -> Result<()> {
        supervisor::ask(&self.state()?, &Request::Stop(self.process(process)?.spec.name)).await
    }

    /// Starts a process that was killed, stopped or ended, with the same arguments and data, and waits until it is
    /// ready.
    pub async fn start_process(&self, process: &str) -> Result<()> {
        let spec = self.process(process)?.spec;
        supervisor::ask(&self.state()?, &Request::Again(spec.name.clone())).await?;
        self.ready(&spec, READY).await
    }

    /// SIGSTOP: the process keeps its connections and answers nothing.
    pub async fn freeze(&self, process: &str) -> Result<()> {
        supervisor::ask(&self.state()?, &Request::Freeze(self.process(process)?.spec.name)).await
    }

    /// SIGCONT.
    pub async fn thaw(&self, process: &str) -> Result<()> {
        supervisor::ask(&self.state()?, &Request::Thaw(self.process(process)?.spec.name)).await
    }

    /// Names of the processes in a place, for faults that concern all of it.
    pub fn processes(&self, place: Place) -> Result<Vec<String>> {
        let all = self.state()?.processes.into_values();
        Ok(all.filter(|p| p.spec.place == place).map(|p| p.spec.name).collect())
    }

    /// Cuts places from each other. Cuts add up until they are healed.
    pub async fn cut(&self, cut: Cut) -> Result<()> {
        fault::apply(&self.state()?, Fault::Cut, cut).await
    }

    /// Puts a fault in force between places, until it is healed.
    pub async fn fault(&self, fault: Fault, cut: Cut) -> Result<()> {
        let state = self.state()?;
        if let Fault::Delay(_) | Fault::Blackhole = fault {
            for (place, other) in fault::ends(&state, fault, cut)? {
                let relay = workers::relay(&state, fault, place, other)?;
                supervisor::ask(&state, &Request::Remove(relay.name.clone())).await?;
                supervisor::ask(&state, &Request::Start(Box::new(relay.clone()))).await?;
                self.ready(&relay, READY).await?;
            }
        }
        fault::apply(&state, fault, cut).await
    }

    /// Moves the wall clock of our own programs in a place by so many seconds; 0 moves it back.
    pub fn clock(&self, place: Place, offset: i64) -> Result<()> {
        let state = self.state()?;
        state.net(place)?;
        order(&state.clock(place), Some(&offset.to_string()))
    }

    /// Moves the date of the whole province by so many seconds: the wall clocks of our own programs everywhere, and with
    /// them what they take for the hub's clock; 0 moves it back.
    pub fn calendar(&self, offset: i64) -> Result<()> {
        let state = self.state()?;
        let mut places = state.places.keys();
        places.try_for_each(|place| order(&state.clock(*place), Some(&format!("{offset} {offset}"))))
    }

    /// Asks a process of ours to do `text` once at one of its steps; `None` takes that back where it did not happen.
    pub fn arm(&self, process: &str, text: Option<&str>) -> Result<()> {
        order(&self.state()?.order(&self.process(process)?.spec.name), text)
    }

    /// Whether what [`Cloud::arm`] asked for has not happened yet.
    pub fn armed(&self, process: &str) -> Result<bool> {
        Ok(self.state()?.order(process).exists())
    }

    /// Withholds something of what passes between two places, until told otherwise with `None`. A delay between them,
    /// even of nothing, must be in force: its relay does it for connections that `place` opened.
    pub fn withhold(&self, place: Place, other: Place, what: Option<Withhold>) -> Result<()> {
        let relay = self.process(&workers::relay_name("delay", place, other))?.spec.name;
        order(&self.state()?.order(&relay), what.map(Withhold::name))
    }

    /// How many connections that `place` opened to `other` were withheld something so far.
    pub fn withheld(&self, place: Place, other: Place) -> Result<usize> {
        let log = std::fs::read_to_string(self.log(&workers::relay_name("delay", place, other))?)?;
        Ok(log
            .lines()
            .filter(|line| line.starts_with(crate::relay::WITHHELD))
            .count())
    }

    /// Lifts faults, sets clocks right, thaws what is frozen and starts what was killed or ended, in one place or
    /// everywhere, and waits until all of it is ready.
    pub async fn heal(&self, place: Option<Place>) -> Result<()> {
        let state = self.state()?;
        let lifted = fault::of(&state, place).await?;
        for relay in lifted.iter().map(fault::Found::relay) {
            supervisor::ask(&state, &Request::Remove(relay)).await?;
        }
        fault::lift(&state, &lifted).await?;
        for healed in state.places.keys().filter(|p| place.is_none_or(|place| place == **p)) {
            self.clock(*healed, 0)?;
        }
        let state = self.state()?;
        let sick = |p: &&Process| place.is_none_or(|place| place == p.spec.place) && p.held != Held::Stopped;
        let processes: Vec<&Process> = state.processes.values().filter(sick).collect();
        for process in processes.iter().filter(|p| p.condition() == Condition::Frozen) {
            supervisor::ask(&state, &Request::Thaw(process.spec.name.clone())).await?;
        }
        for stage in Stage::ALL {
            let of_stage: Vec<&&Process> = processes.iter().filter(|p| p.spec.stage == stage).collect();
            for process in &of_stage {
                supervisor::ask(&state, &Request::Revive(process.spec.name.clone())).await?;
            }
            // Pods come and go meanwhile.
            let stay = of_stage.iter().filter(|process| process.spec.pod.is_none());
            try_join_all(stay.map(|process| self.ready(&process.spec, READY))).await?;
        }
        Ok(())
    }

    /// The pid of a process while it exists, frozen or not.
    pub fn pid(&self, process: &str) -> Option<u32> {
        let running = self.process(process).ok()?.running?;
        (running.condition() != Condition::Gone).then_some(running.pid)
    }

    /// What a process does right now.
    pub fn condition(&self, process: &str) -> Result<Condition> {
        Ok(self.process(process)?.condition())
    }

    /// Audit log of an API server, JSON lines, writes only. `hub` is the hub's first server; `hub@PLACE` and the
    /// name of a centre are the others.
    pub fn audit_log(&self, cluster: &str) -> Result<PathBuf> {
        let state = self.state()?;
        let process = match (cluster, state.profile.hub_places().first()) {
            ("hub", Some(first)) => format!("hub-apiserver@{first}"),
            _ if cluster.starts_with("hub@") => cluster.replacen("hub@", "hub-apiserver@", 1),
            _ => format!("apiserver@{cluster}"),
        };
        Ok(state.audit(&self.process(&process)?.spec.name))
    }

    /// Log file of a process: its standard output and standard error.
    pub fn log(&self, process: &str) -> Result<PathBuf> {
        Ok(self.state()?.log(&self.process(process)?.spec.name))
    }

    /// Address of a place; the host reaches it.
    pub fn address(&self, place: Place) -> Result<IpAddr> {
        Ok(self.state()?.address(place)?.into())
    }

    /// A client for the HTTP API of the cloud's Prometheus (profile `full`).
    pub fn prometheus(&self) -> Result<kube::Client> {
        let state = self.state()?;
        let place = state
            .profile
            .prometheus_place()
            .context("no Prometheus in this profile")?;
        let url = format!("http://{}:{}", state.address(place)?, port::PROMETHEUS);
        // Anything that speaks JSON over HTTP will do; this one is there.
        kube::Client::try_from(kube::Config::new(url.parse()?)).context("no client")
    }

    /// Where a process shows its metrics in plain HTTP.
    pub fn metrics_url(&self, process: &str) -> Result<String> {
        let spec = self.process(process)?.spec;
        let address = self.state()?.address(spec.place)?;
        cluster::metrics_address(&spec, address).with_context(|| format!("{process} has no metrics in plain HTTP"))
    }
}

/// Writes or removes a file that a running process looks at: it sees the old or the new text, never a half.
fn order(file: &Path, text: Option<&str>) -> Result<()> {
    let next = file.with_extension("next");
    let done = match text {
        Some(text) => std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, file)),
        None => std::fs::remove_file(file).or_else(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        }),
    };
    done.with_context(|| format!("cannot write {}", file.display()))
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        // First the thread: its end is what kills the processes.
        drop(self.supervisor.take());
        if let Err(e) = teardown::teardown_blocking(&self.dir) {
            eprintln!("cannot remove the cloud in {}: {e:#}", self.dir.display());
        }
    }
}
