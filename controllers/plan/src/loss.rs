//! What the loss of a centre means for what was granted, and for what could still be.

use crds::Resources;

use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::quota::PoolGrant;
use crate::request::Request;

/// A grant that keeps less than it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Tenant.
    pub tenant: String,
    /// Name of the request.
    pub name: String,
    /// Pool.
    pub pool: String,
    /// What was granted.
    pub granted: Resources,
    /// What the other centres hold of it.
    pub keeps: Resources,
}

/// What the centres that are left hold of a grant: their survival parts, which were charged from the first day.
fn keeps(grant: &PoolGrant, lost: &str) -> Resources {
    let left = grant.centres.iter().filter(|(centre, _)| &***centre != lost);
    left.fold(Resources::ZERO, |sum, (_, part)| sum.plus(part.survival))
        .each_min(grant.n)
}

/// Live grants that keep less than they are when that centre is lost.
pub fn short(requests: &[Request], lost: &str) -> Vec<Short> {
    let live = requests.iter().filter(|r| !r.ended());
    let rows = live.flat_map(|r| r.holds.iter().map(move |(pool, grant)| (r, pool, grant)));
    let touched = rows.filter(|(_, _, grant)| grant.centres.contains_key(lost));
    touched
        .map(|(request, pool, grant)| Short {
            tenant: request.tenant().to_owned(),
            name: request.name().to_owned(),
            pool: pool.to_string(),
            granted: grant.n,
            keeps: keeps(grant, lost),
        })
        .filter(|s| !s.granted.fits(s.keeps))
        .collect()
}

/// What still fits into a pool as a grant with survival `Full` while that centre is lost: nothing where one centre or none
/// is left, because nothing would survive the next loss.
pub fn free_dual_active(pool: &Pool, ledger: &Ledger, lost: &str) -> Resources {
    let left: Vec<_> = pool.slots.iter().filter(|s| &*s.name != lost).collect();
    if left.len() < 2 {
        return Resources::ZERO;
    }
    let free = left.into_iter().map(|s| ledger.free(&pool.name, &s.name));
    free.reduce(Resources::each_min)
        .unwrap_or_default()
        .each_max(Resources::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Slot, SurvivalRule, parts};

    fn request(rule: SurvivalRule, slots: &[&str]) -> Request {
        let slots: Vec<Slot> = slots
            .iter()
            .map(|name| Slot {
                name: (*name).into(),
                weight: 1,
                primary: false,
            })
            .collect();
        let n = Resources {
            cpu: 10_000,
            ..Resources::ZERO
        };
        let object = serde_json::from_value(serde_json::json!({"apiVersion": "xiangyun.io/v1alpha1",
            "kind": "ResourceRequest", "metadata": {"name": "r", "namespace": "dept"},
            "spec": {"displayName": "r", "type": "New"}}));
        let mut request = Request::read(object.unwrap(), false).unwrap();
        let centres = parts(n, rule, &slots, 1);
        request.holds.insert("x86", PoolGrant { n, centres });
        request
    }

    #[test]
    fn only_what_was_sold_so_comes_short() {
        let lost = |rule, slots: &[&str]| short(&[request(rule, slots)], "jishi");
        let both = ["jishi", "jiyidong"];
        assert!(lost(SurvivalRule::Full, &both).is_empty());
        assert!(lost(SurvivalRule::None, &["jiyidong"]).is_empty());
        assert_eq!(lost(SurvivalRule::Percent(60), &both)[0].keeps.cpu, 6_000);
        assert_eq!(lost(SurvivalRule::None, &["jishi"])[0].keeps, Resources::ZERO);
    }
}
