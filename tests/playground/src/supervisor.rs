//! The one owner of a cloud's processes. All of them are children of one thread and get SIGKILL when it ends, however
//! it ends; so the kernel, not our code, makes sure that nothing outlives a cloud.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::access::eventually;
use crate::mode::Mode;
use crate::process::{Condition, Identity, Spec};
use crate::state::{Held, Process, State};

/// Pause before a program of ours that ended by itself is started again; doubled each time up to [`LONGEST_PAUSE`].
const RESTART_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a stopped process may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// What the supervisor can be asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// Start a process that is new to the cloud.
    Start(Box<Spec>),
    /// Start a known process again, unless it runs.
    Again(String),
    /// The same, but only where the process is still known and was not stopped on purpose.
    Revive(String),
    /// SIGKILL; stays dead until it is started again.
    Kill(String),
    /// SIGTERM, then SIGKILL; `heal` does not bring it back.
    Stop(String),
    /// SIGKILL, and the process is no longer known; nothing where it never was.
    Remove(String),
    /// SIGSTOP.
    Freeze(String),
    /// SIGCONT.
    Thaw(String),
}

/// Asks the supervisor of a cloud for something and waits until it is done.
pub(crate) async fn ask(state: &State, request: &Request) -> Result<()> {
    let socket = state.socket();
    let stream = UnixStream::connect(&socket)
        .await
        .context("the supervisor is gone: `playground down` cleans up")?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    write
        .write_all(line.as_bytes())
        .await
        .context("cannot ask the supervisor")?;
    let mut answer = String::new();
    BufReader::new(read)
        .read_line(&mut answer)
        .await
        .context("no answer from the supervisor")?;
    let answer: Result<(), String> = serde_json::from_str(&answer).context("no answer from the supervisor")?;
    answer.map_err(anyhow::Error::msg)
}

/// A supervisor in a thread of this process. Dropping it ends the thread and with it every process.
#[derive(Debug)]
pub(crate) struct InThread {
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl InThread {
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let (end, ended) = oneshot::channel();
        let dir = dir.to_owned();
        let body = move || {
            if let Err(e) = block_on_this_thread(&dir, ended) {
                eprintln!("supervisor of {}: {e:#}", dir.display());
            }
        };
        let thread = std::thread::Builder::new()
            .name("supervisor".into())
            .spawn(body)
            .context("no thread")?;
        Ok(Self {
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for InThread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs the supervisor on this thread until `ended` is dropped or sent.
pub(crate) fn block_on_this_thread(dir: &Path, ended: oneshot::Receiver<()>) -> Result<()> {
    // One thread and no other: children are killed when the thread that spawned them ends.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(serve(dir, ended))
}

async fn serve(dir: &Path, ended: oneshot::Receiver<()>) -> Result<()> {
    let mut state = State::load(dir)?;
    state.supervisor = Identity::of(std::process::id())?;
    state.save_with_copy()?;
    let listener = UnixListener::bind(state.socket()).with_context(|| format!("{}", state.socket().display()))?;
    let supervisor = Supervisor(Arc::new(Mutex::new(Owned { state, closing: false })));
    let requests = async {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(supervisor.clone().answer(stream));
            }
        }
    };
    tokio::select! {
        () = requests => Ok(()),
        _ = ended => supervisor.close().await,
    }
}

struct Owned {
    state: State,
    closing: bool,
}

#[derive(Clone)]
struct Supervisor(Arc<Mutex<Owned>>);

impl Supervisor {
    fn lock(&self) -> MutexGuard<'_, Owned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        if BufReader::new(read).read_line(&mut line).await.is_err() {
            return;
        }
        let done = match serde_json::from_str(&line) {
            Ok(request) => self.handle(request).await.map_err(|e| format!("{e:#}")),
            Err(e) => Err(format!("not a request: {e}")),
        };
        let answer = serde_json::to_string(&done).unwrap_or_default();
        // The asker may have given up; what was asked for is done all the same.
        let _ = write.write_all(format!("{answer}\n").as_bytes()).await;
    }

    async fn handle(&self, request: Request) -> Result<()> {
        match request {
            Request::Start(spec) => self.start(*spec),
            Request::Again(name) => self.again(&name),
            Request::Revive(name) => {
                let known = self
                    .lock()
                    .state
                    .processes
                    .get(&name)
                    .is_some_and(|p| p.held != Held::Stopped);
                if known { self.again(&name) } else { Ok(()) }
            }
            Request::Kill(name) => self.end(&name, Held::Killed, &[Signal::SIGKILL]).await,
            Request::Stop(name) => {
                self.end(&name, Held::Stopped, &[Signal::SIGCONT, Signal::SIGTERM])
                    .await
            }
            Request::Remove(name) => self.remove(&name).await,
            Request::Freeze(name) => self.freeze(&name).await,
            Request::Thaw(name) => self.running(&name)?.signal(Signal::SIGCONT),
        }
    }

    /// The kernel stops a process when that next runs, which on a busy machine is a moment after it was told.
    async fn freeze(&self, name: &str) -> Result<()> {
        let running = self.running(name)?;
        running.signal(Signal::SIGSTOP)?;
        let stops = async {
            while running.condition() == Condition::Running {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let stopped = tokio::time::timeout(GRACE * 5, stops).await;
        stopped.with_context(|| format!("{name} does not stop"))
    }

    async fn remove(&self, name: &str) -> Result<()> {
        if !self.lock().state.processes.contains_key(name) {
            return Ok(());
        }
        self.end(name, Held::Stopped, &[Signal::SIGKILL]).await?;
        let mut owned = self.lock();
        owned.state.processes.remove(name);
        owned.state.save_with_copy()
    }

    fn running(&self, name: &str) -> Result<Identity> {
        let owned = self.lock();
        let process = owned
            .state
            .processes
            .get(name)
            .with_context(|| format!("no process {name}"))?;
        process.running.with_context(|| format!("{name} does not run"))
    }

    fn start(&self, spec: Spec) -> Result<()> {
        let mut owned = self.lock();
        let name = spec.name.clone();
        if owned.state.processes.contains_key(&name) {
            bail!("{name} exists already");
        }
        let process = Process {
            spec,
            running: None,
            held: Held::No,
            exit: None,
            starts: 0,
        };
        owned.state.processes.insert(name.clone(), process);
        drop(owned);
        self.again(&name)
    }

    fn again(&self, name: &str) -> Result<()> {
        let mut owned = self.lock();
        if owned.closing {
            bail!("the cloud is going down");
        }
        let process = owned
            .state
            .processes
            .get(name)
            .with_context(|| format!("no process {name}"))?;
        if process.running.is_some() {
            return Ok(());
        }
        let child = spawn(&owned.state, &process.spec)?;
        let pid = child.id().with_context(|| format!("{name} ended at once"))?;
        if let Some(process) = owned.state.processes.get_mut(name) {
            process.running = Some(Identity::of(pid)?);
            process.held = Held::No;
            process.exit = None;
            process.starts += 1;
        }
        owned.state.save_with_copy()?;
        drop(owned);
        tokio::spawn(self.clone().watch(name.to_owned(), child));
        Ok(())
    }

    /// Waits for the end of a process, records it, and starts it again when that is its nature.
    async fn watch(self, name: String, mut child: Child) {
        let exit = match child.wait().await {
            Ok(status) => status.to_string(),
            Err(e) => format!("unknown: {e}"),
        };
        let Some(starts) = self.record_end(&name, exit) else {
            return;
        };
        let pause = RESTART_PAUSE
            .saturating_mul(1 << starts.saturating_sub(1).min(8))
            .min(LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
        let wanted = self
            .lock()
            .state
            .processes
            .get(&name)
            .is_some_and(|p| p.held == Held::No);
        if wanted && let Err(e) = self.again(&name) {
            eprintln!("{name}: {e:#}");
        }
    }

    /// Records the end; `Some(starts)` when the process should come back by itself.
    fn record_end(&self, name: &str, exit: String) -> Option<u32> {
        let mut owned = self.lock();
        let process = owned.state.processes.get_mut(name)?;
        process.running = None;
        process.exit = Some(exit);
        let back = (process.spec.restart && process.held == Held::No).then_some(process.starts);
        if let Err(e) = owned.state.save_with_copy() {
            eprintln!("{name}: {e:#}");
        }
        back.filter(|_| !owned.closing)
    }

    async fn end(&self, name: &str, held: Held, signals: &[Signal]) -> Result<()> {
        let running = {
            let mut owned = self.lock();
            let process = owned
                .state
                .processes
                .get_mut(name)
                .with_context(|| format!("no process {name}"))?;
            process.held = held;
            let running = process.running;
            owned.state.save_with_copy()?;
            running
        };
        let Some(running) = running else { return Ok(()) };
        for signal in signals {
            running.signal(*signal)?;
        }
        if self.ended(name, GRACE).await.is_err() {
            running.signal(Signal::SIGKILL)?;
            self.ended(name, GRACE * 5).await?;
        }
        Ok(())
    }

    async fn ended(&self, name: &str, within: Duration) -> Result<()> {
        eventually(within, &format!("{name} has ended"), || async {
            match self.running(name) {
                Ok(still) => bail!("process {} runs", still.pid),
                Err(_) => Ok(()),
            }
        })
        .await
    }

    async fn close(&self) -> Result<()> {
        let names: Vec<String> = {
            let mut owned = self.lock();
            owned.closing = true;
            for running in owned.state.processes.values().filter_map(|p| p.running) {
                running.signal(Signal::SIGKILL)?;
            }
            owned.state.processes.keys().cloned().collect()
        };
        for name in names {
            self.ended(&name, GRACE * 5).await?;
        }
        Ok(())
    }
}

/// Starts a process in its place's namespace. `ip netns exec` and `setpriv` replace themselves, so the pid is the
/// program's own.
fn spawn(state: &State, spec: &Spec) -> Result<Child> {
    let log: PathBuf = state.log(&spec.name);
    let out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .with_context(|| format!("{}", log.display()))?;
    let err = out.try_clone().context("cannot share the log")?;
    let mut line = match &spec.netns {
        Some(netns) => Mode::entering(netns),
        None => state.prefix(spec.place)?,
    };
    line.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned));
    let (first, rest) = line.split_first().context("nothing to run")?;
    Command::new(first)
        .args(rest)
        .arg(&spec.program)
        .args(&spec.args)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", spec.name))
}
