//! What one mode reaches, every mode does: the same addresses, the same trust, the same headers, the same eye for what comes back.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::support::binary::{DEADLINE, KEY, Listener, Serve, command, read_http, report_of, test_at};
use crate::support::debian::library;

const SET: &str = "POST /v4/openim_msg_ext_http_svc/set_key_values?";
/// The least that either mode does after its probe.
const RUN: [&str; 3] = ["run", "--filter", "id:url-command-is-answered"];
const LOAD: [&str; 5] = ["load", "--rate", "100/s", "--calls", "5"];
const RACE: [&str; 7] = ["race", "--rate", "none", "--operations", "800", "--messages", "4"];

fn serve() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

/// The exit code of a command against this URL, with its report; these files are named to it.
fn ran(args: &[&str], url: &str, files: &[(&str, &Path)]) -> (i32, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = assert_cmd::Command::from_std(command());
    command.args(test_at(args[0], url, &args[1..])).env("MSGEXT_SECRET_KEY", KEY);
    command.envs(files.iter().copied()).current_dir(&folder).timeout(DEADLINE);
    let output = command.output().expect("the binary can be run");
    let code = output.status.code().unwrap_or_else(|| panic!("{args:?} does not end"));
    (code, report_of(folder.path(), args[0]))
}

/// Hands calls on from one connection to an endpoint, replies to set calls through a function.
fn relay(mut client: impl Read + Write, upstream: &str, seen: impl Fn(&str), reply: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut server = TcpStream::connect(upstream).expect("the endpoint is there");
    while let Ok(request) = read_http(&mut client) {
        let text = String::from_utf8_lossy(&request);
        seen(&text);
        let passed = server.write_all(&request).and_then(|()| read_http(&mut server));
        let passed = passed.map(|answer| if text.starts_with(SET) { reply(answer) } else { answer });
        if passed.and_then(|answer| client.write_all(&answer).and_then(|()| client.flush())).is_err() {
            return;
        }
    }
}

fn upstream(serve: &Serve) -> String {
    serve.url().strip_prefix("http://").expect("a URL").to_owned()
}

/// The headers of every set call that a command sends, but for the length of its body.
fn headers(args: &[&str]) -> Vec<BTreeMap<String, String>> {
    let serve = serve();
    let (upstream, heads) = (upstream(&serve), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&heads);
    let listener = Listener::start(move |client| {
        let see =
            |request: &str| kept.lock().expect("a list").push(request.split("\r\n\r\n").next().unwrap_or_default().to_owned());
        relay(client, &upstream, see, |reply| reply);
    });
    let url = listener.url.replace("127.0.0.1", "localhost");
    assert_eq!(ran(args, &url, &[]).0, 0, "{args:?}");
    let heads = std::mem::take(&mut *heads.lock().expect("a list"));
    let fields = |head: &String| {
        let fields = head.lines().skip(1).map(|line| line.split_once(": ").expect("a header"));
        let fields = fields.filter(|(name, _)| *name != "Content-Length");
        fields.map(|(name, value)| (name.to_owned(), value.replace(&url["http://".len()..], "TARGET"))).collect()
    };
    heads.iter().filter(|head| head.starts_with(SET)).map(fields).collect()
}

#[test]
fn every_mode_sends_the_same_headers() {
    let agent = concat!("msgext/", env!("CARGO_PKG_VERSION"));
    let common = [
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Content-Type", "application/json"),
        ("Host", "TARGET"),
        ("User-Agent", agent),
    ];
    let common: BTreeMap<String, String> = common.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for args in [RUN.as_slice(), LOAD.as_slice()] {
        let sent = headers(args);
        assert!(sent.len() > 1, "{args:?} sent no set call");
        for headers in sent {
            assert_eq!(headers, common, "{args:?}");
        }
    }
}

#[test]
fn every_mode_trusts_whom_the_system_trusts_and_asks_for_http_1() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let chain = vec![own.cert.der().clone()];
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key.into()).expect("a key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, own.cert.pem()).expect("a file");

    let (serve, config, protocols) = (serve(), Arc::new(config), Arc::new(Mutex::new(Vec::new())));
    let (upstream, kept) = (upstream(&serve), Arc::clone(&protocols));
    let listener = Listener::start(move |mut client| {
        let mut session = ServerConnection::new(Arc::clone(&config)).expect("a config");
        if session.complete_io(&mut client).is_ok() && !session.is_handshaking() {
            kept.lock().expect("a list").push(session.alpn_protocol().map(<[u8]>::to_vec));
            relay(StreamOwned::new(session, client), &upstream, |_| {}, |reply| reply);
        }
    });
    let url = listener.url.replace("http://127.0.0.1", "https://localhost");
    for args in [RUN.as_slice(), LOAD.as_slice()] {
        let (untrusting, trusting) = (ran(args, &url, &[]), ran(args, &url, &[("SSL_CERT_FILE", &roots)]));
        assert_eq!((untrusting.0, trusting.0), (3, 0), "{args:?}\n{}\n{}", untrusting.1, trusting.1);
        let asked = std::mem::take(&mut *protocols.lock().expect("a list"));
        assert!(!asked.is_empty() && asked.iter().all(|asked| asked.as_deref() == Some(b"http/1.1")), "{args:?} {asked:?}");
    }
}

/// The reply with its body in gzip.
/// Takes connections no more: nobody accepts those that wait, and there is no room for another.
fn silent(address: &str) -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind(address).expect("a port");
    let there = listener.local_addr().expect("an address");
    let waiting = std::iter::from_fn(|| TcpStream::connect_timeout(&there, Duration::from_millis(500)).ok());
    let waiting = waiting.collect();
    (listener, waiting)
}

#[test]
fn of_several_addresses_the_one_that_takes_connections_is_connected_to() {
    let serve = serve();
    let port = serve.url().rsplit(':').next().expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = folder.path().join("hosts");
    let resolver = library("libnss_wrapper.so", "libnss-wrapper");
    let commands: [&[&str]; 5] = [&["doctor"], &RUN, &["run", "--filter", "id:seq-one-of-many-wins-on-*"], &LOAD, &RACE];
    let at = |addresses: [&str; 2], exit: i32| {
        std::fs::write(&hosts, addresses.map(|address| format!("{address} chat.example.org\n")).concat()).expect("a file");
        for args in commands {
            let url = format!("http://chat.example.org:{port}");
            let (code, report) = ran(args, &url, &[("LD_PRELOAD", &resolver), ("NSS_WRAPPER_HOSTS", &hosts)]);
            assert_eq!(code, exit, "{args:?} {addresses:?}: {report}");
            assert_ne!(report["calls_at_once"], "one connection", "{args:?} {addresses:?}");
        }
    };
    // Nothing listens on the first, which says so.
    at(["127.0.0.2", "127.0.0.1"], 0);
    at(["127.0.0.2", "127.0.0.3"], 3);
    // Nor does it say anything.
    let _silent = silent(&format!("127.0.0.2:{port}"));
    at(["127.0.0.2", "127.0.0.1"], 0);
}

fn zipped(reply: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(reply);
    let body = text.split_once("\r\n\r\n").expect("a head and a body").1;
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    zip.write_all(body.as_bytes()).expect("memory");
    let body = zip.finish().expect("memory");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

/// Clause, subject, expected and actual of each finding, each once.
fn findings(report: &Value) -> Vec<[String; 4]> {
    let of_scenarios = report["scenarios"].as_array().into_iter().flatten();
    let found = of_scenarios.flat_map(|scenario| scenario["findings"].as_array().expect("findings"));
    let word = |finding: &Value, field: &str| finding[field].as_str().expect("a string").to_owned();
    let mut found: Vec<_> =
        found.map(|finding| ["clause", "subject", "expected", "actual"].map(|field| word(finding, field))).collect();
    found.dedup();
    found
}

#[test]
fn a_port_without_tls_is_told_so_in_plain_words() {
    let serve = serve();
    for args in [RUN.as_slice(), LOAD.as_slice()] {
        let (code, report) = ran(args, &serve.url().replace("http://", "https://"), &[]);
        let reason = report["reason"].as_str().expect("a reason");
        assert!(
            code == 3 && reason.contains("the port answers, but not in TLS: is it http:// that it speaks?"),
            "{code} {reason}"
        );
        assert_eq!(ran(args, serve.url(), &[]).0, 0, "{args:?}");
    }
}

#[test]
fn a_reply_in_a_coding_that_nobody_asked_for_breaks_http_2_and_is_named() {
    let (serve, plain) = (serve(), serve());
    let to = upstream(&serve);
    let zipping = Listener::start(move |client| relay(client, &to, |_| {}, |reply| zipped(&reply)));
    let told = [["HTTP-2", "body", "JSON", "coded as gzip, though no coding was asked for"].map(str::to_owned)];
    for args in [RUN.as_slice(), LOAD.as_slice()] {
        let (code, report) = ran(args, &zipping.url, &[]);
        assert_eq!((code, findings(&report)), (1, told.to_vec()), "{args:?}\n{report}");
        assert_eq!(ran(args, plain.url(), &[]).0, 0, "{args:?}");
    }
}
