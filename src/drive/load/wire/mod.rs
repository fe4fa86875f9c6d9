//! HTTP/1.1 for the load path: one call in flight a connection, buffers kept, no runtime.
//!
//! Never a wait or a time-out: whoever drives an [`HttpConnection`] has the event loop and the clock.

mod chunked;
mod connection;
mod head;
mod response;
mod stream;

use std::fmt;
use std::io::{self, ErrorKind};

pub use connection::HttpConnection;
pub use response::{HttpResponse, Reader};
use rustix::io::Errno;
use stream::ProxyRefusal;
pub use stream::{Tls, TlsSetupError};

/// How a connection, and with it the call in flight, was lost. The words are the same for all losses of a kind, so that they
/// can be counted; they never hold what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Nobody listens there.
    Refused,
    /// No route to there.
    Unreachable,
    /// The generator's own fault: no local port or descriptor is left.
    Exhausted,
    /// The system gave up, or whoever drives the connection did.
    TimedOut,
    Reset,
    /// The connection ended with no call in flight: none is lost.
    ClosedIdle,
    ClosedBeforeReply,
    ClosedInsideReply,
    /// What came is no HTTP, or came without being asked for.
    Garbage,
    /// The head or the body goes on beyond what is read.
    TooLarge,
    /// The target's certificate is not trusted, or is another host's.
    Certificate,
    /// The proxy did not let the connection through.
    Proxy,
    /// Any other failure of TLS.
    Tls,
    /// Any other failure of the socket.
    Socket,
}

impl Cause {
    pub fn words(self) -> &'static str {
        match self {
            Cause::Refused => "connection refused",
            Cause::Unreachable => "host unreachable",
            Cause::Exhausted => "no local port or descriptor left",
            Cause::TimedOut => "timed out",
            Cause::Reset => "connection reset",
            Cause::ClosedIdle => "closed between calls",
            Cause::ClosedBeforeReply => "closed before the reply",
            Cause::ClosedInsideReply => "closed inside the reply",
            Cause::Garbage => "not HTTP",
            Cause::TooLarge => "reply too large",
            Cause::Certificate => "certificate not trusted",
            Cause::Proxy => "refused by the proxy",
            Cause::Tls => "TLS failed",
            Cause::Socket => "socket failed",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl From<&io::Error> for Cause {
    fn from(error: &io::Error) -> Cause {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return match error {
                rustls::Error::InvalidCertificate(_) => Cause::Certificate,
                _ => Cause::Tls,
            };
        }
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<ProxyRefusal>) {
            return Cause::Proxy;
        }
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        if matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS)) {
            return Cause::Exhausted;
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Cause::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Cause::Unreachable,
            ErrorKind::AddrNotAvailable | ErrorKind::QuotaExceeded => Cause::Exhausted,
            ErrorKind::TimedOut => Cause::TimedOut,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Cause::Reset,
            _ => Cause::Socket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_errors_are_told_apart_by_whose_fault_they_are() {
        for (errno, cause) in [
            (Errno::CONNREFUSED, Cause::Refused),
            (Errno::NETUNREACH, Cause::Unreachable),
            (Errno::HOSTUNREACH, Cause::Unreachable),
            (Errno::ADDRNOTAVAIL, Cause::Exhausted),
            (Errno::MFILE, Cause::Exhausted),
            (Errno::NFILE, Cause::Exhausted),
            (Errno::TIMEDOUT, Cause::TimedOut),
            (Errno::CONNRESET, Cause::Reset),
            (Errno::PIPE, Cause::Reset),
            (Errno::BADF, Cause::Socket),
        ] {
            assert_eq!(Cause::from(&io::Error::from(errno)), cause, "{errno}");
        }
        let tls = io::Error::other(rustls::Error::HandshakeNotComplete);
        assert_eq!(Cause::from(&tls), Cause::Tls);
    }
}
