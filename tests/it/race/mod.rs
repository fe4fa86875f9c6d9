//! Races: the judge against others, and the command against endpoints that lose atomicity.

pub(crate) mod checker;
mod command;
pub(crate) mod history;
mod judges;
mod names;
mod recorded;
