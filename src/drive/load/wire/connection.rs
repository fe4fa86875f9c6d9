//! One connection: one call in flight, driven from outside by events.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::epoll::EventFlags;

use super::Cause;
use super::response::{HttpResponse, Reader};
use super::stream::{Stream, Tls};

/// A connection for an edge-triggered event loop.
///
/// After each [`HttpConnection::open`] register it once, for [`HttpConnection::INTEREST`]; nothing has to be changed or removed later.
/// An event only says "look":
///
/// - Not [ready](HttpConnection::is_ready): call [`HttpConnection::establish`].
/// - A call in flight: call [`HttpConnection::receive`], which also sends on what is left of the call. It reads until the reply is
///   whole or nothing is there, so `None` always means that another event will come. After a reply nothing has to be read on.
/// - No call in flight: call [`HttpConnection::receive`] too; it can only give `None` or a loss (the target closed, or speaks
///   without being asked). Do so once more after a reply whose event told of a hang-up (`RDHUP`, `HUP`, `ERR`): no other
///   event will tell of it.
///
/// After a loss, a time-out, or a reply that does not keep the connection alive, `open` it anew.
#[derive(Debug)]
pub struct HttpConnection {
    address: SocketAddr,
    tls: Option<Tls>,
    /// `None` while it is closed.
    stream: Option<Stream>,
    is_ready: bool,
    in_flight: bool,
    reader: Reader,
    /// What the socket did not take of a call.
    unsent: Vec<u8>,
}

impl HttpConnection {
    pub const INTEREST: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

    /// A connection that is not open yet.
    pub fn new(address: SocketAddr, tls: Option<Tls>) -> HttpConnection {
        let (reader, unsent) = (Reader::default(), Vec::new());
        HttpConnection { address, tls, stream: None, is_ready: false, in_flight: false, reader, unsent }
    }

    /// Begins to connect, on a socket of its own and with the same buffers; what was open is closed.
    pub fn open(&mut self) -> Result<(), Cause> {
        self.close();
        self.stream = Some(Stream::open(self.address, self.tls.as_ref()).map_err(|error| Cause::from(&error))?);
        Ok(())
    }

    pub fn close(&mut self) {
        self.stream = None;
        self.is_ready = false;
        self.in_flight = false;
        self.unsent.clear();
        self.reader.next();
    }

    /// Whether calls can be sent, after an event on a connection that is not ready yet.
    pub fn establish(&mut self) -> Result<bool, Cause> {
        let stream = self.stream.as_mut().ok_or(Cause::ClosedIdle)?;
        self.is_ready = stream.establish().map_err(|error| Cause::from(&error))?;
        Ok(self.is_ready)
    }

    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Sends a request, its head and body in one, as far as the socket takes it; the rest is kept and follows later.
    pub fn send(&mut self, request: &[u8]) -> Result<(), Cause> {
        let stream = self.stream.as_mut().ok_or(Cause::ClosedIdle)?;
        self.reader.next();
        self.in_flight = true;
        let taken = write(stream, request)?;
        self.unsent.extend_from_slice(&request[taken..]);
        Ok(())
    }

    /// The reply, once it is whole. It is kept until the next call is sent.
    pub fn receive(&mut self) -> Result<Option<HttpResponse<'_>>, Cause> {
        let stream = self.stream.as_mut().ok_or(Cause::ClosedIdle)?;
        let flushed = flush(stream, &mut self.unsent);
        if !read(stream, &mut self.reader, self.in_flight)? {
            // Only now: who refuses a call early answers, and then takes no more of it.
            return flushed.map(|()| None);
        }
        self.in_flight = false;
        let is_clean = self.unsent.is_empty() && !stream.holds_unsent() && !stream.holds_unread();
        let mut response = self.reader.whole();
        response.keep_alive &= is_clean;
        Ok(Some(response))
    }
}

impl AsFd for HttpConnection {
    /// # Panics
    /// While it is closed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_ref().expect("an open connection").as_fd()
    }
}

fn flush(stream: &mut Stream, unsent: &mut Vec<u8>) -> Result<(), Cause> {
    if stream.holds_unsent() {
        stream.flush().map_err(|error| Cause::from(&error))?;
    }
    if !unsent.is_empty() {
        let taken = write(stream, unsent)?;
        unsent.drain(..taken);
    }
    Ok(())
}

/// Writes until all is taken or the socket takes no more: only then another event will come.
fn write(stream: &mut Stream, bytes: &[u8]) -> Result<usize, Cause> {
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.write(&bytes[taken..]) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Cause::from(&error)),
        }
    }
    Ok(taken)
}

/// Whether the reply is whole. While it is not, reads on until nothing is there: an end that came together with the last bytes
/// is told by no event of its own.
fn read(stream: &mut Stream, reader: &mut Reader, in_flight: bool) -> Result<bool, Cause> {
    loop {
        match stream.read(reader.space()) {
            Ok(0) if in_flight => return reader.close().map(|()| true),
            Ok(0) => return Err(Cause::ClosedIdle),
            Ok(_) if !in_flight => return Err(Cause::Garbage),
            Ok(count) => {
                if reader.take_in(count)? {
                    return Ok(true);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(false),
                ErrorKind::Interrupted => {}
                ErrorKind::UnexpectedEof if in_flight => return Err(reader.cut_off()),
                ErrorKind::UnexpectedEof => return Err(Cause::ClosedIdle),
                _ => return Err(Cause::from(&error)),
            },
        }
    }
}
