//! The new side starts it, serves, and is looked at once more.

use crds::{
    Assignment, DualActivePlacement, FailoverPhase, FailoverStep, PlacedObject, PlacementMode, PlacementRow,
    WorkloadCopies, condition, failover_reason as reason, find_condition, placement_reason,
};

use super::{Order, SECOND_LOOK, Step, begins::SILENT};
use crate::failover::facts::Stage;

/// Whether it runs where it should.
enum Runs {
    /// As many copies are ready as should be.
    Ready,
    /// Not yet: reason and message.
    NotYet(&'static str, String),
    /// It never will: somebody decided otherwise.
    Elsewhere(String),
}

/// Reasons for which a placement is not decided as it should be.
const NO_ROOM: [&str; 3] = [
    placement_reason::GRANT_TOO_SMALL,
    placement_reason::LEND_EXCEEDED,
    placement_reason::BOUNDS_CONFLICT,
];

impl Step<'_> {
    /// Until as many copies are ready as should be.
    pub(super) fn promoting(&mut self) {
        if self.ends_after_it_began() || self.is_not_held() {
            return;
        }
        match self.runs() {
            Runs::Ready => {
                self.now(FailoverStep::AppReady);
                // Weights are published from the same facts: ready copies in a centre that is not lost.
                self.now(FailoverStep::Traffic);
                self.next.status.phase = FailoverPhase::Verifying;
            }
            Runs::NotYet(why, message) => self.wait(why, message),
            Runs::Elsewhere(centre) => self.is_elsewhere(&centre),
        }
    }

    /// Whether it still holds a moment later.
    pub(super) fn verifying(&mut self) {
        if self.ends_after_it_began() || self.is_not_held() {
            return;
        }
        match self.runs() {
            Runs::Ready => {}
            Runs::NotYet(why, message) => return self.wait(why, message),
            Runs::Elsewhere(centre) => return self.is_elsewhere(&centre),
        }
        let now = self.seen.now;
        let ready = self.reached(FailoverStep::AppReady).unwrap_or(now);
        let left = SECOND_LOOK - now.duration_since(ready);
        if left.is_positive() {
            self.next.again = Some(left);
            let to = self.to();
            let message = format!("ready in {to}; it is looked at once more | {to} 已就绪，复核中");
            return self.wait(reason::STARTING, message);
        }
        self.now(FailoverStep::Verified);
        self.succeeds();
    }

    fn succeeds(&mut self) {
        let (begin, end) = (self.reached(FailoverStep::Fault), self.reached(FailoverStep::Verified));
        let took = begin.zip(end).map(|(begin, end)| end.duration_since(begin).as_millis());
        let seconds = took.map(|ms| {
            let ms = ms.max(0);
            format!("{}.{:03}", ms / 1000, ms % 1000)
        });
        let to = self.to();
        let message = match &seconds {
            Some(seconds) => format!("{seconds} s; it runs in {to} | 用时 {seconds} 秒，已在 {to} 运行"),
            None => format!("it runs in {to} | 已在 {to} 运行"),
        };
        self.next.status.rto_seconds = seconds;
        self.next.status.phase = FailoverPhase::Succeeded;
        self.say(true, reason::VERIFIED, message);
    }

    /// Whether there is nothing left to do: the placement is gone, or another loss decides what comes next.
    fn ends_after_it_began(&mut self) -> bool {
        let (from, to) = (self.from(), self.to());
        if self.placement_is_gone() {
            self.misses_placement();
            return true;
        }
        let all_run = self.mode() == Some(PlacementMode::ActiveActive);
        if all_run && !self.is_lost(from) {
            let message = format!(
                "{from} came back before the others carried all of it; its copies were never taken away | {from} 已恢复，其副本未曾减少"
            );
            self.give_up(reason::ABORTED, message);
            return true;
        }
        if !self.is_lost(to) || (all_run && !self.others().is_empty()) {
            return false;
        }
        if self.is_lost(from) {
            let message = format!("{to} was lost as well; it goes on when {to} is back | {to} 也已失联，待其恢复");
            self.wait(reason::TARGET_LOST, message);
            return true;
        }
        let nobody = self.right().is_some_and(|r| r.holder.is_none());
        if self.mode() == Some(PlacementMode::Exclusive) && nobody {
            return false;
        }
        let message = format!("{to} was lost; a move because of that follows | {to} 失联，将另行切换");
        self.give_up(reason::TARGET_LOST, message);
        true
    }

    /// Whether an exclusive one still waits for its right.
    fn is_not_held(&mut self) -> bool {
        if self.mode() != Some(PlacementMode::Exclusive) {
            return false;
        }
        let Some(right) = self.right() else {
            self.wait(reason::ARBITER_SILENT, SILENT);
            return true;
        };
        let (from, to) = (self.from(), self.to());
        // Where the new side is lost meanwhile, the old one may have it back.
        let goes = if self.is_lost(to) && !self.is_lost(from) {
            from
        } else {
            to
        };
        let recorded = self.next.status.proof.is_some();
        match (right.stage, right.holder.as_deref()) {
            (_, Some(holder)) if holder == to => {
                self.next.status.epoch = Some(right.epoch);
                return false;
            }
            (_, Some(holder)) => {
                self.is_elsewhere(holder);
                return true;
            }
            (Stage::Fencing, None) if recorded && right.proof.is_some() => {
                self.next.orders.push(Order::Promote(goes.to_owned()));
            }
            (Stage::Released, None) if recorded => self.next.orders.push(Order::HandOver(goes.to_owned())),
            (
                Stage::Fencing
                | Stage::Released
                | Stage::Regrant
                | Stage::Held
                | Stage::Draining
                | Stage::Pinned
                | Stage::Unpinning,
                None,
            ) => {}
        }
        let message = format!("{goes} is being given the right | 正在授予 {goes} 独占权");
        self.wait(reason::STARTING, message);
        true
    }

    fn runs(&self) -> Runs {
        let to = self.to();
        let undecided = || {
            Runs::NotYet(
                reason::STARTING,
                "the decision that follows it is being made | 正在作出分派".to_owned(),
            )
        };
        let Some(placement) = self.seen.placement else {
            return undecided();
        };
        let Some(assignment) = placement.assignment() else {
            return undecided();
        };
        let follows = assignment.failover == self.failover.metadata.uid;
        let centres: Vec<&str> = match placement.spec.mode {
            PlacementMode::ActiveActive => self.others().into_iter().collect(),
            PlacementMode::ActiveStandby | PlacementMode::Exclusive => vec![to],
        };
        let there = assignment.active.as_deref() == Some(to);
        match placement.spec.mode {
            PlacementMode::ActiveStandby if follows && !there => {
                return Runs::Elsewhere(assignment.active.clone().unwrap_or_default());
            }
            PlacementMode::Exclusive if there => {}
            PlacementMode::ActiveActive | PlacementMode::ActiveStandby if follows => {}
            PlacementMode::ActiveActive | PlacementMode::ActiveStandby | PlacementMode::Exclusive => {
                return no_room(placement).unwrap_or_else(undecided);
            }
        }
        self.ready_in(placement, assignment, &centres)
    }

    /// Whether those centres carried the decision out and everything of it is ready.
    fn ready_in(&self, placement: &DualActivePlacement, assignment: &Assignment, centres: &[&str]) -> Runs {
        let exclusive = placement.spec.mode == PlacementMode::Exclusive;
        let (mut ready, mut wanted) = (0, 0);
        for centre in centres {
            let part = assignment.centre(centre).map_or(&[][..], |c| &c.copies);
            let copies: i64 = part.iter().map(|w| w.copies).sum();
            let reports = self.seen.known.centres.get(*centre).is_some_and(|c| c.reports);
            let done = |r: &&PlacementRow| reports && r.number == assignment.number;
            let Some(row) = placement.row(centre).filter(done) else {
                let message = format!(
                    "{centre} has not carried out decision {0} yet | {centre} 尚未落实第 {0} 号分派",
                    assignment.number
                );
                return Runs::NotYet(reason::STARTING, message);
            };
            // Without its right a centre holds the objects and runs no copy: that is not ready.
            let epoch = self.next.status.epoch;
            if exclusive && (row.right.is_none() || row.right != epoch) {
                let message = format!("{centre} has not taken its right up yet | {centre} 尚未取得独占权");
                return Runs::NotYet(reason::STARTING, message);
            }
            if let Some((object, copies)) = part.iter().find_map(|w| not_started(row, w)) {
                let message = format!(
                    "{object} asks for 0 of {copies} copies in {centre}; it is being started | {centre} 的 {object} 尚未启动，应有 {copies} 个副本"
                );
                return Runs::NotYet(reason::STARTING, message);
            }
            // What scales by itself in the centre may want less than was divided.
            wanted += copies.min(row.wanted);
            ready += row.ready;
        }
        if ready >= wanted {
            return Runs::Ready;
        }
        let names = centres.join(", ");
        Runs::NotYet(
            reason::STARTING,
            format!("{ready} of {wanted} copies are ready in {names} | {names} 已就绪 {ready}/{wanted} 个副本"),
        )
    }
}

/// A workload that is to run in a centre and asks for no copy there, and how many were decided. A row that does not name the
/// workload speaks of it by its sum.
fn not_started(row: &PlacementRow, decided: &WorkloadCopies) -> Option<(PlacedObject, i64)> {
    let object = PlacedObject {
        kind: decided.kind.clone(),
        name: decided.name.clone(),
    };
    let asks = row.workload(&object).map_or(row.wanted, |w| w.wanted);
    (decided.copies > 0 && asks == 0).then_some((object, decided.copies))
}

/// Why the placement cannot be decided like that.
fn no_room(placement: &DualActivePlacement) -> Option<Runs> {
    let conditions = &placement.status.as_ref()?.conditions;
    let said = find_condition(conditions, condition::READY).filter(|c| NO_ROOM.contains(&c.reason.as_str()))?;
    Some(Runs::NotYet(reason::NO_CAPACITY, said.message.clone()))
}
