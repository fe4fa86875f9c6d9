//! A server on one thread of one core: right replies, and as little as can be done for them.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::machine::{cpu_of_this_thread, now, pin};
use super::store::Store;

/// What the server is there to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// How many calls it answers. It sleeps where there are none.
    Count,
    /// When each call comes in. It never sleeps, so that nothing is late for its being woken.
    Arrivals,
}

/// What it found out.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Set calls that were answered.
    pub(crate) calls: u64,
    /// When each was read, on the monotonic clock, where that was watched.
    pub(crate) arrivals: Vec<Duration>,
    pub(crate) cpu: Duration,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Seen>>,
}

impl Server {
    pub(crate) fn start(core: usize, watch: Watch) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            pin(core)?;
            serve(&listener, watch, &stopped)
        });
        Ok(Server { address, stop, thread })
    }

    pub(crate) fn stop(self) -> io::Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the server panicked"))?
    }
}

const LISTENER: u64 = u64::MAX;

fn serve(listener: &TcpListener, watch: Watch, stop: &AtomicBool) -> io::Result<Seen> {
    const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    const A_MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    let patience = if watch == Watch::Arrivals { NO_TIME } else { A_MOMENT };
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(64);
    let mut desk = Desk { store: Store::default(), body: Vec::new(), watch, arrivals: Vec::new() };
    while !stop.load(Ordering::Relaxed) {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&patience)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            if event.data.u64() == LISTENER {
                let Ok((stream, _)) = listener.accept() else { continue };
                let connection = Connection::new(stream)?;
                epoll::add(&epoll, &connection.stream, EventData::new_u64(connections.len() as u64), EventFlags::IN)?;
                connections.push(Some(connection));
                continue;
            }
            let Some(slot) = usize::try_from(event.data.u64()).ok().and_then(|index| connections.get_mut(index)) else {
                continue;
            };
            // A connection that is dropped leaves the epoll set by itself.
            if slot.as_mut().is_some_and(|connection| connection.exchange(&mut desk).is_err()) {
                *slot = None;
            }
        }
    }
    Ok(Seen { calls: desk.store.calls, arrivals: desk.arrivals, cpu: cpu_of_this_thread() })
}

/// What all connections share.
struct Desk {
    store: Store,
    /// The body of the reply that is being made.
    body: Vec<u8>,
    watch: Watch,
    arrivals: Vec<Duration>,
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// Bytes of `input` that were read and not answered yet.
    filled: usize,
    output: Vec<u8>,
}

/// The connection is over: the client left, or spoke no HTTP.
struct Over;

impl Connection {
    fn new(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, input: vec![0; 4096], filled: 0, output: Vec::new() })
    }

    /// Reads once, answers every request that is whole, and writes once.
    fn exchange(&mut self, desk: &mut Desk) -> Result<(), Over> {
        if self.filled == self.input.len() {
            self.input.resize(self.filled * 2, 0);
        }
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => return Err(Over),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(Over),
        }
        let read_at = now();
        let mut answered = 0;
        self.output.clear();
        while let Some(request) = Request::parse(&self.input[answered..self.filled])? {
            let before = desk.store.calls;
            desk.body.clear();
            desk.store.answer(request.path, request.body, &mut desk.body);
            if desk.watch == Watch::Arrivals && desk.store.calls > before {
                desk.arrivals.push(read_at);
            }
            answered += request.length;
            let length = desk.body.len();
            let head = format_args!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
            self.output.write_fmt(head).expect("a Vec takes every byte");
            self.output.extend_from_slice(&desk.body);
        }
        self.input.copy_within(answered..self.filled, 0);
        self.filled -= answered;
        // The replies to what is in flight on one connection fit in the socket's buffer.
        self.stream.write_all(&self.output).map_err(|_| Over)
    }
}

/// A request that has come in whole.
struct Request<'a> {
    path: &'a str,
    body: &'a [u8],
    /// Of its head and body, in bytes.
    length: usize,
}

impl Request<'_> {
    fn parse(input: &[u8]) -> Result<Option<Request<'_>>, Over> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(start) = request.parse(input).map_err(|_| Over)? else { return Ok(None) };
        let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length: usize = match length {
            Some(header) => std::str::from_utf8(header.value).ok().and_then(|value| value.parse().ok()).ok_or(Over)?,
            None => 0,
        };
        let Some(body) = input.get(start..start + length) else { return Ok(None) };
        let target = request.path.unwrap_or_default();
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        Ok(Some(Request { path, body, length: start + length }))
    }
}
