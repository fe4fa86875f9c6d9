//! Talks to the target: sends, waits, records. A failing target is a value (`Exchange`, `Finding`); an error means that *we*
//! could not do our job. Never prints.

pub mod client;
pub mod compose;
pub mod conform;
pub mod ground;
pub mod line;
pub mod load;
pub mod messages;
pub mod pace;
pub mod probe;
pub mod readback;
pub mod stop;
pub mod target;
