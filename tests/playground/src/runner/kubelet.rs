//! A small kubelet: pods of one node become processes. The supervisor owns these, so that they go on when this one dies, and
//! die or freeze with their place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::{reflector, watcher};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::ingress::{Backend, Backends};
use super::net;
use super::ranges::RunnerNode;
use super::status::{self, Looks};
use super::wanted::{Run, Wanted};
use crate::place::port;
use crate::process::Condition;
use crate::ready::Ready;
use crate::state::{Process, State};
use crate::supervisor::{self, Request};

/// Between two looks at everything, where nothing changes.
const TICK: Duration = Duration::from_millis(500);
/// One call of the API server.
const CALL: Duration = Duration::from_secs(3);
/// Before a watch that broke is opened again.
const RETRY: Duration = Duration::from_millis(500);
/// Seconds after which a watch is opened anew, in case nobody is at its other end any more.
const WATCH: u32 = 20;
/// A pod that does not answer within this has not answered.
const PROBE: Duration = Duration::from_millis(500);
/// So many probes in a row fail before a pod is no longer ready.
const MISSES: u8 = 2;

/// The kubelet of one node.
pub(crate) struct Kubelet {
    pub(crate) dir: PathBuf,
    pub(crate) node: RunnerNode,
    pub(crate) client: kube::Client,
    /// This program.
    pub(crate) program: PathBuf,
    pub(crate) sink: SocketAddrV4,
    pub(crate) backends: Backends,
    /// Address of each pod, by uid.
    pub(crate) given: BTreeMap<String, Ipv4Addr>,
    /// The address that was given last, to an exclusive pod or another.
    pub(crate) last: BTreeMap<bool, Ipv4Addr>,
    /// Probes in a row that failed, by uid; those that never answered are not in it.
    pub(crate) misses: BTreeMap<String, u8>,
}

/// A pod with what is known of it here.
struct Seen {
    pod: Arc<Pod>,
    wanted: Wanted,
    process: Option<Process>,
}

impl Kubelet {
    /// Works until its process ends.
    pub(crate) async fn run(mut self) {
        let api: Api<Pod> = Api::all(self.client.clone());
        let (reader, writer) = reflector::store();
        let config = watcher::Config::default()
            .fields(&format!("spec.nodeName={}", self.node.name))
            .timeout(WATCH);
        let changed = Notify::new();
        let name = self.node.name.clone();
        let watch = async {
            let mut events = pin!(reflector(writer, watcher(api, config)));
            while let Some(event) = events.next().await {
                match event {
                    Ok(_) => changed.notify_one(),
                    Err(error) => {
                        eprintln!("{name}: the watch broke: {error}");
                        sleep(RETRY).await;
                    }
                }
            }
        };
        let rounds = async {
            if reader.wait_until_ready().await.is_err() {
                return;
            }
            loop {
                if let Err(error) = self.round(&reader.state()).await {
                    eprintln!("{name}: {error:#}");
                }
                let _ = timeout(TICK, changed.notified()).await;
            }
        };
        tokio::join!(watch, rounds);
    }

    async fn round(&mut self, pods: &[Arc<Pod>]) -> Result<()> {
        let state = State::load(&self.dir)?;
        let mut mine = processes(&state, &self.node);
        let wanted = pods.iter().filter_map(|pod| Some((Arc::clone(pod), Wanted::of(pod)?)));
        let seen: Vec<Seen> = wanted
            .map(|(pod, wanted)| Seen {
                process: mine.remove(&wanted.uid),
                pod,
                wanted,
            })
            .collect();
        // What is left belongs to pods that nobody knows any more.
        for orphan in mine.into_values() {
            eprintln!("{}: {} is nobody's", self.node.name, orphan.spec.name);
            self.remove(&state, &orphan).await?;
        }
        self.give(&seen);
        let ready = self.probe(&seen).await;
        self.backends.publish(&self.node.name, self.serving(&seen, &ready));
        let done = join_all(seen.iter().map(|seen| self.step(&state, seen, &ready))).await;
        for (seen, error) in seen.iter().zip(done).filter_map(|(s, done)| Some((s, done.err()?))) {
            eprintln!(
                "{}: {}/{}: {error:#}",
                self.node.name, seen.wanted.namespace, seen.wanted.name
            );
        }
        Ok(())
    }

    /// Gives addresses to those that have none, and forgets those of pods that are gone.
    fn give(&mut self, seen: &[Seen]) {
        let uids: BTreeSet<&str> = seen.iter().map(|s| s.wanted.uid.as_str()).collect();
        self.given.retain(|uid, _| uids.contains(uid.as_str()));
        self.misses.retain(|uid, _| uids.contains(uid.as_str()));
        for seen in seen {
            let of_process = seen.process.as_ref().and_then(|p| Some(p.spec.pod.as_ref()?.address));
            let said = seen.pod.status.as_ref().and_then(|s| s.pod_ip.as_deref()?.parse().ok());
            if let Some(address) = of_process.or(said) {
                self.given.insert(seen.wanted.uid.clone(), address);
            }
        }
        for seen in seen.iter().filter(|s| !s.wanted.leaves && !status::over(&s.pod)) {
            let wanted = &seen.wanted;
            if self.given.contains_key(&wanted.uid) {
                continue;
            }
            let taken: BTreeSet<Ipv4Addr> = self.given.values().copied().collect();
            let free = if wanted.run.is_some() || wanted.exclusive {
                next(
                    self.node.addresses(wanted.exclusive),
                    &taken,
                    &mut self.last,
                    wanted.exclusive,
                )
            } else {
                Some(unreal(&wanted.uid))
            };
            match free {
                Some(address) => drop(self.given.insert(wanted.uid.clone(), address)),
                None => eprintln!("{}: no address is left for {}", self.node.name, wanted.name),
            }
        }
    }

    /// The uids of pods that are ready.
    async fn probe(&mut self, seen: &[Seen]) -> BTreeSet<String> {
        let runs = |seen: &Seen| seen.process.as_ref().is_some_and(|p| p.running.is_some());
        let answers = join_all(seen.iter().map(|seen| async {
            let address = self.given.get(&seen.wanted.uid)?;
            match seen.wanted.run {
                None => Some(true),
                Some(Run::Writer) => Some(runs(seen)),
                Some(Run::Http) if !runs(seen) => Some(false),
                Some(Run::Http) => {
                    let ready = Ready::Http(*address, port::POD, "/ready".to_owned());
                    Some(timeout(PROBE, ready.check()).await.is_ok_and(|answer| answer.is_ok()))
                }
            }
        }))
        .await;
        let mut ready = BTreeSet::new();
        for (seen, answer) in seen.iter().zip(answers) {
            let uid = &seen.wanted.uid;
            let misses = match (answer, self.misses.get(uid)) {
                (Some(true), _) => 0,
                // It never answered.
                (_, None) => continue,
                (_, Some(misses)) => misses.saturating_add(1),
            };
            self.misses.insert(uid.clone(), misses);
            if misses < MISSES && (misses == 0 || runs(seen)) {
                ready.insert(uid.clone());
            }
        }
        ready
    }

    /// Those that take requests.
    fn serving(&self, seen: &[Seen], ready: &BTreeSet<String>) -> Vec<Backend> {
        let takes = |w: &&Wanted| w.run == Some(Run::Http) && !w.leaves && ready.contains(&w.uid);
        let all = seen.iter().map(|s| &s.wanted).filter(takes);
        all.filter_map(|wanted| {
            Some(Backend {
                namespace: wanted.namespace.clone(),
                app: wanted.app.clone(),
                scope: wanted.scope.clone(),
                address: SocketAddrV4::new(*self.given.get(&wanted.uid)?, port::POD),
            })
        })
        .collect()
    }

    /// One step of one pod towards what it should be.
    async fn step(&self, state: &State, seen: &Seen, ready: &BTreeSet<String>) -> Result<()> {
        let Seen { pod, wanted, process } = seen;
        if wanted.leaves {
            return self.end(state, seen).await;
        }
        if status::over(pod) {
            return Ok(());
        }
        let Some(address) = self.given.get(&wanted.uid).copied() else {
            return Ok(());
        };
        if wanted.run.is_none() && wanted.of_a_job {
            return self.say(pod, &status::ended(pod, 0, status::now())).await;
        }
        if process.is_none()
            && let Some(spec) = wanted.spec(&self.node, address, self.sink, &self.program, &self.dir)
        {
            net::lay_pod(&self.node, address).await?;
            supervisor::ask(state, &Request::Start(Box::new(spec))).await?;
            // The next round sees whether it runs, and says so.
            return Ok(());
        }
        let restarts = process.as_ref().map_or(0, |p| p.starts.saturating_sub(1));
        let looks = Looks {
            address,
            runs: process.as_ref().is_none_or(|p| p.running.is_some()),
            ready: ready.contains(&wanted.uid),
            restarts: i32::try_from(restarts)?,
        };
        if status::known(pod, &looks) {
            return Ok(());
        }
        let patch = status::running(pod, &looks, self.node.outside.1, status::now());
        self.say(pod, &patch).await
    }

    /// Ends the process, says so, and only then lets the pod go.
    async fn end(&self, state: &State, seen: &Seen) -> Result<()> {
        let Seen { pod, wanted, process } = seen;
        let mut code = status::KILLED;
        if let Some(process) = process {
            let name = &process.spec.name;
            // Nothing of it may run again for a moment because it is asked to end.
            if process.condition() != Condition::Frozen {
                supervisor::ask(state, &Request::Stop(name.clone())).await?;
                let ended = State::load(&self.dir)?.processes.remove(name);
                code = ended.and_then(|p| p.exit).map_or(code, |exit| status::exit_code(&exit));
            }
            self.remove(state, process).await?;
        } else if wanted.run.is_none() {
            code = 0;
        }
        if !status::over(pod) && !status::known_ended(pod) {
            self.say(pod, &status::ended(pod, code, status::now())).await?;
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &wanted.namespace);
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(wanted.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match timeout(CALL, api.delete(&wanted.name, &now))
            .await
            .context("no answer")?
        {
            Ok(_) => Ok(()),
            Err(error) if gone(&error) => Ok(()),
            Err(error) => Err(error).context("cannot delete it"),
        }
    }

    async fn remove(&self, state: &State, process: &Process) -> Result<()> {
        supervisor::ask(state, &Request::Remove(process.spec.name.clone())).await?;
        match &process.spec.pod {
            Some(pod) => net::remove_pod(&self.node, pod.address).await,
            None => Ok(()),
        }
    }

    async fn say(&self, pod: &Pod, patch: &Value) -> Result<()> {
        let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
        let (Some(namespace), Some(name)) = (namespace, name) else {
            return Ok(());
        };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let (params, patch) = (PatchParams::default(), Patch::Strategic(patch));
        let said = api.patch_status(name, &params, &patch);
        match timeout(CALL, said).await.context("no answer")? {
            Ok(_) => Ok(()),
            Err(error) if gone(&error) => Ok(()),
            Err(error) => Err(error).context("cannot say how it is"),
        }
    }
}

/// The pod is no more, or its name is another's.
fn gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

/// The processes of the pods of a node, by uid.
fn processes(state: &State, node: &RunnerNode) -> BTreeMap<String, Process> {
    let of_place = state.processes.values().filter(|p| p.spec.place == node.place);
    let all = of_place.filter_map(|p| {
        let pod = p.spec.pod.as_ref().filter(|pod| pod.node == node.name)?;
        Some((pod.uid.clone(), p.clone()))
    });
    all.collect()
}

/// The first free address after the last one that was given: a permit of a pod that is gone may stand for a moment.
fn next(
    all: impl Iterator<Item = Ipv4Addr>,
    taken: &BTreeSet<Ipv4Addr>,
    last: &mut BTreeMap<bool, Ipv4Addr>,
    exclusive: bool,
) -> Option<Ipv4Addr> {
    let free: Vec<Ipv4Addr> = all.filter(|address| !taken.contains(address)).collect();
    let after = last.get(&exclusive).copied();
    let later = free.iter().find(|address| after.is_none_or(|after| **address > after));
    let given = later.or_else(|| free.first()).copied()?;
    last.insert(exclusive, given);
    Some(given)
}

/// An address for a pod without a network.
fn unreal(uid: &str) -> Ipv4Addr {
    let sum = uid
        .bytes()
        .fold(5381_u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(byte));
    let [_, b, c, d] = sum.to_be_bytes();
    Ipv4Addr::new(10, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_given_again_at_once() {
        let all = || (2..5).map(|last| Ipv4Addr::new(198, 18, 2, last));
        let mut last = BTreeMap::new();
        let mut give = |taken: &[u8]| {
            let taken = taken.iter().map(|last| Ipv4Addr::new(198, 18, 2, *last)).collect();
            next(all(), &taken, &mut last, true).map(|a| a.octets()[3])
        };
        assert_eq!(give(&[]), Some(2));
        assert_eq!(give(&[]), Some(3));
        assert_eq!(give(&[2]), Some(4));
        assert_eq!(give(&[4]), Some(2));
        assert_eq!(give(&[2, 3, 4]), None);
    }
}
