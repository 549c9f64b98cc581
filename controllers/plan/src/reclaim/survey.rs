//! What is known of use, gathered once for all requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{CentreRole, DataCenter, RequestType, Resources};
use jiff::{SignedDuration, Timestamp};

use super::policy::{Policy, by_precedence};
use crate::request::Request;

/// Within these bounds a tenth of a window is how old figures may be.
const OLDEST: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(60), SignedDuration::from_hours(1));

/// How old figures over that window may be and still count.
pub fn oldest(window: SignedDuration) -> SignedDuration {
    (window / 10).clamp(OLDEST.0, OLDEST.1)
}

/// A centre as a source of figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CentreFacts {
    /// It is for disaster recovery: what is there is idle by design.
    pub standby: bool,
    /// It has a metric source.
    pub source: bool,
    /// When its agent last said that it lives.
    pub reported: Option<Timestamp>,
}

/// A request of type Keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Its uid.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Who wrote it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in whole seconds.
    pub created: Timestamp,
}

/// What all of a tenant's live grants are in a pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Sum of their shares by centre.
    pub(super) shares: BTreeMap<String, Resources>,
    /// When one of them changed last.
    pub(super) changed: Option<Timestamp>,
}

/// What is known. Without a policy nothing is judged.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Policies in the order in which they are asked.
    pub(super) policies: Vec<Policy>,
    pub(super) centres: BTreeMap<String, CentreFacts>,
    /// By tenant and pool.
    pub(super) held: BTreeMap<(String, String), Held>,
    /// By tenant and name of the grant that is meant.
    pub(super) keeps: BTreeMap<(String, String), Vec<Keep>>,
}

impl Survey {
    /// Gathers what is known.
    pub fn new(mut policies: Vec<Policy>, centres: &[DataCenter], requests: &[Arc<Request>]) -> Self {
        policies.sort_by(by_precedence);
        let facts = |c: &DataCenter| {
            let report = c.status.as_ref().and_then(|s| s.report.as_ref());
            let facts = CentreFacts {
                standby: c.spec.role == CentreRole::DisasterRecovery,
                source: !c.spec.metric_sources.is_empty(),
                reported: report.and_then(|r| r.reported_at.parse().ok()),
            };
            Some((c.metadata.name.clone()?, facts))
        };
        let mut survey = Self {
            policies,
            centres: centres.iter().filter_map(facts).collect(),
            ..Self::default()
        };
        for request in requests {
            if request.is_live() {
                survey.hold(request);
            } else if request.kind() == RequestType::Keep && !request.deleting() {
                survey.keep(request);
            }
        }
        survey
    }

    /// The policy that decides about a grant.
    pub(super) fn policy(&self, request: &Request) -> Option<&Policy> {
        let covers =
            |p: &&Policy| p.covers_tenant(request.tenant()) && request.holds.keys().any(|pool| p.covers_pool(pool));
        self.policies.iter().find(covers)
    }

    pub(super) fn held(&self, request: &Request, pool: &str) -> Option<&Held> {
        self.held.get(&(request.tenant().to_owned(), pool.to_owned()))
    }

    /// The first request that keeps this grant, and was made when that was asked or later.
    pub(super) fn keep_of(&self, request: &Request, asked: Timestamp) -> Option<&Keep> {
        let about = (request.tenant().to_owned(), request.name().to_owned());
        // Creation times are cut to seconds.
        let all = self.keeps.get(&about)?.iter();
        all.filter(|k| k.created.as_second() >= asked.as_second())
            .min_by_key(|k| (k.created, k.uid.clone()))
    }

    fn hold(&mut self, request: &Request) {
        let changed = changed(request);
        for (pool, grant) in &request.holds {
            let key = (request.tenant().to_owned(), pool.to_string());
            let held = self.held.entry(key).or_default();
            for (centre, part) in &grant.centres {
                let share = held.shares.entry(centre.to_string()).or_default();
                *share = share.plus(part.share);
            }
            held.changed = held.changed.max(changed);
        }
    }

    fn keep(&mut self, request: &Request) {
        let Some(target) = request.target() else { return };
        let Some(created) = request.created() else { return };
        let spec = &request.object().spec;
        let keep = Keep {
            uid: request.uid().to_owned(),
            name: request.name().to_owned(),
            by: spec.requested_by.clone().unwrap_or_default(),
            reason: spec.reason.clone().unwrap_or_default(),
            created,
        };
        let about = (request.tenant().to_owned(), target.to_owned());
        self.keeps.entry(about).or_default().push(keep);
    }
}

/// When the amounts of a grant changed last.
pub(super) fn changed(request: &Request) -> Option<Timestamp> {
    let history = request.object().status.as_ref()?.history.last().map(|h| h.at.as_str());
    let since = request.allocation()?.from.as_deref();
    history.or(since)?.parse().ok()
}
