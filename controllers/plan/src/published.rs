//! What the operator publishes besides conditions: the figures of pools, what tenants hold, the largest possible
//! grants, and the queues.

mod commitment;
mod limits;

use std::collections::BTreeMap;

use crds::{
    Amounts, CentreAmounts, CentrePool, EndingGrant, KeptAmounts, PoolAmounts, PoolFigures, PoolQueueSpec, Resources,
    WaitingRequest, pool_reason,
};

use crate::by_name::Name;
use crate::cycle::{CyclePlan, Snapshot, approved_at};
use crate::ledger::Ledger;
use crate::pool::{Capacity, Pool};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::subtree::{Node, Subtrees};
use crate::terms::free_from;

pub use commitment::commitment;
pub use limits::limits;

/// Figures of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Per centre.
    pub centres: Vec<CentrePool>,
    /// In total.
    pub total: PoolFigures,
    /// What still fits as a grant with survival `Full`.
    pub free_dual_active: Amounts,
    /// Centres whose capacity is not known.
    pub unknown: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    gross: Resources,
    reserved: Resources,
    charged: Resources,
    used: Resources,
}

impl Sum {
    fn plus(self, o: Self) -> Self {
        Self {
            gross: self.gross.plus(o.gross),
            reserved: self.reserved.plus(o.reserved),
            charged: self.charged.plus(o.charged),
            used: self.used.plus(o.used),
        }
    }

    fn committable(self) -> Resources {
        self.gross.minus(self.reserved)
    }

    fn figures(self, pool: &Pool) -> PoolFigures {
        PoolFigures {
            gross: printed(self.gross, pool),
            reserved: printed(self.reserved, pool),
            committable: printed(self.committable(), pool),
            charged: printed(self.charged, pool),
            free: printed(self.committable().minus(self.charged), pool),
            used: printed(self.used, pool),
        }
    }
}

/// The pool's own resources, zero or not: a figure that is left out would keep its old value in a merge.
fn printed(figure: Resources, pool: &Pool) -> Amounts {
    Amounts(
        pool.resources()
            .iter()
            .map(|r| ((*r).to_owned(), Resources::amount(r, figure[r])))
            .collect(),
    )
}

/// The figures of a pool: capacity from the reports, charges from the ledger.
pub fn figures(pool: &Pool, ledger: &Ledger) -> Figures {
    let mut total = Sum::default();
    let mut free: Option<Resources> = None;
    let (mut centres, mut unknown) = (Vec::new(), Vec::new());
    for slot in &pool.slots {
        let capacity = pool.capacity.get(&*slot.name);
        let charged = ledger
            .centre(&pool.name, &slot.name)
            .map_or(Resources::ZERO, |c| c.charged);
        let sum = Sum {
            gross: capacity.map_or(Resources::ZERO, |c| c.gross),
            reserved: capacity.map_or(Resources::ZERO, |c| c.reserved),
            used: capacity.map_or(Resources::ZERO, |c| c.used),
            charged,
        };
        if !pool.known_in(&slot.name) {
            unknown.push(slot.name.to_string());
        }
        let left = sum.committable().minus(charged).each_max(Resources::ZERO);
        free = Some(free.map_or(left, |f| f.each_min(left)));
        total = total.plus(sum);
        centres.push(CentrePool {
            name: slot.name.to_string(),
            figures: sum.figures(pool),
            reported_at: capacity.and_then(|c| c.reported_at.clone()),
        });
    }
    let free_dual_active = printed(free.unwrap_or_default(), pool);
    Figures {
        centres,
        total: total.figures(pool),
        free_dual_active,
        unknown,
    }
}

/// Whether a pool on `Drain` is empty, and who still holds of it, `English | 中文`. Of any other pool nothing is said, unless
/// it was `said` before.
pub fn drained(pool: &Pool, snapshot: &Snapshot, said: bool) -> Option<(bool, String)> {
    if pool.intake != crds::Intake::Drain {
        return said.then(|| (false, "the pool is not being drained | 未处于排空状态".to_owned()));
    }
    let holds = snapshot.requests.iter().filter(|r| r.holds.contains_key(&pool.name));
    let tenants: std::collections::BTreeSet<&str> = holds.clone().map(|r| r.tenant()).collect();
    let (grants, names) = (
        holds.count(),
        tenants.into_iter().take(5).collect::<Vec<_>>().join(", "),
    );
    if grants == 0 {
        let words = "no grant holds anything of it; it may be deleted | 已无配额占用，可以删除";
        return Some((true, words.to_owned()));
    }
    let words = format!(
        "{grants} grants still hold of it, of {names}; it empties as they are released or end | 仍有 {grants} 个配额占用（{names}），释放或到期后排空"
    );
    Some((false, words))
}

/// Whether nodes of the pool belong to a phase of expansion that is not accepted, the reason, and the words.
pub fn nodes_that_wait(pool: &Pool) -> (bool, &'static str, String) {
    let waiting = |(centre, capacity): (&String, &Capacity)| {
        let rows = capacity.waiting.iter();
        rows.map(|(phase, amounts)| format!("{phase}@{centre}: {amounts}"))
            .collect::<Vec<_>>()
    };
    let waiting: Vec<String> = pool.capacity.iter().flat_map(waiting).collect();
    if waiting.is_empty() {
        let words = "no node waits for the acceptance of its phase | 没有等待验收的节点";
        return (false, pool_reason::NOTHING_WAITS, words.to_owned());
    }
    let words = waiting.join("; ");
    let words = format!(
        "{words}: nodes of a phase that is unknown or not accepted here do not count; accept the phase, or correct the label xiangyun.io/phase | {words}：期次未知或未验收，节点暂不计入容量；请验收期次或更正节点标签"
    );
    (true, pool_reason::PHASE_NOT_ACCEPTED, words)
}

/// What the tenant's subtree holds.
pub fn tenant_charged(tenant: &str, subtrees: &Subtrees) -> Vec<PoolAmounts> {
    let sums = subtrees.node(tenant).into_iter().flat_map(Node::held);
    sums.map(|(pool, sum)| PoolAmounts {
        pool: pool.to_string(),
        amounts: sum.to_amounts(),
    })
    .collect()
}

/// The queue of each pool: the first 200 that wait, what is kept for one of them, and the next five ends.
pub fn queues(snapshot: &Snapshot, plan: &CyclePlan) -> BTreeMap<String, PoolQueueSpec> {
    let mut queues: BTreeMap<String, PoolQueueSpec> = snapshot
        .pools
        .keys()
        .map(|name| (name.clone(), PoolQueueSpec::default()))
        .collect();
    for index in &plan.order {
        let (Some(request), Some(assessment)) = (snapshot.requests.get(*index), plan.assessment(*index)) else {
            continue;
        };
        if !assessment.refusal.as_ref().is_some_and(Refusal::waits) {
            continue;
        }
        for choice in &assessment.choices {
            let Some(queue) = queues.get_mut(&*choice.pool).filter(|q| q.waiting.len() < 200) else {
                continue;
            };
            let approved_at = approved_at(request, assessment);
            queue.waiting.push(WaitingRequest {
                uid: request.uid().to_owned(),
                priority: request.object().spec.priority,
                approved_at: approved_at.map(|at| at.to_string()).unwrap_or_default(),
                centres: by_centre(choice.grant.centres.keys().map(|c| (c, choice.added(c)))),
            });
        }
    }
    for (pool, keeper) in &plan.keepers {
        if let Some(queue) = queues.get_mut(pool) {
            queue.kept = Some(KeptAmounts::from(keeper));
        }
    }
    ends(snapshot, &mut queues);
    queues
}

/// The next five grants of each pool that end, by the first day on which they are free.
fn ends(snapshot: &Snapshot, queues: &mut BTreeMap<String, PoolQueueSpec>) {
    let free = |request: &Request| {
        // Where the tenant cannot be read its days of grace are not known, and nothing ends.
        let grace = snapshot.tenants.get(request.tenant())?.grace_days;
        free_from(request, grace)
    };
    let live = snapshot.requests.iter().filter(|r| !r.holds.is_empty() && !r.ended());
    let mut ends: Vec<_> = live.filter_map(|r| Some((free(r)?, r.uid(), &r.holds))).collect();
    ends.sort_by_key(|(date, uid, _)| (*date, *uid));
    for (date, _, holds) in ends {
        for (pool, grant) in holds {
            if let Some(queue) = queues.get_mut(&**pool).filter(|q| q.ends.len() < 5) {
                queue.ends.push(EndingGrant {
                    date: date.to_string(),
                    centres: by_centre(grant.centres.iter().map(|(c, part)| (c, part.charge()))),
                });
            }
        }
    }
}

/// What is charged, by centre; what falls is no charge.
fn by_centre<'a>(charges: impl Iterator<Item = (&'a Name, Resources)>) -> Vec<CentreAmounts> {
    let row = |(name, charge): (&Name, Resources)| CentreAmounts {
        name: name.to_string(),
        amounts: charge.each_max(Resources::ZERO).to_amounts(),
    };
    charges.map(row).collect()
}
