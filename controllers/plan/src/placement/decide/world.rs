//! What decisions are made from, and what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Assignment, CentreRole, DualActivePlacement, Ownership, PlacedObject, Resources, ShortCentre};
use jiff::Timestamp;
use serde_json::Value;

use crate::centre::catalogue::Catalogue;
use crate::failover::facts::Known;
use crate::placement::fit::{Granted, Scope};
use crate::placement::kinds::{Blind, Kinds};
use crate::placement::rollout::Phase;
use crate::placement::template::{Key, Template};

/// What is known of a centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Centre {
    /// Whether its agent reports.
    pub reports: bool,
    /// What it is for.
    pub role: CentreRole,
    /// Who owns it.
    pub ownership: Ownership,
    /// What it lends, pool by pool; `None` for a centre of the province.
    pub lends: Option<BTreeMap<String, Resources>>,
    /// Ready nodes of each pool, as last reported.
    pub nodes: BTreeMap<String, i64>,
}

/// What a decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Every placement of the hub.
    pub placements: &'a [Arc<DualActivePlacement>],
    /// Every template of the kinds in use.
    pub templates: &'a BTreeMap<Key, Arc<Template>>,
    /// What was granted.
    pub grants: &'a BTreeMap<Scope, Granted>,
    /// The pools.
    pub catalogue: &'a Catalogue,
    /// By tenant: the MLPS level that it holds itself, 0 where it does not say.
    pub tenants: &'a BTreeMap<String, i32>,
    /// Every centre.
    pub centres: &'a BTreeMap<String, Centre>,
    /// Custom kinds.
    pub kinds: &'a Kinds,
    /// Those of which the hub shows nothing.
    pub blind: &'a Blind,
    /// Templates as they stand in the hub, where an override concerns them.
    pub texts: &'a BTreeMap<Key, Arc<Value>>,
    /// The arbiter and the moves.
    pub failover: &'a Known,
    /// Now.
    pub now: Timestamp,
    /// Templates of which the hub itself said that they are gone.
    pub gone: &'a BTreeSet<Key>,
    /// Uid of the ledger.
    pub ledger: &'a str,
    /// Epoch of this leadership.
    pub epoch: i64,
}

/// Why a placement is not as its spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// In one word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// Whether each centre could hold everything alone, and in words; `None` where nobody knows.
pub type Survivable = (Option<bool>, String);

/// What was decided for one placement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What should be stored; `None` while there is nothing to place.
    pub assignment: Option<Assignment>,
    /// Why it is not what the spec says.
    pub obstacle: Option<Obstacle>,
    /// What has to be known of one that follows all the same; told once it is carried out.
    pub note: Option<Obstacle>,
    /// Whether each centre could hold everything alone, and in words; `None` where that is not asked.
    pub survivable: Option<Survivable>,
    /// Centres to which it could not be moved, for want of room.
    pub short: Vec<ShortCentre>,
    /// Services of the decision that lead to pods.
    pub services: BTreeSet<String>,
    /// Workloads whose pods hold devices of their node.
    pub devices: BTreeSet<PlacedObject>,
    /// Copies that still wait to be lowered.
    pub rebalancing: bool,
    /// A version that is on its way, or stands still: of which workload, and where it is.
    pub rolling: Option<(PlacedObject, Phase)>,
    /// Revisions that the decision names for the first time: they are stored before it is.
    pub store: BTreeSet<PlacedObject>,
    /// Templates that the caches miss: whether they are gone is asked before anything is taken away.
    pub confirm: BTreeSet<Key>,
    /// Whether it follows the templates as they are now; otherwise it stays behind because of the obstacle.
    pub follows: bool,
    /// Nothing of it is left in any centre: it may go.
    pub release: bool,
}
