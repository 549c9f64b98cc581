//! What the pure decisions cost, on no cloud at all.

mod growth;
mod place;
mod quota;

use anyhow::Result;
use serde_json::{Map, Value};

/// One of them.
type Run = fn() -> Result<Map<String, Value>>;

/// By name.
pub(crate) const ALL: [(&str, Run); 2] = [("place-plan", place::run), ("quota-plan", quota::run)];
