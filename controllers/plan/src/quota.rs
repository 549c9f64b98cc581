//! Arithmetic of a pool and of a grant: what is sellable, how a grant splits, and what it charges in each centre.
//!
//! Exact integers throughout ([`Resources`]: milli-vCPU, bytes, cards). Source of the rules: docs/concepts.md, "Quota".

use crds::{AllocationPool, CentreShare, InForce, Reserve, Resources, Survival};

use crate::by_name::{ByName, Name};

/// Finest step of memory in a split, in bytes: 1Mi.
pub const MEMORY_STEP: i128 = 1 << 20;

/// What one centre must be able to hold of a grant when it is the only one left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurvivalRule {
    /// All of it.
    Full,
    /// This per cent of it, 1 to 99, rounded up.
    Percent(i128),
    /// The grant lives in one centre.
    None,
}

impl TryFrom<&Survival> for SurvivalRule {
    type Error = String;
    fn try_from(survival: &Survival) -> Result<Self, String> {
        let percent = |s: &str| {
            s.strip_suffix('%')?
                .parse::<i128>()
                .ok()
                .filter(|p| (1..100).contains(p))
        };
        match survival.0.as_str() {
            "Full" => Ok(Self::Full),
            "None" => Ok(Self::None),
            other => percent(other).map(Self::Percent).ok_or_else(|| other.to_owned()),
        }
    }
}

/// A centre as a split sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Centre.
    pub name: Name,
    /// Weight of its share.
    pub weight: i128,
    /// Takes the remainder.
    pub primary: bool,
}

/// What a grant is in one centre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// In normal life.
    pub share: Resources,
    /// Alone.
    pub survival: Resources,
}

impl Part {
    /// What it charges: the larger of both, so that a failover fits without a new decision.
    pub fn charge(self) -> Resources {
        self.share.each_max(self.survival)
    }
}

/// A grant from one pool: the amount n, and its part in each centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolGrant {
    /// Granted amount, counted once against ceilings.
    pub n: Resources,
    /// Parts by centre.
    pub centres: ByName<Part>,
}

/// A grant over pools, by pool. Empty means nothing is held.
pub type Grant = ByName<PoolGrant>;

/// Splits `total` by weight in whole `step`s; what is left over goes to the primary, or to the first slot. `put` is told the
/// number of each slot and its part.
fn split(total: i128, step: i128, slots: &[Slot], mut put: impl FnMut(usize, i128)) {
    if total == 0 {
        return;
    }
    let weights: i128 = slots.iter().map(|s| s.weight).sum();
    let steps = total / step;
    let of = |slot: &Slot| {
        if weights > 0 {
            steps * slot.weight / weights * step
        } else {
            0
        }
    };
    let rest = total - slots.iter().map(of).sum::<i128>();
    let heir = slots.iter().position(|s| s.primary).unwrap_or(0);
    for (place, slot) in slots.iter().enumerate() {
        put(place, of(slot) + if place == heir { rest } else { 0 });
    }
}

fn ceil_percent(n: i128, percent: i128, step: i128) -> i128 {
    let exact = n * percent;
    let unit = 100 * step;
    ((exact + unit - 1) / unit * step).min(n)
}

/// Whether a charge fits where `held` of it is charged already and `room` is left: only what is added must fit, so that what
/// falls always fits, even where more is charged than there is.
pub fn fits_beyond(charge: Resources, held: Resources, room: Resources) -> bool {
    let added = charge.minus(held);
    added.fits(room)
}

/// The parts of a grant of `n` over the slots of its pool. Storage is copied, not divided. Cards are divided in blocks of
/// `block`, those that must lie in one node; where a card brings CPU and memory of its node, these follow the cards. With
/// [`SurvivalRule::None`] pass the one slot that was chosen.
pub fn parts(n: Resources, rule: SurvivalRule, slots: &[Slot], block: i128) -> ByName<Part> {
    let mut parts = vec![n; slots.len()];
    if rule != SurvivalRule::None {
        divide(n, slots, block, &mut parts);
    }
    let survival = match rule {
        SurvivalRule::Full | SurvivalRule::None => n,
        SurvivalRule::Percent(p) => {
            let accelerators = ceil_percent(n.accelerators, p, block);
            let follow = |total: i128, step| {
                if n.accelerators > 0 {
                    total * accelerators / n.accelerators
                } else {
                    ceil_percent(total, p, step)
                }
            };
            Resources {
                cpu: follow(n.cpu, 1),
                memory: follow(n.memory, MEMORY_STEP),
                storage: n.storage,
                accelerators,
            }
        }
    };
    let named = slots.iter().zip(parts);
    named
        .map(|(slot, share)| (Name::clone(&slot.name), Part { share, survival }))
        .collect()
}

/// The shares of `n`; storage stays as it is.
fn divide(n: Resources, slots: &[Slot], block: i128, shares: &mut [Resources]) {
    let mut set = |resource: &'static str, total: i128, step: i128| {
        split(total, step, slots, |place, part| {
            if let Some(share) = shares.get_mut(place) {
                share[resource] = part;
            }
        });
    };
    set("accelerators", n.accelerators, block);
    if n.accelerators == 0 {
        set("cpu", n.cpu, 1);
        set("memory", n.memory, MEMORY_STEP);
        return;
    }
    for share in shares {
        share.cpu = n.cpu * share.accelerators / n.accelerators;
        share.memory = n.memory * share.accelerators / n.accelerators;
    }
}

/// Gross capacity: what was found or declared, CPU times the over-commit ratio in thousandths.
pub fn gross(capacity: Resources, overcommit_milli: i128) -> Resources {
    Resources {
        cpu: capacity.cpu * overcommit_milli / 1000,
        ..capacity
    }
}

/// What is kept back of `gross`. A percentage rounds up, so that what is sold rounds down; a reserve never exceeds gross.
///
/// # Errors
/// The amounts of the reserve cannot be read.
pub fn reserved(gross: Resources, reserve: Option<&Reserve>) -> Result<Resources, crds::AmountError> {
    let Some(reserve) = reserve else {
        return Ok(Resources::ZERO);
    };
    let amounts = match (&reserve.amounts, reserve.percent) {
        (Some(amounts), _) => Resources::try_from(amounts)?,
        (None, percent) => gross.zip(Resources::ZERO, |g, _| ceil_percent(g, percent.unwrap_or(0).into(), 1)),
    };
    Ok(amounts.each_min(gross))
}

/// As it is stored in an allocation or a ledger record.
pub fn to_stored(grant: &Grant) -> Vec<AllocationPool> {
    let share = |(name, part): (&Name, &Part)| CentreShare {
        name: name.to_string(),
        share: part.share.to_amounts(),
        survival: part.survival.to_amounts(),
        in_force: InForce::Share,
    };
    grant
        .iter()
        .map(|(name, pool)| AllocationPool {
            name: name.to_string(),
            amounts: pool.n.to_amounts(),
            centres: pool.centres.iter().map(share).collect(),
        })
        .collect()
}

/// From an allocation or a ledger record.
///
/// # Errors
/// An amount cannot be read.
pub fn from_stored(pools: &[AllocationPool]) -> Result<Grant, crds::AmountError> {
    pools
        .iter()
        .map(|pool| {
            let centres = pool.centres.iter().map(|c| {
                let part = Part {
                    share: (&c.share).try_into()?,
                    survival: (&c.survival).try_into()?,
                };
                Ok((c.name.as_str(), part))
            });
            let grant = PoolGrant {
                n: (&pool.amounts).try_into()?,
                centres: centres.collect::<Result<_, _>>()?,
            };
            Ok((pool.name.as_str(), grant))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots(weights: [i128; 2]) -> Vec<Slot> {
        vec![
            Slot {
                name: "jishi".into(),
                weight: weights[0],
                primary: true,
            },
            Slot {
                name: "jiyidong".into(),
                weight: weights[1],
                primary: false,
            },
        ]
    }
    fn cpu(vcpu: i128) -> Resources {
        Resources {
            cpu: vcpu * 1000,
            ..Resources::ZERO
        }
    }

    #[test]
    fn full_charges_n_in_each_centre() {
        let parts = parts(cpu(64), SurvivalRule::Full, &slots([1, 1]), 1);
        assert_eq!(parts["jishi"].share, cpu(32));
        assert_eq!(parts["jiyidong"].charge(), cpu(64));
    }

    #[test]
    fn a_percentage_charges_the_larger_of_share_and_survival() {
        let parts = parts(cpu(10), SurvivalRule::Percent(60), &slots([3, 1]), 1);
        assert_eq!(parts["jishi"].charge().cpu, 7_500);
        assert_eq!(parts["jiyidong"].charge(), cpu(6));
    }

    #[test]
    fn cards_are_whole_and_bring_their_cpu() {
        let n = Resources {
            cpu: 36_000,
            memory: 3 * MEMORY_STEP,
            storage: 0,
            accelerators: 3,
        };
        let parts = parts(n, SurvivalRule::Full, &slots([1, 1]), 1);
        assert_eq!(
            parts["jishi"].share,
            Resources {
                cpu: 24_000,
                memory: 2 * MEMORY_STEP,
                storage: 0,
                accelerators: 2
            }
        );
        assert_eq!(parts["jiyidong"].share.accelerators, 1);
    }

    #[test]
    fn cards_that_belong_together_stay_together() {
        let n = Resources {
            accelerators: 24,
            ..Resources::ZERO
        };
        let parts = parts(n, SurvivalRule::Percent(50), &slots([1, 1]), 8);
        assert_eq!(parts["jishi"].share.accelerators, 16);
        assert_eq!(parts["jiyidong"].share.accelerators, 8);
        assert_eq!(parts["jiyidong"].survival.accelerators, 16);
    }

    #[test]
    fn only_what_is_added_must_fit() {
        let over = Resources {
            cpu: -5,
            ..Resources::ZERO
        };
        assert!(fits_beyond(cpu(4), cpu(8), over) && fits_beyond(cpu(8), cpu(8), over));
        assert!(!fits_beyond(cpu(9), cpu(8), over));
        assert!(fits_beyond(cpu(9), cpu(8), cpu(1)));
    }

    #[test]
    fn storage_is_copied() {
        let n = Resources {
            storage: 20,
            ..Resources::ZERO
        };
        assert!(
            parts(n, SurvivalRule::Percent(10), &slots([1, 1]), 1)
                .values()
                .all(|p| p.share == n && p.survival == n)
        );
    }

    #[test]
    fn a_reserve_rounds_up_and_never_exceeds_gross() {
        let reserve = Reserve {
            percent: Some(10),
            amounts: None,
        };
        assert_eq!(
            reserved(
                Resources {
                    accelerators: 16,
                    ..Resources::ZERO
                },
                Some(&reserve)
            )
            .unwrap()
            .accelerators,
            2
        );
        let reserve = Reserve {
            percent: None,
            amounts: Some(cpu(900).to_amounts()),
        };
        assert_eq!(reserved(cpu(100), Some(&reserve)), Ok(cpu(100)));
    }

    proptest! {
        #[test]
        fn shares_add_up_and_survival_covers(n in 0i64..1 << 40, cards in 0i128..64, w in 1i128..9, p in 1i128..100) {
            let n = Resources { cpu: n.into(), memory: i128::from(n) * MEMORY_STEP, storage: 0, accelerators: 0 };
            let n = if cards > 0 { Resources { cpu: cards * 12_000, memory: cards * MEMORY_STEP, storage: 0, accelerators: cards } } else { n };
            for rule in [SurvivalRule::Full, SurvivalRule::Percent(p)] {
                let parts = parts(n, rule, &slots([w, 2]), 1);
                let total = parts.values().fold(Resources::ZERO, |a, b| a.plus(b.share));
                prop_assert_eq!(total, n);
                for part in parts.values() {
                    prop_assert!(part.survival.fits(part.charge()) && part.charge().fits(n));
                    prop_assert_eq!(part.share.memory % MEMORY_STEP, 0);
                    prop_assert!(part.survival.cpu * 100 >= n.cpu * p || rule == SurvivalRule::Full);
                }
            }
            prop_assert_eq!(from_stored(&to_stored(&Grant::from([("x86", PoolGrant { n, centres: parts(n, SurvivalRule::Full, &slots([w, 2]), 1) })]))).unwrap()["x86"].n, n);
        }
    }
}
