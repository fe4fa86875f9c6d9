//! The reference endpoint on wiremock and on hyper: thin hosts of [`crate::model`]. Never a rule of the API's own.

pub mod alarm;
pub mod embedded;
pub mod fault;
pub mod latency;
pub mod race;
pub mod record;
pub mod server;
