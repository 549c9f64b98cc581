//! What a reader sees of the market: pools and a ledger put together from the published figures, so that `why` and
//! `quote` run the operator's own decisions without reading its ledger.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crds::{
    CapacitySource, CentreAmounts, DataCenter, ExpansionPhase, PoolQueue, QuotaPool, RequestApproval, ResourceRequest,
    Resources, Tenant, WaitingRequest, condition, find_condition, pool_reason, tenant_reason,
};
use jiff::Timestamp;
use jiff::civil::Date;
use plan::admission::Case;
use plan::applicant::{Applicant, Register, Standing};
use plan::by_name::{ByName, Name};
use plan::ceilings::Ceiling;
use plan::ledger::{CentreEntry, Ledger, PoolEntry, TenantEntry};
use plan::market::{Kept, Market};
use plan::phase::simulate::with;
use plan::pool::{Capacity, Pool};
use plan::request::Request;
use plan::subtree::Subtrees;
use plan::tenants::TenantFacts;

use crate::lang::both;

/// What was read of the province. `None` is what the reader may not see.
#[derive(Clone, Debug, Default)]
pub struct Province {
    /// Centres.
    pub centres: Option<Vec<DataCenter>>,
    /// Pools.
    pub pools: Option<Vec<QuotaPool>>,
    /// Phases of expansion; read only where they are looked at.
    pub phases: Vec<ExpansionPhase>,
    /// Queues.
    pub queues: Option<Vec<PoolQueue>>,
    /// Tenants: all, or the one that asks and those above it.
    pub tenants: Option<Vec<Tenant>>,
    /// Whether these are all tenants, so that one that is missing does not exist.
    pub every_tenant: bool,
    /// The request whose grant a `Change`, `Renew`, `Release` or `Keep` speaks of.
    pub target: Option<ResourceRequest>,
    /// Requests that may be seen, as `NAMESPACE/NAME` by uid; read only where it is asked who is ahead.
    pub names: BTreeMap<String, String>,
}

/// Pools, ledger and standing as the reader sees them.
#[derive(Clone, Debug, Default)]
pub struct Floor {
    /// Pools by name.
    pub pools: BTreeMap<String, Pool>,
    /// The published figures in the form of a ledger.
    pub ledger: Ledger,
    /// Its tenants with what their subtrees hold.
    pub subtrees: Subtrees,
    /// Tenants by name.
    pub tenants: BTreeMap<String, TenantFacts>,
    /// What is kept for others who have waited long.
    pub kept: Kept,
    /// Whether a tenant's place in the tree is valid.
    pub standing: Standing,
    /// The request whose grant is spoken of.
    pub target: Option<Request>,
    /// The day on which the reader asks.
    pub today: Date,
    /// Model of the cards of a pool.
    pub models: BTreeMap<String, String>,
    /// What could not be looked at, `English | 中文`.
    pub notes: Vec<String>,
}

impl Floor {
    /// Puts together what was read, for a request of `tenant`; `uid` is its own, if it was applied.
    pub fn new(province: &Province, tenant: &str, uid: Option<&str>, today: Date) -> Self {
        let mut floor = Self {
            target: province.target.clone().and_then(|t| Request::read(t, false).ok()),
            today,
            ..Self::default()
        };
        for queue in province.queues.iter().flatten() {
            floor.add_kept(queue, uid);
        }
        let centres = province.centres.as_deref().unwrap_or_default();
        for object in province.pools.iter().flatten() {
            floor.add_pool(object, centres, &province.phases, province.centres.is_some());
        }
        if province.pools.is_none() {
            floor.notes.push(both(
                "pools: you may not read them, so no figures",
                "资源池：无查看权限，不显示数字",
            ));
        }
        if province.queues.is_none() {
            floor.notes.push(both(
                "queues: you may not read them, so no position",
                "排队：无查看权限，不显示位置",
            ));
        }
        floor.add_tenants(province.tenants.as_deref().unwrap_or_default());
        if !province.every_tenant && !floor.ledger.tenants.contains_key(tenant) {
            floor.open_everything_to(tenant);
            let (en, zh) = (
                "you may not read this tenant, so ceilings are not checked",
                "无权查看该租户，未核对上限",
            );
            floor
                .notes
                .push(both(format!("{tenant}: {en}"), format!("{tenant}：{zh}")));
        }
        floor.subtrees = Subtrees::of(&floor.ledger);
        floor
    }

    /// The market that decisions look at.
    pub fn market(&self) -> Market<'_> {
        Market {
            pools: &self.pools,
            ledger: &self.ledger,
            subtrees: &self.subtrees,
            kept: &self.kept,
        }
    }

    /// A tenant as its requests are judged.
    pub fn applicant<'a>(&'a self, tenant: &'a str) -> Applicant<'a> {
        let register = Register {
            pools: &self.pools,
            tenants: &self.tenants,
            standing: &self.standing,
        };
        Applicant::of(tenant, register, &self.ledger, &self.subtrees)
    }

    /// The request as the operator judges it, with the decisions about it.
    pub fn case<'a>(&'a self, request: &'a Request, approvals: &'a [RequestApproval]) -> Case<'a> {
        let about = |a: &&RequestApproval| a.spec.request_ref.name == request.name();
        // What was not applied yet has no age: it may speak of whatever is there.
        let means = |t: &&Request| request.uid().is_empty() || request.speaks_of(t);
        Case {
            index: 0,
            request,
            tenant: Rc::new(self.applicant(request.tenant())),
            target: self.target.as_ref().filter(|t| t.is_live()).filter(means),
            approvals: approvals.iter().filter(about).collect(),
            today: self.today,
        }
    }

    /// The same once all of the phase is accepted, and those of the queues that are ahead of `uid` have taken what they ask
    /// wherever it fits.
    #[must_use]
    pub fn after(&self, phase: &ExpansionPhase, queues: &[PoolQueue], uid: &str) -> Self {
        let mut after = Self {
            pools: with(&self.pools, phase),
            ..self.clone()
        };
        for (name, pool) in &after.pools {
            let Some(entry) = after.ledger.pools.get_mut(name) else {
                continue;
            };
            for (centre, capacity) in &pool.capacity {
                if let Some(entry) = entry.centres.get_mut(centre) {
                    entry.committable = capacity.committable();
                }
            }
        }
        for queue in queues {
            after.serve(queue, uid);
        }
        after
    }

    fn serve(&mut self, queue: &PoolQueue, uid: &str) {
        let pool = queue.metadata.name.as_deref().unwrap_or_default();
        for waiting in ahead(queue, uid) {
            let charges = charges(&waiting.centres);
            let own = queue.spec.kept.as_ref().is_some_and(|k| k.uid == waiting.uid);
            let kept = own.then(|| self.kept.remove(pool)).flatten();
            let market = self.market();
            let fits = charges.iter().all(|(centre, charge)| {
                let free = market.free(pool, centre);
                charge.iter().all(|(r, v)| v <= 0 || v <= free[r])
            });
            if !fits {
                self.kept.extend(kept.map(|kept| (pool.to_owned(), kept)));
                continue;
            }
            for (centre, charge) in charges {
                let centres = self.ledger.pools.get_mut(pool).map(|p| &mut p.centres);
                if let Some(entry) = centres.and_then(|c| c.get_mut(centre)) {
                    entry.charged = entry.charged.plus(charge);
                }
            }
        }
    }

    /// What is kept for somebody else is not free.
    fn add_kept(&mut self, queue: &PoolQueue, uid: Option<&str>) {
        let Some(kept) = queue.spec.kept.as_ref().filter(|k| Some(k.uid.as_str()) != uid) else {
            return;
        };
        let centres = charges(&kept.centres).into_iter();
        let centres = centres.map(|(centre, amounts)| (centre.to_owned(), amounts)).collect();
        let pool = queue.metadata.name.clone().unwrap_or_default();
        self.kept.insert(pool, centres);
    }

    fn add_pool(&mut self, object: &QuotaPool, centres: &[DataCenter], phases: &[ExpansionPhase], all_seen: bool) {
        // Whether a report is too old was judged by the operator's clock; the reader's clock has no say.
        let Ok(mut pool) = Pool::read(object, centres, phases, Timestamp::MIN) else {
            return;
        };
        let mut reported = std::mem::take(&mut pool.capacity);
        let mut entry = PoolEntry {
            generation: pool.generation,
            ..PoolEntry::default()
        };
        for row in object.status.iter().flat_map(|s| &s.centres) {
            let f = &row.figures;
            let read = |a| Resources::try_from(a).unwrap_or_default();
            let capacity = Capacity {
                gross: read(&f.gross),
                reserved: read(&f.reserved),
                used: read(&f.used),
                report: 0,
                reported_at: row.reported_at.clone(),
                known: known(object, &row.name, centres, all_seen),
                ..reported.remove(&row.name).unwrap_or_default()
            };
            let (charged, committable) = (read(&f.charged), capacity.committable());
            pool.capacity.insert(row.name.clone(), capacity);
            entry.centres.insert(
                row.name.clone(),
                CentreEntry {
                    charged,
                    committable,
                    ..CentreEntry::default()
                },
            );
        }
        if let Some(card) = &object.spec.accelerator {
            self.models.insert(pool.name.to_string(), card.model.clone());
        }
        self.ledger.pools.insert(pool.name.to_string(), entry);
        self.pools.insert(pool.name.to_string(), pool);
    }

    /// A tenant publishes the sum of its subtree; its own part is that less its children's.
    fn add_tenants(&mut self, tenants: &[Tenant]) {
        let held = |t: &Tenant| -> ByName<Resources> {
            let rows = t.status.iter().flat_map(|s| &s.charged);
            rows.filter_map(|c| Some((c.pool.as_str(), Resources::try_from(&c.amounts).ok()?)))
                .collect()
        };
        for tenant in tenants {
            let name = tenant.metadata.name.clone().unwrap_or_default();
            let mut own = held(tenant);
            for child in tenants.iter().filter(|t| t.spec.parent_ref.as_deref() == Some(&name)) {
                for (pool, amounts) in &held(child) {
                    own.update(pool, |own| *own = own.minus(*amounts).each_max(Resources::ZERO));
                }
            }
            let facts = TenantFacts::read(tenant).unwrap_or_default();
            let entry = TenantEntry {
                parent: tenant.spec.parent_ref.clone(),
                generation: tenant.metadata.generation.unwrap_or_default(),
                ceilings: Arc::clone(&facts.ceilings),
                charged: own,
            };
            self.tenants.insert(name.clone(), facts);
            self.standing.insert(name.clone(), standing(tenant));
            self.ledger.tenants.insert(name, entry);
        }
    }

    fn open_everything_to(&mut self, tenant: &str) {
        let names = self.pools.values().map(|pool| Name::clone(&pool.name));
        let ceilings = Arc::new(names.map(|pool| (pool, Ceiling::plain(Resources::BOUNDLESS))).collect());
        self.ledger.tenants.insert(
            tenant.to_owned(),
            TenantEntry {
                ceilings,
                ..TenantEntry::default()
            },
        );
        self.standing.insert(tenant.to_owned(), Ok(()));
    }
}

/// Those of a queue that are served before `uid`; all of them, where it is not among them.
pub fn ahead<'a>(queue: &'a PoolQueue, uid: &str) -> impl Iterator<Item = &'a WaitingRequest> {
    queue.spec.waiting.iter().take_while(move |w| w.uid != uid)
}

/// What a queue says of centres, in numbers.
pub fn charges(rows: &[CentreAmounts]) -> BTreeMap<&str, Resources> {
    let read = |row: &CentreAmounts| Resources::try_from(&row.amounts).unwrap_or_default();
    rows.iter().map(|row| (row.name.as_str(), read(row))).collect()
}

/// Reasons under which the operator grants nothing to a tenant. A tenant that was not looked at yet is no such case.
fn standing(tenant: &Tenant) -> Result<(), String> {
    let conditions = tenant
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    let ready = find_condition(conditions, condition::READY);
    let bad = [
        tenant_reason::PARENT_MISSING,
        tenant_reason::CYCLE,
        tenant_reason::SECOND_ROOT,
        tenant_reason::ANCESTOR_INVALID,
        tenant_reason::MISCONFIGURED,
    ];
    match ready {
        Some(c) if bad.contains(&c.reason.as_str()) => Err(c.message.clone()),
        _ => Ok(()),
    }
}

/// Whether the operator sells against the pool in that centre, from what it published.
fn known(pool: &QuotaPool, centre: &str, centres: &[DataCenter], all_seen: bool) -> bool {
    let conditions = pool
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    let doubtful = find_condition(conditions, condition::READY)
        .is_some_and(|c| [pool_reason::CAPACITY_UNKNOWN, pool_reason::CENTRE_MISSING].contains(&c.reason.as_str()));
    let declared = pool
        .spec
        .centres
        .iter()
        .any(|c| c.name == centre && c.source == CapacitySource::Declared);
    let object = centres.iter().find(|c| c.metadata.name.as_deref() == Some(centre));
    if !doubtful {
        return true;
    }
    match object {
        None => !all_seen && declared,
        Some(_) if declared => true,
        Some(o) => o
            .status
            .as_ref()
            .is_some_and(|s| crds::condition_is_true(&s.conditions, condition::READY)),
    }
}
