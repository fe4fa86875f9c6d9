//! What the tests share: the binary as a child process, and runs of the bundled suite, programs of others.

pub(crate) mod binary;
pub(crate) mod conform;
pub(crate) mod debian;
pub(crate) mod gateway;
