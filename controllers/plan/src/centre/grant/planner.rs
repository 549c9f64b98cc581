//! The planner: requests are read into parts, parts are gathered by namespace, namespaces are settled one by one.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Allocation, AllocationPool, AmountError, CentreShare, InForce, ResourceRequest, Resources, Tenant};
use jiff::Timestamp;

use super::{Absent, Answer, Place, Plan, Refusal, Snapshot, Standing, Wanted};
use crate::centre::catalogue::{Catalogue, PoolFacts};
use crate::centre::quota::{self, Granted};
use crate::centre::rows::Reason;
use crate::centre::stage::Write;

/// Longest name of a namespace.
const LONGEST_NAME: usize = 63;

/// A part of a grant that goes to one namespace.
struct Part {
    answer: usize,
    pool: String,
    since: String,
    amounts: Resources,
}

/// A namespace that somebody needs, or that we made.
struct Claim {
    tenant: String,
    parts: Vec<Part>,
}

/// Decides what the centre should look like.
pub fn plan(s: &Snapshot<'_>) -> Plan {
    let mut planner = Planner {
        s,
        catalogue: Catalogue::read(s.pools),
        tenants: s
            .tenants
            .iter()
            .filter_map(|t| Some((t.metadata.name.as_deref()?, t)))
            .collect(),
        claims: BTreeMap::new(),
        unclear: BTreeMap::new(),
        out: Plan {
            floors: s.floors.clone(),
            ..Plan::default()
        },
    };
    for (name, standing) in s.namespaces {
        let ours = |t: &&String| {
            standing.made && (name == *t || name.strip_prefix(t.as_str()).is_some_and(|r| r.starts_with('-')))
        };
        if let Some(tenant) = standing.tenant.as_ref().filter(ours) {
            planner.claims.insert(
                name.clone(),
                Claim {
                    tenant: tenant.clone(),
                    parts: Vec::new(),
                },
            );
        }
    }
    let key = |r: &ResourceRequest| Some((r.metadata.namespace.clone()?, r.metadata.name.clone()?));
    let requests: BTreeMap<_, _> = s.requests.iter().filter_map(|r| Some((key(r)?, r))).collect();
    for ((tenant, name), request) in &requests {
        planner.read(tenant, name, request);
    }
    let known: BTreeSet<_> = requests.into_keys().collect();
    for (name, claim) in std::mem::take(&mut planner.claims) {
        planner.settle(name, claim, &known);
    }
    planner.hold();
    planner.record();
    planner.out
}

struct Planner<'a> {
    s: &'a Snapshot<'a>,
    catalogue: Catalogue,
    tenants: BTreeMap<&'a str, &'a Tenant>,
    claims: BTreeMap<String, Claim>,
    /// Grants that could not be followed, and why: a namespace that counts one of them is held.
    unclear: BTreeMap<(String, String), String>,
    out: Plan,
}

impl Planner<'_> {
    /// One request: an answer, and a part for each namespace it needs.
    fn read(&mut self, tenant: &str, name: &str, request: &ResourceRequest) {
        let Some(status) = &request.status else { return };
        let Some(allocation) = &status.allocation else { return };
        let row = status.centres.iter().find(|r| r.name == self.s.centre);
        let mut places: Vec<Place> = Vec::new();
        // A centre that never saw a grant confirms its lowering, too.
        let pools = allocation.pools.iter().chain(&allocation.before);
        let pools = pools.filter(|p| self.here(p)).map(|p| p.name.as_str());
        for pool in pools.chain(row.iter().flat_map(|r| r.used.iter().map(|u| u.pool.as_str()))) {
            if places.iter().all(|p| p.pool != pool) {
                places.push(Place {
                    pool: pool.to_owned(),
                    namespace: self.catalogue.namespace(tenant, pool),
                });
            }
        }
        if places.is_empty() && row.is_none() {
            return;
        }
        let answer = self.out.answers.len();
        self.out.answers.push(Answer {
            tenant: tenant.to_owned(),
            request: name.to_owned(),
            record: allocation.record.clone(),
            epoch: allocation.epoch,
            refusal: None,
            places,
            ended: allocation.ended.is_some(),
            pending: lowering(request, allocation),
        });
        let applied =
            row.is_some_and(|r| r.record == allocation.record) || self.stands(tenant, name, &allocation.record);
        let floor = self.s.floors.of(&allocation.ledger);
        if allocation.epoch < floor && !applied {
            let message = format!(
                "epoch {} is older than {floor}, the highest seen here; the operator in office has to confirm the grant | epoch {} 低于已见到的 {floor}，须由当前控制器重新确认",
                allocation.epoch, allocation.epoch
            );
            self.unclear
                .insert((tenant.to_owned(), name.to_owned()), message.clone());
            return self.refuse(answer, Reason::StaleEpoch, message);
        }
        self.out.floors.raise(&allocation.ledger, allocation.epoch);
        if allocation.ended.is_none() {
            self.claim(answer, allocation);
        }
    }

    /// Whether the pool's entry of an allocation speaks of this centre.
    fn here(&self, pool: &AllocationPool) -> bool {
        pool.centres.iter().any(|c| c.name == self.s.centre)
    }

    /// Whether a namespace of the tenant already counts that record.
    fn stands(&self, tenant: &str, request: &str, record: &str) -> bool {
        self.s
            .namespaces
            .values()
            .any(|n| n.tenant.as_deref() == Some(tenant) && n.grants.get(request).is_some_and(|r| r == record))
    }

    fn refuse(&mut self, answer: usize, reason: Reason, message: String) {
        if let Some(answer) = self.out.answers.get_mut(answer) {
            answer.refusal.get_or_insert(Refusal { reason, message });
        }
    }

    /// What a grant gives in this centre: its share, and as much as it must be able to carry alone while it carries the
    /// load of another centre of the grant.
    fn in_force(&self, pool: &AllocationPool, centre: &CentreShare) -> Result<Resources, AmountError> {
        let (share, survival) = (
            Resources::try_from(&centre.share)?,
            Resources::try_from(&centre.survival)?,
        );
        let carries = pool
            .centres
            .iter()
            .any(|c| c.name != centre.name && self.s.carried.contains(&c.name));
        Ok(match centre.in_force {
            InForce::Share if carries => share.zip(survival, i128::max),
            InForce::Share => share,
            InForce::Survival => survival,
        })
    }

    /// Adds what a live grant gives here to the namespaces it goes to.
    fn claim(&mut self, answer: usize, allocation: &Allocation) {
        let Some((tenant, name)) = self
            .out
            .answers
            .get(answer)
            .map(|a| (a.tenant.clone(), a.request.clone()))
        else {
            return;
        };
        let mut parts = Vec::new();
        for pool in &allocation.pools {
            for centre in pool.centres.iter().filter(|c| c.name == self.s.centre) {
                let read = match (self.catalogue.get(&pool.name), self.in_force(pool, centre)) {
                    (None, _) => Err(format!("pool {0} is not known here | 未知资源池 {0}", pool.name)),
                    (_, Err(error)) => Err(error.to_string()),
                    (_, Ok(amounts)) => Ok(amounts),
                };
                match read {
                    Ok(amounts) => parts.push((pool.name.clone(), amounts)),
                    Err(message) => {
                        self.unclear.insert((tenant.clone(), name.clone()), message.clone());
                        return self.refuse(answer, Reason::ApplyFailed, message);
                    }
                }
            }
        }
        for (pool, amounts) in parts {
            let namespace = self.catalogue.namespace(&tenant, &pool);
            let part = Part {
                answer,
                pool,
                since: allocation.from.clone().unwrap_or_default(),
                amounts,
            };
            if let Err((reason, message)) = self.admit(&tenant, &namespace) {
                self.refuse(answer, reason, message);
            } else {
                let claim = Claim {
                    tenant: tenant.clone(),
                    parts: Vec::new(),
                };
                self.claims.entry(namespace).or_insert(claim).parts.push(part);
            }
        }
    }

    /// Whether the tenant may have the namespace of that name.
    fn admit(&self, tenant: &str, namespace: &str) -> Result<(), (Reason, String)> {
        if namespace.len() > LONGEST_NAME {
            let message = format!(
                "namespace {namespace} would have {} characters, {LONGEST_NAME} are possible; use a shorter pool name | 命名空间名称过长（上限 {LONGEST_NAME}）",
                namespace.len()
            );
            return Err((Reason::ApplyFailed, message));
        }
        if !self.tenants.contains_key(tenant) {
            return Err((
                Reason::ApplyFailed,
                format!("tenant {tenant} does not exist in the hub | 租户 {tenant} 不存在"),
            ));
        }
        let owner = match (self.s.namespaces.get(namespace), self.claims.get(namespace)) {
            (Some(standing), _) if standing.tenant.as_deref() != Some(tenant) => &standing.owner,
            (_, Some(claim)) if claim.tenant != tenant => &claim.tenant,
            _ => return Ok(()),
        };
        Err((
            Reason::Conflict,
            format!(
                "namespace {namespace} exists and belongs to {owner}; rename or remove it | 命名空间 {namespace} 已存在，属于 {owner}"
            ),
        ))
    }

    /// One namespace: what it should be, or why it is held.
    fn settle(&mut self, name: String, claim: Claim, known: &BTreeSet<(String, String)>) {
        let s = self.s;
        let confirmed = s.confirmed.contains(&name);
        if let Some(withheld) = s.stage.withholds(Write::Decision { confirmed }) {
            let message = withheld.about_namespace(s.centre, &name);
            let reason = withheld.of_grant();
            self.out.withheld.insert(name, Refusal { reason, message });
            return;
        }
        let standing = s.namespaces.get(&name);
        let tenant_gone = !self.tenants.contains_key(claim.tenant.as_str());
        if let Some(why) = self.doubt(&claim.tenant, standing, known, tenant_gone) {
            self.out.held.insert(name, why);
            return;
        }
        let pool = self.compute_pool(standing, &claim.parts);
        let mut granted = Granted::new();
        let mut wanted = Wanted {
            tenant: claim.tenant.clone(),
            ..Wanted::default()
        };
        for part in claim.parts {
            if self.catalogue.get(&part.pool).is_some_and(PoolFacts::is_compute) && pool.as_ref() != Some(&part.pool) {
                let runs = pool.as_deref().unwrap_or_default();
                let message = format!(
                    "namespace {name} runs on pool {runs}; pool {0} needs separateNamespace | 命名空间 {name} 已使用资源池 {runs}，资源池 {0} 须设置 separateNamespace",
                    part.pool
                );
                self.refuse(part.answer, Reason::Conflict, message);
                continue;
            }
            let sum = granted.entry(part.pool).or_insert(Resources::ZERO);
            *sum = sum.plus(part.amounts);
            if let Some(answer) = self.out.answers.get(part.answer) {
                wanted.grants.insert(answer.request.clone(), answer.record.clone());
                wanted.epoch = wanted.epoch.max(Some(answer.epoch));
            }
        }
        wanted.pool = pool;
        wanted.hard = quota::hard(&granted, &self.catalogue);
        wanted.administrators = self
            .tenants
            .get(claim.tenant.as_str())
            .map(|t| t.spec.administrators.clone())
            .unwrap_or_default();
        self.out.namespaces.insert(name, wanted);
    }

    /// Why the namespace must stay as it is; asks for what the hub has to confirm.
    fn doubt(
        &mut self,
        tenant: &str,
        standing: Option<&Standing>,
        known: &BTreeSet<(String, String)>,
        tenant_gone: bool,
    ) -> Option<String> {
        let mut why = None;
        let mut missing = Vec::new();
        if tenant_gone {
            missing.push(Absent::Tenant(tenant.to_owned()));
        }
        for request in standing.iter().flat_map(|n| n.grants.keys()) {
            let key = (tenant.to_owned(), request.clone());
            if let Some(message) = self.unclear.get(&key) {
                why = Some(format!("held, because of request {request}: {message}"));
            } else if !known.contains(&key) {
                missing.push(Absent::Request(key.0, key.1));
            }
        }
        for absent in missing {
            if !self.s.gone.contains(&absent) {
                why = Some("held, until the hub confirms that a grant is gone | 待省级枢纽确认配额已不存在".to_owned());
                self.out.confirm.insert(absent);
            }
        }
        why
    }

    /// Where nothing is carried out, no epoch is recorded.
    fn record(&mut self) {
        let idle = self.out.namespaces.is_empty() && !self.s.stage.records_all();
        if idle || self.s.stage.withholds(Write::Epoch).is_some() {
            self.out.floors.clone_from(self.s.floors);
        }
    }

    /// A grant that a namespace does not count as it should has to wait where that is held, or not written.
    fn hold(&mut self) {
        for answer in self.out.answers.iter_mut().filter(|a| a.refusal.is_none()) {
            for place in &answer.places {
                let held = self.out.held.get(&place.namespace).map(|why| Refusal {
                    reason: Reason::ApplyFailed,
                    message: why.clone(),
                });
                let Some(why) = held.or_else(|| self.out.withheld.get(&place.namespace).cloned()) else {
                    continue;
                };
                let counted = self
                    .s
                    .namespaces
                    .get(&place.namespace)
                    .and_then(|n| n.grants.get(&answer.request));
                let right = if answer.ended {
                    counted.is_none()
                } else {
                    counted == Some(&answer.record)
                };
                if !right {
                    answer.refusal = Some(why);
                    break;
                }
            }
        }
    }

    /// The one compute pool of a namespace: the one it runs on while any grant of that pool is live, otherwise that of the
    /// earliest grant, and without any grant the one it had.
    fn compute_pool(&self, standing: Option<&Standing>, parts: &[Part]) -> Option<String> {
        let compute = |p: &&Part| self.catalogue.get(&p.pool).is_some_and(PoolFacts::is_compute);
        let before = standing.and_then(|n| n.pool.clone());
        if before
            .as_ref()
            .is_some_and(|pool| parts.iter().any(|p| p.pool == *pool))
        {
            return before;
        }
        let first = parts.iter().filter(compute).min_by_key(|p| (&p.since, p.answer));
        first.map(|p| p.pool.clone()).or(before)
    }
}

/// Since when the operator waits for the centre to confirm a lowering, or for the use of an ended grant to fall.
fn lowering(request: &ResourceRequest, allocation: &Allocation) -> Option<Timestamp> {
    let shrinks = allocation.ended.is_some() && !allocation.pools.is_empty();
    let last = request.status.as_ref().and_then(|s| s.history.last());
    let since = allocation.ended.as_ref().or(last.map(|entry| &entry.at));
    since.filter(|_| shrinks || !allocation.before.is_empty())?.parse().ok()
}
