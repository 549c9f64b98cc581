//! The stores themselves: who speaks to the hub's from the network of a place, copies, and what is restored from one.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, setns};

use crate::arbiter;
use crate::cloud::Cloud;
use crate::cluster::{etcd_files, pki};
use crate::mode::Mode;
use crate::place::Place;
use crate::process::Spec;
use crate::state::State;

/// A store below API servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Of the hub and the arbiter.
    Hub,
    /// Of a centre.
    Centre(Place),
}

impl Store {
    /// Its voters, or the API servers above it.
    fn processes(self, state: &State, tool: &str) -> Vec<Spec> {
        let is_of = |spec: &Spec| match self {
            Self::Hub => spec.name.starts_with("hub-"),
            Self::Centre(place) => spec.place == place && !spec.name.starts_with("hub-"),
        };
        let all = state.processes.values().map(|process| &process.spec);
        all.filter(|spec| spec.program.ends_with(tool) && is_of(spec))
            .cloned()
            .collect()
    }
}

impl Cloud {
    /// URLs of the hub's voters, by the name of their place.
    pub fn voters(&self) -> Result<BTreeMap<String, Vec<String>>> {
        arbiter::voters(&self.state()?)
    }

    /// Files of the arbiter's client of that store: authority, certificate, key.
    pub fn arbiter_files(&self) -> Result<[PathBuf; 3]> {
        let state = self.state()?;
        let files = [
            "etcd-ca.crt".to_owned(),
            format!("{}.crt", arbiter::CLIENT),
            format!("{}.key", arbiter::CLIENT),
        ];
        Ok(files.map(|file| PathBuf::from(pki(&state, &file))))
    }

    /// What a store holds, as one of its voters wrote it to `file`.
    pub async fn save_store(&self, store: Store, file: &Path) -> Result<()> {
        let state = self.state()?;
        let voters = store.processes(&state, "etcd");
        let voter = voters.last().context("a voter")?;
        let [certificate, key, authority] = etcd_files(&state, voter.place);
        let address = voter
            .args
            .iter()
            .find_map(|arg| arg.strip_prefix("--advertise-client-urls="));
        let options = [
            format!("--endpoints={}", address.context("its address")?),
            format!("--cacert={authority}"),
            format!("--cert={certificate}"),
            format!("--key={key}"),
            "snapshot".to_owned(),
            "save".to_owned(),
            file.display().to_string(),
        ];
        run(&self.tool("etcdctl")?, &options).await
    }

    /// Stops the API servers and voters of a store and starts them from that copy, as any manual of etcd says: as a store of
    /// its own, with revisions that no watcher has seen.
    pub async fn restore_store(&self, store: Store, file: &Path) -> Result<()> {
        let state = self.state()?;
        let of = |tool| store.processes(&state, tool);
        let (servers, voters) = (of("kube-apiserver"), of("etcd"));
        for process in servers.iter().chain(&voters) {
            self.kill(&process.name).await?;
        }
        let utility = self.tool("etcdutl")?;
        for voter in &voters {
            let folder = state.dir.join("data").join(&voter.name);
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
            let kept = [
                "--name=",
                "--data-dir=",
                "--initial-cluster=",
                "--initial-advertise-peer-urls=",
            ];
            let kept = voter
                .args
                .iter()
                .filter(|arg| kept.iter().any(|k| arg.starts_with(k)))
                .cloned();
            let copy = ["snapshot", "restore"]
                .map(str::to_owned)
                .into_iter()
                .chain([file.display().to_string()]);
            let anew = [
                format!("--initial-cluster-token={}-restored", state.id),
                "--bump-revision=1000000000".to_owned(),
                "--mark-compacted".to_owned(),
            ];
            run(&utility, &copy.chain(kept).chain(anew).collect::<Vec<_>>()).await?;
        }
        // A voter is ready once a majority is.
        futures::future::try_join_all(voters.iter().map(|voter| self.start_process(&voter.name))).await?;
        futures::future::try_join_all(servers.iter().map(|server| self.start_process(&server.name))).await?;
        Ok(())
    }

    /// Does `work` on a thread of its own in the network of a place.
    pub fn within<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let state = self.state()?;
        ensure!(
            state.mode == Mode::Netns,
            "only places with a network of their own can be entered"
        );
        let path = Path::new("/run/netns").join(&state.net(place)?.netns);
        let net = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(std::thread::spawn(move || {
            setns(net, CloneFlags::CLONE_NEWNET).context("cannot enter the network of the place")?;
            work()
        }))
    }
}

async fn run(tool: &Path, args: &[String]) -> Result<()> {
    let ended = tokio::process::Command::new(tool).args(args).output().await;
    let ended = ended.with_context(|| format!("cannot run {}", tool.display()))?;
    ensure!(
        ended.status.success(),
        "{} {args:?}: {}",
        tool.display(),
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(())
}
