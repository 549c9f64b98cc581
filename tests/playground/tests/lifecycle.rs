//! The life of a cloud, with the real programs: up, faults, healing, a second cloud beside it, and no trace at the end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use playground::{Cloud, Condition, Cut, Options, Place, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn life_of_two_clouds() {
    let scratch = std::env::temp_dir().join(format!("xy-lifecycle-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let options = Options {
        charts: Some(charts(&scratch)),
        xiangyun_bin: Some(stand_in(&scratch)),
        progress: true,
        ..Options::default()
    };
    let other = scratch.join("other");
    let (cloud, ()) = tokio::join!(Cloud::up(options), start_other(&other));
    let cloud = cloud.unwrap();

    people_are_who_they_are(&cloud).await;
    charts_are_applied(&cloud).await;
    our_programs_come_back(&cloud).await;
    frozen_and_thawed(&cloud).await;
    killed_and_healed(&cloud).await;
    cut_and_healed(&cloud).await;
    other_dies_and_leaves_nothing(&other).await;

    soon("the first cloud outlives the second one", || {
        read(&cloud, Place::Jishi, "hub")
    })
    .await;
    let state = state(cloud.dir());
    let dir = cloud.dir().to_owned();
    drop(cloud);
    assert_no_trace(&dir, &state);
    std::fs::remove_dir_all(&scratch).unwrap();
}

async fn people_are_who_they_are(cloud: &Cloud) {
    for (user, cluster, name, groups) in [
        (None, "hub", "admin", vec!["system:masters"]),
        (Some("li.na"), "hub", "li.na", vec!["yibao-admins", "org:yibao"]),
        (Some("li.na"), "jishi", "li.na", vec!["yibao-admins", "org:yibao"]),
        (
            Some("xiangyun:centre:jishi"),
            "jishi",
            "xiangyun:centre:jishi",
            vec!["xiangyun:centres"],
        ),
    ] {
        let said = json(
            &cloud
                .kubectl(cluster, user, &["auth", "whoami", "-o", "json"])
                .await
                .unwrap(),
        );
        let info = &said["status"]["userInfo"];
        assert_eq!(info["username"], name);
        let held: Vec<&str> = info["groups"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(groups.iter().all(|g| held.contains(g)), "{name}: {held:?}");
    }
    assert!(cloud.kubeconfig("jiyidong", Some("xiangyun:centre:jishi")).is_err());
    assert!(cloud.client("hub", Some("li.na")).await.is_ok());
}

async fn charts_are_applied(cloud: &Cloud) {
    // `up` has waited for the policy, so the very first try must be refused.
    let refused = cloud
        .kubectl("hub", None, &["create", "configmap", "forbidden"])
        .await
        .unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("denied request"),
        "{refused:?}"
    );
    let crd = cloud
        .kubectl("hub", None, &["get", "things.test.xiangyun.io"])
        .await
        .unwrap();
    assert!(crd.status.success(), "{crd:?}");
    let agents = cloud
        .kubectl("jiyidong", None, &["get", "namespace", "for-agents"])
        .await
        .unwrap();
    assert!(agents.status.success(), "{agents:?}");
    let audit = std::fs::read_to_string(cloud.audit_log("hub").unwrap()).unwrap();
    assert!(
        audit
            .lines()
            .any(|l| l.contains("\"verb\":\"create\"") && l.contains("forbidden"))
    );
    assert!(!audit.contains("\"verb\":\"get\""));
}

async fn our_programs_come_back(cloud: &Cloud) {
    assert!(cloud.metrics_url("operator@jishi").unwrap().ends_with(":9400/metrics"));
    let name = "agent-1@jishi";
    let first = cloud.pid(name).unwrap();
    assert!(
        Command::new("kill")
            .args(["-KILL", &first.to_string()])
            .status()
            .unwrap()
            .success()
    );
    eventually(SOON, "the agent is back", || async {
        cloud
            .pid(name)
            .filter(|pid| *pid != first)
            .map(drop)
            .ok_or(anyhow::anyhow!("not yet"))
    })
    .await
    .unwrap();
    cloud.stop_process(name).await.unwrap();
    cloud.heal(None).await.unwrap();
    assert_eq!(
        cloud.condition(name).unwrap(),
        Condition::Gone,
        "heal leaves alone what was stopped on purpose"
    );
    cloud.start_process(name).await.unwrap();
    assert_eq!(cloud.condition(name).unwrap(), Condition::Running);
}

async fn frozen_and_thawed(cloud: &Cloud) {
    cloud.freeze("apiserver@jishi").await.unwrap();
    assert_eq!(cloud.condition("apiserver@jishi").unwrap(), Condition::Frozen);
    assert!(!answers(cloud, "jishi").await);
    soon("the other centre answers", || answers(cloud, "jiyidong")).await;
    cloud.thaw("apiserver@jishi").await.unwrap();
    soon("what was thawed answers", || answers(cloud, "jishi")).await;
}

async fn killed_and_healed(cloud: &Cloud) {
    let made = cloud
        .kubectl("jishi", None, &["create", "configmap", "kept"])
        .await
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for process in ["etcd@jishi", "apiserver@jishi"] {
        cloud.kill(process).await.unwrap();
        assert_eq!(cloud.pid(process), None);
    }
    cloud.heal(Some(Place::Jishi)).await.unwrap();
    let kept = cloud
        .kubectl("jishi", None, &["get", "configmap", "kept"])
        .await
        .unwrap();
    assert!(kept.status.success(), "data outlives a kill: {kept:?}");
}

async fn cut_and_healed(cloud: &Cloud) {
    soon("nothing is cut", || read(cloud, Place::Jishi, "hub")).await;
    cloud.cut(Cut::pair(Place::Jishi, Place::Hub)).await.unwrap();
    assert!(!read(cloud, Place::Jishi, "hub").await);
    soon("only the pair is cut", || read(cloud, Place::Jishi, "jiyidong")).await;
    soon("the host still reaches a place that is cut off", || {
        answers(cloud, "jishi")
    })
    .await;
    // The rules are in jishi; healing the other side lifts them too.
    cloud.heal(Some(Place::Hub)).await.unwrap();
    soon("the pair is healed", || read(cloud, Place::Jishi, "hub")).await;
    let one_port = Cut {
        port: Some(6443),
        ..Cut::off(Place::Jishi)
    };
    cloud.cut(one_port).await.unwrap();
    assert!(!read(cloud, Place::Jishi, "jiyidong").await);
    soon("another port is open", || read(cloud, Place::Jishi, "hub")).await;
    cloud.heal(None).await.unwrap();
    soon("the port is healed", || read(cloud, Place::Jishi, "jiyidong")).await;
}

async fn start_other(dir: &Path) {
    let dir = dir.to_owned();
    let up = tokio::task::spawn_blocking(move || playground(&dir, &["up", "--no-operator"]));
    let up = up.await.unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    assert!(String::from_utf8_lossy(&up.stdout).contains("export KUBECONFIG="));
}

async fn other_dies_and_leaves_nothing(dir: &Path) {
    let again = playground(dir, &["up", "--no-operator"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("runs in"), "{again:?}");
    let state = state(dir);
    let status = json(&playground(dir, &["status", "-o", "json"]));
    let supervisor = status["supervisor"].as_u64().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &supervisor])
            .status()
            .unwrap()
            .success()
    );
    eventually(SOON, "the processes died with their supervisor", || async {
        anyhow::ensure!(alive(&state).is_empty(), "{:?}", alive(&state));
        Ok(())
    })
    .await
    .unwrap();
    let down = playground(dir, &["down"]);
    assert!(down.status.success(), "{down:?}");
    assert_no_trace(dir, &state);
}

/// Waits until there is an answer: a busy machine may take longer than a second for one.
async fn soon<F: Future<Output = bool>>(what: &str, answers: impl Fn() -> F) {
    let answered = eventually(SOON, what, || async {
        anyhow::ensure!(answers().await, "no answer within a second");
        Ok(())
    });
    answered.await.unwrap();
}

/// Whether a cluster answers the host within a second.
async fn answers(cloud: &Cloud, cluster: &str) -> bool {
    let args = ["get", "--raw=/readyz", "--request-timeout=1s"];
    cloud.kubectl(cluster, None, &args).await.unwrap().status.success()
}

/// Whether a cluster answers a program in `place` within a second.
async fn read(cloud: &Cloud, place: Place, cluster: &str) -> bool {
    let config = format!("--kubeconfig={}", cloud.kubeconfig(cluster, None).unwrap().display());
    let kubectl = tools().join("kubectl").display().to_string();
    let args = [&config, "get", "--raw=/readyz", "--request-timeout=1s"];
    cloud.exec(place, &kubectl, &args).await.unwrap().status.success()
}

fn playground(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_playground"))
        .arg("--dir")
        .arg(dir)
        .args(args)
        .output()
        .unwrap()
}

fn tools() -> PathBuf {
    let out = playground(Path::new("none"), &["tools"]);
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().trim().into()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn state(dir: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("state.json")).unwrap()).unwrap()
}

/// Processes of a recorded state that exist, as `name pid`.
fn alive(state: &Value) -> Vec<String> {
    let processes = state["processes"].as_object().unwrap();
    assert!(!processes.is_empty());
    let pids = processes
        .iter()
        .map(|(name, p)| (name, p["running"]["pid"].as_u64().unwrap()));
    let alive = pids.filter(|(_, pid)| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        line.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    });
    alive.map(|(name, pid)| format!("{name} {pid}")).collect()
}

fn assert_no_trace(dir: &Path, state: &Value) {
    assert!(!dir.exists());
    assert_eq!(alive(state), Vec::<String>::new());
    let prefix = format!("xy{}-", state["id"].as_str().unwrap());
    for args in [vec!["netns", "list"], vec!["-brief", "link"]] {
        let listed = Command::new("ip").args(&args).output().unwrap();
        assert!(!String::from_utf8_lossy(&listed.stdout).contains(&prefix), "{args:?}");
    }
    for entry in std::fs::read_dir("/run/xiangyun-playground").unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(!path.ends_with(format!("{}.sock", state["id"].as_str().unwrap())));
        assert_ne!(Path::new(&text), dir, "{}", path.display());
    }
}

/// A stand-in for `xiangyun`: it takes the same arguments and serves HTTP where the metrics would be.
fn stand_in(scratch: &Path) -> PathBuf {
    let kubectl = tools().join("kubectl");
    let script = format!(
        "#!/bin/sh
for arg; do
    case $arg in
    --metrics-addr=*) at=${{arg#*=}} ;;
    --kubeconfig=* | --hub-kubeconfig=*) config=${{arg#*=}} ;;
    esac
done
exec {} proxy --kubeconfig=\"$config\" --address=\"${{at%:*}}\" --port=\"${{at##*:}}\"
",
        kubectl.display()
    );
    let path = scratch.join("xiangyun");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Charts with a kind, a policy and its probe for the hub, and a namespace for the centres.
fn charts(scratch: &Path) -> PathBuf {
    let charts = scratch.join("charts");
    for (file, text) in [
        (
            "xiangyun/Chart.yaml",
            "apiVersion: v2\nname: xiangyun\nversion: 0.0.1\n",
        ),
        ("agent/Chart.yaml", "apiVersion: v2\nname: agent\nversion: 0.0.1\n"),
        ("xiangyun/crds/things.yaml", CRD),
        ("xiangyun/templates/policy.yaml", POLICY),
        ("xiangyun/probe/forbidden.yaml", PROBE),
        (
            "agent/templates/namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: for-agents}\n",
        ),
    ] {
        let path = charts.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    charts
}

const CRD: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.test.xiangyun.io}
spec:
  group: test.xiangyun.io
  scope: Cluster
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

const POLICY: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: forbidden}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: \"object.metadata.name != 'forbidden'\", message: not this name}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: forbidden}
spec: {policyName: forbidden, validationActions: [Deny]}
";

const PROBE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: forbidden, namespace: default}\n";
