//! Links between three places, the quorum of five voters over them, and what becomes of a message.

use crate::random::Random;

pub(crate) const PLACES: [&str; 3] = ["a", "b", "c"];
pub(crate) const VOTES: [usize; 3] = [2, 2, 1];

pub(crate) struct Net {
    /// From, to.
    pub(crate) cut: [[bool; 3]; 3],
    /// Voters of a place that do not answer.
    pub(crate) silent: [bool; 3],
    pub(crate) loss: u64,
    pub(crate) slow: u64,
}

impl Net {
    pub(crate) fn open(&self, from: usize, to: usize) -> bool {
        from == to || !self.cut[from][to]
    }

    fn joined(&self, one: usize, two: usize) -> bool {
        !self.silent[one] && !self.silent[two] && self.open(one, two) && self.open(two, one)
    }

    /// Whether a transaction that reached the endpoint of `at` is committed now: it reaches a leader, and the leader a
    /// majority.
    pub(crate) fn commits(&self, at: usize) -> bool {
        let leads = |place: usize| {
            (0..3)
                .filter(|p| self.joined(place, *p))
                .map(|p| VOTES[p])
                .sum::<usize>()
                >= 3
        };
        (0..3).any(|leader| self.joined(at, leader) && leads(leader))
    }

    /// How long a message takes, in milliseconds; `None` where it is lost.
    pub(crate) fn delay(&self, from: usize, to: usize, random: &mut Random) -> Option<u64> {
        if !self.open(from, to) || (from != to && random.percent(self.loss)) {
            return None;
        }
        Some(if random.percent(self.slow) {
            random.between(100, 8_000)
        } else {
            random.between(1, 30)
        })
    }
}
