//! The ledger as an object: read, swap, recount. Every swap carries the uid and resourceVersion of the read it was
//! decided on; nothing is ever created inside a swap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    AmountError, DataCenter, ExpansionPhase, LedgerState, QuotaLedger, QuotaLedgerSpec, QuotaPool, ResourceRequest,
    label, object,
};
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt as _};
use plan::cycle::Snapshot;
use plan::ledger::{Holding, Ledger};
use plan::pool::Pool;
use plan::quota::Grant;
use plan::request::Request;

use super::{Error, Options, WRITES_AT_ONCE};
use crate::cache::Cached;
use crate::call::{CallError, call};
use crate::clock::Clock;
use crate::fail_point::{FailPoints, Step};

/// One consistent list of all is cheaper than to read each where at least one in so many is wanted.
const LIST_FROM_ONE_IN: usize = 8;
/// Page of a consistent list; all pages belong to one snapshot.
const PAGE: u32 = 500;
/// Reason of the event on a ledger that was wrong.
const REPAIRED: &str = "LedgerRepaired";
/// Annotation that names the ledger a request was last counted in. Writing it voids every decision about the request
/// that was made against a ledger that is lost, because it moves the resourceVersion.
const LEDGER: &str = "xiangyun.io/ledger";

/// Answers to this process's own APPLY, by uid: they prove that a record was carried out, whatever has become of the
/// request since.
pub(super) type Own = BTreeMap<String, Arc<Request>>;

/// A request that may not parse.
type Guarded = DeserializeGuard<ResourceRequest>;

/// The ledger's object in the hub.
pub(super) struct Book {
    client: Client,
    epoch: i64,
    fail_points: FailPoints,
}

impl Book {
    pub(super) fn new(client: Client, epoch: i64, fail_points: FailPoints) -> Self {
        Self {
            client,
            epoch,
            fail_points,
        }
    }

    fn ledgers(&self) -> Api<QuotaLedger> {
        Api::all(self.client.clone())
    }

    /// READ. Refuses when somebody newer wrote it.
    pub(super) async fn read(&self) -> Result<(QuotaLedger, Ledger), Error> {
        let found = call("read the ledger", self.ledgers().get(object::PROVINCE)).await?;
        if found.spec.epoch > self.epoch {
            return Err(Error::Superseded {
                found: found.spec.epoch,
                ours: self.epoch,
            });
        }
        let ledger = Ledger::try_from(&found.spec)?;
        Ok((found, ledger))
    }

    /// The compare-and-swap.
    pub(super) async fn swap(&self, read: &QuotaLedger, next: &Ledger) -> Result<QuotaLedger, Error> {
        let mut object = QuotaLedger::new(object::PROVINCE, QuotaLedgerSpec::from(next));
        object
            .metadata
            .resource_version
            .clone_from(&read.metadata.resource_version);
        object.metadata.uid.clone_from(&read.metadata.uid);
        Ok(call(
            "swap the ledger",
            self.ledgers()
                .replace(object::PROVINCE, &PostParams::default(), &object),
        )
        .await?)
    }

    /// READ of what capacity is made of, after the ledger: what it adopted before was no newer. Answers when it was read.
    pub(super) async fn pools(&self, clock: &Clock) -> Result<(Timestamp, BTreeMap<String, Pool>), Error> {
        let (pools, centres, phases) = tokio::try_join!(
            self.readable::<QuotaPool>("list the pools"),
            self.readable::<DataCenter>("list the centres"),
            self.readable::<ExpansionPhase>("list the phases"),
        )?;
        let now = clock.now();
        Ok((now, understood(pools.iter(), &centres, &phases, now)))
    }

    /// All of a kind that can be read, as a cache has them.
    async fn readable<K: Cached>(&self, what: &'static str) -> Result<Vec<K>, CallError> {
        let api: Api<DeserializeGuard<K>> = Api::all(self.client.clone());
        let found = call(what, api.list(&ListParams::default())).await?;
        Ok(found.items.into_iter().filter_map(|guard| guard.0.ok()).collect())
    }

    /// READ of the requests that matter, after the ledger: each without resourceVersion, or one consistent list. One that
    /// cannot be read stays out of this decision; it is there, so it is not gone. One whose open record this process
    /// carried out itself is settled on that evidence and not read again.
    pub(super) async fn refresh(
        &self,
        snapshot: &mut Snapshot,
        touched: &BTreeSet<String>,
        mut own: Own,
    ) -> Result<(), Error> {
        own.retain(|uid, request| {
            let record = snapshot.ledger.records.get(uid);
            touched.contains(uid) && record.is_some_and(|r| request.record() == Some(r.id.as_str()))
        });
        let of_others = |uid: &str| touched.contains(uid) && !own.contains_key(uid);
        let mut places: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        places.extend(
            snapshot
                .ledger
                .records
                .iter()
                .map(|(uid, r)| (uid.as_str(), (r.tenant.as_str(), r.name.as_str()))),
        );
        places.extend(snapshot.requests.iter().map(|r| (r.uid(), (r.tenant(), r.name()))));
        places.retain(|uid, _| of_others(uid));
        let names: Vec<_> = places
            .into_iter()
            .map(|(uid, (ns, name))| [uid, ns, name].map(str::to_owned))
            .collect();
        let found = if names.len() * LIST_FROM_ONE_IN > snapshot.requests.len() {
            self.list(|guard| of_others(&guard.uid().unwrap_or_default()).then_some(guard))
                .await?
        } else {
            self.get(&names).await?
        };
        snapshot.requests.retain(|r| !touched.contains(r.uid()));
        let mut there = BTreeSet::new();
        for guard in found {
            let uid = guard.uid().unwrap_or_default();
            if !of_others(&uid) {
                continue;
            }
            if let Some(request) = guard.0.ok().and_then(|r| Request::read(r, true).ok()) {
                snapshot.requests.push(request.into());
            }
            there.insert(uid);
        }
        snapshot.requests.extend(own.into_values());
        // What was asked for and not found under its uid is gone: NotFound, or another object by that name.
        let asked = names.into_iter().map(|[uid, ..]| uid);
        snapshot.gone = asked.filter(|uid| !there.contains(uid)).collect();
        Ok(())
    }

    async fn get(&self, names: &[[String; 3]]) -> Result<Vec<Guarded>, Error> {
        let mut reads: Vec<BoxFuture<'_, Result<Option<Guarded>, CallError>>> = Vec::new();
        for [_, ns, name] in names {
            let api: Api<Guarded> = Api::namespaced(self.client.clone(), ns);
            reads.push(Box::pin(async move { call("read a request", api.get_opt(name)).await }));
        }
        let found: Vec<_> = futures::stream::iter(reads)
            .buffer_unordered(WRITES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What `keep` makes of every request, from one consistent snapshot of the store. Page by page, because all of them at
    /// once would be most of this process's memory.
    async fn list<T>(&self, mut keep: impl FnMut(Guarded) -> Option<T>) -> Result<Vec<T>, Error> {
        let api: Api<Guarded> = Api::all(self.client.clone());
        let mut params = ListParams::default().limit(PAGE);
        let mut out = Vec::new();
        loop {
            let page = call("list all requests", api.list(&params)).await?;
            out.extend(page.items.into_iter().filter_map(&mut keep));
            match page.metadata.continue_.filter(|c| !c.is_empty()) {
                Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
                None => return Ok(out),
            }
        }
    }

    /// The same where each must be understood: what an unreadable request holds is not known, and unknown is not zero.
    async fn list_readable<T>(&self, read: impl Fn(ResourceRequest) -> T) -> Result<Vec<T>, Error> {
        let mut unreadable = 0;
        let read = |guard: Guarded| {
            let read = guard.0.ok().map(&read);
            unreadable += usize::from(read.is_none());
            read
        };
        let out = self.list(read).await?;
        if unreadable > 0 {
            return Err(Error::Unreadable(unreadable));
        }
        Ok(out)
    }

    /// RECOUNT, and what comes before it where the ledger is new. Answers the differences that were repaired.
    pub(super) async fn recount(&self, options: &Options) -> Result<Vec<String>, Error> {
        let (object, mut ledger) = match self.read().await {
            Err(error) if error.is_not_found() => self.create().await?,
            other => other?,
        };
        let uid = object.uid().unwrap_or_default();
        let counting = ledger.state == LedgerState::Recounting;
        if counting {
            let requests = self.list_readable(|request| request.metadata).await?;
            self.stamp(&requests, &uid).await?;
            self.fail_points.reached(Step::RecountStamped);
        }
        let before = ledger.clone();
        let held = if counting {
            let requests: Vec<_> = self.list_readable(|r| Request::read(r, true).map(Arc::new)).await?;
            let requests = requests.into_iter().collect::<Result<Vec<_>, _>>()?;
            plan::cycle::restore(&mut ledger, &requests, options.clock.now());
            requests.iter().map(|r| holding(r)).collect()
        } else {
            let read = |request| Ok(holding(&Request::read(request, true)?));
            let held = self.list_readable(read).await?.into_iter();
            held.collect::<Result<Vec<_>, AmountError>>()?
        };
        self.fail_points.reached(Step::RecountListed);
        let holdings = held.iter().map(|(uid, tenant, grant)| Holding { uid, tenant, grant });
        let differences = ledger.recount(holdings);
        ledger.state = LedgerState::Open;
        ledger.epoch = self.epoch;
        if ledger != before {
            ledger.sequence += 1;
            self.swap(&object, &ledger).await?;
        }
        if !counting && !differences.is_empty() {
            options.metrics.repaired();
            let differences = differences.join("; ");
            options.events.publish(
                &object,
                true,
                REPAIRED,
                &format!("{differences} | 台账有误，已按实际占用修复"),
            );
            tracing::warn!(reason = REPAIRED, differences, "the ledger was wrong and was repaired");
        }
        Ok(differences)
    }

    /// A new ledger sells nothing until it was counted.
    async fn create(&self) -> Result<(QuotaLedger, Ledger), Error> {
        let ledger = Ledger {
            state: LedgerState::Recounting,
            epoch: self.epoch,
            ..Ledger::default()
        };
        let object = QuotaLedger::new(object::PROVINCE, QuotaLedgerSpec::from(&ledger));
        let created = call(
            "create the ledger",
            self.ledgers().create(&PostParams::default(), &object),
        )
        .await?;
        tracing::warn!(
            uid = created.uid(),
            "no ledger was there; a new one starts empty and recounts"
        );
        self.fail_points.reached(Step::RecountCreated);
        Ok((created, ledger))
    }

    async fn stamp(&self, requests: &[ObjectMeta], uid: &str) -> Result<(), Error> {
        let mut writes: Vec<BoxFuture<'_, Result<(), CallError>>> = Vec::new();
        let stamped =
            |r: &ObjectMeta| r.annotations.as_ref().and_then(|a| a.get(LEDGER)).map(String::as_str) == Some(uid);
        for request in requests.iter().filter(|r| !stamped(r)) {
            let tenant = request.namespace.as_deref().unwrap_or_default();
            let api: Api<ResourceRequest> = Api::namespaced(self.client.clone(), tenant);
            let patch = serde_json::json!({"metadata": {"uid": request.uid, "annotations": {LEDGER: uid}}});
            writes.push(Box::pin(async move {
                let name = request.name.as_deref().unwrap_or_default();
                match call(
                    "stamp a request",
                    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)),
                )
                .await
                {
                    Err(error) if error.is_outdated() => Ok(()),
                    other => other.map(|_| ()),
                }
            }));
        }
        futures::stream::iter(writes)
            .buffer_unordered(WRITES_AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }
}

/// By name, every pool that is understood, with what is known of its capacity at `now`.
pub(super) fn understood<'a>(
    pools: impl Iterator<Item = &'a QuotaPool>,
    centres: &[DataCenter],
    phases: &[ExpansionPhase],
    now: Timestamp,
) -> BTreeMap<String, Pool> {
    pools
        .filter_map(|p| Some((p.name_any(), Pool::read(p, centres, phases, now).ok()?)))
        .collect()
}

/// Uid, tenant, and what is held.
fn holding(request: &Request) -> (String, String, Grant) {
    (
        request.uid().to_owned(),
        request.tenant().to_owned(),
        request.holds.clone(),
    )
}

/// The finalizers of a request without ours; what was never granted has nothing to be metered.
pub(super) fn without_ours(request: &Request) -> Vec<String> {
    let status = request.object().status.as_ref();
    let metered = status.is_none_or(|s| s.history.is_empty());
    request
        .object()
        .finalizers()
        .iter()
        .filter(|f| *f != label::CHARGED && !(metered && *f == label::METERED))
        .cloned()
        .collect()
}
