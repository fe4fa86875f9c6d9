//! Load: many calls at once, over a wire of its own.

pub mod wire;
