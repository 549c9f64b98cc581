//! Terms: when a grant ends, what is said before, and how long it stays in force afterwards. Dates are those of the province.

use crds::{RequestType, ResourceRequestSpec, request_reason as reason};
use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use crate::request::Request;

/// Days before the end on which it is said, the earliest first.
pub const WARNINGS: [i32; 3] = [30, 7, 1];
/// Most days of an emergency.
pub const EMERGENCY_DAYS: i32 = 31;

/// Where a grant stands in its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its trial run lasts until that day.
    TrialRun(Date),
    /// In force, and nothing to say.
    Running,
    /// It ends within that many days, one of [`WARNINGS`].
    Ends(i32, Date),
    /// Its term is over; it stays in force until that day.
    Grace(Date),
    /// The days of grace are over.
    Over,
}

/// The end of a term that begins on `today`. `None` where none is stated or no calendar has it.
pub fn end(spec: &ResourceRequestSpec, today: Date) -> Option<Date> {
    if let Some(until) = &spec.until {
        return until.parse().ok();
    }
    let term = spec.term.as_ref()?;
    let days = Span::new().try_days(term.trial_days.unwrap_or(0)).ok()?;
    let months = Span::new().try_months(term.months.unwrap_or(0)).ok()?;
    today.checked_add(days).ok()?.checked_add(months).ok()
}

/// The end of a term that is renewed: the months count from its present end, or from today where that is over.
pub fn renewed(spec: &ResourceRequestSpec, target: &Request, today: Date) -> Option<Date> {
    let months = spec.term.as_ref()?.months?;
    let from = target.until().map_or(today, |until| until.max(today));
    from.checked_add(Span::new().try_months(months).ok()?).ok()
}

/// Where a grant stands on `today`. Trials and emergencies have no days of grace; a trial that was renewed is a grant like any
/// other.
pub fn stage(request: &Request, grace_days: i32, today: Date) -> Stage {
    let Some(until) = request.until() else {
        return Stage::Running;
    };
    if today > until {
        let last = last(request, until, grace_days);
        return if today > last { Stage::Over } else { Stage::Grace(last) };
    }
    let left = (until - today).get_days();
    // The shortest that applies; a term shorter than a warning is not warned of from its first day.
    let length = started(request).map_or(i32::MAX, |start| (until - start).get_days());
    let warning = WARNINGS.iter().rev().find(|days| left <= **days && length > **days);
    if let Some(days) = warning {
        return Stage::Ends(*days, until);
    }
    trial_run(request)
        .filter(|last| today <= *last)
        .map_or(Stage::Running, Stage::TrialRun)
}

/// The last day on which a grant whose term ends on `until` is in force.
fn last(request: &Request, until: Date, grace_days: i32) -> Date {
    let grace = match request.kind() {
        RequestType::New => grace_days,
        RequestType::Trial if renewed_trial(request, until) => grace_days,
        _ => 0,
    };
    until.checked_add(i64::from(grace).days()).unwrap_or(Date::MAX)
}

/// The first day on which a grant is no longer in force, if nobody renews it. `None` where its term has no end.
pub fn free_from(request: &Request, grace_days: i32) -> Option<Date> {
    last(request, request.until()?, grace_days).tomorrow().ok()
}

fn started(request: &Request) -> Option<Date> {
    let from = request.allocation()?.from.as_deref()?;
    from.parse().ok().map(crate::request::date_at)
}

/// Whether a trial lasts longer than it was asked for.
fn renewed_trial(request: &Request, until: Date) -> bool {
    let trial = started(request).and_then(|start| end(&request.object().spec, start));
    trial.is_some_and(|trial| until > trial)
}

/// The last day of the trial run that comes before a new grant's months.
fn trial_run(request: &Request) -> Option<Date> {
    let days = request.object().spec.term.as_ref()?.trial_days?;
    let start = started(request).filter(|_| request.kind() == RequestType::New)?;
    start.checked_add(i64::from(days).days()).ok()
}

impl Stage {
    /// Reason and words of the stage, `English | 中文`; nothing while there is nothing to say.
    pub fn in_words(self, name: &str) -> Option<(&'static str, String)> {
        match self {
            Self::Running | Self::Over => None,
            Self::TrialRun(last) => Some((
                reason::TRIAL_RUN,
                format!("trial run until {last}; its term begins then | 试运行至 {last}，其后计入正式期限"),
            )),
            Self::Ends(days, until) => Some((
                reason::EXPIRING,
                format!(
                    "ends on {until}, within {days} days; ask for more with type Renew and allocationRef {name} | 将于 {until} 到期（{days} 天内），可提交 Renew 申请续期"
                ),
            )),
            Self::Grace(last) => Some((
                reason::IN_GRACE,
                format!(
                    "its term is over; the quota stays until {last}, then it admits nothing new and falls with what is in use; Renew keeps it | 已到期，配额保留至 {last}，其后不再接纳新负载并随在用量减少；可提交 Renew 续期"
                ),
            )),
        }
    }
}

#[cfg(test)]
#[path = "terms/tests.rs"]
mod tests;
