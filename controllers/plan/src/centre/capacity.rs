//! What the nodes of a centre add up to, pool by pool, and how much of it the tenants use.

use std::collections::BTreeMap;

use crds::{Amount, AmountError, PhaseCapacity, PoolCapacity, Resources};

use super::catalogue::{Catalogue, PoolFacts};
use super::quota::{self, NamespaceUse};

/// A node, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Name.
    pub name: String,
    /// Value of its label `xiangyun.io/pool`.
    pub pool: Option<String>,
    /// Value of its label `xiangyun.io/phase`.
    pub phase: Option<String>,
    /// Whether its label `xiangyun.io/gate` says that a gate stands there.
    pub gate: bool,
    /// Whether its condition Ready is True.
    pub ready: bool,
    /// Whether pods may be placed on it.
    pub schedulable: bool,
    /// `status.allocatable`, as it stands there.
    pub allocatable: BTreeMap<String, String>,
}

/// The capacity of a centre.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capacity {
    /// All nodes.
    pub nodes: i64,
    /// Those that are Ready.
    pub ready_nodes: i64,
    /// By pool: every pool that names this centre or has nodes here, in the order of names.
    pub pools: Vec<PoolCapacity>,
    /// Nodes that were left out of the sums, and why.
    pub unreadable: Vec<(String, AmountError)>,
}

#[derive(Default)]
struct Sum {
    ready: i64,
    allocatable: Resources,
    phases: BTreeMap<String, Resources>,
}

/// Adds up ready, schedulable nodes by pool, those of each phase of expansion apart, and the use of the tenants' namespaces.
pub fn sum(centre: &str, catalogue: &Catalogue, nodes: &[NodeFacts], used: &[NamespaceUse]) -> Capacity {
    let mut out = Capacity::default();
    let mut sums: BTreeMap<&str, Sum> = catalogue
        .iter()
        .filter(|(_, p)| p.centres.contains(centre))
        .map(|(name, _)| (name, Sum::default()))
        .collect();
    for node in nodes {
        out.nodes += 1;
        if !node.ready {
            continue;
        }
        out.ready_nodes += 1;
        let Some((pool, facts)) = node.pool.as_deref().and_then(|p| Some((p, catalogue.get(p)?))) else {
            continue;
        };
        match allocatable(node, facts) {
            Ok(amounts) => {
                let sum = sums.entry(pool).or_default();
                sum.ready += 1;
                if node.schedulable {
                    let part = match &node.phase {
                        Some(phase) => sum.phases.entry(phase.clone()).or_default(),
                        None => &mut sum.allocatable,
                    };
                    *part = part.plus(amounts);
                }
            }
            Err(error) => out.unreadable.push((node.name.clone(), error)),
        }
    }
    let row = |(name, sum): (&str, Sum)| PoolCapacity {
        name: name.to_owned(),
        ready_nodes: sum.ready,
        allocatable: sum.allocatable.to_amounts(),
        phases: sum.phases.into_iter().map(phase_row).collect(),
        used: used
            .iter()
            .fold(Resources::ZERO, |all, ns| all.plus(quota::used_of(name, catalogue, ns)))
            .to_amounts(),
        cards: Vec::new(),
    };
    out.pools = sums.into_iter().map(row).collect();
    out
}

fn phase_row((name, allocatable): (String, Resources)) -> PhaseCapacity {
    PhaseCapacity {
        name,
        allocatable: allocatable.to_amounts(),
    }
}

/// CPU, memory and cards of one node.
fn allocatable(node: &NodeFacts, pool: &PoolFacts) -> Result<Resources, AmountError> {
    let read = |key: &str, resource: &'static str| match node.allocatable.get(key) {
        Some(text) => Amount(text.clone()).parse(resource),
        None => Ok(0),
    };
    Ok(Resources {
        cpu: read("cpu", "cpu")?,
        memory: read("memory", "memory")?,
        storage: 0,
        accelerators: pool.card.as_deref().map_or(Ok(0), |card| read(card, "accelerators"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{catalogue, node};
    use super::*;

    fn baseline() -> Vec<NodeFacts> {
        [
            ("x86", 100, 128, 0),
            ("arm", 20, 128, 0),
            ("gpu-inference", 2, 108, 8),
            ("gpu-training", 2, 108, 8),
            ("gpu-video", 1, 108, 8),
        ]
        .into_iter()
        .flat_map(|(pool, count, cpu, cards)| (0..count).map(move |i| node(&format!("{pool}-{i}"), pool, cpu, cards)))
        .collect()
    }

    fn of<'a>(capacity: &'a Capacity, pool: &str) -> (&'a PoolCapacity, Resources) {
        let row = capacity.pools.iter().find(|p| p.name == pool).unwrap();
        (row, Resources::try_from(&row.allocatable).unwrap())
    }

    #[test]
    fn the_baseline_is_exact() {
        let all = sum("jishi", &catalogue(), &baseline(), &[]);
        assert_eq!((all.nodes, all.ready_nodes), (125, 125));
        let total = all
            .pools
            .iter()
            .fold(Resources::ZERO, |t, p| t.plus((&p.allocatable).try_into().unwrap()));
        assert_eq!(
            (total.cpu, total.memory, total.accelerators),
            (15_900_000, 67_500_000_000_000, 40)
        );
        let (row, x86) = of(&all, "x86");
        assert_eq!((row.ready_nodes, x86.cpu, x86.accelerators), (100, 12_800_000, 0));
        assert_eq!(of(&all, "gpu-inference").1.accelerators, 16);
        // A pool that names the centre is reported, even where it has no node.
        assert_eq!(of(&all, "hot").0.ready_nodes, 0);
    }

    #[test]
    fn only_ready_and_schedulable_nodes_of_a_known_pool_count() {
        let mut nodes = vec![node("a", "x86", 10, 0); 5];
        nodes[1].ready = false;
        nodes[2].schedulable = false;
        nodes[3].pool = Some("unknown".to_owned());
        nodes[4].pool = None;
        let all = sum("jishi", &catalogue(), &nodes, &[]);
        assert_eq!((all.nodes, all.ready_nodes), (5, 4));
        let (row, x86) = of(&all, "x86");
        assert_eq!((row.ready_nodes, x86.cpu), (2, 10_000));
        assert!(all.pools.iter().all(|p| p.name != "unknown"));
    }

    #[test]
    fn nodes_of_a_phase_are_added_up_apart() {
        let mut nodes = vec![node("a", "x86", 10, 0); 3];
        nodes[1].phase = Some("phase-2".to_owned());
        let all = sum("jishi", &catalogue(), &nodes, &[]);
        let (row, x86) = of(&all, "x86");
        assert_eq!((row.ready_nodes, x86.cpu), (3, 20_000));
        assert_eq!(row.phases.len(), 1);
        assert_eq!(row.phases[0].name, "phase-2");
        assert_eq!(Resources::try_from(&row.phases[0].allocatable).unwrap().cpu, 10_000);
    }

    #[test]
    fn an_unreadable_node_is_left_out_and_named() {
        let mut nodes = vec![node("good", "x86", 10, 0), node("bad", "x86", 10, 0)];
        nodes[1].allocatable.insert("memory".to_owned(), "lots".to_owned());
        let all = sum("jishi", &catalogue(), &nodes, &[]);
        assert_eq!(of(&all, "x86").1.cpu, 10_000);
        assert_eq!(all.unreadable.len(), 1);
        assert_eq!(all.unreadable[0].0, "bad");
    }
}
