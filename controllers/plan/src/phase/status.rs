//! What is said of a phase: what rests on it, and why it counts or does not.

use crds::{
    Amounts, CapacitySource, DataCenter, ExpansionPhase, ExpansionPhaseStatus, PhaseRow, PhaseStage, PlanProgress,
    QuotaPool, Resources, condition, phase_reason as reason, set_condition,
};
use jiff::Timestamp;

use super::{Found, Totals, delivers, name};
use crate::ledger::Ledger;
use crate::pool::{PoolError, capacity, found_in};

/// What a phase is looked at with.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Pools.
    pub pools: &'a [QuotaPool],
    /// Centres.
    pub centres: &'a [DataCenter],
    /// All phases.
    pub phases: &'a [ExpansionPhase],
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The plan.
    pub totals: Totals,
}

/// One row of a phase, where its pool and centre exist.
struct Row<'a> {
    pool: &'a QuotaPool,
    centre: &'a str,
    /// Whether capacity is found on nodes.
    by_nodes: bool,
    found: Found,
    amounts: Resources,
}

/// Its status, complete.
pub fn status(
    phase: &ExpansionPhase,
    around: Around<'_>,
    unblocks: Option<i64>,
    now: Timestamp,
) -> ExpansionPhaseStatus {
    let old = phase.status.clone().unwrap_or_default();
    let rows = rows(phase, around);
    let (accepted, ready, why, words) = standing(phase, around, &rows);
    let mut conditions = old.conditions;
    let generation = phase.metadata.generation;
    for (kind, value) in [(condition::ACCEPTED, accepted), (condition::READY, ready)] {
        set_condition(&mut conditions, kind, Some(value), why, words.clone(), generation, now);
    }
    let written = rows.iter().flatten().filter(|_| !phase.spec.existing);
    ExpansionPhaseStatus {
        delivers: delivers(phase).ok().map(printed).or(old.delivers),
        rows: written.map(|row| written_row(phase, row, around.ledger)).collect(),
        unblocks,
        progress: Some(progress(around.totals)),
        observed_generation: generation,
        conditions,
    }
}

/// Every resource, zero or not: a figure that is left out would keep its old value in a merge.
fn printed(figure: Resources) -> Amounts {
    let each = figure.iter().map(|(r, v)| (r.to_owned(), Resources::amount(r, v)));
    Amounts(each.collect())
}

fn progress(totals: Totals) -> PlanProgress {
    let of = |resource: &str| {
        let text = |sum: Resources| Resources::amount(resource, sum[resource]).0;
        let target = if totals.target[resource] == 0 {
            "-".to_owned()
        } else {
            text(totals.target)
        };
        format!("{}/{target}", text(totals.accepted))
    };
    PlanProgress {
        cpu: of("cpu"),
        memory: of("memory"),
        storage: of("storage"),
    }
}

/// Row by row; `Err` names the pool and the centre that are missing.
fn rows<'a>(phase: &'a ExpansionPhase, around: Around<'a>) -> Vec<Result<Row<'a>, Missing<'a>>> {
    let read = |delivery: &'a crds::Delivery| {
        let centre = delivery.centre.as_str();
        let missing = || Missing::Place(&delivery.pool, centre);
        let pool = around
            .pools
            .iter()
            .find(|p| p.metadata.name.as_ref() == Some(&delivery.pool));
        let pool = pool.ok_or_else(missing)?;
        let listed = pool
            .spec
            .centres
            .iter()
            .find(|c| c.name == centre)
            .ok_or_else(missing)?;
        let found = found_in(pool, listed, around.centres, around.phases).map_err(Missing::Unreadable)?;
        Ok(Row {
            pool,
            centre,
            by_nodes: listed.source == CapacitySource::Nodes,
            found: found.ok_or_else(missing)?,
            amounts: Resources::try_from(&delivery.amounts).map_err(|e| Missing::Unreadable(e.into()))?,
        })
    };
    phase.spec.delivers.iter().map(read).collect()
}

/// Why a row cannot be worked with.
enum Missing<'a> {
    Place(&'a str, &'a str),
    Unreadable(PoolError),
}

fn written_row(phase: &ExpansionPhase, row: &Row<'_>, ledger: &Ledger) -> PhaseRow {
    let nodes = row.found.nodes.get(name(phase)).copied();
    PhaseRow {
        pool: row.pool.metadata.name.clone().unwrap_or_default(),
        centre: row.centre.to_owned(),
        found: row.by_nodes.then(|| nodes.unwrap_or_default().to_amounts()),
        committed: committed(phase, row, ledger).to_amounts(),
    }
}

/// The least that the row must keep so that the pool still holds what is charged; nothing while it is not accepted. Where
/// the pool cannot hold it even now, all of the row.
fn committed(phase: &ExpansionPhase, row: &Row<'_>, ledger: &Ledger) -> Resources {
    let (Some(own), Some(pool)) = (row.found.counted.get(name(phase)), row.pool.metadata.name.as_deref()) else {
        return Resources::ZERO;
    };
    let nodes = row
        .by_nodes
        .then(|| row.found.nodes.get(name(phase)).copied().unwrap_or_default());
    let others = row.found.total().minus(*own);
    let charged = ledger.centre(pool, row.centre).map_or(Resources::ZERO, |c| c.charged);
    let holds = |amounts: Resources, resource: &str| {
        let counts = nodes.map_or(amounts, |n| amounts.each_min(n));
        capacity(others.plus(counts), &row.pool.spec)
            .is_ok_and(|(gross, reserved)| gross.minus(reserved)[resource] >= charged[resource])
    };
    let mut least = Resources::ZERO;
    for resource in Resources::NAMES {
        // The more is accepted, the more can be committed, so halving finds the least.
        let (mut low, mut high) = (0, row.amounts[resource]);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut tried = row.amounts;
            tried[resource] = middle;
            if holds(tried, resource) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        least[resource] = low;
    }
    least
}

type Standing = (bool, bool, &'static str, String);

/// Accepted, ready, the reason and the words.
fn standing(phase: &ExpansionPhase, around: Around<'_>, rows: &[Result<Row<'_>, Missing<'_>>]) -> Standing {
    let counted = phase.spec.existing || in_ledger(phase, around.ledger);
    let told = |why, words| (counted, false, why, words);
    for row in rows {
        match row {
            Err(Missing::Unreadable(error)) => return told(reason::MISCONFIGURED, error.to_string()),
            Err(Missing::Place(pool, centre)) => return told(reason::POOL_MISSING, missing(pool, centre)),
            Ok(_) => {}
        }
    }
    if let Some(words) = rows.iter().flatten().find_map(|r| below_committed(r, around.ledger)) {
        return told(reason::BELOW_COMMITTED, words);
    }
    let sum = delivers(phase).unwrap_or_default();
    match (phase.spec.stage, &phase.spec.acceptance) {
        (PhaseStage::Planned, _) => told(reason::PLANNED, planned(sum, phase.spec.due.as_deref())),
        (PhaseStage::Accepted, Some(acceptance)) if counted => {
            if let Some(words) = rows.iter().flatten().find_map(|r| nodes_short(phase, r)) {
                return told(reason::NODES_SHORT, words);
            }
            let (no, date) = (&acceptance.report_no, &acceptance.date);
            let words = format!("{sum} count by acceptance {no} of {date} | {sum}，按验收 {no}（{date}）计入容量");
            (true, true, reason::COUNTED, words)
        }
        (PhaseStage::Accepted, _) => {
            let words =
                "accepted; the ledger takes it in when every centre of it reports | 已验收，各中心上报后计入台账";
            told(reason::AWAITING_ACCEPTANCE, words.to_owned())
        }
        (PhaseStage::Delivered, _) => told(
            reason::AWAITING_ACCEPTANCE,
            format!(
                "{sum} delivered, nothing of it is sold; to accept it, set stage Accepted and acceptance | {sum} 已到货，尚未计入；验收后请填写 acceptance 并置 stage 为 Accepted"
            ),
        ),
    }
}

/// Whether every pool that it delivers to has it in the ledger.
fn in_ledger(phase: &ExpansionPhase, ledger: &Ledger) -> bool {
    let mut pools = phase.spec.delivers.iter().map(|d| ledger.pools.get(&d.pool));
    phase.spec.stage == PhaseStage::Accepted && pools.all(|p| p.is_some_and(|p| p.phases.contains(name(phase))))
}

fn missing(pool: &str, centre: &str) -> String {
    format!(
        "{pool}@{centre}: no such pool, or not in this centre; create it, or correct the phase | {pool}@{centre}：资源池不存在或不在该中心，请创建或更正"
    )
}

fn planned(sum: Resources, due: Option<&str>) -> String {
    match due {
        Some(due) => {
            format!("{sum} due on {due}; nothing counts before it is accepted | {sum}，计划 {due} 到位，验收前不计入")
        }
        None => format!("{sum} planned; nothing counts before it is accepted | 计划 {sum}，验收前不计入"),
    }
}

fn below_committed(row: &Row<'_>, ledger: &Ledger) -> Option<String> {
    let (pool, centre) = (row.pool.metadata.name.as_deref()?, row.centre);
    let entry = ledger.centre(pool, centre)?;
    let (charged, committable) = (entry.charged, entry.committable);
    (!charged.fits(committable)).then(|| {
        format!(
            "{pool}@{centre}: charged {charged}, committable {committable}; nothing is evicted, nothing more is granted; accept again what was taken back, or have grants released | {pool}@{centre}：已计 {charged}，可承诺 {committable}；不驱逐也不再授予，请恢复验收或释放配额"
        )
    })
}

fn nodes_short(phase: &ExpansionPhase, row: &Row<'_>) -> Option<String> {
    let nodes = row.found.nodes.get(name(phase)).copied().unwrap_or_default();
    let (pool, centre, accepted) = (row.pool.metadata.name.as_deref()?, row.centre, row.amounts);
    let short = row.by_nodes && !phase.spec.existing && !accepted.fits(nodes);
    short.then(|| {
        format!(
            "{pool}@{centre}: accepted {accepted}, ready nodes of it have {nodes}, and no more counts; see kubectl get nodes -l xiangyun.io/phase={} there | {pool}@{centre}：已验收 {accepted}，就绪节点仅 {nodes}，以节点为限",
            name(phase)
        )
    })
}
