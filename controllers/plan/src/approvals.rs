//! Which approvals a request needs, and which decisions count.

use std::collections::BTreeMap;

use crds::{
    AmountError, ApprovalPolicy, Approver, Decision, RequestApproval, Resources, approval_reason as reason, condition,
    condition_is_true, group,
};
use jiff::Timestamp;

use crate::needs::Wish;

/// An approval policy read into numbers. The default asks nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    automatic_up_to: Resources,
    levels: Vec<Level>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    number: i32,
    above: Resources,
    entitled: Entitled,
}

/// Who may decide at a level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitled {
    /// Members of these groups.
    pub groups: Vec<String>,
    /// These persons.
    pub users: Vec<String>,
}

impl Entitled {
    /// Whether that person may, with these groups.
    pub fn includes(&self, user: &str, groups: &[String]) -> bool {
        self.users.iter().any(|u| u == user) || self.groups.iter().any(|g| groups.contains(g))
    }

    fn add(&mut self, other: &Self) {
        for (to, from) in [(&mut self.groups, &other.groups), (&mut self.users, &other.users)] {
            let new: Vec<_> = from.iter().filter(|f| !to.contains(f)).cloned().collect();
            to.extend(new);
        }
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// An amount cannot be read.
    pub fn read(policy: &ApprovalPolicy) -> Result<Self, AmountError> {
        let level = |l: &crds::ApprovalLevel| {
            Ok(Level {
                number: l.level,
                above: (&l.above).try_into()?,
                entitled: Entitled {
                    groups: l.groups.clone(),
                    users: l.users.clone(),
                },
            })
        };
        Ok(Self {
            automatic_up_to: (&policy.automatic_up_to).try_into()?,
            levels: policy.levels.iter().map(level).collect::<Result<_, AmountError>>()?,
        })
    }

    /// Whether it names anybody at all.
    pub(crate) fn has_levels(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The level that is asked whenever `n` is above what is automatic. CPU and memory that come with cards were not asked
    /// for, and count only where the policy names them.
    fn lowest_for(&self, n: Resources) -> Option<i32> {
        let along = |resource: &str| n.accelerators > 0 && resource != "accelerators";
        let most = self.automatic_up_to;
        let above = n.iter().any(|(r, v)| v > most[r] && (most[r] > 0 || !along(r)));
        self.levels.iter().map(|l| l.number).min().filter(|_| above)
    }
}

/// Levels that must agree, and who is entitled at each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed(pub BTreeMap<i32, Entitled>);

impl Needed {
    /// Adds the levels, and whoever may decide there, that something else needs.
    pub(crate) fn join(&mut self, other: &Self) {
        for (level, entitled) in &other.0 {
            self.0.entry(*level).or_default().add(entitled);
        }
    }
}

/// Levels needed for what is asked of several pools, of the full n: a level is needed where one pool asks for it, and
/// whoever any pool that needs the level names may decide. Above what is automatic the lowest level of the pool is needed,
/// whatever resources its `above` names.
pub fn needed<'a>(asked: impl IntoIterator<Item = (&'a Policy, Resources)>) -> Needed {
    let mut levels: BTreeMap<i32, Entitled> = BTreeMap::new();
    for (policy, n) in asked {
        if n.fits(policy.automatic_up_to) {
            continue;
        }
        let lowest = policy.lowest_for(n);
        for level in &policy.levels {
            let exceeds = level.above.is_zero() || n.iter().any(|(r, v)| level.above[r] > 0 && v > level.above[r]);
            if exceeds || lowest == Some(level.number) {
                levels.entry(level.number).or_default().add(&level.entitled);
            }
        }
    }
    Needed(levels)
}

/// Every level that one of the policies has, whatever is asked.
pub fn every_level<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Needed {
    let mut all: BTreeMap<i32, Entitled> = BTreeMap::new();
    for level in policies.into_iter().flat_map(|p| &p.levels) {
        all.entry(level.number).or_default().add(&level.entitled);
    }
    Needed(all)
}

/// What the decisions about one request add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Levels still missing.
    pub missing: Vec<i32>,
    /// Levels that agreed.
    pub given: i32,
    /// Who said no, and why.
    pub rejected: Option<(String, String)>,
    /// Creation time of the approval that completed the set.
    pub decided_at: Option<Timestamp>,
    /// The lowest amounts that any counted approval names, by resource.
    pub lowered: BTreeMap<String, i128>,
    /// For each approval by name: whether it counts, or the reason why not.
    pub counted: BTreeMap<String, Result<(), &'static str>>,
}

/// What no decision adds up to.
pub fn none(needed: &Needed) -> Outcome {
    Outcome {
        missing: needed.0.keys().copied().collect(),
        ..Outcome::default()
    }
}

/// Counts the decisions about the request `uid` of `requester`, which asks `wish` where the grant that it alters has `held`,
/// one row a need, oldest first. Nobody approves their own request; two levels are two people of two organisations; a level
/// counts once; a rejection ends it.
pub fn count(
    uid: &str,
    requester: &str,
    wish: &Wish,
    held: &[Resources],
    needed: &Needed,
    approvals: &[&RequestApproval],
) -> Outcome {
    let mut order: Vec<_> = approvals.to_vec();
    order.sort_by_key(|a| (a.metadata.creation_timestamp.clone(), a.metadata.name.clone()));
    let mut out = Outcome::default();
    let mut by_level: BTreeMap<i32, &Approver> = BTreeMap::new();
    for approval in order {
        let spec = &approval.spec;
        let name = approval.metadata.name.clone().unwrap_or_default();
        let person = spec.approver.username.as_str();
        let verdict = judge(approval, uid, requester, needed, &by_level, out.rejected.is_some())
            .and_then(|()| amounts_valid(approval, wish, held));
        if verdict.is_ok() {
            match spec.decision {
                Decision::Rejected => {
                    out.rejected = Some((person.to_owned(), spec.comment.clone().unwrap_or_default()));
                }
                Decision::Approved => {
                    by_level.insert(spec.level, &spec.approver);
                    out.decided_at = approval.metadata.creation_timestamp.as_ref().map(|t| t.0);
                    for (resource, value) in Resources::try_from(&spec.amounts).unwrap_or_default().iter() {
                        if spec.amounts.0.contains_key(resource) {
                            let lowest = out.lowered.get(resource).map_or(value, |v| value.min(*v));
                            out.lowered.insert(resource.to_owned(), lowest);
                        }
                    }
                }
            }
        }
        out.counted.insert(name, verdict);
    }
    out.given = i32::try_from(by_level.len()).unwrap_or(i32::MAX);
    out.missing = needed.0.keys().filter(|l| !by_level.contains_key(l)).copied().collect();
    out
}

/// What a rejection that was counted once adds up to: it stands, whatever becomes of pools, levels and groups. `None`
/// where there is none.
pub fn rejected(uid: &str, approvals: &[&RequestApproval]) -> Option<Outcome> {
    let conditions = |a: &RequestApproval| a.status.as_ref().map(|s| s.conditions.clone());
    let of_this = || approvals.iter().filter(|a| a.spec.request_ref.uid == uid);
    let no = of_this().find(|a| {
        a.spec.decision == Decision::Rejected
            && condition_is_true(&conditions(a).unwrap_or_default(), condition::COUNTED)
    })?;
    let late = of_this().filter(|a| conditions(a).is_none_or(|c| c.is_empty()));
    let name = |a: &RequestApproval| a.metadata.name.clone().unwrap_or_default();
    Some(Outcome {
        rejected: Some((
            no.spec.approver.username.clone(),
            no.spec.comment.clone().unwrap_or_default(),
        )),
        counted: late.map(|a| (name(a), Err(reason::ALREADY_DECIDED))).collect(),
        ..Outcome::default()
    })
}

/// Organisations of an approver, from groups such as `org:finance`.
fn organisations(approver: &Approver) -> impl Iterator<Item = &String> {
    approver
        .groups
        .iter()
        .filter(|g| g.starts_with(group::ORGANISATION_PREFIX))
}

fn judge(
    approval: &RequestApproval,
    uid: &str,
    requester: &str,
    needed: &Needed,
    by_level: &BTreeMap<i32, &Approver>,
    rejected: bool,
) -> Result<(), &'static str> {
    let spec = &approval.spec;
    let person = spec.approver.username.as_str();
    if spec.request_ref.uid != uid {
        return Err(reason::UID_MISMATCH);
    }
    if person == requester {
        return Err(reason::SELF_APPROVAL);
    }
    let entitled = needed.0.get(&spec.level).ok_or(reason::NOT_ENTITLED)?;
    if !entitled.includes(person, &spec.approver.groups) {
        return Err(reason::NOT_ENTITLED);
    }
    let mut others = by_level.iter().filter(|(level, _)| **level != spec.level);
    if others.clone().any(|(_, other)| other.username == person) {
        return Err(reason::SAME_PERSON);
    }
    if others.any(|(_, other)| organisations(&spec.approver).any(|org| other.groups.contains(org))) {
        return Err(reason::SAME_ORGANISATION);
    }
    if rejected || by_level.contains_key(&spec.level) {
        return Err(reason::ALREADY_DECIDED);
    }
    Ok(())
}

/// Whether it is clear what its amounts lower. What would lower nothing must not count: all that was asked would be granted.
fn amounts_valid(approval: &RequestApproval, wish: &Wish, held: &[Resources]) -> Result<(), &'static str> {
    let amounts = &approval.spec.amounts;
    let read = Resources::try_from(amounts).map_err(|_| reason::AMOUNTS_INVALID)?;
    let mut stated = read.iter().filter(|(resource, _)| amounts.0.contains_key(*resource));
    let agreed = approval.spec.decision == Decision::Approved;
    if agreed && !stated.all(|(resource, to)| wish.can_lower(held, resource, to)) {
        return Err(reason::AMOUNTS_INVALID);
    }
    Ok(())
}

#[cfg(test)]
#[path = "approvals/tests.rs"]
mod tests;
