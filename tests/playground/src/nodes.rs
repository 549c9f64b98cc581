//! The simulated nodes: the demo's baseline, or a smaller or larger set of the same mix.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::access::{created, eventually};
use crate::place::{Place, Profile};
use crate::state::Runners;

/// Nodes of a metro centre in the baseline.
pub(crate) const BASELINE: u32 = 125;
/// Nodes of Baicheng, which does not serve and is not counted.
const BAICHENG: u32 = 5;
/// Memory of every node: 540 GB, decimal.
const MEMORY: &str = "527343750Ki";
/// Annotation of the nodes that kwok keeps.
pub(crate) const SIMULATED: (&str, &str) = ("kwok.x-k8s.io/node", "fake");
/// Label of the nodes whose pods are real processes.
const RUNNER: &str = "playground.xiangyun.io/runner";
/// Label of the nodes on which a gate stands.
const GATE: &str = "xiangyun.io/gate";
/// Calls in flight while nodes are created; the API server's CPU is the limit anyway.
const IN_FLIGHT: usize = 16;
/// How long kwok may take to make all of them Ready.
const READY: Duration = Duration::from_secs(90);

/// One kind of node: the pool's name, and what each node has.
struct Kind {
    pool: &'static str,
    architecture: &'static str,
    /// Whole vCPU.
    cpu: u32,
    /// Cards `nvidia.com/gpu`.
    cards: u32,
    /// Nodes of this kind in the baseline.
    baseline: u32,
}

const X86: Kind = Kind {
    pool: "x86",
    architecture: "amd64",
    cpu: 128,
    cards: 0,
    baseline: 100,
};

const OTHERS: [Kind; 4] = [
    Kind {
        pool: "arm",
        architecture: "arm64",
        cpu: 128,
        cards: 0,
        baseline: 20,
    },
    Kind {
        pool: "gpu-inference",
        architecture: "amd64",
        cpu: 108,
        cards: 8,
        baseline: 2,
    },
    Kind {
        pool: "gpu-training",
        architecture: "amd64",
        cpu: 108,
        cards: 8,
        baseline: 2,
    },
    Kind {
        pool: "gpu-video",
        architecture: "amd64",
        cpu: 108,
        cards: 8,
        baseline: 1,
    },
];

/// Whether centres have nodes at all.
pub(crate) const fn exist(profile: Profile) -> bool {
    matches!(profile, Profile::Full)
}

/// The nodes of a centre, `metro` of them in each metro centre. Every pool but x86 gets its share of the baseline's
/// mix, rounded down, but one node at least; the rest is x86, some of it with real processes.
fn table(place: Place, metro: u32, runners: Runners) -> Result<Vec<Node>> {
    if place == Place::Baicheng {
        return nodes(&X86, BAICHENG);
    }
    let mut all = Vec::new();
    let mut rest = metro;
    for kind in &OTHERS {
        let share = (kind.baseline * metro / BASELINE).max(1);
        rest = rest
            .checked_sub(share)
            .filter(|r| *r > 0)
            .context("a centre needs 5 nodes: one for each pool")?;
        all.extend(nodes(kind, share)?);
    }
    let simulated = rest
        .checked_sub(u32::from(runners.nodes))
        .with_context(|| format!("{rest} nodes of pool x86 are not enough for {} runners", runners.nodes))?;
    all.extend(nodes(&X86, simulated)?);
    for number in 1..=runners.nodes {
        all.push(with_processes(&runner_name(number), runners.gates)?);
    }
    Ok(all)
}

/// Names of the nodes of a centre that kwok keeps.
pub(crate) fn simulated(place: Place, metro: u32, runners: Runners) -> Result<Vec<String>> {
    let all = table(place, metro, runners)?.into_iter();
    let kept = all.filter(|n| n.metadata.annotations.is_some());
    Ok(kept.filter_map(|n| n.metadata.name).collect())
}

/// Name of a node whose pods are real processes.
pub(crate) fn runner_name(number: u8) -> String {
    format!("run-{number:03}")
}

/// A node of the x86 pool that no kwok keeps.
fn with_processes(name: &str, gate: bool) -> Result<Node> {
    let mut node = node(&X86, name)?;
    node.metadata.annotations = None;
    let labels = node.metadata.labels.get_or_insert_default();
    labels.insert(RUNNER.to_owned(), "true".to_owned());
    if gate {
        labels.insert(GATE.to_owned(), "true".to_owned());
    }
    Ok(node)
}

fn nodes(kind: &Kind, count: u32) -> Result<Vec<Node>> {
    let named = (1..=count).map(|number| format!("{}-{number:03}", kind.pool));
    named.map(|name| node(kind, &name)).collect()
}

fn node(kind: &Kind, name: &str) -> Result<Node> {
    let mut resources = BTreeMap::from([
        ("cpu", kind.cpu.to_string()),
        ("memory", MEMORY.into()),
        ("pods", "110".into()),
    ]);
    if kind.cards > 0 {
        resources.insert("nvidia.com/gpu", kind.cards.to_string());
    }
    let node = json!({
        "metadata": {
            "name": name,
            "annotations": {SIMULATED.0: SIMULATED.1},
            "labels": {
                "kubernetes.io/arch": kind.architecture,
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": name,
                "xiangyun.io/pool": kind.pool,
            },
        },
        "status": {"capacity": resources, "allocatable": resources},
    });
    serde_json::from_value(node).context("a node of the table is malformed")
}

/// Creates the nodes of a centre and waits until all are Ready.
pub(crate) async fn create(client: &kube::Client, place: Place, metro: u32, runners: Runners) -> Result<usize> {
    let table = table(place, metro, runners)?;
    let count = table.len();
    let api: Api<Node> = Api::all(client.clone());
    let all = stream::iter(&table)
        .map(|node| created(&api, node, READY))
        .buffer_unordered(IN_FLIGHT);
    all.try_for_each(|()| async { Ok(()) })
        .await
        .with_context(|| format!("cannot create the nodes of {place}"))?;
    eventually(READY, &format!("nodes of {place} are Ready"), || async {
        let nodes = api.list(&ListParams::default()).await?;
        let ready = nodes.iter().filter(|node| is_ready(node)).count();
        if ready < count {
            bail!("{ready} of {count}");
        }
        Ok(count)
    })
    .await
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Runners = Runners { nodes: 2, gates: true };

    #[test]
    fn runners_take_the_place_of_simulated_nodes() {
        let all = table(Place::Jishi, 10, TWO).unwrap();
        assert_eq!(all.len(), 10);
        let kept = simulated(Place::Jishi, 10, TWO).unwrap();
        assert_eq!(kept.len(), 8);
        assert!(!kept.contains(&runner_name(1)));
        let gated = |n: &&Node| n.metadata.labels.as_ref().unwrap().contains_key(GATE);
        let gated: Vec<&Node> = all.iter().filter(gated).collect();
        assert_eq!(gated.len(), 2);
        assert_eq!(gated[1].metadata.labels.as_ref().unwrap()["xiangyun.io/pool"], "x86");
    }

    /// vCPU, bytes and cards of some nodes.
    fn sums(nodes: &[Node]) -> (u64, u64, u64) {
        let amount = |node: &Node, name: &str| {
            let status = node.status.as_ref().unwrap();
            assert_eq!(status.capacity, status.allocatable);
            status
                .allocatable
                .as_ref()
                .unwrap()
                .get(name)
                .map_or(0, |q| match q.0.strip_suffix("Ki") {
                    Some(kib) => kib.parse::<u64>().unwrap() * 1024,
                    None => q.0.parse().unwrap(),
                })
        };
        let sum = |name: &str| nodes.iter().map(|n| amount(n, name)).sum();
        (sum("cpu"), sum("memory"), sum("nvidia.com/gpu"))
    }

    #[test]
    fn two_centres_hold_the_baseline_exactly() {
        let mut both = table(Place::Jishi, BASELINE, TWO).unwrap();
        both.extend(table(Place::Jiyidong, BASELINE, Runners::default()).unwrap());
        assert_eq!(both.len(), 250);
        assert_eq!(sums(&both), (31_800, 135_000_000_000_000, 80));
    }

    #[test]
    fn any_number_of_nodes_keeps_every_pool() {
        for metro in [5, 10, 60, 125, 500] {
            let nodes = table(Place::Jishi, metro, Runners::default()).unwrap();
            assert_eq!(nodes.len(), metro as usize);
            for pool in ["x86", "arm", "gpu-inference", "gpu-training", "gpu-video"] {
                assert!(
                    nodes
                        .iter()
                        .any(|n| n.metadata.name.as_ref().unwrap().starts_with(pool)),
                    "{pool} of {metro}"
                );
            }
        }
        assert!(table(Place::Jishi, 4, Runners::default()).is_err());
        assert!(table(Place::Jishi, 5, TWO).is_err(), "one node of x86 cannot be two");
        assert_eq!(table(Place::Baicheng, 125, TWO).unwrap().len(), 5);
    }
}
