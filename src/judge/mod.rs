//! History in, findings out: pure judges.

pub mod summary;
