//! Moves of placements between centres: what one would do, asking for it, following it, agreeing to it, confirming a fence.

pub mod act;
pub mod args;
pub mod fence;
pub mod page;
pub mod print;
pub mod run;
pub mod scheme;

use crds::{Condition, find_condition};
use serde::Serialize;

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// In words, `English | 中文`.
    pub message: String,
}

fn said(conditions: &[Condition], kind: &str) -> Option<Said> {
    find_condition(conditions, kind).map(|c| Said {
        status: c.status.clone(),
        reason: c.reason.clone(),
        message: c.message.clone(),
    })
}
