//! The arbiter's store as one linearizable read showed it.

use std::collections::{BTreeMap, BTreeSet};

use crate::row::{Epoch, Incarnation, Row};
use crate::txn::{Beat, Kv, Outcome, PREFIX, Txn, key};

/// What a place last held, and in which life of the arbiter it says so.
pub type Claim = (Incarnation, Option<Epoch>);

/// Everything that is kept, with the revision of each change.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The arbiter's life.
    pub incarnation: Option<Incarnation>,
    /// Scopes.
    pub rows: BTreeMap<String, (Row, u64)>,
    /// Places, and the revision of their last beat.
    pub beats: BTreeMap<String, u64>,
    /// Places whose last beat says that they do not reach their own API server.
    pub ailing: BTreeSet<String>,
    /// Beats after which an observer saw a place silent, by observer and place.
    pub verdicts: BTreeMap<(String, String), u64>,
    /// The same of places whose API server still answered it.
    pub downs: BTreeMap<(String, String), u64>,
    /// What places claim, by key.
    pub claims: BTreeMap<String, Claim>,
    /// The operator that decides, and since which revision.
    pub operator: Option<(String, u64)>,
    /// The revision of its last sign of life.
    pub operating: u64,
}

impl View {
    /// Reads everything.
    pub fn look() -> Txn {
        Txn::default().range(PREFIX.to_owned())
    }

    /// What that read showed.
    pub fn of(outcome: &Outcome) -> Self {
        let mut view = Self {
            incarnation: outcome.get(&key::incarnation()).and_then(Kv::parse),
            operating: outcome.get(&key::operating()).map_or(0, |kv| kv.revision),
            ..Self::default()
        };
        let operator = outcome.get(&key::operator());
        view.operator = operator.and_then(|kv| Some((kv.parse()?, kv.revision)));
        for kv in &outcome.read {
            if let (Some(scope), Some(row)) = (key::scope(&kv.key), kv.parse()) {
                view.rows.insert(scope.to_owned(), (row, kv.revision));
            } else if let Some(place) = key::beating(&kv.key) {
                view.beats.insert(place.to_owned(), kv.revision);
                if kv.parse().is_some_and(|beat: Beat| beat.ailing) {
                    view.ailing.insert(place.to_owned());
                }
            } else if let (Some(about), Some(m)) = (key::observed(&kv.key, "observers/"), kv.parse()) {
                view.verdicts.insert(about, m);
            } else if let (Some(about), Some(m)) = (key::observed(&kv.key, "down/"), kv.parse()) {
                view.downs.insert(about, m);
            } else if let (true, Some(claim)) = (key::claims(&kv.key), kv.parse()) {
                view.claims.insert(kv.key.clone(), claim);
            }
        }
        view
    }
}
