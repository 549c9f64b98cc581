//! Everything that is simulated, and the queue of what happens to it. Times are true milliseconds; each process has a
//! clock of its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use arbiter::agent::Agent;
use arbiter::lease::{Candidate, Observed, Timing as LeaseTiming};
use arbiter::observer::Observer;
use arbiter::operator::Operator;
use arbiter::record::Record;
use arbiter::row::{Epoch, Row};
use arbiter::timing::Timing;
use arbiter::txn::{Outcome, Txn};
use arbiter::view::View;

use crate::faults::{self, Fault};
use crate::net::{Net, PLACES};
use crate::random::Random;
use crate::rules::Rule;
use crate::seasons::Season;
use crate::store::Store;

pub(crate) const SCOPE: &str = "dept-rsj/exam";

/// The exclusive object in a centre.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Object {
    pub(crate) epoch: Epoch,
    pub(crate) copies: u64,
    pub(crate) version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pod {
    pub(crate) id: u64,
    pub(crate) epoch: Epoch,
}

/// A centre: its API server's store, its one node with kubelet and gate.
#[derive(Clone, Default)]
pub(crate) struct Centre {
    pub(crate) object: Object,
    pub(crate) record: Record,
    pub(crate) lease: Option<Observed>,
    pub(crate) pod: Option<Pod>,
    /// The pod that may communicate, and until when.
    pub(crate) permit: Option<(u64, u64)>,
    pub(crate) ticket: u64,
    /// The gate's file.
    pub(crate) gate: (Epoch, u64),
    pub(crate) off_until: u64,
    pub(crate) frozen_until: u64,
}

pub(crate) enum Role {
    Agent(Box<Agency>),
    Operator(Box<Operator>, Option<Duration>),
    Witness(Box<Observer>, View),
    Gate,
    Kubelet,
}

/// An agent process.
pub(crate) struct Agency {
    pub(crate) agent: Agent,
    pub(crate) candidate: Candidate,
    pub(crate) beats: bool,
    pub(crate) next: Duration,
    pub(crate) storing: bool,
}

pub(crate) struct Process {
    pub(crate) place: usize,
    pub(crate) role: Role,
    pub(crate) paused: u64,
    pub(crate) life: u64,
    offset: u64,
    /// Fast or slow, in parts per million.
    rate: i64,
}

impl Process {
    pub(crate) fn clock(&self, at: u64) -> Duration {
        let at = i128::from(at);
        let shown = i128::from(self.offset) + at + at * i128::from(self.rate) / 1_000_000;
        Duration::from_millis(u64::try_from(shown).unwrap())
    }
}

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum About {
    Look,
    Claim,
    Alive,
    View,
    Other,
}

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) process: usize,
    pub(crate) life: u64,
    pub(crate) about: About,
    pub(crate) at: Duration,
}

pub(crate) enum What {
    Step(usize),
    AtStore(Sent, usize, Txn, u64),
    Answer(Sent, Outcome),
    Write(usize, Object),
    Store(usize, u64, u64, Record),
    /// Gate process, agent process, when it was asked.
    Ask(usize, Duration),
    Asked(usize, usize, Duration),
    Permit(usize, u64, Duration, Duration),
    Set(usize, u64, u64),
    Fault(Fault),
}

#[allow(clippy::struct_excessive_bools, reason = "a world has many sides")]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) without: Option<Rule>,
    pub(crate) timing: Timing,
    pub(crate) net: Net,
    pub(crate) store: Store,
    pub(crate) copy: Option<Store>,
    pub(crate) copies: [Option<Centre>; 2],
    pub(crate) centres: [Centre; 2],
    pub(crate) processes: Vec<Process>,
    /// Whether nodes have a gate.
    pub(crate) gated: bool,
    pub(crate) wants_move: bool,
    /// Whether an endpoint that is cut off forgets what it was given.
    pub(crate) forgets: bool,
    /// Where the scope communicated, by epoch.
    pub(crate) ran: BTreeMap<Epoch, usize>,
    /// The highest epoch that a place ever recorded as its own.
    pub(crate) held: [Option<Epoch>; 2],
    pub(crate) holders: BTreeMap<Epoch, String>,
    pub(crate) moves: u64,
    pub(crate) violation: Option<String>,
    pub(crate) told: bool,
    pub(crate) last: Option<Row>,
    pods: u64,
    serial: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    pending: BTreeMap<u64, What>,
}

impl World {
    pub(crate) fn new(seed: u64, without: Option<Rule>) -> Self {
        let mut random = Random(seed);
        let season = without.map_or_else(|| random.pick(&Season::ALL), Season::of);
        let gated = season.gated();
        let loss = if random.percent(50) { 0 } else { 5 };
        let mut world = Self {
            now: 0,
            without,
            timing: Timing::default(),
            net: Net {
                cut: [[false; 3]; 3],
                silent: [false; 3],
                loss,
                slow: 2,
            },
            store: Store::default(),
            copy: None,
            copies: [None, None],
            centres: Default::default(),
            processes: Vec::new(),
            gated,
            wants_move: false,
            forgets: random.percent(40),
            ran: BTreeMap::new(),
            held: [None; 2],
            holders: BTreeMap::new(),
            moves: 0,
            violation: None,
            last: None,
            told: std::env::var_os("TELL").is_some(),
            pods: 0,
            serial: 0,
            queue: BinaryHeap::new(),
            pending: BTreeMap::new(),
            random,
        };
        world.people(season);
        let plan = faults::plan(&mut world, season);
        for (at, fault) in plan {
            world.at(at, What::Fault(fault));
        }
        world.store.begin(&View::default(), 0, seed);
        world
    }

    fn people(&mut self, season: Season) {
        let places = [0, 0, 1, 1, 0, 1, 2, 0, 1, 0, 1];
        // One observer's clock may run away altogether; the other one is there for that.
        let runaway = season.runaway().then(|| self.random.pick(&[4usize, 5]));
        for (index, place) in places.into_iter().enumerate() {
            let timing = self.observing();
            let name = PLACES[place];
            let role = match index {
                0..4 => self.agency(place),
                4 | 5 => Role::Operator(
                    Box::new(Operator::new(name, &format!("operator-{index}"), timing)),
                    None,
                ),
                6 => Role::Witness(Box::new(Observer::new(name, timing)), View::default()),
                7 | 8 => Role::Gate,
                _ => Role::Kubelet,
            };
            let bound = i64::try_from(self.timing.rate_ppm).unwrap();
            let rate = self.random.pick(&[-bound, 0, bound]);
            let rate = if runaway == Some(index) { 1_500_000 } else { rate };
            let offset = self.random.between(0, 10_000_000);
            self.processes.push(Process {
                place,
                role,
                paused: 0,
                life: 0,
                offset,
                rate,
            });
            let at = self.random.between(0, 500);
            self.at(at, What::Step(index));
        }
    }

    fn observing(&self) -> Timing {
        let ttl_ms = if self.without == Some(Rule::SilenceIsWaitedFor) {
            4_000
        } else {
            self.timing.ttl_ms
        };
        Timing { ttl_ms, ..self.timing }
    }

    pub(crate) fn agency(&mut self, place: usize) -> Role {
        self.serial += 1;
        let session = format!("{}-{}", PLACES[place], self.serial);
        let record = self.centres[place].record.clone();
        Role::Agent(Box::new(Agency {
            agent: Agent::new(PLACES[place], &session, self.timing, record, self.gated),
            candidate: Candidate::new(session, LeaseTiming::default(), 0),
            beats: false,
            next: Duration::ZERO,
            storing: false,
        }))
    }

    pub(crate) fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// A line of the story of one seed, for whoever looks into it.
    pub(crate) fn tell(&self, line: impl Fn() -> String) {
        if self.told {
            println!("{:>7} {}", self.now, line());
        }
    }

    pub(crate) fn pod(&mut self) -> u64 {
        self.pods += 1;
        self.pods
    }

    pub(crate) fn after(&mut self, ms: u64, what: What) {
        self.at(self.now + ms, what);
    }

    fn at(&mut self, at: u64, what: What) {
        self.serial += 1;
        self.queue.push(Reverse((at, self.serial)));
        self.pending.insert(self.serial, what);
    }

    /// The process that does it, where it is one.
    fn doer(what: &What) -> Option<usize> {
        match what {
            What::Step(p) | What::Ask(p, _) | What::Permit(p, ..) | What::Set(p, ..) => Some(*p),
            What::Answer(sent, _) => Some(sent.process),
            What::Asked(_, agent, _) => Some(*agent),
            _ => None,
        }
    }

    /// Runs until `end`, or until something is wrong.
    pub(crate) fn run(&mut self, end: u64) {
        while let Some(Reverse((at, serial))) = self.queue.pop() {
            if at > end || self.violation.is_some() {
                break;
            }
            self.now = at;
            let what = self.pending.remove(&serial).unwrap();
            let until = Self::doer(&what).map_or(0, |p| {
                let process = &self.processes[p];
                let place = self.centres.get(process.place);
                process.paused.max(place.map_or(0, |c| c.frozen_until))
            });
            if until > at {
                self.at(until, what);
            } else {
                self.happens(what);
                self.check();
            }
        }
    }

    fn happens(&mut self, what: What) {
        match what {
            What::Step(p) => self.step(p),
            What::AtStore(sent, at, txn, until) => self.at_store(sent, at, txn, until),
            What::Answer(sent, outcome) => {
                if self.processes[sent.process].life == sent.life {
                    self.answer(&sent, &outcome);
                }
            }
            What::Write(place, object) => self.write(place, object),
            What::Store(process, life, base, record) => self.store_record(process, life, base, record),
            What::Ask(gate, asked) => self.ask(gate, asked),
            What::Asked(gate, agent, asked) => self.asked(gate, agent, asked),
            What::Permit(gate, pod, asked, left) => self.permit(gate, pod, asked, left),
            What::Set(gate, pod, timeout) => self.set(gate, pod, timeout),
            What::Fault(fault) => self.fault(fault),
        }
    }

    fn step(&mut self, p: usize) {
        let place = self.processes[p].place;
        let on = self.centres.get(place).is_none_or(|c| c.off_until <= self.now);
        let every = match self.processes[p].role {
            Role::Agent(_) if on => self.agent_step(p),
            Role::Operator(..) if on => self.operator_step(p),
            Role::Witness(..) => self.witness_step(p),
            Role::Gate if on => self.gate_step(p),
            Role::Kubelet if on => self.kubelet_step(p),
            _ => 500,
        };
        self.after(every, What::Step(p));
    }

    /// Sends a transaction to one endpoint of each place.
    pub(crate) fn send(&mut self, p: usize, about: About, txn: &Txn) {
        let process = &self.processes[p];
        let sent = Sent {
            process: p,
            life: process.life,
            about,
            at: process.clock(self.now),
        };
        let from = process.place;
        // A read that gets no answer is asked again somewhere else, in the next round.
        let all = if about == About::View {
            vec![self.random.pick(&[0, 1, 2])]
        } else {
            vec![0, 1, 2]
        };
        for to in all {
            let copies = if self.random.percent(2) { 2 } else { 1 };
            for _ in 0..copies {
                if let Some(delay) = self.net.delay(from, to, &mut self.random) {
                    let until = self.now + 60_000;
                    self.after(delay, What::AtStore(sent.clone(), to, txn.clone(), until));
                }
            }
        }
    }

    fn at_store(&mut self, sent: Sent, at: usize, txn: Txn, until: u64) {
        let on = self
            .centres
            .get(at)
            .is_none_or(|c| c.off_until.max(c.frozen_until) <= self.now);
        if !on || !self.net.commits(at) {
            // An endpoint that is cut off keeps what it was given, and forwards it after the cut has healed.
            if self.now < until && !self.forgets {
                self.after(400, What::AtStore(sent, at, txn, until));
            }
            return;
        }
        let outcome = self.store.commit(&txn);
        if outcome.succeeded {
            self.committed();
        }
        let to = self.processes[sent.process].place;
        if let Some(delay) = self.net.delay(at, to, &mut self.random) {
            self.after(delay, What::Answer(sent, outcome));
        }
    }
}
