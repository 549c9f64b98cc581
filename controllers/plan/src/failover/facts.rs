//! What is known about who may run what: the arbiter's rows as plain data, the centres, and the moves that are not over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{CentreRole, CentreWitness, DualActivePlacement, Failover, ProofKind, RightEpoch, WitnessState};
use jiff::Timestamp;

/// Where a scope stands in the arbiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its holder may run it until its deadline.
    Held,
    /// The same, and it is asked to stop and to say so.
    Draining,
    /// Its holder runs it without a deadline, because the witness is lost.
    Pinned,
    /// The same, and it is asked to take its deadline back on.
    Unpinning,
    /// Its last holder said that everything of it is terminated.
    Released,
    /// Its last holder may no longer run it; nobody may before a proof.
    Fencing,
    /// The arbiter was restored, and who held it last is being asked.
    Regrant,
}

/// Why it is certain that the last holder is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Which.
    pub kind: ProofKind,
    /// By whom, where people said it.
    pub persons: Vec<String>,
}

/// The arbiter's record of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Rises with every change of the holder.
    pub epoch: RightEpoch,
    /// Who may run it.
    pub holder: Option<String>,
    /// Where it stands.
    pub stage: Stage,
    /// Who held it before, while nobody does.
    pub from: Option<String>,
    /// That the last holder is silent.
    pub proof: Option<Proof>,
}

/// The arbiter, as far as it is known now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Arbiter {
    /// None is there.
    #[default]
    Absent,
    /// It was not read for too long: nothing of it counts.
    Silent,
    /// Its rows, by scope.
    Seen(BTreeMap<String, Right>),
}

/// A centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Centre {
    /// What it is for.
    pub role: CentreRole,
    /// What the arbiter says of it.
    pub witness: Option<CentreWitness>,
    /// Whether its agent reports to the hub.
    pub reports: bool,
}

/// Everything that is known about moves.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The arbiter.
    pub arbiter: Arbiter,
    /// Every centre.
    pub centres: BTreeMap<String, Centre>,
    /// Moves by namespace and placement, the oldest first.
    moves: BTreeMap<(String, String), Vec<Arc<Failover>>>,
}

/// The scope of a placement in the arbiter.
pub fn scope(namespace: &str, placement: &str) -> String {
    format!("{namespace}/{placement}")
}

/// A moment as moves keep it: milliseconds.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl Known {
    /// What is known, with all moves of the hub.
    pub fn new(arbiter: Arbiter, centres: BTreeMap<String, Centre>, moves: &[Arc<Failover>]) -> Self {
        let mut by_placement: BTreeMap<(String, String), Vec<Arc<Failover>>> = BTreeMap::new();
        for one in moves {
            let namespace = one.metadata.namespace.clone().unwrap_or_default();
            let key = (namespace, one.spec.placement_ref.name.clone());
            by_placement.entry(key).or_default().push(Arc::clone(one));
        }
        let age = |f: &Arc<Failover>| {
            (
                f.metadata.creation_timestamp.clone().map(|t| t.0),
                f.metadata.name.clone(),
            )
        };
        for all in by_placement.values_mut() {
            all.sort_by_key(age);
        }
        Self {
            arbiter,
            centres,
            moves: by_placement,
        }
    }

    /// Moves of a placement, the oldest first.
    pub fn moves(&self, (namespace, name): (&str, &str)) -> &[Arc<Failover>] {
        let found = self.moves.get(&(namespace.to_owned(), name.to_owned()));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// Every move.
    pub fn all_moves(&self) -> impl Iterator<Item = &Arc<Failover>> {
        self.moves.values().flatten()
    }

    /// The oldest move of a placement that is not over.
    pub fn moving(&self, key: (&str, &str)) -> Option<&Arc<Failover>> {
        self.moves(key).iter().find(|f| !f.phase().is_over())
    }

    /// The arbiter's record of a placement; `None` where there is none, or where it is not known.
    pub fn right(&self, (namespace, name): (&str, &str)) -> Option<&Right> {
        match &self.arbiter {
            Arbiter::Seen(rights) => rights.get(&scope(namespace, name)),
            Arbiter::Absent | Arbiter::Silent => None,
        }
    }

    /// Centres of the province.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Centre)> {
        let all = self.centres.iter().filter(|(_, c)| c.role != CentreRole::Member);
        all.map(|(name, centre)| (name.as_str(), centre))
    }

    /// How the arbiter hears a centre.
    pub fn state(&self, centre: &str) -> Option<WitnessState> {
        self.witness(centre).map(|w| w.state)
    }

    /// What the arbiter says of a centre.
    pub fn witness(&self, centre: &str) -> Option<&CentreWitness> {
        self.centres.get(centre)?.witness.as_ref()
    }

    /// Whether it is lost.
    pub fn is_lost(&self, centre: &str) -> bool {
        self.state(centre) == Some(WitnessState::Lost)
    }

    /// Centres that are lost.
    pub fn lost(&self) -> BTreeSet<&str> {
        let all = self.places().map(|(name, _)| name);
        all.filter(|name| self.is_lost(name)).collect()
    }

    /// The centre that is lost, where it is one: of more, nobody says that they are not cut off together.
    pub fn lost_alone(&self) -> Option<&str> {
        let lost = self.lost();
        lost.first().copied().filter(|_| lost.len() == 1)
    }

    /// Centres in which grants hold what they keep for when another one is away.
    pub fn away(&self) -> BTreeSet<String> {
        let away = |name: &&str| self.witness(name).is_some_and(CentreWitness::is_carried);
        let all = self.places().map(|(name, _)| name);
        all.filter(away).map(ToOwned::to_owned).collect()
    }
}

/// Namespace and name of a placement, borrowed.
pub fn key(placement: &DualActivePlacement) -> (&str, &str) {
    (
        placement.metadata.namespace.as_deref().unwrap_or_default(),
        placement.metadata.name.as_deref().unwrap_or_default(),
    )
}
