//! A running cloud, as tests and the command line see it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;

use crate::access::{self, eventually};
use crate::fault::{self, Cut};
use crate::place::{Place, Profile};
use crate::process::{Condition, Identity, Spec, Stage};
use crate::state::{Held, Process, State};
use crate::supervisor::{self, InThread, Request};
use crate::users::ADMIN;
use crate::{certs, cluster, manifests, net, nodes, teardown, tools, users, workers};

/// How long one stage of processes may take to become ready. Six API servers share the CPUs of one machine.
const READY: Duration = Duration::from_secs(120);
/// How often a program of ours may end by itself while it is waited for.
const RESTARTS: u32 = 2;

/// How a cloud is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much of it.
    pub profile: Profile,
    /// Where its state lives; a temporary folder if `None`.
    pub dir: Option<PathBuf>,
    /// Nodes of each metro centre in profile `full`; 125 if `None`.
    pub nodes: Option<u32>,
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
            dir: None,
            nodes: None,
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
    dir: PathBuf,
    /// Thread with the processes; empty when a detached supervisor has them.
    supervisor: Option<InThread>,
    /// Whether the end of this value is the end of the cloud.
    owned: bool,
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

    async fn start(options: Options, supervise: impl FnOnce(&Path) -> Result<Option<InThread>>) -> Result<Self> {
        let progress = Progress {
            begin: Instant::now(),
            shown: options.progress,
        };
        net::preflight()?;
        let charts = manifests::charts_dir(options.charts.as_deref())?;
        let ours = match options.operators {
            true => Some(workers::find_binary(options.xiangyun_bin.as_deref())?),
            false => None,
        };
        let ready_tools = options.tools_dir.clone();
        let tools = tokio::task::spawn_blocking(move || tools::ensure(ready_tools.as_deref())).await??;
        let dir = prepare_dir(options.dir.as_deref()).await?;
        let temporary = options.dir.is_none();
        let state = net::claim(|subnet| describe(&dir, subnet, options.profile, temporary, tools)).await?;
        // From here on an error, or a caller that no longer waits, tears down what there is.
        let mut cloud = Self {
            dir,
            supervisor: None,
            owned: true,
        };
        write_files(&state).await?;
        net::create(&state).await?;
        cloud.supervisor = supervise(&cloud.dir)?;
        eventually(READY, "the supervisor answers", || async {
            tokio::net::UnixStream::connect(state.socket())
                .await
                .map(drop)
                .context("its socket")
        })
        .await?;
        progress.say(&format!("network 198.18.{}.0/20 and certificates", state.subnet * 16));
        cloud.start_all(cluster::specs(&state)?, &progress).await?;
        cloud
            .fill(&state, &charts, options.nodes.unwrap_or(nodes::BASELINE), &progress)
            .await?;
        if let Some(ours) = ours {
            cloud.start_all(workers::specs(&state, &ours)?, &progress).await?;
        }
        Ok(cloud)
    }

    /// Manifests and nodes, side by side.
    async fn fill(&self, state: &State, charts: &Path, metro: u32, progress: &Progress) -> Result<()> {
        let manifests = async {
            for notice in manifests::apply_all(state, charts).await? {
                eprintln!("notice: {notice}");
            }
            progress.say("manifests applied");
            Ok(())
        };
        let nodes = async {
            if !nodes::exist(state.profile) {
                return Ok(());
            }
            let centres = state
                .profile
                .centres()
                .iter()
                .map(|place| async { nodes::create(&self.client(place.name(), None).await?, *place, metro).await });
            let counts = try_join_all(centres).await?;
            progress.say(&format!("{} nodes Ready", counts.iter().sum::<usize>()));
            Ok(())
        };
        futures::future::try_join(manifests, nodes).await.map(drop)
    }

    /// Starts new processes stage by stage.
    async fn start_all(&self, specs: Vec<Spec>, progress: &Progress) -> Result<()> {
        let state = self.state()?;
        for stage in Stage::ALL {
            let of_stage: Vec<&Spec> = specs.iter().filter(|spec| spec.stage == stage).collect();
            for spec in &of_stage {
                supervisor::ask(&state, &Request::Start(Box::new((*spec).clone()))).await?;
            }
            try_join_all(of_stage.iter().map(|spec| self.ready(spec, READY))).await?;
            if !of_stage.is_empty() {
                let names: Vec<&str> = of_stage.iter().map(|spec| spec.name.as_str()).collect();
                progress.say(&format!("ready: {}", names.join(" ")));
            }
        }
        Ok(())
    }

    /// Waits until a process is ready. One that ended is not waited for, unless it comes back by itself.
    async fn ready(&self, spec: &Spec, within: Duration) -> Result<()> {
        let name = &spec.name;
        let what = format!("{name} is ready");
        let before = self.process(name)?.starts;
        let ended = eventually(within, &what, || async {
            let Process { exit, starts, .. } = self.process(name)?;
            match (exit, spec.ready.check().await) {
                (Some(exit), Err(_)) if !spec.restart || starts - before > RESTARTS => Ok(Some(exit)),
                (_, ready) => ready.map(|()| None),
            }
        });
        let log = || tail(&self.dir.join("logs").join(format!("{name}.log")));
        match ended.await {
            Ok(None) => Ok(()),
            Ok(Some(exit)) => bail!("{name} ended ({exit}) before it was ready:\n{}", log()),
            Err(e) => Err(e.context(format!("end of its log:\n{}", log()))),
        }
    }

    pub(crate) fn state(&self) -> Result<State> {
        State::load(&self.dir)
    }

    fn process(&self, name: &str) -> Result<Process> {
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

    /// A client for `cluster` as `user`. It does not retry by itself: put a deadline around calls, or [`eventually`].
    pub async fn client(&self, cluster: &str, user: Option<&str>) -> Result<kube::Client> {
        access::client(&self.kubeconfig(cluster, user)?).await
    }

    /// Runs kubectl of the cloud's version to its end; the exit code is the caller's to judge.
    pub async fn kubectl(&self, cluster: &str, user: Option<&str>, args: &[&str]) -> Result<Output> {
        self.kubeconfig(cluster, user)?;
        let mut kubectl = manifests::kubectl(&self.state()?, cluster, user.unwrap_or(ADMIN), args);
        kubectl.output().await.context("cannot run kubectl")
    }

    /// Runs a command in the network of a place to its end; the exit code is the caller's to judge.
    pub async fn exec(&self, place: Place, program: &str, args: &[&str]) -> Result<Output> {
        let state = self.state()?;
        let mut ip = tokio::process::Command::new("ip");
        ip.args(["netns", "exec", &state.net(place)?.netns, program]).args(args);
        ip.stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run `ip`")
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
        fault::cut(&self.state()?, cut).await
    }

    /// Lifts cuts, thaws what is frozen and starts what was killed or ended, in one place or everywhere, and waits
    /// until all of it is ready.
    pub async fn heal(&self, place: Option<Place>) -> Result<()> {
        let state = self.state()?;
        fault::lift(&state, place).await?;
        let sick = |p: &&Process| place.is_none_or(|place| place == p.spec.place) && p.held != Held::Stopped;
        let processes: Vec<&Process> = state.processes.values().filter(sick).collect();
        for process in processes.iter().filter(|p| p.condition() == Condition::Frozen) {
            supervisor::ask(&state, &Request::Thaw(process.spec.name.clone())).await?;
        }
        for stage in Stage::ALL {
            let of_stage: Vec<&&Process> = processes.iter().filter(|p| p.spec.stage == stage).collect();
            for process in &of_stage {
                supervisor::ask(&state, &Request::Again(process.spec.name.clone())).await?;
            }
            try_join_all(of_stage.iter().map(|process| self.ready(&process.spec, READY))).await?;
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

    /// Where a process shows its metrics in plain HTTP.
    pub fn metrics_url(&self, process: &str) -> Result<String> {
        let spec = self.process(process)?.spec;
        let address = self.state()?.address(spec.place)?;
        cluster::metrics_address(&spec, address).with_context(|| format!("{process} has no metrics in plain HTTP"))
    }
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

/// The folder of a new cloud, absolute and empty. What a dead cloud left in it is removed.
async fn prepare_dir(named: Option<&Path>) -> Result<PathBuf> {
    let dir = match named {
        Some(named) => std::path::absolute(named)?,
        None => std::env::temp_dir().join(format!("xiangyun-playground-{}", random_id()?)),
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    if State::exists(&dir) {
        if State::load(&dir)?.supervisor_alive() {
            let shown = dir.display();
            bail!("a cloud runs in {shown} already: see `playground status`, or end it with `playground down`");
        }
        teardown::teardown(&dir).await?;
        std::fs::create_dir_all(&dir)?;
    }
    if std::fs::read_dir(&dir)?.next().is_some() {
        bail!("{} is not empty: `down` would remove what is in it", dir.display());
    }
    Ok(dir)
}

/// Four hexadecimal digits.
fn random_id() -> Result<String> {
    use std::io::Read;
    let mut bytes = [0; 2];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .context("no random bytes")?;
    Ok(format!("{:04x}", u16::from_be_bytes(bytes)))
}

fn describe(dir: &Path, subnet: u8, profile: Profile, temporary: bool, tools: PathBuf) -> Result<State> {
    let id = random_id()?;
    let (bridge, places) = net::plan(&id, subnet, profile);
    Ok(State {
        id,
        subnet,
        profile,
        temporary,
        dir: dir.to_owned(),
        tools,
        bridge,
        places,
        // This process until the supervisor takes over, so that nobody takes the claim for abandoned.
        supervisor: Some(Identity::of(std::process::id())?),
        processes: std::collections::BTreeMap::new(),
    })
}

async fn write_files(state: &State) -> Result<()> {
    let state = state.clone();
    let write = move || {
        for folder in ["logs", "audit", "data"] {
            std::fs::create_dir_all(state.dir.join(folder)).with_context(|| format!("cannot create {folder}"))?;
        }
        std::fs::write(state.dir.join("audit/policy.yaml"), cluster::AUDIT_POLICY).context("audit policy")?;
        certs::write_all(&state).context("cannot write the certificates")
    };
    tokio::task::spawn_blocking(write).await?
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n")
}

struct Progress {
    begin: Instant,
    shown: bool,
}

impl Progress {
    fn say(&self, what: &str) {
        if self.shown {
            eprintln!("{:5.1} s  {what}", self.begin.elapsed().as_secs_f64());
        }
    }
}
