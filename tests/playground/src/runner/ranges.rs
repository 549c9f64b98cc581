//! Names and addresses of the nodes whose pods are real processes. A node has a quarter of its place's /24: half of it is
//! for ordinary pods, half for exclusive ones.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::nodes::runner_name;
use crate::place::{Place, RUNNER_PLACES};
use crate::state::State;

/// How many such nodes a place has room for.
pub(crate) const MOST: u8 = 3;
/// Addresses of a node.
const PER_NODE: u8 = 64;
/// Of these, where the exclusive ones begin.
const EXCLUSIVE: u8 = 32;

/// One node: a network namespace between that of its place and those of its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunnerNode {
    pub(crate) place: Place,
    /// Such as `run-001`.
    pub(crate) name: String,
    /// 1 to [`MOST`].
    pub(crate) number: u8,
    /// Its own network namespace.
    pub(crate) netns: String,
    pub(crate) address: Ipv4Addr,
    /// The namespace of its place, and its address there.
    pub(crate) outside: (String, Ipv4Addr),
}

impl RunnerNode {
    fn new(state: &State, place: Place, number: u8) -> Result<Self> {
        let net = state.net(place)?;
        let name = runner_name(number);
        Ok(Self {
            place,
            netns: format!("{}-{name}", net.netns),
            name,
            number,
            address: at(net.address, number * PER_NODE + 1),
            outside: (net.netns.clone(), net.address),
        })
    }

    /// The nodes of a place.
    pub(crate) fn of(state: &State, place: Place) -> Result<Vec<Self>> {
        let count = if RUNNER_PLACES.contains(&place) {
            state.runners.nodes
        } else {
            0
        };
        (1..=count).map(|number| Self::new(state, place, number)).collect()
    }

    /// The nodes of all places.
    pub(crate) fn all(state: &State) -> Result<Vec<Self>> {
        let places = RUNNER_PLACES.map(|place| Self::of(state, place));
        Ok(places.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// What lies behind the node, in CIDR notation.
    pub(crate) fn routed(&self) -> String {
        format!("{}/26", at(self.address, self.number * PER_NODE))
    }

    /// The range of exclusive pods, in CIDR notation.
    pub(crate) fn exclusive_range(&self) -> String {
        format!("{}/27", at(self.address, self.number * PER_NODE + EXCLUSIVE))
    }

    /// Addresses for pods, in order.
    pub(crate) fn addresses(&self, exclusive: bool) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let first = self.number * PER_NODE;
        let offsets = if exclusive { EXCLUSIVE..PER_NODE } else { 2..EXCLUSIVE };
        let base = self.address;
        offsets.filter_map(move |offset| Some(at(base, first.checked_add(offset)?)))
    }

    /// The network namespace of the pod with that address.
    pub(crate) fn pod_netns(&self, address: Ipv4Addr) -> String {
        let [.., last] = address.octets();
        format!("{}-{last}", self.netns)
    }

    /// The node's end of the pair to that pod.
    pub(crate) fn pod_link(address: Ipv4Addr) -> String {
        let [.., last] = address.octets();
        format!("p{last}")
    }

    /// The place's end of the pair to the node.
    pub(crate) fn link(&self) -> String {
        format!("r{}", self.number)
    }
}

/// The address with another last byte.
fn at(address: Ipv4Addr, last: u8) -> Ipv4Addr {
    let [a, b, c, _] = address.octets();
    Ipv4Addr::new(a, b, c, last)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn node(number: u8) -> RunnerNode {
        RunnerNode {
            place: Place::Jishi,
            name: runner_name(number),
            number,
            netns: "xy0a1b-jishi-run-001".into(),
            address: at(Ipv4Addr::new(198, 18, 2, 10), number * PER_NODE + 1),
            outside: ("xy0a1b-jishi".into(), Ipv4Addr::new(198, 18, 2, 10)),
        }
    }

    #[test]
    fn a_node_has_its_own_addresses_and_the_gate_governs_half_of_them() {
        let first = node(1);
        assert_eq!(first.routed(), "198.18.2.64/26");
        assert_eq!(first.exclusive_range(), "198.18.2.96/27");
        let mut seen = BTreeSet::from([Ipv4Addr::new(198, 18, 2, 10)]);
        for node in [1, 2, MOST].map(node) {
            assert!(seen.insert(node.address));
            for address in node.addresses(true).chain(node.addresses(false)) {
                assert!(seen.insert(address), "{address} twice");
            }
            assert!(node.addresses(true).all(|a| a.octets()[3] & 0x20 != 0));
            assert!(node.addresses(false).all(|a| a.octets()[3] & 0x20 == 0));
        }
        assert_eq!(
            first.pod_netns(Ipv4Addr::new(198, 18, 2, 97)),
            "xy0a1b-jishi-run-001-97"
        );
    }
}
