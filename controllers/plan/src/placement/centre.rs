//! What the agent of a centre makes of all decisions: which objects should stand there, and which should go.
//!
//! An object goes only on the word of a decision that was read: a placement that is not seen takes nothing away.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    Assignment, Drift, DualActivePlacement, Existing, Ownership, PlacedObject, PlacementMode, Removal, TemplateKind,
    condition, placement_reason as reason,
};

use super::confirm::{self, Contents};
use super::decide::key;
use super::exclusive::{self, Held, Mark};
use super::object::Here;
use super::overrides::concerning;
use crate::centre::catalogue::Catalogue;
use crate::centre::epoch::Floors;
use crate::centre::stage::{Stage, Withheld, Write};

/// Namespace in the centre, and object.
pub type Spot = (String, PlacedObject);

/// What a decision of the agent is made from.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// Own name.
    pub centre: &'a str,
    /// Every placement of the hub.
    pub placements: &'a [Arc<DualActivePlacement>],
    /// The pools.
    pub catalogue: &'a Catalogue,
    /// Objects of the centre that carry our label, and the placement in it.
    pub standing: &'a BTreeMap<Spot, String>,
    /// Namespaces of the centre and the tenant in their label, as long as they are not being deleted.
    pub namespaces: &'a BTreeMap<String, String>,
    /// Epochs as stored in the centre.
    pub floors: &'a Floors,
    /// What may be written here.
    pub stage: Stage,
    /// Who owns the centre.
    pub ownership: Ownership,
    /// Content of the templates, where a person may have to confirm it.
    pub contents: &'a Contents,
    /// What may be done with exclusive placements; without an arbiter they run as decided.
    pub rights: Option<Rights<'a>>,
}

/// What may be done with exclusive placements now.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'a> {
    /// By namespace and name.
    pub held: &'a BTreeMap<(String, String), Held>,
    /// Whether their pods run on nodes with a gate alone.
    pub gated: bool,
}

impl Rights<'_> {
    fn of(&self, key: &(String, String)) -> Held {
        self.held.get(key).cloned().unwrap_or_default()
    }
}

/// An object that should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Tenant, which is the template's namespace in the hub.
    pub tenant: String,
    /// What the centre adds.
    pub here: Here,
    /// What becomes of an edit by hand.
    pub drift: Drift,
    /// What becomes of one that is there already.
    pub existing: Existing,
    /// Its decision is not carried out: what stands stays as it is.
    pub kept: bool,
    /// From which state of the template.
    pub source: Source,
    /// What its template asked for when it was found to fit.
    pub asks: String,
    /// A template of its placement that has yet to be found to fit: until then it is kept as it was applied.
    pub held: Option<PlacedObject>,
}

impl Want {
    /// The same, with what stands left as it is.
    #[must_use]
    pub fn left(&self) -> Self {
        Self {
            kept: true,
            ..self.clone()
        }
    }

    /// The same, kept as it was applied because of that template. A stored version was found to fit before it was named.
    #[must_use]
    pub fn held(&self, by: &PlacedObject) -> Self {
        Self {
            held: (self.source == Source::Template).then(|| by.clone()),
            ..self.clone()
        }
    }
}

/// Which state of a template is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// As it is in the hub now.
    #[default]
    Template,
    /// A revision that was stored in the hub.
    Revision(String),
    /// None yet: another centre comes first.
    Later,
}

/// A placement's part here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The decision.
    pub assignment: Assignment,
    /// Namespace in the centre.
    pub namespace: String,
    /// Why it is not carried out: reason and message.
    pub refusal: Option<(&'static str, String)>,
    /// Whether the centre holds something of it by this decision.
    pub here: bool,
    /// Of a member cloud: the decision and its content by name.
    pub content: Option<String>,
    /// Whether a person has to confirm that.
    pub unconfirmed: bool,
    /// With an exclusive placement, where an arbiter is: what may be done with it.
    pub held: Option<Held>,
    /// Objects that another placement, by name, needs too and says something else of: what that one says counts.
    pub shared: BTreeMap<PlacedObject, String>,
}

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Objects that should stand. The placement named first by its name owns what several need.
    pub wants: BTreeMap<Spot, Want>,
    /// Objects that should go, and how; the last kinds first, and only one step of them.
    pub goes: BTreeMap<Spot, Removal>,
    /// The placements, by namespace and name.
    pub parts: BTreeMap<(String, String), Part>,
    /// Epochs to store before anything is written.
    pub floors: Floors,
}

/// Decides what the centre should look like.
pub fn plan(s: &Snapshot<'_>) -> Plan {
    let mut out = Plan {
        floors: s.floors.clone(),
        ..Plan::default()
    };
    let standing: BTreeSet<(&str, &str)> = s.standing.iter().map(|(s, p)| (s.0.as_str(), p.as_str())).collect();
    let placements: BTreeMap<_, _> = s.placements.iter().map(|p| (key(p), p)).collect();
    for ((tenant, name), placement) in &placements {
        let Some(assignment) = placement.assignment() else {
            continue;
        };
        let stands_in = |namespace: &str| standing.contains(&(namespace, name.as_str()));
        let namespace = namespace(s, (tenant, &placement.spec.pool), stands_in);
        let stands = stands_in(&namespace);
        let mut part = part(s, placement, assignment, (namespace, tenant), stands);
        let concerns = s.stage.records_all() || part.here || stands;
        if part.refusal.is_none() && concerns && s.stage.withholds(Write::Epoch).is_none() {
            out.floors.raise(&assignment.ledger, assignment.epoch);
        }
        part.shared = want(s, placement, &part, &mut out.wants);
        out.parts.insert((tenant.clone(), name.clone()), part);
    }
    out.goes = goes(s, &out);
    out
}

/// Where the tenant uses the pool. Of one that is gone the objects say whether that was a namespace of its own.
fn namespace(s: &Snapshot<'_>, (tenant, pool): (&str, &str), stands_in: impl Fn(&str) -> bool) -> String {
    let separate = format!("{tenant}-{pool}");
    let owned = s.namespaces.get(&separate).is_some_and(|owner| owner == tenant);
    if s.catalogue.get(pool).is_none() && owned && stands_in(&separate) {
        return separate;
    }
    s.catalogue.namespace(tenant, pool)
}

fn part(
    s: &Snapshot<'_>,
    placement: &DualActivePlacement,
    assignment: &Assignment,
    (namespace, tenant): (String, &str),
    stands: bool,
) -> Part {
    let here = assignment.centre(s.centre).is_some() && assignment.leaving.is_none();
    let row = placement.row(s.centre);
    let done = row.is_some_and(|r| r.number == assignment.number);
    // Where nothing is to be written, nobody has to allow it.
    let something = here || stands || row.is_some_and(|r| r.reason != reason::REMOVED);
    let content = (s.stage.reported().is_some() && !s.stage.read_only())
        .then(|| confirm::named(placement, assignment, s.centre, s.contents));
    let confirmed = content
        .as_ref()
        .is_some_and(|name| confirm::confirmed(placement, s.centre, name));
    let withheld = s.stage.withholds(Write::Decision { confirmed }).filter(|_| something);
    let floor = s.floors.of(&assignment.ledger);
    let pool = &placement.spec.pool;
    let refusal = if let Some(withheld) = withheld {
        let name = content.as_deref().unwrap_or_default();
        let words = confirm::words(withheld, placement, assignment, s.centre, name);
        Some((withheld.of_placement(), words))
    } else if s.catalogue.get(pool).is_none() && assignment.leaving.is_none() {
        Some((
            reason::APPLY_FAILED,
            format!("pool {pool} is not known here; what runs stays | 未知资源池 {pool}，已有对象不变"),
        ))
    } else if let Some(message) = data_refused(s, placement).filter(|_| here) {
        Some((reason::DATA_NOT_ALLOWED, message))
    } else if assignment.epoch < floor && !done {
        let epoch = assignment.epoch;
        let message = format!(
            "epoch {epoch} is older than {floor}, the highest seen here; the operator in office confirms it | epoch {epoch} 低于已见到的 {floor}，由当前控制器重新确认"
        );
        Some((reason::STALE_EPOCH, message))
    } else if here && s.namespaces.get(&namespace).is_none_or(|owner| owner != tenant) {
        let message = format!(
            "namespace {namespace} is missing, being deleted, or not of {tenant}; a grant in pool {pool} makes it | 命名空间 {namespace} 不存在、正在删除或不属于 {tenant}，获得 {pool} 配额后自动建立"
        );
        Some((reason::NAMESPACE_MISSING, message))
    } else {
        None
    };
    Part {
        assignment: assignment.clone(),
        namespace,
        refusal,
        here,
        content,
        unconfirmed: withheld == Some(Withheld::Unconfirmed),
        held: s
            .rights
            .filter(|_| placement.spec.mode == PlacementMode::Exclusive)
            .map(|rights| rights.of(&key(placement))),
        shared: BTreeMap::new(),
    }
}

/// What the operator says of data that may not be in a centre of this owner: it is neither changed nor made anew here.
fn data_refused(s: &Snapshot<'_>, placement: &DualActivePlacement) -> Option<String> {
    let said = placement.condition(condition::READY)?;
    let refused = s.ownership == Ownership::Social && said.reason == reason::DATA_NOT_ALLOWED;
    refused.then(|| said.message.clone())
}

/// Adds what the placement wants. Answers what another one wants otherwise, and which.
fn want(
    s: &Snapshot<'_>,
    placement: &DualActivePlacement,
    part: &Part,
    wants: &mut BTreeMap<Spot, Want>,
) -> BTreeMap<PlacedObject, String> {
    let (tenant, name) = key(placement);
    let mut shared = BTreeMap::new();
    let Some(mine) = part
        .assignment
        .centre(s.centre)
        .filter(|_| part.assignment.leaving.is_none())
    else {
        return shared;
    };
    for object in &part.assignment.objects {
        let runs = part.held.as_ref().is_none_or(|held| held.runs);
        let unknown = part.held.as_ref().is_some_and(|held| held.unknown) && exclusive::is_marked(&object.kind);
        let copies = mine.copies_of(object).map(|copies| if runs { copies } else { 0 });
        let want = Want {
            tenant: tenant.clone(),
            here: Here {
                namespace: part.namespace.clone(),
                placement: name.clone(),
                copies,
                suspended: !mine.jobs || !runs,
                exclusive: part.held.as_ref().map(|held| Mark {
                    epoch: held.epoch,
                    pods: held.epoch,
                    runs,
                    gated: s.rights.is_some_and(|rights| rights.gated),
                }),
                overrides: concerning(&part.assignment.overrides, s.centre, object)
                    .into_iter()
                    .cloned()
                    .collect(),
                ..Here::default()
            },
            drift: placement.spec.drift,
            existing: placement.spec.existing,
            kept: part.refusal.is_some() || unknown || (object.kind.has_copies() && copies.is_none()),
            source: source(&part.assignment, s.centre, object),
            asks: part.assignment.asks_of(object).to_owned(),
            held: None,
        };
        match wants.entry((part.namespace.clone(), object.clone())) {
            Entry::Vacant(free) => drop(free.insert(want)),
            Entry::Occupied(mut owned) => {
                let says = |w: &Want| (w.drift, w.existing, w.here.overrides.clone());
                if owned.get().kept && !want.kept {
                    // Whoever may not change it holds nobody else up.
                    owned.insert(want);
                } else if says(owned.get()) != says(&want) {
                    shared.insert(object.clone(), owned.get().here.placement.clone());
                }
            }
        }
    }
    shared
}

/// From which state of its template an object is made in a centre.
pub(super) fn source(assignment: &Assignment, centre: &str, object: &PlacedObject) -> Source {
    match assignment.rollout(object) {
        None => Source::Template,
        Some(rollout) => rollout
            .of(centre)
            .map_or(Source::Later, |r| Source::Revision(r.to_owned())),
    }
}

/// What stands under the label of a placement whose decision does not want it. Whatever refers to others goes before
/// them: of each placement only the last kinds.
fn goes(s: &Snapshot<'_>, out: &Plan) -> BTreeMap<Spot, Removal> {
    let mut goes: BTreeMap<Spot, Removal> = BTreeMap::new();
    let mut last: BTreeMap<(&str, &str), TemplateKind> = BTreeMap::new();
    let by_place: BTreeMap<(&str, &str), &Part> = out
        .parts
        .iter()
        .filter(|(_, part)| part.refusal.is_none())
        .map(|((_, name), part)| ((part.namespace.as_str(), name.as_str()), part))
        .collect();
    for (spot, placement) in s.standing {
        let place = (spot.0.as_str(), placement.as_str());
        let Some(part) = by_place.get(&place).filter(|_| !out.wants.contains_key(spot)) else {
            continue;
        };
        goes.insert(spot.clone(), part.assignment.leaving.unwrap_or(Removal::Delete));
        let slot = last.entry(place).or_insert_with(|| spot.1.kind.clone());
        if spot.1.kind > *slot {
            slot.clone_from(&spot.1.kind);
        }
    }
    let standing = |spot: &Spot| s.standing.get(spot).map_or("", String::as_str);
    goes.retain(|spot, _| {
        let last = last.get(&(spot.0.as_str(), standing(spot)));
        last.is_none_or(|last| rank(&spot.1.kind) == rank(last))
    });
    goes
}

/// What is referred to leaves after everything else.
fn rank(kind: &TemplateKind) -> bool {
    TemplateKind::REFERRED.contains(kind)
}

/// Kinds that must be watched in the hub, and the same in the centre.
pub fn kinds<'a>(placements: impl IntoIterator<Item = &'a Arc<DualActivePlacement>>) -> BTreeSet<TemplateKind> {
    let assignments = placements.into_iter().filter_map(|p| p.assignment());
    assignments
        .flat_map(|a| a.objects.iter().map(|o| o.kind.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
