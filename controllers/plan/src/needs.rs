//! What a department needs, read into numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crds::{
    AcceleratorUse, AmountError, Architecture, RequestArchitecture, RequestType, ResourceRequestSpec, Resources,
    StorageTier, Zone,
};

use crate::by_name::Name;
use crate::pool::{Pool, Sort};
use crate::quota::SurvivalRule;

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// From a pool by name.
    Named(Name, Resources),
    /// vCPU and memory.
    Compute(Resources),
    /// Cards for a use, and how many of them must lie in one node.
    Cards(AcceleratorUse, Resources, i128),
    /// Bytes of a tier.
    Storage(StorageTier, Resources),
}

impl Need {
    pub(crate) fn amounts(&self) -> Resources {
        match self {
            Self::Named(_, n) | Self::Compute(n) | Self::Cards(_, n, _) | Self::Storage(_, n) => *n,
        }
    }

    /// Cards that must lie in one node; 1 where that does not matter.
    pub(crate) fn block(&self) -> i128 {
        if let Self::Cards(_, _, block) = self { *block } else { 1 }
    }

    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Named(pool, n) => format!("pool {pool} ({n})"),
            Self::Compute(n) => n.to_string(),
            Self::Cards(use_, n, _) => format!("{use_:?} {n}"),
            Self::Storage(tier, n) => format!("{tier:?} {n}"),
        }
    }

    pub(crate) fn matches(&self, pool: &Pool, zone: Zone, architecture: Option<Architecture>) -> bool {
        let of_sort = match (self, &pool.sort) {
            (Self::Named(name, _), _) => return pool.name == *name,
            (Self::Compute(_), Sort::Compute(_)) => true,
            (Self::Cards(wanted, ..), Sort::Accelerator { use_, .. }) => use_ == wanted,
            (Self::Storage(wanted, _), Sort::Storage(tier)) => tier == wanted,
            _ => false,
        };
        let fits_architecture = match (architecture, pool.architecture()) {
            (Some(wanted), Some(has)) => wanted == has,
            _ => true,
        };
        of_sort && pool.zone == zone && fits_architecture
    }
}

/// What a spec asks, read once: every decision about a request looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    needs: Result<Vec<Need>, AmountError>,
    rule: Result<SurvivalRule, String>,
    pub(crate) centre: Option<Name>,
    pub(crate) until: Option<Name>,
    pub(crate) priority: i32,
    pub(crate) kind: RequestType,
    pub(crate) zone: Zone,
    pub(crate) architecture: RequestArchitecture,
}

impl Wish {
    /// Reads a spec.
    pub fn read(spec: &ResourceRequestSpec) -> Self {
        Self {
            needs: needs(spec),
            rule: SurvivalRule::try_from(&spec.survival),
            centre: spec.centre.as_deref().map(Name::from),
            until: spec.until.as_deref().map(Name::from),
            priority: spec.priority,
            kind: spec.type_,
            zone: spec.zone,
            architecture: spec.architecture,
        }
    }

    /// What is needed, with the amounts that approvers lowered, and what must survive.
    ///
    /// # Errors
    /// What of it cannot be read, `English | 中文`.
    pub(crate) fn with(&self, lowered: &BTreeMap<String, i128>) -> Result<(Cow<'_, [Need]>, SurvivalRule), String> {
        let needs = self.needs.as_ref().map_err(ToString::to_string)?;
        let survival = |s: &String| format!("survival {s:?} is none of Full, None, 1% to 99% | survival 不合法");
        let rule = *self.rule.as_ref().map_err(survival)?;
        let mut needs = Cow::Borrowed(needs.as_slice());
        for (resource, lowest) in lowered {
            lower(needs.to_mut(), resource, *lowest);
        }
        Ok((needs, rule))
    }

    /// Whether an approver may lower the resource to that amount: exactly one need asks for it, for no less, and cards that
    /// must lie in one node stay together. Where the grant that is altered has `held` already, one row a need in their order, an
    /// approver lowers what is added, and never turns a raise into a cut.
    pub(crate) fn can_lower(&self, held: &[Resources], resource: &str, to: i128) -> bool {
        let needs = self.needs.as_deref().unwrap_or_default();
        let mut asking = needs.iter().enumerate().filter(|(_, n)| n.amounts()[resource] > 0);
        let (Some((place, need)), None) = (asking.next(), asking.next()) else {
            return false;
        };
        let asked = need.amounts()[resource];
        let least = held.get(place).map_or(1, |held| held[resource]).clamp(1, asked);
        (least..=asked).contains(&to) && to % need.block() == 0
    }
}

fn needs(spec: &ResourceRequestSpec) -> Result<Vec<Need>, AmountError> {
    let mut out = Vec::new();
    if let Some(pools) = &spec.pools {
        for pool in pools {
            out.push(Need::Named(pool.name.as_str().into(), (&pool.amounts).try_into()?));
        }
    }
    if let Some(need) = &spec.resources {
        if let (Some(cpu), Some(memory)) = (&need.cpu, &need.memory) {
            let (cpu, memory) = (cpu.parse("cpu")?, memory.parse("memory")?);
            out.push(Need::Compute(Resources {
                cpu,
                memory,
                ..Resources::ZERO
            }));
        }
        for card in need.accelerators.iter().flatten() {
            out.push(Need::Cards(
                card.use_,
                Resources {
                    accelerators: card.count.into(),
                    ..Resources::ZERO
                },
                card.per_node.unwrap_or(1).max(1).into(),
            ));
        }
        for storage in need.storage.iter().flatten() {
            let bytes = storage.size.parse("storage")?;
            out.push(Need::Storage(
                storage.tier,
                Resources {
                    storage: bytes,
                    ..Resources::ZERO
                },
            ));
        }
    }
    Ok(out)
}

/// Lowers one resource where exactly one need asks for it, as [`Wish::can_lower`] saw to; an approver's amount never raises.
fn lower(needs: &mut [Need], resource: &str, lowest: i128) {
    let mut asking = needs.iter_mut().filter(|n| n.amounts()[resource] > 0);
    if let (Some(Need::Named(_, n) | Need::Compute(n) | Need::Cards(_, n, _) | Need::Storage(_, n)), None) =
        (asking.next(), asking.next())
    {
        n[resource] = n[resource].min(lowest).max(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn change(resources: &Value) -> Wish {
        let spec =
            json!({"displayName": "x", "type": "Change", "allocationRef": {"name": "r"}, "resources": resources});
        Wish::read(&serde_json::from_value(spec).unwrap())
    }

    fn cpu(vcpu: i128) -> Resources {
        Resources {
            cpu: vcpu * 1000,
            ..Resources::ZERO
        }
    }

    #[test]
    fn a_raise_is_never_lowered_to_a_cut() {
        let raise = change(&json!({"cpu": "256", "memory": "256Gi"}));
        for (held, to, may) in [
            (64, 32, false),
            (64, 64, true),
            (64, 128, true),
            (64, 257, false),
            (0, 32, true),
        ] {
            assert_eq!(raise.can_lower(&[cpu(held)], "cpu", to * 1000), may, "{held} {to}");
        }
        // Who asks for less of it than there is gets no less than that.
        let less = change(&json!({"cpu": "32", "memory": "256Gi"}));
        assert!(less.can_lower(&[cpu(64)], "cpu", 32_000) && !less.can_lower(&[cpu(64)], "cpu", 31_000));
    }

    #[test]
    fn what_another_need_holds_does_not_count() {
        let card = json!([{"use": "Training", "count": 16, "perNode": 8}]);
        let both = change(&json!({"cpu": "64", "memory": "64Gi", "accelerators": card}));
        // The cards bring CPU with them.
        let cards = Resources {
            accelerators: 8,
            ..cpu(96)
        };
        assert!(both.can_lower(&[cpu(16), cards], "cpu", 16_000));
        assert!(both.can_lower(&[cpu(16), cards], "accelerators", 8));
        assert!(!both.can_lower(&[cpu(16), cards], "cpu", 8_000));
    }
}
