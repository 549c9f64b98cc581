//! The largest grant that empty centres could ever hold: one rule for each survival, for the limits that are published and
//! for what a refusal says.

use std::slice::Chunks;

use crds::Resources;

use crate::pool::Pool;
use crate::quota::{MEMORY_STEP, Slot, SurvivalRule};

/// Where a grant may live: over all centres of the pool together, or with survival `None` in any one of them.
pub(crate) fn homes(pool: &Pool, rule: SurvivalRule) -> Chunks<'_, Slot> {
    let together = match rule {
        SurvivalRule::None => 1,
        SurvivalRule::Full | SurvivalRule::Percent(_) => pool.slots.len().max(1),
    };
    pool.slots.chunks(together)
}

/// The largest n that the centres of `home` could hold together while they are empty, each resource for itself; cards in
/// whole blocks of `block`. A centre that `committable` does not know is in nobody's way; where it knows none, the answer is
/// zero. With two centres it is exact to one step of a split, with more no grant is larger. The policy `xiangyun-never-fits`
/// computes the same from what is published of [`whole`] and [`shared`].
pub(crate) fn largest(
    home: &[Slot],
    rule: SurvivalRule,
    block: i128,
    committable: impl Fn(&str) -> Option<Resources>,
) -> Resources {
    let block = block.max(1);
    let mut n = whole(home, &committable);
    if let SurvivalRule::Percent(percent) = rule {
        let shared = shared(home, block, &committable);
        for (resource, step) in steps(block) {
            let most = n[resource].max(0);
            // What the smallest centre can hold as a whole survives there, however it rounds.
            let survives = most.max(100 * step * (most / step) / percent);
            n[resource] = shared[resource].min(survives);
        }
    }
    n.accelerators -= n.accelerators % block;
    n
}

/// The largest n that each centre could hold alone.
pub(crate) fn whole(home: &[Slot], committable: impl Fn(&str) -> Option<Resources>) -> Resources {
    let known = home.iter().filter_map(|slot| committable(&slot.name));
    known.reduce(Resources::each_min).unwrap_or_default()
}

/// The largest n of which no centre's share is more than it could hold, whatever survives. Storage is copied, so that the
/// smallest centre says.
pub(crate) fn shared(home: &[Slot], block: i128, committable: impl Fn(&str) -> Option<Resources>) -> Resources {
    let weights: i128 = home.iter().map(|s| s.weight).sum();
    let heir = home.iter().find(|s| s.primary).or(home.first());
    let most_of = |slot: &Slot| {
        let mut n = committable(&slot.name)?;
        let split = Split {
            weight: slot.weight.max(1),
            weights: weights.max(1),
            heir: heir.is_some_and(|h| h.name == slot.name),
        };
        for (resource, step) in steps(block) {
            n[resource] = split.largest(n[resource].max(0), step);
        }
        Some(n)
    };
    let known = home.iter().filter_map(most_of);
    known.reduce(Resources::each_min).unwrap_or_default()
}

/// What is divided, and in which steps.
const fn steps(block: i128) -> [(&'static str, i128); 3] {
    [("cpu", 1), ("memory", MEMORY_STEP), ("accelerators", block)]
}

/// How a resource is divided, as one centre sees it.
struct Split {
    weight: i128,
    weights: i128,
    /// Takes what is left over.
    heir: bool,
}

impl Split {
    /// The largest total of which the share is no more than `most`. Shares of others round down, so theirs may be of a larger
    /// total.
    fn largest(&self, most: i128, step: i128) -> i128 {
        let steps = most / step;
        if self.heir {
            steps * self.weights / self.weight * step + most % step
        } else {
            (((steps + 1) * self.weights - 1) / self.weight + 1) * step - 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::parts;
    use proptest::prelude::*;

    fn slots(weights: [i128; 2]) -> [Slot; 2] {
        [("jishi", weights[0], true), ("jiyidong", weights[1], false)].map(|(name, weight, primary)| Slot {
            name: name.into(),
            weight,
            primary,
        })
    }

    fn cpu(milli: i128) -> Resources {
        Resources {
            cpu: milli,
            ..Resources::ZERO
        }
    }

    fn cards(n: i128) -> Resources {
        Resources {
            accelerators: n,
            ..Resources::ZERO
        }
    }

    fn of(slots: &[Slot], rule: SurvivalRule, block: i128, centres: [Resources; 2]) -> Resources {
        largest(slots, rule, block, |name| Some(centres[usize::from(name != "jishi")]))
    }

    #[test]
    fn each_survival_has_its_own() {
        let (slots, most) = (slots([1, 1]), [cpu(11_520_000); 2]);
        assert_eq!(of(&slots, SurvivalRule::Full, 1, most), cpu(11_520_000));
        assert_eq!(of(&slots, SurvivalRule::Percent(60), 1, most), cpu(19_200_000));
        // Below a half the shares are in the way.
        assert_eq!(of(&slots, SurvivalRule::Percent(30), 1, most), cpu(23_040_000));
        assert_eq!(of(&slots[..1], SurvivalRule::None, 1, most), cpu(11_520_000));
        let uneven = [cpu(1_000_000), cpu(400_000)];
        assert_eq!(of(&slots, SurvivalRule::Full, 1, uneven), cpu(400_000));
        assert_eq!(of(&slots, SurvivalRule::Percent(80), 1, uneven), cpu(500_000));
    }

    #[test]
    fn storage_is_copied_and_cards_are_whole_blocks() {
        let slots = slots([1, 1]);
        let stored = Resources {
            storage: 20,
            ..Resources::ZERO
        };
        assert_eq!(of(&slots, SurvivalRule::Percent(10), 1, [stored; 2]), stored);
        assert_eq!(of(&slots, SurvivalRule::Full, 8, [cards(14); 2]), cards(8));
        assert_eq!(
            of(&slots, SurvivalRule::Percent(50), 8, [cards(20), cards(9)]),
            cards(16)
        );
    }

    #[test]
    fn an_unknown_centre_is_in_nobodys_way() {
        let slots = slots([1, 1]);
        let known = |name: &str| (name == "jishi").then(|| cpu(5));
        assert_eq!(largest(&slots, SurvivalRule::Full, 1, known), cpu(5));
        assert_eq!(largest(&slots, SurvivalRule::Full, 1, |_| None), Resources::ZERO);
    }

    proptest! {
        #[test]
        fn it_fits_and_one_more_does_not(
            most in prop::array::uniform2(0i128..5_000), w in prop::array::uniform2(1i128..9), p in 1i128..100,
            block in 1i128..9,
        ) {
            let slots = slots(w);
            for (of_n, step) in [(cpu as fn(i128) -> Resources, 1), (cards, block)] {
                let centres = most.map(of_n);
                let n = of(&slots, SurvivalRule::Percent(p), block, centres);
                let fits = |n: Resources| {
                    let parts = parts(n, SurvivalRule::Percent(p), &slots, block);
                    parts["jishi"].charge().fits(centres[0]) && parts["jiyidong"].charge().fits(centres[1])
                };
                prop_assert!(fits(n), "{n:?}");
                prop_assert!(!fits(n.plus(of_n(step))), "{n:?}");
            }
        }
    }
}
