//! Placements: which templates run in which centres, with how many copies. The operator's part is [`decide`], the
//! agent's [`centre`] with [`object`] and [`drift`].

pub mod architecture;
pub mod asks;
pub mod centre;
pub mod confirm;
pub mod decide;
pub mod drift;
pub mod exclusive;
pub mod fights;
pub mod fit;
pub mod job;
pub mod kinds;
pub mod layers;
pub mod message;
pub mod object;
mod one_sided;
pub mod overrides;
pub mod readiness;
pub mod rollout;
pub mod row;
pub mod select;
pub mod split;
pub mod status;
pub mod step;
pub mod template;
pub mod write_back;

#[cfg(test)]
mod testing;
