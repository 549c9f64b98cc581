//! Before anything is done: whether the move makes sense, whose word it needs, and whose turn it is.

use crds::{
    ApprovalCount, FailoverMode, FailoverPhase, FailoverStep, FailoverType, PlacementMode, failover_reason as reason,
};

use super::Step;
use crate::failover::active::active;
use crate::failover::facts::{Arbiter, key};
use crate::failover::guard::automatic;

impl Step<'_> {
    /// Looks whether it can begin, and begins it or asks for approvals.
    pub(super) fn pending(&mut self) {
        if self.ends_before_it_began() || self.is_invalid() {
            return;
        }
        self.sees_the_loss();
        if self.waits_for_others() {
            return;
        }
        let needed = self.needed();
        if needed > 0 {
            self.next.status.phase = FailoverPhase::AwaitingApproval;
            self.next.status.approvals = Some(ApprovalCount { needed, given: 0 });
            return;
        }
        self.begin();
    }

    /// Waits for people.
    pub(super) fn awaits(&mut self) {
        if self.ends_before_it_began() {
            return;
        }
        self.sees_the_loss();
        if let Some((who, comment)) = &self.seen.words.rejected {
            let message = format!("{who} said no: {comment} | {who} 不同意：{comment}");
            self.give_up(reason::REJECTED, message);
            return;
        }
        let given = i32::try_from(self.seen.words.agreed.len()).unwrap_or(i32::MAX);
        let needed = self.next.status.approvals.as_ref().map_or(1, |a| a.needed);
        self.next.status.approvals = Some(ApprovalCount {
            needed,
            given: given.min(needed),
        });
        if given >= needed {
            self.now(FailoverStep::Approved);
            if !self.waits_for_others() {
                self.begin();
            }
            return;
        }
        let counts = format!("{given} of {needed} approvals were given");
        if let Some(guarded) = self.seen.guarded.filter(|_| self.unplanned()) {
            let message = format!("{counts}; {guarded}");
            self.wait(reason::FLAP_GUARD, message);
        } else {
            let message = format!(
                "{counts}; write a FailoverApproval with word Approve | 已批准 {given}/{needed}，请创建 FailoverApproval（Approve）"
            );
            self.wait(reason::AWAITING_APPROVAL, message);
        }
    }

    /// Begins to move.
    fn begin(&mut self) {
        self.now(FailoverStep::Fault);
        self.now(FailoverStep::Detected);
        self.now(FailoverStep::Decided);
        self.next.status.phase = match (self.mode(), self.unplanned()) {
            (Some(PlacementMode::Exclusive), true) => FailoverPhase::Fencing,
            (Some(PlacementMode::Exclusive), false) => FailoverPhase::Draining,
            (Some(PlacementMode::ActiveActive | PlacementMode::ActiveStandby) | None, _) => {
                self.data_is_ready();
                FailoverPhase::Promoting
            }
        };
    }

    /// When the old side was last seen, and when it was given up.
    fn sees_the_loss(&mut self) {
        if !self.unplanned() || !self.still_lost() {
            return;
        }
        let Some(witness) = self.seen.known.witness(self.from()) else {
            return;
        };
        let seen = witness.last_seen.clone().unwrap_or_else(|| witness.since.clone());
        let since = witness.since.clone();
        self.reach(FailoverStep::Fault, seen);
        self.reach(FailoverStep::Detected, since);
    }

    /// Whether it is over before anything was done.
    fn ends_before_it_began(&mut self) -> bool {
        if self.placement_is_gone() {
            self.misses_placement();
            return true;
        }
        if let Some(why) = self.abort() {
            let message = format!("given up: {why}; nothing was moved | 已中止：{why}，未作切换");
            self.give_up(reason::ABORTED, message);
            return true;
        }
        let from = self.from();
        if self.seen.known.arbiter == Arbiter::Silent {
            // What is not read is not concluded from.
            return false;
        }
        if self.unplanned() && !self.still_lost() {
            let message = format!("{from} came back before anything was moved | {from} 已恢复，未作切换");
            self.give_up(reason::ABORTED, message);
            return true;
        }
        if !self.unplanned() && self.is_lost(from) {
            let message = format!(
                "{from} was lost before anything was moved; a move because of that follows | {from} 在切换前失联，将另行切换"
            );
            self.give_up(reason::ABORTED, message);
            return true;
        }
        false
    }

    /// Whether it names a centre that cannot be the one it means.
    fn is_invalid(&mut self) -> bool {
        let (Some(placement), from, to) = (self.seen.placement, self.from(), self.to()) else {
            return false;
        };
        let names = |centre: &str| placement.spec.centres.iter().any(|c| c.name == centre);
        let runs = active(placement, self.seen.known).centre;
        let message = if !names(to) {
            format!("{to} is no centre of the placement; name one of spec.centres | {to} 不在部署的中心之列")
        } else if placement.spec.mode == PlacementMode::ActiveActive && !self.unplanned() {
            "it runs in every centre already; change weights instead | 双活部署无需切换，请调整权重".to_owned()
        } else if placement.spec.mode != PlacementMode::ActiveActive && runs.as_deref() != Some(from) {
            let runs = runs.unwrap_or_default();
            format!("it does not run in {from} but in {runs}; name that one as from | 当前运行于 {runs} 而非 {from}")
        } else {
            return false;
        };
        self.give_up(reason::INVALID, message);
        true
    }

    /// Whether something else comes first, or is missing now.
    fn waits_for_others(&mut self) -> bool {
        let (from, to, known) = (self.from(), self.to(), self.seen.known);
        let exclusive = self.mode() == Some(PlacementMode::Exclusive);
        let first = self.seen.placement.and_then(|p| known.moving(key(p)));
        let ahead = first.filter(|f| f.metadata.uid != self.failover.metadata.uid);
        if let Some(ahead) = ahead {
            let name = ahead.metadata.name.clone().unwrap_or_default();
            self.wait(
                reason::QUEUED,
                format!("fo/{name} of the same placement comes first | 同一部署的 fo/{name} 在前"),
            );
        } else if !matches!(known.arbiter, Arbiter::Seen(_)) && (exclusive || self.unplanned()) {
            self.wait(reason::ARBITER_SILENT, SILENT);
        } else if exclusive && self.right().is_none() {
            self.wait(
                reason::ARBITER_SILENT,
                "the arbiter has no record of it yet; it follows by itself | 仲裁中尚无该部署的记录，将自动建立",
            );
        } else if self.unplanned() && known.lost_alone() != Some(from) {
            let lost = known.lost().len();
            self.wait(
                reason::MASS_GUARD,
                format!(
                    "{lost} centres are lost at once, nothing moves by itself; look at the links between them | 同时失联 {lost} 个中心，不自动切换，请检查中心间链路"
                ),
            );
        } else if self.is_lost(to) || !known.centres.get(to).is_some_and(|c| c.reports) {
            self.wait(
                reason::TARGET_LOST,
                format!("{to} is not there; it goes on when {to} reports | {to} 不可用，待其恢复上报后继续"),
            );
        } else if let Some(message) = self.finds_no_room() {
            self.wait(reason::NO_CAPACITY, message);
        } else if !self.seen.slot && self.mode() != Some(PlacementMode::ActiveActive) {
            self.wait(
                reason::QUEUED,
                "as many moves as run at once are under way; it follows by criticality | 并行切换已达上限，按关键程度依次进行",
            );
        } else {
            return false;
        }
        true
    }

    /// What the target lacks; a loss may use what the grants keep there for one.
    fn finds_no_room(&self) -> Option<String> {
        let placement = self.seen.placement?;
        let short = placement.status.as_ref()?.short.iter();
        let mut short = short.filter(|s| s.name == self.to() && (s.alone || !self.unplanned()));
        let one_sided = placement.spec.mode != PlacementMode::ActiveActive;
        short.next().filter(|_| one_sided).map(|s| s.message.clone())
    }

    /// People who must agree first.
    fn needed(&self) -> i32 {
        let Some(placement) = self.seen.placement else { return 1 };
        let policy = placement.spec.failover.clone().unwrap_or_default();
        match self.failover.spec.type_ {
            // What only grows takes nothing from anybody.
            FailoverType::Unplanned if placement.spec.mode == PlacementMode::ActiveActive => 0,
            FailoverType::Unplanned => {
                let one = policy.mode == FailoverMode::Manual || self.seen.guarded.is_some();
                policy.approvals.max(i32::from(one))
            }
            // Its policy said once and for all that it comes back by itself.
            FailoverType::Failback if automatic(self.failover) => 0,
            FailoverType::Planned | FailoverType::Failback => policy.approvals,
        }
    }
}

/// Nothing is decided by what is not read.
pub(super) const SILENT: &str =
    "the arbiter cannot be read, so nothing is decided; look at its endpoints | 无法读取仲裁，不作决策，请检查其地址";
