//! The processes of the hub and of the centres' clusters, with their flags.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Result;

use crate::certs::kubeconfig_file;
use crate::nodes;
use crate::place::{Place, port};
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::state::State;
use crate::tools::KWOK_STAGES;
use crate::users;

/// Keeps what tests assert on: who wrote what. Reads would be most of the file. It must be block YAML: a file that
/// begins with a brace is taken for strict JSON.
pub(crate) const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: Metadata
";

/// The hub is an API and nothing else: no controller that would start or place anything.
const HUB_CONTROLLERS: &str = "namespace,garbagecollector,serviceaccount-token,ttl-after-finished,csrsigning,\
csrapproving,csrcleaner,clusterrole-aggregation,validatingadmissionpolicy-status-controller";

const CENTRE_CONTROLLERS: &str = "*,-node-ipam-controller,-persistentvolume-attach-detach-controller,\
-bootstrap-signer-controller,-token-cleaner-controller";

/// One control plane: the hub's share in a place, or a centre's own.
#[derive(Clone, Copy)]
enum Role {
    Hub,
    Centre,
}

/// Every process of the hub and the centres.
pub(crate) fn specs(state: &State) -> Result<Vec<Spec>> {
    let mut all = Vec::new();
    for place in state.profile.hub_places() {
        all.extend(hub_voters(state, *place)?);
        all.push(apiserver(state, *place, Role::Hub)?);
    }
    if let Some(first) = state.profile.hub_places().first() {
        all.push(controller_manager(state, *first, Role::Hub)?);
    }
    let with_nodes = nodes::exist(state.profile);
    for place in state.profile.centres() {
        let address = state.address(*place)?;
        let peers = format!("etcd@{place}=https://{address}:{}", port::ETCD + 1);
        all.push(etcd(state, *place, format!("etcd@{place}"), port::ETCD, &peers)?);
        all.push(apiserver(state, *place, Role::Centre)?);
        all.push(controller_manager(state, *place, Role::Centre)?);
        if with_nodes {
            all.push(scheduler(state, *place)?);
            all.push(kwok(state, *place)?);
        }
    }
    Ok(all)
}

pub(crate) fn hub_port(voter: u16) -> u16 {
    port::HUB_ETCD + (voter - 1) * 10
}

fn hub_voters(state: &State, place: Place) -> Result<Vec<Spec>> {
    let mut peers = Vec::new();
    for other in state.profile.hub_places() {
        for voter in 1..=state.profile.voters(*other) {
            peers.push(format!(
                "hub-etcd-{voter}@{other}=https://{}:{}",
                state.address(*other)?,
                hub_port(voter) + 1
            ));
        }
    }
    let peers = peers.join(",");
    let voters = 1..=state.profile.voters(place);
    voters
        .map(|v| etcd(state, place, format!("hub-etcd-{v}@{place}"), hub_port(v), &peers))
        .collect()
}

fn etcd(state: &State, place: Place, name: String, first_port: u16, peers: &str) -> Result<Spec> {
    let address = state.address(place)?;
    let clients = format!("https://{address}:{first_port}");
    let own = format!("https://{address}:{}", first_port + 1);
    let [cert, key, ca] = etcd_files(state, place);
    let mut args = Flags::default();
    args.set("name", &name)
        .set("data-dir", state.dir.join("data").join(&name).display());
    args.set("listen-client-urls", &clients)
        .set("advertise-client-urls", &clients);
    args.set("listen-peer-urls", &own)
        .set("initial-advertise-peer-urls", &own);
    args.set("initial-cluster", peers).set("initial-cluster-state", "new");
    args.set("initial-cluster-token", &state.id);
    args.set("cert-file", &cert)
        .set("key-file", &key)
        .set("trusted-ca-file", &ca)
        .set("client-cert-auth", true);
    args.set("peer-cert-file", &cert)
        .set("peer-key-file", &key)
        .set("peer-trusted-ca-file", &ca);
    args.set("peer-client-cert-auth", true);
    args.set("listen-metrics-urls", format!("http://{address}:{}", first_port + 2));
    // Nothing here outlives the machine, so a flush to the disk buys nothing.
    args.set("unsafe-no-fsync", true)
        .set("quota-backend-bytes", 8_589_934_592_u64)
        .set("log-level", "warn");
    let ready = Ready::Http(address, first_port + 2, "/readyz".into());
    Ok(spec(state, name, place, Stage::Store, "etcd", args, ready))
}

/// Certificate, key and authority for etcd's clients and peers.
pub(crate) fn etcd_files(state: &State, place: Place) -> [String; 3] {
    [
        format!("etcd-{place}.crt"),
        format!("etcd-{place}.key"),
        "etcd-ca.crt".into(),
    ]
    .map(|file| pki(state, &file))
}

fn apiserver(state: &State, place: Place, role: Role) -> Result<Spec> {
    let address = state.address(place)?;
    let (name, number, stores, accounts) = match role {
        Role::Hub => {
            // Its own voters only, as on a stacked control plane: others may be cut off without being down.
            let voters = 1..=state.profile.voters(place);
            let stores: Vec<String> = voters.map(|v| format!("https://{address}:{}", hub_port(v))).collect();
            (
                format!("hub-apiserver@{place}"),
                port::HUB_APISERVER,
                stores.join(","),
                "hub",
            )
        }
        Role::Centre => {
            let store = format!("https://{address}:{}", port::ETCD);
            (format!("apiserver@{place}"), port::APISERVER, store, place.name())
        }
    };
    let [cert, key, ca] = etcd_files(state, place);
    let mut args = Flags::default();
    args.set("etcd-servers", stores)
        .set("etcd-certfile", cert)
        .set("etcd-keyfile", key)
        .set("etcd-cafile", ca);
    args.set("bind-address", address)
        .set("secure-port", number)
        .set("advertise-address", address);
    args.set("endpoint-reconciler-type", "none")
        .set("service-cluster-ip-range", "10.96.0.0/12");
    args.set("tls-cert-file", pki(state, &format!("serving-{place}.crt")));
    args.set("tls-private-key-file", pki(state, &format!("serving-{place}.key")));
    args.set("client-ca-file", pki(state, "ca.crt"))
        .set("authorization-mode", "Node,RBAC");
    args.set("allow-privileged", true);
    if matches!(role, Role::Hub) {
        // A claim in the hub is a template. Its guard would never be taken off: the controller that does that runs where
        // volumes are.
        args.set("disable-admission-plugins", "StorageObjectInUseProtection");
    }
    args.set("service-account-issuer", "https://kubernetes.default.svc");
    args.set(
        "service-account-key-file",
        pki(state, &format!("serviceaccounts-{accounts}.pub")),
    );
    args.set(
        "service-account-signing-key-file",
        pki(state, &format!("serviceaccounts-{accounts}.key")),
    );
    args.set("audit-policy-file", state.dir.join("audit/policy.yaml").display());
    args.set("audit-log-path", state.audit(&name).display());
    let ready = Ready::Apiserver(kubeconfig(state, &cluster_name(place, role), users::ADMIN));
    Ok(spec(state, name, place, Stage::Server, "kube-apiserver", args, ready))
}

/// The name of the cluster in kubeconfig files.
fn cluster_name(place: Place, role: Role) -> String {
    match role {
        Role::Hub => format!("hub@{place}"),
        Role::Centre => place.name().to_owned(),
    }
}

fn controller_manager(state: &State, place: Place, role: Role) -> Result<Spec> {
    let (name, number, accounts, controllers) = match role {
        Role::Hub => (
            format!("hub-controller-manager@{place}"),
            port::HUB_CONTROLLER_MANAGER,
            "hub",
            HUB_CONTROLLERS,
        ),
        Role::Centre => (
            format!("controller-manager@{place}"),
            port::CONTROLLER_MANAGER,
            place.name(),
            CENTRE_CONTROLLERS,
        ),
    };
    let config = kubeconfig(state, &cluster_name(place, role), "system:kube-controller-manager");
    let mut args = machinery(state, place, &config, number)?;
    args.set("controllers", controllers)
        .set("use-service-account-credentials", true);
    args.set(
        "service-account-private-key-file",
        pki(state, &format!("serviceaccounts-{accounts}.key")),
    );
    args.set("root-ca-file", pki(state, "ca.crt"));
    args.set("cluster-signing-cert-file", pki(state, "ca.crt"))
        .set("cluster-signing-key-file", pki(state, "ca.key"));
    let ready = Ready::Port(state.address(place)?, number);
    Ok(spec(
        state,
        name,
        place,
        Stage::Machinery,
        "kube-controller-manager",
        args,
        ready,
    ))
}

fn scheduler(state: &State, place: Place) -> Result<Spec> {
    let config = kubeconfig(state, place.name(), "system:kube-scheduler");
    let args = machinery(state, place, &config, port::SCHEDULER)?;
    let ready = Ready::Port(state.address(place)?, port::SCHEDULER);
    Ok(spec(
        state,
        format!("scheduler@{place}"),
        place,
        Stage::Machinery,
        "kube-scheduler",
        args,
        ready,
    ))
}

/// Flags that controller manager and scheduler share.
fn machinery(state: &State, place: Place, config: &std::path::Path, number: u16) -> Result<Flags> {
    let mut args = Flags::default();
    for flag in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
        args.set(flag, config.display());
    }
    // The default of 20 calls a second crawls.
    args.set("kube-api-qps", 500)
        .set("kube-api-burst", 1000)
        .set("leader-elect", false);
    args.set("bind-address", state.address(place)?)
        .set("secure-port", number);
    args.set("tls-cert-file", pki(state, &format!("serving-{place}.crt")));
    args.set("tls-private-key-file", pki(state, &format!("serving-{place}.key")));
    args.set("authorization-always-allow-paths", "/healthz,/readyz,/livez,/metrics");
    Ok(args)
}

/// What the simulated pods use, and its file in the folder of a cloud.
pub(crate) const USAGE: &str = include_str!("usage.yaml");
pub(crate) const USAGE_FILE: &str = "kwok-usage.yaml";

fn kwok(state: &State, place: Place) -> Result<Spec> {
    let address = state.address(place)?;
    let mut args = Flags::default();
    args.set(
        "kubeconfig",
        kubeconfig(state, place.name(), "playground:kwok").display(),
    );
    args.set("config", state.tools.join(KWOK_STAGES).display());
    args.set("config", state.dir.join(USAGE_FILE).display());
    if state.runners.nodes > 0 {
        args.set("manage-all-nodes", false).set(
            "manage-nodes-with-annotation-selector",
            format!("{}={}", nodes::SIMULATED.0, nodes::SIMULATED.1),
        );
    } else {
        args.set("manage-all-nodes", true);
    }
    args.set("node-ip", address).set("cidr", "10.0.0.0/16");
    args.set("node-lease-duration-seconds", 40)
        .set("server-address", format!("{address}:{}", port::KWOK));
    let ready = Ready::Http(address, port::KWOK, "/healthz".into());
    Ok(spec(
        state,
        format!("kwok@{place}"),
        place,
        Stage::Machinery,
        "kwok",
        args,
        ready,
    ))
}

/// A process from one of the built tools.
pub(crate) fn spec(
    state: &State,
    name: String,
    place: Place,
    step: Stage,
    tool: &str,
    args: Flags,
    ready: Ready,
) -> Spec {
    Spec {
        name,
        place,
        stage: step,
        program: state.tools.join(tool),
        args: args.0,
        ready,
        restart: false,
        netns: None,
        pod: None,
    }
}

/// Path of a certificate or key.
pub(crate) fn pki(state: &State, file: &str) -> String {
    state.dir.join("pki").join(file).display().to_string()
}

/// Path of a kubeconfig; `user` must be in the table of users.
pub(crate) fn kubeconfig(state: &State, cluster: &str, user: &str) -> PathBuf {
    let file = users::find(user).map_or_else(|| format!("{cluster}-{user}.yaml"), |u| kubeconfig_file(cluster, u));
    state.dir.join("kubeconfigs").join(file)
}

/// Address of a process's own metrics in plain HTTP, where it has such.
pub(crate) fn metrics_address(process: &Spec, address: Ipv4Addr) -> Option<String> {
    match &process.ready {
        Ready::Http(_, number, _) => Some(format!("http://{address}:{number}/metrics")),
        Ready::Port(_, number) if process.stage == Stage::Ours => Some(format!("http://{address}:{number}/metrics")),
        _ => None,
    }
}

/// Flags of a command line, in the order in which they were set.
#[derive(Default)]
pub(crate) struct Flags(Vec<String>);

impl Flags {
    pub(crate) fn set(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.0.push(format!("--{name}={value}"));
        self
    }
}
