//! The pure cycle on ten thousand waiting requests: how long it thinks, and how that grows.

pub(crate) mod world;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use plan::cycle::{Snapshot, cycle};
use serde_json::{Map, Value, json};

use world::{Room, snapshot};

/// The operator's own: what is timed here runs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REQUESTS: usize = 10_000;
const POOLS: usize = 100;
const TENANTS: usize = 2_000;
/// The sizes whose growth is fitted, as divisors.
const SCALE: [usize; 3] = [16, 4, 1];
const RUNS: usize = 9;

pub(crate) fn run() -> Result<Map<String, Value>> {
    let mut figures = Map::new();
    for (name, room) in [("waiting", Room::None), ("granting", Room::Plenty)] {
        let mut points = Vec::new();
        for divisor in SCALE {
            let (requests, tenants) = (REQUESTS / divisor, TENANTS / divisor);
            let milliseconds = median(&snapshot(requests, POOLS, tenants, room)?)?;
            figures.insert(format!("{name}_{requests}_ms"), json!(rounded(milliseconds)));
            points.push((requests, milliseconds));
        }
        figures.insert(format!("{name}_exponent"), json!(rounded(exponent(&points))));
    }
    Ok(figures)
}

/// Median processor time of a cycle in milliseconds; the time that others take from this core does not count.
fn median(snapshot: &Snapshot) -> Result<f64> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let before = on_processor()?;
        let plan = black_box(cycle(black_box(snapshot)));
        runs.push(on_processor()?.saturating_sub(before).as_secs_f64() * 1e3);
        drop(plan);
    }
    runs.sort_by(f64::total_cmp);
    runs.get(RUNS / 2).copied().context("nothing was measured")
}

/// How long this thread was on a processor.
fn on_processor() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// Slope of the line through the logarithms: 1 where cost grows as the number does.
fn exponent(points: &[(usize, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points
        .iter()
        .map(|(n, cost)| (f64::from(u32::try_from(*n).unwrap_or(u32::MAX)).ln(), cost.ln()))
        .collect();
    let (x, y) = (mean(logs.iter().map(|p| p.0)), mean(logs.iter().map(|p| p.1)));
    let covariance: f64 = logs.iter().map(|(a, b)| (a - x) * (b - y)).sum();
    covariance / logs.iter().map(|(a, _)| (a - x).powi(2)).sum::<f64>()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    sum / count
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
