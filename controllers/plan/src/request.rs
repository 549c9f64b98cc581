//! A request as decisions see it.

use std::sync::Arc;

use crds::{AmountError, CentreRow, Condition, Reclaim, RequestType, ResourceRequest, label};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::needs::Wish;
use crate::quota::{Grant, from_stored};

/// A request, and what it holds.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "two are facts of the object, two of how this copy was read"
)]
pub struct Request {
    /// The object as it was read. Nothing alters it, so what was read from it below stays true.
    object: Arc<ResourceRequest>,
    /// When it was created.
    created: Option<Timestamp>,
    /// The first bytes of its uid, which are nearly always enough to tell it from others.
    pub(crate) mark: Mark,
    /// Whether it is being deleted.
    deleting: bool,
    /// Whether it has an allocation.
    granted: bool,
    /// What it asks.
    pub wish: Wish,
    /// What its allocation says; empty where there is none.
    pub holds: Grant,
    /// What it held before a lowering that the centres have not all confirmed; empty where there is none.
    pub before: Grant,
    /// Whether this copy was read from the API server after the ledger of this cycle.
    pub fresh: bool,
    /// Whether this copy is the answer to this process's own APPLY: it proves that the record was carried out, whatever has
    /// become of the request since, and nothing else.
    pub own: bool,
}

impl Request {
    /// Reads what it holds.
    ///
    /// # Errors
    /// An amount of the allocation cannot be read.
    pub fn read(object: ResourceRequest, fresh: bool) -> Result<Self, AmountError> {
        let allocation = object.status.as_ref().and_then(|s| s.allocation.as_ref());
        let holds = from_stored(allocation.map(|a| a.pools.as_slice()).unwrap_or_default())?;
        let before = from_stored(allocation.map(|a| a.before.as_slice()).unwrap_or_default())?;
        Ok(Self {
            mark: mark(object.metadata.uid.as_deref().unwrap_or_default()),
            created: object.metadata.creation_timestamp.as_ref().map(|t| t.0),
            deleting: object.metadata.deletion_timestamp.is_some(),
            granted: allocation.is_some(),
            wish: Wish::read(&object.spec),
            object: Arc::new(object),
            holds,
            before,
            fresh,
            own: false,
        })
    }

    /// Reads the answer to this process's own APPLY.
    ///
    /// # Errors
    /// An amount of the allocation cannot be read.
    pub fn own_answer(object: ResourceRequest) -> Result<Self, AmountError> {
        Ok(Self {
            own: true,
            ..Self::read(object, false)?
        })
    }

    /// Whether a newer copy says anything else: labels and annotations are nobody's business here.
    pub fn differs(&self, newer: &Self) -> bool {
        let (old, new) = (&self.object, &newer.object);
        self.uid() != newer.uid()
            || self.deleting() != newer.deleting()
            || old.metadata.finalizers != new.metadata.finalizers
            || old.spec != new.spec
            || old.status != new.status
    }

    /// The object as it was read.
    pub fn object(&self) -> &Arc<ResourceRequest> {
        &self.object
    }

    /// Uid.
    pub fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Name.
    pub fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its tenant, which is its namespace.
    pub fn tenant(&self) -> &str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Whether it is being deleted, which is irrevocable.
    pub fn deleting(&self) -> bool {
        self.deleting
    }

    /// Whether the admission policy stamped the finalizer that keeps it while it may be charged.
    pub fn guarded(&self) -> bool {
        self.object
            .metadata
            .finalizers
            .iter()
            .flatten()
            .any(|f| f == label::CHARGED)
    }

    /// The ledger record that its allocation was written from.
    pub fn record(&self) -> Option<&str> {
        self.allocation().map(|a| a.record.as_str())
    }

    /// How often its amounts changed.
    pub fn history_len(&self) -> usize {
        self.object.status.as_ref().map_or(0, |s| s.history.len())
    }

    /// The allocation.
    pub fn allocation(&self) -> Option<&crds::Allocation> {
        let status = self.granted.then_some(self.object.status.as_ref()).flatten();
        status?.allocation.as_ref()
    }

    /// Whether its allocation ended, which is irrevocable.
    pub fn ended(&self) -> bool {
        self.allocation().is_some_and(|a| a.ended.is_some())
    }

    /// What it asks.
    pub fn kind(&self) -> RequestType {
        self.wish.kind
    }

    /// Whether its grant, if any, is its own.
    pub fn asks_grant(&self) -> bool {
        matches!(
            self.kind(),
            RequestType::New | RequestType::Trial | RequestType::Emergency
        )
    }

    /// Whether it asks to alter another one's grant.
    pub fn alters(&self) -> bool {
        matches!(self.kind(), RequestType::Change | RequestType::Renew)
    }

    /// Whether it holds a grant that has not ended.
    pub fn is_live(&self) -> bool {
        self.asks_grant() && !self.holds.is_empty() && !self.ended() && !self.deleting()
    }

    /// The name of the grant that it speaks of.
    pub fn target(&self) -> Option<&str> {
        self.object.spec.allocation_ref.as_ref().map(|r| r.name.as_str())
    }

    /// Whether the grant of `other` is the one it speaks of: of that name, in the same tenant, and no younger; another one
    /// that took over the name later is not meant.
    pub fn speaks_of(&self, other: &Self) -> bool {
        other.asks_grant()
            && self.target() == Some(other.name())
            && self.tenant() == other.tenant()
            && other.created <= self.created
    }

    /// Whether that change was written into this grant.
    pub fn was_altered_by(&self, uid: &str) -> bool {
        self.allocation().is_some_and(|a| a.changes.iter().any(|c| c == uid))
    }

    /// Its conditions.
    pub fn conditions(&self) -> &[Condition] {
        let status = self.object.status.as_ref();
        status.map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    /// Its way back, where it was idle.
    pub fn reclaim(&self) -> Option<&Reclaim> {
        self.object.status.as_ref()?.reclaim.as_ref()
    }

    /// The agents' rows.
    pub fn rows(&self) -> &[CentreRow] {
        self.object
            .status
            .as_ref()
            .map(|s| s.centres.as_slice())
            .unwrap_or_default()
    }

    /// When it was created; nothing of what was not applied yet.
    pub fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// The resourceVersion of this copy.
    pub fn version(&self) -> &str {
        self.object.metadata.resource_version.as_deref().unwrap_or_default()
    }

    /// Last day of its grant, as written in the allocation.
    pub fn until(&self) -> Option<Date> {
        self.allocation()?.until.as_deref()?.parse().ok()
    }
}

/// The first bytes of a uid, in its order.
pub(crate) type Mark = [u8; 8];

/// Those of this uid.
pub(crate) fn mark(uid: &str) -> Mark {
    let mut mark = Mark::default();
    mark.iter_mut().zip(uid.bytes()).for_each(|(to, from)| *to = from);
    mark
}

/// The date in the province, UTC+8 the year round.
pub fn date_at(now: Timestamp) -> Date {
    Offset::constant(8).to_datetime(now).date()
}
