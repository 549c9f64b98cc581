//! The pure cycle on ten thousand waiting requests: how long it thinks, and how that grows.

mod world;

use anyhow::Result;
use plan::cycle::cycle;
use serde_json::{Map, Value};

use super::growth::growth;
use world::{Room, snapshot};

const REQUESTS: usize = 10_000;
const POOLS: usize = 100;
/// Requests of each tenant.
const EACH: usize = 5;

pub(crate) fn run() -> Result<Map<String, Value>> {
    let mut figures = Map::new();
    for (name, room) in [("waiting", Room::None), ("granting", Room::Plenty)] {
        let make = |requests| snapshot(requests, POOLS, requests / EACH, room);
        growth(&mut figures, (name, REQUESTS), make, cycle)?;
    }
    Ok(figures)
}
