//! Moves of placements between centres: what is known ([`facts`], [`witness`]), which moves must exist ([`begin`],
//! [`guard`]), who agrees ([`approvals`]), what comes next of each ([`machine`]), which centre runs a placement then
//! ([`active`]), and whether a loss would be answered at all ([`armed`]).

pub mod active;
pub mod approvals;
pub mod armed;
pub mod begin;
pub mod centres;
pub mod facts;
pub mod guard;
pub mod machine;
pub mod status;
pub mod witness;

#[cfg(test)]
mod testing;
