//! A socket that does not block, plain or within TLS.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// More is no head of a proxy's answer.
const MOST_ANSWERED: usize = 16 << 10;

/// What TLS connections to one host have in common: made once, cloned cheaply.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
    /// What the proxy that stands between is asked first.
    asked: Option<Arc<str>>,
}

/// A proxy did not let a connection through.
#[derive(Debug, thiserror::Error)]
#[error("the proxy refused")]
pub(super) struct ProxyRefusal;

/// TLS could not be set up: nothing has been asked of the target yet.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    #[error("cannot set up TLS")]
    Config(#[from] rustls::Error),
    #[error("{host} is no name that a certificate can have")]
    Host {
        host: String,
        #[source]
        source: rustls::pki_types::InvalidDnsNameError,
    },
}

impl Tls {
    /// The host is a name or an address, as it stands in the URL.
    pub fn new(config: ClientConfig, host: &str) -> Result<Tls, TlsSetupError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let host = ServerName::try_from(bare).map_err(|source| TlsSetupError::Host { host: host.to_owned(), source })?;
        Ok(Tls { config: Arc::new(config), host, asked: None })
    }

    /// The same through a proxy, which is asked for this host, bare, and port.
    pub fn through_proxy(self, host: &str, port: u16) -> Tls {
        let end = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Tls { asked: Some(format!("CONNECT {end} HTTP/1.1\r\nHost: {end}\r\n\r\n").into()), ..self }
    }

    fn start(&self) -> io::Result<Box<ClientConnection>> {
        let mut session = ClientConnection::new(Arc::clone(&self.config), self.host.clone()).map_err(io::Error::other)?;
        // A call is taken whole, however long, and leaves as the socket takes it.
        session.set_buffer_limit(None);
        Ok(Box::new(session))
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    session: Option<Box<ClientConnection>>,
    /// A proxy that has not let us through yet.
    proxy: Option<ProxyTalk>,
}

/// What is said to a proxy, and what it says.
#[derive(Debug)]
struct ProxyTalk {
    asked: Arc<str>,
    /// So much of that was taken.
    sent: usize,
    answered: Vec<u8>,
}

impl Stream {
    /// Begins to connect.
    pub(super) fn open(address: SocketAddr, tls: Option<&Tls>) -> io::Result<Stream> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match rustix::net::socket_with(family, SocketType::STREAM, flags, None) {
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => return Err(ErrorKind::QuotaExceeded.into()),
            socket => socket?,
        };
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let socket = TcpStream::from(socket);
        // A small call must not wait for the acknowledgement of the one before.
        socket.set_nodelay(true)?;
        // A control that paces (BBR, often the system's default) holds back a call that counts as sent. A call is a segment or
        // two, so there is no congestion for it to control; every Linux has Reno, and where it may not be chosen nothing is lost.
        let _ = rustix::net::sockopt::set_tcp_congestion(&socket, "reno");
        let asked = tls.and_then(|tls| tls.asked.clone());
        let proxy = asked.map(|asked| ProxyTalk { asked, sent: 0, answered: Vec::new() });
        Ok(Stream { socket, session: tls.map(Tls::start).transpose()?, proxy })
    }

    /// Whether the connection stands, through a proxy where there is one, TLS included.
    pub(super) fn establish(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            connected => connected?,
        };
        if let Some(talk) = &mut self.proxy {
            if !talk.is_let_through(&self.socket)? {
                return Ok(false);
            }
            self.proxy = None;
        }
        let Some(session) = &mut self.session else { return Ok(true) };
        while session.is_handshaking() {
            write_records(session, &self.socket)?;
            match read_records(session, &self.socket) {
                Ok(0) => return Err(io::Error::other(rustls::Error::HandshakeNotComplete)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        write_records(session, &self.socket)?;
        Ok(true)
    }

    /// Zero is the end, in order. Without TLS's own farewell the end is an [`ErrorKind::UnexpectedEof`].
    pub(super) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        // Not by the standard library: the C library's call is a point of cancellation, which is not free.
        let Some(session) = &mut self.session else { return Ok(rustix::net::recv(&self.socket, space, RecvFlags::empty())?.1) };
        loop {
            match session.reader().read(space) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => read_records(session, &self.socket)?,
                read => return read,
            };
        }
    }

    /// Takes some of the bytes, or all.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else {
            return Ok(rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL)?);
        };
        let taken = session.writer().write(bytes)?;
        write_records(session, &self.socket)?;
        Ok(taken)
    }

    /// Sends what TLS still holds, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.session.as_mut().map_or(Ok(()), |session| write_records(session, &self.socket))
    }

    pub(super) fn holds_unsent(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.wants_write())
    }

    /// Whether TLS holds something unread that the socket will not tell of again: bytes, or the end.
    pub(super) fn holds_unread(&mut self) -> bool {
        let nothing = |read: io::Result<&[u8]>| read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.session.as_mut().is_some_and(|session| !nothing(session.reader().fill_buf()))
    }
}

impl ProxyTalk {
    /// Asks on and reads on, until the answer is whole or the socket has no more.
    fn is_let_through(&mut self, mut socket: &TcpStream) -> io::Result<bool> {
        while self.sent < self.asked.len() {
            match socket.write(&self.asked.as_bytes()[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut space = [0; 1024];
        while !self.answered.ends_with(b"\r\n\r\n") {
            match socket.read(&mut space) {
                Ok(count) if count > 0 && self.answered.len() < MOST_ANSWERED => self.answered.extend(&space[..count]),
                Ok(_) => return Err(io::Error::other(ProxyRefusal)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut response = httparse::Response::new(&mut []);
        // A status line is all that is looked at, and it comes before the headers that there is no room for.
        let _ = response.parse(&self.answered);
        if matches!(response.code, Some(200..=299)) { Ok(true) } else { Err(io::Error::other(ProxyRefusal)) }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads what there is and sends what it asks for: an alert, a new key.
fn read_records(session: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<usize> {
    let read = session.read_tls(&mut socket)?;
    let processed = session.process_new_packets();
    if session.wants_write() {
        let sent = write_records(session, socket);
        if processed.is_ok() {
            sent?;
        }
    }
    processed.map(|_| read).map_err(io::Error::other)
}

fn write_records(session: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(&mut socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
