//! What a pool would give: over all its centres, or with survival `None` in the one that suits best.

use crds::{Resources, request_reason as reason};

use super::{Asker, Because, Choice, Market, Stall, homes, largest};
use crate::by_name::Name;
use crate::cards;
use crate::needs::Need;
use crate::pool::{Pool, in_words};
use crate::quota::{PoolGrant, Slot, SurvivalRule, parts};
use crate::refusal::Refusal;

/// A choice that could be made, and where.
pub(super) struct Offer<'a> {
    pub(super) choice: Choice,
    pub(super) pool: &'a Pool,
    stall: Stall<'a>,
}

impl Offer<'_> {
    pub(super) fn room(&self) -> Resources {
        fold_min(self.choice.grant.centres.keys().map(|c| self.stall.free(c)))
    }

    pub(super) fn committable(&self) -> Resources {
        let of = |c: &Name| self.stall.committable(c).unwrap_or_default();
        fold_min(self.choice.grant.centres.keys().map(of))
    }

    /// Whether it could not be held even by the empty pool.
    pub(super) fn exceeds(&self) -> bool {
        self.choice.exceeds(self.pool, self.stall)
    }

    /// Which of several centres suits: where it fits now, then where it can fit at all, then one that is known, the one with
    /// the most room, the primary. Room goes last but one: it is compared resource by resource, CPU first.
    fn rank(&self) -> (bool, bool, bool, Resources, bool) {
        let here = |s: &Slot| self.choice.grant.centres.contains_key(&s.name);
        (
            self.choice.fits,
            !self.exceeds(),
            self.choice.unknown(Some(self.pool)).is_none(),
            self.room(),
            self.pool.slots.iter().any(|s| s.primary && here(s)),
        )
    }

    /// The largest grant that this pool could ever give to whoever asks.
    fn largest(&self, asker: Asker<'_>, rule: SurvivalRule) -> Resources {
        let centre = only_centre(asker, rule, Some(&self.choice.base));
        let committable = |centre: &str| self.stall.committable(centre);
        let of = |home: &[Slot]| largest(home, rule, self.choice.block, committable);
        let homes = homes(self.pool, rule).filter(|home| lies_in(home, centre));
        homes.map(of).reduce(Resources::each_max).unwrap_or_default()
    }
}

fn fold_min(values: impl Iterator<Item = Resources>) -> Resources {
    values.reduce(Resources::each_min).unwrap_or_default()
}

/// What the pool would give, whether or not it fits now; nothing where a pool without centres was named.
pub(super) fn offer<'a>(
    pool: &'a Pool,
    need: &Need,
    asker: Asker<'_>,
    rule: SurvivalRule,
    market: Market<'a>,
) -> Option<Offer<'a>> {
    let held = asker.base.get(&pool.name);
    let centre = only_centre(asker, rule, held);
    let stall = market.stall(&pool.name);
    let n = pool.with_cards(need.amounts());
    let offers = homes(pool, rule).filter(|home| lies_in(home, centre)).map(|home| {
        let mut choice = Choice {
            pool: Name::clone(&pool.name),
            because: Because::Only,
            grant: PoolGrant {
                n,
                centres: parts(n, rule, home, need.block()),
            },
            base: held.cloned().unwrap_or_default(),
            block: need.block(),
            fits: false,
        };
        choice.fits = choice.fits_now(pool, stall);
        Offer { choice, pool, stall }
    });
    // There mostly is one, which nothing need be asked about.
    offers.max_by(|a, b| a.rank().cmp(&b.rank()))
}

/// With survival `None` the centre that was named, or that the grant lives in; nothing where any will do.
fn only_centre<'a>(asker: Asker<'a>, rule: SurvivalRule, held: Option<&'a PoolGrant>) -> Option<&'a str> {
    if rule != SurvivalRule::None {
        return None;
    }
    let lives = held
        .filter(|h| h.centres.len() == 1)
        .and_then(|h| h.centres.keys().next());
    asker.wish.centre.as_deref().or(lives.map(|name| &**name))
}

fn lies_in(home: &[Slot], centre: Option<&str>) -> bool {
    centre.is_none_or(|centre| home.iter().all(|s| &*s.name == centre))
}

/// Why none of the offers could ever be held, with the largest grant that any of them could give.
pub(super) fn never_fits(need: &Need, asker: Asker<'_>, rule: SurvivalRule, offers: &[Offer<'_>]) -> Refusal {
    let of_nodes = offers.iter().find_map(|offer| cards::never(&offer.choice, offer.pool));
    let fits_nowhere = |(resource, wanted): (&'static str, i128)| {
        let all = offers.iter().map(|o| (o, o.largest(asker, rule)[resource]));
        let (offer, most) = all.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        (wanted > most).then(|| beyond(offer, resource, wanted, most))
    };
    // Each resource may have a pool or a centre with enough of it, and none enough of all: then the first of them says.
    let never_together = || {
        let offer = offers.first()?;
        let limit = offer.largest(asker, rule);
        let here = if rule == SurvivalRule::None {
            offer.committable()
        } else {
            limit
        };
        [limit, here].into_iter().find_map(|limit| {
            let (resource, wanted) = need.amounts().iter().find(|(r, v)| *v > limit[r])?;
            Some(beyond(offer, resource, wanted, limit[resource]))
        })
    };
    let text = need.amounts().iter().find_map(fits_nowhere).or_else(never_together);
    let fallback = || {
        let what = need.in_words();
        format!("{what}: larger than any pool; it will never fit | 超过可授予上限，等待也无法满足")
    };
    Refusal::new(reason::EXCEEDS_MAX_QUOTA, text.or(of_nodes).unwrap_or_else(fallback))
}

/// What is asked and the largest grant of that pool, `English | 中文`.
fn beyond(offer: &Offer<'_>, resource: &str, wanted: i128, limit: i128) -> String {
    let (pool, wanted, limit) = (&offer.pool.name, in_words(resource, wanted), in_words(resource, limit));
    format!(
        "{pool}: asked {wanted}, largest possible grant {limit}; it will never fit, ask for less or for a lower survival | 申请 {wanted}，可授予上限 {limit}，等待也无法满足"
    )
}
