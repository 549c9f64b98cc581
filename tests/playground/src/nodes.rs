//! The simulated nodes: the demo's baseline, or a smaller or larger set of the same mix.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

use crate::access::eventually;
use crate::place::{Place, Profile};

/// Nodes of a metro centre in the baseline.
pub(crate) const BASELINE: u32 = 125;
/// Nodes of Baicheng, which does not serve and is not counted.
const BAICHENG: u32 = 5;
/// Memory of every node: 540 GB, decimal.
const MEMORY: &str = "527343750Ki";
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
/// mix, rounded down, but one node at least; the rest is x86.
fn table(place: Place, metro: u32) -> Result<Vec<Node>> {
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
    all.extend(nodes(&X86, rest)?);
    Ok(all)
}

/// Names of the nodes of a centre.
pub(crate) fn names(place: Place, metro: u32) -> Result<Vec<String>> {
    let named = table(place, metro)?.into_iter().filter_map(|n| n.metadata.name);
    Ok(named.collect())
}

fn nodes(kind: &Kind, count: u32) -> Result<Vec<Node>> {
    (1..=count).map(|number| node(kind, number)).collect()
}

fn node(kind: &Kind, number: u32) -> Result<Node> {
    let name = format!("{}-{number:03}", kind.pool);
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
            "annotations": {"kwok.x-k8s.io/node": "fake"},
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
pub(crate) async fn create(client: &kube::Client, place: Place, metro: u32) -> Result<usize> {
    let table = table(place, metro)?;
    let count = table.len();
    let api: Api<Node> = Api::all(client.clone());
    let params = PostParams::default();
    let created = stream::iter(&table)
        .map(|node| api.create(&params, node))
        .buffer_unordered(IN_FLIGHT);
    created
        .try_for_each(|_| async { Ok(()) })
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
        let mut both = table(Place::Jishi, BASELINE).unwrap();
        both.extend(table(Place::Jiyidong, BASELINE).unwrap());
        assert_eq!(both.len(), 250);
        assert_eq!(sums(&both), (31_800, 135_000_000_000_000, 80));
    }

    #[test]
    fn any_number_of_nodes_keeps_every_pool() {
        for metro in [5, 10, 60, 125, 500] {
            let nodes = table(Place::Jishi, metro).unwrap();
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
        assert!(table(Place::Jishi, 4).is_err());
        assert_eq!(table(Place::Baicheng, 125).unwrap().len(), 5);
    }
}
