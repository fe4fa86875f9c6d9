//! History in, findings out: pure judges. Never a socket, a clock or a print.

pub mod limit;
pub mod summary;
