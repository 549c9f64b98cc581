//! The leader lease. The lease decides who bothers; the epoch decides who may: it is the number of transitions of the
//! lease, grows with every takeover, and receivers refuse an older one.
//!
//! Nobody's clock is compared with another's: a lease counts as expired when *this* process has seen it unchanged for the
//! whole duration on its own monotonic clock; a leader demotes itself on its own clock, counted from before it sent the
//! renewal that succeeded last.

use std::time::Duration;

/// Timing of a lease.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a lease lasts without renewal.
    pub duration: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// A leader stops this long before its lease ends.
    pub margin: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(6),
            renew: Duration::from_secs(2),
            margin: Duration::from_millis(1500),
        }
    }
}

/// The lease as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Who holds it; nobody after a graceful end.
    pub holder: Option<String>,
    /// Changes with every write.
    pub version: String,
    /// Takeovers so far.
    pub transitions: i64,
    /// When its holder wrote it last, in microseconds of the holder's own clock; compared by that process alone.
    pub renewed: i64,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write the lease with this epoch, on condition that it is unchanged (or absent).
    Acquire {
        /// Epoch of the leadership that begins.
        epoch: i64,
    },
    /// Write the lease again, on condition that it is unchanged.
    Renew,
    /// Look again after the renew interval.
    Wait,
    /// Somebody else holds it, or it is older than this process wrote it: stop at once.
    Demote,
}

/// What a candidate knows. Times are durations since any fixed point of its own monotonic clock.
#[derive(Clone, Debug)]
pub struct Candidate {
    identity: String,
    timing: Timing,
    seen: Option<(Observed, Duration)>,
    leads_until: Option<Duration>,
    renewed: i64,
    highest: i64,
}

impl Candidate {
    /// A candidate. The identity is unique to the process: a restarted one is another candidate. `floor` is the highest
    /// epoch known from elsewhere: a lease that was deleted starts at 1, and receivers would refuse that for ever.
    pub fn new(identity: impl Into<String>, timing: Timing, floor: i64) -> Self {
        Self {
            identity: identity.into(),
            timing,
            seen: None,
            leads_until: None,
            renewed: 0,
            highest: floor,
        }
    }

    /// Its identity.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Decides on the lease as it was just read; `None` where it does not exist.
    pub fn observe(&mut self, lease: Option<Observed>, now: Duration) -> Decision {
        let Some(lease) = lease else {
            return if self.leads_until.take().is_some() {
                Decision::Demote
            } else {
                self.takeover()
            };
        };
        self.highest = self.highest.max(lease.transitions);
        let ours = lease.holder.as_deref() == Some(self.identity.as_str());
        // An older one is a copy that the store was restored from, and what was written since is gone with it: whoever leads
        // next begins with what is there.
        if ours && self.leads_until.is_some() && lease.renewed >= self.renewed {
            return Decision::Renew;
        }
        if self.leads_until.take().is_some() {
            return Decision::Demote;
        }
        let unchanged_since = match &self.seen {
            Some((seen, since)) if seen.version == lease.version => *since,
            _ => now,
        };
        let free = lease.holder.is_none();
        self.seen = Some((lease, unchanged_since));
        if free || now.saturating_sub(unchanged_since) >= self.timing.duration {
            self.takeover()
        } else {
            Decision::Wait
        }
    }

    fn takeover(&self) -> Decision {
        Decision::Acquire {
            epoch: self.highest.saturating_add(1),
        }
    }

    /// A conditional write of ours succeeded; it was sent at `sent` and said `renewed`.
    pub fn wrote(&mut self, sent: Duration, renewed: i64) {
        self.leads_until = Some(sent + self.timing.duration.saturating_sub(self.timing.margin));
        self.renewed = renewed;
    }

    /// How long until it is renewed next: counted from when the last renewal was sent, so that one that was answered late
    /// does not delay the next.
    pub fn rests(&self, now: Duration) -> Duration {
        let sent_and_over = self.timing.duration.saturating_sub(self.timing.margin);
        let next = |until: Duration| (until + self.timing.renew).saturating_sub(sent_and_over + now);
        self.leads_until.map(next).unwrap_or_default()
    }

    /// A conditional write of ours was refused: somebody else wrote.
    pub fn lost(&mut self) {
        self.leads_until = None;
    }

    /// Until when it may act, on its own clock.
    pub fn leads_until(&self) -> Option<Duration> {
        self.leads_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// A store that refuses writes on an older version.
    #[derive(Default)]
    struct Store(Option<Observed>);
    impl Store {
        fn write(&mut self, read: Option<&Observed>, holder: &str, transitions: i64, renewed: i64) -> bool {
            if self.0.as_ref() != read {
                return false;
            }
            let version = self.0.as_ref().map_or(0, |o| o.version.parse::<u64>().unwrap()) + 1;
            self.0 = Some(Observed {
                holder: Some(holder.into()),
                version: version.to_string(),
                transitions,
                renewed,
            });
            true
        }
    }

    fn two() -> [Candidate; 2] {
        ["a", "b"].map(|name| Candidate::new(name, Timing::default(), 0))
    }

    fn act(candidate: &mut Candidate, store: &mut Store, now: Duration) -> Decision {
        let read = store.0.clone();
        let decision = candidate.observe(read.clone(), now);
        let epoch = match decision {
            Decision::Acquire { epoch } => epoch,
            Decision::Renew => read.as_ref().unwrap().transitions,
            Decision::Wait | Decision::Demote => return decision,
        };
        let renewed = i64::try_from(now.as_micros()).unwrap();
        if store.write(read.as_ref(), &candidate.identity.clone(), epoch, renewed) {
            candidate.wrote(now, renewed);
        } else {
            candidate.lost();
        }
        decision
    }

    #[test]
    fn a_lease_is_taken_only_after_its_whole_duration_unchanged() {
        let [mut a, mut b] = two();
        let mut store = Store::default();
        assert_eq!(act(&mut a, &mut store, S), Decision::Acquire { epoch: 1 });
        assert_eq!(act(&mut b, &mut store, 2 * S), Decision::Wait);
        assert_eq!(act(&mut b, &mut store, 7 * S), Decision::Wait);
        assert_eq!(act(&mut b, &mut store, 8 * S), Decision::Acquire { epoch: 2 });
        assert!(a.leads_until().unwrap() < 8 * S);
        assert_eq!(act(&mut a, &mut store, 9 * S), Decision::Demote);
        assert_eq!(act(&mut a, &mut store, 9 * S), Decision::Wait);
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once_with_a_new_epoch() {
        let mut b = Candidate::new("b", Timing::default(), 0);
        let free = Observed {
            holder: None,
            version: "9".into(),
            transitions: 4,
            renewed: 0,
        };
        assert_eq!(b.observe(Some(free), S), Decision::Acquire { epoch: 5 });
    }

    #[test]
    fn a_deleted_lease_does_not_take_the_epoch_back() {
        let [mut a, _] = two();
        let held = Observed {
            holder: Some("b".into()),
            version: "9".into(),
            transitions: 4,
            renewed: 0,
        };
        assert_eq!(a.observe(Some(held), S), Decision::Wait);
        assert_eq!(a.observe(None, 2 * S), Decision::Acquire { epoch: 5 });
        let mut restarted = Candidate::new("c", Timing::default(), 7);
        assert_eq!(restarted.observe(None, S), Decision::Acquire { epoch: 8 });
    }

    #[test]
    fn a_store_that_went_back_ends_a_leadership() {
        let [mut a, _] = two();
        let mut store = Store::default();
        assert_eq!(act(&mut a, &mut store, S), Decision::Acquire { epoch: 1 });
        let copy = store.0.clone();
        assert_eq!(act(&mut a, &mut store, 3 * S), Decision::Renew);
        let mut labelled = store.0.clone().unwrap();
        labelled.version = "17".into();
        store.0 = Some(labelled);
        assert_eq!(act(&mut a, &mut store, 4 * S), Decision::Renew);
        store.0 = copy;
        assert_eq!(act(&mut a, &mut store, 5 * S), Decision::Demote);
        assert_eq!(a.leads_until(), None);
    }

    #[test]
    fn a_renewal_that_is_answered_late_does_not_delay_the_next() {
        let [mut a, _] = two();
        a.wrote(S, 1);
        assert_eq!(a.rests(S), Timing::default().renew);
        assert_eq!(a.rests(2 * S), S);
        assert_eq!(a.rests(4 * S), Duration::ZERO);
    }

    /// Two candidates with clocks of their own, paused at random: never two leaders, epochs only grow.
    #[test]
    fn never_two_leaders() {
        let mut random = 42u64;
        let mut next = |n: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        let mut store = Store::default();
        let mut candidates = two();
        let offsets = [Duration::ZERO, Duration::from_secs(5000)];
        let (mut now, mut last_epoch) = (Duration::ZERO, 0);
        for _ in 0..20_000 {
            now += Duration::from_millis(200 + next(1500));
            let i = usize::from(next(2) == 1);
            if next(20) == 0 {
                now += Duration::from_secs(next(12));
            }
            act(&mut candidates[i], &mut store, now + offsets[i]);
            let leaders = (0..2)
                .filter(|c| {
                    candidates[*c]
                        .leads_until()
                        .is_some_and(|until| until > now + offsets[*c])
                })
                .count();
            assert!(leaders <= 1);
            let epoch = store.0.as_ref().unwrap().transitions;
            assert!(epoch >= last_epoch);
            last_epoch = epoch;
        }
        assert!(last_epoch > 10, "the simulation never changed leaders");
    }
}
