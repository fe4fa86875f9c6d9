//! The way to a target as its file sets it: a private authority, a certificate of ours, a path, another place, a proxy, headers.
//! Every command goes it alike, and says what is in its way.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::support::binary::{DEADLINE, KEY, Listener, Serve, command, hand_on, read_http, report_of};
use crate::support::gateway::Gateway;

/// The least that each command does after its probe.
const COMMANDS: [&[&str]; 4] = [
    &["run", "--filter", "id:url-command-is-answered,id:set-first-*"],
    &["load", "--rate", "100/s", "--calls", "20", "--connections", "4"],
    &["race", "--operations", "40", "--messages", "2", "--rate", "none"],
    &["fuzz", "--cases", "3", "--rate", "none"],
];

fn serve() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

/// The exit code of a command at the target of this file, with its report; these variables are set.
fn ran(folder: &Path, target: &str, args: &[&str], variables: &[(&str, &str)]) -> (i32, Value, String) {
    fs::write(folder.join("target.yaml"), target).expect("a file");
    let mut command = assert_cmd::Command::from_std(command());
    command.args(args).args(["--target", "target.yaml"]).env("MSGEXT_SECRET_KEY", KEY);
    command.envs(variables.iter().copied()).current_dir(folder).timeout(DEADLINE);
    let output = command.output().expect("the binary can be run");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let code = output.status.code().unwrap_or_else(|| panic!("{args:?} does not end"));
    let report = if code == 2 { Value::Null } else { report_of(folder, args[0]) };
    (code, report, stderr)
}

/// A target file for the app of `serve`.
fn target(more: &str) -> String {
    format!("sdkappid: 1400000000\nadmin: administrator\n{more}")
}

// -------------------------------------------------------------------------------------------------------------- nginx

/// An nginx that asks for a certificate, and hands on what lies under `/prefix`. The files of a private authority are in its folder.
fn nginx(upstream: &str) -> Gateway {
    let server = |port| {
        format!(
            "    listen 127.0.0.1:{port} ssl;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_client_certificate ca.pem;
    ssl_verify_client on;
    keepalive_requests 100000;
    location /prefix/ {{ proxy_pass {upstream}/; }}
"
        )
    };
    Gateway::nginx(authority, server)
}

fn prefix(nginx: &Gateway) -> String {
    format!("https://localhost:{}/prefix", nginx.port)
}

/// An authority's certificate, and those of a server at localhost and of a client that it has signed.
fn authority(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
    let mut params = CertificateParams::new(Vec::new()).expect("no name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "a private authority");
    let key = KeyPair::generate().expect("a key");
    write("ca.pem", params.self_signed(&key).expect("a certificate").pem());
    let issuer = Issuer::new(params, key);
    for (name, host) in [("server", "localhost"), ("client", "client")] {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, host);
        let key = KeyPair::generate().expect("a key");
        write(&format!("{name}.pem"), params.signed_by(&key, &issuer).expect("a certificate").pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

const CA: &str = "ca: ca.pem\n";
const OWN: &str = "client-certificate: {certificate: client.pem, key: client.key}\n";

#[test]
fn a_private_authority_and_a_certificate_of_ours_open_the_way_and_without_either_it_is_said_what_is_missing() {
    let serve = serve();
    let nginx = nginx(serve.url());
    let (url, folder) = (format!("url: {}\n", prefix(&nginx)), nginx.folder.path());
    for args in COMMANDS {
        let (code, report, told) = ran(folder, &target(&format!("{url}{CA}{OWN}")), args, &[]);
        assert_eq!(code, 0, "{args:?}\n{told}");
        assert_eq!(report["configuration"]["ca"], "ca.pem", "{args:?}");
        assert_eq!(report["configuration"]["client-certificate"], "client.pem", "{args:?}");
        for (given, missing) in [(OWN, "`ca`"), (CA, "`client-certificate`")] {
            let (code, report, told) = ran(folder, &target(&format!("{url}{given}")), args, &[]);
            let reason = report["reason"].as_str().expect("a reason");
            assert!(code == 3 && reason.contains(missing), "{args:?} {code} {told}");
            assert!(reason.contains("/prefix/v4/"), "the call that failed is named: {reason}");
        }
    }
}

/// A certificate for localhost that is signed by itself, as an authority is: what `openssl req -x509` makes. And another like it.
fn self_signed(folder: &Path) {
    for name in ["server", "other"] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        fs::write(folder.join(format!("{name}.pem")), params.self_signed(&key).expect("a certificate").pem()).expect("a file");
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("a file");
    }
}

#[test]
fn a_certificate_that_nobody_else_has_signed_is_trusted_where_the_file_holds_it_and_for_its_own_name() {
    let serve = serve();
    let server = |port| {
        let files = "ssl_certificate server.pem;\n    ssl_certificate_key server.key;";
        format!("    listen 127.0.0.1:{port} ssl;\n    {files}\n    location / {{ proxy_pass {}/; }}\n", serve.url())
    };
    let nginx = Gateway::nginx(self_signed, server);
    let folder = nginx.folder.path();
    let url = |host: &str| format!("url: https://{host}:{}\n", nginx.port);
    for args in COMMANDS {
        for (host, ca, opens) in [
            ("localhost", "ca: server.pem\n", true),
            ("127.0.0.1", "ca: server.pem\n", false),
            ("localhost", "ca: other.pem\n", false),
            ("localhost", "", false),
        ] {
            let (code, report, told) = ran(folder, &target(&format!("{}{ca}", url(host))), args, &[]);
            assert_eq!(code, if opens { 0 } else { 3 }, "{args:?} {host} {ca} {told}");
            let reason = report["reason"].as_str().expect("a reason");
            assert!(opens || reason.contains("not trusted for this name"), "{args:?} {reason}");
        }
    }
}

#[test]
fn a_target_is_reached_at_another_place_under_its_own_name() {
    let serve = serve();
    let nginx = nginx(serve.url());
    let folder = nginx.folder.path();
    let elsewhere = format!("connect-to: 127.0.0.1:{}\n{CA}{OWN}", nginx.port);
    for args in COMMANDS {
        for named in ["url: https://localhost/prefix\n", "url: https://name.invalid/prefix\nhost: localhost\n"] {
            let (code, _, told) = ran(folder, &target(&format!("{named}{elsewhere}")), args, &[]);
            assert_eq!(code, 0, "{args:?} {named}\n{told}");
        }
        let (code, report, _) = ran(folder, &target(&format!("url: https://name.invalid/prefix\n{elsewhere}")), args, &[]);
        let reason = report["reason"].as_str().expect("a reason");
        assert!(code == 3 && reason.contains("not trusted for this name"), "{args:?} {code} {reason}");
    }
}

// -------------------------------------------------------------------------------------------------------------- proxy

/// A proxy that lets every connection through to one place, or none, and keeps what it was asked.
fn proxy(to: &str, lets: bool) -> (Listener, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (kept, to) = (Arc::clone(&asked), to.to_owned());
    let listener = Listener::start(move |mut client| {
        while let Ok(request) = read_http(&mut client) {
            let head = String::from_utf8_lossy(&request).into_owned();
            kept.lock().expect("a list").push(head.lines().next().unwrap_or_default().to_owned());
            if !lets {
                let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
                return;
            }
            let mut server = TcpStream::connect(&to).expect("the endpoint is there");
            if head.starts_with("CONNECT ") {
                client.write_all(b"HTTP/1.1 200 Connection established\r\nX-Proxy: a\r\n\r\n").expect("a client");
                through(client, server);
                return;
            }
            // As an endpoint reads it, which is told no more than a path.
            let origin = head.replacen("http://name.invalid", "", 1);
            let Ok(answer) = hand_on(origin.as_bytes(), &mut server) else { return };
            if client.write_all(&answer).is_err() {
                return;
            }
        }
    });
    (listener, asked)
}

/// Hands bytes on, both ways, until either side ends.
fn through(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = (client.try_clone().expect("a socket"), client);
    let (mut from_server, mut to_server) = (server.try_clone().expect("a socket"), server);
    let back = thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    let _ = io::copy(&mut from_client, &mut to_server);
    let _ = to_server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}

#[test]
fn every_connection_goes_through_the_proxy_that_the_file_names_and_through_none_of_the_environments() {
    let serve = serve();
    let nginx = nginx(serve.url());
    let folder = nginx.folder.path();
    let plain = serve.url().trim_start_matches("http://");
    for args in COMMANDS {
        let (listener, asked) = proxy(plain, true);
        let file = target(&format!("url: http://name.invalid\nproxy: {}\n", listener.url));
        let (code, report, told) = ran(folder, &file, args, &[]);
        let asked = std::mem::take(&mut *asked.lock().expect("a list"));
        assert_eq!(code, 0, "{args:?}\n{told}");
        assert!(asked.iter().all(|line| line.starts_with("POST http://name.invalid/v4/")), "{args:?} {asked:?}");
        assert_eq!(report["configuration"]["proxy"], listener.url.as_str());

        let (listener, asked) = proxy(&format!("127.0.0.1:{}", nginx.port), true);
        let secured = format!("url: {}\n{CA}{OWN}proxy: {}\n", prefix(&nginx), listener.url);
        let (code, _, told) = ran(folder, &target(&secured), args, &[]);
        let asked = std::mem::take(&mut *asked.lock().expect("a list"));
        assert_eq!(code, 0, "{args:?}\n{told}");
        let connect = format!("CONNECT localhost:{} HTTP/1.1", nginx.port);
        // The calls of the probe and those of the command itself are on connections of their own.
        let least = if args[0] == "load" { 5 } else { 1 };
        assert!(asked.len() >= least && asked.iter().all(|line| *line == connect), "{args:?} {asked:?}");

        let (listener, _) = proxy(plain, false);
        let refusing = format!("url: {}\n{CA}{OWN}proxy: {}\n", prefix(&nginx), listener.url);
        assert_eq!(ran(folder, &target(&refusing), args, &[]).0, 3, "{args:?}");

        let (listener, asked) = proxy(plain, true);
        let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|variable| (variable, listener.url.as_str()));
        let (code, ..) = ran(folder, &target(&format!("url: {}\n", serve.url())), args, &variables);
        assert!(code == 0 && asked.lock().expect("a list").is_empty(), "{args:?} {code}");
    }
}

// ------------------------------------------------------------------------------------------------- headers and the key

/// Hands calls on, and keeps their heads.
fn seen(upstream: &str) -> (Listener, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (kept, upstream) = (Arc::clone(&heads), upstream.trim_start_matches("http://").to_owned());
    let listener = Listener::start(move |mut client| {
        let mut server = TcpStream::connect(&upstream).expect("the endpoint is there");
        while let Ok(request) = read_http(&mut client) {
            let text = String::from_utf8_lossy(&request).into_owned();
            kept.lock().expect("a list").push(text.split("\r\n\r\n").next().unwrap_or_default().to_owned());
            if hand_on(&request, &mut server).and_then(|answer| client.write_all(&answer)).is_err() {
                return;
            }
        }
    });
    (listener, heads)
}

#[test]
fn every_request_carries_the_headers_of_the_file_and_a_value_from_the_environment_is_shown_nowhere() {
    const SECRET: &str = "a-tenants-own-secret";
    let (serve, folder) = (serve(), tempfile::tempdir().expect("a folder"));
    for args in COMMANDS {
        let (listener, heads) = seen(serve.url());
        let file = target(&format!(
            "url: {}\nhost: chat.example.org:7\nheaders: {{X-Tenant: '7', X-Token: {{variable: TENANT_TOKEN}}}}\n",
            listener.url
        ));
        let (code, report, told) = ran(folder.path(), &file, args, &[("TENANT_TOKEN", SECRET)]);
        assert_eq!(code, 0, "{args:?}\n{told}");
        let heads = std::mem::take(&mut *heads.lock().expect("a list"));
        let token = format!("X-Token: {SECRET}");
        for head in &heads {
            for header in ["X-Tenant: 7", &token, "Host: chat.example.org:7"] {
                assert_eq!(head.lines().filter(|line| *line == header).count(), 1, "{args:?} {header} {head}");
            }
        }
        assert!(heads.len() > 3, "{args:?} sent no calls");
        assert_eq!(report["configuration"]["headers"], "X-Tenant: 7, X-Token: ***");
        let kept = fs::read_dir(folder.path().join("reports").join(args[0])).expect("a folder");
        for file in kept {
            let text = fs::read_to_string(file.expect("a file").path()).expect("text");
            assert!(!text.contains(SECRET) && !told.contains(SECRET), "{args:?}");
        }
        let (code, _, told) = ran(folder.path(), &file, args, &[]);
        assert!(code == 2 && told.contains("set TENANT_TOKEN"), "{code} {told}");
    }
}

#[test]
fn the_key_is_taken_from_where_the_file_says_it_is_and_never_from_the_file() {
    let (serve, folder) = (serve(), tempfile::tempdir().expect("a folder"));
    fs::create_dir(folder.path().join("keys")).expect("a folder");
    fs::write(folder.path().join("keys/app.key"), format!("{KEY}\n")).expect("a file");
    let at = |from: &str| target(&format!("url: {}\nsecret-key: {from}\n", serve.url()));
    let args = ["run", "--filter", "id:url-command-is-answered"];
    let wrong = ("MSGEXT_SECRET_KEY", "not the key of serve");
    for (from, more) in [
        ("{file: keys/app.key}", ("OTHER", "")),
        ("{command: 'cat keys/app.key'}", ("OTHER", "")),
        ("{variable: APP_KEY}", ("APP_KEY", KEY)),
    ] {
        let (code, report, told) = ran(folder.path(), &at(from), &args, &[wrong, more]);
        assert_eq!(code, 0, "{from}\n{told}");
        assert_eq!(report["configuration"]["secret-key"], "***", "{from}");
        assert!(!report.to_string().contains(KEY), "{from}");
    }
    for (from, says) in [
        ("{file: keys/none.key}", "none.key"),
        ("{command: 'exit 5'}", "its command failed"),
        ("{command: 'printf \"\"'}", "the secret key is empty"),
        ("{variable: APP_KEY}", "set APP_KEY"),
        (KEY, "secret-key says where the key is"),
    ] {
        let (code, _, told) = ran(folder.path(), &at(from), &args, &[]);
        assert!(code == 2 && told.contains(says), "{from} {code} {told}");
    }
}

#[test]
fn files_that_hold_no_certificate_or_no_key_are_refused_by_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    authority(folder.path());
    fs::write(folder.path().join("empty.pem"), "nothing").expect("a file");
    for (more, says) in [
        ("ca: none.pem", "none.pem"),
        ("ca: empty.pem", "empty.pem holds no certificate"),
        ("client-certificate: {certificate: client.pem, key: client.pem}", "client.pem holds no private key"),
        ("client-certificate: {certificate: client.pem, key: server.key}", "cannot be used"),
    ] {
        let (code, _, told) = ran(folder.path(), &target(&format!("url: https://localhost:1\n{more}\n")), &["run"], &[]);
        assert!(code == 2 && told.contains(says), "{more} {code} {told}");
    }
}
