//! HTTP/1.1 as the load path speaks it: one call at a time over a connection, buffers used again and again.

pub mod connection;
pub mod response;

/// Why a connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("connection refused")]
    Refused,
    #[error("connection reset")]
    Reset,
    #[error("closed before a reply")]
    Closed,
    #[error("closed inside a reply")]
    Cut,
    #[error("not HTTP")]
    Garbage,
    #[error("reply too large")]
    TooLarge,
    /// Bytes that no call asked for.
    #[error("unasked-for bytes")]
    Unasked,
    #[error("TLS: {0}")]
    Tls(String),
    #[error("{0}")]
    System(String),
}
