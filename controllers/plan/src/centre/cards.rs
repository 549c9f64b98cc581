//! How the cards of a centre lie in its nodes, and which of them no pod holds.

use std::collections::BTreeMap;

use crds::{Amount, CardNodes};

use super::capacity::NodeFacts;
use super::catalogue::Catalogue;

/// A pod that runs or is about to, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its node; empty until it has one.
    pub node: String,
    /// What its containers ask, one map each, as it stands there.
    pub requests: Vec<BTreeMap<String, String>>,
}

fn count(amounts: &BTreeMap<String, String>, card: &str) -> i64 {
    let text = amounts.get(card).cloned().unwrap_or_default();
    let cards = Amount(text).parse("accelerators").unwrap_or(0);
    i64::try_from(cards).unwrap_or(i64::MAX)
}

/// By pool: its ready, schedulable nodes, alike ones together, in the order of their cards.
pub fn layout(catalogue: &Catalogue, nodes: &[NodeFacts], pods: &[PodFacts]) -> BTreeMap<String, Vec<CardNodes>> {
    let mut by_node: BTreeMap<&str, Vec<&PodFacts>> = BTreeMap::new();
    for pod in pods {
        by_node.entry(&pod.node).or_default().push(pod);
    }
    let mut rows: BTreeMap<String, BTreeMap<(i64, i64), i64>> = BTreeMap::new();
    for node in nodes.iter().filter(|n| n.ready && n.schedulable) {
        let Some(pool) = node.pool.as_deref() else { continue };
        let Some(card) = catalogue.get(pool).and_then(|p| p.card.as_deref()) else {
            continue;
        };
        let cards = count(&node.allocatable, card);
        let pods = by_node.get(node.name.as_str()).into_iter().flatten();
        let held: i64 = pods.flat_map(|p| &p.requests).map(|r| count(r, card)).sum();
        let alike = (cards, (cards - held).max(0));
        *rows.entry(pool.to_owned()).or_default().entry(alike).or_default() += 1;
    }
    let row = |((cards, free), nodes)| CardNodes { cards, free, nodes };
    rows.into_iter()
        .map(|(pool, alike)| (pool, alike.into_iter().map(row).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{catalogue, map, node};
    use super::*;

    fn pod(node: &str, cards: &str) -> PodFacts {
        PodFacts {
            node: node.to_owned(),
            requests: vec![map(&[("cpu", "1"), ("nvidia.com/gpu", cards)]), map(&[("cpu", "1")])],
        }
    }

    #[test]
    fn alike_nodes_are_one_row() {
        let mut nodes: Vec<_> = (0..4).map(|i| node(&format!("g{i}"), "gpu-training", 108, 8)).collect();
        nodes.push(node("x", "x86", 128, 0));
        nodes[3].schedulable = false;
        let pods = [pod("g0", "7"), pod("g1", "3"), pod("g1", "4"), pod("", "8")];
        let rows = &layout(&catalogue(), &nodes, &pods)["gpu-training"];
        let row = |free, nodes| CardNodes { cards: 8, free, nodes };
        assert_eq!(rows, &[row(1, 2), row(8, 1)]);
        assert!(!layout(&catalogue(), &nodes, &pods).contains_key("x86"));
    }
}
