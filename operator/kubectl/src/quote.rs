//! `quote`: what a request that was not applied would get.

use crds::{RequestType, ResourceRequest, reclaim_reason};
use jiff::Timestamp;
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::admission::{if_approved, needed};
use plan::by_name::Name;
use plan::market::Choice;
use plan::reclaim;
use plan::request::Request;
use serde::Serialize;

use crate::floor::{Floor, Province};
use crate::lang::both;
use crate::options::options;
use crate::verdict::Level;
use crate::wait::{Wait, for_room};

/// The answer for one request of the file.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Whether the server would accept it; `None` where the user may not create it, so that the server was not asked.
    pub accepted: Option<bool>,
    /// What the server refused, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<String>,
    /// What it would take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Taken>,
    /// Why from that pool and no other, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<String>,
    /// Approvals that it needs; empty where it is approved automatically.
    pub approvals: Vec<Level>,
    /// Whether it would be granted now, once approved; `None` where the figures may not be read.
    pub fits: Option<bool>,
    /// Why not, or why never: one of the reasons of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words, `English | 中文`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it would wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// What would fit now instead, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// With `Release`: what would be given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases: Option<String>,
}

/// What is taken from a pool in a centre. Amounts are exact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Pool.
    pub pool: String,
    /// Centre.
    pub centre: String,
    /// In normal life.
    pub share: crds::Amounts,
    /// Alone.
    pub survival: crds::Amounts,
    /// What is charged: the larger of both.
    pub charge: crds::Amounts,
    /// What is free there now.
    pub free: crds::Amounts,
}

impl Quote {
    /// For a request that the server refused.
    pub fn refused(name: &str, namespace: &str, refusals: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            accepted: Some(false),
            refusals,
            ..Self::default()
        }
    }
}

/// What the request would get, as the server completed it in the dry run, if everybody whose word is needed agreed.
pub fn quote(request: &ResourceRequest, province: &Province, today: Date) -> Quote {
    let namespace = request.metadata.namespace.clone().unwrap_or_default();
    let mut out = Quote {
        name: request.metadata.name.clone().unwrap_or_default(),
        namespace: namespace.clone(),
        accepted: Some(true),
        ..Quote::default()
    };
    if request.spec.type_ == RequestType::Keep {
        keep(&mut out, request, province);
        return out;
    }
    if request.spec.type_ == RequestType::Release {
        out.fits = Some(true);
        out.releases = request.spec.allocation_ref.as_ref().map(|r| r.name.clone());
        return out;
    }
    let floor = Floor::new(province, &namespace, None, today);
    out.notes.clone_from(&floor.notes);
    // The dry run invents a uid; what was not applied has none.
    let mut request = request.clone();
    request.metadata.uid = None;
    let Some(read) = Request::read(request, false).ok().filter(|_| province.pools.is_some()) else {
        return out;
    };
    let case = floor.case(&read, &[]);
    let (choices, refusal) = match if_approved(&case, floor.market()) {
        Ok(found) => found,
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let needed = needed(&case, &choices, floor.market());
    out.approvals = needed.0.iter().map(Level::of).collect();
    out.pools = choices.iter().flat_map(|c| taken(c, &floor)).collect();
    out.chosen = choices.iter().filter_map(Choice::reason).collect();
    out.fits = Some(refusal.is_none());
    if let Some(refusal) = refusal {
        let waits = choices.iter().map(|c| Wait::new(c, &floor, province, None));
        if for_room(refusal.reason) {
            out.waits = waits.filter(|w| !w.lacks.is_empty() || !w.unknown.is_empty()).collect();
        }
        out.options = options(&floor, &case, &choices, province);
        out.reason = Some(refusal.reason.to_owned());
        out.message = Some(refusal.explained());
    }
    out
}

/// Whether a `Keep` would stop a clock, by the operator's own rule.
fn keep(out: &mut Quote, request: &ResourceRequest, province: &Province) {
    out.notes.push(both("it takes no quota", "不占用配额"));
    let mut request = request.clone();
    // What was not applied is no appeal that is known, and would be younger than every notice.
    request.metadata.uid = None;
    request.metadata.creation_timestamp = Some(Time(Timestamp::MAX));
    let Ok(request) = Request::read(request, false) else {
        return;
    };
    let target = province.target.clone().and_then(|t| Request::read(t, false).ok());
    let target = target.filter(|t| request.speaks_of(t));
    let fits = reclaim::kept(&request, target.as_ref()) != Some(false);
    out.fits = Some(fits);
    if !fits {
        let name = request.target().unwrap_or_default();
        out.reason = Some(reclaim_reason::NOTHING_TO_KEEP.to_owned());
        out.message = Some(both(
            format!("rreq/{name} has no notice; wait for its condition Idle to say Notified"),
            format!("rreq/{name} 无可申诉的回收通知，请在收到通知后申诉"),
        ));
    }
}

fn taken(choice: &Choice, floor: &Floor) -> Vec<Taken> {
    let row = |(centre, part): (&Name, &plan::quota::Part)| Taken {
        pool: choice.pool.to_string(),
        centre: centre.to_string(),
        share: part.share.to_amounts(),
        survival: part.survival.to_amounts(),
        charge: part.charge().to_amounts(),
        free: floor.market().free(&choice.pool, centre).to_amounts(),
    };
    choice.grant.centres.iter().map(row).collect()
}
