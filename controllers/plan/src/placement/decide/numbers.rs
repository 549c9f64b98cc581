//! Which number and epoch a decision carries, and when a placement that is being deleted may go.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Amounts, Removal};

use super::{Assignment, CentreAssignment, Decision, Obstacle, One, PlacedObject, holds, reason};
use crate::placement::template::pod_of;

/// Whether the agents have the same to do. What else is noted of a rollout or of a move concerns the operator alone, and what
/// the templates ask for only says that they may be followed.
fn same_work(next: &Assignment, old: &Assignment) -> bool {
    let given = |a: &Assignment| -> Vec<_> {
        let all = a
            .rollouts
            .iter()
            .map(|r| (r.kind.clone(), r.name.clone(), r.centres.clone()));
        all.collect()
    };
    (&next.objects, &next.centres, &next.overrides, &next.leaving)
        == (&old.objects, &old.centres, &old.overrides, &old.leaving)
        && given(next) == given(old)
}

impl One<'_> {
    /// The spec is left aside; what stands is taken back.
    pub(super) fn leave(&self) -> Decision {
        let Some(old) = self.old else {
            return Decision {
                release: true,
                ..Decision::default()
            };
        };
        if let Some(taker) = self.taker_to_hear() {
            let message = format!(
                "dap/{taker} selects some of its objects and takes them over first | 部分对象由 dap/{taker} 选取，先移交再删除"
            );
            return Decision {
                obstacle: Some(Obstacle {
                    reason: reason::LEAVING,
                    message,
                }),
                assignment: self.confirmed(Some(old.clone())),
                ..Decision::default()
            };
        }
        let next = self.numbered(Assignment {
            leaving: Some(self.placement.spec.removal),
            ..old.clone()
        });
        let row = |centre: &str| self.rows.iter().find(|r| r.name == centre);
        let left = |centre: &str| row(centre).is_some_and(|r| r.reason == reason::REMOVED && r.number == next.number);
        let concerned = next.centres.iter().map(|c| c.name.as_str());
        let concerned = concerned.chain(
            self.rows
                .iter()
                .filter(|r| r.reason != reason::REMOVED)
                .map(|r| r.name.as_str()),
        );
        let waits: BTreeSet<&str> = concerned
            .filter(|c| self.world.centres.contains_key(*c) && !left(c))
            .collect();
        let names = waits.iter().copied().collect::<Vec<_>>().join(", ");
        let (what, zh) = match self.placement.spec.removal {
            Removal::Delete => (
                "its objects are deleted (removal: Delete)",
                "对象将被删除（removal: Delete）",
            ),
            Removal::Orphan => (
                "its objects stay and are let go of (removal: Orphan)",
                "对象保留且不再受管（removal: Orphan）",
            ),
        };
        let n = waits.len();
        let message = format!("{what}; {n} centres still hold some: {names} | {zh}；{n} 个中心尚有对象：{names}");
        Decision {
            release: waits.is_empty(),
            obstacle: Some(Obstacle {
                reason: reason::LEAVING,
                message,
            }),
            assignment: self.confirmed(Some(next)),
            ..Decision::default()
        }
    }

    /// Numbered as a new decision where it is one.
    pub(super) fn numbered(&self, next: Assignment) -> Assignment {
        let next = Assignment {
            needs: self.needs(&next),
            ..next
        };
        let Some(old) = self.old else {
            return Assignment {
                number: 1,
                ledger: self.world.ledger.to_owned(),
                epoch: self.world.epoch,
                ..next
            };
        };
        if same_work(&next, old) {
            return Assignment {
                checked: next.checked,
                needs: next.needs,
                rollouts: next.rollouts,
                home: next.home,
                active: next.active,
                failover: next.failover,
                ..old.clone()
            };
        }
        let number = old.number.saturating_add(1);
        Assignment {
            number,
            ledger: self.world.ledger.to_owned(),
            epoch: self.world.epoch,
            ..next
        }
    }

    /// What each centre's part needs; as before while a template with pods is unseen, because nobody knows what that needs.
    fn needs(&self, next: &Assignment) -> BTreeMap<String, Amounts> {
        let unseen = |o: &PlacedObject| pod_of(&o.kind).is_some() && !self.templates.contains_key(o);
        if let Some(old) = self.old.filter(|_| next.objects.iter().any(unseen)) {
            return old.needs.clone();
        }
        let held = holds(self.world, self.placement, next, self.templates);
        let needs = held.into_iter().map(|(centre, mut needs)| {
            needs.storage = self.storage_of(next, &centre);
            (centre, needs.to_amounts())
        });
        needs.collect()
    }

    /// A decision of an older leadership that a centre has not carried out would be refused there: it is confirmed.
    pub(super) fn confirmed(&self, assignment: Option<Assignment>) -> Option<Assignment> {
        let mut assignment = assignment?;
        let done = |centre: &CentreAssignment| {
            self.rows
                .iter()
                .any(|r| r.name == centre.name && r.number == assignment.number)
        };
        let older = assignment.ledger != self.world.ledger || assignment.epoch < self.world.epoch;
        if older && !assignment.centres.iter().all(done) {
            self.world.ledger.clone_into(&mut assignment.ledger);
            assignment.epoch = self.world.epoch;
        }
        Some(assignment)
    }
}
