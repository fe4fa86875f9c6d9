//! Talks to the target: sends, waits, records. A failing target is a value (`Exchange`, `Finding`); an error means that *we*
//! could not do our job. Never prints.

pub(crate) mod at_once;
pub(crate) mod client;
mod compose;
pub mod conform;
pub(crate) mod descriptors;
pub(crate) mod doctor;
pub mod fuzz;
pub mod ground;
pub mod limits;
mod line;
pub mod load;
mod messages;
mod pace;
pub(crate) mod probe;
pub(crate) mod race;
mod reach;
mod readback;
pub mod route;
pub mod stop;
pub mod target;
mod trust;
pub(crate) mod urgency;
