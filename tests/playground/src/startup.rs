//! How a cloud comes up: claim, network, servers, manifests and nodes, and our own programs last.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;

use crate::access::eventually;
use crate::cloud::{Cloud, Options, READY};
use crate::mode::Mode;
use crate::process::{Identity, Spec, Stage};
use crate::state::{Process, State};
use crate::supervisor::{self, InThread, Request};
use crate::{arbiter, certs, cluster, manifests, net, nodes, prometheus, runner, teardown, tools, workers};

/// How often a program of ours may end by itself while it is waited for.
const RESTARTS: u32 = 2;

impl Cloud {
    pub(crate) async fn start(
        options: Options,
        supervise: impl FnOnce(&Path) -> Result<Option<InThread>>,
    ) -> Result<Self> {
        let progress = Progress {
            begin: Instant::now(),
            shown: options.progress,
        };
        options.mode.preflight()?;
        let charts = manifests::charts_dir(options.charts.as_deref())?;
        let find = || workers::find_binary(options.xiangyun_bin.as_deref());
        let ours = options.operators.then(find).transpose()?;
        let ready_tools = options.tools_dir.clone();
        let tools = tokio::task::spawn_blocking(move || tools::ensure(ready_tools.as_deref())).await??;
        let dir = prepare_dir(options.dir.as_deref()).await?;
        let temporary = options.dir.is_none();
        let state = net::claim(options.mode, |subnet| {
            describe(&dir, subnet, &options, temporary, tools)
        })
        .await?;
        // From here on an error, or a caller that no longer waits, tears down what there is.
        let mut cloud = Self {
            dir,
            supervisor: None,
            owned: true,
        };
        write_files(&state, options.timing).await?;
        net::create(&state).await?;
        runner::lay(&state).await?;
        cloud.supervisor = supervise(&cloud.dir)?;
        eventually(READY, "the supervisor answers", || async {
            tokio::net::UnixStream::connect(state.socket())
                .await
                .map(drop)
                .context("its socket")
        })
        .await?;
        let net = match state.mode {
            Mode::Netns | Mode::Rootless => format!("network 198.18.{}.0/20", state.subnet * 16),
            Mode::Loopback => "loopback addresses (no network faults)".to_owned(),
        };
        progress.say(&format!("{net} and certificates"));
        let servers = cluster::specs(&state)?;
        cloud.start_all(servers.clone(), &progress).await?;
        let runners = runner::specs(&state)?;
        cloud.start_all(runners.clone(), &progress).await?;
        let metro = options.nodes.unwrap_or(nodes::BASELINE);
        cloud.fill(&state, &charts, metro, &progress).await?;
        let ours = ours.map_or_else(|| Ok(Vec::new()), |ours| workers::specs(&state, &ours))?;
        cloud.start_all(ours.clone(), &progress).await?;
        let seen = servers.into_iter().chain(ours).chain(runners);
        let targets: Vec<Spec> = seen.collect();
        let eyes = prometheus::prepare(&state, &charts, &targets, metro)?;
        cloud.start_all(eyes.into_iter().collect(), &progress).await?;
        Ok(cloud)
    }

    /// Manifests and nodes, side by side.
    async fn fill(&self, state: &State, charts: &Path, metro: u32, progress: &Progress) -> Result<()> {
        let manifests = async {
            manifests::apply_all(state, charts).await?;
            progress.say("charts applied");
            Ok(())
        };
        let nodes = async {
            if !nodes::exist(state.profile) {
                return Ok(());
            }
            let centres = state.profile.centres().iter().map(|place| async {
                nodes::create(&self.client(place.name(), None).await?, *place, metro, state.runners).await
            });
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
                if stage == Stage::Store {
                    arbiter::admit(&state).await.context("users of the hub's store")?;
                }
            }
        }
        Ok(())
    }

    /// Waits until a process is ready. One that ended is not waited for, unless it comes back by itself.
    pub(crate) async fn ready(&self, spec: &Spec, within: Duration) -> Result<()> {
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
}

/// The folder of a new cloud, absolute and empty. What a dead cloud left in it is removed.
async fn prepare_dir(named: Option<&Path>) -> Result<PathBuf> {
    let dir = match named {
        Some(named) => std::path::absolute(named)?,
        None => std::env::temp_dir().join(format!("xiangyun-playground-{}-{:04x}", std::process::id(), random()?)),
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
    } else if let Some(lost) = net::lost(&dir) {
        teardown::teardown_lost(&lost).await?;
        std::fs::create_dir_all(&dir)?;
    }
    if std::fs::read_dir(&dir)?.next().is_some() {
        bail!("{} is not empty: `down` would remove what is in it", dir.display());
    }
    Ok(dir)
}

/// Some random number below 65,536.
fn random() -> Result<u16> {
    use std::io::Read;
    let mut bytes = [0; 2];
    let filled = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    filled.context("no random bytes")?;
    Ok(u16::from_be_bytes(bytes))
}

fn describe(dir: &Path, subnet: u8, options: &Options, temporary: bool, tools: PathBuf) -> Result<State> {
    // The subnet is locked, so no other cloud has the first digit; the others tell it from earlier clouds.
    let id = format!("{subnet:x}{:03x}", random()? >> 4);
    let (profile, mode) = (options.profile, options.mode);
    let (bridge, places) = net::plan(&id, subnet, profile, mode);
    Ok(State {
        id,
        subnet,
        profile,
        mode,
        temporary,
        dir: dir.to_owned(),
        tools,
        bridge,
        places,
        runners: options.runners()?,
        supervisor: Identity::of(std::process::id())?,
        processes: std::collections::BTreeMap::new(),
    })
}

async fn write_files(state: &State, timing: Option<serde_json::Value>) -> Result<()> {
    let state = state.clone();
    let write = move || {
        for folder in ["logs", "audit", "data", "clock", "orders", "writes"] {
            std::fs::create_dir_all(state.dir.join(folder)).with_context(|| format!("cannot create {folder}"))?;
        }
        std::fs::write(state.dir.join("audit/policy.yaml"), cluster::AUDIT_POLICY).context("audit policy")?;
        std::fs::write(state.dir.join(cluster::USAGE_FILE), cluster::USAGE).context("usage of kwok's pods")?;
        if arbiter::exists(state.profile) {
            arbiter::write(&state, timing.as_ref())?;
        }
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
