//! The rounds: look at the table, write tickets, ask, decide, write permits.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::{Duration, MissedTickBehavior, interval};

use crate::answer::{Answer, Asking};
use crate::ask::{Ask, Unanswered};
use crate::bounds::{Bounds, WRITE_MS};
use crate::clock::{BootTime, boot_time};
use crate::fail_point::{FailPoints, Step};
use crate::held::{Held, HeldFile};
use crate::listing::Standing;
use crate::metrics::{Metrics, Outcome};
use crate::nft::{Failed, Nft};
use crate::plan::{Known, Opening, Pass, Refusal, Refused, plan};
use crate::ranges::Ranges;
use crate::ready::{Fault, Status};
use crate::ruleset::boot;
use crate::transaction::{Round, openings, tickets};

/// What a gate needs.
pub struct Setup<A> {
    /// Writes the table.
    pub nft: Nft,
    /// What is governed.
    pub ranges: Ranges,
    /// How often, how long.
    pub bounds: Bounds,
    /// What was ever permitted.
    pub held_file: HeldFile,
    /// What nftables.service loads at boot; compared with the ruleset if it is named.
    pub boot_file: Option<PathBuf>,
    /// Whom to ask.
    pub agents: A,
    /// Where the outcome of checks is told.
    pub status: Arc<Status>,
    /// What is counted.
    pub metrics: Metrics,
    /// Where a drill stops it.
    pub fail_points: FailPoints,
}

/// A gate between two rounds. Whatever it forgets when it dies makes it slower, never more open.
pub struct Gate<A> {
    setup: Setup<A>,
    /// `None` while the file cannot be read.
    held: Option<Held>,
    /// Addresses that the last answer had time for.
    wanted: BTreeSet<IpAddr>,
    /// What was logged already.
    shown: Shown,
}

#[derive(Default)]
struct Shown {
    refused: BTreeSet<Refused>,
    permits: BTreeSet<IpAddr>,
    silent: bool,
    fault: Option<Fault>,
}

impl<A: Ask> Gate<A> {
    /// A gate that has done nothing yet.
    pub fn new(setup: Setup<A>) -> Self {
        Self {
            setup,
            held: None,
            wanted: BTreeSet::new(),
            shown: Shown::default(),
        }
    }

    /// Rounds without end.
    ///
    /// # Errors
    /// The kernel has no boot clock.
    pub async fn run(mut self) -> nix::Result<()> {
        let mut ticks = interval(Duration::from_millis(self.setup.bounds.cycle_ms()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // An address that was not known before the question has its ticket in the round right after.
            if self.round().await? {
                self.round().await?;
            }
        }
    }

    /// One round. True if the next one should follow at once.
    ///
    /// # Errors
    /// The kernel has no boot clock.
    pub async fn round(&mut self) -> nix::Result<bool> {
        let began = boot_time()?;
        let standing = self.stand().await;
        self.recall();
        let mut again = false;
        let mut outside = false;
        let outcome = match (&standing, self.held.take()) {
            (Some(standing), Some(held)) => {
                let (outcome, pass) = self.extend(standing, &held).await?;
                let why = |refusal| pass.refused.iter().any(|refused| refused.why == refusal);
                (again, outside) = (why(Refusal::NoTicket), why(Refusal::OutsideRange));
                self.held = Some(pass.held);
                outcome
            }
            (_, held) => {
                self.held = held;
                Outcome::Shut
            }
        };
        self.setup.metrics.round(outcome);
        let fault = match standing {
            None => Some(Fault::TableDiffers),
            Some(_) if self.held.is_none() => Some(Fault::HeldUnknown),
            Some(_) if !self.boot_file_agrees() => Some(Fault::BootFileDiffers),
            Some(_) if self.flows_pass_by().await => Some(Fault::FlowOffload),
            Some(_) => outside.then_some(Fault::OutsideRange),
        };
        self.tell(began, fault);
        Ok(again)
    }

    /// What stands in the table; one that is not ours is restored closed first.
    async fn stand(&mut self) -> Option<Standing> {
        let Setup {
            nft, ranges, metrics, ..
        } = &self.setup;
        let difference = match nft.standing(ranges).await {
            Ok(standing) => {
                metrics
                    .permits
                    .set(i64::try_from(standing.permits.len()).unwrap_or(i64::MAX));
                for address in self.shown.permits.difference(&standing.permits) {
                    tracing::info!(%address, "shut");
                }
                self.shown.permits.retain(|address| standing.permits.contains(address));
                return Some(standing);
            }
            Err(difference) => difference,
        };
        metrics.permits.set(0);
        if let Err(error) = nft.close(ranges).await {
            tracing::error!(%difference, %error, "the table is not ours and cannot be restored");
            return None;
        }
        metrics.restored.inc();
        self.shown.permits.clear();
        match nft.standing(ranges).await {
            Ok(standing) => {
                tracing::warn!(%difference, "the table was not ours: restored closed");
                Some(standing)
            }
            Err(still) => {
                tracing::error!(%difference, %still, "the table is not ours, also after it was restored");
                None
            }
        }
    }

    /// Reads what was held, until it can be read.
    fn recall(&mut self) {
        if self.held.is_some() {
            return;
        }
        match self.setup.held_file.read() {
            Ok(held) => self.held = Some(held),
            Err(error) if self.shown.fault == Some(Fault::HeldUnknown) => tracing::debug!(%error, "still unknown"),
            Err(error) => tracing::error!(%error, "nothing is permitted: it is not known what was held"),
        }
    }

    /// Tickets, question, decision, permits. Without an answer nothing is extended.
    async fn extend(&mut self, standing: &Standing, held: &Held) -> nix::Result<(Outcome, Pass)> {
        let nothing = || Pass {
            held: held.clone(),
            ..Pass::default()
        };
        let round = Round(uuid::Uuid::new_v4().as_fields().0);
        let mut ticketed: BTreeSet<IpAddr> = self.wanted.union(&standing.permits).copied().collect();
        if let Some(text) = tickets(&ticketed, round)
            && let Err(error) = self.setup.nft.write(&text).await
        {
            tracing::error!(%error, "no tickets");
            ticketed.clear();
        }
        self.setup.fail_points.reached(Step::Ticketed);
        let asked = boot_time()?;
        let Some(answer) = self.ask(asked, held.record()).await? else {
            return Ok((Outcome::Unanswered, nothing()));
        };
        self.setup.fail_points.reached(Step::Answered);
        let known = Known {
            held,
            tickets: &ticketed,
            permits: &standing.permits,
            ranges: &self.setup.ranges,
            asked,
            now: boot_time()?.plus(WRITE_MS),
        };
        let mut pass = plan(&answer, known);
        self.wanted.clone_from(&pass.wanted);
        self.tell_refusals(&pass.refused);
        self.hold(&mut pass, held);
        self.setup.fail_points.reached(Step::BeforeWrite);
        let written = self.open(&pass.openings, round).await?;
        let all = written.len() == pass.openings.len();
        for opening in pass
            .openings
            .iter()
            .filter(|opening| written.contains(&opening.address))
        {
            let Opening {
                address, scope, epoch, ..
            } = opening;
            if self.shown.permits.insert(*address) {
                tracing::info!(%address, scope, %epoch, "open");
            }
        }
        let outcome = if all { Outcome::Answered } else { Outcome::Unwritten };
        Ok((outcome, pass))
    }

    /// Asks, and says whether the fence stood at the last look.
    async fn ask(&mut self, asked: BootTime, record: u64) -> nix::Result<Option<Answer>> {
        let asking = Asking {
            record: Some(record),
            ready: self.setup.status.report(asked).ready,
        };
        let answer = self.setup.agents.ask(asking).await;
        let took = Duration::from_millis(boot_time()?.since(asked));
        match answer {
            Ok(answer) => {
                self.setup.metrics.answer_seconds.observe(took.as_secs_f64());
                if std::mem::take(&mut self.shown.silent) {
                    tracing::info!("an agent answers again");
                }
                Ok(Some(answer))
            }
            Err(error) => {
                self.tell_silence(&error);
                Ok(None)
            }
        }
    }

    /// Brings what is held to disk before a permit of a new epoch is written; without that there is none.
    fn hold(&self, pass: &mut Pass, held: &Held) {
        if pass.held == *held {
            return;
        }
        if let Err(error) = self.setup.held_file.write(&pass.held) {
            tracing::error!(%error, "no permit of a new epoch: what is held cannot be written");
            pass.openings
                .retain(|opening| held.of(&opening.scope) == Some(opening.epoch));
            pass.held = held.clone();
        }
    }

    /// Writes permits: all in one transaction, and if that fails each in one of its own, so that one that ran out does not
    /// stand in the way of the others. The addresses that were written.
    async fn open(&self, all: &[Opening], round: Round) -> nix::Result<BTreeSet<IpAddr>> {
        if let Ok(written) = self.open_at_once(all, round).await? {
            return Ok(written);
        }
        let mut written = BTreeSet::new();
        for opening in all {
            let mut outcome = self.open_at_once(std::slice::from_ref(opening), round).await?;
            if outcome.is_err() && opening.extends {
                // The permit before it ran out; the ticket alone still proves that nobody slept.
                let anew = Opening {
                    extends: false,
                    ..opening.clone()
                };
                outcome = self.open_at_once(&[anew], round).await?;
            }
            match outcome {
                Ok(one) => written.extend(one),
                Err(error) => tracing::warn!(address = %opening.address, %error, "not written"),
            }
        }
        Ok(written)
    }

    /// One transaction for those that have time left when it is written.
    async fn open_at_once(&self, all: &[Opening], round: Round) -> nix::Result<Result<BTreeSet<IpAddr>, Failed>> {
        let now = boot_time()?.plus(WRITE_MS);
        let written = all.iter().filter(|opening| opening.timeout_ms(now).is_some());
        let written = written.map(|opening| opening.address).collect();
        match openings(all, round, now) {
            Some(text) => Ok(self.setup.nft.write(&text).await.map(|()| written)),
            None => Ok(Ok(written)),
        }
    }

    fn boot_file_agrees(&self) -> bool {
        let Some(file) = &self.setup.boot_file else { return true };
        std::fs::read_to_string(file).is_ok_and(|text| text == boot(&self.setup.ranges))
    }

    async fn flows_pass_by(&self) -> bool {
        // What cannot be listed cannot be excluded.
        self.setup.nft.flows_offloaded().await.unwrap_or(true)
    }

    fn tell(&mut self, at: BootTime, fault: Option<Fault>) {
        self.setup.metrics.ready(fault);
        self.setup.status.checked(at, fault);
        if self.shown.fault != fault {
            if let Some(fault) = fault {
                tracing::error!(reason = fault.word(), "the fence cannot be counted on");
            } else {
                tracing::info!("the fence stands");
            }
        }
        self.shown.fault = fault;
    }

    fn tell_silence(&mut self, error: &Unanswered) {
        if !std::mem::replace(&mut self.shown.silent, true) {
            tracing::warn!(%error, "no agent answers: permits run out");
        }
    }

    fn tell_refusals(&mut self, refused: &[Refused]) {
        let told: BTreeSet<Refused> = refused.iter().filter(|r| r.why != Refusal::NoTicket).cloned().collect();
        for refused in &told {
            self.setup.metrics.refused(refused.why.word());
        }
        for Refused { address, scope, why } in told.difference(&self.shown.refused) {
            tracing::warn!(%address, scope, "{why}");
        }
        self.shown.refused = told;
    }
}
