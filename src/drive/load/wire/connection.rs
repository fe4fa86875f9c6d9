//! One connection to the target, plain or TLS, that never blocks. Whoever drives it watches its socket with an epoll,
//! edge-triggered for reading and writing from the start, and calls [`Connection::receive`] at every edge.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use rustls_platform_verifier::ConfigVerifierExt as _;

use super::Broken;
use super::response::{Reader, Response};

/// How connections are secured: whom they have to reach, and whose word is taken for it.
#[derive(Clone)]
pub struct Tls {
    pub config: Arc<ClientConfig>,
    pub name: ServerName<'static>,
}

impl Tls {
    /// For a host whose certificate the system's own authorities vouch for; says what is wrong in words.
    pub fn trusting_the_system(host: String) -> Result<Tls, String> {
        let config = ClientConfig::with_platform_verifier().map_err(|error| error.to_string())?;
        Tls::new(host, config)
    }

    pub fn new(host: String, mut config: ClientConfig) -> Result<Tls, String> {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        Ok(Tls { config: Arc::new(config), name })
    }
}

/// A connection and what has come over it.
pub struct Connection {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    open: bool,
    reader: Reader,
    /// The rest of a call that the socket did not take at once.
    unsent: Vec<u8>,
}

/// What an edge brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Nothing,
    /// Calls can be sent from now on.
    Opened,
    Response(Response),
}

impl Connection {
    /// Begins to connect.
    pub fn open(address: SocketAddr, tls: Option<&Tls>) -> Result<Connection, Broken> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket: OwnedFd = socket_with(family, SocketType::STREAM, flags, None).map_err(|error| system(error.into()))?;
        match connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(system(error.into())),
        }
        let stream = TcpStream::from(socket);
        // A call is one small write: it must not wait for the acknowledgement of the one before.
        stream.set_nodelay(true).map_err(system)?;
        let tls = tls.map(|tls| ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map(Box::new));
        let tls = tls.transpose().map_err(|error| Broken::Tls(error.to_string()))?;
        Ok(Connection { stream, tls, open: false, reader: Reader::default(), unsent: Vec::new() })
    }

    /// What an epoll has to watch.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Sends one call; what the socket does not take goes out with later edges.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes).map_err(system)?;
            return self.flush();
        }
        match self.stream.write(bytes) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(sent) => {
                self.unsent.extend_from_slice(&bytes[sent..]);
                self.flush()
            }
            Err(error) if would_block(&error) => {
                self.unsent.extend_from_slice(bytes);
                Ok(())
            }
            Err(error) => Err(system(error)),
        }
    }

    /// Takes in what has come, up to one whole response.
    pub fn receive(&mut self) -> Result<Received, Broken> {
        if !self.open {
            return self.opening();
        }
        self.flush()?;
        loop {
            let read = match &mut self.tls {
                None => self.stream.read(self.reader.spare()),
                Some(tls) => read_tls(tls, &mut self.stream, self.reader.spare())?,
            };
            match read {
                Ok(0) => return self.reader.end().map(Received::Response),
                Ok(count) => self.reader.fill(count),
                Err(error) if would_block(&error) => return Ok(Received::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(system(error)),
            }
            if let Some(response) = self.reader.poll()? {
                return Ok(Received::Response(response));
            }
        }
    }

    /// The body of a response that has just been received.
    pub fn body(&self, response: &Response) -> &[u8] {
        self.reader.bytes(response)
    }

    /// Makes room for the next response.
    pub fn consume(&mut self, response: &Response) -> Result<(), Broken> {
        self.reader.consume(response)
    }

    fn opening(&mut self) -> Result<Received, Broken> {
        if let Some(error) = self.stream.take_error().map_err(system)? {
            return Err(system(error));
        }
        if self.stream.peer_addr().is_err() {
            return Ok(Received::Nothing);
        }
        if let Some(tls) = &mut self.tls {
            while tls.is_handshaking() {
                while tls.wants_write() {
                    match tls.write_tls(&mut self.stream) {
                        Ok(_) => {}
                        Err(error) if would_block(&error) => return Ok(Received::Nothing),
                        Err(error) => return Err(system(error)),
                    }
                }
                if !tls.is_handshaking() {
                    break;
                }
                match tls.read_tls(&mut self.stream) {
                    Ok(0) => return Err(Broken::Tls("closed inside the handshake".to_owned())),
                    Ok(_) => {}
                    Err(error) if would_block(&error) => return Ok(Received::Nothing),
                    Err(error) => return Err(system(error)),
                }
                if let Err(error) = tls.process_new_packets() {
                    // The alert tells the other side why; whether it arrives does not matter any more.
                    let _ = tls.write_tls(&mut self.stream);
                    return Err(Broken::Tls(error.to_string()));
                }
            }
        }
        self.open = true;
        self.flush()?;
        Ok(Received::Opened)
    }

    fn flush(&mut self) -> Result<(), Broken> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut self.stream) {
                    Ok(_) => {}
                    Err(error) if would_block(&error) => return Ok(()),
                    Err(error) => return Err(system(error)),
                }
            }
            return Ok(());
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(system(error)),
            }
        }
        Ok(())
    }
}

/// Reads plain bytes; those that the socket has are deciphered first.
fn read_tls(tls: &mut ClientConnection, stream: &mut TcpStream, into: &mut [u8]) -> Result<io::Result<usize>, Broken> {
    loop {
        match tls.reader().read(into) {
            Err(error) if would_block(&error) => {}
            // A peer that closes without saying so in TLS closes all the same: what length a reply has, its framing says.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Ok(0)),
            read => return Ok(read),
        }
        match tls.read_tls(stream) {
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        tls.process_new_packets().map_err(|error| Broken::Tls(error.to_string()))?;
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn system(error: io::Error) -> Broken {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Broken::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => Broken::Reset,
        _ => Broken::System(error.to_string()),
    }
}
