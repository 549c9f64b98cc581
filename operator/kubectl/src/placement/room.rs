//! How many copies there is room for, and how much more would have to be granted.

use crds::{Amounts, DualActivePlacement, PlacedObject, Resources, TemplateKind};
use plan::placement::decide::{Held, Obstacle};
use plan::placement::fit;
use plan::pool::{Pool, Sort};
use plan::quota::{SurvivalRule, parts};
use serde::Serialize;

use super::scene::{Scene, scope};

/// The room for one workload beside the rest of the placement as its spec asks it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Kind.
    pub kind: TemplateKind,
    /// Its name.
    pub name: String,
    /// What one copy takes.
    pub each: Amounts,
    /// Copies that the template asks, or what the centres hold of it where that is more.
    pub wanted: i64,
    /// How many of them fit now, over all centres.
    pub fits: i64,
    /// Centre by centre.
    pub centres: Vec<RoomHere>,
}

/// The room in one centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomHere {
    /// Centre.
    pub name: String,
    /// Copies that the division gives it.
    pub wanted: i64,
    /// Copies that fit there now.
    pub fits: i64,
}

/// Workload by workload.
///
/// # Errors
/// What stands in the way before room counts.
pub fn rooms(scene: &Scene, placement: &DualActivePlacement) -> Result<Vec<Room>, Obstacle> {
    let target = scene.target(placement)?;
    let asked = scene.holds(placement, &target);
    let free = free(scene, placement);
    let room = |object: &PlacedObject| {
        let each = scene.each(placement, object);
        let centres = target.centres.iter().filter_map(|centre| {
            let wanted = centre.copies_of(object)?;
            let of = |held: &Held| held.get(&centre.name).copied().unwrap_or_default();
            let rest = of(&asked).minus(fit::times(each, wanted));
            let fits =
                fit::how_many(each, of(&free).minus(rest)).map_or(wanted, |n| i64::try_from(n).unwrap_or(i64::MAX));
            Some((centre.name.clone(), wanted, fits))
        });
        let centres: Vec<_> = centres.collect();
        let wanted: i64 = centres.iter().map(|c| c.1).sum();
        let capped = centres.into_iter().map(|(name, share, fits)| RoomHere {
            name,
            wanted: share,
            // More than all of them fits nowhere.
            fits: fits.min(wanted),
        });
        let centres: Vec<_> = capped.collect();
        Room {
            kind: object.kind.clone(),
            name: object.name.clone(),
            each: each.to_amounts(),
            wanted,
            fits: centres.iter().map(|c| c.fits).sum::<i64>().min(wanted),
            centres,
        }
    };
    Ok(target
        .objects
        .iter()
        .filter(|o| o.kind.has_copies())
        .map(room)
        .collect())
}

/// What the grants let in beyond other placements, by centre.
fn free(scene: &Scene, placement: &DualActivePlacement) -> Held {
    let others = scene.others(placement);
    let granted = scene.grants.get(&scope(placement));
    let centres = placement.spec.centres.iter().map(|c| {
        let given = granted.and_then(|g| g.centres.get(&c.name));
        let taken = others.get(&c.name).copied().unwrap_or_default();
        (
            c.name.clone(),
            given.map(|r| r.in_force).unwrap_or_default().minus(taken),
        )
    });
    centres.collect()
}

/// The smallest grant with survival `Full` that would let in what is short, in whole vCPU, Gi and cards; and whether the
/// pool has room for it, which `free` tells by centre. `None` where nothing is short, or where no size helps.
pub fn more(
    scene: &Scene,
    placement: &DualActivePlacement,
    pool: &Pool,
    free_in_pool: impl Fn(&str) -> Resources,
) -> Option<(Resources, bool)> {
    let target = scene.target(placement).ok()?;
    let free = free(scene, placement);
    let short: Held = scene
        .holds(placement, &target)
        .into_iter()
        .map(|(centre, asked)| {
            let room = free.get(&centre).copied().unwrap_or_default();
            let lacks = |missing: i128, asked: i128| if asked > 0 { missing.max(0) } else { 0 };
            (centre, asked.minus(room).zip(asked, lacks))
        })
        .collect();
    if short.values().all(|s| s.is_zero()) {
        return None;
    }
    let enough = |n: Resources| {
        let parts = parts(n, SurvivalRule::Full, &pool.slots, 1);
        short
            .iter()
            .all(|(centre, short)| short.is_zero() || parts.get(centre).is_some_and(|p| short.fits(p.share)))
    };
    let n = smallest(pool, &short, enough)?;
    let charged = parts(n, SurvivalRule::Full, &pool.slots, 1);
    let has_room = charged
        .iter()
        .all(|(centre, part)| part.charge().fits(free_in_pool(centre)));
    Some((n, has_room))
}

/// Steps in which an amount is asked.
fn step(resource: &str) -> i128 {
    match resource {
        "cpu" => 1000,
        "accelerators" => 1,
        _ => 1 << 30,
    }
}

/// Most steps that are tried: a million vCPU, or as many cards.
const MOST: i128 = 1 << 20;

fn smallest(pool: &Pool, short: &Held, enough: impl Fn(Resources) -> bool) -> Option<Resources> {
    if let Sort::Accelerator { per_unit, .. } = &pool.sort {
        // CPU and memory come with the cards.
        let cards = |count: i128| per_unit.zip(Resources::ZERO, |unit, _| unit * count);
        return least(|count| {
            enough(Resources {
                accelerators: count,
                ..cards(count)
            })
        })
        .map(|count| Resources {
            accelerators: count,
            ..cards(count)
        });
    }
    let lacking = |resource: &str| short.values().any(|s| s[resource] > 0);
    let only: Vec<&'static str> = Resources::NAMES.into_iter().filter(|r| lacking(r)).collect();
    // Resources do not touch each other here, so each is looked for while there is more than enough of the others.
    let plenty = only.iter().fold(Resources::ZERO, |mut all, r| {
        all[r] = MOST * step(r);
        all
    });
    let mut n = Resources::ZERO;
    for resource in only {
        let count = least(|count| {
            let mut tried = plenty;
            tried[resource] = count * step(resource);
            enough(tried)
        })?;
        n[resource] = count * step(resource);
    }
    Some(n)
}

/// The smallest count that does; halving finds it, because more never does less.
fn least(does: impl Fn(i128) -> bool) -> Option<i128> {
    if !does(MOST) {
        return None;
    }
    let (mut low, mut high) = (0, MOST);
    while low < high {
        let middle = low + (high - low) / 2;
        if does(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}
