//! Connections on loopback sockets, driven by edge-triggered events as the load path drives them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use msgext::drive::load::wire::{Cause, HttpConnection, Tls};
use rustix::event::{Timespec, epoll};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// An event that does not come within this never will.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Status, body, and whether the connection can carry another call.
type Reply = (u16, Vec<u8>, bool);

struct Driver {
    connection: HttpConnection,
    epoll: OwnedFd,
}

impl Driver {
    fn new(address: SocketAddr, tls: Option<Tls>) -> Driver {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
        Driver { connection: HttpConnection::new(address, tls), epoll }
    }

    fn open(&mut self) -> Result<(), Cause> {
        self.connection.open()?;
        epoll::add(&self.epoll, &self.connection, epoll::EventData::new_u64(0), HttpConnection::INTEREST).expect("a new socket");
        self.until(|connection| connection.establish().map(|ready| ready.then_some(())))
    }

    fn call(&mut self, request: &[u8]) -> Result<Reply, Cause> {
        self.connection.send(request)?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply, Cause> {
        self.until(|connection| {
            let reply = connection.receive()?;
            Ok(reply.map(|response| (response.status, response.body.to_vec(), response.keep_alive)))
        })
    }

    /// How the connection is lost with no call in flight. What is there already has had its event.
    fn silence(&mut self) -> Cause {
        match self.connection.receive().map(|reply| reply.is_some()) {
            Err(cause) => cause,
            Ok(_) => self.reply().expect_err("no call was sent"),
        }
    }

    /// Looks at the connection after each event, and never without one.
    fn until<T>(&mut self, mut look: impl FnMut(&mut HttpConnection) -> Result<Option<T>, Cause>) -> Result<T, Cause> {
        loop {
            let mut events = Vec::with_capacity(1);
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&PATIENCE)).expect("a wait");
            assert_eq!(events.len(), 1, "the connection waits for an event that does not come");
            if let Some(found) = look(&mut self.connection)? {
                return Ok(found);
            }
        }
    }
}

/// A server of one connection after another, each with its own behaviour.
fn serve<const N: usize>(behaviours: [fn(TcpStream); N]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = thread::spawn(move || {
        for behave in behaviours {
            let (socket, _) = listener.accept().expect("a client");
            socket.set_nodelay(true).expect("a socket");
            behave(socket);
        }
    });
    (address, serving)
}

fn opened(behave: fn(TcpStream)) -> Driver {
    let (address, _) = serve([behave]);
    let mut driver = Driver::new(address, None);
    driver.open().expect("a listener");
    driver
}

/// What a call comes to when it is so answered, and the connection then closed.
fn answered(behave: fn(TcpStream)) -> Result<Reply, Cause> {
    opened(behave).call(GET)
}

/// Reads a request without a body. `false` at the end of the connection.
fn read_request(peer: &mut impl Read) -> bool {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match peer.read(&mut byte) {
            Ok(1) => request.extend(byte),
            _ => return false,
        }
    }
    true
}

/// Says something without being asked.
fn speak_first(mut peer: impl Read + Write) {
    peer.write_all(OK).expect("a client");
    read_request(&mut peer);
}

/// Reads a request, and closes.
fn hear_out(mut peer: impl Read) {
    read_request(&mut peer);
}

fn answer_all(mut peer: impl Read + Write) {
    while read_request(&mut peer) {
        peer.write_all(OK).expect("a client");
        peer.flush().expect("a client");
    }
}

fn reply(body: &[u8], keep_alive: bool) -> Reply {
    (200, body.to_vec(), keep_alive)
}

#[test]
fn calls_follow_each_other_on_one_connection() {
    let mut driver = opened(answer_all);
    for _ in 0..3 {
        assert_eq!(driver.call(GET), Ok(reply(b"ok", true)));
    }
}

#[test]
fn a_reply_that_trickles_in_is_whole_at_its_end() {
    let trickled = answered(|mut socket| {
        read_request(&mut socket);
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" {
            socket.write_all(&[*byte]).expect("a client");
        }
    });
    assert_eq!(trickled.map(|(status, body, _)| (status, body)), Ok((200, b"ok".to_vec())));
}

#[test]
fn a_call_larger_than_the_socket_takes_goes_out_as_the_target_reads_it() {
    const BODY: usize = 16 << 20;
    let (sent, is_sent) = mpsc::channel();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut driver = Driver::new(listener.local_addr().expect("an address"), None);
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        is_sent.recv().expect("the call");
        assert!(read_request(&mut socket));
        let mut body = vec![0; BODY];
        socket.read_exact(&mut body).expect("a body");
        assert!(body.iter().all(|byte| *byte == b'b'));
        socket.write_all(OK).expect("a client");
    });
    driver.open().expect("a listener");
    let call = [b"POST / HTTP/1.1\r\n\r\n", vec![b'b'; BODY].as_slice()].concat();
    driver.connection.send(&call).expect("a socket");
    sent.send(()).expect("the server");
    assert_eq!(driver.reply(), Ok(reply(b"ok", true)));
    serving.join().expect("the server saw the whole call");
}

#[test]
fn a_reply_to_half_a_call_ends_the_connection() {
    let (mut driver, call) = (opened(answer_all), vec![b'b'; 32 << 20]);
    driver.connection.send(&[GET, &call].concat()).expect("a socket");
    assert_eq!(driver.reply(), Ok(reply(b"ok", false)));
}

#[test]
fn a_target_that_does_not_listen_refuses() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    assert_eq!(Driver::new(address, None).open(), Err(Cause::Refused));
}

#[test]
fn a_lost_call_has_its_cause() {
    let reset = answered(|mut socket| {
        read_request(&mut socket);
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("a socket");
    });
    assert_eq!(reset, Err(Cause::Reset));
    let before = answered(hear_out);
    assert_eq!(before, Err(Cause::ClosedBeforeReply));
    let inside = answered(|mut socket| {
        read_request(&mut socket);
        socket.write_all(&OK[..OK.len() - 1]).expect("a client");
    });
    assert_eq!(inside, Err(Cause::ClosedInsideReply));
    let garbage = answered(|mut socket| {
        read_request(&mut socket);
        socket.write_all(b"SSH-2.0-OpenSSH\r\n").expect("a client");
    });
    assert_eq!(garbage, Err(Cause::Garbage));
    let large = answered(|mut socket| {
        read_request(&mut socket);
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n").expect("a client");
    });
    assert_eq!(large, Err(Cause::TooLarge));
}

#[test]
fn the_end_of_the_connection_ends_a_reply_without_a_length() {
    let until_close = answered(|mut socket| {
        read_request(&mut socket);
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").expect("a client");
    });
    assert_eq!(until_close, Ok(reply(b"ok", false)));
}

#[test]
fn what_happens_between_calls_is_no_call_lost() {
    let mut driver = opened(|mut socket| {
        read_request(&mut socket);
        socket.write_all(OK).expect("a client");
    });
    assert_eq!(driver.call(GET).map(|(status, ..)| status), Ok(200));
    assert_eq!(driver.silence(), Cause::ClosedIdle);

    assert_eq!(opened(speak_first).silence(), Cause::Garbage);
}

#[test]
fn a_lost_connection_opens_anew() {
    let (address, _) = serve([hear_out, answer_all]);
    let mut driver = Driver::new(address, None);
    driver.open().expect("a listener");
    assert_eq!(driver.call(GET), Err(Cause::ClosedBeforeReply));
    driver.open().expect("a listener");
    assert_eq!(driver.call(GET), Ok(reply(b"ok", true)));
    driver.connection.close();
    assert_eq!(driver.connection.send(GET), Err(Cause::ClosedIdle));
}

// ---------------------------------------------------------------------------------------------------------------- TLS

type TlsPeer = StreamOwned<ServerConnection, TcpStream>;

/// A TLS server of one connection, and the root that vouches for it as `localhost`.
fn serve_tls(behave: fn(TlsPeer)) -> (SocketAddr, CertificateDer<'static>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let root = own.cert.der().clone();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![root.clone()], key.into()).expect("a key");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a client");
        behave(StreamOwned::new(ServerConnection::new(Arc::new(config)).expect("a config"), socket));
    });
    (address, root)
}

fn trusting(roots: &[CertificateDer<'static>], host: &str) -> Tls {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    Tls::new(ClientConfig::builder().with_root_certificates(store).with_no_client_auth(), host).expect("a host")
}

fn opened_tls(behave: fn(TlsPeer)) -> Driver {
    let (address, root) = serve_tls(behave);
    let mut driver = Driver::new(address, Some(trusting(&[root], "localhost")));
    driver.open().expect("a listener");
    driver
}

#[test]
fn calls_follow_each_other_within_tls() {
    let mut driver = opened_tls(answer_all);
    for _ in 0..3 {
        assert_eq!(driver.call(GET), Ok(reply(b"ok", true)));
    }
}

#[test]
fn a_target_is_told_its_name() {
    let mut driver = opened_tls(|mut peer| {
        assert!(read_request(&mut peer));
        let name = peer.conn.server_name().unwrap_or_default().to_owned();
        write!(peer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len()).expect("a client");
    });
    assert_eq!(driver.call(GET).map(|(_, body, _)| body), Ok(b"localhost".to_vec()));
}

#[test]
fn large_calls_and_replies_pass_through_tls() {
    const BODY: usize = 1 << 20;
    let mut driver = opened_tls(|mut peer| {
        assert!(read_request(&mut peer));
        let mut body = vec![0; 8 * BODY];
        peer.read_exact(&mut body).expect("a body");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n");
        peer.write_all(&[head.as_bytes(), &body[..BODY]].concat()).expect("a client");
        read_request(&mut peer);
    });
    let call = [b"POST / HTTP/1.1\r\n\r\n", vec![b'b'; 8 * BODY].as_slice()].concat();
    assert_eq!(driver.call(&call), Ok(reply(&vec![b'b'; BODY], true)));
}

#[test]
fn only_a_certificate_that_is_trusted_for_the_host_opens_a_connection() {
    let (address, root) = serve_tls(hear_out);
    assert_eq!(Driver::new(address, Some(trusting(&[root], "example.com"))).open(), Err(Cause::Certificate));
    let (address, _) = serve_tls(hear_out);
    let (_, other_root) = serve_tls(hear_out);
    assert_eq!(Driver::new(address, Some(trusting(&[other_root], "localhost"))).open(), Err(Cause::Certificate));
    let (address, _) = serve([speak_first]);
    assert_eq!(Driver::new(address, Some(trusting(&[], "localhost"))).open(), Err(Cause::Tls));
}

#[test]
fn only_the_farewell_of_tls_ends_a_reply_without_a_length() {
    let mut driver = opened_tls(|mut peer| {
        read_request(&mut peer);
        peer.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").expect("a client");
        peer.conn.send_close_notify();
        peer.flush().expect("a client");
    });
    assert_eq!(driver.call(GET), Ok(reply(b"ok", false)));
    let mut driver = opened_tls(|mut peer| {
        read_request(&mut peer);
        peer.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").expect("a client");
    });
    assert_eq!(driver.call(GET), Err(Cause::ClosedInsideReply));
}

#[test]
fn a_host_is_a_name_or_an_address_as_in_a_url() {
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        trusting(&[], host);
    }
    let config = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let refused = Tls::new(config, "not a host").expect_err("no name");
    assert_eq!(refused.to_string(), "not a host is no name that a certificate can have");
}
