//! What comes next of a move. Everything is in its status and in the arbiter: whoever goes on after a crash sees the same.

use std::collections::BTreeSet;

use crds::{
    DualActivePlacement, Failover, FailoverPhase, FailoverStamp, FailoverStatus, FailoverStep, FailoverType,
    FencingProof, PlacementMode, condition, failover_reason as reason, set_condition,
};
use jiff::{SignedDuration, Timestamp};

use super::approvals::Outcome;
use super::facts::{Known, Proof, Right, stamp};

mod begins;
mod exclusive;
#[cfg(test)]
mod property;
mod runs;
#[cfg(test)]
mod tests;

/// What is known when a move is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Its placement.
    pub placement: Option<&'a DualActivePlacement>,
    /// The arbiter, the centres and the other moves.
    pub known: &'a Known,
    /// What people said.
    pub words: &'a Outcome,
    /// Why the placement does not move by itself now.
    pub guarded: Option<&'a str>,
    /// Whether it may begin beside those that are under way.
    pub slot: bool,
    /// Now.
    pub now: Timestamp,
}

/// What is asked of the arbiter. Each order names what it expects to find; one that comes late changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The right is taken from the centre that is silent.
    Takeover,
    /// It is recorded why that one is certainly silent.
    Prove(Proof),
    /// This centre may run it, after a proof.
    Promote(String),
    /// The holder is asked to stop.
    Drain,
    /// This centre may run it, after the holder released it.
    HandOver(String),
}

/// What comes next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Next {
    /// The status, which is stored before anything is ordered.
    pub status: FailoverStatus,
    /// What the arbiter is asked then.
    pub orders: Vec<Order>,
    /// When it is to be looked at again, although nothing changed.
    pub again: Option<SignedDuration>,
}

/// Between the moment at which all is ready and the second look.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(1);

/// What comes next of a move.
pub fn next(failover: &Failover, seen: &Observed<'_>) -> Next {
    let mut step = Step {
        failover,
        seen,
        next: Next {
            status: failover.status.clone().unwrap_or_default(),
            ..Next::default()
        },
    };
    loop {
        let before = step.next.status.phase;
        step.next.orders.clear();
        match before {
            FailoverPhase::Pending => step.pending(),
            FailoverPhase::AwaitingApproval => step.awaits(),
            FailoverPhase::Draining => step.draining(),
            FailoverPhase::Fencing => step.fencing(),
            FailoverPhase::Promoting => step.promoting(),
            FailoverPhase::Verifying => step.verifying(),
            FailoverPhase::Succeeded | FailoverPhase::Aborted => {}
        }
        if step.next.status.phase == before {
            return step.next;
        }
    }
}

/// One look at one move.
struct Step<'a> {
    failover: &'a Failover,
    seen: &'a Observed<'a>,
    next: Next,
}

impl<'a> Step<'a> {
    fn from(&self) -> &'a str {
        &self.failover.spec.from
    }

    fn to(&self) -> &'a str {
        &self.failover.spec.to
    }

    fn unplanned(&self) -> bool {
        self.failover.spec.type_ == FailoverType::Unplanned
    }

    fn mode(&self) -> Option<PlacementMode> {
        self.seen.placement.map(|p| p.spec.mode)
    }

    fn right(&self) -> Option<&'a Right> {
        let namespace = self.failover.metadata.namespace.as_deref().unwrap_or_default();
        self.seen
            .known
            .right((namespace, &self.failover.spec.placement_ref.name))
    }

    fn is_lost(&self, centre: &str) -> bool {
        self.seen.known.is_lost(centre)
    }

    /// Whether the centre is lost by the cause of this move, and by no later one.
    fn still_lost(&self) -> bool {
        let witness = self.seen.known.witness(self.from());
        self.is_lost(self.from()) && witness.is_some_and(|w| w.incident == self.failover.spec.incident)
    }

    /// Why it is to be given up, as somebody wrote it.
    fn abort(&self) -> Option<&'a str> {
        let annotations = self.failover.metadata.annotations.as_ref()?;
        annotations.get(crds::label::ABORT).map(String::as_str)
    }

    /// The moment at which a step was reached; never another one.
    fn reach(&mut self, step: FailoverStep, at: String) {
        let timeline = &mut self.next.status.timeline;
        if timeline.iter().all(|s| s.step != step) {
            timeline.push(FailoverStamp { step, at });
        }
    }

    fn reached(&self, step: FailoverStep) -> Option<Timestamp> {
        let mut all = self.next.status.timeline.iter();
        all.find(|s| s.step == step)?.at.parse().ok()
    }

    fn now(&mut self, step: FailoverStep) {
        let at = stamp(self.seen.now);
        self.reach(step, at);
    }

    fn say(&mut self, is: bool, why: &str, message: String) {
        let generation = self.failover.metadata.generation;
        set_condition(
            &mut self.next.status.conditions,
            condition::COMPLETE,
            Some(is),
            why,
            message,
            generation,
            self.seen.now,
        );
    }

    /// It stays where it is, and says why.
    fn wait(&mut self, why: &str, message: impl Into<String>) {
        let mut message = message.into();
        if self.next.status.phase >= FailoverPhase::Promoting
            && let Some(reason) = self.abort()
        {
            message = format!(
                "{message}; it cannot be given up ({reason}) once {0} was promoted: the way back is a Failback | {0} 已启用，无法中止（{reason}），请以 Failback 回切",
                self.to()
            );
        }
        self.say(false, why, message);
    }

    /// It is over, and what ran before runs.
    fn give_up(&mut self, why: &str, message: impl Into<String>) {
        self.next.status.phase = FailoverPhase::Aborted;
        self.say(false, why, message.into());
    }

    /// The old side is proven silent.
    fn proven(&mut self, proof: &Proof) {
        let at = stamp(self.seen.now);
        let slot = &mut self.next.status.proof;
        slot.get_or_insert_with(|| FencingProof {
            kind: proof.kind,
            persons: proof.persons.clone(),
            at,
        });
        self.now(FailoverStep::Fenced);
        self.data_is_ready();
    }

    /// There is no kind yet that says how far a replication is: data is taken to be where the templates are, at the moment
    /// from which the new side may write.
    fn data_is_ready(&mut self) {
        self.now(FailoverStep::DataReady);
    }

    /// Centres other than the one that it leaves, and that are there.
    fn others(&self) -> BTreeSet<&'a str> {
        let assignment = self.seen.placement.and_then(|p| p.assignment());
        let centres = assignment.into_iter().flat_map(|a| &a.centres);
        let names = centres.map(|c| c.name.as_str());
        names
            .filter(|name| *name != self.from() && !self.is_lost(name))
            .collect()
    }

    fn placement_is_gone(&self) -> bool {
        let gone = |p: &DualActivePlacement| p.metadata.deletion_timestamp.is_some();
        self.seen.placement.is_none_or(gone)
    }

    fn misses_placement(&mut self) {
        let name = &self.failover.spec.placement_ref.name;
        let message = format!(
            "dap/{name} is not there, or is being deleted; nothing was moved | dap/{name} 不存在或正在删除，未作切换"
        );
        self.give_up(reason::PLACEMENT_MISSING, message);
    }
}
