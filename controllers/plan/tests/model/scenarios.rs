//! What may happen: in one pool, the fewest worlds first, with crashes and what is done by hand last; then with two pools and
//! three requests.

use crate::rules::Rules;
use crate::state::{Amounts, Budget, POOLS};

/// What a request asks at first, and after each change: the other one of the two.
pub(crate) type Wants = [Amounts; 2];

/// What stays as it is in a search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) rules: Rules,
    /// By name of the request.
    pub(crate) wants: &'static [Wants],
}

/// A search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) wants: &'static [Wants],
    pub(crate) budget: Budget,
}

impl Scenario {
    pub(crate) fn setup(&self, rules: Rules) -> Setup {
        let wants = self.wants;
        Setup { rules, wants }
    }

    /// How many pools anybody asks for.
    pub(crate) fn pools(&self) -> usize {
        let asked = |pool: &usize| self.wants.iter().flatten().any(|a| a.0[*pool] > 0);
        (0..POOLS).filter(asked).count()
    }
}

const NONE: Budget = Budget {
    creations: 0,
    changes: 0,
    ends: 0,
    deletions: 0,
    crashes: 0,
    late: 0,
    losses: 0,
    recounts: 0,
    by_hand: 0,
};

const fn always(asks: [u8; POOLS]) -> Wants {
    [Amounts(asks), Amounts(asks)]
}

/// Each wants the whole pool: only one can have it, until somebody asks for less.
const ONE_POOL: &[Wants] = &[[Amounts([2, 0]), Amounts([1, 0])], [Amounts([2, 0]), Amounts([1, 0])]];
/// One takes from both pools, the other wants one of them.
const BOTH: &[Wants] = &[always([2, 2]), always([0, 2])];
/// A change that raises in one pool and lowers in the other.
const MIXED: &[Wants] = &[[Amounts([1, 2]), Amounts([2, 1])]];
/// The same, and another one that waits for what is lowered.
const MIXED_AND_ONE: &[Wants] = &[[Amounts([1, 2]), Amounts([2, 1])], always([0, 1])];
/// One takes from both pools, two others from one each.
const THREE: &[Wants] = &[always([2, 2]), always([2, 0]), always([0, 2])];

const fn one_pool(name: &'static str, budget: Budget) -> Scenario {
    let wants = ONE_POOL;
    Scenario { name, wants, budget }
}

const fn of(name: &'static str, wants: &'static [Wants], budget: Budget) -> Scenario {
    Scenario { name, wants, budget }
}

const ONE_ENDS: Budget = Budget {
    creations: 1,
    ends: 1,
    ..NONE
};
const TWO: Budget = Budget { creations: 2, ..NONE };
const CHANGE: Budget = Budget {
    creations: 1,
    changes: 1,
    ..NONE
};

pub(crate) const SCENARIOS: [Scenario; 24] = [
    one_pool(
        "a recount",
        Budget {
            recounts: 1,
            ..ONE_ENDS
        },
    ),
    one_pool("two requests, one ends", Budget { ends: 1, ..TWO }),
    one_pool("a late write", Budget { late: 1, ..ONE_ENDS }),
    one_pool("a lost ledger", Budget { losses: 1, ..ONE_ENDS }),
    one_pool("a change and a late write", Budget { late: 1, ..CHANGE }),
    one_pool("deletion and the same name again", Budget { deletions: 1, ..TWO }),
    one_pool("a change down and up, and an end", Budget { changes: 2, ..ONE_ENDS }),
    one_pool("a change, and somebody who waits", Budget { changes: 2, ..TWO }),
    one_pool(
        "a lost ledger, and somebody who waits",
        Budget {
            ends: 1,
            losses: 1,
            ..TWO
        },
    ),
    one_pool(
        "a recount and a crash",
        Budget {
            recounts: 1,
            crashes: 1,
            ..ONE_ENDS
        },
    ),
    one_pool(
        "two requests, one ends, and a crash",
        Budget {
            ends: 1,
            crashes: 1,
            ..TWO
        },
    ),
    one_pool(
        "a late write and a crash",
        Budget {
            late: 1,
            crashes: 1,
            ..ONE_ENDS
        },
    ),
    one_pool(
        "a lost ledger and a crash",
        Budget {
            losses: 1,
            crashes: 1,
            ..ONE_ENDS
        },
    ),
    one_pool(
        "gone by hand, and a lost ledger",
        Budget {
            losses: 1,
            by_hand: 1,
            ..ONE_ENDS
        },
    ),
    of("all or nothing", BOTH, TWO),
    of("all or nothing, one ends", BOTH, Budget { ends: 1, ..TWO }),
    of("all or nothing, and a late write", BOTH, Budget { late: 1, ..TWO }),
    of(
        "up in one pool and down in the other, and an end",
        MIXED,
        Budget { ends: 1, ..CHANGE },
    ),
    of(
        "up and down, an end and a late write",
        MIXED,
        Budget {
            ends: 1,
            late: 1,
            ..CHANGE
        },
    ),
    of(
        "up and down, an end and a crash",
        MIXED,
        Budget {
            ends: 1,
            crashes: 1,
            ..CHANGE
        },
    ),
    of(
        "up and down, an end and a lost ledger",
        MIXED,
        Budget {
            ends: 1,
            losses: 1,
            ..CHANGE
        },
    ),
    of(
        "up and down, and somebody who waits",
        MIXED_AND_ONE,
        Budget { changes: 1, ..TWO },
    ),
    of(
        "up and down, somebody who waits, and a late write",
        MIXED_AND_ONE,
        Budget {
            changes: 1,
            late: 1,
            ..TWO
        },
    ),
    of("three requests for two pools", THREE, Budget { creations: 3, ..NONE }),
];

/// Somebody takes a finalizer away by hand, and somebody else waits.
pub(crate) const BY_HAND: Scenario = one_pool(
    "gone by hand, and somebody who waits",
    Budget {
        by_hand: 1,
        recounts: 1,
        ..TWO
    },
);
