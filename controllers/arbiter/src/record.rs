//! What a centre keeps about its exclusive scopes, in its own cluster: stored before anything is done about it, so that
//! every process of the centre, killed or asleep, goes by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::row::{Epoch, Incarnation};

/// The record of a centre.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Rises with every change. The gates remember it: a centre that shows a lower one was restored from a copy.
    pub number: u64,
    /// The arbiter's life that it last listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// Scope by scope.
    #[serde(default)]
    pub scopes: BTreeMap<String, Kept>,
}

/// What is kept of one scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Nothing below this epoch runs here any more.
    pub floor: Epoch,
    /// The highest epoch that this centre ever *held*.
    #[serde(default)]
    pub held: Option<Epoch>,
    /// It runs at the floor without a deadline.
    #[serde(default)]
    pub pinned: bool,
}

impl Record {
    /// What is kept of that scope.
    pub fn of(&self, scope: &str) -> Kept {
        self.scopes.get(scope).copied().unwrap_or_default()
    }
}
