//! What if this request comes: what it would get, and who of those that are still being decided on would then find no room.

use crds::{RequestApproval, ResourceRequest, request_reason as reason};
use jiff::Timestamp;
use plan::admission::{Case, if_approved};
use plan::comes::crowded_out;
use plan::request::{Request, date_at};
use serde::Serialize;

use super::{requests_note, waits};
use crate::floor::{Floor, Province};
use crate::print::{self, Style, lines};
use crate::quote::Quote;

/// The answer for one request of the file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coming {
    /// What it would get by itself.
    #[serde(flatten)]
    pub quote: Quote,
    /// How many others are not decided on yet; `None` where requests may not be read.
    pub undecided: Option<usize>,
    /// Those of them that fit now and would not fit any more.
    pub crowded_out: Vec<Named>,
}

/// A request by name.
#[derive(Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// Adds to the quote of a request what its grant would take from others, as far as the user may read them.
pub fn comes(
    mut quote: Quote,
    request: Option<&ResourceRequest>,
    province: &Province,
    requests: Option<(&[ResourceRequest], Option<&str>)>,
    approvals: &[RequestApproval],
    now: Timestamp,
) -> Coming {
    let (all, only) = requests.unwrap_or_default();
    quote.notes.extend(requests_note(requests.is_some(), only));
    // People have still to agree to these.
    let undecided = all.iter().filter(|r| waits(r, &[reason::AWAITING_APPROVAL]));
    let undecided: Vec<Request> = undecided.filter_map(read).collect();
    let found = request.filter(|_| quote.fits == Some(true)).and_then(read);
    let crowded = found.map(|request| {
        let floor = Floor::new(province, request.tenant(), None, date_at(now));
        let case = floor.case(&request, &[]);
        let others: Vec<Case<'_>> = undecided.iter().map(|r| floor.case(r, approvals)).collect();
        let choices = if_approved(&case, floor.market()).map_or_else(|_| Vec::new(), |(c, _)| c);
        let crowded = crowded_out(&case, &choices, &others, floor.market());
        crowded.into_iter().map(named).collect()
    });
    Coming {
        quote,
        undecided: requests.map(|_| undecided.len()),
        crowded_out: crowded.unwrap_or_default(),
    }
}

fn read(request: &ResourceRequest) -> Option<Request> {
    Request::read(request.clone(), false).ok()
}

fn named(request: &Request) -> Named {
    Named {
        name: request.name().to_owned(),
        namespace: request.tenant().to_owned(),
    }
}

/// The answer in words.
pub fn print(coming: &Coming, style: Style) -> String {
    let mut text = print::quote(&coming.quote, style);
    if coming.quote.fits != Some(true) {
        return text;
    }
    let crowded = coming.crowded_out.len();
    let summary = match coming.undecided {
        None => "CROWDS-OUT  -".to_owned(),
        Some(undecided) => format!(
            "CROWDS-OUT  {crowded} {} {undecided} {}",
            style.say("of", "/"),
            style.say(
                "that are not decided on yet; these fit now and would not fit beside it",
                "个待审批的申请：现可容纳，授予该申请后将无余量"
            )
        ),
    };
    text.push_str(&lines([summary]));
    let row = |n: &Named| vec![n.namespace.clone(), n.name.clone()];
    let rows: Vec<_> = coming.crowded_out.iter().map(row).collect();
    text.push_str(&style.table(&[("NAMESPACE", "命名空间"), ("REQUEST", "申请")], &rows));
    text
}
