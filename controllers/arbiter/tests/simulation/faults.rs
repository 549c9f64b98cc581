//! What goes wrong, when, and for how long.

use arbiter::view::View;

use crate::random::Random;
use crate::rules::Rule;
use crate::seasons::Season;
use crate::world::{Role, World};

/// Everything is well again from here on.
pub(crate) const HEALED: u64 = 100_000;
/// By then the scope runs somewhere, or it is known why not.
pub(crate) const END: u64 = 160_000;

/// What sort of fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Isolate,
    Cut,
    Freeze,
    Pause,
    Kill,
    Agentless,
    PowerLoss,
    Voters,
    Slow,
    Move,
    WitnessThenPlace,
    OneThenOther,
    RestoreArbiter,
    RestoreCentre,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// One way, or both.
    Cut(usize, usize, bool),
    Join(usize, usize),
    Isolate(usize),
    Rejoin(usize),
    Freeze(usize, u64),
    Pause(usize, u64),
    Kill(usize),
    /// Both agents of a place stay dead for as long, its pods run.
    Agentless(usize, u64),
    PowerLoss(usize, u64),
    Voters(usize, bool),
    Slow(u64),
    Move,
    /// A copy of the arbiter's store is put away.
    Copy,
    /// The arbiter's store is lost, and the copy restored.
    Restore(u64),
    CopyCentre(usize),
    RestoreCentre(usize),
    Heal,
}

/// The faults of one run.
pub(crate) fn plan(world: &mut World, season: Season) -> Vec<(u64, Fault)> {
    let mut plan = vec![(HEALED, Fault::Heal)];
    let (count, gated) = (world.random.between(1, 5), world.gated);
    for _ in 0..count {
        let at = world.random.between(10_000, HEALED - 40_000);
        let kind = world.random.pick(season.kinds());
        one(&mut plan, kind, at, gated, &mut world.random);
    }
    plan.retain(|(at, _)| *at <= HEALED);
    plan
}

/// One fault that begins at `at`, with its end.
fn one(plan: &mut Vec<(u64, Fault)>, kind: Kind, at: u64, gated: bool, r: &mut Random) {
    let end = at + r.between(500, 35_000);
    let for_ms = end - at;
    let (place, metro) = (r.pick(&[0, 1, 2]), r.pick(&[0, 1]));
    match kind {
        Kind::Isolate => plan.extend([(at, Fault::Isolate(metro)), (end, Fault::Rejoin(metro))]),
        Kind::Cut => {
            let both = r.percent(50);
            let (from, to) = r.pick(&[(place, (place + 1) % 3), ((place + 1) % 3, place)]);
            plan.extend([(at, Fault::Cut(from, to, both)), (end, Fault::Join(from, to))]);
        }
        Kind::Freeze => plan.push((at, Fault::Freeze(metro, for_ms))),
        Kind::Pause => plan.push((at, Fault::Pause(usize::try_from(r.between(0, 10)).unwrap(), for_ms))),
        Kind::Kill => plan.push((at, Fault::Kill(usize::try_from(r.between(0, 3)).unwrap()))),
        Kind::Agentless => plan.push((at, Fault::Agentless(metro, for_ms))),
        Kind::PowerLoss => plan.push((at, Fault::PowerLoss(metro, for_ms))),
        Kind::Voters => plan.extend([(at, Fault::Voters(place, true)), (end, Fault::Voters(place, false))]),
        Kind::Slow => plan.extend([(at, Fault::Slow(r.between(5, 40))), (end, Fault::Slow(2))]),
        Kind::Move => plan.push((at, Fault::Move)),
        Kind::WitnessThenPlace => {
            let later = at + 14_000 + r.between(0, 8_000);
            let back = later + for_ms + r.between(0, 20_000);
            plan.extend([(at, Fault::Isolate(2)), (later, Fault::Isolate(metro))]);
            plan.extend([(later + for_ms, Fault::Rejoin(2)), (back, Fault::Rejoin(metro))]);
            // Just as it is unpinned it goes again; its agents start anew, or it shows itself once more and is gone.
            let again = back + r.between(500, 5_000);
            plan.extend([(again, Fault::Isolate(metro)), (again + 25_000, Fault::Rejoin(metro))]);
            if r.percent(50) {
                plan.push((again + r.between(0, 3_000), Fault::Agentless(metro, 1)));
            } else {
                let third = again + 25_000 + r.between(200, 1_500);
                plan.extend([(third, Fault::Isolate(metro)), (third + 15_000, Fault::Rejoin(metro))]);
            }
        }
        Kind::OneThenOther => one_then_other(plan, at, metro, r),
        Kind::RestoreArbiter => {
            let nonce = r.next();
            plan.extend([(at, Fault::Copy), (at + 300, Fault::Move), (end, Fault::Restore(nonce))]);
        }
        // Without a gate nothing stops what an old copy of a centre starts: declared unsafe.
        Kind::RestoreCentre if gated => {
            plan.extend([(at, Fault::CopyCentre(metro)), (end, Fault::RestoreCentre(metro))]);
        }
        Kind::RestoreCentre => {}
    }
}

/// One place goes, and the other one just as it takes over; they come back one after the other, and one goes again.
fn one_then_other(plan: &mut Vec<(u64, Fault)>, at: u64, metro: usize, r: &mut Random) {
    let (later, first) = (at + r.between(9_800, 11_500), r.between(100, 3_000));
    let other = 1 - metro;
    let heals = later + r.between(300, 25_000);
    let again = heals + first + r.between(100, 1_500);
    plan.extend([(at, Fault::Isolate(metro)), (later, Fault::Isolate(other))]);
    plan.extend([(heals, Fault::Rejoin(metro)), (heals + first, Fault::Rejoin(other))]);
    plan.extend([(again, Fault::Isolate(metro)), (again + 15_000, Fault::Rejoin(metro))]);
}

impl World {
    pub(crate) fn fault(&mut self, fault: Fault) {
        let now = self.now;
        self.tell(|| format!("{fault:?}"));
        match fault {
            Fault::Cut(from, to, both) => {
                self.net.cut[from][to] = true;
                self.net.cut[to][from] |= both;
            }
            Fault::Join(from, to) => {
                self.net.cut[from][to] = false;
                self.net.cut[to][from] = false;
            }
            Fault::Isolate(place) => self.isolate(place, true),
            Fault::Rejoin(place) => self.isolate(place, false),
            Fault::Freeze(place, ms) => self.centres[place].frozen_until = now + ms,
            Fault::Pause(p, ms) => self.processes[p].paused = now + ms,
            Fault::Kill(p) => self.restart(p),
            Fault::Agentless(place, ms) => {
                for p in [2 * place, 2 * place + 1] {
                    self.restart(p);
                    self.processes[p].paused = now + ms;
                }
            }
            Fault::PowerLoss(place, ms) => self.power_loss(place, ms),
            Fault::Voters(place, silent) => self.net.silent[place] = silent,
            Fault::Slow(percent) => self.net.slow = percent,
            Fault::Move => self.wants_move = true,
            Fault::Copy => self.copy = Some(self.store.clone()),
            Fault::Restore(nonce) => self.restore(nonce),
            Fault::CopyCentre(place) => self.copies[place] = Some(self.centres[place].clone()),
            Fault::RestoreCentre(place) => self.restore_centre(place),
            Fault::Heal => self.heal(),
        }
    }

    fn isolate(&mut self, place: usize, cut: bool) {
        for other in (0..3).filter(|other| *other != place) {
            self.net.cut[place][other] = cut;
            self.net.cut[other][place] = cut;
        }
    }

    fn power_loss(&mut self, place: usize, ms: u64) {
        let (closed, until) = (self.has(Rule::ClosedAtBoot), self.now + ms);
        let centre = &mut self.centres[place];
        centre.off_until = until;
        centre.frozen_until = 0;
        centre.pod = None;
        centre.ticket = 0;
        centre.permit = None;
        if !closed && centre.object.copies > 0 {
            // The kubelet starts what it knows before anybody closes the gate.
            let (id, epoch) = (self.pod(), self.centres[place].object.epoch);
            self.centres[place].pod = Some(crate::world::Pod { id, epoch });
            self.centres[place].permit = Some((id, until + 3_000));
        }
        let all = 0..self.processes.len();
        let there: Vec<_> = all.filter(|p| self.processes[*p].place == place).collect();
        for p in there {
            if matches!(self.processes[p].role, Role::Agent(_)) {
                self.restart(p);
            }
            let boots = self.random.between(0, 15_000);
            let gate = matches!(self.processes[p].role, Role::Gate | Role::Kubelet);
            self.processes[p].paused = until + if gate { 0 } else { boots };
        }
    }

    fn restore(&mut self, nonce: u64) {
        let Some(copy) = self.copy.take() else { return };
        self.store = copy;
        let read = self.store.commit(&View::look());
        let mut view = View::of(&read);
        let copied = view.incarnation.map_or(0, |i| i.number);
        let recorded = self
            .centres
            .iter()
            .filter_map(|c| c.record.incarnation)
            .map(|i| i.number)
            .max();
        if self.without == Some(Rule::RestoreBeginsAnIncarnation) {
            return;
        }
        if self.without == Some(Rule::RestoreTakesAll) {
            view.rows.clear();
        }
        let known = copied.max(recorded.unwrap_or(0));
        self.store.begin(&view, known, nonce);
    }

    /// The centre's own store as it was; its node and the gate's file are not part of it.
    fn restore_centre(&mut self, place: usize) {
        let Some(copy) = self.copies[place].take() else { return };
        let centre = &mut self.centres[place];
        centre.object = copy.object;
        centre.record = copy.record;
        centre.lease = copy.lease;
        for p in [2 * place, 2 * place + 1] {
            self.restart(p);
        }
    }

    fn heal(&mut self) {
        self.net.cut = [[false; 3]; 3];
        self.net.silent = [false; 3];
        self.net.loss = 0;
        self.net.slow = 2;
        for centre in &mut self.centres {
            centre.off_until = centre.off_until.min(self.now);
            centre.frozen_until = centre.frozen_until.min(self.now);
        }
        for process in &mut self.processes {
            process.paused = process.paused.min(self.now);
        }
    }
}
