//! The reports of all tenants: what each should say, and which are written now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{
    Currency, ExactUsage, QuotaPool, ResourceRequest, Resources, UsageFigures, UsageReport, UsageReportStatus,
    UsageRow, label,
};
use jiff::Timestamp;

use super::{Change, MeteringError, Month, Rates, changes, over, rounded, second, time, used};

/// An open month is written no more often than this, in seconds, unless something of it became final, a pool was given
/// up, or it is wrong.
const INTERVAL: i64 = 3600;
/// A month closes so many seconds after its end: by then every cache and every clock has caught up.
const GRACE: i64 = 86_400;
/// A row is half a kB, and as much again in the API server's list of who wrote which field; etcd takes 1.5 MiB.
const MOST_ROWS: usize = 1200;

/// Everything that metering looks at.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Now, by the operator's wall clock.
    pub now: Timestamp,
    /// Requests.
    pub requests: Vec<Arc<ResourceRequest>>,
    /// Pools, for their prices.
    pub pools: Vec<QuotaPool>,
    /// Reports as they are; complete ones may be [`without_closed_rows`].
    pub reports: Vec<Arc<UsageReport>>,
}

/// A report without its rows where it is complete: of those only that they are complete counts, and they stay for ever.
#[must_use]
pub fn without_closed_rows(mut report: UsageReport) -> UsageReport {
    if let Some(status) = report.status.as_mut().filter(|s| s.complete) {
        // Not `clear`, which keeps the memory.
        status.rows = Vec::new();
    }
    report
}

/// A report to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Tenant.
    pub tenant: String,
    /// Month.
    pub month: Month,
    /// Index of the report as it was read; it is made first where there is none.
    pub stored: Option<usize>,
    /// What it says.
    pub status: UsageReportStatus,
}

/// What is to be done.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MeteringPlan {
    /// Reports to write.
    pub writes: Vec<Write>,
    /// Requests on their way out that may go: all they held is in final rows. By index.
    pub let_go: Vec<usize>,
    /// Requests on their way out whose rows are not written yet. By index.
    pub waiting: Vec<usize>,
    /// What cannot be metered: tenant and reason.
    pub unclear: Vec<(String, MeteringError)>,
}

/// A request with its history.
struct Held<'a> {
    index: usize,
    object: &'a ResourceRequest,
    changes: Vec<Change>,
}

impl Held<'_> {
    fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Nobody but metering keeps it, so its history is at its end.
    fn leaves(&self) -> bool {
        let finalizers = self.object.metadata.finalizers.iter().flatten();
        let (mut charged, mut metered) = (false, false);
        for finalizer in finalizers {
            charged |= finalizer == label::CHARGED;
            metered |= finalizer == label::METERED;
        }
        self.object.metadata.deletion_timestamp.is_some() && metered && !charged
    }

    /// Whether it holds nothing of that pool any more.
    fn gave_up(&self, pool: &str, now: i64) -> bool {
        let none = |c: &Change| c.pools.get(pool).is_none_or(|p| p.is_zero());
        // A clock that was ahead wrote of a time that is to come: until then it goes on holding.
        self.changes.last().is_some_and(|c| c.at <= now && none(c))
    }

    /// The months in which it held something until `now`, or to its end where that is known.
    fn months(&self, now: i64) -> impl Iterator<Item = Month> {
        let first = self.changes.first().map(|c| Month::at(c.at));
        let end = self.changes.last().map_or(now, |c| c.at);
        let last = Month::at(if over(&self.changes) { end } else { now.max(end) });
        std::iter::successors(first, |m| m.next()).take_while(move |m| *m <= last)
    }
}

/// Decides what to write. Pure and total.
pub fn plan(snapshot: &Snapshot) -> MeteringPlan {
    let mut plan = MeteringPlan::default();
    let mut rates = BTreeMap::new();
    for pool in &snapshot.pools {
        let name = pool.metadata.name.clone().unwrap_or_default();
        match Rates::read(&pool.spec) {
            Ok(read) => drop(rates.insert(name, read)),
            Err(error) => plan.unclear.push((name, error)),
        }
    }
    let mut tenants: BTreeMap<&str, Vec<Held<'_>>> = BTreeMap::new();
    let mut unclear = BTreeSet::new();
    for (index, object) in snapshot.requests.iter().enumerate() {
        let tenant = object.metadata.namespace.as_deref().unwrap_or_default();
        let history = object.status.as_ref().map(|s| s.history.as_slice()).unwrap_or_default();
        match changes(history) {
            Ok(changes) => tenants.entry(tenant).or_default().push(Held { index, object, changes }),
            Err(error) => {
                unclear.insert(tenant);
                plan.unclear.push((tenant.to_owned(), error));
            }
        }
    }
    let mut reports: BTreeMap<&str, BTreeMap<Month, usize>> = BTreeMap::new();
    for (index, report) in snapshot.reports.iter().enumerate() {
        let tenant = report.metadata.namespace.as_deref().unwrap_or_default();
        tenants.entry(tenant).or_default();
        if let Some(month) = report.metadata.name.as_deref().and_then(Month::parse) {
            reports.entry(tenant).or_default().insert(month, index);
        }
    }
    for (tenant, held) in tenants.iter().filter(|(tenant, _)| !unclear.contains(*tenant)) {
        let stored = reports.remove(tenant).unwrap_or_default();
        let view = View {
            snapshot,
            rates: &rates,
            held,
            stored: &stored,
        };
        view.writes(tenant, &mut plan);
        view.leaving(&mut plan);
    }
    plan
}

/// One tenant.
struct View<'a> {
    snapshot: &'a Snapshot,
    rates: &'a BTreeMap<String, Rates>,
    held: &'a [Held<'a>],
    stored: &'a BTreeMap<Month, usize>,
}

impl<'a> View<'a> {
    fn status(&self, month: Month) -> Option<&'a UsageReportStatus> {
        let report = self.snapshot.reports.get(*self.stored.get(&month)?)?;
        report.status.as_ref()
    }

    fn writes(&self, tenant: &str, plan: &mut MeteringPlan) {
        let now = self.snapshot.now.as_second();
        let months: BTreeSet<Month> = self
            .held
            .iter()
            .flat_map(|h| h.months(now))
            .chain(self.stored.keys().copied())
            .collect();
        for month in months {
            match self.due(month, now) {
                Ok(Some(status)) => plan.writes.push(Write {
                    tenant: tenant.to_owned(),
                    month,
                    stored: self.stored.get(&month).copied(),
                    status,
                }),
                Ok(None) => {}
                Err(error) => plan.unclear.push((tenant.to_owned(), error)),
            }
        }
    }

    /// The report of that month, where it is to be written now.
    fn due(&self, month: Month, now: i64) -> Result<Option<UsageReportStatus>, MeteringError> {
        let stored = self.status(month);
        if stored.is_some_and(|s| s.complete) {
            return Ok(None);
        }
        let wanted = self.report(month, now)?;
        let Some(stored) = stored else {
            return Ok((!wanted.rows.is_empty()).then_some(wanted));
        };
        let same = |a: &UsageReportStatus| {
            UsageReportStatus {
                as_of: stored.as_of.clone(),
                ..a.clone()
            } == *stored
        };
        if same(&wanted) {
            return Ok(None);
        }
        // What it said when it was written: a difference there is an edit by hand, a new price, or something's end.
        let age = second(&stored.as_of).map(|at| (at, now - at));
        let stands = match age {
            Ok((at, age)) => {
                (0..INTERVAL).contains(&age)
                    && !wanted.complete
                    && self.report(month, at).is_ok_and(|then| same(&then))
                    && (stored.left_out > 0 || !self.lags(month, now, &stored.rows))
            }
            Err(_) => false,
        };
        Ok((!stands).then_some(wanted))
    }

    /// Whether a request that goes on gave up a pool and these rows do not know all that it held of it: the pool may be
    /// deleted any time now, and its prices with it.
    fn lags(&self, month: Month, now: i64, rows: &[UsageRow]) -> bool {
        let to = month.end().min(now);
        let lags = |held: &Held<'_>| {
            used(&held.changes, month.start(), to).iter().any(|(pool, used)| {
                let of_it = |r: &&UsageRow| r.request_uid == held.uid() && r.pool == *pool;
                held.gave_up(pool, now) && !rows.iter().filter(of_it).any(|r| r.final_ || says(r, *used))
            })
        };
        self.held.iter().filter(|h| !over(&h.changes)).any(lags)
    }

    /// What the month says at that moment.
    fn report(&self, month: Month, at: i64) -> Result<UsageReportStatus, MeteringError> {
        let complete = at >= month.end().saturating_add(GRACE);
        let stored = self.status(month).map(|s| s.rows.as_slice()).unwrap_or_default();
        let known: BTreeMap<(&str, &str), &UsageRow> = stored
            .iter()
            .map(|r| ((r.request_uid.as_str(), r.pool.as_str()), r))
            .collect();
        let mut rows: BTreeMap<(String, String), UsageRow> = BTreeMap::new();
        for held in self.held {
            let final_ = complete || over(&held.changes);
            let to = if final_ { month.end() } else { month.end().min(at) };
            for (pool, used) in used(&held.changes, month.start(), to) {
                let known = known.get(&(held.uid(), pool.as_str())).copied();
                let row = match (known, self.rates.get(&pool)) {
                    // Added below.
                    (Some(known), _) if known.final_ => continue,
                    (_, Some(rates)) => {
                        let normalized = rates.normalized(used);
                        UsageRow {
                            request_uid: held.uid().to_owned(),
                            request: held.object.metadata.name.clone().unwrap_or_default(),
                            pool,
                            figures: figures(used, normalized, rates.hundredths(used, month)),
                            exact: exact(used, normalized),
                            final_,
                        }
                    }
                    // The pool is gone, and all that was held of it has its price.
                    (Some(known), None) if says(known, used) => UsageRow {
                        final_,
                        ..known.clone()
                    },
                    _ => return Err(MeteringError::NoPrices(pool)),
                };
                rows.insert((row.request_uid.clone(), row.pool.clone()), row);
            }
        }
        // What is final stays as it is, also of requests and pools that are gone.
        for row in stored.iter().filter(|r| r.final_) {
            rows.insert((row.request_uid.clone(), row.pool.clone()), row.clone());
        }
        let rows: Vec<UsageRow> = rows.into_values().collect();
        let (totals, all) = (totals(&rows)?, rows.len());
        let rows = with_room(rows, &known);
        Ok(UsageReportStatus {
            as_of: time(at),
            complete,
            currency: Currency::default(),
            left_out: i32::try_from(all - rows.len()).unwrap_or(i32::MAX),
            rows,
            totals,
        })
    }

    /// Requests on their way out.
    fn leaving(&self, plan: &mut MeteringPlan) {
        let now = self.snapshot.now.as_second();
        for held in self.held.iter().filter(|h| h.leaves()) {
            let metered = held.months(now).all(|month| {
                let status = self.status(month);
                let closed = status.is_some_and(|s| s.complete);
                let rows = status.map(|s| s.rows.as_slice()).unwrap_or_default();
                closed
                    || used(&held.changes, month.start(), month.end()).keys().all(|pool| {
                        rows.iter()
                            .any(|r| r.final_ && r.request_uid == held.uid() && r.pool == *pool)
                    })
            });
            if metered {
                plan.let_go.push(held.index);
            } else {
                plan.waiting.push(held.index);
            }
        }
    }
}

/// The rows that a report has room for: first what is final in it already, which never vanishes, then what is final, so that
/// its request may leave. Requests whose rows are left out stay until the month is closed.
fn with_room(rows: Vec<UsageRow>, known: &BTreeMap<(&str, &str), &UsageRow>) -> Vec<UsageRow> {
    if rows.len() <= MOST_ROWS {
        return rows;
    }
    let stays = |r: &UsageRow| {
        known
            .get(&(r.request_uid.as_str(), r.pool.as_str()))
            .is_some_and(|k| k.final_)
    };
    let (mut kept, mut others): (Vec<_>, Vec<_>) = rows.into_iter().partition(stays);
    others.sort_by_key(|r| !r.final_);
    others.truncate(MOST_ROWS.saturating_sub(kept.len()));
    kept.append(&mut others);
    kept.sort_by(|a, b| (&a.request_uid, &a.pool).cmp(&(&b.request_uid, &b.pool)));
    kept
}

fn exact(used: Resources, normalized: i128) -> ExactUsage {
    ExactUsage {
        cpu: used.cpu.to_string(),
        normalized_cpu: normalized.to_string(),
        memory: used.memory.to_string(),
        storage: used.storage.to_string(),
        accelerators: used.accelerators.to_string(),
    }
}

/// Whether the row says just that; its normalized amount is left aside, which only the pool knows.
fn says(row: &UsageRow, used: Resources) -> bool {
    let said = ExactUsage {
        normalized_cpu: row.exact.normalized_cpu.clone(),
        ..exact(used, 0)
    };
    row.exact == said
}

/// What people read, from what is exact.
fn figures(used: Resources, normalized: i128, hundredths: i128) -> UsageFigures {
    UsageFigures {
        vcpu_hours: rounded(used.cpu, 1000 * 3600, 6),
        normalized_vcpu_hours: rounded(normalized, 1000 * 1000 * 3600, 6),
        memory_gib_hours: rounded(used.memory, (1 << 30) * 3600, 6),
        gpu_hours: rounded(used.accelerators, 3600, 6),
        tb_days: rounded(used.storage, 1_000_000_000_000 * 86_400, 6),
        price: format!("{}.{:02}", hundredths / 100, hundredths % 100),
    }
}

/// Sums: hours and days of what is exact, the price of what the rows say, so that the page adds up.
fn totals(rows: &[UsageRow]) -> Result<UsageFigures, MeteringError> {
    let number = |text: &String| text.parse::<i128>().map_err(|_| MeteringError::Price(text.clone()));
    let (mut used, mut normalized, mut hundredths) = (Resources::ZERO, 0i128, 0i128);
    for row in rows {
        used = used.plus(Resources {
            cpu: number(&row.exact.cpu)?,
            memory: number(&row.exact.memory)?,
            storage: number(&row.exact.storage)?,
            accelerators: number(&row.exact.accelerators)?,
        });
        normalized += number(&row.exact.normalized_cpu)?;
        hundredths += number(&row.figures.price.replace('.', ""))?;
    }
    Ok(figures(used, normalized, hundredths))
}
