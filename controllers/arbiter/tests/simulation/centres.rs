//! What happens in a centre: its agents, its API server, its node.

use std::time::Duration;

use arbiter::agent::{Barred, Right};
use arbiter::lease::{Decision, Observed};
use arbiter::record::Record;
use arbiter::row::{Phase, Row};
use arbiter::txn::{Outcome, Txn};

use crate::net::PLACES;
use crate::rules::Rule;
use crate::world::{About, Agency, Object, Pod, Role, SCOPE, Sent, What, World};

impl World {
    pub(crate) fn agency_of(&mut self, p: usize) -> &mut Agency {
        match &mut self.processes[p].role {
            Role::Agent(agency) => agency,
            _ => unreachable!("process {p} is an agent"),
        }
    }

    /// Kill -9 and a new process, which knows what is stored.
    pub(crate) fn restart(&mut self, p: usize) {
        let place = self.processes[p].place;
        self.processes[p].role = self.agency(place);
        self.processes[p].life += 1;
    }

    /// Until when the process leads in its centre; renews its lease.
    fn leads(&mut self, p: usize) -> Option<Duration> {
        let (place, now) = (self.processes[p].place, self.processes[p].clock(self.now));
        let lease = self.centres[place].lease.clone();
        let seen = lease.clone().unwrap_or_default();
        let agency = self.agency_of(p);
        let led = agency.candidate.leads_until().is_some_and(|until| until > now);
        let transitions = match agency.candidate.observe(lease, now) {
            Decision::Acquire { epoch } => epoch,
            Decision::Renew if led => seen.transitions,
            Decision::Renew => seen.transitions + 1,
            Decision::Wait => return None,
            Decision::Demote => {
                self.restart(p);
                return None;
            }
        };
        let identity = agency.candidate.identity().to_owned();
        let renewed = i64::try_from(now.as_micros()).unwrap();
        agency.candidate.wrote(now, renewed);
        let until = agency.candidate.leads_until();
        let version = (self.now * 16 + u64::try_from(p).unwrap()).to_string();
        self.centres[place].lease = Some(Observed {
            holder: Some(identity),
            version,
            transitions,
            renewed,
        });
        if !led {
            // A process that led before and slept begins anew, with what its centre has stored meanwhile.
            let candidate = self.agency_of(p).candidate.clone();
            self.restart(p);
            self.agency_of(p).candidate = candidate;
        }
        until
    }

    pub(crate) fn agent_step(&mut self, p: usize) -> u64 {
        let Some(leads) = self.leads(p) else { return 300 };
        let now = self.processes[p].clock(self.now);
        self.store_first(p);
        let (beat, timing) = (self.timing.beat(), self.timing.call());
        let agency = self.agency_of(p);
        if agency.agent.barred() == Some(Barred::SessionLost) {
            agency.beats = false;
        }
        if now >= agency.next {
            let (about, txn) = if agency.beats {
                (About::Alive, agency.agent.beat())
            } else {
                (About::Look, agency.agent.look())
            };
            agency.next = now + if agency.beats { beat } else { timing };
            self.send(p, about, &txn);
        }
        self.act(p, now, leads);
        200
    }

    /// What the agent must have stored before it acts on it.
    fn store_first(&mut self, p: usize) {
        let known = !self.has(Rule::UnpinTellsGatesFirst);
        let agency = self.agency_of(p);
        let Some(record) = agency.agent.to_record().cloned() else {
            return;
        };
        if known {
            // The rule left out: it acts at once, and the store and the gates hear of it whenever.
            agency.agent.recorded(record.clone());
            agency.agent.gate_saw(record.number);
        }
        if !agency.storing {
            agency.storing = true;
            let (place, life) = (self.processes[p].place, self.processes[p].life);
            let base = self.centres[place].record.number;
            let delay = self.random.between(2, 300) + if known { self.random.between(0, 60_000) } else { 0 };
            self.after(delay, What::Store(p, life, base, record));
        }
    }

    pub(crate) fn store_record(&mut self, p: usize, life: u64, base: u64, record: Record) {
        let place = self.processes[p].place;
        let centre = &mut self.centres[place];
        let lands = centre.record.number == base && centre.off_until <= self.now;
        if lands {
            self.held[place] = self.held[place].max(record.of(SCOPE).held);
            centre.record = record.clone();
        }
        if self.processes[p].life != life {
            return;
        }
        if lands {
            let agency = self.agency_of(p);
            agency.storing = false;
            agency.agent.recorded(record);
        } else {
            self.restart(p);
        }
    }

    fn act(&mut self, p: usize, now: Duration, leads: Duration) {
        let centre = &self.centres[self.processes[p].place];
        let (object, pod) = (centre.object, centre.pod);
        let agency = self.agency_of(p);
        let Some(row) = agency.agent.row(SCOPE).cloned() else {
            return;
        };
        if row.phase == Phase::Unpinning && self.unpins(p) {
            return;
        }
        let agent = &mut self.agency_of(p).agent;
        if row.phase == Phase::Draining {
            agent.stop(SCOPE);
        }
        if let Some(Right { epoch, .. }) = agent.right(SCOPE, now, leads) {
            if (object.epoch, object.copies) != (epoch, 1) {
                self.writes(
                    p,
                    Object {
                        epoch,
                        copies: 1,
                        ..object
                    },
                );
            }
        } else {
            let floor = agent.floor(SCOPE);
            let epoch = if self.has(Rule::ReleaseRaisesTheFloor) {
                object.epoch.max(floor)
            } else {
                object.epoch
            };
            if (object.epoch, object.copies) != (epoch, 0) {
                self.writes(
                    p,
                    Object {
                        epoch,
                        copies: 0,
                        ..object
                    },
                );
            }
        }
        self.acknowledges(p, &row, object, pod);
    }

    fn unpins(&mut self, p: usize) -> bool {
        let strip = !self.has(Rule::WritesAreSignsOfLife);
        let Some(mut txn) = self.agency_of(p).agent.unpin(SCOPE) else {
            return false;
        };
        if strip {
            crate::operators::strip_puts(&mut txn, "/beat");
        }
        self.send(p, About::Alive, &txn);
        true
    }

    fn acknowledges(&mut self, p: usize, row: &Row, object: Object, pod: Option<Pod>) {
        let terminated = pod.is_none() || !self.has(Rule::TerminatedIsAcknowledged);
        let raised = !self.has(Rule::ReleaseRaisesTheFloor) || object.epoch >= self.agency_of(p).agent.floor(SCOPE);
        let agent = &self.agency_of(p).agent;
        let txn = match row.phase {
            Phase::Regrant => agent.claims().pop(),
            Phase::Held | Phase::Draining | Phase::Fencing if object.copies == 0 && terminated && raised => {
                agent.acknowledge(SCOPE)
            }
            _ => None,
        };
        if let Some(txn) = txn.filter(|_| self.random.percent(30)) {
            self.send(p, About::Alive, &txn);
        }
    }

    pub(crate) fn agent_answered(&mut self, p: usize, sent: &Sent, outcome: &Outcome) {
        let (now, from_sending) = (self.processes[p].clock(self.now), self.has(Rule::DeadlineFromSending));
        let agency = self.agency_of(p);
        let mut next: Option<Txn> = None;
        match sent.about {
            About::Look if !agency.beats => next = Some(agency.agent.claim(outcome)),
            About::Claim if outcome.succeeded => {
                agency.beats = true;
                agency.agent.answered(outcome, sent.at);
            }
            About::Alive => agency.agent.answered(outcome, if from_sending { sent.at } else { now }),
            _ => {}
        }
        if let Some(txn) = next {
            self.send(p, About::Claim, &txn);
        }
    }

    /// A write to the API server; now and then it lands long after it was given up.
    fn writes(&mut self, p: usize, object: Object) {
        let late = self.random.percent(3);
        let delay = if late {
            self.random.between(300, 30_000)
        } else {
            self.random.between(1, 60)
        };
        self.after(delay, What::Write(self.processes[p].place, object));
    }

    pub(crate) fn write(&mut self, place: usize, object: Object) {
        let refuses = self.has(Rule::CentreRefusesOldEpochs);
        let centre = &mut self.centres[place];
        let newer = object.epoch >= centre.object.epoch && object.epoch >= centre.record.of(SCOPE).floor;
        let unchanged = object.version == centre.object.version;
        if centre.off_until > self.now || (refuses && !(newer && unchanged)) {
            return;
        }
        let fell = object.epoch < centre.object.epoch;
        let name = PLACES[place];
        centre.object = Object {
            version: centre.object.version + 1,
            ..object
        };
        self.tell(|| format!("{name}: {} copies at {}", object.copies, object.epoch));
        if fell {
            // I1.
            self.wrong(&format!("an epoch fell to {}", object.epoch));
        }
    }

    pub(crate) fn kubelet_step(&mut self, p: usize) -> u64 {
        let place = self.processes[p].place;
        let Object { epoch, copies, .. } = self.centres[place].object;
        match self.centres[place].pod {
            None if copies == 1 => {
                let id = self.pod();
                self.centres[place].pod = Some(Pod { id, epoch });
            }
            Some(pod) if copies == 0 || pod.epoch != epoch => self.centres[place].pod = None,
            _ => {}
        }
        // Without a gate it is all that stops a pod, and it takes its time.
        self.random.between(200, if self.gated { 2_500 } else { 8_000 })
    }

    /// One round of the gate: a ticket, then the question, then one transaction.
    pub(crate) fn gate_step(&mut self, p: usize) -> u64 {
        let (place, now) = (self.processes[p].place, self.now);
        let permit_ms = self.timing.permit_ms;
        let centre = &mut self.centres[place];
        if centre.permit.is_none_or(|(_, until)| until <= now) {
            centre.ticket = now + permit_ms;
        }
        let asked = self.processes[p].clock(now);
        let pause = self.random.between(0, 5);
        self.after(pause, What::Ask(p, asked));
        500
    }

    pub(crate) fn ask(&mut self, gate: usize, asked: Duration) {
        let agents = if self.processes[gate].place == 0 {
            [0, 1]
        } else {
            [2, 3]
        };
        for agent in agents {
            let delay = self.random.between(1, 40);
            self.after(delay, What::Asked(gate, agent, asked));
        }
    }

    /// An agent answers a gate: which pod, and how much of its time is left.
    pub(crate) fn asked(&mut self, gate: usize, p: usize, asked: Duration) {
        let place = self.processes[p].place;
        if self.centres[place].off_until > self.now {
            return;
        }
        let now = self.processes[p].clock(self.now);
        let (pod, seen) = (self.centres[place].pod, self.centres[place].gate);
        let agency = self.agency_of(p);
        let leads = agency.candidate.leads_until().filter(|until| *until > now);
        let Some(leads) = leads else { return };
        agency.agent.gate_saw(seen.1);
        let (floor, number) = (agency.agent.floor(SCOPE), agency.agent.stored().number);
        let right = agency.agent.right(SCOPE, now, leads);
        if floor < seen.0 || number < seen.1 {
            // A gate goes by what it remembers.
            return;
        }
        self.centres[place].gate = (floor, number);
        let for_the_epoch = self.has(Rule::PermitForTheEpoch);
        let (Some(pod), Some(right)) = (pod, right) else { return };
        if pod.epoch == right.epoch || !for_the_epoch {
            let left = right.until.saturating_sub(now);
            let delay = self.random.between(1, 40);
            self.after(delay, What::Permit(gate, pod.id, asked, left));
        }
    }

    pub(crate) fn permit(&mut self, gate: usize, pod: u64, asked: Duration, left: Duration) {
        let now = self.processes[gate].clock(self.now);
        let from = if self.has(Rule::PermitFromAsking) { asked } else { now };
        let left = self.timing.permit(left).saturating_sub(now.saturating_sub(from));
        let timeout = u64::try_from(left.as_millis()).unwrap();
        if timeout > 0 {
            let delay = self.random.between(0, 100);
            self.after(delay, What::Set(gate, pod, timeout));
        }
    }

    /// Delete ticket or permit, add permit: in one transaction of the kernel.
    pub(crate) fn set(&mut self, gate: usize, pod: u64, timeout: u64) {
        let (now, needs) = (self.now, self.has(Rule::TicketBeforePermit));
        let centre = &mut self.centres[self.processes[gate].place];
        let live = centre.permit.is_some_and(|(id, until)| id == pod && until > now);
        if live || centre.ticket > now || !needs {
            centre.permit = Some((pod, now + timeout));
            centre.ticket = 0;
            let place = self.processes[gate].place;
            self.tell(|| format!("{}: pod {pod} until {}", PLACES[place], now + timeout));
        }
    }
}
