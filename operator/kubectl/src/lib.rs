//! `kubectl xiangyun`: what people ask of the control plane beyond plain kubectl.
//!
//! Reading (`read`), deciding what to say (`verdict`, `options`, `quote`, `status`) and printing (`print`) are apart.
//! Decisions about quota are those of the crate `plan`, the same code that the operator runs.

pub mod amount;
pub mod cli;
pub mod clock;
pub mod colour;
pub mod connect;
pub mod decide;
pub mod document;
pub mod dry_run;
pub mod expansion;
pub mod failover;
pub mod failure;
pub mod floor;
pub mod join;
pub mod keep;
pub mod lang;
pub mod options;
pub mod placement;
pub mod print;
pub mod quote;
pub mod read;
pub mod run;
pub mod simulate;
pub mod spelling;
pub mod status;
pub mod steer;
pub mod table;
pub mod usage;
pub mod verdict;
pub mod wait;
pub mod word;
