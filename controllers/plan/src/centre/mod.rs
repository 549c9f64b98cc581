//! What a centre agent decides: the objects that a grant becomes, the rows it answers with, and the capacity that nodes
//! add up to.

pub mod answer;
pub mod capacity;
pub mod cards;
pub mod catalogue;
pub mod epoch;
pub mod grant;
pub mod quota;
pub mod requests;
pub mod rows;
pub mod stage;
pub mod usage;

#[cfg(test)]
pub(crate) mod testing;
