//! The answer in words.

use crds::{Amounts, Resources};

use super::{Added, Simulation, Starting};
use crate::amount::{brief, short, signed};
use crate::print::{Style, lines};

/// `simulate`, one phase of the file.
pub fn print(simulation: &Simulation, style: Style) -> String {
    let mut text = format!("phase/{}\n", simulation.phase);
    match (simulation.adds.is_empty(), simulation.notes.is_empty()) {
        (true, true) => text.push_str(style.say("ADDS  nothing\n", "ADDS  不增加容量\n")),
        (true, false) => text.push_str("ADDS  -\n"),
        (false, _) => {}
    }
    let rows: Vec<_> = simulation.adds.iter().flat_map(added).collect();
    let names = [
        ("POOL", "资源池"),
        ("CENTRE", "中心"),
        ("RES", "资源"),
        ("ADDS", "增加"),
        ("FREE", "当前余量"),
        ("LEFT", "开通后余量"),
    ];
    text.push_str(&style.table(&names, &rows));
    text.push_str(&lines([summary(simulation, style)]));
    let rows: Vec<_> = simulation.starts.iter().flat_map(starting).collect();
    let names = [
        ("NAMESPACE", "命名空间"),
        ("REQUEST", "申请"),
        ("POOL", "资源池"),
        ("GRANTED", "授予"),
    ];
    text.push_str(&style.table(&names, &rows));
    text.push_str(&style.notes(&simulation.notes));
    text
}

fn summary(simulation: &Simulation, style: Style) -> String {
    let starts = simulation.starts.len();
    match simulation.waiting {
        None => "STARTS  -".to_owned(),
        Some(waiting) => format!(
            "STARTS  {starts} {} {waiting} {}",
            style.say("of", "/"),
            style.say("that wait for room", "个排队等待余量的申请")
        ),
    }
}

/// What a program wrote, as numbers.
pub(super) fn figures(amounts: &Amounts) -> Resources {
    signed(amounts).unwrap_or_default()
}

/// One row for each resource that is added.
fn added(row: &Added) -> Vec<Vec<String>> {
    let (adds, free, left) = (figures(&row.committable), figures(&row.free), figures(&row.left));
    let cells = |resource: &str| {
        vec![
            row.pool.clone(),
            row.centre.clone(),
            brief(resource).to_owned(),
            short(resource, adds[resource]),
            short(resource, free[resource]),
            short(resource, left[resource]),
        ]
    };
    let named = adds.iter().filter(|(_, v)| *v != 0);
    named.map(|(resource, _)| cells(resource)).collect()
}

/// `16 cards, 192 cpu`, or 0.
pub(super) fn granted(amounts: &Amounts) -> String {
    let named = figures(amounts).iter().filter(|(_, v)| *v != 0);
    let words: Vec<_> = named
        .map(|(resource, v)| format!("{} {}", short(resource, v), brief(resource)))
        .collect();
    if words.is_empty() {
        "0".to_owned()
    } else {
        words.join(", ")
    }
}

/// One row for each pool of the request.
fn starting(start: &Starting) -> Vec<Vec<String>> {
    let row = |pool: &crds::PoolAmounts| {
        vec![
            start.namespace.clone(),
            start.name.clone(),
            pool.pool.clone(),
            granted(&pool.amounts),
        ]
    };
    start.pools.iter().map(row).collect()
}
