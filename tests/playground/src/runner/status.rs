//! What a kubelet says of its pods.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// A process ended by SIGKILL.
pub(crate) const KILLED: i32 = 137;

/// How a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) address: Ipv4Addr,
    /// Its process exists; always where it asks for none.
    pub(crate) runs: bool,
    /// It answers.
    pub(crate) ready: bool,
    /// How often its process was started again.
    pub(crate) restarts: i32,
}

/// The exit code in what the supervisor noted of an end.
pub(crate) fn exit_code(noted: &str) -> i32 {
    noted
        .strip_prefix("exit status: ")
        .and_then(|code| code.parse().ok())
        .unwrap_or(KILLED)
}

/// The time that is written down: that of the machine, as kubelets are no part of what a drill moves.
#[expect(clippy::disallowed_methods, reason = "no clock of our own programs")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Whether the API server counts it as over.
pub(crate) fn over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether the API server knows it already.
pub(crate) fn known(pod: &Pod, looks: &Looks) -> bool {
    let Some(status) = &pod.status else { return false };
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let wanted = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    let same = |c: &ContainerStatus| {
        let runs = c.state.as_ref().is_some_and(|state| state.running.is_some());
        c.ready == looks.ready && c.restart_count == looks.restarts && runs == looks.runs
    };
    let ready = status.conditions.as_deref().unwrap_or_default().iter();
    let mut ready = ready.filter(|c| c.type_ == "Ready");
    status.phase.as_deref() == Some("Running")
        && status.pod_ip.as_deref() == Some(looks.address.to_string().as_str())
        && containers.len() == wanted
        && containers.iter().all(same)
        && ready.any(|c| (c.status == "True") == looks.ready)
}

/// Whether the API server knows that every container has ended.
pub(crate) fn known_ended(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_deref());
    statuses.is_some_and(|all| {
        let ended = |c: &ContainerStatus| c.state.as_ref().is_some_and(|state| state.terminated.is_some());
        !all.is_empty() && all.iter().all(ended)
    })
}

/// A strategic patch for a pod that was started.
pub(crate) fn running(pod: &Pod, looks: &Looks, host: Ipv4Addr, now: Timestamp) -> Value {
    let containers = containers(pod).map(|container| {
        let before = status_of(pod, &container.name);
        let since = before
            .filter(|b| b.restart_count == looks.restarts)
            .and_then(|b| b.state.as_ref()?.running.as_ref()?.started_at.as_ref());
        let since = since.map_or_else(|| now.to_string(), |time| time.0.to_string());
        let state = if looks.runs {
            json!({"running": {"startedAt": since}})
        } else {
            json!({"waiting": {"reason": "CrashLoopBackOff"}})
        };
        container_status(container, looks.ready, looks.runs, looks.restarts, &state)
    });
    let containers: Vec<Value> = containers.collect();
    let initial: Vec<Value> = initial(pod)
        .map(|container| container_status(container, true, false, 0, &terminated(0, pod, container, now)))
        .collect();
    let started = pod.status.as_ref().and_then(|s| s.start_time.as_ref());
    let mut status = json!({
        "phase": "Running",
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": looks.address,
        "podIPs": [{"ip": looks.address}],
        "startTime": started.map_or_else(|| now.to_string(), |time| time.0.to_string()),
        "containerStatuses": containers,
        "conditions": conditions(pod, looks.ready, now),
    });
    if let Some(status) = status.as_object_mut().filter(|_| !initial.is_empty()) {
        status.insert("initContainerStatuses".to_owned(), json!(initial));
    }
    patch(pod, &status)
}

/// A strategic patch for a pod whose containers have ended.
pub(crate) fn ended(pod: &Pod, code: i32, now: Timestamp) -> Value {
    let containers = containers(pod).map(|container| {
        let restarts = status_of(pod, &container.name).map_or(0, |before| before.restart_count);
        container_status(
            container,
            false,
            false,
            restarts,
            &terminated(code, pod, container, now),
        )
    });
    let containers: Vec<Value> = containers.collect();
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    let status = json!({
        "phase": phase,
        "containerStatuses": containers,
        "conditions": conditions(pod, false, now),
    });
    patch(pod, &status)
}

/// The uid makes it fail where the name is another pod's by now.
fn patch(pod: &Pod, status: &Value) -> Value {
    json!({"metadata": {"uid": pod.metadata.uid}, "status": status})
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| &spec.containers)
}

fn initial(pod: &Pod) -> impl Iterator<Item = &Container> {
    let all = pod.spec.iter().filter_map(|spec| spec.init_containers.as_ref());
    all.flatten()
}

fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let all = pod.status.as_ref()?.container_statuses.as_ref()?;
    all.iter().find(|status| status.name == container)
}

fn container_status(container: &Container, ready: bool, started: bool, restarts: i32, state: &Value) -> Value {
    json!({
        "name": container.name,
        "image": container.image.as_deref().unwrap_or_default(),
        "imageID": "",
        "containerID": format!("playground://{}", container.name),
        "ready": ready,
        "started": started,
        "restartCount": restarts,
        "state": state,
    })
}

fn terminated(code: i32, pod: &Pod, container: &Container, now: Timestamp) -> Value {
    let since = status_of(pod, &container.name).and_then(|b| b.state.as_ref()?.running.as_ref()?.started_at.as_ref());
    json!({"terminated": {
        "exitCode": code,
        "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": since.map_or_else(|| now.to_string(), |time| time.0.to_string()),
        "finishedAt": now.to_string(),
    }})
}

fn conditions(pod: &Pod, ready: bool, now: Timestamp) -> Vec<Value> {
    let before = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let condition = |kind: &str, holds: bool| {
        let word = if holds { "True" } else { "False" };
        let same = before
            .unwrap_or_default()
            .iter()
            .find(|c| c.type_ == kind && c.status == word);
        let since = same.and_then(|c| c.last_transition_time.as_ref());
        let since = since.map_or_else(|| now.to_string(), |time| time.0.to_string());
        json!({"type": kind, "status": word, "lastTransitionTime": since})
    };
    vec![
        condition("Initialized", true),
        condition("PodReadyToStartContainers", true),
        condition("ContainersReady", ready),
        condition("Ready", ready),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(pod: &Pod, patch: &Value) -> Pod {
        let mut value = serde_json::to_value(pod).unwrap();
        value["status"] = patch["status"].clone();
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_was_said_is_known_and_an_end_is_an_end() {
        let pod = json!({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let looks = Looks {
            address: Ipv4Addr::new(198, 18, 2, 66),
            runs: true,
            ready: true,
            restarts: 0,
        };
        assert!(!known(&pod, &looks));
        let first = merged(&pod, &running(&pod, &looks, Ipv4Addr::LOCALHOST, Timestamp::UNIX_EPOCH));
        assert!(known(&first, &looks) && !known_ended(&first));
        let unready = Looks { ready: false, ..looks };
        assert!(!known(&first, &unready));
        // What goes on keeps its time.
        let later = Timestamp::from_second(60).unwrap();
        let second = running(&first, &unready, Ipv4Addr::LOCALHOST, later);
        let of = &second["status"];
        assert_eq!(
            of["containerStatuses"][0]["state"]["running"]["startedAt"],
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(of["conditions"][3]["lastTransitionTime"], "1970-01-01T00:01:00Z");
        let last = merged(&first, &ended(&first, 0, later));
        assert!(known_ended(&last) && !known(&last, &looks));
        assert_eq!(last.status.unwrap().phase.unwrap(), "Succeeded");
    }

    #[test]
    fn exit_codes_are_read() {
        assert_eq!(exit_code("exit status: 0"), 0);
        assert_eq!(exit_code("exit status: 3"), 3);
        assert_eq!(exit_code("signal: 9 (SIGKILL)"), KILLED);
    }
}
