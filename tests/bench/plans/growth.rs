//! How long something pure thinks, and how that grows with the number of what it looks at.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

/// The operator's own: what is timed here runs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The sizes whose growth is fitted, as divisors.
const SCALE: [usize; 3] = [16, 4, 1];
const RUNS: usize = 9;

/// Puts the times for that number of things, a quarter and a sixteenth of it, and their exponent.
pub(crate) fn growth<T, R>(
    figures: &mut Map<String, Value>,
    (name, number): (&str, usize),
    make: impl Fn(usize) -> Result<T>,
    think: impl Fn(&T) -> R,
) -> Result<()> {
    let mut points = Vec::new();
    for divisor in SCALE {
        let size = number / divisor;
        let milliseconds = median(&make(size)?, &think)?;
        figures.insert(format!("{name}_{size}_ms"), json!(rounded(milliseconds)));
        points.push((size, milliseconds));
    }
    figures.insert(format!("{name}_exponent"), json!(rounded(exponent(&points))));
    Ok(())
}

/// Median processor time in milliseconds; the time that others take from this core does not count.
fn median<T, R>(of: &T, think: impl Fn(&T) -> R) -> Result<f64> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let before = on_processor()?;
        let thought = black_box(think(black_box(of)));
        runs.push(on_processor()?.saturating_sub(before).as_secs_f64() * 1e3);
        drop(thought);
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
