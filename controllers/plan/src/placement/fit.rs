//! Whether copies fit into what the tenant was granted in the pool, in each centre and in the worst case in one alone.

use std::collections::{BTreeMap, BTreeSet};

use crds::{InForce, ResourceRequest, Resources};

/// What the live grants of one tenant give in one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Granted in all, counted once.
    pub amounts: Resources,
    /// By centre.
    pub centres: BTreeMap<String, Room>,
    /// Highest MLPS level of the systems that it was granted for.
    pub level: i32,
}

/// What they give in one centre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// What its quota lets in now.
    pub in_force: Resources,
    /// What it holds alone.
    pub survival: Resources,
}

/// Tenant and pool.
pub type Scope = (String, String);

/// One request's live grant, read once.
pub type Read = Vec<(Scope, Granted)>;

/// What a request's grant gives, pool by pool; nothing where it has none, where it ended or cannot be read.
pub fn read(request: &ResourceRequest) -> Read {
    let Some(tenant) = request.metadata.namespace.clone() else {
        return Vec::new();
    };
    let allocation = request
        .status
        .as_ref()
        .and_then(|s| s.allocation.as_ref())
        .filter(|a| a.ended.is_none());
    let pools = allocation.iter().flat_map(|a| &a.pools);
    pools
        .filter_map(|pool| {
            let mut granted = Granted {
                amounts: Resources::try_from(&pool.amounts).ok()?,
                level: request.spec.compliance.as_ref().map_or(0, |c| c.mlps_level),
                ..Granted::default()
            };
            for centre in &pool.centres {
                let share = Resources::try_from(&centre.share).ok()?;
                let survival = Resources::try_from(&centre.survival).ok()?;
                let in_force = match centre.in_force {
                    InForce::Share => share,
                    InForce::Survival => survival,
                };
                granted.centres.insert(centre.name.clone(), Room { in_force, survival });
            }
            Some(((tenant.clone(), pool.name.clone()), granted))
        })
        .collect()
}

/// All grants, by tenant and pool.
pub fn sum<'a>(grants: impl IntoIterator<Item = &'a Read>) -> BTreeMap<Scope, Granted> {
    sum_while(grants, &BTreeSet::new())
}

/// The same while centres are away: where another centre of a grant is, what the grant keeps for that is in force.
pub fn sum_while<'a>(grants: impl IntoIterator<Item = &'a Read>, away: &BTreeSet<String>) -> BTreeMap<Scope, Granted> {
    let mut all: BTreeMap<Scope, Granted> = BTreeMap::new();
    for (scope, granted) in grants.into_iter().flatten() {
        let slot = all.entry(scope.clone()).or_default();
        slot.amounts = slot.amounts.plus(granted.amounts);
        slot.level = slot.level.max(granted.level);
        for (centre, room) in &granted.centres {
            let alone = away.iter().any(|a| a != centre && granted.centres.contains_key(a));
            let in_force = if alone {
                room.in_force.each_max(room.survival)
            } else {
                room.in_force
            };
            let mine = slot.centres.entry(centre.clone()).or_default();
            mine.in_force = mine.in_force.plus(in_force);
            mine.survival = mine.survival.plus(room.survival);
        }
    }
    all
}

/// The same where each centre is alone: what the grants keep for that is in force.
pub fn while_alone(grants: &BTreeMap<Scope, Granted>) -> BTreeMap<Scope, Granted> {
    let mut all = grants.clone();
    for room in all.values_mut().flat_map(|granted| granted.centres.values_mut()) {
        room.in_force = room.in_force.each_max(room.survival);
    }
    all
}

/// So many times as much.
pub fn times(each: Resources, copies: i64) -> Resources {
    each.zip(Resources::ZERO, |amount, _| amount.saturating_mul(i128::from(copies)))
}

/// How many copies fit into `room`; `None` where a copy takes nothing.
pub fn how_many(each: Resources, room: Resources) -> Option<i128> {
    let each_room = each.iter().zip(room.iter()).filter(|((_, amount), _)| *amount > 0);
    each_room.map(|((_, amount), (_, room))| room.max(0) / amount).min()
}

/// The copies of `copies` that a centre must hold alone: all of them, or the part that the grants keep for that.
pub fn survival(copies: i64, granted: &Granted, centre: &str) -> i64 {
    let kept = granted.centres.get(centre).map(|r| r.survival).unwrap_or_default();
    let part = granted.amounts.iter().zip(kept.iter()).find(|((_, all), _)| *all > 0);
    let Some(((_, all), (_, kept))) = part else { return 0 };
    let exact = i128::from(copies) * kept.min(all);
    i64::try_from((exact + all - 1) / all).unwrap_or(copies)
}

/// The copies of `copies`, each of that size, that a centre carries alone with its part of what the grants keep for that.
pub fn carries(copies: i64, each: Resources, granted: &Granted, centre: &str) -> i64 {
    let kept = granted.centres.get(centre).map(|r| r.survival).unwrap_or_default();
    let amounts = granted.amounts.iter().zip(kept.iter()).zip(each.iter());
    let parts = amounts.filter(|(((_, all), _), (_, each))| *all > 0 && *each > 0);
    let least = parts
        .map(|(((_, all), (_, kept)), _)| i128::from(copies) * kept.min(all) / all)
        .min();
    least.map_or(copies, |n| i64::try_from(n).unwrap_or(copies))
}

#[cfg(test)]
mod tests {
    use super::super::testing::cpu;
    use super::*;

    #[test]
    fn grants_add_up_and_ended_ones_do_not_count() {
        let request = |ended: &str| {
            let text = format!(
                r#"{{"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest", "metadata": {{"name": "r", "namespace": "dept"}},
                "spec": {{"displayName": "r", "type": "New"}},
                "status": {{"allocation": {{"ledger": "l", "epoch": 1, {ended} "pools": [{{"name": "x86", "amounts": {{"cpu": "8"}},
                "centres": [{{"name": "a", "share": {{"cpu": "4"}}, "survival": {{"cpu": "8"}}}}]}}]}}}}}}"#
            );
            read(&serde_json::from_str(&text).unwrap())
        };
        let all = sum(&[request(""), request(""), request(r#""ended": "2026-11-01T00:00:00Z","#)]);
        let granted = &all[&("dept".to_owned(), "x86".to_owned())];
        assert_eq!(granted.amounts, cpu(16));
        assert_eq!(
            granted.centres["a"],
            Room {
                in_force: cpu(8),
                survival: cpu(16)
            }
        );
        // Its only centre is away: nothing else holds anything of it.
        let away = ["a".to_owned()].into();
        let one = sum_while(&[request("")], &away);
        assert_eq!(
            one[&("dept".to_owned(), "x86".to_owned())].centres["a"].in_force,
            cpu(4)
        );
    }

    #[test]
    fn what_is_kept_is_in_force_while_another_centre_is_away() {
        let room = Room {
            in_force: cpu(4),
            survival: cpu(8),
        };
        let granted = Granted {
            amounts: cpu(8),
            centres: ["a", "b"].map(|c| (c.to_owned(), room)).into(),
            level: 2,
        };
        let scope = ("dept".to_owned(), "x86".to_owned());
        let read = vec![(scope.clone(), granted)];
        let all = sum_while([&read], &["a".to_owned()].into());
        let in_force = |centre: &str| all[&scope].centres[centre].in_force;
        assert_eq!((in_force("a"), in_force("b")), (cpu(4), cpu(8)));
    }

    #[test]
    fn a_survival_of_sixty_percent_keeps_as_many_copies() {
        let room = Room {
            in_force: cpu(5),
            survival: cpu(6),
        };
        let granted = Granted {
            amounts: cpu(10),
            centres: [("a".to_owned(), room)].into(),
            level: 2,
        };
        assert_eq!(survival(4, &granted, "a"), 3);
        assert_eq!(survival(4, &granted, "b"), 0);
    }

    #[test]
    fn copies_that_fit() {
        assert_eq!(how_many(cpu(2), cpu(7)), Some(3));
        assert_eq!(how_many(Resources::ZERO, cpu(7)), None);
        assert_eq!(times(cpu(2), 3), cpu(6));
    }
}
