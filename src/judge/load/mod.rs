//! What a load run measured, held against its plan, the ledger and the limits of the documentation.

pub mod capacity;
pub mod check;
pub mod doubt;
pub mod findings;
pub mod fit;
#[cfg(test)]
mod fixture;
pub mod ledger;
pub mod limits;
pub mod measured;
pub mod merge;
pub mod reply;
pub mod shards;
pub mod tally;
pub mod trial;
pub mod verdict;
pub mod write;
