//! What a request says of itself and of its target, before anybody else is looked at.

use crds::{RequestType, request_reason as reason};
use jiff::Timestamp;
use jiff::civil::Date;

use super::Case;
use crate::refusal::Refusal;
use crate::request::{Request, date_at};
use crate::terms;

/// Most changes that one grant keeps count of.
const MOST_CHANGES: usize = 128;

fn misconfigured(text: String) -> Refusal {
    Refusal::new(reason::MISCONFIGURED, text)
}

/// What the request says of itself and of its target.
///
/// # Errors
/// `Misconfigured` or `TargetNotFound`: no waiting mends it.
pub(super) fn sound(case: &Case<'_>) -> Result<(), Refusal> {
    let request = case.request;
    if let Some(until) = &request.wish.until {
        dated(case, until)?;
    }
    if !request.alters() {
        return Ok(());
    }
    let name = request.target().unwrap_or_default();
    let Some(target) = case.target else {
        let text = format!(
            "{name} holds no live grant in this namespace that is older than this request; name a granted request in allocationRef | {name} 无有效配额可变更，请检查 allocationRef"
        );
        return Err(Refusal::new(reason::TARGET_NOT_FOUND, text));
    };
    if request.kind() == RequestType::Renew && target.kind() == RequestType::Emergency {
        return Err(misconfigured(format!(
            "{name} is an emergency grant, which is given back; ask with type New | {name} 为应急配额，到期归还，请改用 New"
        )));
    }
    if target.allocation().is_some_and(|a| a.changes.len() >= MOST_CHANGES) {
        return Err(misconfigured(format!(
            "{name} was altered {MOST_CHANGES} times, the most that is counted; ask with type New and release it | {name} 已变更 {MOST_CHANGES} 次，请改用 New 并释放原配额"
        )));
    }
    Ok(())
}

/// The last day of an emergency or exception: a date, not too far away, and not over before anything was granted.
fn dated(case: &Case<'_>, until: &str) -> Result<(), Refusal> {
    let request = case.request;
    let Ok(date) = until.parse::<Date>() else {
        return Err(misconfigured(format!(
            "until: {until} is no date of the calendar | until：{until} 不是有效日期"
        )));
    };
    let days = (date - request.created().map_or(case.today, date_at)).get_days();
    if request.kind() == RequestType::Emergency && !(0..=terms::EMERGENCY_DAYS).contains(&days) {
        let most = terms::EMERGENCY_DAYS;
        return Err(misconfigured(format!(
            "until: {until} is {days} days after the request, an emergency lasts at most {most}; ask with an earlier date, or with type New | until：距申请 {days} 天，应急最长 {most} 天，请改期或改用 New"
        )));
    }
    if date < case.today && !was_in_force(request, date) {
        return Err(misconfigured(format!(
            "until: {until} has passed and nothing was granted; ask again with a later date | until：{until} 已过且尚未授予，请改期重新申请"
        )));
    }
    Ok(())
}

/// Whether it is an exception that everybody had agreed to before it ended: it holds nothing that would tell.
fn was_in_force(request: &Request, until: Date) -> bool {
    let status = request.object().status.as_ref();
    let agreed: Option<Timestamp> = status.and_then(|s| s.approved_at.as_ref()?.parse().ok());
    request.kind() == RequestType::Exception && agreed.is_some_and(|at| date_at(at) <= until)
}
