//! What a pod asks to be run.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;

use super::ranges::RunnerNode;
use crate::place::port;
use crate::process::{PodRef, Spec, Stage};
use crate::ready::Ready;

/// Label or annotation that asks for a real process.
const RUN: &str = "playground.xiangyun.io/run";
/// Label of an exclusive pod: its placement.
const EXCLUSIVE: &str = "xiangyun.io/exclusive";
/// Annotation of an exclusive pod: epoch of the right that it was made under.
const RIGHT: &str = "xiangyun.io/right";
/// Label of what a placement put somewhere.
const PLACEMENT: &str = "xiangyun.io/placement";

/// What is started for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// A small HTTP server.
    Http,
    /// Writes numbered records to the sink.
    Writer,
}

/// A pod as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Label `app`.
    pub(crate) app: Option<String>,
    /// Nothing is started where it asks for nothing: it is just Running.
    pub(crate) run: Option<Run>,
    pub(crate) exclusive: bool,
    /// Namespace and placement, or the pod's app where it is of none.
    pub(crate) scope: String,
    /// As its annotation says it, such as `1.7`; `0.0` where it says nothing.
    pub(crate) epoch: String,
    /// It is to end.
    pub(crate) leaves: bool,
    /// A Job's: where it asks for nothing it is done at once.
    pub(crate) of_a_job: bool,
}

impl Wanted {
    /// `None` for what no API server says.
    pub(crate) fn of(pod: &Pod) -> Option<Self> {
        let metadata = &pod.metadata;
        let label = |key: &str| metadata.labels.as_ref()?.get(key).cloned();
        let annotation = |key: &str| metadata.annotations.as_ref()?.get(key).cloned();
        let namespace = metadata.namespace.clone()?;
        let name = metadata.name.clone()?;
        let run = match label(RUN).or_else(|| annotation(RUN)).as_deref() {
            Some("http") => Some(Run::Http),
            Some("writer") => Some(Run::Writer),
            _ => None,
        };
        let app = label("app");
        let exclusive = label(EXCLUSIVE);
        let part = exclusive.clone().or_else(|| label(PLACEMENT)).or_else(|| app.clone());
        let owners = metadata.owner_references.as_deref().unwrap_or_default();
        Some(Self {
            uid: metadata.uid.clone()?,
            scope: format!("{namespace}/{}", part.as_ref().unwrap_or(&name)),
            epoch: annotation(RIGHT).unwrap_or_else(|| "0.0".to_owned()),
            exclusive: exclusive.is_some(),
            leaves: metadata.deletion_timestamp.is_some(),
            of_a_job: owners.iter().any(|owner| owner.kind == "Job"),
            namespace,
            name,
            app,
            run,
        })
    }

    /// Name of its process.
    pub(crate) fn process(&self, node: &RunnerNode) -> String {
        format!("pod-{}.{}@{}", self.namespace, self.name, node.place)
    }

    /// Its process; `None` where it asks for none.
    pub(crate) fn spec(
        &self,
        node: &RunnerNode,
        address: Ipv4Addr,
        sink: SocketAddrV4,
        program: &Path,
        dir: &Path,
    ) -> Option<Spec> {
        let mut args = vec!["pod".to_owned()];
        let mut set = |name: &str, value: &str| args.push(format!("--{name}={value}"));
        set("place", node.place.name());
        set("scope", &self.scope);
        set("pod", &self.uid);
        set("name", &self.name);
        set("epoch", &self.epoch);
        match self.run? {
            Run::Http => set("serve", &format!("{address}:{}", port::POD)),
            Run::Writer => {
                set("sink", &sink.to_string());
                set("log", &self.log(node, dir).to_string_lossy());
            }
        }
        Some(Spec {
            name: self.process(node),
            place: node.place,
            stage: Stage::Ours,
            program: program.to_owned(),
            args,
            // Nobody may be able to reach it.
            ready: Ready::Started,
            restart: true,
            netns: Some(node.pod_netns(address)),
            pod: Some(PodRef {
                node: node.name.clone(),
                uid: self.uid.clone(),
                address,
            }),
        })
    }

    /// What a writer says of itself.
    fn log(&self, node: &RunnerNode, dir: &Path) -> PathBuf {
        let name = format!(
            "writer-{}.{}.{}.{}.jsonl",
            node.place, self.namespace, self.name, self.uid
        );
        dir.join("writes").join(name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_says_what_it_asks_for() {
        let pod = json!({"metadata": {"name": "exam-0", "namespace": "dept-rsj", "uid": "u",
            "labels": {"app": "exam", EXCLUSIVE: "written", RUN: "writer"}, "annotations": {RIGHT: "1.7"}}});
        let wanted = Wanted::of(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!(
            (wanted.scope.as_str(), wanted.epoch.as_str()),
            ("dept-rsj/written", "1.7")
        );
        assert_eq!(
            (wanted.run, wanted.exclusive, wanted.leaves),
            (Some(Run::Writer), true, false)
        );
        let pod = json!({"metadata": {"name": "web", "namespace": "dept-rsj", "uid": "v", "labels": {"app": "portal"},
            "annotations": {RUN: "http"}}});
        let wanted = Wanted::of(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!(
            (wanted.scope.as_str(), wanted.epoch.as_str()),
            ("dept-rsj/portal", "0.0")
        );
        assert_eq!((wanted.run, wanted.exclusive), (Some(Run::Http), false));
    }
}
