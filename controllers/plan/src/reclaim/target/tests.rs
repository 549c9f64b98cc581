use crds::Resources;
use proptest::prelude::*;

use super::{FINEST, lowered};
use crate::by_name::Name;
use crate::quota::{MEMORY_STEP, PoolGrant, Slot, SurvivalRule, parts};

fn amount(cpu: i128, mebibytes: i128) -> Resources {
    Resources {
        cpu,
        memory: mebibytes * MEMORY_STEP,
        ..Resources::ZERO
    }
}

/// What was granted by that rule, over two centres of these weights.
fn granted(n: Resources, rule: SurvivalRule, weights: [i128; 2]) -> PoolGrant {
    let slot = |(name, weight): (&str, i128)| Slot {
        name: Name::from(name),
        weight,
        primary: name == "jishi",
    };
    let mut slots: Vec<Slot> = ["jishi", "jiyidong"].into_iter().zip(weights).map(slot).collect();
    if rule == SurvivalRule::None {
        slots.truncate(1);
    }
    let centres = parts(n, rule, &slots, 1);
    PoolGrant { n, centres }
}

#[test]
fn full_stays_full() {
    let held = granted(amount(100_000, 400), SurvivalRule::Full, [4, 1]);
    let less = lowered(&held, amount(20_000, 40));
    assert_eq!(less.centres["jishi"].share, amount(16_000, 32));
    assert_eq!(less.centres["jiyidong"].share, amount(4_000, 8));
    assert!(less.centres.values().all(|p| p.survival == less.n));
}

#[test]
fn what_rounding_leaves_over_goes_to_the_largest_part() {
    let held = granted(amount(7, 7), SurvivalRule::Full, [1, 1]);
    assert_eq!(held.centres["jishi"].share, amount(4, 4));
    let less = lowered(&held, amount(5, 5));
    assert_eq!(less.centres["jishi"].share, amount(3, 3));
    assert_eq!(less.centres["jiyidong"].share, amount(2, 2));
}

#[test]
fn what_does_not_fall_stays_as_it_is() {
    let mut held = granted(amount(1000, 9), SurvivalRule::Percent(60), [1, 1]);
    held.n.storage = 5;
    for centre in ["jishi", "jiyidong"] {
        held.centres.update(&Name::from(centre), |p| {
            p.share.storage = 5;
            p.survival.storage = 5;
        });
    }
    let n = Resources { cpu: 500, ..held.n };
    let less = lowered(&held, n);
    for (centre, part) in &less.centres {
        let before = held.centres[&**centre];
        assert_eq!(
            part.share,
            Resources {
                cpu: 250,
                ..before.share
            }
        );
        assert_eq!(
            part.survival,
            Resources {
                cpu: 300,
                ..before.survival
            }
        );
    }
    assert_eq!(lowered(&held, held.n), held);
}

fn rule() -> impl Strategy<Value = SurvivalRule> {
    prop_oneof![
        Just(SurvivalRule::Full),
        Just(SurvivalRule::None),
        (1..100_i128).prop_map(SurvivalRule::Percent),
    ]
}

proptest! {
    /// Whatever the rule, the weights and the amounts: shares add up, nothing is more than before, each centre carries alone
    /// what the rule says of what is left.
    #[test]
    fn less_of_a_grant_is_a_grant(
        rule in rule(),
        weights in [1..9_i128, 1..9_i128],
        held in (1..500_000_i128, 1..500_000_i128),
        percent in (1..=100_i128, 1..=100_i128),
    ) {
        let part = |held: i128, percent: i128| (held * percent / 100).max(1);
        let held = granted(amount(held.0, held.1), rule, weights);
        let n = amount(
            part(held.n.cpu, percent.0),
            part(held.n.memory / MEMORY_STEP, percent.1),
        );
        let less = lowered(&held, n);
        prop_assert_eq!(less.n, n);
        let sum = less.centres.values().fold(Resources::ZERO, |sum, p| sum.plus(p.share));
        prop_assert_eq!(sum, n);
        for (centre, part) in &less.centres {
            let before = held.centres[&**centre];
            prop_assert!(part.share.fits(before.share) && part.survival.fits(before.survival), "{part:?} of {before:?}");
            prop_assert!(part.charge().fits(n));
            prop_assert_eq!(part.share.memory % MEMORY_STEP, 0);
            for (resource, _) in FINEST {
                match rule {
                    SurvivalRule::Full | SurvivalRule::None => prop_assert_eq!(part.survival[resource], n[resource]),
                    SurvivalRule::Percent(p) => prop_assert!(part.survival[resource] * 100 >= n[resource] * p),
                }
            }
        }
    }
}
