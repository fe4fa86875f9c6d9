//! The endpoint on a port, on hyper: many connections, real time, faults of the wire on request.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Either, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::alarm::{self, Alarm};
use super::fault::{Fault, FaultKind, SpoiltCommand};
use super::latency::AddedLatency;
use super::race::{RaceFlaw, SharedModel};
use super::record::Record;
use crate::model::verified::Verified;
use crate::model::{Begun, Model, Request, Response, Setup, prepare};

/// Requests with a longer body are cut off: a lawful one holds 20 pairs of at most 1,100 bytes, escaped at worst.
const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Connections still open so long after the end was asked for are closed as they are.
const GRACE: Duration = Duration::from_millis(500);
/// Pause between two bytes of a slow body.
const SLOW_BYTE: Duration = Duration::from_millis(100);

/// What a server does beyond answering.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// What every answer takes at least.
    pub latency: AddedLatency,
    pub faults: Vec<Fault>,
    /// How writes lose their atomicity.
    pub race: Option<RaceFlaw>,
    /// Where set calls are taken down.
    pub record: Option<Arc<Record>>,
}

/// Serves until `shutdown` is ready; then connections get a moment to finish.
pub async fn serve(listener: TcpListener, setup: Setup, model: Model, behaviour: Behaviour, shutdown: impl Future<Output = ()>) {
    let verified = Verified::default();
    let server = Arc::new(Server { setup, behaviour, verified, model: SharedModel::new(model), calls: Default::default() });
    let mut connections = JoinSet::new();
    let mut next_connection = 0;
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&server), next_connection));
                    next_connection += 1;
                }
                // Out of descriptors, or the peer is gone already: neither ends the server.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    // An idle connection would wait for its peer for ever.
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Where a listener ended up: with port 0 the system chose.
pub async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

struct Server {
    setup: Setup,
    behaviour: Behaviour,
    verified: Verified,
    model: SharedModel,
    /// Calls of each command so far, over all connections: what "one in N" counts.
    calls: [AtomicU64; SpoiltCommand::ALL.len()],
}

/// Most replies are whole; only a spoilt one is worth a box.
type ReplyBody = Either<Full<Bytes>, BoxBody<Bytes, io::Error>>;

/// One client's connection. Its requests come one after another.
struct ClientConnection {
    number: u64,
    /// A second handle to the socket, through which a reset can be forced.
    socket: OwnedFd,
    alarm: OnceCell<Alarm>,
}

async fn connection(stream: TcpStream, server: Arc<Server>, number: u64) {
    // Small replies must not wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok((stream, socket)) = with_handle(stream) else { return };
    let connection = ClientConnection { number, socket, alarm: OnceCell::new() };
    let (server, connection) = (&server, &connection);
    let service = service_fn(move |request| server.answer(request, connection));
    let mut builder = hyper::server::conn::http1::Builder::new();
    // A client may well rest for a minute between two calls.
    builder.header_read_timeout(None);
    // An error here is the client's going away, or a fault that was asked for.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// The stream, and a second handle to its socket.
fn with_handle(stream: TcpStream) -> io::Result<(TcpStream, OwnedFd)> {
    let stream = stream.into_std()?;
    let handle = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, handle.into()))
}

impl ClientConnection {
    async fn wait_until(&self, at: Duration) -> io::Result<()> {
        let alarm = self.alarm.get_or_try_init(|| async { Alarm::new() }).await?;
        alarm.wait_until(at).await
    }
}

impl Server {
    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        connection: &ClientConnection,
    ) -> io::Result<hyper::Response<ReplyBody>> {
        let arrived = alarm::now();
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await.map_err(io::Error::other)?.to_bytes();
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or(""),
            body: &body,
            connection: connection.number,
        };
        let command = SpoiltCommand::of(request.path);
        let number = command.map(|command| self.calls[command as usize].fetch_add(1, Ordering::Relaxed) + 1);
        let set_call = number.filter(|_| command == Some(SpoiltCommand::Set));
        let fault = command.zip(number).and_then(|(command, number)| self.fault(command, number));
        let response = match fault {
            Some(fault) if !fault.after_the_work() => Response {
                status: 502,
                content_type: "text/html",
                body: b"<html><body>502 Bad Gateway</body></html>".to_vec(),
                delay: Duration::ZERO,
            },
            _ => self.respond(request),
        };
        let takes = self.behaviour.latency.of(set_call) + response.delay;
        if takes > Duration::ZERO {
            connection.wait_until(arrived + takes).await?;
        }
        if let Some(record) = self.behaviour.record.as_ref().filter(|_| set_call.is_some()) {
            record.add(arrived, alarm::now());
        }
        spoil(response, fault, &connection.socket)
    }

    fn respond(&self, request: Request<'_>) -> Response {
        // Read outside the lock: only what needs the state waits for it.
        match prepare(&self.setup, &self.verified, request, unix_time()) {
            Err(response) => response,
            Ok(prepared) => {
                let (rules, race) = (&self.setup.rules, self.behaviour.race);
                let mut model = self.model.lock();
                // The time is taken inside: limiters must not see it go backwards.
                match model.begin(&self.setup, prepared, unix_time()) {
                    Begun::Answered(response) => response,
                    Begun::Write(write) if race.is_none() && write.is_atomic(rules) => model.finish(rules, &write),
                    Begun::Write(write) => {
                        drop(model);
                        race.map_or_else(|| self.model.write(rules, &write), |race| self.model.race(rules, &write, race))
                    }
                }
            }
        }
    }

    fn fault(&self, command: SpoiltCommand, number: u64) -> Option<FaultKind> {
        let spoils = |fault: &&Fault| fault.only.is_none_or(|only| only == command) && number.is_multiple_of(fault.every);
        self.behaviour.faults.iter().find(spoils).map(|fault| fault.kind)
    }
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The reply as it goes out; an error makes hyper drop the connection.
fn spoil(response: Response, fault: Option<FaultKind>, socket: &OwnedFd) -> io::Result<hyper::Response<ReplyBody>> {
    let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let length = response.body.len();
    let bytes = Bytes::from(response.body);
    let body: ReplyBody = match fault {
        None | Some(FaultKind::BadGateway) => full(bytes),
        Some(FaultKind::Close) => return Err(gone()),
        Some(FaultKind::Reset) => {
            rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
            return Err(gone());
        }
        Some(FaultKind::Garbage) => full(Bytes::from_static(b"<html>not JSON</html>")),
        Some(FaultKind::Huge) => full(Bytes::from(vec![b' '; 10 << 20])),
        Some(FaultKind::Endless) => {
            let spaces = Bytes::from_static(&[b' '; 1024]);
            let endless = stream::repeat(spaces).then(|chunk| async {
                sleep(SLOW_BYTE).await;
                Ok(Frame::data(chunk))
            });
            Either::Right(BodyExt::boxed(StreamBody::new(endless)))
        }
        Some(FaultKind::SlowBody) => {
            let slow = stream::iter(bytes).then(|byte| async move {
                sleep(SLOW_BYTE).await;
                Ok(Frame::data(Bytes::copy_from_slice(&[byte])))
            });
            Either::Right(BodyExt::boxed(StreamBody::new(slow)))
        }
        Some(FaultKind::Truncate) => {
            let half = bytes.slice(..length / 2);
            // The pause lets the first half reach the client before the connection goes.
            let cut = stream::iter([Some(half), None]).then(move |part| async move {
                if let Some(half) = part {
                    return Ok(Frame::data(half));
                }
                sleep(Duration::from_millis(5)).await;
                Err(gone())
            });
            Either::Right(BodyExt::boxed(StreamBody::new(cut)))
        }
    };
    let announced = match fault {
        Some(FaultKind::Endless | FaultKind::Huge | FaultKind::Garbage) => None,
        _ => Some(length),
    };
    let mut builder = hyper::Response::builder().status(response.status).header(CONTENT_TYPE, response.content_type);
    if let Some(length) = announced {
        builder = builder.header(CONTENT_LENGTH, length);
    }
    builder.body(body).map_err(io::Error::other)
}

fn full(bytes: Bytes) -> ReplyBody {
    Either::Left(Full::new(bytes))
}
