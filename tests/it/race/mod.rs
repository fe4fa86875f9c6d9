//! Races: the judge against others, and the command against endpoints that lose atomicity.

pub(crate) mod history;
mod judges;
