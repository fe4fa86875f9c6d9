//! YAML read so that every problem is located, all of them at once, whatever kind of file it is.

mod mistake;
mod node;
pub mod rate;
pub mod reader;
pub mod source;
pub mod span;
pub mod suggest;
