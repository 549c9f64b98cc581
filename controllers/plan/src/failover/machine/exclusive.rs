//! The part of a move in which an exclusive placement runs nowhere: stopped by its own agent, or fenced and proven silent.

use crds::{FailoverPhase, ProofKind, failover_reason as reason};

use super::{Order, Step, begins::SILENT};
use crate::failover::approvals::WITNESSES;
use crate::failover::facts::{Proof, Right, Stage};

impl Step<'_> {
    /// The old side stops by itself and says so.
    pub(super) fn draining(&mut self) {
        if self.placement_is_gone() {
            return self.misses_placement();
        }
        let Some(right) = self.right() else {
            return self.wait(reason::ARBITER_SILENT, SILENT);
        };
        let (from, to) = (self.from(), self.to());
        let back = self.abort().is_some() || self.is_lost(to);
        match (right.stage, right.holder.as_deref()) {
            (_, Some(holder)) if holder == to => self.is_released(right),
            (_, Some(holder)) if holder != from => self.is_elsewhere(holder),
            (Stage::Fencing, _) => self.next.status.phase = FailoverPhase::Fencing,
            (Stage::Held | Stage::Draining, _) if self.is_lost(from) => {
                self.next.status.phase = FailoverPhase::Fencing;
            }
            (Stage::Released, _) if back => {
                self.next.orders.push(Order::HandOver(from.to_owned()));
                let message = format!("given up; {from} starts it again | 已中止，{from} 正在恢复");
                self.wait(reason::DRAINING, message);
            }
            (Stage::Released, _) => self.is_released(right),
            (Stage::Held | Stage::Pinned | Stage::Unpinning, _) if back => {
                let why = self.abort().unwrap_or("the target is lost | 目标中心失联");
                let message = format!("given up: {why}; it runs in {from} | 已中止：{why}，仍在 {from} 运行");
                self.give_up(reason::ABORTED, message);
            }
            (Stage::Held, _) => {
                self.next.orders.push(Order::Drain);
                self.wait(reason::DRAINING, asked(from));
            }
            (Stage::Pinned | Stage::Unpinning, _) => self.is_pinned(),
            (Stage::Draining, _) => self.wait(reason::DRAINING, asked(from)),
            (Stage::Regrant, _) => self.wait(reason::ARBITER_SILENT, REGRANT),
        }
    }

    /// The old side may run nothing any more; that it is silent is to be proven.
    pub(super) fn fencing(&mut self) {
        if self.placement_is_gone() {
            return self.misses_placement();
        }
        let Some(right) = self.right() else {
            return self.wait(reason::ARBITER_SILENT, SILENT);
        };
        let (from, to) = (self.from(), self.to());
        match (right.stage, right.holder.as_deref()) {
            (_, Some(holder)) if holder == to => self.is_proven(right),
            (_, Some(holder)) if holder != from => self.is_elsewhere(holder),
            (Stage::Held | Stage::Draining, _) => self.takes(from),
            (Stage::Pinned | Stage::Unpinning, _) if self.abort().is_some() => self.takes(from),
            (Stage::Pinned | Stage::Unpinning, _) => self.is_pinned(),
            (Stage::Released, _) => self.is_released(right),
            (Stage::Fencing, _) => self.is_fenced(right),
            (Stage::Regrant, _) => self.wait(reason::ARBITER_SILENT, REGRANT),
        }
    }

    /// Takes the right from a centre that is still silent.
    fn takes(&mut self, from: &str) {
        if self.next.status.proof.is_some() {
            // It was given back to where it came from.
            let message = format!("given up; it runs in {from} again | 已中止，恢复在 {from} 运行");
            return self.give_up(reason::ABORTED, message);
        }
        if let Some(why) = self.abort() {
            let message = format!("given up: {why}; {from} keeps its right | 已中止：{why}，{from} 保留独占权");
            return self.give_up(reason::ABORTED, message);
        }
        if !self.is_lost(from) {
            let message = format!(
                "{from} came back before its right was taken; it runs there | {from} 在独占权收回前恢复，仍在该中心运行"
            );
            return self.give_up(reason::ABORTED, message);
        }
        self.next.orders.push(Order::Takeover);
        self.wait(
            reason::FENCING_UNCONFIRMED,
            format!("the right is being taken from {from} | 正在收回 {from} 的独占权"),
        );
    }

    /// Nobody may run it: it goes on with a proof alone.
    fn is_fenced(&mut self, right: &Right) {
        self.next.status.epoch = Some(right.epoch);
        let (from, to) = (self.from(), self.to());
        if right.proof.is_some() {
            let back = self.abort().is_some() && !self.is_lost(from);
            self.is_proven(right);
            if back {
                self.next.status.phase = FailoverPhase::Fencing;
                self.next.orders.push(Order::Promote(from.to_owned()));
                let message = format!("given up; {from} starts it again | 已中止，{from} 正在恢复");
                self.wait(reason::STARTING, message);
            }
            return;
        }
        if let Some(proof) = self.proof() {
            self.next.orders.push(Order::Prove(proof));
        }
        let (gates, saw) = (self.gates(), self.seen.words.saw.len());
        let late = if self.abort().is_some() {
            "; it cannot be given up while nothing proves where it ran | 尚无证明，无法中止"
        } else {
            ""
        };
        self.wait(
            reason::FENCING_UNCONFIRMED,
            format!(
                "nothing proves yet that {from} is silent, so {to} does not start it: {gates}, {saw} of {WITNESSES} people confirmed it; write a FailoverApproval with word ConfirmFence{late} | 尚无法证明 {from} 已停止，{to} 不启动：{saw}/{WITNESSES} 人已确认，请创建 FailoverApproval（ConfirmFence）"
            ),
        );
    }

    /// What can be shown now.
    fn proof(&self) -> Option<Proof> {
        let row = self.seen.placement.and_then(|p| p.row(self.from()));
        let fence = row.and_then(|r| r.fence);
        if fence.is_some_and(|f| f.nodes > 0 && f.ready >= f.nodes) {
            let persons = Vec::new();
            return Some(Proof {
                kind: ProofKind::PermitExpired,
                persons,
            });
        }
        let persons = self.seen.words.saw.clone();
        (persons.len() >= WITNESSES).then_some(Proof {
            kind: ProofKind::TwoPersons,
            persons,
        })
    }

    /// How many of the old side's nodes had a gate when it was last heard.
    fn gates(&self) -> String {
        let row = self.seen.placement.and_then(|p| p.row(self.from()));
        match row.and_then(|r| r.fence) {
            Some(fence) => format!("{} of {} nodes there had a gate", fence.ready, fence.nodes),
            None => "no node there was said to have a gate".to_owned(),
        }
    }

    /// With the arbiter's proof recorded it goes on.
    fn is_proven(&mut self, right: &Right) {
        self.next.status.epoch = Some(right.epoch);
        if let Some(proof) = &right.proof {
            self.proven(proof);
        }
        self.next.status.phase = FailoverPhase::Promoting;
    }

    /// The old side's agent saw everything terminated.
    fn is_released(&mut self, right: &Right) {
        self.next.status.epoch = Some(right.epoch);
        self.proven(&Proof {
            kind: ProofKind::Acked,
            persons: Vec::new(),
        });
        self.next.status.phase = FailoverPhase::Promoting;
    }

    /// Somebody else moved it.
    pub(super) fn is_elsewhere(&mut self, holder: &str) {
        let message = format!("it runs in {holder}, where another move brought it | 已由其他切换迁至 {holder}");
        self.give_up(reason::ABORTED, message);
    }

    fn is_pinned(&mut self) {
        self.wait(
            reason::ARBITER_SILENT,
            "the witness is lost, so it stays where it is; bring the witness back | 见证中心失联，部署固定在原处，请先恢复见证中心",
        );
    }
}

fn asked(from: &str) -> String {
    format!("{from} was asked to stop it and has not said yet that it did | 已要求 {from} 停止，等待其确认")
}

/// The arbiter was restored.
pub(super) const REGRANT: &str = "the arbiter was restored and asks who ran it last | 仲裁已恢复，正在确认原持有者";
