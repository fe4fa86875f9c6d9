//! The reference endpoint, pure.
