//! The reference endpoint, pure.

pub mod limiter;
