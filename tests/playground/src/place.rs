//! The places of a cloud, what each profile puts where, and the ports that are the same everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place: one network namespace with an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Home of the hub in profile `quota`. In `full` the hub lives in the three centres, and this is the province's own
    /// network: Prometheus watches from here, and no cut hides a centre from it.
    Hub,
    /// The primary centre.
    Jishi,
    /// The backup centre in the same city.
    Jiyidong,
    /// The disaster recovery centre, 330 km away.
    Baicheng,
}

impl Place {
    /// Every place, in the order of their networks.
    pub const ALL: [Self; 4] = [Self::Hub, Self::Jishi, Self::Jiyidong, Self::Baicheng];

    /// The name used in file names, process names and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Jishi => "jishi",
            Self::Jiyidong => "jiyidong",
            Self::Baicheng => "baicheng",
        }
    }

    /// The number of the place's /24 inside the cloud's /20. 0 is the host's.
    pub(crate) const fn slot(self) -> u8 {
        match self {
            Self::Hub => 1,
            Self::Jishi => 2,
            Self::Jiyidong => 3,
            Self::Baicheng => 4,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The places where the operator runs, in every profile.
pub(crate) const OPERATOR_PLACES: [Place; 2] = [Place::Jishi, Place::Jiyidong];

/// The places with nodes whose pods are real processes, where a cloud has such.
pub(crate) const RUNNER_PLACES: [Place; 2] = [Place::Jishi, Place::Jiyidong];

/// How much of a cloud is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A hub with one etcd and one API server, and the two metro centres without nodes, with an operator in each.
    #[default]
    Quota,
    /// Three centres with nodes, a hub with five etcd voters (2 + 2 + 1) and an API server in each, and Prometheus.
    Full,
}

impl Profile {
    /// The places that exist, in the order of their networks.
    pub const fn places(self) -> &'static [Place] {
        match self {
            Self::Quota => &[Place::Hub, Place::Jishi, Place::Jiyidong],
            Self::Full => &Place::ALL,
        }
    }

    /// Where Prometheus runs.
    pub(crate) const fn prometheus_place(self) -> Option<Place> {
        match self {
            Self::Quota => None,
            Self::Full => Some(Place::Hub),
        }
    }

    /// The places with a cluster of their own.
    pub const fn centres(self) -> &'static [Place] {
        match self {
            Self::Quota => &[Place::Jishi, Place::Jiyidong],
            Self::Full => &[Place::Jishi, Place::Jiyidong, Place::Baicheng],
        }
    }

    /// The places with an API server of the hub. The first one is meant by the plain name `hub`.
    pub const fn hub_places(self) -> &'static [Place] {
        match self {
            Self::Quota => &[Place::Hub],
            Self::Full => self.centres(),
        }
    }

    /// How many voters of the hub's etcd are in a place.
    pub(crate) const fn voters(self, place: Place) -> u16 {
        match (self, place) {
            (Self::Quota, Place::Hub) | (Self::Full, Place::Baicheng) => 1,
            (Self::Full, Place::Jishi | Place::Jiyidong) => 2,
            _ => 0,
        }
    }

    /// How many agents a centre has.
    pub(crate) const fn agents(self) -> u16 {
        match self {
            Self::Quota => 1,
            Self::Full => 2,
        }
    }
}

/// Ports, the same in every place and every profile.
pub(crate) mod port {
    /// API server of the centre's own cluster.
    pub(crate) const APISERVER: u16 = 6443;
    /// API server of the hub.
    pub(crate) const HUB_APISERVER: u16 = 7443;
    /// First of three ports (clients, peers, metrics) of the centre's etcd.
    pub(crate) const ETCD: u16 = 2379;
    /// First of three ports of the hub's first etcd voter; the second one is 10 higher.
    pub(crate) const HUB_ETCD: u16 = 12379;
    /// kube-controller-manager of the centre.
    pub(crate) const CONTROLLER_MANAGER: u16 = 10257;
    /// kube-controller-manager of the hub.
    pub(crate) const HUB_CONTROLLER_MANAGER: u16 = 11257;
    /// kube-scheduler.
    pub(crate) const SCHEDULER: u16 = 10259;
    /// kwok.
    pub(crate) const KWOK: u16 = 10247;
    /// Metrics of the operator; the agents follow.
    pub(crate) const OPERATOR: u16 = 9400;
    /// Where the first agent answers gates; the others follow.
    pub(crate) const PERMITS: u16 = 9410;
    /// Metrics of a gate, in the network of its node.
    pub(crate) const GATE: u16 = 9402;
    /// The one that writers write to.
    pub(crate) const SINK: u16 = 9500;
    /// Where clients from outside reach the pods of a place.
    pub(crate) const INGRESS: u16 = 8088;
    /// Where a pod answers.
    pub(crate) const POD: u16 = 8080;
    /// Prometheus.
    pub(crate) const PROMETHEUS: u16 = 9090;
    /// First of the ports of relays, which stand in the way of connections.
    pub(crate) const RELAY: u16 = 15000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_voters_and_no_place_holds_a_majority() {
        let voters: Vec<u16> = Profile::Full
            .places()
            .iter()
            .map(|p| Profile::Full.voters(*p))
            .collect();
        let total: u16 = voters.iter().sum();
        assert_eq!(total, 5);
        assert!(voters.iter().all(|v| total - v > total / 2));
        assert_eq!(Profile::Quota.voters(Place::Hub), 1);
    }

    #[test]
    fn slots_differ_and_leave_the_host_its_own() {
        let slots: std::collections::BTreeSet<u8> = Place::ALL.iter().map(|p| p.slot()).collect();
        assert_eq!(slots.len(), Place::ALL.len());
        assert!(!slots.contains(&0));
    }
}
