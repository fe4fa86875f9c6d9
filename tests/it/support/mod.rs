//! What the tests share: the binary as a child process, and runs of the bundled suite.

pub(crate) mod binary;
pub(crate) mod conform;
